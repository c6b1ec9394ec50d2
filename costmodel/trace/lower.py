"""From recorded operations to the nodes of a :class:`~costmodel.graph.node.Graph`.

Each handler states the operation as a shape equation and emits nodes. What has no handler becomes an ``unknown`` node:
it is counted by the elements it produces, and reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from costmodel.graph.affine import Step
from costmodel.graph.domain import FLOAT, Domain, real
from costmodel.graph.node import MOVES, Caveat, Constant, Graph, GraphInput, In, Node, Window
from costmodel.trace.domains import classify_literal
from costmodel.trace.possible import Possible, domain_of_values, possible_values
from costmodel.trace.simplify import Simplified, base_name
from costmodel.trace.values import Ref, Value

if TYPE_CHECKING:
    from torch import Tensor

#: Ops whose results are sums: a zero among them is a tie, not a third value that was meant.
SUMS = frozenset({"conv", "linear", "matmul", "affine", "add", "prelu", "max_pool", "input"})

Operand = int | Constant
Handler = Callable[["Lowering", Value, tuple[Any, ...]], None]


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
        self.caveats: list[Caveat] = list(simplified.recording.caveats)
        self._next = len(simplified.recording.values)
        self._domains: dict[int, Domain] = {}
        self._ops: dict[int, str] = {}

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
            shape = value.shape if axis is not None else distinct_shape(value)
            domain = self.simplified.domain(argument.id, axis) if look else FLOAT
            return Constant(argument.id, shape, real(float_bits(value)) if domain.is_float else domain, path=value.path)
        if isinstance(argument, (int, float)):
            return Constant(-1, (), classify_literal(float(argument)), float(argument))
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

    def op_of(self, node: int) -> str:
        """The operation that made a value, seen through moves."""
        return self._ops.get(node, "input")

    def shape(self, argument: Any) -> tuple[int, ...]:
        return self.simplified.value(argument.id).shape if isinstance(argument, Ref) else ()

    # -- emission ----------------------------------------------------------------------------------------------------

    def emit(self, value: Value, op: str, inputs: tuple[int, ...], *, shape: tuple[int, ...] | None = None,
             domain: Domain | None = None, **fields: Any) -> int:  # fmt: skip
        """Append a node that computes ``value`` (or a step towards it); returns its id."""
        number = value.id if value.id not in self.names else self._next
        self._next += number == self._next
        kind = self._kind(value) if domain is None else domain
        node = Node(
            number, op, inputs, value.shape if shape is None else shape,
            real(float_bits(value)) if kind.is_float else kind,
            value.module, value.call, source=value.op, **fields,
        )  # fmt: skip
        self.nodes.append(node)
        self.names[value.id] = number
        self._domains[number] = node.domain
        if op in MOVES and inputs:  # of several sources one that is no sum, if there is one
            sources = [self.op_of(i) for i in inputs]
            op = next((source for source in sources if source not in SUMS), sources[0])
        self._ops[number] = op
        return number

    def _kind(self, value: Value) -> Domain:
        """What the values that a binarisation can give say, else what was observed."""
        values = self.possible.get(value.id)
        by_rule = domain_of_values(values) if values is not None else None
        return by_rule or self.simplified.domain(value.id)

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
        return self.emit(value, "affine", (x,), attrs={"steps": steps}, domain=domain)

    def unknown(self, value: Value, reason: str = "there is no rule for it") -> None:
        inputs = tuple(dict.fromkeys(self.names[self.simplified.canonical[i]] for i in value.inputs
                                     if self.simplified.online[self.simplified.canonical[i]]))  # fmt: skip
        self.emit(value, "unknown", inputs, attrs={"reason": reason})
        where = value.module or "the model"
        self.caveats.append(
            Caveat("unknown_op", value.module, f"{where} runs {value.op}: {reason}; its {_numel(value.shape)} results "
                   "are counted as unknown work")
        )  # fmt: skip


def lower(simplified: Simplified, network: str, parameters: int) -> Graph:
    """Build the graph of the live values."""
    from costmodel.trace.handlers import FREE, HANDLERS

    state = Lowering(simplified, network)
    values = simplified.recording.values
    for value in values:  # inputs keep their order even if one is not used
        if value.leaf == "input":
            domain = simplified.domain(value.id)
            # A float input is whatever the caller made it; only a declared integer or boolean type is evidence.
            if value.tensor_dtype.is_floating_point:
                domain = real(float_bits(value))
            state.inputs.append(GraphInput(value.id, value.path, value.shape, domain))
            state.names[value.id] = value.id
            state._domains[value.id] = domain
    for number in simplified.live:
        value = values[number]
        if value.leaf == "input":
            continue
        if value.leaf == "foreign":
            state.inputs.append(
                GraphInput(value.id, f"foreign{value.id}", value.shape, real(float_bits(value)), foreign=True)
            )
            state.names[value.id] = value.id
            state.escaped.extend(i for i in value.inputs if simplified.online[i])
            continue
        op = base_name(value.op)
        values_of = possible_values(value, op, state.known)
        if values_of is not None:
            state.possible[number] = values_of
        handler = HANDLERS.get(op) or HANDLERS.get(op.rsplit(".", 1)[0])
        if handler is not None and any(values[i].tensor_dtype.is_complex for i in (number, *value.inputs)):
            state.unknown(value, "its operands are complex numbers")
        elif handler is not None:
            try:
                handler(state, value, value.args)
            except (TypeError, IndexError, ValueError):  # a form of the operation that its handler does not know
                state.unknown(value, "it is called in a form that its rule does not cover")
        elif op in FREE or op.rsplit(".", 1)[0] in FREE:
            _move(state, value, FREE.get(op) or FREE[op.rsplit(".", 1)[0]])
        else:
            state.unknown(value)
    # What left torch may have gone into the foreign tensors: it is needed as much as an output is.
    left = dict.fromkeys(simplified.canonical[i] for i in state.escaped)
    outputs = tuple(state.names[i] for i in (*simplified.outputs, *left) if i in state.names)
    if not outputs:
        message = "no output depends on the input: there is nothing to do at inference"
        state.caveats.append(Caveat("note", "", message))
    duplicates: dict[int, int] = {}
    first: dict[int, int] = {}  # value number -> node that holds it
    for i in simplified.live:
        holder = first.setdefault(simplified.numbers[i], state.names[i])
        if holder != state.names[i]:
            duplicates[state.names[i]] = holder
    # The sample of a value belongs to the last of the nodes that compute it.
    held = ((state.names[i], values[i].sample) for i in simplified.live)
    samples = {node: sample for node, sample in held if sample is not None}
    kept = simplified.recording.kept
    return Graph(network, tuple(state.inputs), tuple(state.nodes), outputs, parameters, tuple(state.caveats),
                 duplicates=duplicates, samples=samples, values=kept)  # fmt: skip


def _move(state: Lowering, value: Value, op: str) -> None:
    """Only renames, reorders or copies elements."""
    if op == "cast" and _to_integers(state, value):
        return
    inputs: list[int] = []
    consts: dict[str, Constant] = {}
    for index, number in enumerate(value.inputs):
        operand = state.operand(Ref(number))
        if isinstance(operand, int):
            inputs.append(operand)
        elif isinstance(operand, Constant):
            consts[f"const{index}"] = operand
    # Zeros around a ±1 map are skipped by the sum that reads it, as a convolution's own padding is.
    padded = op == "pad" and inputs and state.domain_of(inputs[0]).kind == "binary"
    attrs: dict[str, Any] = {"args": value.args, "kwargs": value.kwargs}
    if consts and op in ("concat", "stack"):
        from costmodel.trace.arguments import operands_of

        attrs["operands"] = operands_of(state, value)
        inputs = list(dict.fromkeys(inputs))
    state.emit(value, op, tuple(inputs), consts=consts, attrs=attrs,
               domain=state.domain_of(inputs[0]) if padded else None)  # fmt: skip


def float_bits(value: Value) -> int:
    """Width of a real number in the type that it was computed in."""
    return value.tensor_dtype.itemsize * 8 if value.tensor_dtype.is_floating_point else FLOAT.bits


def _to_integers(state: Lowering, value: Value) -> bool:
    """A real number that becomes an integer or a truth value is rounded or compared."""
    if not value.inputs or value.tensor_dtype.is_floating_point or value.tensor_dtype.is_complex:
        return False
    source = state.operand(Ref(value.inputs[-1]))
    if not isinstance(source, int) or not state.domain_of(source).is_float:
        return False
    if str(value.tensor_dtype) == "torch.bool":
        state.emit(value, "compare", (source,), attrs={"fn": "aten.ne.Scalar", "bound": 0.0, "operands": (In(0), 0.0)},
                   tags=("binarize",))  # fmt: skip
    else:
        state.emit(value, "round", (source,), attrs={"fn": "trunc"}, tags=("quantize",))
    return True


def window(kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int = 1, transposed: bool = False) -> Window:
    """A window whose stride, padding and dilation have one entry a spatial dimension."""
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
