"""HTML stands alone, Markdown and LaTeX hold the same tables, and each cites what it lists."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from costmodel.reports.content.blocks import Document
from costmodel.reports.content.compose import document
from costmodel.reports.content.subject import Subject, gather
from costmodel.reports.make import write
from costmodel.reports.render.html import html
from costmodel.reports.render.latex import latex
from costmodel.reports.render.markdown import markdown
from costmodel.targets import options_of
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


def test_every_row_of_latex_has_a_cell_for_every_column(report: Document) -> None:
    for table in report.tables():
        lines = latex(replace(report, blocks=(table,))).splitlines()
        rows = [line for line in lines if " & " in line and not line.startswith("%")]
        assert len(rows) >= len([row for row in table.grid.rows if row.style != "title"])
        for line in rows:
            assert len(re.findall(r"(?<!\\)&", line)) == len(table.grid.columns) - 1, line
            assert line.endswith(r"\\")
        for line in lines:
            keys = r"\\cite(?:\[\{[^]]*\}\])?\{[^}]*\}|\\(?:label|url|autoref)\{[^}]*\}"
            bare = re.sub(r"\\[#$_^%&{}]|\$[^$]*\$", "", re.sub(keys, "", line))
            assert line.startswith("%") or not re.search(r"[#$_^]", bare), line


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_and_fits_the_text(subject: Subject, renamed: Subject, tmp_path: Path) -> None:
    for name, of in (("plain", subject), ("long", renamed)):
        (tmp_path / "tables.tex").write_text(latex(document(of, "compare", "2026-01-31")))
        (tmp_path / f"{name}.tex").write_text(
            r"\documentclass[10pt,a4paper]{article}\usepackage[T1]{fontenc}\usepackage[margin=22mm]{geometry}"
            r"\usepackage{array,booktabs,longtable,hyperref}\begin{document}\input{tables}\end{document}"
        )
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name]
        for _ in range(2):  # the widths of long tables and the references are known the second time
            ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
            assert ran.returncode == 0, ran.stdout[-2000:]
        wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", ran.stdout)]
        assert max(wide, default=0.0) < 6.0, (name, wide)
        assert not re.search(r"Reference `[^']*' .*undefined", ran.stdout)


def test_all_formats_say_the_strict_count(report: Document) -> None:
    row = next(r for r in report.tables()[0].grid.rows if "strict" in str(r.values[0]))
    for text in (html(report), markdown(report), latex(report)):
        assert all(str(cell) in text for cell in row.values[1:] if cell.values)


def test_markdown_has_its_figures_next_to_it(report: Document, tmp_path: Path) -> None:
    write(report, tmp_path / "my report.md", "markdown", keep=False)
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (tmp_path / "my report.md").read_text())
    assert len(shown) == len(report.figures())
    assert {unquote(name) for name in shown} == {
        f"my report_files/{p.name}" for p in (tmp_path / "my report_files").iterdir()
    }


def test_a_report_of_a_target_has_all_of_its_options() -> None:
    subject = gather((), ("fpga", "asic"), command="costmodel report")
    tables = {t.label: t for t in document(subject, "target", "2026-01-31").tables()}
    for j, hardware in enumerate(subject.hardware):
        assert [str(row.values[0]) for row in tables[f"tab-choices-{j}"].grid.rows] == list(options_of(hardware.target))
