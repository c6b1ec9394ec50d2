"""What an access to an on-chip buffer of some size costs, and what the buffer takes in area and leakage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from costmodel.targets.quantity import Quantity

if TYPE_CHECKING:
    from costmodel.targets.spec import Target


def sram_cost(target: Target, table: str, size_bytes: float, what: str) -> Quantity:
    """``read`` or ``write`` energy in J of one bit, ``area`` in mm² or ``leakage`` in W of a buffer of a given size.

    Between the sizes of the table a power law; below the smallest and above the largest the nearest row, whose energy
    per bit is kept while area and leakage follow the size. The word width is ``TABLE_word``.
    """
    rows = sram_rows(target, table)
    word = target.value(f"{table}_word")
    per_bit = what in ("read", "write")
    q = {size: cells[what] for size, cells in rows.items()}
    sizes = sorted(q)
    below = max((s for s in sizes if s <= size_bytes), default=sizes[0])
    above = min((s for s in sizes if s >= size_bytes), default=sizes[-1])
    clamped = min(max(size_bytes, sizes[0]), sizes[-1])
    share = 0.0 if below == above else math.log(clamped / below) / math.log(above / below)
    factor = 1 / word if per_bit else size_bytes / clamped

    def at(bound: str) -> float:
        low, high = getattr(q[below], bound), getattr(q[above], bound)
        value = low if below == above or low <= 0 else math.exp((1 - share) * math.log(low) + share * math.log(high))
        return float(value * factor)

    unit = "J/bit" if per_bit else q[below].unit
    note = f"{table} at {size_bytes / 1024:g} KB, {word:g}-bit words"
    return Quantity(at("value"), unit, at("low"), at("high"), q[below].source, q[below].confidence, note)


def sram_rows(target: Target, table: str) -> dict[int, Mapping[str, Quantity]]:
    """Rows of an SRAM table by size in bytes; rows are named ``8KB``."""
    return {int(name.removesuffix("KB")) * 1024: cells for name, cells in target.table(table).items()}
