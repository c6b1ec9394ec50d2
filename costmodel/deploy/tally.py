"""Counting while running: what every instruction adds to the account of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from costmodel.deploy.program import Array, Instruction

#: (module, call, op, kind) -> operations, for the whole batch.
Tally = Counter[tuple[str, int, str, str]]
Operation = Callable[[Instruction, list[Any], "Tally | None"], Array]


def count(tally: Tally | None, i: Instruction, kind: str, operations: int) -> None:
    """Add ``operations`` of ``kind`` to the account of the node that ``i`` carries out."""
    if tally is not None and operations:
        tally[i.module, i.call, i.node_op, kind] += operations
