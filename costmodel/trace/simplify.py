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
from costmodel.trace.values import Recording, Ref, Value

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
        drawn = value.operator.random
        random.append(drawn or any(random[i] for i in value.inputs))
        online.append(value.leaf in ("input", "foreign") or any(online[i] for i in value.inputs))
        form = _form(value, values, numbers, forms)
        target = _single_atom(form)
        if target is None and form and _cancelled(form, value, numbers, forms):
            target = same.get(_terms(form, value))
        if target is not None and values[representative[target]].shape == value.shape:
            one = _instance(value, target, values, numbers, forms, canonical)
            one = representative[target] if one is None or values[one].shape != value.shape else one
            numbers.append(target)
            canonical.append(one)
            if not value.operator.identity:  # an identity shows nothing that its argument does not
                aliases.setdefault(one, []).append(value.id)
            continue
        number = value.id if value.leaf or drawn else known.setdefault(_key(value, numbers), value.id)
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


def _instance(
    value: Value, target: int, values: list[Value], numbers: list[int], forms: dict[int, Form], canonical: list[int]
) -> int | None:
    """Which of the computations with this number a value comes from: what is written twice is computed twice."""
    for i in value.inputs:
        if numbers[i] == target:
            return canonical[i]
    for i in value.inputs:
        if target in forms[numbers[i]] and values[i].inputs:
            return _instance(values[i], target, values, numbers, forms, canonical)
    return None


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


def _key(value: Value, numbers: list[int]) -> Any:
    return (value.operator.name, value.output, tuple([_code(a, numbers) for a in value.args.values()]), value.shape)


def _code(argument: Any, numbers: list[int]) -> Any:
    if isinstance(argument, Ref):
        return ("value", numbers[argument.id])
    if isinstance(argument, tuple):
        return tuple([_code(a, numbers) for a in argument])
    if isinstance(argument, (int, float, bool, str)) or argument is None:
        return (type(argument).__name__, argument)
    return ("other", str(argument))


def _single_atom(form: Form | None) -> int | None:
    if form is not None and len(form) == 1:
        ((atom, coefficient),) = form.items()
        if coefficient == 1.0 and atom != _ONE:
            return atom
    return None


def _form(value: Value, values: list[Value], numbers: list[int], forms: dict[int, Form]) -> Form | None:
    """The linear form of a value over other values, or None if the value is an atom of its own."""
    args, packet = value.args, value.operator.packet
    x = args.get("x")
    same = packet == "aten._to_copy" and isinstance(x, Ref) and values[x.id].tensor_dtype == value.tensor_dtype
    if isinstance(x, Ref) and (value.operator.identity or same):
        return forms[numbers[x.id]]

    def term(argument: Any) -> Form | None:
        if isinstance(argument, Ref):
            same = values[argument.id].shape == value.shape
            return forms[numbers[argument.id]] if same else None
        if isinstance(argument, (int, float)) and not isinstance(argument, bool):
            return {_ONE: float(argument)} if argument else {}
        return None

    match packet, args:
        case "aten.add", {"x": x, "other": other, "alpha": int() | float() as alpha}:
            return _combine(term(x), 1.0, term(other), float(alpha))
        case "aten.sub", {"x": x, "other": other, "alpha": int() | float() as alpha}:
            return _combine(term(x), 1.0, term(other), -float(alpha))
        case "aten.rsub", {"x": x, "other": other, "alpha": int() | float() as alpha}:
            return _combine(term(other), 1.0, term(x), -float(alpha))
        case "aten.neg", {"x": x}:
            return _combine(term(x), -1.0, {}, 1.0)
        case "aten.mul", {"x": x, "other": other}:
            for operand, factor in ((x, other), (other, x)):
                if isinstance(operand, Ref) and isinstance(factor, (int, float)) and not isinstance(factor, bool):
                    return _combine(term(operand), float(factor), {}, 1.0)
        case "aten.div", {"x": Ref() as x, "other": 1, **rest} if not rest:
            return term(x)
    return None


def _combine(a: Form | None, ka: float, b: Form | None, kb: float) -> Form | None:
    if a is None or b is None or len(a) + len(b) > _MAX_TERMS:
        return None
    total = {atom: k * ka for atom, k in a.items()}
    for atom, k in b.items():
        total[atom] = total.get(atom, 0.0) + k * kb
    return {atom: k for atom, k in total.items() if k != 0.0}
