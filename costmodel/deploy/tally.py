"""Instructions by name, and what every one of them adds to the account of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from costmodel.deploy.program import Array, Instruction

#: (module, call, op, kind) -> operations, for the whole batch.
Tally = Counter[tuple[str, int, str, str]]
Operation = Callable[[Instruction, list[Any], "Tally | None"], Array]


#: Instruction -> the function that carries it out.
OPS: dict[str, Operation] = {}


def executes(*names: str) -> Callable[[Operation], Operation]:
    """Register the decorated function as what carries out these instructions."""

    def register(operation: Operation) -> Operation:
        for name in names:
            assert name not in OPS, name
            OPS[name] = operation
        return operation

    return register


def count(tally: Tally | None, i: Instruction, kind: str, operations: int) -> None:
    """Add ``operations`` of ``kind`` to the account of the node that ``i`` carries out."""
    if tally is not None and operations:
        tally[i.module, i.call, i.node_op, kind] += operations
