"""Markdown with pipe tables; figures are inside of the file as data, so that nothing goes lost on the way."""

from __future__ import annotations

import base64
import re

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
from costmodel.reports.figures.draw import svg


def markdown(document: Document) -> str:
    """The report as Markdown. Raises :class:`MissingExtraError` without matplotlib."""
    numbers = {r.key: r.number for r in document.bibliography()}
    names = document.references()
    head = f"# {_inline(document.title, numbers, names)}\n\n*{document.subtitle}, {document.date}*"
    return "\n\n".join([head, *(_block(b, numbers, names) for b in document.blocks)]) + "\n"


def _block(block: Block, numbers: dict[str, int], names: dict[str, str]) -> str:
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
            data = base64.b64encode(svg(block.plot, block.label)).decode()
            caption = f"**{names[block.label]}.** {_inline(block.caption, numbers, names)}"
            return f"![{block.alt}](data:image/svg+xml;base64,{data})\n\n{caption}{_from(block.api)}"
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
    return "\n".join(lines) + _from(table.api)


def _from(api: tuple[str, ...]) -> str:
    return "\n\nFrom " + "; ".join(f"`{e}`" for e in api) if api else ""


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
