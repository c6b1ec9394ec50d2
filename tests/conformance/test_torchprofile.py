"""torchprofile's own cases: products, and one multiplication per element for norms and average pooling.

Source: zhijian-liu/torchprofile@ec8bf8a, tests/test_ops.py. Run live where torchprofile is installed.
"""

from __future__ import annotations

import importlib.util
import warnings

import pytest
import torch
from torch import Tensor, nn

from costmodel.ledger.ledger import Profile
from tests.conformance.networks import Apply, counted, macs, noise


class LSTM(nn.Module):
    """With the first state as an input; from a state of zeros, the first step has no recurrent product to run."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(16, 32)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Tensor:
        return self.layer(x, (h, c))[0]


#: name -> module, shapes of its inputs, torchprofile's count
PRODUCTS: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...], int]] = {
    "linear": (nn.Linear(16, 32), ((1, 16),), 512),
    "linear of a batch": (nn.Linear(16, 32), ((4, 16),), 2_048),
    "matrix by vector": (Apply(torch.matmul), ((3, 4), (4,)), 12),
    "matrix by matrix": (Apply(torch.matmul), ((3, 4), (4, 5)), 60),
    "bmm": (Apply(torch.bmm), ((2, 3, 4), (2, 4, 5)), 120),
    "conv1d": (nn.Conv1d(3, 16, 3, bias=False), ((1, 3, 32),), 4_320),
    "conv2d": (nn.Conv2d(3, 16, 3, padding=1, bias=False), ((1, 3, 8, 8),), 27_648),
    "depthwise": (nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), ((1, 16, 8, 8),), 9_216),
    "einsum bij,bjk->bik": (Apply(lambda a, b: torch.einsum("bij,bjk->bik", a, b)), ((2, 3, 4), (2, 4, 5)), 120),
    "einsum bhqd,bhkd->bhqk": (
        Apply(lambda q, k: torch.einsum("bhqd,bhkd->bhqk", q, k)), ((1, 8, 16, 64), (1, 8, 16, 64)), 131_072,
    ),
    "lstm": (LSTM(), ((5, 1, 16), (1, 1, 32), (1, 1, 32)), 30_720),
}  # fmt: skip

#: what multiplies once per element, by the tag of our charge
ELEMENTS: dict[str, tuple[nn.Module, tuple[int, ...], str, int]] = {
    "batch norm": (nn.BatchNorm2d(16), (1, 16, 8, 8), "bn_scale", 1_024),
    "adaptive average pooling": (nn.AdaptiveAvgPool2d(1), (1, 16, 8, 8), "gap", 16),
    "average pooling": (nn.AvgPool2d(2), (1, 16, 8, 8), "avgpool", 256),
    "leaky relu": (nn.LeakyReLU(), (1, 16, 8, 8), "prelu", 1_024),
}


def scalings(made: Profile, tag: str) -> int:
    """Multiplications by a constant, be they real or by a power of two."""
    kinds = ("mul", "shift_const", "shift_channel")
    return sum(c.count for c in made.as_written.charges if c.tag == tag and c.kind in kinds)


@pytest.mark.parametrize("case", PRODUCTS)
def test_products_are_what_torchprofile_says(case: str) -> None:
    module, shapes, expected = PRODUCTS[case]
    assert macs(counted(module, *shapes)) == expected


@pytest.mark.parametrize("case", ELEMENTS)
def test_scalings_are_what_torchprofile_says(case: str) -> None:
    module, shape, tag, expected = ELEMENTS[case]
    assert scalings(counted(module, shape), tag) == expected


def test_relu_multiplies_nothing() -> None:
    made = counted(nn.ReLU(), (1, 16, 8, 8))
    assert made.as_written.by_kind() == {"compare": 1_024}


@pytest.mark.skipif(importlib.util.find_spec("torchprofile") is None, reason="torchprofile is not installed")
@pytest.mark.parametrize("case", [*(c for c in PRODUCTS if c != "lstm"), *ELEMENTS])
def test_torchprofile_itself_says_the_same(case: str) -> None:
    from torchprofile import profile_macs

    if case in PRODUCTS:
        module, shapes, expected = PRODUCTS[case]
    else:
        module, shape, _, expected = ELEMENTS[case]
        shapes = (shape,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert profile_macs(module.eval(), noise(*shapes)) == expected
