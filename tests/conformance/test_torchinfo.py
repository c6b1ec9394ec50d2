"""torchinfo's golden files: parameters; and what becomes of its multiply-accumulates when a weight is called otherwise.

Source: TylerYep/torchinfo@5c4164f, tests/test_output (ResNet-18: 11,689,512 parameters) and
torchinfo/layer_info.py, which finds convolutions by the name of their class and parameters by the name "weight".
"""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor, nn

from costmodel.zoo import build
from tests.conformance.networks import counted, macs


def test_parameters_of_resnet18() -> None:
    with torch.device("meta"):
        net = build("resnet18")
    assert sum(p.numel() for p in net.parameters()) == 11_689_512


class WeightsConv(nn.Module):
    """A convolution whose parameter is called ``weights``, as in the official Bi-Real Net."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(8, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.weights, padding=1)


def test_the_name_of_a_parameter_changes_no_count() -> None:
    plain = nn.Conv2d(4, 8, 3, padding=1, bias=False)
    assert macs(counted(WeightsConv(), (1, 4, 10, 10))) == macs(counted(plain, (1, 4, 10, 10))) == 28_800


@pytest.mark.skipif(importlib.util.find_spec("torchinfo") is None, reason="torchinfo is not installed")
def test_torchinfo_agrees_on_convolutions_that_are_called_so() -> None:
    import torchinfo

    net = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(800, 10, bias=False))
    theirs = torchinfo.summary(net, input_size=(1, 4, 10, 10), verbose=0)
    made = counted(net, (1, 4, 10, 10))
    assert theirs.total_mult_adds == macs(made) == 36_800
    assert theirs.total_params == made.parameters
    hidden = torchinfo.summary(WeightsConv(), input_size=(1, 4, 10, 10), verbose=0).total_mult_adds
    assert hidden != 28_800
