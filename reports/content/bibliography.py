"""From sources as constants and records name them to numbered references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from costmodel.reports.content.blocks import Bibliography, Document, Reference, literal, spans, texts
from costmodel.targets.load import references
from costmodel.views.references import ARXIV, PAPER, by_arxiv

#: Marks a key that stands for itself: a source that is no entry of ``sources.bib``.
OUTSIDE = "x:"
#: owner/name@commit:path of a repository, with a commit or a path.
_REPOSITORY = re.compile(r"(?:github\.com/)?([\w\-]+/[\w\-.]+)(?:@([0-9a-f]{6,40}))?(?::([^\s)]+))")


def cite(source: str) -> str:
    """The marked text for ``key, where; key2, where``, for a publication, for a repository, or for an address.

    What leads nowhere (``computed``) stays text.
    """
    known = references()
    marked: list[str] = []
    for part in filter(None, (p.strip() for p in source.split(";"))):
        key = part.split(",")[0].strip()
        paper = PAPER.match(part)
        if key in known:
            marked.append(f"[[cite:{_plain(part)}]]")
        elif ARXIV.search(part):
            marked.append(f"[[cite:{_by_arxiv(part)}]]")
        elif re.fullmatch(r"[A-Za-z0-9_\-]+", key):
            marked.append(f"[[cite:{_plain(part)}]]")  # a source that the target's own file brings along
        elif paper and (name := f"{paper[1].lower()}{paper[2]}") in known:
            marked.append(f"[[cite:{name}{_where(paper[3])}]]")
        elif place := _REPOSITORY.search(part):
            commit = f"@{place[2]}" if place[2] else ""
            around = f"{part[: place.start()]} {place[3]} {part[place.end() :]}"
            marked.append(f"[[cite:{OUTSIDE}github.com/{place[1]}{commit}{_where(around)}]]")
        elif "://" in part:
            marked.append(f"[[cite:{OUTSIDE}{_plain(part).replace(',', ' ')}]]")
        else:
            marked.append(literal(re.sub(r"\b([0-9a-f]{10})[0-9a-f]{20,}", r"\1", part)))
    return "; ".join(marked)


def _where(text: str) -> str:
    """The place inside of a source as a mark has it, without the brackets that the source stood in."""
    words = " ".join(text.replace("(", " ").replace(")", " ").split()).strip(" ,")
    return f", {_plain(words)}" if words else ""


def number(document: Document, own: Mapping[str, str] | None = None) -> Document:
    """The document with its bibliography: what is cited, in the order in which it is first cited.

    ``own`` are references that a target's file brings along. A key that is nowhere is left out, and found by
    :func:`costmodel.reports.content.blocks.check`.
    """
    keys = dict.fromkeys(s.text for b in document.blocks for t in texts(b) for s in spans(t) if s.kind == "cite")
    known = references()
    entries: list[Reference] = []
    for key in keys:
        at = len(entries) + 1
        if key in known:
            entries.append(Reference(at, key, *describe(known[key])))
        elif own and key in own:
            entries.append(Reference(at, key, own[key], _address(own[key])))
        elif key.startswith(OUTSIDE):
            text = key.removeprefix(OUTSIDE)
            entries.append(Reference(at, key, text, _address(text)))
    blocks = tuple(replace(b, entries=tuple(entries)) if isinstance(b, Bibliography) else b for b in document.blocks)
    return replace(document, blocks=blocks)


def describe(entry: str) -> tuple[str, str]:
    """A BibTeX entry as one line and the address that it leads to."""
    field = fields(entry)
    address = field.get("url", "")
    if "doi" in field:
        address = f"https://doi.org/{field['doi']}"
    elif "eprint" in field:
        address = f"https://arxiv.org/abs/{field['eprint']}"
    people = _authors(field.get("author") or field.get("organization", ""))
    venue = field.get("journal") or field.get("booktitle") or field.get("howpublished", "")
    if venue and "volume" in field:
        venue += f" {field['volume']}" + (f"({field['number']})" if "number" in field else "")
    if venue and "pages" in field:
        venue += f", pp. {field['pages']}"
    identifier = f"doi:{field['doi']}" if "doi" in field else f"arXiv:{field['eprint']}" if "eprint" in field else ""
    parts = [people, field.get("title", ""), venue, field.get("year", ""), field.get("note", ""), identifier]
    return ". ".join(part.rstrip(".") for part in parts if part) + ".", address


def fields(entry: str) -> dict[str, str]:
    """Fields of one BibTeX entry, without braces and escapes."""
    found = {}
    for match in re.finditer(r"(\w+)\s*=\s*\{", entry):
        depth, at = 1, match.end()
        while depth and at < len(entry):
            depth += {"{": 1, "}": -1}.get(entry[at], 0)
            at += 1
        found[match[1].lower()] = _text(entry[match.end() : at - 1])
    return found


def _text(latex: str) -> str:
    text = re.sub(r"\\([&_%#$])", r"\1", latex).replace("--", "–").replace("{", "").replace("}", "").replace("~", " ")
    return re.sub(r"\s+", " ", text).strip()


def _authors(text: str) -> str:
    people = [" ".join(reversed(p.split(", ", 1))) for p in text.split(" and ")] if text else []
    if len(people) > 4 or people[-1:] == ["others"]:
        return f"{people[0]} et al."
    return ", ".join(people)


def _by_arxiv(text: str) -> str:
    """The key of the preprint that a text names, with what comes after it; else the text itself as a source."""
    _, number, after = ARXIV.split(text, maxsplit=1)
    key = by_arxiv(number)
    return key + _where(after) if key is not None else OUTSIDE + _plain(text).replace(",", " ")


def _address(text: str) -> str:
    if match := re.search(r"https?://[^\s)]+", text):
        return match[0]
    if match := ARXIV.search(text):
        return f"https://arxiv.org/abs/{match[1]}"
    if match := re.match(r"github\.com/([\w\-]+/[\w\-.]+)(?:@([0-9a-f]{6,40}))?", text):
        return f"https://github.com/{match[1]}" + (f"/tree/{match[2]}" if match[2] else "")
    return ""


def _plain(text: str) -> str:
    """Text inside of a mark: nothing in it may end the mark."""
    return text.replace("]]", "] ]")
