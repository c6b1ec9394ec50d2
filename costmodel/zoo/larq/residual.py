"""Networks on ResNet-18, a shortcut around every binary convolution: BiRealNet, BinaryResNetE18, RealToBinaryNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.zoo.larq.layers import GlobalMean, QuantConv2d, real_conv

WIDTHS = (64, 128, 256, 512)


def shortcut(c_in: int, c_out: int, eps: float = 1e-3) -> nn.Module:
    """The way around: identity, or average pooling, a real 1x1 convolution and normalisation."""
    if c_in == c_out:
        return nn.Identity()
    return nn.Sequential(nn.AvgPool2d(2, 2), real_conv(c_in, c_out, 1), nn.BatchNorm2d(c_out, eps=eps))


class Residual(nn.Module):
    """norm(binary 3x3 (x)) + shortcut(x)."""

    def __init__(self, conv: QuantConv2d, eps: float = 1e-3) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels, eps=eps)
        self.shortcut = shortcut(conv.in_channels, conv.out_channels, eps)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.norm(self.conv(x)) + self.shortcut(x))


class GatedResidual(nn.Module):
    """prelu(binary 3x3 (norm(x)) * gate(norm(x))) + shortcut(x).

    The gate is one factor per channel and image: global mean, dense to an eighth, ReLU, dense, sigmoid.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(c_in, eps=1e-3)
        self.conv = QuantConv2d(c_in, c_out, 3, 1 if c_in == c_out else 2)
        self.mean = GlobalMean()
        self.reduce = nn.Linear(c_in, c_in // 8, bias=False)
        self.expand = nn.Linear(c_in // 8, c_out, bias=False)
        self.prelu = nn.PReLU(c_out)
        self.shortcut = shortcut(c_in, c_out)

    def forward(self, x: Tensor) -> Tensor:
        u = self.norm(x)
        gate = torch.sigmoid(self.expand(F.relu(self.reduce(self.mean(u)))))
        return cast(Tensor, self.prelu(self.conv(u) * gate[:, :, None, None]) + self.shortcut(x))


def _stages(unit: Callable[[int, int], nn.Module]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    c_in = WIDTHS[0]
    for channels in WIDTHS:
        for _ in range(4):
            layers.append(unit(c_in, channels))
            c_in = channels
    return layers


def build_birealnet(*, num_classes: int = 1000, in_channels: int = 3) -> nn.Sequential:
    def unit(c_in: int, c_out: int) -> nn.Module:
        stride = 1 if c_in == c_out else 2
        return Residual(QuantConv2d(c_in, c_out, 3, stride, gradient="quadratic", kernel_scale="mean"))

    stem = [real_conv(in_channels, 64, 7, 2), nn.BatchNorm2d(64, eps=1e-3), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *_stages(unit), GlobalMean(), nn.Linear(512, num_classes))


def build_resnete(*, num_classes: int = 1000, in_channels: int = 3) -> nn.Sequential:
    def unit(c_in: int, c_out: int) -> nn.Module:
        return Residual(QuantConv2d(c_in, c_out, 3, 1 if c_in == c_out else 2, limit=1.25), eps=1e-5)

    stem = [
        real_conv(in_channels, 64, 7, 2),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.BatchNorm2d(64),
    ]
    return nn.Sequential(*stem, *_stages(unit), nn.ReLU(), GlobalMean(), nn.Linear(512, num_classes))


def build_realtobinary(*, num_classes: int = 1000, in_channels: int = 3) -> nn.Sequential:
    stem = [
        real_conv(in_channels, 64, 7, 2),
        nn.BatchNorm2d(64, eps=1e-3),
        nn.PReLU(64),
        nn.MaxPool2d(3, 2, 1),
    ]
    return nn.Sequential(*stem, *_stages(GatedResidual), GlobalMean(), nn.Linear(512, num_classes))
