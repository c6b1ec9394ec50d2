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
from costmodel.trace.elements import PARTS, SAME
from costmodel.trace.known import Known
from costmodel.trace.ranges import REAL, VAGUE
from costmodel.trace.reasons import levels_by_rule, observed, real_by_rule
from costmodel.trace.rules import RULES
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import (
    Ref,
    Value,
    are_integers,
    distinct_shape,
    one_integer,
    written_number,
)
from costmodel.trace.weights import product_of

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
        self.known = Known(simplified, unseen)
        self.caveats: list[Caveat] = list(simplified.recording.caveats)
        self._next = len(simplified.recording.values)
        self._domains: dict[int, Domain] = {}
        self._sums: dict[int, bool] = {}
        self._readers: Counter[int] = Counter()

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
            domain = self.known.weight_kind(argument, axis) if look else FLOAT
            kind = replace(real(float_bits(value)), why=domain.why) if domain.is_float else domain
            return Constant(argument.id, shape, kind, path=value.path, whole=are_integers(value),
                            number=one_integer(value), nonnegative=self.is_nonnegative(argument.id),
                            product=product_of(self.simplified, argument.id))  # fmt: skip
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
        if value.fn in SAME:
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
        return self.known.shape(argument)

    def enter(self, leaf: GraphInput) -> None:
        """An input of the graph holds the value of its number; unless it is real, only its kind is known."""
        self.inputs.append(leaf)
        self.names[leaf.id] = leaf.id
        self._domains[leaf.id] = leaf.domain
        self.known.ranges[leaf.id] = REAL if leaf.domain.is_float else VAGUE

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
        found = self.known.by_rule(value.id)
        if found is not None:
            return found
        if value.tensor_dtype.is_floating_point and self._is_real(value):
            return replace(FLOAT, why=real_by_rule(self.simplified, value))
        if (moved := self._moved(value)) is not None:
            return moved
        found = replace(self.simplified.domain(value.id), why=observed(self.simplified, value))
        if not found.is_float and self.known.ranges.get(value.id, REAL) == REAL:
            self.known.ranges[value.id] = VAGUE  # what is computed of it is looked at as well
        return found

    def _moved(self, value: Value) -> Domain | None:
        """The kind of elements that are only moved, and of one size: that of what they are elements of."""
        x = value.args.get("x")
        place = value.output and value.fn not in PARTS  # of the largest, say
        if value.fn not in SAME or value.fn == "_to_copy" or place or not isinstance(x, Ref) or not self.is_online(x):
            return None
        found = self.domain_of(self.names[self.simplified.canonical[x.id]])
        return None if found.is_float or found.per_channel or found.asymmetric else found

    def _is_real(self, value: Value) -> bool:
        """Whether a value is a real number by rule: computed from such, or rounded from one without bounds."""
        own = self.known.ranges.get(value.id, REAL)
        if decides(value.fn):
            return own.step == 1.0 and not own.vague
        numbers = {self.simplified.canonical[i] for i in value.inputs}
        if any(self.domain_of(self.names[i]).is_float for i in numbers if self.simplified.online[i]):
            return True
        return not own.vague and value.operator.packet in RULES and value.fn not in _LOOKED_UP

    def affine(self, value: Value, x: int, *steps: Step, **fields: Any) -> int:
        return self.emit(value, "affine", (x,), attrs=Affine(steps), **fields)

    def unknown(self, value: Value, reason: str = "there is no rule for it") -> None:
        inputs = tuple(dict.fromkeys(self.names[self.simplified.canonical[i]] for i in value.inputs
                                     if self.simplified.online[self.simplified.canonical[i]]))  # fmt: skip
        self.emit(value, "unknown", inputs, attrs=Unknown(reason))
        what = f"{value.module or 'the network'} runs {value.operator.name}: {reason}"
        message = f"{what}; its {math.prod(value.shape)} results are counted as unknown work"
        self.caveats.append(Caveat("unknown_op", value.module, message))


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
