"""QuickNet, QuickNetSmall, QuickNetLarge."""

from __future__ import annotations

from torch import Tensor, nn

from costmodel.zoo.larq.layers import BlurPool2d, GlobalMean, QuantConv2d, real_conv


class Residual(nn.Module):
    """x + norm(relu(binary 3x3 (x))); the border of the signs is padded with +1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = QuantConv2d(channels, channels, 3, limit=1.25, pad_value=1.0)
        self.relu = nn.ReLU()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.relu(self.conv(x)))
        return y + x


def transition(c_in: int, c_out: int) -> nn.Sequential:
    """Halve the map by max pooling of stride 1 and a blur of stride 2, then a real 1x1 convolution."""
    return nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, 1), BlurPool2d(), real_conv(c_in, c_out, 1), nn.BatchNorm2d(c_out))


def build(
    *,
    filters: tuple[int, ...] = (64, 128, 256, 512),
    blocks: tuple[int, ...] = (4, 4, 4, 4),
    num_classes: int = 1000,
    in_channels: int = 3,
) -> nn.Sequential:
    first = filters[0]
    stem = nn.Sequential(
        real_conv(in_channels, first // 4, 3, 2),
        nn.BatchNorm2d(first // 4, eps=1e-3),
        nn.ReLU(),
        real_conv(first // 4, first // 4, 3, 2, groups=first // 4),
        nn.BatchNorm2d(first // 4, eps=1e-3, affine=False),
        real_conv(first // 4, first, 1),
        nn.BatchNorm2d(first, eps=1e-3),
    )
    layers: list[nn.Module] = []
    c_in = first
    for channels, count in zip(filters, blocks, strict=True):
        if channels != c_in:
            layers.append(transition(c_in, channels))
            c_in = channels
        layers += [Residual(channels) for _ in range(count)]
    head = [nn.ReLU(), GlobalMean(), nn.Linear(c_in, num_classes)]
    return nn.Sequential(stem, *layers, *head)
