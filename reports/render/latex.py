"""The tables as LaTeX for pasting: booktabs, long tables with repeated heads, and BibTeX keys as they are cited."""

from __future__ import annotations

import re

from costmodel.reports.content.bibliography import OUTSIDE
from costmodel.reports.content.blocks import Document, Table, plain, spans
from costmodel.reports.render.fit import fit, roomy, widths
from costmodel.views.latex import escape_latex
from costmodel.views.table import Column

PREAMBLE = r"""% Tables of a costmodel report, for a block of text 166 mm wide in a class of 10 pt. In the preamble:
%   \usepackage[T1]{fontenc}
%   \usepackage{array,booktabs,longtable,hyperref}
% The keys of \cite are those of arch_specs/sources.bib. A longtable needs one column of text.
"""
#: Rows from which a table may break across pages.
LONG = 40
#: Characters from which a name is broken.
LONG_WORD = 14
#: By points that a table needs at least: the command of that size in a class of 10 pt, its points, and how much wider
#: Computer Modern runs there than the type of the PDF.
SIZES = (
    (9.0, r"\small", 9.0, 1.05),
    (8.0, r"\footnotesize", 8.0, 1.1),
    (7.0, r"\scriptsize", 7.0, 1.16),
    (0.0, r"\tiny", 5.0, 1.3),
)


def latex(document: Document) -> str:
    """All tables of the report; figures and text stay behind."""
    title = " ".join(plain(document.title).split())
    return f"{PREAMBLE}% {title}, {document.date}\n\n" + "\n".join(map(_table, document.tables()))


def _table(table: Table) -> str:
    grid = table.grid
    shares, size = fit(grid)
    fitting = [row for row in SIZES if size >= row[0]]
    _, command, points, wider = next((row for row in fitting if roomy(grid, shares, row[2] * row[3])), fitting[-1])
    columns = "".join(map(_column, grid.columns, widths(grid, shares, points * wider)))
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
    notes = [f"% {plain(note)}" for note in grid.notes]
    notes += [f"% from {expression}" for expression in table.api]
    style = rf"{command}\setlength{{\tabcolsep}}{{3pt}}"
    top = [r"  \toprule", heads, r"  \midrule"]
    if len(grid.rows) > LONG:
        lines = [
            rf"\begingroup{style}",
            rf"\begin{{longtable}}{{{columns}}}",
            rf"  {caption}\\",
            *top,
            r"  \endfirsthead",
            *top,
            r"  \endhead",
            r"  \bottomrule",
            r"  \endlastfoot",
            *body,
            r"\end{longtable}",
            r"\endgroup",
        ]
    else:
        lines = [
            r"\begin{table}",
            rf"  \centering{style}",
            f"  {caption}",
            rf"  \begin{{tabular}}{{{columns}}}",
            *top,
            *body,
            r"  \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    return "\n".join([*lines, *notes]) + "\n"


def _column(column: Column, width: float) -> str:
    if width > 0:
        side = "raggedright" if column.align == "left" else "raggedleft"
        return rf">{{\{side}\arraybackslash}}p{{{width:.3f}\linewidth}}"
    return "l" if column.align == "left" else "r"


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
        escaped = _breakable(escape_latex(span.text).replace("\u2026", r"\ldots{}"))
        if span.kind == "cite":
            made.append(_cite(span.text, span.where))
        elif span.kind == "ref":
            made.append(rf"\autoref{{{span.text}}}")
        elif span.kind == "code":
            made.append(rf"\texttt{{{escaped}}}")
        else:
            made.append(rf"\textbf{{{escaped}}}" if span.kind == "strong" else escaped)
    return "".join(made)


def _breakable(text: str) -> str:
    """Long names may go on in the next line behind their joints and before a capital; numbers and short words stay."""
    joints = r"(?<=[A-Za-z])(?:\.|\\_|/|:)(?=[A-Za-z0-9])|(?<=[0-9])(?:\.|\\_|/|:)(?=[A-Za-z])"
    humps = r"(?<=[a-z0-9])(?=[A-Z][a-z])"
    return re.sub(rf"\S{{{LONG_WORD},}}", lambda m: re.sub(f"{joints}|{humps}", r"\g<0>\\allowbreak{}", m[0]), text)


def _cite(key: str, where: str) -> str:
    inside = _breakable(escape_latex(where))
    if key.startswith(OUTSIDE):
        address = key.removeprefix(OUTSIDE)
        shown = rf"\url{{{address}}}" if re.match(r"\S+$", address) else escape_latex(address)
        return f"{shown}, {inside}" if where else shown
    return rf"\cite[{{{inside}}}]{{{key}}}" if where else rf"\cite{{{key}}}"
