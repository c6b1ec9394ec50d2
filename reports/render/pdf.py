"""PDF by typst: the document goes as JSON and SVG to a fixed template. Fonts are embedded, and warnings are errors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.reports.content.blocks import (
    Bibliography,
    Block,
    Document,
    Figure,
    Heading,
    Items,
    Paragraph,
    Table,
    plain,
    spans,
)
from costmodel.reports.figures.data import parts
from costmodel.reports.figures.draw import Draw, svg
from costmodel.reports.figures.kept import fonts
from costmodel.reports.render.fit import fit

TEMPLATE = Path(__file__).parent.parent / "templates" / "report.typ"
Paper = Literal["a4", "letter"]
#: Tags, alternative texts, title and language for those who do not see the page; fonts inside, nothing from outside.
STANDARDS = ("ua-1", "a-2a")
#: Lines of a listing that fit the page in the size of code.
CODE_COLUMNS = 96
#: Characters of the title that a header of the smallest type holds; points of the answer's type.
HEADER, LEAD = 150, 10.5
#: Names up to this length are not broken in the answer.
WHOLE_NAME = 32
#: Behind these a name may go on in the next line; a file keeps its ending.
JOINT = re.compile(r"(?<=[_/:(,])|(?<=\.)(?!(?:csv|h|hpp|json|md|png|py|txt)\b)|(?<=[a-z0-9])(?=[A-Z][a-z])")
UNIT = re.compile(r"(?<=\d) (?=(?:[fpnµmkMG]?(?:J|s|W|Hz|bit|m²)|mm²|µm²|%|fps|[KMG]?i?B)\b|%|/s)")
NUMBER = re.compile(r"[−+-]?[\d,.]+%?")


def pdf(document: Document, paper: Paper = "a4", draw: Draw = svg) -> bytes:
    """The report as accessible and archivable PDF (:data:`STANDARDS`), the same bytes for the same document.

    Raises :class:`MissingExtraError` without typst or matplotlib.
    """
    return bytes(_compile(document, paper, draw, format="pdf"))


def png(document: Document, paper: Paper = "a4", ppi: float = 80.0) -> list[bytes]:
    """The pages as pictures."""
    pages = _compile(document, paper, svg, format="png", ppi=ppi)
    return [pages] if isinstance(pages, bytes) else list(pages)


def _compile(document: Document, paper: Paper, draw: Draw, **options: Any) -> Any:
    try:
        import typst
    except ImportError as error:
        raise MissingExtraError("a PDF report", error.name or "typst", "reports") from error
    moment = datetime.fromisoformat(document.date).replace(tzinfo=UTC)
    files = {
        "main.typ": TEMPLATE.read_bytes(),
        "document.json": json.dumps(_data(document), ensure_ascii=False).encode(),
    }
    for f in document.figures():
        files |= {f"{f.label}-{i}.svg": draw(part, f"{f.label}-{i}") for i, part in enumerate(parts(f.plot))}
    if options["format"] == "pdf":
        options["pdf_standards"] = list(STANDARDS)
    try:
        made, warnings = typst.compile_with_warnings(
            files,
            sys_inputs={"paper": "us-letter" if paper == "letter" else "a4"},
            font_paths=[str(fonts())],
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
        "plain_title": plain(document.title),
        "short_title": _cut(plain(document.title), HEADER),
        "header_size": min(8.0, 8.0 * 100 / len(plain(document.title))),
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
            return {"kind": "code", "lines": [p for line in plain(block.text).splitlines() for p in _wrapped(line)]}
        case Paragraph():
            body = _marked(block.text, numbers)
            return {"kind": "paragraph", "style": block.style, "body": body, "leads": block.text.endswith(":")}
        case Items():
            return {"kind": "items", "style": block.style, "items": [_marked(text, numbers) for text in block.texts]}
        case Figure():
            return {
                "kind": "figure",
                "label": block.label,
                "caption": _marked(block.caption, numbers),
                "alt": block.alt,
                "parts": len(parts(block.plot)),
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
    shares, size = fit(grid, LEAD if table.lead else None)
    return {
        "kind": "table",
        "size": size,
        "label": table.label,
        "caption": _marked(table.caption, numbers),
        "columns": [
            {"title": _marked(c.title, numbers, True), "align": c.align, "share": share}
            for c, share in zip(grid.columns, shares, strict=True)
        ],
        "rows": rows,
        "notes": [_marked(n, numbers) for n in grid.notes],
    }


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
    """The text with break points in words that are longer; figures stay whole, and with their units."""
    text = UNIT.sub("\u00a0", text)
    return re.sub(rf"\S{{{longest},}}", lambda m: m[0] if NUMBER.fullmatch(m[0]) else breakable(m[0]), text)


def breakable(text: str) -> str:
    """Zero-width spaces where a long name may go on in the next line: behind joints, and in what has none."""
    text = JOINT.sub("\u200b", text)
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
