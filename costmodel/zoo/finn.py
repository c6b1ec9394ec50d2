"""The networks of FINN and BNN-PYNQ with one-bit weights and activations: TFC, SFC, LFC and CNV.

``bn``, as published: the weights are exactly -1 and +1; every layer is followed by batch normalisation and a sign,
which on hardware is a threshold. The last layer's scores are normalised as a whole, by one real scale and offset.

``abbnn``, the same topologies by the rules of A&B BNN: no normalisation; the signs are those of centred weights; the
scales of a layer are tied to one power of two near 1/sqrt(fan_in); a bias per channel stands in front of the sign, and
a mask evens out what rounding the scale leaves of the variance. No multiplication remains, in the classifier neither.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from costmodel.zoo.layers import BinaryActivation, LearnableBias, Mask, SignConv2d, SignLinear
from costmodel.zoo.ste import round_ste

#: CNV: output channels of each 3x3 convolution and whether a 2x2 max pooling follows.
CNV_CONVS = ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False))


Variant = Literal["bn", "abbnn"]


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
        x = x.float()  # sums of more than 256 signs do not fit bf16
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(), x.var(unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean.reshape(1), self.momentum)
                self.running_var.lerp_(var.reshape(1) * (x.numel() / (x.numel() - 1)), self.momentum)
        return (x - mean) * torch.rsqrt(var + self.eps) * self.weight + self.bias


class FixedPointInput(nn.Module):
    """x in [0, 1] -> 2x - 1 on a grid of 2^-(bits-1), saturating: the 8-bit input of CNV."""

    def __init__(self, bits: int = 8) -> None:
        super().__init__()
        self.steps = 2.0 ** (bits - 1)

    def forward(self, x: Tensor) -> Tensor:
        return round_ste((2 * x - 1) * self.steps).clamp(-self.steps, self.steps - 1) / self.steps


def scale(fan_in: int) -> float:
    """The power of two next to 1/sqrt(fan_in), on a logarithmic scale."""
    return 2.0 ** round(math.log2(fan_in**-0.5))


def threshold(channels: int, fan_in: int, variant: Variant, dimensions: int, eps: float = 1e-5) -> list[nn.Module]:
    """What follows the sums of a layer, up to its sign. ``dimensions``: of what a channel holds, 2 or 0."""
    if variant == "bn":
        norm = nn.BatchNorm2d(channels, eps) if dimensions else nn.BatchNorm1d(channels, eps)
        return [norm, BinaryActivation("clip")]
    beta = fan_in**-0.5 / scale(fan_in)
    return [LearnableBias(channels, beta, dimensions), Mask(beta), BinaryActivation("sigmoid")]


def weights(fan_in: int, variant: Variant) -> tuple[float, bool]:
    """What a layer's signs are multiplied by, and whether they are those of centred weights."""
    return (scale(fan_in), True) if variant == "abbnn" else (1.0, False)


def scores(classes: int, variant: Variant) -> nn.Module:
    """What follows the classifier."""
    return LearnableBias(classes, 1.0, 0) if variant == "abbnn" else TensorNorm()


class FC(nn.Module):
    """[N, C, H, W] or [N, features] in [0, 1] -> sign(2x - 1) -> dense layers of signs -> [N, classes]."""

    def __init__(self, features: int, hidden: int, classes: int, variant: Variant = "bn") -> None:
        super().__init__()
        self.sign = BinaryActivation("clip")
        self.dropout = nn.Dropout(0.2)
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise((features, hidden, hidden, hidden)):
            layers += [SignLinear(c_in, c_out, *weights(c_in, variant)), *threshold(c_out, c_in, variant, 0)]
            layers += [nn.Dropout(0.2)]
        self.layers = nn.Sequential(*layers)
        self.fc = SignLinear(hidden, classes, *weights(hidden, variant))
        self.norm = scores(classes, variant)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.sign(2 * x.flatten(1) - 1))
        return cast(Tensor, self.norm(self.fc(self.layers(x))))


class CNV(nn.Module):
    """Six unpadded 3x3 convolutions, two max poolings, three dense layers. [N, C, 32, 32] in [0, 1] -> [N, classes]."""

    def __init__(self, in_channels: int, classes: int, variant: Variant = "bn") -> None:
        super().__init__()
        self.input = FixedPointInput()
        layers: list[nn.Module] = []
        c_in = in_channels
        for c_out, pool in CNV_CONVS:
            layers += [SignConv2d(c_in, c_out, 3, 1, 0, *weights(9 * c_in, variant))]
            layers += threshold(c_out, 9 * c_in, variant, 2, 1e-4)
            layers += [nn.MaxPool2d(2)] if pool else []
            c_in = c_out
        self.convs = nn.Sequential(*layers)
        dense: list[nn.Module] = []
        for c_out in (512, 512):
            dense += [SignLinear(c_in, c_out, *weights(c_in, variant)), *threshold(c_out, c_in, variant, 0, 1e-4)]
            c_in = c_out
        self.dense = nn.Sequential(*dense)
        self.fc = SignLinear(c_in, classes, *weights(c_in, variant))
        self.norm = scores(classes, variant)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs(self.input(x)).flatten(1)
        return cast(Tensor, self.norm(self.fc(self.dense(x))))


def _uniform(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, SignLinear | SignConv2d):
            nn.init.uniform_(module.weight, -1, 1)


def build_fc(
    *, hidden: int, variant: Variant = "bn", num_classes: int = 10, in_channels: int = 1, image_size: int = 28
) -> FC:
    """TFC (``hidden`` 64), SFC (256), LFC (1024)."""
    net = FC(in_channels * image_size**2, hidden, num_classes, variant)
    _uniform(net)
    return net


def build_cnv(*, variant: Variant = "bn", num_classes: int = 10, in_channels: int = 3) -> CNV:
    net = CNV(in_channels, num_classes, variant)
    _uniform(net)
    return net
