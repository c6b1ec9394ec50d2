"""The networks of FINN and BNN-PYNQ with one-bit weights and activations: TFC, SFC, LFC and CNV.

The weights are exactly -1 and +1; every layer is followed by batch normalisation and a sign, which on hardware is a
threshold. The last layer's scores are normalised as a whole, by one real scale and offset.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.zoo.layers import BinaryActivation, SignConv2d
from costmodel.zoo.ste import round_ste, sign

#: CNV: output channels of each 3x3 convolution and whether a 2x2 max pooling follows.
CNV_CONVS = ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False))


class SignLinear(nn.Linear):
    """A dense layer without bias whose weights are sign(w)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, sign(self.weight, "clip"))


class TensorNorm(nn.Module):
    """Batch normalisation of all elements together: one mean, variance, scale and offset."""

    def __init__(self, eps: float = 1e-4, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(1))
        self.register_buffer("running_var", torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(), x.var(unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean.reshape(1), self.momentum)
                self.running_var.lerp_(x.var().reshape(1), self.momentum)
        return (x - mean) * torch.rsqrt(var + self.eps) * self.weight + self.bias


class FixedPointInput(nn.Module):
    """x in [0, 1] -> 2x - 1 on a grid of 2^-(bits-1), saturating: the 8-bit input of CNV."""

    def __init__(self, bits: int = 8) -> None:
        super().__init__()
        self.steps = 2.0 ** (bits - 1)

    def forward(self, x: Tensor) -> Tensor:
        return round_ste((2 * x - 1) * self.steps).clamp(-self.steps, self.steps - 1) / self.steps


class FC(nn.Module):
    """[N, C, H, W] or [N, features] in [0, 1] -> sign(2x - 1) -> dense layers of signs -> [N, classes]."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.sign = BinaryActivation("clip")
        sizes = (features, hidden, hidden, hidden)
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(sizes):
            layers += [SignLinear(c_in, c_out), nn.BatchNorm1d(c_out), BinaryActivation("clip"), nn.Dropout(0.2)]
        self.layers = nn.Sequential(*layers)
        self.fc = SignLinear(hidden, classes)
        self.norm = TensorNorm()

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(self.sign(2 * x.flatten(1) - 1), 0.2, self.training)
        return cast(Tensor, self.norm(self.fc(self.layers(x))))


class CNV(nn.Module):
    """Six unpadded 3x3 convolutions, two max poolings, three dense layers. [N, C, 32, 32] in [0, 1] -> [N, classes]."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.input = FixedPointInput()
        layers: list[nn.Module] = []
        c_in = in_channels
        for c_out, pool in CNV_CONVS:
            layers += [SignConv2d(c_in, c_out, 3), nn.BatchNorm2d(c_out, eps=1e-4), BinaryActivation("clip")]
            layers += [nn.MaxPool2d(2)] if pool else []
            c_in = c_out
        self.convs = nn.Sequential(*layers)
        dense: list[nn.Module] = []
        for c_out in (512, 512):
            dense += [SignLinear(c_in, c_out), nn.BatchNorm1d(c_out, eps=1e-4), BinaryActivation("clip")]
            c_in = c_out
        self.dense = nn.Sequential(*dense)
        self.fc = SignLinear(c_in, classes)
        self.norm = TensorNorm()

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs(self.input(x)).flatten(1)
        return cast(Tensor, self.norm(self.fc(self.dense(x))))


def _uniform(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, SignLinear | SignConv2d):
            nn.init.uniform_(module.weight, -1, 1)


def build_fc(*, hidden: int, num_classes: int = 10, in_channels: int = 1, image_size: int = 28) -> FC:
    """TFC (``hidden`` 64), SFC (256), LFC (1024)."""
    net = FC(in_channels * image_size**2, hidden, num_classes)
    _uniform(net)
    return net


def build_cnv(*, num_classes: int = 10, in_channels: int = 3) -> CNV:
    net = CNV(in_channels, num_classes)
    _uniform(net)
    return net
