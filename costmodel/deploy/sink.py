r"""Chains of scales and biases go behind windows and moves, to where they meet fewer elements or what takes them up.

:math:`\max_i (a x_i + b) = a \max_i x_i + b` for :math:`a > 0`, and :math:`\sum_i (a x_i + b) = a \sum_i x_i + k b`
for sums of :math:`k`; what only moves elements moves the constants of a chain with them, those of several chains side
by side where it joins their operands. So a chain goes behind a window or a move, to a threshold, weights or another
chain. A scale of unknown sign passes a maximum if it stands behind a sum over weights: :math:`a P = |a| (\pm P)`, and
the signs of that channel's weights turn.

Precondition: nothing else reads what changes its place, and no output of the network is among it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.layout import axis_of, lay, moves_channels, relaid
from costmodel.deploy.monotone import rises
from costmodel.deploy.scales import channels_of, real_weights
from costmodel.graph.affine import Part, Step, chain_class, literal_step
from costmodel.graph.attrs import Affine, Move, Pool, Product, Reduce
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Graph, Node
from costmodel.graph.vocabulary import Rewrite

WHY_SINK = "a scale that all elements of a window share multiplies its result instead"
WHY_MOVE = "where elements move, their scales and biases move with them"


def sink_chains(graph: Graph) -> Graph:
    """Move every chain behind the windows and moves that follow it, where it meets fewer elements or what takes it."""
    table = {node.id: node for node in graph.nodes}
    users = graph.users()
    rows: list[Rewrite] = []
    swapped: dict[int, Node] = {}
    for node in graph.nodes:
        if not isinstance(node.attrs, Affine) or len(users[node.id]) != 1 or node.id in graph.outputs:
            continue
        (reader,) = users[node.id]
        producer = table.get(node.inputs[0])
        if node.id in swapped or reader.id in swapped or not _worth(node, reader, producer, users, graph):
            continue
        behind = _behind(node, reader, producer, users, graph)
        if behind is None:
            continue
        turned, moved, chain = behind
        # The window takes the chain's name, the chain takes the window's: who reads the window reads the chain.
        swapped[node.id], swapped[reader.id] = moved, chain
        if turned is not None and producer is not None:
            swapped[producer.id] = turned
        row = rewrite_row("scale behind a window", [node, reader], [moved, chain], WHY_SINK, node.module)
        if row.removed:
            rows.append(row)
    if not swapped:
        return graph
    return graph.with_nodes((swapped.get(n.id, n) for n in graph.nodes), rows)


def sunk(
    node: Node, reader: Node, table: Mapping[int, Node], users: Mapping[int, list[Node]], graph: Graph
) -> Node | None:
    """A chain where it would stand behind a window or a move that alone read it; None where it would stay."""
    producer = table.get(node.inputs[0])
    if not _worth(node, reader, producer, users, graph):
        return None
    behind = _behind(node, reader, producer, users, graph)
    return behind[2] if behind is not None and behind[0] is None else None


def _worth(node: Node, reader: Node, producer: Node | None, users: Mapping[int, list[Node]], graph: Graph) -> bool:
    """Whether a chain is better off behind this reader: it multiplies fewer elements there, or what takes it up."""
    windowed = reader.row.pool or _sums(reader)
    if not (reader.row.moves or windowed) or len(reader.inputs) != 1 or reader.consts or reader.row.joins:
        return False
    # What stands behind real weights goes into them, and further only to a threshold.
    axis = axis_of(node.of(Affine).steps, len(node.shape))
    folds = producer is not None and real_weights(producer) and users[producer.id] == [node]
    if producer is not None and folds:
        folds = producer.id not in graph.outputs and axis in (None, channels_of(producer))
    maxima, sums = reader.op == "max_pool", axis in (None, 1) and moves_channels(reader)
    if (reader.row.moves or maxima) and leads_to_thresholds(
        reader, users, graph, merging=not folds, maxima=maxima, sums=sums
    ):
        return True
    # A bias alone is one addition in front of a window or behind it, unless a threshold takes it up there.
    scaled = chain_class(node.of(Affine).steps) != "one"
    return windowed and not folds and (scaled or leads_to_thresholds(reader, users, graph, maxima=True))


def leads_to_thresholds(
    node: Node, users: Mapping[int, list[Node]], graph: Graph, *, merging: bool = False, maxima: bool = False,
    sums: bool = False,
) -> bool:  # fmt: skip
    """Whether all that is read of a value, wherever its elements are moved to, is compared with thresholds.

    ``merging``: a chain that alone reads it takes up one in front of it just as well. ``maxima`` and ``sums`` may stand
    between, as long as no elements moved before.
    """
    readers = users[node.id]
    if not readers or node.id in graph.outputs:
        return False
    for reader in readers:
        if reader.op == "threshold":
            continue
        options = {"maxima": maxima, "sums": sums}
        affine = isinstance(reader.attrs, Affine) and not reader.attrs.turned
        if affine and merging and len(readers) == 1:
            continue
        if reader.row.moves and not reader.consts:
            options = {"maxima": False, "sums": sums and moves_channels(reader)}
        elif not (affine or (maxima and reader.op == "max_pool") or (sums and sums_windows(reader))):
            return False
        if not leads_to_thresholds(reader, users, graph, merging=merging, **options):
            return False
    return True


def sums_windows(node: Node) -> bool:
    """Whether a node adds up elements of each channel, or along dimensions that it names."""
    return isinstance(node.attrs, Pool) or _sums(node)


def _sums(node: Node) -> bool:
    return node.op == "mean" or (isinstance(node.attrs, Reduce) and node.attrs.fn in ("sum", "nansum"))


def sink_joined(graph: Graph) -> Graph:
    """Move the chains of what is joined behind the concatenation, as one that is laid as its operands are."""
    table = {node.id: node for node in graph.nodes}
    users = graph.users()
    fresh = graph.free_id()
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    gone: set[int] = set()
    for node in graph.nodes:
        chains = [table.get(i) for i in node.inputs] if node.op in ("concat", "stack") else []
        free = [chain if chain is not None and _free(chain, node, users, graph) else None for chain in chains]
        shapes = {i: table[i].shape for i in node.inputs if i in table}
        if (
            not any(free)
            or len(shapes) < len(set(node.inputs))
            or not leads_to_thresholds(node, users, graph, sums=True)
        ):
            nodes.append(node)
            continue
        parts = [
            Part(chain.of(Affine).steps if chain else (), shapes[i]) for i, chain in zip(node.inputs, free, strict=True)
        ]
        step = lay(node, parts)
        if step is None:
            nodes.append(node)
            continue
        inputs = tuple(chain.inputs[0] if chain else i for i, chain in zip(node.inputs, free, strict=True))
        kinds = {table[i].domain if i in table else FLOAT for i in inputs}
        moved = replace(node, id=fresh, inputs=inputs, domain=kinds.pop() if len(kinds) == 1 else FLOAT)
        behind = replace(node, op="affine", inputs=(fresh,), attrs=Affine((step,)), tags=(), domain=FLOAT)
        nodes += [moved, behind]
        before = [chain for chain in free if chain is not None]
        gone.update(chain.id for chain in before)
        row = rewrite_row("scales and biases behind a concatenation", before, [behind], WHY_MOVE, node.module)
        rows += [row] if row.removed else []
        fresh += 1
    return graph.with_nodes(nodes, rows) if gone else graph


def _free(chain: Node, reader: Node, users: Mapping[int, list[Node]], graph: Graph) -> bool:
    """Whether a chain is one that this reader alone reads, and that may change its place."""
    if not isinstance(chain.attrs, Affine) or chain.id in graph.outputs or users[chain.id] != [reader]:
        return False
    attrs = chain.attrs
    return not (attrs.turned or attrs.multiplier) and attrs.rescale == attrs.unit == 1.0


def _behind(
    node: Node, reader: Node, producer: Node | None, users: Mapping[int, list[Node]], graph: Graph
) -> tuple[Node | None, Node, Node] | None:
    """What makes the chain's operand (if it changes), the window on that operand, and the chain behind it."""
    attrs = node.of(Affine)
    laid = relaid(attrs.steps, node, reader)
    if laid is None and not attrs.turned:
        step = lay(reader, [Part(attrs.steps, node.shape)])
        laid = None if step is None else (step,)
    if laid is None or attrs.multiplier or attrs.rescale != 1.0 or attrs.unit != 1.0:
        return None
    weights, turned = None, attrs.turned
    if reader.op == "max_pool":
        if turned < len(attrs.steps) and not all(_rising(step) for step in attrs.steps[turned:]):
            if turned or producer is None or not _turnable(producer, node, users, graph):
                return None
            weights, turned = producer.with_attrs(turn=attrs.steps), len(attrs.steps)
    elif isinstance(reader.attrs, Pool) or reader.op == "reduce":
        spread = _summed(laid, reader)
        if spread is None:
            return None
        laid = spread
    elif isinstance(reader.attrs, Move) and reader.attrs.fill is not None:
        return None
    if reader.numel > node.numel and not leads_to_thresholds(reader, users, graph):
        return None
    moved = replace(reader, id=node.id, inputs=node.inputs)
    if moved.op == "max_pool" or moved.row.moves:
        source = producer.domain if producer is not None else node.domain
        moved = replace(moved, domain=source)
    chain = replace(node, id=reader.id, inputs=(node.id,), shape=reader.shape, domain=reader.domain,
                    attrs=replace(attrs, steps=laid, turned=turned))  # fmt: skip
    return weights, moved, chain


