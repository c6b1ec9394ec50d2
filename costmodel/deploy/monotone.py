r"""Whether a computation of one value, element by element, changes at most once as that value grows.

Every step of it has a *form*: how its result moves when the source grows. A form follows from the operation and from
the forms of its operands, never from values that were seen:

* an affine map, a clamp, a rounding, a rectifier, a comparison with a constant and a rising function such as
  :math:`\tanh` keep a monotone operand monotone, in the same direction or the opposite one;
* sums, minima and maxima of operands that move in one direction move in that direction;
* what reads nothing but one decision (a sign or a comparison of a monotone operand) has two values and changes where
  the decision does, whatever is computed from it.

All else (magnitudes, squares, products, choices between two moving values) may change more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costmodel.graph.affine import Step
from costmodel.graph.attrs import Add, Affine, Call, Clamp, Compare
from costmodel.graph.domain import Domain
from costmodel.graph.functions import COMPARISONS, FUNCTIONS
from costmodel.graph.node import Node
from costmodel.graph.operands import Constant, In


@dataclass(frozen=True, slots=True)
class Form:
    """How a value moves: ``direction`` is 1 (never falls), -1 (never rises), 0 (one of both in each channel).

    ``constant``: it does not depend on the source. ``decision``: the node whose two values decide it, -1 for none.
    """

    direction: int = 0
    constant: bool = False
    decision: int = -1


_CONSTANT = Form(constant=True)


def changes_once(cone: Sequence[Node], source: int) -> bool:
    """Whether the last node of ``cone``, as a function of ``source``, changes at most once in every channel.

    A result of more than two values is one that only rises or only falls.
    """
    forms: dict[int, Form] = {source: Form(1)}
    for node in cone:
        form = _form(node, [forms.get(i) for i in node.inputs])
        if form is not None:
            forms[node.id] = form
    return cone[-1].id in forms


def _form(node: Node, given: Sequence[Form | None]) -> Form | None:
    """The form of a result, or None where it may change more than once."""
    if any(form is None for form in given):
        return None
    moving = [form for form in given if form is not None and not form.constant]
    if not moving:
        return _CONSTANT
    if moving[0].decision >= 0 and all(form.decision == moving[0].decision for form in moving):
        return replace(moving[0], direction=0)
    direction = _direction(node, given)
    if direction is None:
        return None
    return Form(direction, decision=node.id if node.row.decides else -1)


def _direction(node: Node, given: Sequence[Form | None]) -> int | None:
    forms = [form for form in given if form is not None]
    (first, *rest) = forms
    match node.attrs:
        case Affine(steps=steps):
            factors = [
                1 if step.tag in ("weight_scale", "act_scale") else _sign(c)
                for step in steps
                for c in step.scale_constants
                if c is not None
            ]
            if any(step.fn == "batch_norm" for step in steps) or 0 in factors:
                return 0
            turned = sum(step.fn == "rsub" for step in steps) + sum(sign < 0 for sign in factors)
            return -first.direction if turned % 2 else first.direction
        case Compare(fn=fn, operands=operands):
            turn = COMPARISONS[fn].direction
            if rest or not turn:
                return None
            exchanged = bool(operands) and operands is not None and operands[0] != In(0)
            return first.direction * (-turn if exchanged else turn)
        case Clamp(low=low, high=high):
            return first.direction if not any(isinstance(bound, In) for bound in (low, high)) else None
        case Add(subtract=subtract):
            second = rest[0] if rest else first
            return _common(first, replace(second, direction=-second.direction) if subtract else second)
        case Call(fn=fn, operands=operands) if node.op == "special":
            known = fn in FUNCTIONS and FUNCTIONS[fn].rising and not rest
            return first.direction if known and _none_negative((operands or ())[1:]) else None
        case Call(fn=fn) if node.op == "logical":
            if fn.endswith("not"):
                return -first.direction
            return None if fn.endswith("xor") else _common(*forms) if len(forms) == 2 else None
    if node.op in ("minimum", "maximum"):
        return _common(first, rest[0]) if rest else first.direction
    if node.op == "prelu":
        slope = node.consts["slope"]
        return first.direction if slope.literal is not None and slope.literal >= 0 else None
    return first.direction if node.row.monotone and not rest else None


def _none_negative(options: Sequence[object]) -> bool:
    """Whether no number among the options of a function turns it round."""
    return not any(isinstance(option, (int, float)) and option < 0 for option in options)


def _common(a: Form, b: Form) -> int | None:
    """The direction of both, where they are known to share one."""
    if a.constant or b.constant:
        return b.direction if a.constant else a.direction
    return a.direction if a.direction == b.direction != 0 else None


def rises(step: Step) -> bool:
    """Whether a step multiplies by what is known to be positive: a literal, or the size of weights."""
    constant = step.constants[0]
    return constant is not None and (step.tag in ("weight_scale", "act_scale") or _sign(constant) > 0)


def _sign(constant: Constant) -> int:
    """1 or -1 where that is known of every element, else 0."""
    if constant.literal is not None:
        return (constant.literal > 0) - (constant.literal < 0)
    domain: Domain = constant.domain
    return 1 if not domain.signed and domain.kind != "binary01" else 0
