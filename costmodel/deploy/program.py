"""What is deployed: a list of instructions with all their constants, ready to run or to be written to a file.

A program is made from a graph by :mod:`costmodel.deploy.assemble` and run by :mod:`costmodel.deploy.executor`. Its
values are of three types, fixed when it is made: ``bits`` (±1 or 0/1), ``int`` (integers ``q`` that stand for
``q / 2^fraction``) and ``real``. Nothing here or in the executor imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

#: A numpy array of any type; shapes and types are in the docstrings, where they can be said.
Array: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Type:
    """``fraction`` are the bits behind the point of an ``int``; ``zero``: the lower of two bits stands for 0."""

    kind: Literal["bits", "int", "real"]
    fraction: int = 0
    zero: bool = False


REAL = Type("real")
#: Instructions that compare with thresholds.
DECISIONS = ("threshold", "levels")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation on whole tensors.

    ``op`` names a function of :mod:`costmodel.deploy.ops`; ``out`` and ``inputs`` are value numbers, those of the
    graph's nodes where a node has the same value. ``node_op``, ``module`` and ``call`` are the ledger's names for it.
    ``params`` hold numbers, texts and lists of them, ``arrays`` the constants.
    """

    op: str
    out: int
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    module: str = ""
    call: int = 0
    node_op: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """``inputs`` are (value, name, shape of one image with its batch of one); ``types`` the types of all values.

    ``fraction_bits`` is the format of the residual stream, ``None`` for a program in double precision. ``notes`` say
    what was decided that the network itself leaves open.
    """

    network: str
    inputs: tuple[tuple[int, str, tuple[int, ...]], ...]
    outputs: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    types: Mapping[int, Type]
    fraction_bits: int | None = None
    scale: str = "exact"
    notes: tuple[str, ...] = ()

    def bits(self) -> list[int]:
        """The values that are made by thresholds: where two executions can differ in a decision."""
        return [i.out for i in self.instructions if i.op in DECISIONS]


def narrow(array: Array) -> Array:
    """The same integers in the narrowest type that holds them."""
    if array.size == 0 or not np.issubdtype(array.dtype, np.integer):
        return array
    low, high = int(array.min()), int(array.max())
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array.astype(np.int64)
