"""The building blocks of a report. A document is a sequence of these, and every renderer takes the same sequence.

Text is plain except for four marks: ```` `code` ````, ``**strong**``, ``[[cite:KEY, where]]`` and ``[[ref:LABEL]]``.
Text from outside (names, notes, sources) goes through :func:`literal` before it is put into a paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from costmodel.errors import CostmodelError
from costmodel.reports.figures.data import Plot
from costmodel.views.table import Table as Grid


@dataclass(frozen=True, slots=True)
class Heading:
    """Of a section (level 1) or of a part of one (level 2)."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    style: Literal["plain", "answer", "note", "warning", "code"] = "plain"


@dataclass(frozen=True, slots=True)
class Items:
    """A list of paragraphs with bullets."""

    texts: tuple[str, ...]
    style: Literal["plain", "small"] = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """A numbered table. ``grid`` holds the raw values, ``api`` the expressions that give each of them again.

    An expression is Python in which the names ``costmodel`` and those of :mod:`costmodel.reports.names` are known; the
    appendix lists them. ``lead`` marks the answer, which is set larger.
    """

    label: str
    caption: str
    grid: Grid
    api: tuple[str, ...]
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered figure; ``alt`` says in words what it shows."""

    label: str
    caption: str
    plot: Plot
    alt: str
    api: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bibliography:
    """The references cited before it; filled in by :func:`costmodel.reports.content.bibliography.number`."""

    entries: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry: its number in the document, its key, its text, and the address that it leads to, if any."""

    number: int
    key: str
    text: str
    url: str = ""


Block: TypeAlias = Heading | Paragraph | Items | Table | Figure | Bibliography


@dataclass(frozen=True)
class Document:
    """A whole report. ``date`` is ISO 8601; ``keywords`` go into the metadata of the file."""

    title: str
    subtitle: str
    date: str
    blocks: tuple[Block, ...]
    keywords: tuple[str, ...] = ()

    def tables(self) -> list[Table]:
        return [b for b in self.blocks if isinstance(b, Table)]

    def figures(self) -> list[Figure]:
        return [b for b in self.blocks if isinstance(b, Figure)]

    def bibliography(self) -> tuple[Reference, ...]:
        return next((b.entries for b in self.blocks if isinstance(b, Bibliography)), ())

    def references(self) -> dict[str, str]:
        """Labels and how the text refers to them: ``Table 2``."""
        table = {b.label: f"Table {i}" for i, b in enumerate(self.tables(), 1)}
        return table | {b.label: f"Figure {i}" for i, b in enumerate(self.figures(), 1)}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text with one mark. ``where`` is the place inside of a cited source."""

    kind: Literal["text", "code", "strong", "cite", "ref"]
    text: str
    where: str = ""


_MARK = re.compile(r"\[\[(cite|ref):(.*?)\]\]|`([^`]+)`|\*\*(.+?)\*\*")
#: Stand-ins for the characters of marks in text that comes from outside.
_HIDDEN = {"`": "\ue000", "*": "\ue001", "[": "\ue002"}


def literal(text: str) -> str:
    """Text from outside, so that nothing in it is taken for a mark."""
    return "".join(_HIDDEN.get(char, char) for char in text)


def spans(text: str) -> list[Span]:
    """The pieces of a marked text."""
    found, at = [], 0
    for match in _MARK.finditer(text):
        if match.start() > at:
            found.append(Span("text", _shown(text[at : match.start()])))
        if match[1]:
            key, _, where = match[2].partition(",")
            found.append(Span("cite" if match[1] == "cite" else "ref", key.strip(), _shown(where.strip())))
        else:
            found.append(Span("code", _shown(match[3])) if match[3] else Span("strong", _shown(match[4])))
        at = match.end()
    if at < len(text):
        found.append(Span("text", _shown(text[at:])))
    return found


def plain(text: str) -> str:
    """A marked text without its marks."""
    return "".join(span.text for span in spans(text))


def texts(block: Block) -> Iterator[str]:
    """The marked texts of a block, in the order in which they are read."""
    if isinstance(block, (Heading, Paragraph)):
        yield block.text
    elif isinstance(block, Items):
        yield from block.texts
    elif isinstance(block, Table):
        yield block.caption
        for row in (*block.grid.rows, *block.grid.footer):
            yield from block.grid.texts(row)
        yield from block.grid.notes
    elif isinstance(block, Figure):
        yield block.caption


def check(document: Document) -> None:
    """Raises :class:`CostmodelError` where a reference leads nowhere or a label is given twice."""
    labels = [*(b.label for b in document.tables()), *(b.label for b in document.figures())]
    twice = {label for label in labels if labels.count(label) > 1}
    known = {r.key for r in document.bibliography()}
    wrong = [f"label {label!r} is given twice" for label in sorted(twice)]
    for block in document.blocks:
        for text in texts(block):
            for span in spans(text):
                if span.kind == "ref" and span.text not in labels:
                    wrong.append(f"nothing has the label {span.text!r}")
                if span.kind == "cite" and span.text not in known:
                    wrong.append(f"the bibliography has no {span.text!r}")
    if wrong:
        raise CostmodelError("the report does not hold together: " + "; ".join(wrong))


def below(blocks: Sequence[Block]) -> list[Block]:
    """The same with every heading one level further down."""
    return [Heading(b.text, b.level + 1) if isinstance(b, Heading) else b for b in blocks]


def section(title: str, *blocks: Block | Sequence[Block] | None) -> list[Block]:
    """A heading with what follows; of an empty section one sentence that says so."""
    flat: list[Block] = []
    for block in blocks:
        if block is not None:
            flat.extend(block if isinstance(block, Sequence) else [block])
    return [Heading(title), *(flat or [Paragraph("Nothing to report.", "note")])]


def _shown(text: str) -> str:
    for char, hidden in _HIDDEN.items():
        text = text.replace(hidden, char)
    return text
