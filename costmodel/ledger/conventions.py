"""Counting conventions: filters and weights over one profile, so that figures of different papers can be compared.

A convention never counts anew. It selects charges or layers of a :class:`Profile` and weighs them; what it leaves out,
and at what weight it takes the rest, is data that :mod:`costmodel.cli.compare` prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from costmodel.errors import UnknownNameError
from costmodel.graph.domain import Domain
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Charge, Layer, Ledger, Level, Profile

#: Operations whose cost is a number of multiply-accumulates.
#: Width that PokeBNN's arithmetic computation effort assigns to a real number (bfloat16).
ACE_FLOAT_BITS = 16


@dataclass(frozen=True, slots=True)
class Item:
    """``count`` operations of one layer that a convention takes, each at ``weight``; ``term`` says what they are."""

    layer: int
    module: str
    term: str
    count: int
    weight: Fraction = Fraction(1)

    @property
    def value(self) -> Fraction:
        return self.count * self.weight


@dataclass(frozen=True)
class Convention:
    """A way to count. ``items`` selects what it takes from a profile; ``why`` says in words what that is."""

    name: str
    title: str
    level: Level
    unit: str
    why: str
    source: str
    items: Callable[[Profile], Iterable[Item]]

    def count(self, profile: Profile) -> Tally:
        return Tally(self, tuple(item for item in self.items(profile) if item.count))


@dataclass(frozen=True)
class Tally:
    """What one convention says about one network."""

    convention: Convention
    items: tuple[Item, ...]

    @property
    def total(self) -> Fraction:
        return sum((item.value for item in self.items), Fraction(0))

    @property
    def number(self) -> int | float:
        """The total as an integer where it is one."""
        return int(self.total) if self.total.denominator == 1 else float(self.total)

    def by_term(self) -> dict[str, Fraction]:
        table: dict[str, Fraction] = {}
        for item in self.items:
            table[item.term] = table.get(item.term, Fraction(0)) + item.value
        return table

    def by_module(self) -> dict[str, dict[str, Fraction]]:
        """Terms of each module, in execution order."""
        table: dict[str, dict[str, Fraction]] = {}
        for item in sorted(self.items, key=lambda item: item.layer):
            row = table.setdefault(item.module, {})
            row[item.term] = row.get(item.term, Fraction(0)) + item.value
        return table


# -- strict -----------------------------------------------------------------------------------------------------------


def strict_items(profile: Profile) -> Iterable[Item]:
    """Every multiplication that deployed inference executes, whatever it is for."""
    return (Item(c.layer, c.module, c.tag, c.count) for c in profile.deployed.charges if c.kind == "mul")


# -- the A&B BNN paper ------------------------------------------------------------------------------------------------


#: What the paper's rule counts, by the tag that it is charged under.
PAPER_TERMS = {
    "fp_conv": "real convolution", "prelu": "PReLU", "bn_scale": "batch norm", "const_mul": "residual scale",
    "avgpool": "average pooling",
}  # fmt: skip


def paper_abbnn_items(profile: Profile) -> Iterable[Item]:
    """Multiplications in the blocks of a binary network, as the A&B BNN paper counts them.

    Real 1x1 convolutions; one per element for PReLU, for batch norm and for residual scales on the outputs of binary
    convolutions off the projection shortcuts; one per output for average pooling, except in a network that has nothing
    else to multiply, where it is a shift. The stem, the classifier and global pooling stand outside the blocks. Scales
    of weights and of what only a sign reads are not counted.
    """
    ledger = profile.as_written
    outputs = _behind_binary_convs(ledger)
    items = [
        _item(c, PAPER_TERMS[c.tag])
        for c in ledger.charges
        if c.kind == "mul"
        and (c.tag in ("fp_conv", "prelu") or (c.tag in ("bn_scale", "const_mul") and c.layer in outputs))
    ]
    if items:
        items += [_item(c, PAPER_TERMS["avgpool"]) for c in average_pooling(ledger)]
    return items


def average_pooling(ledger: Ledger) -> list[Charge]:
    """The divisions of average pooling, be they multiplications or shifts; one per output element."""
    return [c for c in ledger.charges if c.tag == "avgpool" and c.kind in ("mul", "shift_const", "shift_channel")]


def is_binary(layer: Layer) -> bool:
    """Whether the layer multiplies one-bit values with one-bit weights."""
    return OPS[layer.op].product and layer.a.is_one_bit and layer.b is not None and layer.b.is_one_bit


def is_projection(layer: Layer) -> bool:
    """Whether a convolution is a shortcut that only changes the shape: 1x1 with a stride."""
    window = layer.window
    return window is not None and max(window.kernel) == 1 and max(window.stride) > 1


def _behind_binary_convs(ledger: Ledger) -> set[int]:
    """Layers that act element by element on the output of a binary convolution of the main path."""
    by_index = {layer.index: layer for layer in ledger.layers}
    found: set[int] = set()
    for layer in ledger.layers:  # in order of execution: producers come first
        if layer.op != "affine" or len(layer.inputs) != 1 or layer.inputs[0] < 0:
            continue
        source = by_index[layer.inputs[0]]
        if source.index in found or (is_binary(source) and not is_projection(source)):
            found.add(layer.index)
    return found


def _item(charge: Charge, term: str) -> Item:
    return Item(charge.layer, charge.module, term, charge.count)


# -- conventions over multiply-accumulates ----------------------------------------------------------------------------


def mac_items(weigh: Callable[[Layer], tuple[str, Fraction]]) -> Callable[[Profile], Iterable[Item]]:
    """A convention that gives each multiply-accumulate of a layer a term and a weight."""

    def items(profile: Profile) -> Iterable[Item]:
        for layer in (*profile.as_written.layers, *profile.as_written.skipped):
            if layer.macs:
                term, weight = weigh(layer)
                yield Item(layer.index, layer.module, term, layer.macs, weight)

    return items


def operands(layer: Layer) -> str:
    """The two operands of a layer's products: ``binary x binary``, ``float32 x binary``."""
    b = layer.b or layer.a
    return f"{_name(layer.a)} x {_name(b)}"


