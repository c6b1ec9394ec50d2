"""Tables as LaTeX for a paper: ``booktabs``, over several pages where they are long, for any of TeX's engines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from costmodel.views.table import Table

#: A table of more rows than this does not fit a page.
PAGE_ROWS = 40
#: More columns than this are set in a smaller type, closer together.
WIDE = 7
#: Text of a prose column that is longer than this has a width and goes on below itself.
LONG = 30

_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    # after the end of a row a bracket would be a distance; old encodings have other characters at < > |
    "[": "{[}", "]": "{]}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "×": r"$\times$", "±": r"$\pm$", "µ": r"$\mu$", "μ": r"$\mu$", "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$",
    "−": "-", "·": r"$\cdot$", "→": r"$\rightarrow$", "∞": r"$\infty$", "√": r"$\surd$", "°": r"$^\circ$",
    "Ω": r"$\Omega$", "σ": r"$\sigma$", "α": r"$\alpha$", "β": r"$\beta$", "Δ": r"$\Delta$", "∑": r"$\sum$",
    "–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "''", "‘": "`", "’": "'", "\u00a0": "~",
    "─": "-", "├": "", "└": "", "│": "",
    **{char: rf"\textsuperscript{{{i}}}" for i, char in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}  # fmt: skip


def escape_latex(text: str) -> str:
    """``text`` as LaTeX prints it; what its default fonts do not have is spelled as they can."""
    return "".join(map(_character, text.replace("--", "-\0-"))).replace("\0", "{}")


def _character(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char in "\t\n\0" or " " <= char <= "~" or "\u00c0" <= char <= "\u017e":
        return char
    return "".join(c for c in unicodedata.normalize("NFKD", char) if " " <= c <= "~") or "?"


def to_latex(table: Table, label: str = "") -> str:
    """One table with caption and label (default: ``tab:`` and its key), after a comment that names the packages that it
    needs; alerts and notes follow as comments."""
    said = [f"% {' '.join(text.split())}" for text in (*table.alerts, *table.notes)]
    if not table.columns:
        return "\n".join([*([f"% {table.title}"] if table.title else []), *said]) + "\n"
    texts = [table.texts(row) for row in (*table.rows, *table.footer)]
    long = len(texts) > PAGE_ROWS
    heads = _line([column.title for column in table.columns])
    body = [_line(_indent(table.texts(row))) for row in table.rows]
    body += [r"  \midrule"] if table.footer and table.rows else []
    body += [_line(table.texts(row)) for row in table.footer]
    name = label or f"tab:{_name(table.key)}"
    caption = rf"\caption{{{escape_latex(table.title or table.key.replace('_', ' '))}}}\label{{{name}}}"
    size = [r"\footnotesize\setlength{\tabcolsep}{3pt}"] if len(table.columns) > WIDE else []
    if long:
        lines = [
            r"% needs \usepackage{booktabs,longtable}", *(["{" + size[0]] if size else []),
            rf"\begin{{longtable}}{{{_columns(table, texts)}}}", rf"  {caption} \\", r"  \toprule", heads,
            r"  \midrule", r"  \endfirsthead", r"  \toprule", heads, r"  \midrule", r"  \endhead", r"  \midrule",
            r"  \endfoot", r"  \bottomrule", r"  \endlastfoot", *body, r"\end{longtable}", *(["}"] if size else []),
        ]  # fmt: skip
    else:
        lines = [
            r"% needs \usepackage{booktabs}", r"\begin{table}", r"  \centering", *(f"  {text}" for text in size),
            f"  {caption}", rf"  \begin{{tabular}}{{{_columns(table, texts)}}}", r"  \toprule", heads, r"  \midrule",
            *body, r"  \bottomrule", r"  \end{tabular}", r"\end{table}",
        ]  # fmt: skip
    return "\n".join([*lines, *said]) + "\n"


def _columns(table: Table, texts: Iterable[Sequence[str]]) -> str:
    """What LaTeX calls the columns; long prose has a width."""
    rows = list(texts)
    wide = [column.prose and any(len(cells[i]) > LONG for cells in rows) for i, column in enumerate(table.columns)]
    share = 0.7 / max(1, sum(wide))
    return "".join(
        rf"p{{{share:.2f}\linewidth}}" if is_wide else "l" if column.align == "left" else "r"
        for column, is_wide in zip(table.columns, wide, strict=True)
    )


def _line(cells: Sequence[str]) -> str:
    return "  " + " & ".join(map(escape_latex, cells)).replace("\t", r"\quad ") + r" \\"


def _indent(cells: list[str]) -> list[str]:
    """Branches of a drawn tree as one tab a level."""
    text = cells[0].lstrip("│├└─ ")
    return ["\t" * ((len(cells[0]) - len(text)) // 3) + text, *cells[1:]]


def _name(key: str) -> str:
    """A key as a label has it."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in key).strip("-")
