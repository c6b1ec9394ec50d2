"""HTML stands alone, Markdown and LaTeX hold the same tables, and each cites what it lists."""

from __future__ import annotations

import re

from costmodel.reports.content.blocks import Document
from costmodel.reports.render.html import html
from costmodel.reports.render.latex import latex
from costmodel.reports.render.markdown import markdown

from costmodel.targets.load import references


def test_html_loads_nothing_and_its_links_lead_somewhere(report: Document) -> None:
    text = html(report)
    assert not re.search(r"<(?:script|link|iframe)\b", text)
    assert all(src.startswith("data:") for src in re.findall(r'src="([^"]{0,30})', text))
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= ids
    assert len(re.findall(r"<table>", text)) == len(report.tables())


def test_markdown_has_every_table_with_rows_of_equal_length(report: Document) -> None:
    text = markdown(report)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
    assert len(re.findall(r"^\| :?--", text, re.MULTILINE)) == len(report.tables())


def test_latex_is_balanced_and_cites_keys_of_the_bibliography(report: Document) -> None:
    text = latex(report)
    for name in ("table", "longtable", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}")
    assert text.count(r"\caption{") == len(report.tables())
    cited = set(re.findall(r"\\cite(?:\[\{[^}]*\}\])?\{([^}]+)\}", text))
    assert cited and cited <= set(references())
    assert not re.search(r"(?<!\\)[&]\S*%[^\n]*\\\\", text)


def test_all_formats_say_the_strict_count(report: Document) -> None:
    row = next(r for r in report.tables()[0].grid.rows if "strict" in str(r.values[0]))
    for text in (html(report), markdown(report), latex(report)):
        assert all(str(cell) in text for cell in row.values[1:])
