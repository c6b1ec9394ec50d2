"""The table of ``costmodel cache``: every stored answer, and how much room they take."""

from __future__ import annotations

import time

from costmodel.store import cache
from costmodel.views.numbers import bits
from costmodel.views.table import Column, Row, Table


def listing() -> Table:
    """One stored answer per row."""
    items = cache.stored()
    rows = [Row([item.name or "(unreadable)", item.size, item.used, item.path.name[:12]]) for item in items]
    columns = [
        Column("name", "answer", "left"), Column("bytes", "size", show=lambda v: bits(8 * v)),
        Column("used", "last used", show=_when), Column("key", "key", "left"),
    ]  # fmt: skip
    total = bits(8 * sum(item.size for item in items))
    return Table("cache", "", columns, rows, notes=[f"{len(items)} answers, {total}, in {cache.folder()}"])


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
