"""One self-contained HTML file: styles and figures are inside, nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
from html import escape

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

STYLE = """
:root{--ink:#1b1f24;--muted:#57606a;--line:#b9c0c8;--accent:#00598c}
body{margin:0 auto;max-width:52rem;padding:2.5rem 1.5rem 5rem;color:var(--ink);background:#fff;
font:16px/1.5 "Libertinus Serif","Source Serif 4",Georgia,serif}
header{border-bottom:1px solid var(--line);margin-bottom:1.5rem}h1{line-height:1.15;margin:.2rem 0}
h2{color:var(--accent);margin-top:2.4rem}.sub,.note{color:var(--muted)}
.answer{font-size:1.15rem}.warning{border-left:3px solid #d55e00;padding-left:.8rem}
figure{margin:1.5rem 0;overflow-x:auto}figure img{width:100%}
table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid;width:100%;font-size:.85rem;
font-variant-numeric:tabular-nums}
th{border-bottom:1px solid;text-align:left;vertical-align:bottom}td,th{padding:.12rem .45rem;vertical-align:top}
td.r{white-space:nowrap}p,li,h1,h2,h3{overflow-wrap:anywhere}
.r{text-align:right}tr.total td{border-top:1px solid;font-weight:bold}tr.bold td,tr.title td{font-weight:bold}
tr.title td{padding-top:.5rem}.small{font-size:.7rem}code,pre{font-size:.85em}
pre{border-left:2px solid var(--line);padding-left:.8rem;white-space:pre-wrap}a{color:var(--accent)}
ol.refs{list-style:none;padding:0}ol.refs li{padding-left:2.5rem;text-indent:-2.5rem}ol.refs b{display:inline-block;
width:2.5rem;text-indent:0;font-weight:normal}thead{display:table-header-group}
@media print{body{max-width:none;padding:0}tr,figure img{break-inside:avoid}}
"""


def html(document: Document, draw: Draw = svg) -> str:
    """The report as one file. Raises :class:`MissingExtraError` without matplotlib."""
    numbers = {r.key: r.number for r in document.bibliography()}
    names = document.references()
    body = "\n".join(_block(b, numbers, names, draw) for b in document.blocks)
    title = _inline(document.title, numbers, names)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(plain(document.title))}</title>\n'
        f'<meta name="date" content="{document.date}">\n'
        f'<meta name="keywords" content="{escape(", ".join(document.keywords))}">\n'
        f'<style>{STYLE}</style></head>\n<body><header><p class="sub">costmodel report</p>\n'
        f"<h1>{title}</h1>\n"
        f'<p class="sub">{escape(document.subtitle)}<br>{document.date}</p></header>\n'
        f"<main>\n{body}\n</main></body></html>\n"
    )


def _block(block: Block, numbers: dict[str, int], names: dict[str, str], draw: Draw) -> str:
    match block:
        case Heading():
            level = block.level + 1
            return f"<h{level}>{_inline(block.text, numbers, names)}</h{level}>"
        case Paragraph(style="code"):
            return f"<pre>{escape(plain(block.text))}</pre>"
        case Paragraph():
            return f'<p class="{block.style}">{_inline(block.text, numbers, names)}</p>'
        case Items():
            small = ' class="small"' if block.style == "small" else ""
            return f"<ul{small}>" + "".join(f"<li>{_inline(t, numbers, names)}</li>" for t in block.texts) + "</ul>"
        case Figure():
            data = base64.b64encode(draw(block.plot, block.label)).decode()
            return (
                f'<figure id="{block.label}"><img alt="{escape(block.alt)}" src="data:image/svg+xml;base64,{data}">'
                f"<figcaption><b>{names[block.label]}.</b> {_inline(block.caption, numbers, names)}"
                "</figcaption></figure>"
            )
        case Table():
            return _table(block, numbers, names)
        case Bibliography():
            return '<ol class="refs">' + "".join(_entry(r.number, r.text, r.url) for r in block.entries) + "</ol>"


def _table(table: Table, numbers: dict[str, int], names: dict[str, str]) -> str:
    grid = table.grid
    sides = ["" if c.align == "left" else ' class="r"' for c in grid.columns]
    titles = [_inline(c.title, numbers, names).replace("\n", "<br>") for c in grid.columns]
    heads = "".join(f"<th{side}>{title}</th>" for title, side in zip(titles, sides, strict=True))
    rows = []
    for style, row in [*((r.style, r) for r in grid.rows), *(("total", r) for r in grid.footer)]:
        texts = [_inline(t, numbers, names) for t in grid.texts(row)]
        if style == "title":
            rows.append(f'<tr class="title"><td colspan="{len(texts)}">{texts[0]}</td></tr>')
            continue
        cells = "".join(f"<td{side}>{t}</td>" for t, side in zip(texts, sides, strict=True))
        rows.append(f'<tr class="{style}">{cells}</tr>')
    notes = "".join(f'<p class="note small">{_inline(n, numbers, names)}</p>' for n in grid.notes)
    return (
        f'<figure id="{table.label}"><figcaption><b>{names[table.label]}.</b> {_inline(table.caption, numbers, names)}'
        f"</figcaption><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>{notes}</figure>"
    )


def _entry(number: int, text: str, url: str) -> str:
    link = f' <a href="{escape(url)}">{escape(url)}</a>' if url else ""
    return f'<li id="ref-{number}"><b>[{number}]</b>{escape(text)}{link}</li>'


def _inline(text: str, numbers: dict[str, int], names: dict[str, str]) -> str:
    made = []
    for span in spans(text):
        if span.kind == "cite":
            where = f", {escape(span.where)}" if span.where else ""
            made.append(f'<a href="#ref-{numbers[span.text]}">[{numbers[span.text]}]</a>{where}')
        elif span.kind == "ref":
            made.append(f'<a href="#{span.text}">{names[span.text]}</a>')
        else:
            tag = {"code": "code", "strong": "strong"}.get(span.kind)
            made.append(f"<{tag}>{escape(span.text)}</{tag}>" if tag else escape(span.text))
    return "".join(made)
