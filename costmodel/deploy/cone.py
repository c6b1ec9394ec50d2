r"""The thresholds of a function of few values, found by running it.

The cone of a threshold is any computation of two values from one source that changes once in each channel, or of
several equally spaced ones that only rises or only falls, which is a sum of such. Its change
is found by bisection over all double-precision numbers: 64 evaluations give the exact number :math:`T_c` at which the
function as written switches, whatever it is made of, with its own answer at the tie. ``torch.sign(0)``, which is
neither of the two values, is taken as +1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from costmodel.deploy.absorb import source_of
from costmodel.deploy.assembler import Assembler
from costmodel.deploy.constants import compress
from costmodel.deploy.monotone import levels_of
from costmodel.deploy.ops import OPS
from costmodel.deploy.program import REAL, Array, Instruction
from costmodel.graph.attrs import Threshold
from costmodel.graph.node import Node

#: Sources beyond this are not looked at; every published network stays far inside.
_FAR = 2.0**100
_PROBES = 33
_LEAST = float(np.finfo(np.float64).smallest_subnormal)


@dataclass(frozen=True)
class Thresholds:
    """``limits`` and ``rising`` broadcast against the source. Rising: high from the limit on; falling: high up to it.

    A channel that never changes has an infinite limit. ``magnitude`` is the size of the high value.
    """

    limits: Array
    rising: Array
    magnitude: float


def recoding_of(state: Assembler, node: Node) -> tuple[bool, float]:
    """For two values under other names: whether the higher gives the higher result, and the size of that result."""
    function = _Function(state, node, node.inner)
    source = node.inputs[0]
    size = state.magnitude.get(source, 1.0)
    zero = state.types[source].zero or state.nodes[source].domain.kind == "binary01"
    high = np.unique(function(np.full(function.shape, size)))
    low = np.unique(function(np.full(function.shape, 0.0 if zero else -size)))
    if len(low) != 1 or len(high) != 1:
        raise state.refuse(node, "its two values differ between channels")
    return bool(high[0] > low[0]), float(max(abs(high[0]), abs(low[0])))


def thresholds_of(state: Assembler, node: Node) -> Thresholds:
    """The thresholds behind a ``threshold`` node of two levels."""
    return _bisect(state, node, _function(state, node))


@dataclass(frozen=True)
class Steps:
    """A quantiser as integers: ``first``, and ``stride`` more for each of the thresholds that is reached.

    ``limits`` and ``rising`` are as those of :class:`Thresholds`, with the thresholds along a dimension in front of all
    others; ``unit`` is what one of the integers stands for.
    """

    limits: Array
    rising: Array
    first: int
    stride: int
    unit: float


def steps_of(state: Assembler, node: Node) -> Steps:
    """The thresholds behind a ``threshold`` node of several levels: where it reaches each of them."""
    levels = levels_of(node.inner, source_of(node.inner))
    if levels is None or levels.units is None or levels.count != node.of(Threshold).levels:
        raise state.refuse(node, "its levels do not lie on a grid")
    function = _function(state, node)
    found: list[tuple[Array, Array]] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(1, levels.count):
            above = _above(function, levels.low + (k - 0.5) * levels.step)
            limits, rising = _change(above, np.full(function.shape, -_FAR))
            _confirm(state, node, above, limits, rising)
            found.append((limits, rising))
    unit, first, stride = levels.units
    limits, rising = (np.stack(each) for each in zip(*found, strict=True))
    return Steps(limits, rising, first, stride, unit)


def _function(state: Assembler, node: Node) -> _Function:
    """What a threshold stands for; what it leaves open is noted."""
    if any(part.op == "sign" and part.domain.kind == "binary" for part in node.inner):
        state.notes.append(
            "torch.sign gives 0 at 0, which one bit cannot hold; the deployed threshold takes 0 as +1 "
            f"(first at {node.module or 'the network'})"
        )
    return _Function(state, node, node.inner)


class _Function:
    """The cone as a function of arrays that broadcast against its constants."""

    def __init__(self, state: Assembler, node: Node, cone: tuple[Node, ...]) -> None:
        inner = Assembler(state.graph, None, "exact", state.constants)
        self.source = source_of(cone)
        inner.nodes = {**state.nodes, **{part.id: part for part in cone}}
        inner.types[self.source] = REAL
        inner.magnitude = dict(state.magnitude)
        inner.magnitude[self.source] = state.magnitude.get(node.inputs[0], 1.0)
        inner._next = 1 + max(max(inner.nodes), state._next)
        for part in cone:
            inner.build(part)
        self.instructions: list[Instruction] = inner.instructions
        self.root = cone[-1].id
        rank = len(node.shape)
        shapes = [a.shape for i in self.instructions for a in i.arrays.values() if a.ndim == rank]
        self.shape = np.broadcast_shapes((1,) * rank, *shapes)

    def __call__(self, x: Array) -> Array:
        values = {self.source: x}
        for instruction in self.instructions:
            arguments = [values[i] for i in instruction.inputs]
            values[instruction.out] = OPS[instruction.op](instruction, arguments, None)
        return np.broadcast_to(np.asarray(values[self.root], dtype=np.float64), x.shape)


def _bisect(state: Assembler, node: Node, function: _Function) -> Thresholds:
    low, high = np.full(function.shape, -_FAR), np.full(function.shape, _FAR)
    with np.errstate(over="ignore", invalid="ignore"):
        if node.domain.kind == "binary01" and bool((function(low) < 0).any()):
            low = np.zeros(function.shape)  # a sign that is never negative: its operand is not, either
        values = np.concatenate([function(low).ravel(), function(high).ravel()])
        magnitude = float(np.abs(values).max())
        if node.domain.kind == "binary01" and bool((values < 0).any()):
            raise state.refuse(node, "its two values are zero and a negative number")
        above = _above(function, 0.0)
        limits, rising = _change(above, low)
        _confirm(state, node, above, limits, rising)
    return Thresholds(compress(limits), compress(rising), magnitude)


def _above(function: _Function, cut: float) -> Callable[[Array], Array]:
    """Whether a function is greater than a number."""
    return lambda x: function(x) > cut


def _change(above: Callable[[Array], Array], low: Array) -> tuple[Array, Array]:
    """Where a function of two results, which changes at most once from ``low`` on, changes; and whether it rises."""
    high = np.full(low.shape, _FAR)
    at_low, at_high = above(low), above(high)
    rising: Array = at_high | ~at_low
    a: Array = _key(low)
    b: Array = _key(high)  # the change lies in (a, b]
    while bool((b > a + 1).any()):
        middle = (a >> 1) + (b >> 1) + (a & b & 1)  # their difference can exceed 63 bits
        same = above(_number(middle)) == at_low
        a = np.where(same, middle, a)
        b = np.where(same, b, middle)
    last = _number(a)
    # signbit tells -0.0 from 0.0, which a comparison does not: it takes both for 0.0.
    last = np.where((last == 0.0) & np.signbit(last), -_LEAST, last)
    limits: Array = np.where(rising, _number(b), last)
    changes = at_low != at_high
    constant = np.where(at_high, -np.inf, np.inf)
    return np.where(changes, limits, constant), np.where(changes, rising, True)


def _confirm(state: Assembler, node: Node, above: Callable[[Array], Array], limits: Array, rising: Array) -> None:
    """Look for a second change, near the first and far from it."""
    center = np.where(np.isfinite(limits), limits, 0.0)
    for distance in np.concatenate(
        [np.linspace(-1, 1, _PROBES), np.geomspace(1.5, 1e6, 12), -np.geomspace(1.5, 1e6, 12)]
    ):
        x = center + distance * (1 + np.abs(center))
        expected = np.where(rising, x >= limits, x <= limits)
        if bool((above(x) != expected).any()):
            raise state.refuse(node, "its result changes more than once as its operand grows")


def _key(x: Array) -> Array:
    """Integers in the order of the doubles."""
    bits = np.ascontiguousarray(x).view(np.int64)
    return bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))


def _number(key: Array) -> Array:
    bits = key ^ ((key >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))
    return np.ascontiguousarray(bits).view(np.float64)
