r"""What stands in front of a threshold, or of a pooling window, and need not be computed there.

* *absorb*: a threshold compares :math:`g(x)` with a number; where :math:`g(f(x))` still changes at most once, :math:`f`
  becomes part of the threshold, whenever it came to be there: scales of activations and of weights, biases, batch norm,
  rectifiers. The direction follows the sign of the scale, channel by channel.
* *sink*: :math:`\max_i (a x_i + b) = a \max_i x_i + b` for :math:`a > 0`, and :math:`\sum_i (a x_i + b) = a \sum_i x_i
  + k b` for sums of :math:`k`; what only moves elements does not see a scale that they share. So a chain of scales and
  biases goes behind a window or a move, to where it meets fewer elements, a threshold, weights or another chain. A
  scale of unknown sign passes a maximum if it stands behind a sum over weights: :math:`a P = |a| (\pm P)`, and the
  signs of that channel's weights turn.
* *raise*: a threshold that is the same for all elements may stand before a move instead of behind it, where it meets
  a chain that differs by channel.

Precondition: nothing else reads what changes its place, and no output of the network is among it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.monotone import changes_once, rises
from costmodel.graph.affine import Step, chain_class, literal_step
from costmodel.graph.attrs import Affine, Compare, Move, Pool, Product, Reduce, Threshold
from costmodel.graph.domain import Domain
from costmodel.graph.node import Graph, GraphInput, Node, substitute
from costmodel.graph.operands import Constant
from costmodel.graph.vocabulary import Rewrite

WHY_THRESHOLD = "a threshold takes up every monotone function in front of it"
WHY_SINK = "a scale that all elements of a window share multiplies its result instead"


def absorb_into_thresholds(graph: Graph) -> Graph:
    """Make every monotone function that only thresholds read a part of these."""
    table = graph.by_id()
    users = graph.users()
    rows: list[Rewrite] = []
    for node in reversed(graph.nodes):
        readers = users[node.id]
        if not readers or node.id in graph.outputs or not node.row.elementwise or len(node.inputs) != 1:
            continue
        current = [table[reader.id] for reader in readers]
        source = table[node.inputs[0]]
        if source.domain.is_one_bit or source.shape != node.shape:
            continue
        if not all(isinstance(r, Node) and r.op == "threshold" and _fits(node, r) for r in current):
            continue
        for reader in current:
            assert isinstance(reader, Node)
            table[reader.id] = _taken_up(node, source, reader)
        rows.append(rewrite_row("scale or bias into threshold", [node], [], WHY_THRESHOLD, node.module))
        users[source.id] = [u for u in users[source.id] if u.id != node.id] + readers
        users[node.id] = []
    nodes = [n for n in (table[n.id] for n in graph.nodes) if isinstance(n, Node)]
    return graph.with_nodes(nodes, (row for row in reversed(rows) if row.removed)) if rows else graph


def _fits(node: Node, threshold: Node) -> bool:
    return changes_once(_joined(node, threshold), node.inputs[0])


def _joined(node: Node, threshold: Node) -> tuple[Node, ...]:
    """What a threshold stands for, with ``node`` in front of it."""
    source = source_of(threshold.inner)
    return (node, *substitute(threshold.inner, {source: node.id} if source != node.id else {}))


def source_of(inner: tuple[Node, ...]) -> int:
    """What the nodes behind a threshold read. It keeps its name where the threshold came to read something equal."""
    names = {part.id for part in inner}
    return next(i for part in inner for i in part.inputs if i not in names)


def _taken_up(node: Node, source: Node | GraphInput, threshold: Node) -> Node:
    inner = _joined(node, threshold)
    attrs = threshold_attrs(source, inner, threshold.of(Threshold).levels)
    return replace(threshold, inputs=node.inputs, inner=inner, attrs=attrs)


def threshold_attrs(source: Node | GraphInput, inner: tuple[Node, ...], levels: int = 2) -> Threshold:
    """How many numbers the thresholds of a function of ``source`` are, and of which width: none where all are zero."""
    bits = source.domain.bits
    channels = max((c.numel for node in inner for c in constants_of(node)), default=1)
    none = levels == 2 and at_zero(inner)
    return Threshold(bits, 0 if none else channels, Domain("float" if source.domain.is_float else "int", bits),
                     levels=levels)  # fmt: skip


def at_zero(inner: tuple[Node, ...]) -> bool:
    """Whether a function switches at zero: a sign, or a comparison with zero, behind nothing but scales."""
    for node in inner:
        if isinstance(node.attrs, Affine) and not any(step.has_bias for step in node.attrs.steps):
            continue
        if node.op == "cast":
            continue
        return node.op == "sign" or (isinstance(node.attrs, Compare) and node.attrs.bound == 0)
    return False


def constants_of(node: Node) -> list[Constant]:
    steps = node.attrs.steps if isinstance(node.attrs, Affine) else ()
    return [*node.consts.values(), *(c for step in steps for c in step.constants if c is not None)]


# -- behind windows and moves ----------------------------------------------------------------------------------------


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
        if node.id in swapped or reader.id in swapped or not _worth(node, reader, users, graph):
            continue
        producer = table.get(node.inputs[0])
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


def _worth(node: Node, reader: Node, users: Mapping[int, list[Node]], graph: Graph) -> bool:
    """Whether a chain is better off behind this reader: it multiplies fewer elements there, or what takes it up."""
    windowed = reader.row.pool or _sums(reader)
    if windowed and chain_class(node.of(Affine).steps) != "one":
        return True
    if windowed and reader.op != "max_pool":
        return False
    if not (reader.row.moves or windowed) or len(reader.inputs) != 1 or reader.consts or reader.row.joins:
        return False
    current = reader
    while current.id not in graph.outputs and len(users[current.id]) == 1:
        (current,) = users[current.id]
        if current.op in ("threshold", "affine"):
            return True
        if not current.row.moves and not current.row.pool:
            return False
    return False


def _sums(node: Node) -> bool:
    return node.op == "mean" or (isinstance(node.attrs, Reduce) and node.attrs.fn in ("sum", "nansum"))


def _behind(
    node: Node, reader: Node, producer: Node | None, users: Mapping[int, list[Node]], graph: Graph
) -> tuple[Node | None, Node, Node] | None:
    """What makes the chain's operand (if it changes), the window on that operand, and the chain behind it."""
    attrs = node.of(Affine)
    laid = _relaid(attrs.steps, node, reader)
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
    if reader.numel > node.numel:
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
    return alone and producer.op == "conv" and axis_of(node.attrs, len(node.shape)) in (1, None)


