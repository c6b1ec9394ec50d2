"""From recorded operations to the nodes of a :class:`~costmodel.graph.node.Graph`.

Each rule states the operation as a shape equation and emits nodes. What has no rule, or is called in a form that its
rule does not cover, becomes an ``unknown`` node: it is counted by the elements it produces, and reported.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.graph.attrs import Product
from costmodel.graph.domain import real
from costmodel.graph.node import Graph, GraphInput
from costmodel.graph.vocabulary import Caveat

# Importing the rules registers them.
from costmodel.trace import elementwise, normalise, observers, places, reductions, resample, spectral, sums, windows  # noqa: F401
from costmodel.trace.custom import CUSTOM
from costmodel.trace.lowering import Lowering, float_bits
from costmodel.trace.moves import MOVES, move
from costmodel.trace.origins import first_states, origins
from costmodel.trace.own import own_operation
from costmodel.trace.rules import RULES, UncoveredError, rule_of
from costmodel.trace.simplify import Simplified
from costmodel.trace.spectral import COMPLEX
from costmodel.trace.unseen import unseen
from costmodel.trace.values import Value


def _refuse(state: Lowering, value: Value, **arguments: object) -> None:
    raise UncoveredError("its operands are complex numbers")


_NOT_COMPLEX = rule_of(_refuse)


def lower(simplified: Simplified, network: str, parameters: int) -> Graph:
    """Build the graph of the live values."""
    values = simplified.recording.values
    ruled = simplified.recording.shapes_alone or not all(v.seen or simplified.online[v.id] for v in values)
    state = Lowering(simplified, network, unseen(simplified) if ruled else {})
    for value in values:  # inputs keep their order even if one is not used
        if value.leaf == "input":
            # A float input is whatever the caller made it; only a declared integer or boolean type is evidence.
            declared = not value.tensor_dtype.is_floating_point
            domain = simplified.domain(value.id) if declared else real(float_bits(value))
            domain = domain if declared else replace(domain, why="the network's input")
            state.enter(GraphInput(value.id, value.path, value.shape, domain))
    for number in simplified.live:
        value = values[number]
        if value.leaf == "input":
            continue
        if value.leaf == "foreign":
            # What numpy gave back may be levels: there is no rule, so it is looked at.
            domain = simplified.domain(value.id)
            domain = real(float_bits(value)) if domain.is_float else domain
            state.enter(GraphInput(value.id, f"foreign{value.id}", value.shape, domain, foreign=True))
            state.escaped.extend(i for i in value.inputs if simplified.online[i])
            message = (
                "a tensor of unknown origin appears after values have left through numpy or Python; it is treated as "
                "an activation, and the work done on it outside of torch is not counted"
            )
            if all(caveat.message != message for caveat in state.caveats):
                state.caveats.append(Caveat("foreign", value.module, message))
            continue
        state.known.learn(value)
        packet = value.operator.packet
        rule = RULES.get(packet)
        if (
            packet not in MOVES
            and packet not in CUSTOM
            and any(values[i].tensor_dtype.is_complex for i in (number, *value.inputs))
        ):
            rule = COMPLEX.get(packet, _NOT_COMPLEX)
        if packet in CUSTOM:
            own_operation(state, value, known=rule is not None or packet in MOVES)
        elif rule is not None:
            done = len(state.nodes)
            try:
                rule.function(state, value, **rule.arguments(value))
            except UncoveredError as error:
                del state.nodes[done:]
                state.names.pop(number, None)
                state.unknown(value, str(error))
        elif packet in MOVES:
            move(state, value, MOVES[packet])
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
        duplicates=duplicates, origins=origins(simplified), skipped=skipped, values=kept,
    )  # fmt: skip
