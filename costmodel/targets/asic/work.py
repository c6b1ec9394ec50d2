"""What an accelerator has to do: the ledger sorted by layer, and where each tensor of the network lives meanwhile.

A result that the next operation alone consumes, element by element, stays in the pipeline registers. Any other tensor
occupies the activation buffer from its producer to its last reader; where the buffer is full it goes to DRAM. Counts
are exact integers of bits. None of this depends on the technology, so it is kept for the ledgers seen last.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from costmodel.graph.domain import FLOAT_BITS
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Charge, Layer, Ledger, Role
from costmodel.ledger.ledger import stored_bits as held_bits
from costmodel.targets import arith
from costmodel.targets.arrays import each, is_array
from costmodel.targets.bits import narrowed

Where = Literal["pipeline", "sram", "dram"]


@dataclass(frozen=True, slots=True)
class Item:
    """One operand or result of a layer: ``bits`` in all, ``width`` of an element."""

    role: Role
    tensor: str
    bits: int
    width: int
    count: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value between operations; ``first`` is the layer that makes it (-1: none), ``readers`` are those that read.

    ``streamed``: it stays in the pipeline registers; else ``in_dram`` says whether it leaves the chip, for an array of
    capacities as an array.
    """

    name: str
    bits: int
    first: int
    readers: tuple[int, ...]
    streamed: bool
    in_dram: Any

    @property
    def where(self) -> Where:
        return "pipeline" if self.streamed else "dram" if self.in_dram else "sram"


@dataclass(frozen=True, slots=True)
class Widths:
    """Bits of real numbers: of the stream of values, of the weights of real layers, of the network's input, and, as
    (layer, bits), of the weights of single layers and of the values that single layers take in."""

    real: int
    weight: int
    input: int
    layers: tuple[tuple[int, int], ...] = ()
    values: tuple[tuple[int, int], ...] = ()

    def value_of(self, layer: int) -> int:
        """Bits of a real value that a layer takes in."""
        return next((bits for index, bits in self.values if index == layer), self.real)

    def weight_of(self, layer: int) -> int:
        return next((bits for index, bits in self.layers if index == layer), self.weight)

    def text(self) -> str:
        """As the option ``bits`` takes it."""
        return f"real={self.real},weight={self.weight},input={self.input}"


@dataclass(frozen=True, eq=False)
class Work:
    """A ledger by layer, with real numbers in the bits of ``widths``: stored so, and so in sums of products."""

    ledger: Ledger
    widths: Widths
    charges: dict[int, list[Charge]]
    items: dict[int, list[Item]]
    weight_bits: int
    #: Every kind of operation with its widths, once: whether it is in a sum of products, and one charge of it.
    kinds: tuple[tuple[bool, Charge], ...]
    #: Multiply-accumulates of all layers, one-bit products that are counted, and names of the layers.
    macs: int
    popcounts: int
    names: tuple[str, ...]
    _placed: dict[int, dict[str, Tensor]] = field(default_factory=dict, repr=False)

    def tensors(self, capacity_bits: Any) -> dict[str, Tensor]:
        """Every tensor with its place, for an activation buffer of ``capacity_bits`` or for an array of them."""
        if is_array(capacity_bits):
            return {name: replace(t, in_dram=self._leaves(name, capacity_bits)) for name, t in self.tensors(0).items()}
        if capacity_bits not in self._placed:
            self._placed[capacity_bits] = place(self, capacity_bits)
        return self._placed[capacity_bits]

    def _leaves(self, name: str, capacity_bits: Any) -> Any:
        """Whether a tensor is in DRAM: one answer where it is the same for all capacities, else an array."""
        leaves = each(lambda bits: self.tensors(bits)[name].in_dram, capacity_bits)
        return leaves if is_array(leaves) and leaves.any() and not leaves.all() else bool(arith.all_of(leaves))


_SEEN: dict[tuple[int, Widths], Work] = {}
_KEEP = 16


def work_of(ledger: Ledger, widths: Widths) -> Work:
    """The ledger by layer; sorted once for each choice of widths."""
    key = (id(ledger), widths)
    found = _SEEN.get(key)
    if found is None:  # the ledger is held by the value, so its identity stays its own
        if len(_SEEN) >= _KEEP:
            _SEEN.clear()
        found = _SEEN[key] = _sort(ledger, widths)
    return found


def stored_bits(bits: int, real_bits: int) -> int:
    """Width of an element in memory: a real number takes the width of the chosen arithmetic."""
    return real_bits if bits == FLOAT_BITS else bits


def is_streamed_read(tensor: Tensor, layer: Layer) -> bool:
    """Whether a layer takes the tensor from the pipeline, right behind its producer."""
    return layer.index == tensor.first + 1 and OPS[layer.op].streamed


