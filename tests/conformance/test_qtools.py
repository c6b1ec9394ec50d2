"""QTools' energy of a small network, from our ledger and QTools' published table.

Source: google/qkeras@78ea90f tests/qtools_model_test.py::test_qenergy, qkeras/qtools/config_public.py (the table
"horowitz"), qkeras/qtools/qenergy/qenergy.py and qkeras/qtools/quantized_operators (rules). The network is
784-300-100-10: an 8-bit input, a binary first layer, 4-bit activations, 4-bit weights in the others.

All that QTools' rules need is found by the tracer and read from the ledger: products, operand kinds and widths, terms
of each sum, sizes of tensors. Two widths are QTools' own and stated here: an accumulator adds one bit for the bias, and
the width of a sum follows from the number of terms rounded up to a power of two. Energies are in pJ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from costmodel.ledger.ledger import Layer, Profile
from tests.conformance.networks import counted
from tests.near import near

# -- the network ------------------------------------------------------------------------------------------------------


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def fixed(x: Tensor, bits: int, signed: bool = True, symmetric: bool = False) -> Tensor:
    """Steps of 2^-(bits - signed) below one, as ``quantized_bits(bits, 0)`` and ``quantized_relu(bits, 0)``."""
    steps = 2 ** (bits - signed)
    low = (-steps + symmetric if signed else 0) / steps
    return torch.clamp(_Round.apply(x * steps) / steps, low, (steps - 1) / steps)


class Quantised(nn.Linear):
    """Weights and biases of one or four bits."""

    def __init__(self, inputs: int, outputs: int, bits: int) -> None:
        super().__init__(inputs, outputs)
        self.bits = bits
        nn.init.uniform_(self.weight, -1, 1)
        nn.init.uniform_(self.bias, -1, 1)

    def quantise(self, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0) if self.bits == 1 else fixed(x, self.bits, symmetric=True)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.quantise(self.weight), self.quantise(self.bias))


class Trial(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.d0, self.d1, self.d2 = Quantised(784, 300, 1), Quantised(300, 100, 4), Quantised(100, 10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = fixed(self.d0(fixed(x, 8)) / 16, 4, signed=False)
        x = fixed(self.d1(x) / 4, 4, signed=False)
        return self.d2(x).softmax(1)


# -- QTools' table ----------------------------------------------------------------------------------------------------

#: Smallest memory that its test prices: 2^27 bits.
SRAM_BITS = 8 * 16 * 1024 * 1024


def polynomial(coefficients: tuple[float, ...], x: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def add(bits: float) -> float:
    return polynomial((0.003125, 0), bits)


def multiply(bits: float) -> float:
    return polynomial((0.002994791667, 0.001041666667, 0), bits)


def memory(elements: int, bits: int) -> float:
    """Reading or writing in words of 64 bits."""
    width = math.log2(max(elements * bits, SRAM_BITS))
    word = polynomial((9.02427321e-04, -2.68847858e-02, 2.08900804e-01, 0.0), width)
    return math.ceil(elements * bits / 64) * word


@dataclass(frozen=True)
class Widths:
    """Bits of a layer's input, of its weights and biases, and of its sums; a binary weight selects by a multiplexer."""

    input: int
    weight: int
    sum: int
    binary: bool = False


def trial_widths(layer: Layer) -> Widths:
    """A binary weight passes its input on; other products are as wide as both operands together."""
    assert layer.b is not None
    binary = layer.b.kind == "binary"
    product = layer.a.bits if binary else layer.a.bits + layer.b.bits
    for_bias = 1
    return Widths(layer.a.bits, layer.b.bits, product + math.ceil(math.log2(layer.n_terms + 1)) + for_bias, binary)


def reference_widths(layer: Layer, first: bool) -> Widths:
    """QTools' reference: weights and the image are ``int8``, and what a layer hands on is a sum of ``int32``."""
    return Widths(8 if first else 32, 8, 32)


def energies(layer: Layer, w: Widths) -> dict[str, float]:
    """QTools' four figures of one layer and one image."""
    batch, inputs = layer.shape_in
    outputs = layer.shape_out[1]
    product = 0.3 * add(w.input) if w.binary else multiply(math.sqrt(w.input * w.weight))
    return {
        "inputs": memory(inputs, w.input),
        "outputs": memory(outputs, w.sum),
        "parameters": memory(math.prod(layer.shape_b), w.weight) + memory(outputs, w.weight),
        "op_cost": layer.macs // batch * (product + add(w.sum)),
    }


