"""The state of building a graph: which node holds which value, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costmodel.graph.affine import Step, literal_constant
from costmodel.graph.attrs import Affine, Clamp, Unknown
from costmodel.graph.domain import FLOAT, Domain, real
from costmodel.graph.node import GraphInput, Node
from costmodel.graph.operands import Constant, Window
from costmodel.graph.vocabulary import Caveat
from costmodel.trace.possible import Possible, domain_of_values
from costmodel.trace.ranges import REAL, Range, domain_of_range, range_of
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value

if TYPE_CHECKING:
    from torch import Tensor

Operand = int | Constant


class Lowering:
    """Walks the live values in order and collects nodes. ``names`` maps a value to the node that now holds it."""

    def __init__(self, simplified: Simplified, network: str) -> None:
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
        self._sums: dict[int, bool] = {}

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
            domain = self.simplified.domain(argument.id, axis) if look else FLOAT
            kind = real(float_bits(value)) if domain.is_float else domain
            return Constant(argument.id, shape, kind, path=value.path, whole=are_integers(value))
        if isinstance(argument, (int, float)):
            return literal_constant(float(argument))
        return None

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
        """Observed kind of a value that a node holds."""
        return self._domains.get(node, FLOAT)

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
        node = Node(
            number, op, inputs, value.shape if shape is None else shape,
            real(float_bits(value)) if kind.is_float else kind,
            value.module, value.call, source=value.operator.name, called=value.called, **fields,
        )  # fmt: skip
        self.nodes.append(node)
        self.names[value.id] = number
        self._domains[number] = node.domain
        row = node.row
        passes = row.moves or (isinstance(node.attrs, Clamp) and _around_zero(node.attrs))
        self._sums[number] = all(self.is_sum(i) for i in inputs) if passes and inputs else row.sums
        return number

    def kind_of(self, value: Value) -> Domain:
        """The kind of a result: by rule where one decides it, else what was observed.

        The few values that a binarisation can give, the levels of a rounded and bounded value, and real numbers where
        real numbers are computed with: however few of them one input shows, they are no levels. What remains is made
        of levels that no rule bounds, such as the result of a quantiser whose steps are parameters.
        """
        values = self.possible.get(value.id)
        found = domain_of_values(values) if values is not None else None
        found = found or domain_of_range(self.ranges.get(value.id, REAL))
        if found is not None:
            return found
        if value.tensor_dtype.is_floating_point and self._is_real(value):
            return FLOAT
        return self.simplified.domain(value.id)

    def _is_real(self, value: Value) -> bool:
        """Whether a value is a real number by rule: computed from such, or rounded from one without bounds."""
        own = self.ranges.get(value.id, REAL)
        if own.vague:
            return False
        if decides(value.fn):
            return own.step == 1.0
        numbers = {self.simplified.canonical[i] for i in value.inputs}
        online = [i for i in numbers if self.simplified.online[i]]
        return any(self.domain_of(self.names[i]).is_float and not self.ranges.get(i, REAL).vague for i in online)

    def range_of(self, value: Value) -> Range:
        """What a value can be by rule."""
        return range_of(value, self.range, lambda a: isinstance(a, Ref) and _numel(self.shape(a)) > 1)

    def range(self, argument: Any) -> Range | None:
        """The range of an argument: of a number itself, of a value by rule; None for any other constant."""
        known = self.known(argument)
        if known is not None and len(known) == 1:
            (number,) = known
            return Range(number, number)
        if not isinstance(argument, Ref):
            return None
        number = self.simplified.canonical[argument.id]
        if not self.simplified.online[number]:
            return None
        if known is not None and len(known) == 2:
            low, high = sorted(known)
            return Range(low, high, high - low)
        return self.ranges.get(number, REAL)

    def known(self, argument: Any) -> Possible | None:
        """The few values that an argument can take, if that is known."""
        if isinstance(argument, (int, float)):
            return frozenset((float(argument),))
        if not isinstance(argument, Ref):
            return None
        number = self.simplified.canonical[argument.id]
        if self.simplified.online[number]:
            return self.possible.get(number)
        sample = self.simplified.recording.values[number].sample
        if sample is None or sample.numel() == 0 or not bool((sample == sample.flatten()[0]).all()):
            return None
        return frozenset((float(sample.flatten()[0]),))

    def affine(self, value: Value, x: int, *steps: Step, domain: Domain | None = None) -> int:
        return self.emit(value, "affine", (x,), attrs=Affine(steps), domain=domain)

    def unknown(self, value: Value, reason: str = "there is no rule for it") -> None:
        inputs = tuple(dict.fromkeys(self.names[self.simplified.canonical[i]] for i in value.inputs
                                     if self.simplified.online[self.simplified.canonical[i]]))  # fmt: skip
        self.emit(value, "unknown", inputs, attrs=Unknown(reason))
        what = f"{value.module or 'the model'} runs {value.operator.name}: {reason}"
        message = f"{what}; its {_numel(value.shape)} results are counted as unknown work"
        self.caveats.append(Caveat("unknown_op", value.module, message))


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


def distinct_shape(value: Value) -> tuple[int, ...]:
    """The shape without the dimensions along which a constant only repeats, as ``expand_as`` makes it do."""
    sample = value.sample
    if sample is None or sample.dim() != len(value.shape) or _numel(value.shape) <= max(value.shape, default=1):
        return value.shape
    return tuple(
        1 if size > 1 and bool((sample == sample.narrow(axis, 0, 1)).all()) else size
        for axis, size in enumerate(value.shape)
    )


def _numel(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def are_integers(value: Value) -> bool:
    """Whether all elements of a small constant, such as the zero points of a quantiser, are integers."""
    sample = value.sample
    if sample is None or not 0 < sample.numel() == _numel(value.shape) <= 4096 or sample.is_complex():
        return False
    return not sample.is_floating_point() or bool((sample == sample.round()).all())


def written_number(value: Value) -> float | None:
    """The number that a tensor without dimensions was made of in the program, such as ``torch.tensor(0.5)``."""
    if value.shape or value.path or value.tensor_dtype.is_complex:
        return None
    made = value.args["s"] if value.operator.packet == "aten.scalar_tensor" else None
    if value.leaf == "const" and value.sample is not None and value.sample.numel() == 1:
        made = value.sample.item()
    return float(made) if isinstance(made, (int, float)) else None
