"""Which entries of ``sources.bib`` the sources of constants name, and their BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from costmodel.targets.load import references

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate

ARXIV = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")
#: A paper as people name it: Horowitz ISSCC 2014.
PAPER = re.compile(r"([A-Z]\w+) [\w ]*?((?:19|20)\d\d)\b(.*)")


def keys(source: str) -> Iterator[str]:
    """The keys that ``key, where; key2, where`` names, by themselves, by a preprint's number, or as people do."""
    known = references()
    for part in filter(None, (p.strip() for p in source.split(";"))):
        key = part.split(",")[0].strip()
        if key in known:
            yield key
        elif match := ARXIV.search(part):
            if (found := by_arxiv(match[1])) is not None:
                yield found
        elif (paper := PAPER.match(part)) and (name := f"{paper[1].lower()}{paper[2]}") in known:
            yield name


def by_arxiv(number: str) -> str | None:
    """The key of a preprint."""
    mark = re.compile(rf"eprint\s*=\s*[{{\"]{re.escape(number)}[}}\"]")
    return next((key for key, entry in references().items() if mark.search(entry)), None)


def bibtex(estimates: Iterable[Estimate]) -> str:
    """The entries of all sources of the constants that the estimates used, in alphabetical order of their keys.

    A source that is no publication with an entry, such as a fit to measurements, stands as a comment.
    """
    sources = {q.source for estimate in estimates for q in estimate.sources().values()}
    found = sorted({key for source in sources for key in keys(source)})
    others = sorted({part.strip() for s in sources for part in s.split(";") if part.strip() and not any(keys(part))})
    lines = [f"% no entry: {' '.join(text.split())}" for text in others]
    return "\n\n".join([*(["\n".join(lines)] if lines else []), *(references()[key] for key in found)]) + "\n"
