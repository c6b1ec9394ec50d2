r"""Whether a computation of one value, element by element, changes at most once as that value grows.

Every step of it has a *form*: how its result moves when the source grows. A form follows from the operation and from
the forms of its operands, never from values that were seen:

* an affine map, a clamp, a rounding, a rectifier, a comparison with a constant and a rising function such as
  :math:`\tanh` keep a monotone operand monotone, in the same direction or the opposite one;
* sums, minima and maxima of operands that move in one direction move in that direction;
* what reads nothing but one decision (a sign or a comparison of a monotone operand, or else two levels) has two values
  and changes where the decision does, whatever is computed from it.

* a magnitude moves with the distance of its operand from zero, and a value that takes the sign of the same operand
  times one that never falls with that distance, and is never negative, is monotone: a ternary value is spelled so;
* a choice by such a decision between two values that do not overlap is monotone if both move as the decision does.

All else (magnitudes, squares, products, choices between other values) may change more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costmodel.deploy.levels import (
    ANY,
    TRUTH,
    Bound,
    Levels,
    added,
    bound_of,
    bounded,
    chained,
    clamped,
    either,
    gated,
    number_of,
    rounded,
)  # fmt: skip
from costmodel.graph.affine import Step, literal_step
from costmodel.graph.attrs import Add, Affine, Call, Choose, Clamp, Compare, Round
from costmodel.graph.domain import Domain
from costmodel.graph.functions import COMPARISONS, FUNCTIONS
from costmodel.graph.node import Node
from costmodel.graph.operands import Constant, In

_MINUS = literal_step(-1.0)
_SIGNS = Levels(-1.0, 1.0, 1.0)
#: Functions that never fall between two numbers that they do not pass.
_BOUNDED = {
    "sigmoid": Levels(0.0, 1.0), "tanh": Levels(-1.0, 1.0), "erf": Levels(-1.0, 1.0),
    "hardsigmoid": Levels(0.0, 1.0), "exp": Levels(0.0), "softplus": Levels(0.0), "sqrt": Levels(0.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """How a value moves: ``direction`` is 1 (never falls) or -1 (never rises) with the node ``turn``.

    That is the last node whose own direction is one of both in each channel, -1 if there is none before the source.
    ``constant``: it does not depend on the source. ``decision``: the node whose two values decide it, -1 for none.
    ``levels``: the numbers that it can be. ``odd``: the node that it is turned with; ``even``: the node with whose
    distance from zero it moves, -1 for none.
    """

    direction: int = 1
    turn: int = -1
    constant: bool = False
    decision: int = -1
    levels: Levels = ANY
    odd: int = -1
    even: int = -1


def changes_once(cone: Sequence[Node], source: int) -> bool:
    """Whether the last node of ``cone``, as a function of ``source``, changes at most once in every channel.

    A result of more than two values is one that only rises or only falls.
    """
    return form_of(cone, source) is not None


def levels_of(cone: Sequence[Node], source: int) -> Levels | None:
    """The numbers that the last node of ``cone`` can be, if it only rises or falls with ``source`` in each channel."""
    form = form_of(cone, source)
    return None if form is None else form.levels


def form_of(cone: Sequence[Node], source: int) -> Form | None:
    """How the last node of ``cone`` moves with ``source``; None where that is not known."""
    forms: dict[int, Form] = {source: Form(1, odd=source)}
    for node in cone:
        form = _form(node, [forms.get(i) for i in node.inputs])
        if form is not None:
            forms[node.id] = form
    last = forms.get(cone[-1].id)
    return None if last is None or last.even >= 0 else last


def _form(node: Node, given: Sequence[Form | None]) -> Form | None:
    """The form of a result, or None where it may change more than once."""
    forms = [form for form in given if form is not None]
    if len(forms) < len(given):
        return None
    moving = [form for form in forms if not form.constant]
    if not moving:
        return Form(constant=True)
    special = _ternary(forms) if node.op == "mul" else _chosen(node, forms) if node.op == "where" else None
    if special is not None:
        return special
    if node.op == "abs" and forms[0].even < 0 and forms[0].decision < 0:
        return Form(1, levels=Levels(0.0), even=forms[0].odd)
    even, turn = moving[0].even, moving[0].turn
    if any(form.even != even for form in moving):
        return None
    if moving[0].decision >= 0 and all(form.decision == moving[0].decision for form in moving):
        direction = _direction(node, forms)
        levels = ANY if direction is None else _levels(node, forms)
        turn, odd = turn if direction else node.id, node.id if even < 0 else -1
        return replace(moving[0], direction=direction or 1, turn=turn, levels=levels, odd=odd)
    direction = _direction(node, forms)
    if direction is None or any(form.turn != turn for form in moving):
        return None
    if direction == 0:
        direction, turn = 1, node.id
    odd = -1 if even >= 0 else forms[0].odd if len(forms) == 1 and _turns(node) else node.id
    levels = _levels(node, forms)
    decides = levels.count == 2 or (node.row.decides and (node.op != "sign" or node.domain.kind == "binary"))
    return Form(direction, turn, False, node.id if decides else -1, levels, odd, even)


def _turns(node: Node) -> bool:
    """Whether f(-x) = -f(x)."""
    match node.attrs:
        case Affine(steps=steps):
            return all(step.fn in ("mul", "div") for step in steps)
        case Clamp(low=low, high=high):
            return isinstance(low, (int, float)) and isinstance(high, (int, float)) and low == -high
        case Round(fn=fn):
            return fn in ("round", "trunc")
        case Call(fn=fn) if node.op == "special":
            return fn in FUNCTIONS and FUNCTIONS[fn].odd
    return node.op in ("sign", "cast")


def _ternary(forms: Sequence[Form]) -> Form | None:
    """A product with the sign of the source, whose other factor is zero near it and one far from it."""
    if len(forms) != 2:
        return None
    for signed, far in (forms, forms[::-1]):
        if signed.odd == far.even >= 0 and (far.direction, far.turn) == (1, -1) and far.levels.is_truth:
            return Form(signed.direction, signed.turn, levels=gated(signed.levels), odd=signed.odd)
    return None


def _chosen(node: Node, forms: Sequence[Form]) -> Form | None:
    """A choice by a decision: monotone if what is chosen above lies above what is chosen below."""
    if not isinstance(node.attrs, Choose) or (branches := node.attrs.branches) is None:
        return None
    place, above, below = branches
    decided, high, low = forms[place], _branch(above, forms), _branch(below, forms)
    if high is None or low is None or not decided.levels.is_truth:
        return None
    if decided.even >= 0 and (far := _far(decided, high, low)) is not None:
        return far
    if decided.direction < 0:
        high, low = low, high
    parts = [form for form in (high, low) if not form.constant]
    if any((form.even, form.direction, form.turn) != (decided.even, 1, decided.turn) for form in parts):
        return None
    if not (high.levels.plain and low.levels.plain and high.levels.low >= low.levels.high):
        return None
    decision, odd = decided.decision if not parts else -1, node.id if decided.even < 0 else -1
    return Form(1, decided.turn, False, decision, either(high.levels, low.levels), odd, decided.even)


def _far(decided: Form, high: Form, low: Form) -> Form | None:
    """A choice of the sign of the source far from zero and of zero near it."""
    far, near = (high, low) if decided.direction == 1 else (low, high)
    nothing = near.constant and (near.levels.low, near.levels.high) == (0.0, 0.0)
    if not nothing or decided.turn >= 0 or far.constant or far.odd != decided.even:
        return None
    return Form(far.direction, far.turn, levels=gated(far.levels), odd=far.odd)


def _branch(operand: object, forms: Sequence[Form]) -> Form | None:
    """What a choice takes: a moving value, or a number of the program."""
    if isinstance(operand, In):
        return forms[operand.position]
    number = number_of(operand) if isinstance(operand, Constant) else operand
    if not isinstance(number, (int, float)):
        return None
    return Form(constant=True, levels=Levels(float(number), float(number)))


def _levels(node: Node, forms: Sequence[Form]) -> Levels:
    """The numbers that a result can be, by those that its operands can be."""
    x = forms[0].levels
    match node.attrs:
        case Affine(steps=steps):
            return chained(x, steps)
        case Clamp(low=low, high=high):
            return _between(x, low, high)
        case Round(fn=fn):
            return rounded(x, fn)
        case Compare() | Call() if node.op in ("compare", "logical"):
            return TRUTH
        case Add(subtract=subtract):
            y = forms[-1].levels
            return added(x, chained(y, (_MINUS,)) if subtract else y)
        case Call(fn=fn) if node.op == "special":
            return _BOUNDED.get(fn, ANY)
    match node.op:
        case "sign":
            return {"binary": Levels(-1.0, 1.0, 2.0, 1.0), "binary01": TRUTH}.get(node.domain.kind, _SIGNS)
        case "relu":
            return clamped(x, 0.0, None)
        case "cast":
            return x if node.domain.is_float or x.step else ANY
        case "minimum" | "maximum" if "bound" in node.consts:
            bound = node.consts["bound"]
            return _between(x, *((None, bound) if node.op == "minimum" else (bound, None)))
    return ANY


def _between(x: Levels, low: object, high: object) -> Levels:
    """``x`` clamped, as far as its bounds are known."""
    known = [_bound(bound) for bound in (low, high)]
    if any(k is None and b is not None for k, b in zip(known, (low, high), strict=True)):
        return ANY
    if any(k is not None and k.of for k in known):
        return bounded(x, *known)
    return clamped(x, *(None if k is None else k.number for k in known))


def _bound(bound: object) -> Bound | None:
    if isinstance(bound, Constant):
        return bound_of(bound)
    return Bound(float(bound)) if isinstance(bound, (int, float)) else None


def _direction(node: Node, forms: Sequence[Form]) -> int | None:
    (first, *rest) = forms
    match node.attrs:
        case Affine(steps=steps):
            return first.direction * chain_sign(steps)
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
        rising = slope.literal >= 0 if slope.literal is not None else _sign(slope) > 0
        return first.direction if rising else None
    return first.direction if node.row.monotone and not rest else None


def chain_sign(steps: Sequence[Step]) -> int:
    """1 or -1 where the scale of a chain is known to have this sign in every element, else 0."""
    sign = 1
    for step in steps:
        match step.fn:
            case "laid" | "scale_of":
                signs = {chain_sign(part.steps) for part in step.parts}
                sign *= signs.pop() if len(signs) == 1 else 0
            case "batch_norm":
                return 0
            case "rsub":
                sign = -sign
            case "mul" | "div" if step.tag not in ("weight_scale", "act_scale"):
                sign *= 0 if step.constants[0] is None else _sign(step.constants[0])
    return sign


def _none_negative(options: Sequence[object]) -> bool:
    """Whether no number among the options of a function turns it round."""
    return not any(isinstance(option, (int, float)) and option < 0 for option in options)


def _common(a: Form, b: Form) -> int | None:
    """The direction of both, where they share one."""
    if a.constant or b.constant:
        return b.direction if a.constant else a.direction
    return a.direction if a.direction == b.direction else None


def rises(step: Step) -> bool:
    """Whether a step multiplies by what is known to be positive: a literal, or the size of weights."""
    constant = step.constants[0]
    return constant is not None and (step.tag in ("weight_scale", "act_scale") or _sign(constant) > 0)


def _sign(constant: Constant) -> int:
    """1 or -1 where that is known of every element, else 0."""
    if constant.literal is not None:
        return (constant.literal > 0) - (constant.literal < 0)
    if constant.nonnegative and constant.factor > 0:
        return 1
    domain: Domain = constant.domain
    return 1 if not domain.signed and domain.kind != "binary01" else 0
