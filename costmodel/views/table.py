"""Tables as data, and their five spellings: text, Markdown, LaTeX, CSV, JSON.

Written here and not with a library because the answer from the cache must not pay for one: importing and running a
rich table costs as much processor time as everything else that a cached ``profile`` does.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from costmodel.views.numbers import plain

Align = Literal["left", "right"]
Style = Literal["plain", "bold", "dim", "title", "good", "bad", "warn"]

FORMATS = ("table", "json", "csv", "markdown", "latex")

_ANSI = {"bold": "1", "dim": "2", "title": "1;36", "good": "32", "bad": "31", "warn": "33"}


@dataclass(frozen=True)
class Column:
    """``key`` names the column in JSON and CSV, ``title`` everywhere else; ``show`` turns a value into text.

    ``prose`` may go on below itself where a terminal is too narrow; columns with ``spare`` go, the lowest number first,
    where that does not do.
    """

    key: str
    title: str
    align: Align = "right"
    show: Callable[[Any], str] = plain
    prose: bool = False
    spare: int = 0


@dataclass(frozen=True)
class Row:
    """One value a column. ``label`` is what the first cell says where people read it. ``subtotal``: of other rows."""

    values: Sequence[Any]
    style: Style = "plain"
    label: str = ""
    subtotal: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns, a title above, ``alerts`` and then ``notes`` below. A rule sets ``footer`` rows apart."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    footer: Sequence[Row] = ()
    notes: Sequence[str] = ()
    alerts: Sequence[str] = ()

    def records(self) -> list[dict[str, Any]]:
        """Rows as dictionaries of raw values, without subtotals and footer: they add up."""
        keys = [c.key for c in self.columns]
        return [dict(zip(keys, row.values, strict=True)) for row in self.rows if not row.subtotal]

    def texts(self, row: Row) -> list[str]:
        cells = [c.show(v) for c, v in zip(self.columns, row.values, strict=True)]
        return [row.label or cells[0], *cells[1:]]


def render(tables: Sequence[Table], format: str, document: Callable[[], Any] | None = None, color: bool = False) -> str:
    """All tables in one of :data:`FORMATS`. ``document`` makes what JSON says instead of the tables' records.

    CSV has room for one table: the first.
    """
    if format == "json":
        data = document() if document is not None else {t.key: t.records() for t in tables}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if format == "csv":
        return to_csv(tables[0])
    one = {"table": lambda t: to_text(t, color), "markdown": to_markdown, "latex": to_latex}[format]
    return "\n".join(one(t) for t in tables)


def to_text(table: Table, color: bool = False) -> str:
    """Columns in line, a rule under the head and above the footer."""
    rows = [(row, table.texts(row)) for row in (*table.rows, *table.footer)]
    every = [c.title for c in table.columns]
    widths = [max(map(width, column)) for column in zip(every, *(cells for _, cells in rows), strict=True)]
    widths = _fitted(widths, [c.prose for c in table.columns])
    kept = _affordable(widths, table.columns)
    columns, heads = [table.columns[i] for i in kept], [every[i] for i in kept]
    widths = [widths[i] for i in kept]
    rows = [(row, [cells[i] for i in kept]) for row, cells in rows]
    total = sum(widths) + 2 * (len(widths) - 1)
    lines = [paint(table.title, "title", color)] if table.title else []
    if rows or any(heads):
        lines.append(paint(_line(heads, widths, columns), "bold", color))
        lines.append(paint("─" * total, "dim", color))
    for index, (row, cells) in enumerate(rows):
        if index == len(table.rows) and table.rows:
            lines.append(paint("─" * total, "dim", color))
        lines += [paint(_line(part, widths, columns), row.style, color) for part in _folded(cells, widths)]
    if len(kept) < len(every):
        left_out = ", ".join(title for i, title in enumerate(every) if i not in kept)
        lines += [paint(line, "dim", color) for line in wrap(f"No room for the columns {left_out}.")]
    lines += [paint(line, "warn", color) for alert in table.alerts for line in wrap(alert)]
    lines += [paint(line, "dim", color) for note in table.notes for line in wrap(note)]
    return "\n".join(lines) + "\n"


def to_markdown(table: Table) -> str:
    """A pipe table under a heading; notes follow as paragraphs."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    lines = [f"### {table.title}", ""] if table.title else []
    lines.append(line([c.title for c in table.columns]))
    lines.append(line(["---" if c.align == "left" else "--:" for c in table.columns]))
    lines += [line(table.texts(row)) for row in table.rows]
    lines += [line([f"**{cell}**" if cell else "" for cell in table.texts(row)]) for row in table.footer]
    for text in (*table.alerts, *table.notes):
        lines += ["", text]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A ``booktabs`` tabular with its caption; notes follow as a comment."""
    texts = [table.texts(row) for row in (*table.rows, *table.footer)]
    long = [c.prose and any(len(cells[i]) > 30 for cells in texts) for i, c in enumerate(table.columns)]
    share = 0.7 / max(1, sum(long))
    spec = "".join(
        rf"p{{{share:.2f}\linewidth}}" if wide else "l" if c.align == "left" else "r"
        for c, wide in zip(table.columns, long, strict=True)
    )

    def line(cells: Sequence[str]) -> str:
        return "  " + " & ".join(map(escape_latex, cells)).replace("\t", r"\quad ") + r" \\"

    lines = [r"\begin{table}", r"  \centering", rf"  \caption{{{escape_latex(table.title)}}}"]
    lines += [rf"  \begin{{tabular}}{{{spec}}}", r"  \toprule", line([c.title for c in table.columns]), r"  \midrule"]
    lines += [line(_indent(table.texts(row))) for row in table.rows]
    lines += [r"  \midrule"] if table.footer and table.rows else []
    lines += [line(table.texts(row)) for row in table.footer]
    lines += [r"  \bottomrule", r"  \end{tabular}", r"\end{table}"]
    lines += [f"% {text}" for text in (*table.alerts, *table.notes)]
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Raw values under the columns' keys, without subtotals and footer: every column adds up."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [c.key for c in table.columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.records())
    return out.getvalue()


def tree_labels(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Each path's last part after the branches that lead to it; ``paths`` are in order, parents before children."""
    last: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path in paths:
        for depth in range(len(path)):
            last[path[:depth]] = path[: depth + 1]
    labels = []
    for path in paths:
        more = [last[path[:depth]] != path[: depth + 1] for depth in range(len(path))]
        stem = "".join("│  " if each else "   " for each in more[:-1])
        labels.append(stem + ("├─ " if more[-1] else "└─ ") + path[-1] if path else "")
    return labels


