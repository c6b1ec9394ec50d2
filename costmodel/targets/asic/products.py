"""Sums of products on the array: how lanes are laid out, which tiles follow, what the arithmetic and registers cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Charge, Layer
from costmodel.targets import arith
from costmodel.targets.asic.array import Array, Dataflow, Product, Tiling, choose, product_of, tile
from costmodel.targets.asic.bill import Bill
from costmodel.targets.asic.work import Item


def tiling_of(
    layer: Layer,
    own: list[Charge],
    items: list[Item],
    array: Array,
    bill: Bill,
    settings: Mapping[str, Any],
    chosen: str,
) -> tuple[Tiling, Product, Any]:
    """Tiles of a sum of products under the chosen dataflow, its geometry, and the terms that are summed at once;
    ``best`` takes the smaller product of the energy of moving bits and of time."""
    real_bits = bill.technology.real_bits
    weight_bits = sum(item.bits for item in items if item.role == "weight")
    inputs = [item for item in items if item.role == "input"]
    if not weight_bits and len(inputs) > 1:  # a product of two activations: the second is held like a weight
        weight_bits = inputs[1].bits
    input_bits, bits_a = (inputs[0].bits, inputs[0].width) if inputs else (0, real_bits)
    one_bit = [c for c in own if c.kind == "popcount"]
    planes = max(1, one_bit[0].count // layer.macs) if one_bit and layer.macs else 1
    sums = [c.bits_acc for c in own if c.bits_acc]
    bits_acc = arith.either(settings["accumulator_bits"], bill.technology.width(max(sums, default=real_bits)))
    product = product_of(layer, weight_bits, input_bits, bits_a, bits_acc, planes)
    shape = array if one_bit else _lanes(product, own, settings)
    port, window_buffer = bill.technology.port, settings["window_buffer"]
    if chosen != "best":
        return tile(product, shape, cast(Dataflow, chosen), port, window_buffer), product, shape.terms
    both = [tile(product, shape, flow, port, window_buffer) for flow in ("output", "weight")]
    costs = [bill.movement(t) * t.cycles for t in both]
    return choose(costs[0] <= costs[1], *both), product, shape.terms


def _lanes(product: Product, own: list[Charge], settings: Mapping[str, Any]) -> Array:
    """How the multiply-accumulate lanes are laid out: channels, terms that an adder tree sums, positions.

    Products by weights of one bit are signs, so their lanes feed adder trees of ``tree_terms`` at the least, or of all
    lanes that the channels leave over. Other products are accumulated one by one.
    """
    lanes = settings["mac_lanes"]
    terms: Any = 1
    if any(c.kind == "signflip" for c in own):
        spare = lanes // arith.minimum(product.channels, lanes)
        terms = arith.minimum(arith.maximum(arith.minimum(settings["tree_terms"], lanes), spare), product.terms)
    side = arith.minimum(product.channels, lanes // terms)
    return Array(side, terms, lanes // (side * terms))


def compute(
    bill: Bill, layer: Layer, own: list[Charge], product: Product, tiling: Tiling, array: Array, tree: Any
) -> None:
    """Trees of XNOR and popcount or of adders with their accumulation, or multipliers and adders, and the registers of
    the array. ``tree`` is the terms that an adder tree sums. Sums of signed numbers and the registers that hold them
    change as often as the real values that were measured."""
    activity: tuple[str, ...] = ()
    for charge in own:
        if charge.kind == "popcount":
            bill.tree(charge, array.terms)
            additions = product.outputs * tiling.term_tiles * product.planes
            bill.unit(layer.index, "accumulate", "add", additions, product.bits_acc)
        elif charge.kind in ("xnor", "and") and OPS[layer.op].product:
            bill.unit(layer.index, charge.kind, "xnor", charge.count, 1)
        elif charge.kind == "signflip" and charge.bits_acc:
            bill.adder_tree(charge, tree, -1 in layer.inputs)
            additions = product.outputs * tiling.term_tiles
            activity = bill.activity(False)
            bill.unit(layer.index, "accumulate", "add", additions, product.bits_acc, more=activity)
        else:
            bill.element(charge)
    bill.registers(layer.index, tiling.register_bits, activity)