def _name(domain: Domain) -> str:
    return f"{domain.kind}{domain.bits}" if domain.kind in ("float", "int") else domain.kind


def _macs(layer: Layer) -> tuple[str, Fraction]:
    return operands(layer), Fraction(1)


def _flops(layer: Layer) -> tuple[str, Fraction]:
    return operands(layer), Fraction(2)


def _ops64(layer: Layer) -> tuple[str, Fraction]:
    return operands(layer), Fraction(1, 64) if is_binary(layer) else Fraction(1)


def _larq(layer: Layer) -> tuple[str, Fraction]:
    return f"{max(_bits(layer))}-bit MACs", Fraction(1)


def _bops(layer: Layer) -> tuple[str, Fraction]:
    a, b = _bits(layer)
    return f"{a} x {b} bit", Fraction(a * b)


def _ace(layer: Layer) -> tuple[str, Fraction]:
    a, b = (ACE_FLOAT_BITS if domain.is_float else domain.bits for domain in (layer.a, layer.b or layer.a))
    return f"{a} x {b} bit", Fraction(a * b)


def _bits(layer: Layer) -> tuple[int, int]:
    return layer.a.bits, (layer.b or layer.a).bits


def fvcore_items(profile: Profile) -> Iterable[Item]:
    """What fvcore has a rule for, at its weights; the calls that the program made decide, as there.

    Products of convolutions, linear layers and matrices, one each; an einsum as numpy counts it. Norms are five per
    element and four without gain; batch norm is two, and one without gain. Bilinear interpolation and grid sampling
    are four per output, nearest neighbours one. Adaptive average pooling is one per input. Fused attention, recurrent
    layers and sums with a batch of biases are ignored.
    """
    ledger = profile.as_written
    seen: set[int] = set()
    for layer in (*ledger.layers, *ledger.skipped):
        function = layer.called.function if layer.called is not None else ""
        if function in _FVCORE_CALLS:
            assert layer.called is not None
            if layer.called.number not in seen:
                seen.add(layer.called.number)
                yield Item(layer.index, layer.module, function, _FVCORE_CALLS[function](layer))
        elif layer.macs and function not in _FVCORE_IGNORES and layer.index >= 0:
            yield Item(layer.index, layer.module, layer.op, layer.macs)
    by_index = {layer.index: layer for layer in ledger.layers}
    norms = {layer.index: layer for layer in ledger.layers if layer.op == "norm"}
    # The scale of a norm without gain is stored by the name of what it is made of.
    plain = {t.layer for t in ledger.traffic if t.role == "parameter" and t.tensor.endswith("running_var")}
    gained = {c.layer for c in ledger.charges if c.layer in norms and c.kind == "mul" and _has_gain(norms[c.layer], c)}
    for c in ledger.charges:
        called = by_index[c.layer].called
        instance = called is not None and called.function == "instance_norm"
        if c.tag == "bn_scale":
            each = (4 if c.layer in plain else 5) if instance else 1
            yield Item(c.layer, c.module, "instance norm" if instance else "batch norm", c.count * each)
        elif c.tag == "bn_bias" and c.layer not in plain and not instance:
            yield _item(c, "batch norm")
        elif c.layer in norms and c.kind == "special" and (called is None or called.function != "rms_norm"):
            weight = 5 if c.layer in gained else 4
            yield Item(c.layer, c.module, "norm", weight * math.prod(norms[c.layer].shape_out))