def total(made: Profile, widths: list[Widths], handed_on: list[int]) -> int:
    """Inputs, parameters and operations of the products; what each activation hands on. Cut off, as QTools does."""
    layers = products(made)
    value = 0.0
    for layer, w, bits in zip(layers, widths, handed_on, strict=True):
        found = energies(layer, w)
        value += found["inputs"] + found["parameters"] + found["op_cost"] + memory(layer.shape_out[1], bits)
    return int(value)


def products(made: Profile) -> list[Layer]:
    return [layer for layer in made.as_written.layers if layer.macs]


@pytest.fixture(scope="module")
def made() -> Profile:
    """On 64 images: the 784 values of a single one are too few to show that an input has eight bits."""
    return counted(Trial(), (64, 784))


# -- what the tracer finds --------------------------------------------------------------------------------------------


def test_operand_kinds_are_found_in_the_values(made: Profile) -> None:
    found = [(layer.a.kind, layer.a.bits, layer.b.kind if layer.b else "", layer.n_terms) for layer in products(made)]
    assert found == [("int", 8, "binary", 784), ("int", 4, "int", 300), ("int", 4, "int", 100)]
    assert [layer.b.bits for layer in products(made) if layer.b] == [1, 4, 4]
    assert [layer.macs // 64 for layer in products(made)] == [235_200, 30_000, 1_000]
    weights = [(t.count, t.bits) for t in made.as_written.traffic if t.role == "weight"]
    assert weights == [(235_200, 1), (30_000, 4), (1_000, 4)]


def test_a_binary_weight_selects_in_our_ledger_too(made: Profile) -> None:
    kinds = {c.module: c.kind for c in made.as_written.charges if c.op == "linear" and c.kind in ("signflip", "and")}
    assert kinds == {"d0": "signflip", "d1": "and", "d2": "and"}


# -- QTools' figures --------------------------------------------------------------------------------------------------

#: layer -> QTools' figures of the trial and of the reference, in pJ
TRIAL = {
    "d0": {"inputs": 372.77, "outputs": 342.34, "parameters": 13997.95, "op_cost": 15729.0},
    "d1": {"inputs": 72.27, "outputs": 110.31, "parameters": 7158.73, "op_cost": 3250.0},
    "d2": {"inputs": 26.63, "outputs": 11.41, "parameters": 243.44, "op_cost": 102.08},
}
REFERENCE = {
    "d0": {"inputs": 372.77, "outputs": 570.57, "parameters": 111975.96, "op_cost": 70560.0},
    "d1": {"inputs": 570.57, "outputs": 190.19, "parameters": 14313.66, "op_cost": 26500.0},
    "d2": {"inputs": 190.19, "outputs": 19.02, "parameters": 483.08, "op_cost": 883.33},
}


@pytest.mark.parametrize("index", range(3))
def test_trial_figures_of_each_layer(made: Profile, index: int) -> None:
    layer = products(made)[index]
    assert energies(layer, trial_widths(layer)) == near(TRIAL[layer.module], abs=0.006)


@pytest.mark.parametrize("index", range(3))
def test_reference_figures_of_each_layer(made: Profile, index: int) -> None:
    layer = products(made)[index]
    assert energies(layer, reference_widths(layer, index == 0)) == near(REFERENCE[layer.module], abs=0.006)


def test_operations_of_the_binary_layer_by_hand() -> None:
    """784 x 300 x (0.3 x 0.003125 x 8 + 0.003125 x 19)."""
    assert 784 * 300 * (0.3 * add(8) + add(19)) == near(15_729.0)


def test_trial_total(made: Profile) -> None:
    """41,070 pJ: four bits from each activation, 32 from the softmax."""
    layers = products(made)
    softmax = next(layer for layer in made.as_written.layers if layer.op == "softmax")
    handed_on = [layers[1].a.bits, layers[2].a.bits, softmax.out.bits]
    assert total(made, [trial_widths(layer) for layer in layers], handed_on) == 41_070


def test_reference_total(made: Profile) -> None:
    assert total(made, [reference_widths(layer, i == 0) for i, layer in enumerate(products(made))], [32] * 3) == 226_629
