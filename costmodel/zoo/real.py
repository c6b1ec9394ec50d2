"""Real-valued references: ResNet-18 and -34 and MobileNetV1, in their published form."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.zoo.entries import DATASETS
from costmodel.zoo.topology import scaled

RESNET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
#: MobileNetV1: output channels and stride of each depthwise-separable block.
MOBILENET = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the size at stride 1, and batch normalisation."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class BasicBlock(nn.Module):
    """relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv_bn(c_in, c_out, 3, stride)
        self.conv2 = conv_bn(c_out, c_out, 3)
        self.shortcut = conv_bn(c_in, c_out, 1, stride) if stride > 1 or c_in != c_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))
        return F.relu(y + self.shortcut(x))


class Classifier(nn.Module):
    """Features, global average pooling, linear classifier. [N, C, H, W] -> [N, classes]."""

    def __init__(self, features: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.fc(self.pool(self.features(x)).flatten(1)))


def build_resnet(
    *, depth: int, dataset: str, width: float = 1.0, num_classes: int | None = None, in_channels: int | None = None
) -> Classifier:
    """ResNet of ``depth`` 18 or 34. With CIFAR the stem is a 3x3 of stride 1 without pooling."""
    shape, classes = DATASETS[dataset]
    stem, *widths = scaled((64, 64, 128, 256, 512), width)
    large = dataset == "imagenet"
    layers: list[nn.Module] = [conv_bn(in_channels or shape[1], stem, 7 if large else 3, 2 if large else 1), nn.ReLU()]
    if large:
        layers.append(nn.MaxPool2d(3, 2, 1))
    c_in = stem
    for index, (c_out, count) in enumerate(zip(widths, RESNET_BLOCKS[depth], strict=True)):
        for position in range(count):
            layers.append(BasicBlock(c_in, c_out, 2 if index and not position else 1))
            c_in = c_out
    return Classifier(nn.Sequential(*layers), c_in, num_classes or classes)


def build_mobilenet(*, width: float = 1.0, num_classes: int = 1000, in_channels: int = 3) -> Classifier:
    """MobileNetV1: a 3x3 stem of stride 2 and 13 depthwise-separable blocks."""
    c_in = max(8, round(32 * width))
    layers: list[nn.Module] = [conv_bn(in_channels, c_in, 3, 2), nn.ReLU()]
    for channels, stride in MOBILENET:
        c_out = max(8, round(channels * width))
        layers += [conv_bn(c_in, c_in, 3, stride, groups=c_in), nn.ReLU(), conv_bn(c_in, c_out, 1), nn.ReLU()]
        c_in = c_out
    return Classifier(nn.Sequential(*layers), c_in, num_classes)