def _has_gain(layer: Layer, charge: Charge) -> bool:
    """Whether a norm multiplies by a gain, too: beyond two per element and two per group, one per element."""
    return charge.count >= 3 * math.prod(layer.shape_out)


#: Calls that fvcore counts as a whole.
_FVCORE_CALLS: dict[str, Callable[[Layer], int]] = {
    "adaptive_avg_pool2d": lambda layer: math.prod(layer.shape_in),
    "interpolate bilinear": lambda layer: 4 * math.prod(layer.shape_out),
    "interpolate nearest": lambda layer: math.prod(layer.shape_out),
    "grid_sample": lambda layer: 4 * math.prod(layer.shape_out),
    "einsum": lambda layer: (
        layer.macs if layer.called is None or layer.called.products is None else layer.called.products
    ),
}
_FVCORE_IGNORES = ("scaled_dot_product_attention", "baddbmm", "recurrent")


CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "strict", "every multiplication that runs", "deployed", "multiplications",
        "all multiplications after the exact rewrites, the stem, the classifier and the scale of the weights included",
        "definition", strict_items,
    ),
    Convention(
        "paper-abbnn", "multiplications as the A&B BNN paper counts them", "as_written", "multiplications",
        "without stem, classifier, global pooling and the scale of the weights; one per element for batch norm, PReLU "
        "and residual scale; average pooling is a multiplication, or a shift where nothing else multiplies",
        "A&B BNN, arXiv:2403.03739", paper_abbnn_items,
    ),
    Convention(
        "ops64", "OPs = FLOPs + BOPs / 64", "as_written", "OPs",
        "a product of two one-bit values is 1/64, any other multiply-accumulate is 1; nothing else counts",
        "Bi-Real Net, arXiv:1808.00278; ReActNet, arXiv:2003.03488", mac_items(_ops64),
    ),
    Convention(
        "macs", "multiply-accumulates of any width", "as_written", "MACs",
        "convolutions, linear layers and matrix products, whatever their operands; a first state of zeros counts",
        "definition", mac_items(_macs),
    ),
    Convention(
        "flops", "two operations per multiply-accumulate", "as_written", "flops",
        "a multiplication and an addition for each multiply-accumulate, whatever its operands; nothing else counts",
        "pytorch/pytorch: torch/utils/flop_counter.py; twice what sovrasov/flops-counter.pytorch prints as MACs",
        mac_items(_flops),
    ),
    Convention(
        "larq", "multiply-accumulates by their wider operand", "as_written", "MACs",
        "the precision of a multiply-accumulate is that of its wider operand; a binary weight on a real activation is "
        "32-bit", "larq/larq@fe3ce52: larq/models.py", mac_items(_larq),
    ),
    Convention(
        "qonnx-bops", "bit operations = MACs x bits x bits", "as_written", "BOPs",
        "each multiply-accumulate of a convolution or linear layer times the widths of both operands",
        "fastmachinelearning/qonnx@cc2ec17: qonnx/util/inference_cost.py", mac_items(_bops),
    ),
    Convention(
        "ace", "arithmetic computation effort", "as_written", "ACE",
        "each multiply-accumulate times the widths of both operands, a real number counting 16 bits",
        "PokeBNN, arXiv:2112.00133", mac_items(_ace),
    ),
    Convention(
        "fvcore", "fvcore's flops", "as_written", "flops",
        "one per multiply-accumulate whatever its operands, two per element for batch norm and five for other norms, "
        "one less where they have no gain, four per output for bilinear and one for nearest interpolation, one per "
        "input of adaptive average pooling; fused attention, recurrent layers and every other operation are ignored",
        "facebookresearch/fvcore@3378afe: fvcore/nn/jit_handles.py", fvcore_items,
    ),
)  # fmt: skip


def list_conventions() -> list[str]:
    return [c.name for c in CONVENTIONS]


def convention(name: str) -> Convention:
    """The convention of that name. Raises :class:`UnknownNameError` with the nearest."""
    for c in CONVENTIONS:
        if c.name == name:
            return c
    raise UnknownNameError("convention", name, list_conventions(), f"Choose from {', '.join(list_conventions())}.")
