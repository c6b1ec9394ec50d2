"""From recorded operations to the nodes of a :class:`~costmodel.graph.node.Graph`.

Each handler states the operation as a shape equation and emits nodes. What has no handler becomes an ``unknown`` node:
it is counted by the elements it produces, and reported.
"""

from __future__ import annotations

from typing import Any

from costmodel.graph.attrs import Compare, Move, Product, Round
from costmodel.graph.domain import real
from costmodel.graph.node import Graph, GraphInput
from costmodel.graph.operands import Constant, In
from costmodel.graph.vocabulary import Caveat
from costmodel.trace.arguments import function_of, operands_of, plain
from costmodel.trace.handlers import FREE, HANDLERS
from costmodel.trace.lowering import Lowering, float_bits
from costmodel.trace.origins import first_states, origins
from costmodel.trace.possible import possible_values
from costmodel.trace.simplify import Simplified, base_name
from costmodel.trace.values import Ref, Value


def lower(simplified: Simplified, network: str, parameters: int) -> Graph:
    """Build the graph of the live values."""
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
    skipped = tuple(first_states(simplified))
    if skipped:
        message = (
            f"a first state of zeros: its {sum(n.of(Product).macs for n in skipped):,} products do not depend on the "
            "input, so inference does not compute them; conventions that count multiply-accumulates do count them"
        )
        state.caveats.append(Caveat("note", skipped[0].module, message))
    kept = simplified.recording.kept
    return Graph(
        network, tuple(state.inputs), tuple(state.nodes), outputs, parameters, tuple(state.caveats),
        duplicates=duplicates, origins=origins(simplified), skipped=skipped, samples=samples, values=kept,
    )  # fmt: skip


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
    operands: tuple[Any, ...] = ()
    if consts and op in ("concat", "stack"):
        operands = operands_of(state, value)
        inputs = list(dict.fromkeys(inputs))
    state.emit(value, op, tuple(inputs), consts=consts, attrs=_move_attrs(value, operands),
               domain=state.domain_of(inputs[0]) if padded else None)  # fmt: skip


def _move_attrs(value: Value, operands: tuple[Any, ...]) -> Move:
    fn, arguments = function_of(value), plain(value.args)
    output = int(value.op.rsplit(":", 1)[1]) if ":" in value.op else 0
    place = {"fill": 1, "constant_pad_nd": 2}.get(fn, len(arguments))
    number = arguments[place] if place < len(arguments) else 0.0
    fill = float(number or 0.0) if fn in ("zero", "fill", "constant_pad_nd") else None
    return Move(fn, arguments, output, operands, fill, replaces=fn in ("zero", "fill"))


def _to_integers(state: Lowering, value: Value) -> bool:
    """A real number that becomes an integer or a truth value is rounded or compared."""
    if not value.inputs or value.tensor_dtype.is_floating_point or value.tensor_dtype.is_complex:
        return False
    source = state.operand(Ref(value.inputs[-1]))
    if not isinstance(source, int) or not state.domain_of(source).is_float:
        return False
    if str(value.tensor_dtype) == "torch.bool":
        attrs = Compare("ne", (In(0), 0.0), bound=0.0)
        state.emit(value, "compare", (source,), attrs=attrs, tags=("binarize",))
    else:
        state.emit(value, "round", (source,), attrs=Round("trunc"), tags=("quantize",))
    return True
