"""From a recording to the work that counts: aliases resolved, gradient-only code and offline work set apart.

Straight-through estimators are written as sums that cancel: ``a.detach() - b.detach() + b`` is ``a`` in the forward
pass. They are seen by *structural* linear forms over values: only terms that are the same computation cancel. Numerical
closeness never identifies two values (a layer scale of 1e-6 would make ``x + f(x)`` look like ``x`` and delete ``f``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.graph.domain import Domain
from costmodel.trace.domains import classify
from costmodel.trace.values import IDENTITIES, Recording, Ref, Value

_RANDOM = ("rand", "bernoulli", "normal", "dropout", "multinomial", "exponential", "poisson")
_MAX_TERMS = 64
_ONE = -1  # the atom of the constant term

Form = dict[int, float]


@dataclass(frozen=True)
class Simplified:
    """The values of a recording with their canonical names.

    ``canonical[i]`` is the value that value ``i`` is an alias of (itself if none); values with equal ``numbers`` are
    the same computation, done once or several times; ``online`` says which values depend on the input;
    ``live`` lists, in order, the canonical online values that the outputs depend on.
    """

    recording: Recording
    canonical: list[int]
    numbers: list[int]
    online: list[bool]
    live: list[int]
    outputs: tuple[int, ...]
    aliases: dict[int, list[int]]
    random: list[bool]  # which values are drawn, or computed from such

    def value(self, number: int) -> Value:
        return self.recording.values[self.canonical[number]]

    def domain(self, number: int, axis: int | None = None) -> Domain:
        """Kind of a value: from its own sample or, failing that, from any value it is known to equal."""
        whole = self.recording.values[number].whole
        if whole is not None:
            return whole
        canonical = self.canonical[number]
        found = classify(self.recording.values[canonical].sample, axis)
        if found.is_float:
            for alias in self.aliases.get(canonical, ()):
                seen = classify(self.recording.values[alias].sample, axis)
                if not seen.is_float:
                    return seen
        return found


def base_name(op: str) -> str:
    """``aten.add_.Tensor`` and ``aten.add.Tensor`` compute the same value."""
    parts = op.split(".")
    if len(parts) > 1 and parts[1].endswith("_") and not parts[1].startswith("_"):
        parts[1] = parts[1].rstrip("_")
    return ".".join(parts)


def simplify(recording: Recording) -> Simplified:
    """Resolve aliases and find the live online values."""
    values = recording.values
    canonical: list[int] = []
    numbers: list[int] = []  # value number of each value: equal numbers are equal values
    forms: dict[int, Form] = {}  # by value number
    representative: dict[int, int] = {}
    known: dict[Any, int] = {}
    same: dict[Any, int] = {}  # linear form -> the first value that has it
    online: list[bool] = []
    aliases: dict[int, list[int]] = {}
    random: list[bool] = []

    for value in values:
        op = base_name(value.op)
        random.append(_is_random(op) or any(random[i] for i in value.inputs))
        online.append(value.leaf in ("input", "foreign") or any(online[i] for i in value.inputs))
        form = _form(op, value, values, canonical, numbers, forms)
        target = _single_atom(form)
        if target is None and form and _cancelled(form, value, numbers, forms):
            target = same.get(_terms(form, value))
        if target is not None and values[representative[target]].shape == value.shape:
            numbers.append(target)
            canonical.append(representative[target])
            if op not in IDENTITIES:  # an identity shows nothing that its argument does not
                aliases.setdefault(representative[target], []).append(value.id)
            continue
        number = value.id if value.leaf or _is_random(op) else known.setdefault(_key(op, value, numbers), value.id)
        numbers.append(number)
        canonical.append(value.id)
        representative.setdefault(number, value.id)
        forms.setdefault(number, form if form is not None else {number: 1.0})
        if form:
            same.setdefault(_terms(form, value), number)

    outputs = tuple(canonical[i] for i in recording.outputs)
    live = _live(values, canonical, online, outputs)
    return Simplified(recording, canonical, numbers, online, live, outputs, aliases, random)


def _terms(form: Form, value: Value) -> Any:
    return frozenset(form.items()), value.shape, value.tensor_dtype


def _cancelled(form: Form, value: Value, numbers: list[int], forms: dict[int, Form]) -> bool:
    """Whether a term of an operand is gone: what is left was written before, and is not computed a second time."""
    return any(atom not in form for i in value.inputs for atom in forms[numbers[i]])


def _live(values: list[Value], canonical: list[int], online: list[bool], outputs: tuple[int, ...]) -> list[int]:
    needed: set[int] = set()
    stack = [i for i in outputs if online[i]]
    while stack:
        number = stack.pop()
        if number in needed:
            continue
        needed.add(number)
        stack.extend(j for j in (canonical[i] for i in values[number].inputs) if online[j])
    return sorted(needed)


def _is_random(op: str) -> bool:
    return any(word in op for word in _RANDOM)


def _key(op: str, value: Value, numbers: list[int]) -> Any:
    def code(argument: Any) -> Any:
        if isinstance(argument, Ref):
            return ("value", numbers[argument.id])
        if isinstance(argument, tuple):
            return tuple(code(a) for a in argument)
        if isinstance(argument, (int, float, bool, str)) or argument is None:
            return (type(argument).__name__, argument)
        return ("other", str(argument))

    return (op, code(value.args), tuple((k, code(v)) for k, v in sorted(value.kwargs.items())), value.shape)


def _single_atom(form: Form | None) -> int | None:
    if form is not None and len(form) == 1:
        ((atom, coefficient),) = form.items()
        if coefficient == 1.0 and atom != _ONE:
            return atom
    return None


def _form(
    op: str, value: Value, values: list[Value], canonical: list[int], numbers: list[int], forms: dict[int, Form]
) -> Form | None:
    """The linear form of a value over other values, or None if the value is an atom of its own."""
    args = value.args
    if op in IDENTITIES and isinstance(args[0], Ref):
        return forms[numbers[args[0].id]]
    if op == "aten._to_copy.default" and values[args[0].id].tensor_dtype == value.tensor_dtype:
        return forms[numbers[args[0].id]]

    def term(argument: Any) -> Form | None:
        if isinstance(argument, Ref):
            same = values[argument.id].shape == value.shape
            return forms[numbers[argument.id]] if same else None
        if isinstance(argument, (int, float)) and not isinstance(argument, bool):
            return {_ONE: float(argument)} if argument else {}
        return None

    match op:
        case "aten.add.Tensor" | "aten.add.Scalar" | "aten.sub.Tensor" | "aten.sub.Scalar":
            sign = 1.0 if ".add." in op else -1.0
            alpha = value.kwargs.get("alpha", args[2] if len(args) > 2 else 1)
            return _combine(term(args[0]), 1.0, term(args[1]), sign * float(alpha))
        case "aten.rsub.Scalar" | "aten.rsub.Tensor":
            return _combine(term(args[1]), 1.0, term(args[0]), -1.0)
        case "aten.neg.default":
            return _combine(term(args[0]), -1.0, {}, 1.0)
        case "aten.mul.Tensor" | "aten.mul.Scalar":
            for x, factor in ((args[0], args[1]), (args[1], args[0])):
                if isinstance(x, Ref) and isinstance(factor, (int, float)) and not isinstance(factor, bool):
                    return _combine(term(x), float(factor), {}, 1.0)
        case "aten.div.Tensor" | "aten.div.Scalar":
            if isinstance(args[0], Ref) and args[1] == 1 and not isinstance(args[1], Ref):
                return term(args[0])
    return None


def _combine(a: Form | None, ka: float, b: Form | None, kb: float) -> Form | None:
    if a is None or b is None or len(a) + len(b) > _MAX_TERMS:
        return None
    total = {atom: k * ka for atom, k in a.items()}
    for atom, k in b.items():
        total[atom] = total.get(atom, 0.0) + k * kb
    return {atom: k for atom, k in total.items() if k != 0.0}
