"""Larq's counts: the 13 networks of its zoo, and the networks of its own test-suite.

Sources: larq/docs@67eb830 docs/plots/zoo_hero.vg.json (networks); larq/larq@fe3ce52 larq/models_test.py and
larq/snapshots/snap_models_test.py (test networks). Larq takes the wider operand of a product for its precision.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import costmodel
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile
from tests.conformance.networks import counted
from tests.zoo.test_larq import PUBLISHED


def by_precision(made: Profile) -> dict[str, int]:
    return {term: int(value) for term, value in convention("larq").count(made).by_term().items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_pairs_of_the_larq_zoo(name: str) -> None:
    binary, real, _ = PUBLISHED[name]
    assert by_precision(costmodel.profile(name)) == {"1-bit MACs": binary, "32-bit MACs": real}


# -- Larq's test networks, typed anew ---------------------------------------------------------------------------------


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def sign(x: Tensor) -> Tensor:
    return _Sign.apply(x)


def ternary(x: Tensor) -> Tensor:
    """-1, 0 and +1, with zero below a threshold of 0.05, as ``SteTern``."""
    return torch.sign(torch.sign(x + 0.05) + torch.sign(x - 0.05))


class Sequence(nn.Module):
    """Larq's sequential test network for an input of 1 x 64 x 64.

    A convolution with a binary kernel on the real image, pooling, a depthwise convolution of ternary values by ternary
    weights with stride 3 and padding by +1, batch norm without scale, a separable convolution of which only the input
    of the first half is binary, and a real classifier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 32, 3, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, stride=3, groups=32, bias=False)
        self.norm = nn.BatchNorm2d(32)
        self.separable = nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False)
        self.pointwise = nn.Conv2d(32, 32, 1)
        self.fc = nn.Linear(3872, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.conv2d(x, sign(self.conv.weight), self.conv.bias, padding=1), 2)
        x = F.pad(ternary(x), (0, 1, 0, 1), value=1.0)
        x = self.norm(F.conv2d(x, ternary(self.depthwise.weight), stride=3, groups=32))
        x = F.conv2d(sign(x), sign(self.separable.weight), padding=1, groups=32)
        x = F.conv2d(x, sign(self.pointwise.weight), self.pointwise.bias)
        return self.fc(x.flatten(1))


@pytest.fixture(scope="module")
def sequence() -> Profile:
    return counted(Sequence(), (1, 1, 64, 64))


#: module -> larq's multiply-accumulates
LAYERS = {"conv": 1_179_648, "depthwise": 34_848, "separable": 34_848, "pointwise": 123_904, "fc": 38_720}


def test_each_layer_of_the_sequential_network_multiplies_as_often_as_larq_says(sequence: Profile) -> None:
    found = [layer.macs for layer in sequence.as_written.layers if layer.macs]
    assert found == list(LAYERS.values())
    assert LAYERS["separable"] + LAYERS["pointwise"] == 158_752
    assert sum(found) == 158_752 + 34_848 + 1_218_368


def test_precisions_of_the_sequential_network(sequence: Profile) -> None:
    """Larq: 158,752 of one bit, 34,848 of two, 1,218,368 of 32.

    Larq gives a separable convolution one precision, that of its input quantiser. Its second half reads sums of nine
    signs, which are not one bit: those 123,904 products are of five bits by one, and we say so.
    """
    found = by_precision(sequence)
    assert found["2-bit MACs"] == 34_848
    assert found["32-bit MACs"] == 1_218_368
    assert found["1-bit MACs"] == 158_752 - LAYERS["pointwise"]
    assert sum(found.values()) - found["2-bit MACs"] - found["32-bit MACs"] == 158_752


def test_parameters_of_the_sequential_network_by_width(sequence: Profile) -> None:
    """Larq: 1,600 of one bit, 288 of two. Of its 38,858 of 32 bits, 32 are the scale that its batch norm lacks."""
    widths: dict[int, int] = {}
    for moved in sequence.as_written.traffic:
        if moved.role == "weight":
            widths[moved.bits] = widths.get(moved.bits, 0) + moved.count
    assert widths == {1: 1_600, 2: 288, 32: 38_720}


class Halves(nn.Module):
    """Larq's functional test network: a binary kernel on a real image, split and put together again."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(32, 3, 3, 3))
        self.bias = nn.Parameter(torch.randn(32))

    def forward(self, x: Tensor) -> Tensor:
        first, second = F.conv2d(x, sign(self.weight), self.bias, padding=1).chunk(2, 1)
        return torch.cat([first, second], 1)


def test_a_binary_kernel_on_a_real_input_is_32_bit() -> None:
    """Larq: 884,736 of 32 bits, 864 weights of one bit, 236 bytes in all."""
    made = counted(Halves(), (1, 3, 32, 32))
    assert by_precision(made) == {"32-bit MACs": 884_736}
    assert made.parameters == 896
    assert made.as_written.weight_bits() == 8 * 236
    assert made.deployed.total("mul") == 0
    assert made.deployed.total("signflip") == 884_736