def _rising(step: Step) -> bool:
    """Whether a step is known not to fall."""
    return step.fn in ("add", "sub") or (step.fn in ("mul", "div") and rises(step))


def _turnable(producer: Node, node: Node, users: Mapping[int, list[Node]], graph: Graph) -> bool:
    """Whether the signs of the weights behind a chain can be turned channel by channel."""
    if not isinstance(producer.attrs, Product) or "weight" not in producer.consts or producer.attrs.turn:
        return False
    alone = len(users[producer.id]) == 1 and producer.id not in graph.outputs and "bias" not in producer.consts
    return alone and producer.op == "conv" and axis_of(node.of(Affine).steps, len(node.shape)) in (1, None)


def _summed(steps: tuple[Step, ...], reader: Node) -> tuple[Step, ...] | None:
    """The chain behind a sum of equally many terms: its biases count once a term."""
    if not any(step.has_bias for step in steps):
        return steps
    window = reader.window
    if window is not None and any(window.padding):
        return None
    count = reader.attrs.count if isinstance(reader.attrs, (Pool, Reduce)) else 0
    additions = reader.attrs.additions if isinstance(reader.attrs, Pool) else None
    if not count or additions not in (None, reader.numel * (count - 1)):  # windows of different size
        return None
    if all(
        step.fn in ("mul", "div") or (step.fn in ("add", "sub") and step.constants[0] is not None) for step in steps
    ):
        return tuple(_times(step, count) for step in steps)
    return (literal_step(1.0 / count), *steps, literal_step(float(count)))


def _times(step: Step, count: int) -> Step:
    (constant,) = step.constants
    if step.fn in ("mul", "div") or constant is None:
        return step
    if constant.literal is not None:
        return replace(step, constants=(replace(constant, literal=constant.literal * count),))
    return replace(step, constants=(replace(constant, factor=constant.factor * count),))