def terminal_width() -> int | None:
    """Columns of the terminal, or None where there is none."""
    with contextlib.suppress(ValueError):
        return max(int(os.environ.get("COLUMNS", "")), 40)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # not a terminal, closed, or absent
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or None  # type: ignore[union-attr]
    return None


def line_width() -> int:
    """Columns that text may take: the terminal's, or 160 where there is none."""
    return terminal_width() or 160


def wrap(text: str) -> list[str]:
    """Prose in lines of at most 120 columns, with what follows the first indented."""
    return textwrap.wrap(text, min(120, line_width()), subsequent_indent="  ") or [""]


def escape_latex(text: str) -> str:
    """``text`` as LaTeX prints it."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$"}
    special |= {char: f"\\{char}" for char in "&%$#_{}"}
    special |= {
        "µ": r"$\mu$",
        "–": "--",
        "─": "-",
        "├": "",
        "└": "",
        "│": "",
        "±": r"$\pm$",
    }
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}  # other characters in an old encoding
    special |= {char: rf"\textsuperscript{{{i}}}" for i, char in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    special |= {"≤": r"$\leq$", "≥": r"$\geq$", "−": "-", "·": r"$\cdot$", "→": r"$\rightarrow$"}
    return "".join(special.get(char, char) for char in text)


#: Characters that may take no column or two on a terminal: combining marks, East Asian scripts, emoji.
_UNUSUAL = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u1dff\u200b-\u200f\u20d0-\u20ff\u2e80-\uffff\U0001f000-\U0003ffff]"
)


def width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii() or not _UNUSUAL.search(text):
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )  # fmt: skip


def paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if color and style in _ANSI and text else text


def use_color(stream: Any = None) -> bool:
    """Whether to colour what goes to ``stream``: a terminal, unless NO_COLOR or TERM=dumb says otherwise."""
    stream = sys.stdout if stream is None else stream
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or bool(getattr(stream, "isatty", lambda: False)())


def _fitted(widths: list[int], prose: list[bool]) -> list[int]:
    """Widths that the terminal has room for, taken from the widest columns of prose; none of them below 16."""
    fitted, shrinkable = list(widths), [i for i, is_prose in enumerate(prose) if is_prose]
    for _ in range(sum(widths) + 2 * (len(widths) - 1) - line_width()):
        widest = max(shrinkable, key=fitted.__getitem__, default=None)
        if widest is None or fitted[widest] <= 16:
            break
        fitted[widest] -= 1
    return fitted


def _affordable(widths: list[int], columns: Sequence[Column]) -> list[int]:
    """The columns that the terminal has room for; a pipe or a file has room for all."""
    kept, limit = list(range(len(widths))), terminal_width()
    spare = sorted((c.spare, i) for i, c in enumerate(columns) if c.spare)
    while limit is not None and spare and sum(widths[i] + 2 for i in kept) - 2 > limit:
        kept.remove(spare.pop(0)[1])
    return kept


def _folded(cells: list[str], widths: list[int]) -> list[list[str]]:
    """The cells of one row over as many lines as its longest prose needs."""
    if all(width(cell) <= size for cell, size in zip(cells, widths, strict=True)):
        return [cells]
    parts = [
        textwrap.wrap(cell, size, break_long_words=False, break_on_hyphens=False) if width(cell) > size else [cell]
        for cell, size in zip(cells, widths, strict=True)
    ]
    height = max(map(len, parts))
    return [[part[i] if i < len(part) else "" for part in parts] for i in range(height)]


def _indent(cells: list[str]) -> list[str]:
    """Branches of a drawn tree as one tab a level."""
    text = cells[0].lstrip("│├└─ ")
    return ["\t" * ((len(cells[0]) - len(text)) // 3) + text, *cells[1:]]


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    padded = []
    for cell, size, column in zip(cells, widths, columns, strict=True):
        gap = " " * (size - width(cell))
        padded.append(cell + gap if column.align == "left" else gap + cell)
    return "  ".join(padded).rstrip()
