"""From a graph to its ledger: the layers, what each costs, reads and writes, and where constants are multiplied by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from costmodel.graph.affine import Step, chain_class, chain_per_channel, stored_constants
from costmodel.graph.attrs import Affine, Gate, Product, Threshold
from costmodel.graph.charge import rows, table_bits, table_entries
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Graph, GraphInput, Node
from costmodel.graph.operands import Constant
from costmodel.ledger.ledger import TABLE, Charge, Layer, Ledger, Level, Role, Scale, Traffic
from costmodel.ledger.stores import Stores


def charge(graph: Graph, level: Level) -> Ledger:
    """The account of a graph: the rules applied to every node, and the data followed between them."""
    table = graph.by_id()
    layers: list[Layer] = []
    charges: list[Charge] = []
    traffic: list[Traffic] = []
    scales: list[Scale] = []
    skipped = [_layer(node, -1, (), table) for node in graph.skipped]
    stores = Stores(graph.origins)
    where: dict[int, tuple[int, ...]] = {leaf.id: (-1,) for leaf in graph.inputs}  # value -> layers that produce it
    for node in graph.nodes:
        producers = tuple(dict.fromkeys(i for source in node.inputs for i in where[source]))
        if node.row.moves and not node.row.joins:  # no layer: its readers read from its producers
            where[node.id] = producers
            if node.called is not None and node.called.function == "interpolate nearest":
                skipped.append(_layer(node, -1, producers, table))
            continue
        index = len(layers)
        where[node.id] = (index,)
        layers.append(_layer(node, index, producers, table))
        for kind, tag, count, bits_a, bits_b, bits_acc in rows(node):
            if count:
                charges.append(
                    Charge(index, node.module, node.call, node.op, kind, tag, count, bits_a, bits_b, bits_acc)
                )
        traffic.extend(_traffic(node, index, table, stores))
        if level == "deployed" and isinstance(node.attrs, Affine) and chain_class(node.attrs.steps) == "real":
            scales.append(_scale(node, node.attrs.steps, index, table))
    return Ledger(graph.network, level, tuple(layers), tuple(charges), tuple(traffic), tuple(scales), tuple(skipped))


def _scale(node: Node, steps: tuple[Step, ...], index: int, table: Mapping[int, Node | GraphInput]) -> Scale:
    stored = next((c.path or name for name, c in stored_constants(steps) if name == "scale"), "")
    bits = table_bits(node, table)
    return Scale(index, chain_per_channel(steps), bits, table_entries(node, table) if bits else 0, stored)


def _layer(node: Node, index: int, producers: tuple[int, ...], table: dict[int, Node | GraphInput]) -> Layer:
    first = table.get(node.inputs[0]) if node.inputs else None
    attrs = node.attrs
    a, b = (attrs.a, attrs.b) if isinstance(attrs, (Product, Gate)) else (None, None)
    shape, terms, macs = (attrs.weight_shape, attrs.n_terms, attrs.macs) if isinstance(attrs, Product) else ((), 0, 0)
    return Layer(
        index, node.module, node.call, node.op, producers, first.shape if first is not None else (), node.shape,
        a or (first.domain if first is not None else node.domain), node.domain, b, shape, node.window, terms, macs,
        node.called,
    )  # fmt: skip


# -- traffic ----------------------------------------------------------------------------------------------------------


def _traffic(node: Node, index: int, table: dict[int, Node | GraphInput], stores: Stores) -> Iterable[Traffic]:
    """Every operand is read once and every result written once, at its true width."""
    if node.row.joins:  # its producers write side by side
        return
    for source in node.inputs:
        operand = table[source]
        yield Traffic(index, node.module, f"v{source}", "input", math.prod(operand.shape), operand.domain.bits)
    for name, constant in _constants(node):
        role: Role = "weight" if name == "weight" else "parameter"
        domain = node.attrs.b if name == "weight" and isinstance(node.attrs, Product) else constant.domain
        if constant.literal is None and constant.numel and not stores.nowhere(constant):
            yield Traffic(
                index, node.module, constant.path or name, role, constant.numel, domain.bits,
                *stores.of(node, name, constant),
            )  # fmt: skip
    yield Traffic(index, node.module, f"v{node.id}", "output", math.prod(node.shape), node.domain.bits)


def _constants(node: Node) -> Iterable[tuple[str, Constant]]:
    yield from node.consts.items()
    match node.attrs:
        case Affine(steps=steps, multiplier=multiplier, table_entries=entries):
            if multiplier == "lut":
                yield TABLE, Constant(-2, (entries,), FLOAT)
            yield from ((name, c) for name, c in stored_constants(steps) if multiplier != "lut" or name != "scale")
        case Product(post=post):  # a folded scale is in the weights; a folded bias is stored next to them
            yield from ((n, c) for n, c in stored_constants(post) if n == "bias" and "bias" not in node.consts)
        case Threshold(channels=channels, domain=domain, levels=levels):
            yield "threshold", Constant(-2, (channels * (levels - 1),), domain)
