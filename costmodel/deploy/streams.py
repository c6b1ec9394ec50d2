r"""Streams whose scales are tied: every multiplication becomes a shift, exactly.

Let all values that are added to each other (a residual stream) be stored divided by one number :math:`\sigma`, the
unit of the stream. PReLU, pooling and shifts are positively homogeneous and do not notice; thresholds and biases are
divided offline; real sums read :math:`\sigma` into their weights. A convolution that writes :math:`s_c P` into a stream
of unit :math:`\sigma` now multiplies by :math:`s_c \sigma_{in} / \sigma`. If a network was trained with
:math:`s_c = 2^{j_c} \sigma / \sigma_{in}` (``scale="tied"`` in the zoo), this is a shift for every convolution at once.

Precondition, checked place by place: :math:`s_c \sigma_{in} / \sigma` is a power of two for every channel. Otherwise
the unit that frees the most operations is taken, and the other places keep their multiplication.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.constants import Constants
from costmodel.deploy.program import Array
from costmodel.graph.affine import Step, chain_class
from costmodel.graph.attrs import Affine, Product
from costmodel.graph.node import Graph, Node
from costmodel.graph.vocabulary import Rewrite

#: Deviation of a base-two logarithm from an integer: what single precision leaves on a product of a few constants.
_TOLERANCE = 4.5e-6
WHY = (
    "the scales of all convolutions that write into a stream are equal up to powers of two: their unit moves out of it"
)


def normalise_streams(graph: Graph) -> Graph:
    """Choose a unit for every stream and turn the scales that it frees into shifts."""
    constants = Constants(graph)
    group = _groups(graph)
    fixed = _fixed(graph, group)
    scales = {n.id: _scale(constants, n, n.attrs.steps) for n in graph.nodes if isinstance(n.attrs, Affine)}
    units: dict[int, float] = dict.fromkeys(fixed, 1.0)
    for node in graph.nodes:  # a stream is first written before it is read
        own = group[node.id]
        if own not in units:
            units[own] = _unit(graph, own, group, units, scales)
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        made = _in_units(node, [units[group[i]] for i in node.inputs], units[group[node.id]], scales.get(node.id))
        if isinstance(made.attrs, Affine) and made.attrs.multiplier == "tied":
            rows.append(rewrite_row("scale tied to its stream", [node], [made], WHY, node.module))
        nodes.append(made)
    return graph.with_nodes(nodes, rows)


def _scale(constants: Constants, node: Node, steps: tuple[Step, ...]) -> Array:
    """The scale of a chain; not a number where a real size of one-bit values is in it, which thresholds tell later."""
    real = any(step.tag == "act_scale" and step.scale_class == "real" for step in steps)
    return constants.chain(steps, len(node.shape), lambda constant: np.nan if real else 1.0)[0]


def _groups(graph: Graph) -> dict[int, int]:
    """The values that must share a unit, by the number of one of them."""
    parent = {leaf.id: leaf.id for leaf in graph.inputs} | {node.id: node.id for node in graph.nodes}

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for node in graph.nodes:
        signed = node.row.weighted and node.of(Product).weight.kind == "binary"
        shifted = isinstance(node.attrs, Affine) and chain_class(node.attrs.steps) != "real"
        if node.row.homogeneous or signed or shifted:
            for source in node.inputs:
                parent[find(source)] = find(node.id)
    return {i: find(i) for i in parent}


def _fixed(graph: Graph, group: dict[int, int]) -> set[int]:
    """Groups whose unit is one: inputs, outputs, one-bit values, and operands of what is not homogeneous."""
    pinned = [leaf.id for leaf in graph.inputs] + list(graph.outputs)
    for node in graph.nodes:
        if node.op == "threshold":
            pinned.append(node.id)
        elif not (node.row.homogeneous or node.row.weighted or node.op == "affine"):
            pinned += [node.id, *node.inputs]
    return {group[i] for i in pinned}


def _unit(graph: Graph, own: int, group: dict[int, int], units: dict[int, float], scales: dict[int, Array]) -> float:
    """The unit in [1, 2) that turns most multiplications into this group into shifts."""
    votes: dict[float, int] = defaultdict(int)
    for node in graph.nodes:
        source = group[node.inputs[0]] if node.inputs else own
        if node.op != "affine" or group[node.id] != own or source == own or source not in units:
            continue
        fractions = _fractions(scales[node.id] * units[source])
        if fractions is None:
            continue
        known = next((f for f in votes if _distance(f - fractions) <= _TOLERANCE), fractions)
        votes[known] += node.numel
    return float(2.0 ** max(votes, key=lambda f: votes[f])) if votes else 1.0


def _fractions(values: Array) -> float | None:
    """The common fractional part of the logarithms of all channels, or None where they differ."""
    with np.errstate(divide="ignore"):
        logs = np.log2(np.abs(values)).ravel()
    if not bool(np.isfinite(logs).all()) or max(_distance(d) for d in logs - logs[0]) > _TOLERANCE:
        return None
    return float(logs[0] % 1.0)


def _distance(x: float) -> float:
    return float(abs(x - round(x)))


def _in_units(node: Node, sources: list[float], own: float, scale: Array | None) -> Node:
    """The node on values that are divided by their units."""
    source = sources[0] if sources else 1.0
    if isinstance(node.attrs, Affine):
        real = chain_class(node.attrs.steps) == "real"
        tied = real and scale is not None and _is_shift(scale * (source / own))
        return node.with_attrs(rescale=source / own, unit=own, multiplier="tied" if tied else "")
    if node.op == "threshold":
        return node.with_attrs(unit=source)
    if node.row.weighted and node.of(Product).weight.kind != "binary":
        return node.with_attrs(unit_in=source, unit=own)
    return node


def _is_shift(values: Array) -> bool:
    with np.errstate(divide="ignore"):
        logs = np.log2(np.abs(values)).ravel()
    return bool(np.isfinite(logs).all()) and max(_distance(x) for x in logs) <= _TOLERANCE


def multiplications_left(graph: Graph) -> tuple[Node, ...]:
    """The affine nodes that still multiply by a real constant."""
    return tuple(
        n for n in graph.nodes
        if isinstance(n.attrs, Affine) and chain_class(n.attrs.steps) == "real" and not n.attrs.multiplier
    )  # fmt: skip
