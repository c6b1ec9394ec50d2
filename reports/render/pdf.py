"""PDF by typst: the document goes as JSON and SVG to a fixed template. Fonts are embedded, and warnings are errors."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from costmodel.reports.content.blocks import (
    Bibliography,
    Block,
    Document,
    Figure,
    Heading,
    Items,
    Paragraph,
    Table,
    spans,
)
from costmodel.reports.figures.draw import svg

from costmodel.cli.table import Table as Grid
from costmodel.errors import CostmodelError, MissingExtraError

TEMPLATE = Path(__file__).parent.parent / "templates" / "report.typ"
Paper = Literal["a4", "letter"]
#: Lines of a listing that fit the page in the size of code.
CODE_COLUMNS = 96
#: Names up to this length are not broken in the answer.
WHOLE_NAME = 32
#: Points of the block of text, of both insets of a cell; the width of a character over the size of type.
TEXT_WIDTH, CELL_INSET, CHARACTER = 469.0, 8.0, 0.5
#: Characters that a column which shares has at least; the smallest size of type.
NARROW, SMALLEST = 16, 6.0
NUMBER = re.compile(r"[−+-]?[\d,.]+%?")
#: Characters from which a column is no longer as wide as what it holds.
WIDE_HEAD, WIDE_CELL = 26, 36


def pdf(document: Document, paper: Paper = "a4") -> bytes:
    """The report as tagged PDF, the same bytes for the same document.

    Raises :class:`MissingExtraError` without typst or matplotlib.
    """
    return bytes(_compile(document, paper, format="pdf"))


def png(document: Document, paper: Paper = "a4", ppi: float = 80.0) -> list[bytes]:
    """The pages as pictures."""
    pages = _compile(document, paper, format="png", ppi=ppi)
    return [pages] if isinstance(pages, bytes) else list(pages)


def _compile(document: Document, paper: Paper, **options: Any) -> Any:
    try:
        import matplotlib as mpl
        import typst
    except ImportError as error:
        raise MissingExtraError("a PDF report", error.name or "typst", "reports") from error
    moment = datetime.fromisoformat(document.date).replace(tzinfo=UTC)
    files = {
        "main.typ": TEMPLATE.read_bytes(),
        "document.json": json.dumps(_data(document), ensure_ascii=False).encode(),
    }
    files |= {f"{f.label}.svg": svg(f.plot, f.label) for f in document.figures()}
    if options["format"] == "pdf":
        options["pdf_tags"] = True
    try:
        made, warnings = typst.compile_with_warnings(
            files,
            sys_inputs={"paper": "us-letter" if paper == "letter" else "a4"},
            font_paths=[str(Path(mpl.get_data_path()) / "fonts" / "ttf")],
            ignore_system_fonts=True,
            timestamp=int(moment.timestamp()),
            **options,
        )
    except typst.TypstError as error:
        raise CostmodelError(f"typst cannot set the report: {error}") from error
    if warnings:
        raise CostmodelError("typst warns about the report: " + "; ".join(str(w) for w in warnings))
    return made


def _data(document: Document) -> dict[str, Any]:
    numbers = {r.key: r.number for r in document.bibliography()}
    return {
        "title": _marked(document.title, numbers),
        "plain_title": _plain(document.title),
        "short_title": _cut(_plain(document.title), 84),
        "subtitle": document.subtitle,
        "date": document.date,
        "keywords": list(document.keywords),
        "names": [re.escape(name) for name in document.keywords if len(name) <= WHOLE_NAME],
        "blocks": [_block(b, numbers) for b in document.blocks],
    }


def _block(block: Block, numbers: dict[str, int]) -> dict[str, Any]:
    match block:
        case Heading():
            return {"kind": "heading", "level": block.level, "body": _marked(block.text, numbers)}
        case Paragraph(style="code"):
            return {"kind": "code", "lines": [p for line in _plain(block.text).splitlines() for p in _wrapped(line)]}
        case Paragraph():
            return {"kind": "paragraph", "style": block.style, "body": _marked(block.text, numbers)}
        case Items():
            return {"kind": "items", "items": [_marked(text, numbers) for text in block.texts]}
        case Figure():
            return {
                "kind": "figure",
                "label": block.label,
                "caption": _marked(block.caption, numbers),
                "alt": block.alt,
                "api": [_breakable(e) for e in block.api],
            }
        case Table():
            return _table(block, numbers)
        case Bibliography():
            entries = [{"number": r.number, "text": r.text, "url": r.url} for r in block.entries]
            return {"kind": "bibliography", "entries": entries}


def _table(table: Table, numbers: dict[str, int]) -> dict[str, Any]:
    grid = table.grid
    footer = {id(row) for row in grid.footer}
    rows = [
        {
            "style": "total" if id(row) in footer else row.style,
            "cells": [_marked(c, numbers, True) for c in grid.texts(row)],
        }
        for row in (*grid.rows, *grid.footer)
    ]
    shares, size = _fitted(grid)
    return {
        "kind": "table",
        "size": size,
        "label": table.label,
        "caption": _marked(table.caption, numbers),
        "api": [_breakable(e) for e in table.api],
        "columns": [
            {"title": _marked(c.title, numbers, True), "align": c.align, "share": share}
            for c, share in zip(grid.columns, shares, strict=True)
        ],
        "rows": rows,
        "notes": [_marked(n, numbers) for n in grid.notes],
    }


def _fitted(grid: Grid) -> tuple[list[int], float]:
    """The share of each column (0: as wide as it needs), and the size of type in points at which the table fits.

    A column that takes what it needs leaves nothing to the others, so where even the smallest type does not fit, all
    columns share.
    """
    shares = [_share(grid, i) for i in range(len(grid.columns))]
    needs = [float(NARROW) if share else _length(grid, i) for i, share in enumerate(shares)]
    usual = 7.5 if len(needs) > 7 else 8.0 if len(needs) > 5 or len(grid.rows) > 40 else 9.0
    fits = (TEXT_WIDTH - CELL_INSET * len(needs)) / (CHARACTER * sum(needs))
    if fits >= SMALLEST:
        return shares, min(usual, math.floor(2 * fits) / 2)
    return [share or round(10 * math.sqrt(need)) for share, need in zip(shares, needs, strict=True)], SMALLEST


def _length(grid: Grid, index: int) -> int:
    """Characters of the longest line of a column."""
    lines = _plain(grid.columns[index].title).split("\n")
    lines += [_plain(grid.texts(row)[index]) for row in (*grid.rows, *grid.footer) if row.style != "title"]
    return max(map(len, lines))


def _share(grid: Grid, index: int) -> int:
    """How much of the room that the others leave a column may fill, by what it holds; 0 where each line fits."""
    column = grid.columns[index]
    lengths = [len(_plain(grid.texts(row)[index])) for row in grid.rows if row.style != "title"]
    head, longest = max(map(len, _plain(column.title).split("\n"))), max(lengths, default=0)
    if not column.prose and head <= WIDE_HEAD and longest <= WIDE_CELL:
        return 0
    typical = sum(lengths) // max(len(lengths), 1)
    word = max((len(w) for row in grid.rows for w in _plain(grid.texts(row)[index]).split()), default=0)
    return round(10 * math.sqrt(max(typical + min(longest, 2 * typical), head // 3, min(word, 24), 12)))


def _marked(text: str, numbers: dict[str, int], narrow: bool = False) -> list[dict[str, Any]]:
    """Spans as the template reads them; names may break at their joints, in a narrow column also short ones."""
    longest = 12 if narrow else 24
    made: list[dict[str, Any]] = []
    for span in spans(text):
        if span.kind == "cite":
            made.append({"kind": "cite", "number": numbers[span.text], "where": _words(span.where, longest)})
        else:
            made.append({"kind": span.kind, "text": span.text if span.kind == "ref" else _words(span.text, longest)})
    return made


def _words(text: str, longest: int) -> str:
    """The text with break points in words that are longer; figures stay whole."""
    return re.sub(rf"\S{{{longest},}}", lambda m: m[0] if NUMBER.fullmatch(m[0]) else _breakable(m[0]), text)


def _breakable(text: str) -> str:
    """Zero-width spaces where a long name may go on in the next line: behind joints, and in what has none."""
    for joint in (".", "_", "/", ":", "(", ","):
        text = text.replace(joint, joint + "\u200b")
    return re.sub(r"[^\s\u200b-]{24}(?=[^\s\u200b-])", lambda m: m[0] + "\u200b", text)


def _wrapped(line: str) -> list[str]:
    """A line of code in pieces that fit the page; a piece that goes on ends in a backslash."""
    pieces = []
    while len(line) > CODE_COLUMNS:
        at = line.rfind(" ", 20, CODE_COLUMNS)
        at = at if at > 0 else CODE_COLUMNS - 2
        pieces.append(line[:at] + " \\")
        line = "    " + line[at:].lstrip()
    return [*pieces, line]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _plain(text: str) -> str:
    return "".join(span.text for span in spans(text))
