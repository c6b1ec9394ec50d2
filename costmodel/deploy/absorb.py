r"""What stands in front of a threshold is a part of it.

A threshold compares :math:`g(x)` with a number; where :math:`g(f(x))` still changes at most once, :math:`f` becomes
part of it, whenever it came to be there: scales of activations and of weights, biases, batch norm, rectifiers. The
direction follows the sign of the scale, channel by channel.

Precondition: nothing else reads what changes its place, and no output of the network is among it.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.monotone import changes_once
from costmodel.graph.attrs import Affine, Compare, Threshold
from costmodel.graph.domain import Domain
from costmodel.graph.node import Graph, GraphInput, Node, substitute
from costmodel.graph.operands import Constant
from costmodel.graph.vocabulary import Rewrite

WHY_THRESHOLD = "a threshold takes up every monotone function in front of it"


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
        if not all(isinstance(r, Node) and r.op == "threshold" and fits_into(node, r) for r in current):
            continue
        for reader in current:
            assert isinstance(reader, Node)
            table[reader.id] = _taken_up(node, source, reader)
        rows.append(rewrite_row("scale or bias into threshold", [node], [], WHY_THRESHOLD, node.module))
        users[source.id] = [u for u in users[source.id] if u.id != node.id] + readers
        users[node.id] = []
    nodes = [n for n in (table[n.id] for n in graph.nodes) if isinstance(n, Node)]
    return graph.with_nodes(nodes, (row for row in reversed(rows) if row.removed)) if rows else graph


def fits_into(node: Node, threshold: Node) -> bool:
    """Whether what a threshold compares is still a comparison with ``node`` in front of it."""
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
