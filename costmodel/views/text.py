"""Tables as text for a terminal: columns in line, no line wider than the terminal.

Written here and not with a library because the answer from the store must not pay for one: importing and running a rich
table costs as much processor time as everything else that a cached ``profile`` does.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from costmodel.views.table import Column, Row, Table

_ANSI = {"bold": "1", "dim": "2", "title": "1;36", "good": "32", "bad": "31", "warn": "33"}
#: Columns that text takes where there is no terminal, and the most that prose takes anywhere.
PIPE, PROSE = 160, 120
#: No column is made narrower than this.
NARROW = 16
GAP = 2


def to_text(table: Table, color: bool = False) -> str:
    """Columns in line, a rule under the head and above the footer; a table without heads has neither.

    Where the terminal is too narrow, prose goes on below itself, spare columns go, other text is broken, and what is
    left is set in parts below each other: no line is wider than the terminal.
    """
    lines = [paint(line, "title", color) for line in wrap(table.title, indent="")] if table.title else []
    rows = [(row, table.texts(row)) for row in (*table.rows, *table.footer)]
    heads = [c.title for c in table.columns]
    natural = [max(map(width, column)) for column in zip(heads, *(cells for _, cells in rows), strict=True)]
    kept = _affordable(natural, table.columns)
    for part in _parts([natural[i] for i in kept], [table.columns[i] for i in kept]):
        chosen = [kept[i] for i in part]
        columns = [table.columns[i] for i in chosen]
        widths = _fitted([natural[i] for i in chosen], columns)
        cells = [(row, [texts[i] for i in chosen]) for row, texts in rows]
        lines += _block(cells, len(table.rows), [heads[i] for i in chosen], widths, columns, color)
    if len(kept) < len(heads):
        left_out = ", ".join(title for i, title in enumerate(heads) if i not in kept)
        lines += [paint(line, "dim", color) for line in wrap(f"No room for the columns {left_out}.")]
    lines += [paint(line, "warn", color) for alert in table.alerts for line in wrap(alert)]
    lines += [paint(line, "dim", color) for note in table.notes for line in wrap(note)]
    return "\n".join(lines) + "\n"


def terminal_width() -> int | None:
    """Columns of the terminal, or None where there is none."""
    with contextlib.suppress(ValueError):
        return max(int(os.environ.get("COLUMNS", "")), 40)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # not a terminal, closed, or absent
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or None  # type: ignore[union-attr]
    return None


def line_width() -> int:
    """Columns that text may take."""
    return terminal_width() or PIPE


def wrap(text: str, indent: str = "  ") -> list[str]:
    """Prose in lines of at most 120 columns, with what follows the first indented."""
    return textwrap.wrap(text, min(PROSE, line_width()), subsequent_indent=indent) or [""]


#: Characters that take one column, of those that are not ASCII; all others are looked up.
_USUAL = frozenset("×─│├└µ±–−…²·→≤≥⁰¹³⁴⁵⁶⁷⁸⁹")


def width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii() or all(sign in _USUAL or sign.isascii() for sign in text):
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


def _block(
    rows: Sequence[tuple[Row, list[str]]], body: int, heads: list[str], widths: list[int], columns: Sequence[Column],
    color: bool,
) -> list[str]:  # fmt: skip
    """Head, rule, the first ``body`` rows, rule, the footer."""
    rule = paint("─" * (sum(widths) + GAP * (len(widths) - 1)), "dim", color)
    lines = []
    if any(heads):
        lines += [paint(_line(part, widths, columns), "bold", color) for part in _folded(heads, widths)]
        lines.append(rule)
    for index, (row, cells) in enumerate(rows):
        if index == body and body:
            lines.append(rule)
        lines += [paint(_line(part, widths, columns), row.style, color) for part in _folded(cells, widths)]
    return lines


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shrinkable(column: Column) -> bool:
    """Whether a column may be broken into lines at last: text, and not the numbers of a table."""
    return column.prose or column.align == "left"


def _affordable(widths: list[int], columns: Sequence[Column]) -> list[int]:
    """The columns that the terminal has room for, with prose at its narrowest; a pipe or a file has room for all."""
    kept, limit = list(range(len(widths))), terminal_width()
    least = [min(w, NARROW) if c.prose else w for w, c in zip(widths, columns, strict=True)]
    spare = sorted((c.spare, i) for i, c in enumerate(columns) if c.spare)
    while limit is not None and spare and _total([least[i] for i in kept]) > limit:
        kept.remove(spare.pop(0)[1])
    return kept


def _parts(widths: list[int], columns: Sequence[Column]) -> list[list[int]]:
    """Columns in parts that the terminal has room for, the first column in each; one part where there is room."""
    limit = terminal_width()
    least = [min(w, NARROW) if c.prose or not i else w for i, (w, c) in enumerate(zip(widths, columns, strict=True))]
    if limit is None or len(widths) < 3 or _total(least) <= limit:
        return [list(range(len(widths)))]
    parts = [[0]]
    for i in range(1, len(widths)):
        if len(parts[-1]) > 1 and _total([least[j] for j in (*parts[-1], i)]) > limit:
            parts.append([0])
        parts[-1].append(i)
    return parts


def _fitted(widths: list[int], columns: Sequence[Column]) -> list[int]:
    """Widths that there is room for: taken from the widest prose, and on a terminal from other text as well."""
    fitted = list(widths)
    prose = [i for i, c in enumerate(columns) if c.prose]
    others = [i for i, c in enumerate(columns) if not c.prose and _shrinkable(c)]
    over = _total(fitted) - line_width()
    for group in (prose, others if terminal_width() is not None else []):
        while over > 0:
            widest = max(group, key=fitted.__getitem__, default=None)
            if widest is None or fitted[widest] <= NARROW:
                break
            fitted[widest] -= 1
            over -= 1
    return fitted


def _folded(cells: list[str], widths: list[int]) -> list[list[str]]:
    """The cells of one row over as many lines as the longest needs."""
    if all(width(cell) <= size for cell, size in zip(cells, widths, strict=True)):
        return [cells]
    parts = [_broken(cell, size) if width(cell) > size else [cell] for cell, size in zip(cells, widths, strict=True)]
    height = max(map(len, parts))
    return [[part[i] if i < len(part) else "" for part in parts] for i in range(height)]


def _broken(cell: str, size: int) -> list[str]:
    """A cell in lines of ``size``; a place in a tree, or a word that is too long, goes on below itself."""
    stem = re.match(r"[│├└─ ]*", cell)
    indent = re.sub("├", "│", stem[0]).replace("└", " ").replace("─", " ") if stem else ""
    if len(indent) >= size - 4:
        return [cell[: size - 1] + "…"]
    return textwrap.wrap(cell, size, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True) or [""]


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    padded = []
    for cell, size, column in zip(cells, widths, columns, strict=True):
        gap = " " * (size - width(cell))
        padded.append(cell + gap if column.align == "left" else gap + cell)
    return (" " * GAP).join(padded).rstrip()
