r"""Gain and shift of a normalisation, in front of a threshold, are a part of it.

:math:`g_c n + b_c \ge T` for a normalised :math:`n` is :math:`n \ge (T - b_c)/g_c`, in the direction of the sign of
:math:`g_c`: what a batch norm with known statistics is in front of a threshold, one by the statistics of the input is
behind its division.

Precondition: thresholds alone read the normalisation, and what these compare still changes at most once.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.absorb import fits_into
from costmodel.deploy.account import rewrite_row
from costmodel.graph.affine import Step
from costmodel.graph.attrs import Affine, Norm
from costmodel.graph.node import Graph, Node
from costmodel.graph.operands import Constant
from costmodel.graph.vocabulary import Rewrite

WHY = "gain and shift behind a normalisation move the thresholds that read it"


def split_norms(graph: Graph) -> Graph:
    """Take gain and shift off the normalisations that only thresholds read, as a chain for these to take up."""
    users, fresh = graph.users(), graph.free_id()
    nodes: list[Node] = []
    rows: list[Rewrite] = []
    for node in graph.nodes:
        readers = users[node.id]
        if not isinstance(node.attrs, Norm) or not (node.attrs.gain or node.attrs.shift) or node.id in graph.outputs:
            nodes.append(node)
            continue
        chain = _chain(node, fresh)
        if chain is None or not readers or not all(r.op == "threshold" and fits_into(chain, r) for r in readers):
            nodes.append(node)
            continue
        consts = {name: c for name, c in node.consts.items() if name not in ("gain", "shift")}
        bare = replace(node, id=fresh, consts=consts, attrs=replace(node.attrs, gain=False, shift=False))
        nodes += [bare, chain]
        rows.append(rewrite_row("gain and shift off a normalisation", [node], [bare, chain], WHY))
        fresh += 1
    return graph.with_nodes(nodes, [row for row in rows if row.removed]) if len(nodes) > len(graph.nodes) else graph


def _chain(node: Node, source: int) -> Node | None:
    """Gain and shift of a normalisation as a chain behind it; None where their numbers are not known."""
    attrs = node.of(Norm)
    named = [name for name, there in (("gain", attrs.gain), ("shift", attrs.shift)) if there]
    if not all(name in node.consts for name in named):
        return None
    steps = tuple(
        Step("mul", (_laid(node, name),), "bn_scale") if name == "gain" else Step("add", (_laid(node, name),), "bias")
        for name in named
    )
    return replace(node, op="affine", inputs=(source,), consts={}, attrs=Affine(steps), tags=())


def _laid(node: Node, name: str) -> Constant:
    """The constant as it lies against the result: of a layer norm along its last dimensions, else along channels."""
    constant = node.consts[name]
    if node.of(Norm).fn in ("native_layer_norm", "_fused_rms_norm") or not constant.shape:
        return constant
    return replace(constant, shape=(*constant.shape, *(1 for _ in node.shape[2:])))
