"""Which rows of traffic read the same memory: numbers of the tensors that are stored, by what they are made of.

Two uses of one parameter share it as long as both read the same numbers. A scale that is folded into real weights makes
other numbers of them: a layer that is used twice, with a batch norm of its own behind each use, is stored twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from costmodel.graph.affine import Step
from costmodel.graph.attrs import Affine, Product, Threshold
from costmodel.graph.node import Node
from costmodel.graph.operands import NOWHERE, Constant, Origin


class Stores:
    """Numbers the tensors of one ledger in the order in which they are first read."""

    def __init__(self, origins: Mapping[int, Origin]) -> None:
        self.origins = origins
        self._numbers: dict[Hashable, int] = {}

    def nowhere(self, constant: Constant) -> bool:
        """Whether one number fills it, so that nothing is stored."""
        return self.origins.get(constant.id) == NOWHERE

    def of(self, node: Node, name: str, constant: Constant) -> tuple[int, int]:
        """The tensor that ``constant`` of a node reads, and the part of it (-1: all), for a row of its traffic."""
        key, part = self._key(node, name, constant)
        return self._numbers.setdefault(key, len(self._numbers)), part

    def _key(self, node: Node, name: str, constant: Constant) -> tuple[Hashable, int]:
        attrs = node.attrs
        if isinstance(attrs, Threshold) and name == "threshold":
            return ("threshold", attrs.unit, tuple(self._made(each) for each in node.inner)), -1
        if isinstance(attrs, Product) and name == "offset":
            return self._constant(constant, "offset of weights")
        if isinstance(attrs, Product) and name in node.consts:
            folded = (*self._steps(attrs.pre), *self._steps(attrs.post)) if _changes(name, attrs) else ()
            return self._constant(constant, attrs.unit_in, attrs.unit, *folded)
        if isinstance(attrs, Product):  # a bias that was folded into the sum
            return ("chain", name, self._steps(attrs.post)), -1
        if isinstance(attrs, Affine) and name not in node.consts:
            if len(attrs.steps) > 1 or attrs.multiplier or attrs.steps[0].fn == "batch_norm":
                return ("chain", name, attrs.multiplier, attrs.rescale, attrs.unit, self._steps(attrs.steps)), -1
            (step,) = attrs.steps
            kind = "size of weights" if step.tag == "weight_scale" else ""
            return self._constant(constant, attrs.rescale, attrs.unit, *([kind] if kind else []))
        return self._constant(constant)

    def _constant(self, constant: Constant, *changes: Hashable) -> tuple[Hashable, int]:
        """A tensor as it is, or one that is made of it."""
        if constant.summed is not None:
            changes = (*changes, "sums of weights", self._steps(constant.summed.steps), constant.shape)
        if constant.scale_of:
            changes = (*changes, "moved", self._steps(constant.scale_of))
        changed = tuple(change for change in changes if change != 1.0)
        origin = self.origins.get(constant.id, Origin(constant.id))
        if constant.factor != 1.0 or changed:
            return (origin.tensor, origin.part, constant.factor, changed), -1
        return origin.tensor, origin.part

    def _steps(self, steps: Iterable[Step]) -> tuple[Hashable, ...]:
        return tuple(
            (step.fn, step.eps, step.tag, step.laid, *map(self._operand, step.constants),
             *((self._steps(part.steps), part.shape) for part in step.parts))
            for step in steps
        )  # fmt: skip

    def _operand(self, constant: Constant | None) -> Hashable:
        if constant is None or constant.literal is not None:
            return None if constant is None else constant.literal
        return self._constant(constant)

    def _made(self, node: Node) -> Hashable:
        """One of the nodes that a threshold stands for, by what it computes."""
        constants = tuple((name, self._operand(c)) for name, c in sorted(node.consts.items()))
        rest = self._steps(node.attrs.steps) if isinstance(node.attrs, Affine) else repr(node.attrs)
        return node.op, constants, rest


def _changes(name: str, attrs: Product) -> bool:
    """Whether what was folded into a sum changes this constant of it."""
    return name == "weight" or (name == "bias" and bool(attrs.post or any(step.has_bias for step in attrs.pre)))
