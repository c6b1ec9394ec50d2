"""Where the tensors of a network live on an accelerator, and what an access to a memory of some size costs.

A result that the next operation alone consumes, element by element, stays in the pipeline registers. Any other tensor
occupies the activation buffer from its producer to its last reader; where the buffer is full it goes to DRAM. Counts
are exact integers of bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger
from costmodel.targets.asic_units import tables as tables_of
from costmodel.targets.quantity import Quantity

if TYPE_CHECKING:
    from costmodel.targets.spec import Target

Where = Literal["pipeline", "sram", "dram"]

#: Operations that take one element at a time, so that they can run behind the array that produces their operand.
STREAMED = frozenset(
    {
        "affine", "add", "mul", "square", "prelu", "relu", "clamp", "minimum", "maximum", "abs", "round", "where",
        "sign", "compare", "logical", "threshold", "gap", "mean", "special", "batch_norm", "scale", "bias", "neg",
        "floor_div",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value between operations: ``first`` is the layer that makes it, ``last`` the last that reads it."""

    name: str
    bits: int
    first: int
    readers: tuple[int, ...]
    where: Where

    @property
    def last(self) -> int:
        return max(self.readers, default=self.first)


def tensors(ledger: Ledger, capacity_bits: int, real_bits: int) -> dict[str, Tensor]:
    """Every tensor of the network with its place. ``real_bits`` is the width in which real numbers are stored.

    A network input (layer -1 makes it) comes from DRAM, a result that nobody reads goes there.
    """
    ops = {layer.index: layer.op for layer in ledger.layers}
    size: dict[str, int] = {}
    made: dict[str, int] = {}
    readers: dict[str, list[int]] = {}
    for t in ledger.traffic:
        if t.role == "output":
            made[t.tensor] = t.layer
        elif t.role == "input":
            readers.setdefault(t.tensor, []).append(t.layer)
        else:
            continue
        size[t.tensor] = t.count * stored_bits(t.bits, real_bits)
    used = [0] * (len(ledger.layers) + 1)
    placed: dict[str, Tensor] = {}
    produced_inside = {layer.index for layer in ledger.layers if -1 not in layer.inputs}
    for name in sorted(size, key=lambda n: (made.get(n, min(readers.get(n, [0])) - 1), n)):
        reads = tuple(readers.get(name, ()))
        first = made.get(name, min(reads) - 1 if reads and reads[0] in produced_inside else -1)
        last = max(reads, default=first)
        where: Where
        if name in made and reads == (first + 1,) and ops.get(first + 1) in STREAMED:
            where = "pipeline"
        elif (name not in made and first == -1) or (name in made and not reads):
            where = "dram"
        elif max(used[max(first, 0) : last + 1], default=0) + size[name] <= capacity_bits:
            where = "sram"
            for step in range(max(first, 0), last + 1):
                used[step] += size[name]
        else:
            where = "dram"
        placed[name] = Tensor(name, size[name], first, reads, where)
    return placed


def stored_bits(bits: int, real_bits: int) -> int:
    """Width of an element in memory: a real number takes the width of the chosen arithmetic."""
    from costmodel.domain import FLOAT_BITS

    return real_bits if bits == FLOAT_BITS else bits


def is_streamed_read(tensor: Tensor, layer: int, op: str) -> bool:
    """Whether ``layer`` takes the tensor from the pipeline, right behind its producer."""
    return layer == tensor.first + 1 and op in STREAMED


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
    rows: dict[int, Mapping[str, Quantity]] = {
        int(name.removesuffix("KB")) * 1024: cells for name, cells in tables_of(target).get(table, {}).items()
    }
    if not rows:
        known = sorted({k.split(".")[0] for k in target.constants if k.startswith("sram_")})
        raise CostmodelError(f"target {target.name!r} has no SRAM table {table!r}; it has {', '.join(known)}")
    return rows
