"""What an operation takes besides the results of others: constants, windows, and places among its inputs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from costmodel.graph.domain import Domain

#: Recorded values by number, and the powers that a product takes them to, in the order of the numbers.
Powers = tuple[tuple[int, int], ...]


def multiplied(*factors: Powers) -> Powers:
    """Of what a product of products is one; what cancels is left out."""
    total: Counter[int] = Counter()
    for name, power in (pair for each in factors for pair in each):
        total[name] += power
    return tuple(sorted((name, power) for name, power in total.items() if power))


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a sliding window; for ``linear`` and ``matmul`` kernel, stride and dilation are all one."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Summed:
    """What the bias of a chain of ``steps`` in front of a sum of products adds behind it, with the sum's weights.

    The chain makes the operand of ``shape``, which ``window`` slides over; places that are padding have no bias.
    ``scaled``: the weights are taken without their size, which is multiplied by behind.
    """

    steps: tuple[Any, ...]
    shape: tuple[int, ...]
    window: Window | None
    scaled: bool


@dataclass(frozen=True, slots=True)
class Constant:
    """An operand that does not depend on the input.

    ``id`` is its value in the recording (-1 for a literal), ``domain`` what its values are known to be, ``literal`` the
    number itself if it was written in the program, ``factor`` what the recorded value is multiplied by. ``shape``
    leaves out dimensions along which the values only repeat. ``whole``: all elements were read, and are integers;
    ``number`` is the one that all of them are, None where they differ.
    ``nonnegative``: by the operation that makes it none is below zero. ``sizes``: it is the size that the values of
    these nodes stand for, which are given in units of it. ``scale_of``: it is the scale of this chain, which a rewrite
    laid on another tensor.
    """

    id: int
    shape: tuple[int, ...]
    domain: Domain
    literal: float | None = None
    path: str = ""
    factor: float = 1.0
    whole: bool = False
    summed: Summed | None = None
    number: float | None = None
    nonnegative: bool = False
    sizes: tuple[int, ...] = ()
    scale_of: tuple[Any, ...] = ()
    product: tuple[float, Powers] | None = None

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a constant is stored: the recorded value that is the tensor, and ``part`` of it if it is not all of it."""

    tensor: int
    part: int = -1


#: Of what one number fills: it is stored nowhere.
NOWHERE = Origin(-1)


@dataclass(frozen=True, slots=True)
class In:
    """An argument that is the node's input of this position."""

    position: int
