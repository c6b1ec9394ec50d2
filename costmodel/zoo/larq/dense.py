"""Densely connected networks: BinaryDenseNet and MeliusNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from costmodel.zoo.larq.layers import GlobalMean, Merge, QuantConv2d, real_conv

GROWTH = 64
#: MeliusNet22: blocks of each section and the channels of the transition after it.
SECTIONS = ((4, 160), (5, 224), (4, 256), (4, None))


def dense_layer(channels: int, dilation: int = 1) -> nn.Module:
    """Append 64 channels: x -> [x, binary 3x3 (norm(x))]."""
    return Merge(nn.BatchNorm2d(channels), QuantConv2d(channels, GROWTH, 3, dilation=dilation, limit=1.3))


class Improvement(nn.Module):
    """Add to the newest 64 channels: x[-64:] += binary 3x3 (norm(x))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = QuantConv2d(channels, GROWTH, 3, limit=1.3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.norm(x))
        return torch.cat([x[:, :-GROWTH], x[:, -GROWTH:] + y], 1)


def build_densenet(
    *,
    layers: tuple[int, ...],
    reduction: tuple[float, ...],
    dilation: tuple[int, ...] = (1, 1, 1, 1),
    num_classes: int = 1000,
    in_channels: int = 3,
) -> nn.Sequential:
    """BinaryDenseNet. A section that is dilated replaces the pooling before it."""
    net: list[nn.Module] = [real_conv(in_channels, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for section, count in enumerate(layers):
        for _ in range(count):
            net.append(dense_layer(channels, dilation[section]))
            channels += GROWTH
        net.append(nn.BatchNorm2d(channels))
        if section < len(layers) - 1:
            if dilation[section + 1] == 1:
                net.append(nn.MaxPool2d(2, 2))
            reduced = round(channels // reduction[section] / 32) * 32
            net += [nn.ReLU(), real_conv(channels, reduced, 1)]
            channels = reduced
    return nn.Sequential(*net, nn.ReLU(), GlobalMean(), nn.Linear(channels, num_classes))


def build_meliusnet(*, num_classes: int = 1000, in_channels: int = 3) -> nn.Sequential:
    """MeliusNet22: a stem of grouped convolutions, then pairs of a dense and an improvement layer."""
    net: list[nn.Module] = []
    for c_in, c_out, stride, groups in ((in_channels, 32, 2, 1), (32, 32, 1, 4), (32, 64, 1, 8)):
        net += [real_conv(c_in, c_out, 3, stride, groups), nn.BatchNorm2d(c_out), nn.ReLU()]
    net.append(nn.MaxPool2d(2, 2))
    channels = 64
    for count, reduced in SECTIONS:
        for _ in range(count):
            net.append(dense_layer(channels))
            channels += GROWTH
            net.append(Improvement(channels))
        net.append(nn.BatchNorm2d(channels))
        if reduced:
            net += [nn.MaxPool2d(2, 2), nn.ReLU(), real_conv(channels, reduced, 1)]
            channels = reduced
    return nn.Sequential(*net, nn.ReLU(), GlobalMean(), nn.Linear(channels, num_classes))
