"""The tables as LaTeX for pasting: booktabs, long tables with repeated heads, and BibTeX keys as they are cited."""

from __future__ import annotations

import re

from costmodel.reports.bibliography import OUTSIDE
from costmodel.reports.content.blocks import Document, Table, spans

from costmodel.cli.table import Column, escape_latex

PREAMBLE = r"""% Tables of a costmodel report. In the preamble:
%   \usepackage{booktabs,longtable,hyperref}
% The keys of \cite are those of arch_specs/sources.bib.
"""
#: Rows from which a table may break across pages.
LONG = 40


def latex(document: Document) -> str:
    """All tables of the report; figures and text stay behind."""
    title = " ".join("".join(s.text for s in spans(document.title)).split())
    return f"{PREAMBLE}% {title}, {document.date}\n\n" + "\n".join(map(_table, document.tables()))


def _table(table: Table) -> str:
    grid = table.grid
    long = len(grid.rows) > LONG
    columns = "".join(_column(c.align, c.prose, len(grid.columns)) for c in grid.columns)
    heads = _line([_head(c) for c in grid.columns])
    rows = []
    for row in grid.rows:
        cells = [_inline(t) for t in grid.texts(row)]
        if row.style == "title":
            rows.append(rf"  \addlinespace \multicolumn{{{len(cells)}}}{{l}}{{\textbf{{{cells[0]}}}}} \\")
        else:
            rows.append(_line([rf"\textbf{{{c}}}" if row.style == "bold" and c else c for c in cells]))
    footer = [_line([rf"\textbf{{{_inline(t)}}}" if t else "" for t in grid.texts(row)]) for row in grid.footer]
    body = [*rows, *([r"  \midrule", *footer] if footer else [])]
    caption = rf"\caption{{{_inline(table.caption)}}}\label{{{table.label}}}"
    notes = [f"% {''.join(s.text for s in spans(note))}" for note in grid.notes]
    notes += [f"% from {expression}" for expression in table.api]
    if long:
        lines = [
            rf"\begin{{longtable}}{{{columns}}}",
            rf"  {caption}\\",
            r"  \toprule",
            heads,
            r"  \midrule",
            r"  \endfirsthead",
        ]
        lines += [r"  \toprule", heads, r"  \midrule", r"  \endhead", r"  \bottomrule", r"  \endlastfoot", *body]
        lines += [r"\end{longtable}"]
    else:
        lines = [
            r"\begin{table}",
            r"  \centering",
            f"  {caption}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"  \toprule",
            heads,
        ]
        lines += [r"  \midrule", *body, r"  \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join([*lines, *notes]) + "\n"


def _column(align: str, prose: bool, columns: int) -> str:
    if prose:
        return rf"p{{{0.9 / max(columns, 3):.2f}\linewidth}}"
    return "l" if align == "left" else "r"


def _head(column: Column) -> str:
    """The title of a column, in as many lines as it has."""
    lines = [rf"\textbf{{{_inline(line)}}}" for line in column.title.split("\n")]
    stacked = r" \\ ".join(lines)
    return stacked if len(lines) == 1 else rf"\shortstack[{column.align[0]}]{{{stacked}}}"


def _line(cells: list[str]) -> str:
    return "  " + " & ".join(cells) + r" \\"


def _inline(text: str) -> str:
    made = []
    for span in spans(text):
        escaped = escape_latex(span.text).replace("\u2026", r"\ldots{}")
        if span.kind == "cite":
            made.append(_cite(span.text, span.where))
        elif span.kind == "ref":
            made.append(rf"\autoref{{{span.text}}}")
        elif span.kind == "code":
            made.append(rf"\texttt{{{escaped}}}")
        else:
            made.append(rf"\textbf{{{escaped}}}" if span.kind == "strong" else escaped)
    return "".join(made)


def _cite(key: str, where: str) -> str:
    if key.startswith(OUTSIDE):
        address = key.removeprefix(OUTSIDE)
        return rf"\url{{{address}}}" if re.match(r"\S+$", address) else escape_latex(address)
    return rf"\cite[{{{escape_latex(where)}}}]{{{key}}}" if where else rf"\cite{{{key}}}"
