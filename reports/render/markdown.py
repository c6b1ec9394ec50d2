"""Markdown with pipe tables; its figures are files in a folder next to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

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
from costmodel.reports.figures.draw import Draw, svg


def markdown(document: Document, folder: str = "report_files") -> str:
    """The report as Markdown, whose figures are ``folder/LABEL.svg``: those that :func:`files` gives."""
    numbers = {r.key: r.number for r in document.bibliography()}
    names = document.references()
    head = f"# {_inline(document.title, numbers, names)}\n\n*{document.subtitle}, {document.date}*"
    return "\n\n".join([head, *(_block(b, numbers, names, folder) for b in document.blocks)]) + "\n"


def files(document: Document, draw: Draw = svg) -> Mapping[str, bytes]:
    """The figures by the names of their files. Raises :class:`MissingExtraError` without matplotlib."""
    return {f"{figure.label}.svg": draw(figure.plot, figure.label) for figure in document.figures()}


def _block(block: Block, numbers: dict[str, int], names: dict[str, str], folder: str) -> str:
    match block:
        case Heading():
            return f"{'#' * (block.level + 1)} {_inline(block.text, numbers, names)}"
        case Paragraph(style="code"):
            return "```\n" + plain(block.text) + "\n```"
        case Paragraph(style="warning"):
            return f"> {_inline(block.text, numbers, names)}"
        case Paragraph():
            return _inline(block.text, numbers, names)
        case Items():
            return "\n".join(f"- {_inline(text, numbers, names)}" for text in block.texts)
        case Figure():
            caption = f"**{names[block.label]}.** {_inline(block.caption, numbers, names)}"
            return f"![{block.alt}]({quote(folder)}/{block.label}.svg)\n\n{caption}"
        case Table():
            return _table(block, numbers, names)
        case Bibliography():
            return "\n\n".join(
                f"[{r.number}] {_escape(r.text)}" + (f" <{r.url}>" if r.url else "") for r in block.entries
            )


def _table(table: Table, numbers: dict[str, int], names: dict[str, str]) -> str:
    grid = table.grid

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    lines = [f"**{names[table.label]}.** {_inline(table.caption, numbers, names)}", ""]
    lines.append(line([_inline(c.title, numbers, names) for c in grid.columns]))
    lines.append(line([":--" if c.align == "left" else "--:" for c in grid.columns]))
    for row in (*grid.rows, *grid.footer):
        cells = [_inline(t, numbers, names) for t in grid.texts(row)]
        bold = row.style in ("bold", "title")
        lines.append(line([f"**{c.replace('**', '').strip()}**" if bold and c else c.strip() for c in cells]))
    lines += [f"\n{_inline(note, numbers, names)}" for note in grid.notes]
    return "\n".join(lines)


def _inline(text: str, numbers: dict[str, int], names: dict[str, str]) -> str:
    made = []
    for span in spans(text):
        if span.kind == "cite":
            made.append(f"[{numbers[span.text]}]" + (f", {_escape(span.where)}" if span.where else ""))
        elif span.kind == "ref":
            made.append(names[span.text])
        elif span.kind == "code":
            made.append(f"`{span.text}`")
        else:
            made.append(f"**{_escape(span.text)}**" if span.kind == "strong" else _escape(span.text))
    return "".join(made)


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