def axis_of(attrs: object, rank: int) -> int | None:
    """The one dimension along which the constants of a chain differ: None for none, -1 for several."""
    assert isinstance(attrs, Affine)
    found: set[int] = set()
    for step in attrs.steps:
        for constant in step.constants:
            if constant is None or constant.numel == 1:
                continue
            if step.fn == "batch_norm":
                found.add(1)
                continue
            found.update(rank - len(constant.shape) + k for k, size in enumerate(constant.shape) if size > 1)
    if not found:
        return None
    return found.pop() if len(found) == 1 else -1


def _relaid(steps: tuple[Step, ...], node: Node, reader: Node) -> tuple[Step, ...] | None:
    """The chain for the shape of the reader's result, or None where it does not lie on that."""
    axis = axis_of(Affine(steps), len(node.shape))
    if axis is None:
        return steps
    if axis != 1 or not (reader.row.keeps_channels or reader.row.pool or _keeps_one(node, reader)):
        return None
    if len(reader.shape) < 2 or reader.shape[1] != node.shape[1]:
        return None
    return tuple(_onto(step, len(reader.shape)) for step in steps)


def _keeps_one(node: Node, reader: Node) -> bool:
    """Whether a reader leaves dimension 1 in its place: a sum over later ones, or a view that only drops those."""
    if isinstance(reader.attrs, (Pool, Reduce)):
        axes = tuple(a % len(node.shape) for a in reader.attrs.axes)
        return bool(axes) and 0 not in axes and 1 not in axes
    return reader.op == "view" and reader.shape[:2] == node.shape[:2] and math.prod(node.shape[2:]) == 1


def _onto(step: Step, rank: int) -> Step:
    """A step whose constants lie along dimension 1 of a tensor of ``rank`` dimensions."""
    if step.fn == "batch_norm":
        return step

    def laid(constant: Constant | None) -> Constant | None:
        if constant is None or constant.numel == 1:
            return constant
        return replace(constant, shape=(constant.numel, *(1 for _ in range(rank - 2))))

    return replace(step, constants=tuple(laid(c) for c in step.constants))


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
