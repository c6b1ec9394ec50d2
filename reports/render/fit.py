"""How the columns of a table share the width of a page, and how small its type has to be."""

from __future__ import annotations

import math

from costmodel.reports.content.blocks import plain, spans
from costmodel.views.table import Table as Grid

#: Points of the block of text on A4 and Letter, and of both insets of a cell; width of a character over size of type.
TEXT_WIDTH, CELL_INSET, CHARACTER = 469.0, 8.0, 0.5
#: Characters that a column which shares has at least; the smallest size of type in points.
NARROW, SMALLEST = 16, 6.0
#: Characters from which a column is no longer as wide as what it holds.
WIDE_HEAD, WIDE_CELL = 26, 36


def fit(grid: Grid, wanted: float | None = None) -> tuple[list[int], float]:
    """The share of each column (0: as wide as it needs), and the size of type in points at which the table fits.

    ``wanted`` is the size where there is room, in place of one by the number of columns and rows.

    A column that takes what it needs leaves nothing to the others, so where even the smallest type does not fit, all
    columns share.
    """
    shares = [_share(grid, i) for i in range(len(grid.columns))]
    needs = [float(NARROW) if share else length(grid, i) for i, share in enumerate(shares)]
    usual = 7.5 if len(needs) > 7 else 8.0 if len(needs) > 5 or len(grid.rows) > 40 else 9.0
    usual = wanted or usual
    fits = (TEXT_WIDTH - CELL_INSET * len(needs)) / (CHARACTER * sum(needs))
    if fits >= SMALLEST:
        return shares, min(usual, math.floor(2 * fits) / 2)
    return [share or round(10 * math.sqrt(need)) for share, need in zip(shares, needs, strict=True)], SMALLEST


def widths(grid: Grid, shares: list[int], size: float) -> list[float]:
    """What each column that shares has of the width of the text; 0 for those that are as wide as they need."""
    left = TEXT_WIDTH - CELL_INSET * len(shares)
    left -= sum(CHARACTER * size * length(grid, i) for i, share in enumerate(shares) if not share)
    return [share / (sum(shares) or 1) * left / TEXT_WIDTH for share in shares]


def roomy(grid: Grid, shares: list[int], size: float) -> bool:
    """Whether every column that shares has room for its shortest lines, and for its longest word."""
    for i, width in enumerate(widths(grid, shares, size)):
        words = [w for row in grid.rows if row.style != "title" for w in _printed(grid.texts(row)[i]).split()]
        least = max([NARROW, *(len(word) for word in words if len(word) < 2 * NARROW)])
        if shares[i] and width * TEXT_WIDTH < CHARACTER * size * least:
            return False
    return True


def length(grid: Grid, index: int) -> int:
    """Characters of the longest line of a column."""
    lines = plain(grid.columns[index].title).split("\n")
    lines += [_printed(grid.texts(row)[index]) for row in (*grid.rows, *grid.footer) if row.style != "title"]
    return max(map(len, lines))


def _share(grid: Grid, index: int) -> int:
    """How much of the room that the others leave a column may fill, by what it holds; 0 where each line fits."""
    column = grid.columns[index]
    held = [_printed(grid.texts(row)[index]) for row in grid.rows if row.style != "title"]
    head, longest = max(map(len, plain(column.title).split("\n"))), max(map(len, held), default=0)
    if not column.prose and head <= WIDE_HEAD and longest <= WIDE_CELL:
        return 0
    typical = sum(map(len, held)) // max(len(held), 1)
    word = max((len(word) for text in held for word in text.split()), default=0)
    return round(10 * math.sqrt(max(typical + min(longest, 2 * typical), head // 3, min(word, 24), 12)))


def _printed(text: str) -> str:
    """About what stands on the page: of a citation its number and the place."""
    return "".join(f"[00], {s.where}" if s.kind == "cite" else s.text for s in spans(text))
