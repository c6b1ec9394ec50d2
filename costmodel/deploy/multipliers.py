r"""Ways to remove the multiplications by constants that are left after the exact rewrites.

A binary convolution leaves an integer P, and what follows multiplies it by a real constant of its channel. Without
batch normalisation this is the scale of the weights, gain * mean|w|. What can take its place:

``pow2``  the nearest power of two: one shift
``csd2``, ``csd3``  the nearest sum of two or three signed powers of two: as many shifts, one addition less
``lut``   a table of the products of every possible P, where the factor is an integer of few values: one look-up,
          exact to the last bit of the fixed-point format
``tied``  nothing but shifts, exactly, if the network was trained so; see :mod:`costmodel.deploy.streams`

All but ``tied`` act on what comes out of the exact rewrites, place by place, so that each layer may have another; what
they cannot serve stays a multiplication.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from costmodel.deploy.program import Array
from costmodel.errors import CostmodelError
from costmodel.graph.affine import chain_class
from costmodel.graph.attrs import Affine
from costmodel.graph.charge import table_bits, table_entries
from costmodel.graph.multipliers import TERMS
from costmodel.graph.node import Graph, Node
from costmodel.ledger.scales import of_layers, parse


def replace_multipliers(graph: Graph, option: str) -> Graph:
    """Mark every multiplication by a real constant with what takes its place. ``exact`` leaves the graph as it is.

    ``option`` is for all layers, or for those that it names, as for :func:`costmodel.ledger.scales.with_scale`.
    Raises :class:`UnknownNameError` for an option or a layer that does not exist, and :class:`CostmodelError` for
    ``tied`` in some layers: it is a matter of whole streams.
    """
    wanted = parse(option)
    if wanted == (("*", "tied"),):
        from costmodel.deploy.streams import normalise_streams

        normalised: Graph = normalise_streams(graph)
        return normalised
    if any(each == "tied" for _, each in wanted):
        raise CostmodelError(f"scale {option}: tied is of all layers that share a stream; give --scale tied")
    names = {node.id: node.name for node in graph.nodes if node.row.joins or not node.row.moves}
    chosen = of_layers(names, wanted)
    table = graph.by_id()

    def mark(node: Node) -> Node:
        each = chosen.get(node.id, "exact")
        if each == "exact" or not isinstance(node.attrs, Affine) or chain_class(node.attrs.steps) != "real":
            return node
        bits = table_bits(node, table)
        if each == "lut" and not bits:
            return node
        entries = table_entries(node, table) if each == "lut" else 0
        return node.with_attrs(multiplier=each, bits_in=bits, table_entries=entries)

    return replace(graph, nodes=tuple(mark(node) for node in graph.nodes))


def terms(option: str) -> int:
    """How many signed powers of two stand for one constant."""
    return TERMS[option]


def nearest_sums(values: Array, count: int) -> tuple[Array, Array]:
    """The nearest sum of at most ``count`` signed powers of two to each value, as integer times 2^exponent.

    ``count`` 1 is nearest in the logarithm. Returns (integers, exponents), shaped as ``values``; a zero stays zero.
    """
    flat = [_nearest_sum(float(v), count) for v in values.ravel()]
    integers = np.array([i for i, _ in flat], dtype=np.int64).reshape(values.shape)
    exponents = np.array([e for _, e in flat], dtype=np.int64).reshape(values.shape)
    return integers, exponents


def _nearest_sum(value: float, count: int) -> tuple[int, int]:
    if value == 0.0 or not np.isfinite(value):
        return 0, 0
    if count == 1:
        return (1 if value > 0 else -1), round(float(np.log2(abs(value))))
    powers = _search(value, count)
    low = min(exponent for _, exponent in powers)
    return sum(sign << (exponent - low) for sign, exponent in powers), low


def _search(value: float, count: int) -> list[tuple[int, int]]:
    """Signed powers of two with the smallest distance of their sum to ``value``.

    The largest term of a best sum is one of the two powers next to the value.
    """
    sign = 1 if value > 0 else -1
    floor = int(np.floor(np.log2(abs(value))))
    best: list[tuple[int, int]] = []
    error = abs(value)
    for exponent in (floor, floor + 1):
        rest = value - sign * 2.0**exponent
        tail = _search(rest, count - 1) if count > 1 and abs(rest) > 2.0 ** (floor - 40) else []
        left = abs(rest - sum(s * 2.0**e for s, e in tail))
        if left < error:
            best, error = [(sign, exponent), *tail], left
    return best