def _sort(ledger: Ledger, widths: Widths) -> Work:
    charges: dict[int, list[Charge]] = {layer.index: [] for layer in ledger.layers}
    items: dict[int, list[Item]] = {layer.index: [] for layer in ledger.layers}
    made = {t.tensor for t in ledger.traffic if t.role == "output"}
    products = {layer.index: layer for layer in ledger.layers if OPS[layer.op].product}
    weighed = {t.layer for t in ledger.traffic if t.role == "weight"}
    own = [_in_product(c, products[c.layer], weighed, widths) if c.layer in products else c for c in ledger.charges]
    for charge in own:
        charges.setdefault(charge.layer, []).append(charge)
    readers: dict[str, list[int]] = {}
    for t in ledger.traffic:
        if t.role == "input" and t.tensor in made:
            readers.setdefault(t.tensor, []).append(t.layer)
    narrow = narrowed(readers, widths.values) if widths.values else {}
    joined = _read_joined(ledger)
    for t in ledger.traffic:
        if t.role == "weight":
            width = stored_bits(t.bits, widths.weight_of(t.layer))
        elif t.role == "input" and t.tensor not in made and t.layer not in joined:
            width = stored_bits(t.bits, widths.input)
        else:
            width = stored_bits(t.bits, narrow.get(t.tensor, widths.real))
        items.setdefault(t.layer, []).append(Item(t.role, t.tensor, t.count * width, width, t.count))
    weights = 0
    for wide in dict.fromkeys((widths.weight, *(bits for _, bits in widths.layers))):
        weights += held_bits(
            (t for t in ledger.traffic if t.role == "weight" and widths.weight_of(t.layer) == wide),
            lambda b, wide=wide: stored_bits(b, wide),  # type: ignore[misc]
        )
    weights += held_bits((t for t in ledger.traffic if t.role != "weight"), lambda b: stored_bits(b, widths.real))
    kinds = {(c.layer in products, c.kind, c.bits_a, c.bits_b, c.bits_acc): c for c in own}
    once = tuple((key[0], charge) for key, charge in kinds.items())
    macs = sum(layer.macs for layer in ledger.layers)
    popcounts = sum(c.count for c in ledger.charges if c.kind == "popcount")
    names = tuple(layer.name for layer in ledger.layers)
    return Work(ledger, widths, charges, items, weights, once, macs, popcounts, names)


def _read_joined(ledger: Ledger) -> set[int]:
    """Layers that read results of others side by side, which no layer makes, and not the network's input alone."""
    layers = {layer.index: layer for layer in ledger.layers}

    def joins(index: int) -> bool:
        return index >= 0 and OPS[layers[index].op].joins

    def inside(index: int) -> bool:
        return any(map(inside, layers[index].inputs)) if joins(index) else index >= 0

    return {layer.index for layer in ledger.layers if any(joins(i) and inside(i) for i in layer.inputs)}


def _in_product(charge: Charge, layer: Layer, weighed: set[int], widths: Widths) -> Charge:
    """A multiplication or a sign in a sum of products, its operands as wide as they are stored."""
    if charge.kind not in ("mul", "signflip"):
        return charge
    a, b = charge.bits_a, charge.bits_b
    if a == FLOAT_BITS and -1 in layer.inputs and widths.input != widths.real:
        a = widths.input
    elif a == FLOAT_BITS and widths.value_of(layer.index) != widths.real:
        a = widths.value_of(layer.index)
    if b == FLOAT_BITS and layer.index in weighed and widths.weight_of(layer.index) != widths.real:
        b = widths.weight_of(layer.index)
    return charge if (a, b) == (charge.bits_a, charge.bits_b) else replace(charge, bits_a=a, bits_b=b)


def place(work: Work, capacity_bits: int) -> dict[str, Tensor]:
    """Tensors in the order in which they are made, each on the chip if it fits next to those that live at that time.

    The network's input comes from DRAM, and a result that nobody reads goes there. The parts of a concatenation live
    until its last reader; the concatenation itself takes no room next to them.
    """
    size: dict[str, int] = {}
    made: dict[str, int] = {}
    readers: dict[str, list[int]] = {}
    for index, items in work.items.items():
        for item in items:
            if item.role in ("input", "output"):
                size[item.tensor] = item.bits
                if item.role == "output":
                    made[item.tensor] = index
                else:
                    readers.setdefault(item.tensor, []).append(index)
    parts = _concatenations(work, made, readers)
    used = [0] * (len(work.ledger.layers) + 2)
    ops = {layer.index: layer.op for layer in work.ledger.layers}
    placed: dict[str, Tensor] = {}
    until = {name: max(reads) for name, reads in readers.items()}
    inside: set[str] = set()
    for whole, members in parts.items():
        inside.update(members)
        for member in members:
            until[member] = max(until.get(member, 0), until[whole])
    for name in sorted(made, key=lambda n: made[n]):
        first, reads = made[name], tuple(readers.get(name, ()))
        where: Where = "dram"
        if reads == (first + 1,) and name not in inside and first + 1 in ops and OPS[ops[first + 1]].streamed:
            where = "pipeline"
        elif name in until:
            lifetime = slice(first, until[name] + 1)
            if max(used[lifetime]) + size[name] <= capacity_bits:
                where = "sram"
                used[lifetime] = [bits + size[name] for bits in used[lifetime]]
        placed[name] = Tensor(name, size[name], first, reads, where == "pipeline", where == "dram")
    for name in readers:
        if name not in made:
            on_chip = name in parts and all(placed[member].where != "dram" for member in parts[name])
            placed[name] = Tensor(name, size[name], -1, tuple(readers[name]), False, not on_chip)
    return placed


def _concatenations(work: Work, made: dict[str, int], readers: dict[str, list[int]]) -> dict[str, list[str]]:
    """Tensors that no layer makes because they are others side by side, with these others."""
    layers = {layer.index: layer for layer in work.ledger.layers}
    tensor_of = {index: name for name, index in made.items()}
    counts = {item.tensor: item.count for items in work.items.values() for item in items if item.role == "input"}

    def members(index: int) -> list[str]:
        if index in tensor_of:
            return [tensor_of[index]]
        layer = layers.get(index)
        return [name for source in layer.inputs for name in members(source)] if layer and OPS[layer.op].joins else []

    found: dict[str, list[str]] = {}
    for name, reads in readers.items():
        if name in made:
            continue
        for source in layers[reads[0]].inputs:
            layer = layers.get(source)
            if layer is not None and OPS[layer.op].joins and _numel(layer.shape_out) == counts[name]:
                found[name] = members(source)
    return found


def _numel(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
