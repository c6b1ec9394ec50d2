"""The state of building a graph: which node holds which value, and what is known of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costmodel.graph.affine import Step, literal_constant
from costmodel.graph.attrs import Affine, Call, Clamp, Unknown
from costmodel.graph.domain import FLOAT, Domain, real
from costmodel.graph.functions import FUNCTIONS
from costmodel.graph.node import GraphInput, Node
from costmodel.graph.operands import Constant, Window
from costmodel.graph.vocabulary import Caveat
from costmodel.trace.elements import SAME
from costmodel.trace.grids import with_levels
from costmodel.trace.possible import Possible, domain_of_values, possible_values
from costmodel.trace.ranges import EMPTY, REAL, VAGUE, Operands, Range, domain_of_range, range_of
from costmodel.trace.reasons import levels_by_rule, observed, of_range, of_values, real_by_rule
from costmodel.trace.rules import RULES
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import (
    Ref,
    Value,
    are_integers,
    distinct_shape,
    filled_with,
    one_integer,
    signs_of,
    written_number,
)

if TYPE_CHECKING:
    from torch import Tensor

Operand = int | Constant


class Lowering:
    """Walks the live values in order and collects nodes. ``names`` maps a value to the node that now holds it."""

    def __init__(self, simplified: Simplified, network: str, unseen: Mapping[int, Domain]) -> None:
        self.simplified = simplified
        self.network = network
        self.nodes: list[Node] = []
        self.inputs: list[GraphInput] = []
        self.names: dict[int, int] = {}
        self.escaped: list[int] = []
        self.possible: dict[int, Possible] = {}
        self.ranges: dict[int, Range] = {}
        self.caveats: list[Caveat] = list(simplified.recording.caveats)
        self._next = len(simplified.recording.values)
        self._domains: dict[int, Domain] = {}
        self._unseen = unseen
        self._sums: dict[int, bool] = {}
        self._constants: dict[tuple[int, bool], Possible | None] = {}
        self._looked = 0
        self._offline = False  # whether constants are being looked at
        self._readers: Counter[int] = Counter()
        self._operands = Operands(self.range, self._bounds, self._many, self.shape, self._cut, self._share)

    # -- operands ----------------------------------------------------------------------------------------------------

    def operand(self, argument: Any, axis: int | None = None, look: bool = True) -> Operand | None:
        """A node id for what depends on the input, a :class:`Constant` for the rest, None for an absent argument.

        Without ``look`` a constant is taken for real numbers.
        """
        if isinstance(argument, Ref):
            number = self.simplified.canonical[argument.id]
            if self.simplified.online[number]:
                return self.names[number]
            value = self.simplified.recording.values[number]
            if self.simplified.random[argument.id] and not any(c.kind == "nondeterministic" for c in self.caveats):
                message = "the program draws random numbers at inference; drawing them is not counted"
                self.caveats.append(Caveat("nondeterministic", value.module, message))
            if (number_written := written_number(value)) is not None and axis is None:
                return literal_constant(number_written)
            shape = value.shape if axis is not None else distinct_shape(value)
            domain = self.weight_kind(argument, axis) if look else FLOAT
            kind = replace(real(float_bits(value)), why=domain.why) if domain.is_float else domain
            return Constant(argument.id, shape, kind, path=value.path, whole=are_integers(value),
                            number=one_integer(value),
                            nonnegative=self.is_nonnegative(argument.id))  # fmt: skip
        if isinstance(argument, (int, float)):
            return literal_constant(float(argument))
        return None

    def is_nonnegative(self, number: int) -> bool:
        """Whether a constant has no element below zero, whatever the parameters are that it is made of."""
        value = self.simplified.recording.values[self.simplified.canonical[number]]
        if value.output or value.leaf or value.operator.packet != f"aten.{value.fn}":
            return False
        x = value.args.get("x")
        if value.fn == "pow" and isinstance(x, (int, float)):
            return x > 0
        if value.fn in ("abs", "exp", "exp2", "softplus", "sigmoid", "sqrt", "square"):
            return True
        if value.fn in (
            "_to_copy",
            "clone",
            "view",
            "reshape",
            "_unsafe_view",
            "detach",
            "expand",
            "squeeze",
            "unsqueeze",
        ):
            return isinstance(x, Ref) and self.is_nonnegative(x.id)
        return False

    def constant(self, argument: Any, axis: int | None = None, look: bool = True) -> Constant | None:
        operand = self.operand(argument, axis, look)
        return operand if isinstance(operand, Constant) else None

    def made(self, values: Tensor) -> Constant:
        """A constant that the program does not have as such, of real numbers."""
        self._next += 1
        self.simplified.recording.kept[self._next - 1] = values
        return Constant(self._next - 1, tuple(values.shape), FLOAT)

    def is_online(self, argument: Any) -> bool:
        return isinstance(argument, Ref) and self.simplified.online[self.simplified.canonical[argument.id]]

    def domain_of(self, node: int) -> Domain:
        """The kind of a value that a node holds; levels around no zero are real numbers to what computes with them."""
        found = self._domains.get(node, FLOAT)
        return replace(FLOAT, why=f"{found.why}: levels around no zero") if found.asymmetric else found

    def known_domain(self, node: int) -> Domain:
        """The kind of a value that a node holds, for what only moves it."""
        return self._domains.get(node, FLOAT)

    def readers(self, number: int) -> int:
        """How many values that the outputs need read this one, an output counted as well."""
        if not self._readers:
            self._readers.update(self.simplified.outputs)
            for live in self.simplified.live:
                inputs = self.simplified.recording.values[live].inputs
                self._readers.update({self.simplified.canonical[i] for i in inputs})
        return self._readers[self.simplified.canonical[number]]

    def is_sum(self, node: int) -> bool:
        """Whether a value is a sum, seen through moves, so that its zeros are ties; an input is taken for one."""
        return self._sums.get(node, True)

    def shape(self, argument: Any) -> tuple[int, ...]:
        return self.simplified.value(argument.id).shape if isinstance(argument, Ref) else ()

    # -- emission ----------------------------------------------------------------------------------------------------

    def emit(self, value: Value, op: str, inputs: tuple[int, ...], *, shape: tuple[int, ...] | None = None,
             domain: Domain | None = None, **fields: Any) -> int:  # fmt: skip
        """Append a node that computes ``value`` (or a step towards it); returns its id."""
        number = value.id if value.id not in self.names else self._next
        self._next += number == self._next
        kind = self.kind_of(value) if domain is None else domain
        if not kind.why:
            kind = replace(kind, why=(real_by_rule if kind.is_float else levels_by_rule)(self.simplified, value))
        node = Node(
            number, op, inputs, value.shape if shape is None else shape,
            replace(real(float_bits(value)), why=kind.why) if kind.is_float else kind,
            value.module, value.call, source=value.operator.name, called=value.called, **fields,
        )  # fmt: skip
        self.nodes.append(node)
        self.names[value.id] = number
        self._domains[number] = node.domain
        row = node.row
        passes = row.moves or _keeps_ties(node)
        self._sums[number] = all(self.is_sum(i) for i in inputs) if passes and inputs else row.sums
        return number

    def kind_of(self, value: Value) -> Domain:
        """The kind of a result: by rule where one decides it, else what was observed.

        The few values that a binarisation can give, the levels of a rounded and bounded value and of sums of such, and
        real numbers where real numbers are computed with: however few of them one input shows, they are no levels. What
        remains is made of levels that no rule bounds, such as the result of a quantiser whose steps are parameters.
        """
        found = self._by_rule(value.id)
        if found is not None:
            return found
        if value.tensor_dtype.is_floating_point and self._is_real(value):
            return replace(FLOAT, why=real_by_rule(self.simplified, value))
        found = replace(self.simplified.domain(value.id), why=observed(self.simplified, value))
        if not found.is_float and self.ranges.get(value.id, REAL) == REAL:
            self.ranges[value.id] = VAGUE  # what is computed of it is looked at as well
        return found

    def _by_rule(self, number: int) -> Domain | None:
        value, values = self.simplified.recording.values[number], self.possible.get(number)
        found = domain_of_values(values) if values is not None else None
        if found is not None and values is not None:
            return replace(found, why=of_values(self.simplified, value, values))
        levels = self.ranges.get(number, REAL)
        found = domain_of_range(levels)
        return None if found is None else replace(found, why=of_range(self.simplified, value, levels))

    def weight_kind(self, argument: Ref, axis: int | None) -> Domain:
        """The kind of a constant: by the rule of its quantiser, with the scale that its values have; else observed."""
        number = self.simplified.canonical[argument.id]
        value = self.simplified.recording.values[number]
        if number in self._unseen:
            return self._unseen[number]
        seen = self.simplified.domain(argument.id, axis)
        if axis is None:
            return seen
        self._look_offline(number)
        rule = self._by_rule(number)
        if rule is not None and (
            rule.scale == "one" or (value.sample is None and self.simplified.recording.shapes_alone)
        ):
            return rule
        if rule is not None and replace(seen, scale="one", evidence=rule.evidence) == rule:
            return replace(seen, why=rule.why)
        fitted = with_levels(rule, value.sample, axis) if rule is not None and value.sample is not None else None
        return fitted or replace(seen, why=observed(self.simplified, value))

    def _is_real(self, value: Value) -> bool:
        """Whether a value is a real number by rule: computed from such, or rounded from one without bounds."""
        own = self.ranges.get(value.id, REAL)
        if decides(value.fn):
            return own.step == 1.0 and not own.vague
        numbers = {self.simplified.canonical[i] for i in value.inputs}
        if any(self.domain_of(self.names[i]).is_float for i in numbers if self.simplified.online[i]):
            return True
        return not own.vague and value.operator.packet in RULES and value.fn not in _LOOKED_UP

    def range_of(self, value: Value) -> Range:
        """What a value can be by rule."""
        found = range_of(value, self._operands)
        return VAGUE if found == REAL and not value.tensor_dtype.is_floating_point else found

    def _many(self, argument: Any) -> bool:
        return isinstance(argument, Ref) and math.prod(self.shape(argument)) > 1

    def _cut(self, value: Value) -> str:
        """``maximum`` or ``minimum`` for a choice between x and c by whether x is above or below c."""
        condition = value.args["condition"]
        made = self.simplified.value(condition.id) if isinstance(condition, Ref) else None
        if made is None or made.fn not in ("gt", "ge", "lt", "le") or "other" not in value.args:
            return "where"

        def code(argument: Any) -> Any:
            return self.simplified.numbers[argument.id] if isinstance(argument, Ref) else argument

        sides = [code(made.args["x"]), code(made.args["other"])]
        chosen = [code(value.args["x"]), code(value.args["other"])]
        if sorted(map(str, sides)) != sorted(map(str, chosen)):
            return "where"
        larger = (chosen == sides) == made.fn.startswith("g")
        return "maximum" if larger else "minimum"

    def _share(self, x: Any, other: Any) -> float:
        """At least what share ``other`` is of the largest magnitude of ``x``, as quantisers divide by; 0 if of none."""
        if not isinstance(x, Ref) or not isinstance(other, Ref):
            return 0.0
        share, value = 1.0, self.simplified.value(other.id)
        for _ in range(16):
            args = value.args
            if value.fn in ("max", "amax") and not value.output:
                size = self.simplified.value(args["x"].id)
                same = size.fn == "abs" and self.simplified.numbers[size.args["x"].id] == self.simplified.numbers[x.id]
                return share if same else 0.0
            larger = value.fn == "clamp_min" or (value.fn == "add" and _number(args["other"]) > 0)
            scaled = value.fn in ("mul", "div") and _number(args["other"]) > 0
            if not (larger or scaled or value.fn in SAME):
                return 0.0
            if scaled:
                share *= _number(args["other"]) ** (1 if value.fn == "mul" else -1)
            value = self.simplified.value(args["x"].id)
        return 0.0

    def range(self, argument: Any) -> Range | None:
        """The range of an argument: of a number itself, of a value by rule; None for a parameter."""
        known = self.known(argument)
        if known is not None and not known:
            return EMPTY
        if known is not None and len(known) == 1:
            (number,) = known
            return Range(number, number)
        if not isinstance(argument, Ref):
            return None
        if known is not None and len(known) == 2:
            low, high = sorted(known)
            return Range(low, high, high - low)
        number = self.simplified.canonical[argument.id]
        found = self.ranges.get(number, REAL)
        return found if self.simplified.online[number] or found.empty or self._serves(found) else None

    def _bounds(self, argument: Any) -> Range | None:
        """The range of an argument, of constants that are computed by the program as well."""
        found = self.range(argument)
        if found is None and isinstance(argument, Ref):
            return self.ranges.get(self.simplified.canonical[argument.id])
        return found

    def _serves(self, constant: Range) -> bool:
        """Whether the rule of a constant says something of what is made of it: masks and signs, and all of weights."""
        return bool(constant.step) and (self._offline or (constant.plain and constant.levels > 0))

    def known(self, argument: Any) -> Possible | None:
        """The few values that an argument can take, if that is known."""
        if isinstance(argument, (int, float)):
            return frozenset((float(argument),))
        if not isinstance(argument, Ref):
            return None
        number = self.simplified.canonical[argument.id]
        if self.simplified.online[number]:
            return self.possible.get(number)
        self._look_offline(number)
        key = (number, self._offline)
        if key not in self._constants:
            self._constants[key] = self._of_constant(number)
        return self._constants[key]

    def _of_constant(self, number: int) -> Possible | None:
        found, value = self.possible.get(number), self.simplified.recording.values[number]
        sample = value.sample
        if sample is None and (filled := filled_with(value)) is not None:
            return frozenset((filled,))
        if sample is None or sample.numel() == 0 or (found is not None and not found):
            return found
        if self._offline and not value.leaf and sample.numel() > 1:  # what happened to become of weights is no rule
            return found
        first = float(sample[(0,) * sample.dim()])
        if float(sample[(-1,) * sample.dim()]) == first and bool((sample == first).all()):
            return frozenset((first,))
        return signs_of(value, sample) if found is None and value.leaf else found

    def _look_offline(self, number: int) -> None:
        """What rules say of the values up to this one that do not depend on the input."""
        simplified = self.simplified
        if self._offline:
            return
        self._offline = True
        for i in range(self._looked, number + 1):
            value = simplified.recording.values[i]
            self._looked = i + 1
            if simplified.online[i] or value.leaf or simplified.canonical[i] != i:
                continue
            values = possible_values(value, self.known)
            if values is not None:
                self.possible[i] = values
            self.ranges[i] = self.range_of(value)
        self._offline = False

    def affine(self, value: Value, x: int, *steps: Step, **fields: Any) -> int:
        return self.emit(value, "affine", (x,), attrs=Affine(steps), **fields)

    def unknown(self, value: Value, reason: str = "there is no rule for it") -> None:
        inputs = tuple(dict.fromkeys(self.names[self.simplified.canonical[i]] for i in value.inputs
                                     if self.simplified.online[self.simplified.canonical[i]]))  # fmt: skip
        self.emit(value, "unknown", inputs, attrs=Unknown(reason))
        what = f"{value.module or 'the model'} runs {value.operator.name}: {reason}"
        message = f"{what}; its {math.prod(value.shape)} results are counted as unknown work"
        self.caveats.append(Caveat("unknown_op", value.module, message))


def _number(argument: Any) -> float:
    return float(argument) if isinstance(argument, (int, float)) else 0.0


def _keeps_ties(node: Node) -> bool:
    """Whether an operation leaves a zero a zero, and makes none of other numbers."""
    if isinstance(node.attrs, Clamp):
        return _around_zero(node.attrs)
    fn = node.attrs.fn if isinstance(node.attrs, Call) and node.op == "special" else ""
    return fn in FUNCTIONS and FUNCTIONS[fn].odd and FUNCTIONS[fn].rising


def _around_zero(clamp: Clamp) -> bool:
    """Whether a clamp leaves a tie a tie: what is cut off lies on both sides of zero."""
    low = -1.0 if clamp.low is None else clamp.low
    high = 1.0 if clamp.high is None else clamp.high
    return isinstance(low, (int, float)) and isinstance(high, (int, float)) and low < 0 < high


#: Operations that make levels out of real numbers.
_DECIDES = frozenset(
    {"sign", "sgn", "round", "floor", "ceil", "trunc", "heaviside", "floor_divide", "remainder", "fmod", "argmax",
     "argmin", "bernoulli"}
)  # fmt: skip


#: Operations that give elements of a table, whose kind its values show.
_LOOKED_UP = frozenset({"embedding", "index", "index_select", "gather", "take"})


def decides(fn: str) -> bool:
    """Whether the results of a function are few however its operands vary."""
    return fn in _DECIDES or "quantize" in fn


def float_bits(value: Value) -> int:
    """Width of a real number in the type that it was computed in."""
    return value.tensor_dtype.itemsize * 8 if value.tensor_dtype.is_floating_point else FLOAT.bits


def window(kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int = 1, transposed: bool = False) -> Window:
    """A window whose stride, padding and dilation have one entry per spatial dimension."""
    kernel = tuple(kernel)

    def full(v: Any) -> tuple[int, ...]:
        sizes: tuple[int, ...] = tuple(v) if isinstance(v, (list, tuple)) else (v,)
        return sizes * len(kernel) if len(sizes) == 1 else sizes

    return Window(kernel, full(stride) if stride else kernel, full(padding), full(dilation), groups, transposed)
