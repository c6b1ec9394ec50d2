"""Networks that others measured and that the zoo does not hold: MLPerf Tiny's, ResNet-50, VGG-16, single layers.

Layers and shapes are those of the reference models: ``mlcommons/tiny`` (ResNet8, DS-CNN, FC autoencoder), He et al.
2016 and Simonyan and Zisserman 2015. Weights are random: nothing here depends on their values.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from costmodel.ledger.ledger import Ledger

#: network -> shape of one input
INPUTS: dict[str, tuple[int, ...]] = {
    "ResNet8": (3, 32, 32), "DS-CNN": (1, 49, 10), "FC autoencoder": (640,), "ResNet50": (3, 224, 224),
    "VGG16": (3, 224, 224),
}  # fmt: skip


def ledger(name: str) -> Ledger:
    """The network as it is written, its tensors on one image: what the converter of a kernel library is given."""
    import torch

    import costmodel

    torch.manual_seed(0)
    return costmodel.profile(BUILDERS[name]().eval(), torch.randn(1, *INPUTS[name])).as_written


def layer(kind: str, c_in: int, c_out: int, size: int, stride: int = 1) -> Ledger:
    """One convolution, ``kind`` 3x3, 1x1 or depthwise, whose result has ``size`` x ``size`` pixels."""
    import torch
    from torch import nn

    import costmodel

    kernel = 1 if kind == "1x1" else 3
    groups = c_in if kind == "depthwise" else 1
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups)
    return costmodel.profile(nn.Sequential(conv).eval(), torch.randn(1, c_in, size * stride, size * stride)).as_written


def resnet8() -> nn.Module:
    """12.50 M products on 32 x 32 pixels."""
    from torch import nn

    return nn.Sequential(
        unit(3, 16), _residual(16, 16, 1), _residual(16, 32, 2), _residual(32, 64, 2), nn.AvgPool2d(8), nn.Flatten(),
        nn.Linear(64, 10),
    )  # fmt: skip


def dscnn() -> nn.Module:
    """2.657 M products on 49 x 10 coefficients."""
    from torch import nn

    blocks = [_depthwise(64, 64) for _ in range(4)]
    first = nn.Sequential(nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2), nn.BatchNorm2d(64), nn.ReLU())
    return nn.Sequential(first, *blocks, nn.AvgPool2d((25, 5)), nn.Flatten(), nn.Linear(64, 12))


def autoencoder() -> nn.Module:
    """264 192 products of dense layers."""
    from torch import nn

    sizes = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)
    hidden = [nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()) for a, b in pairwise(sizes)]
    return nn.Sequential(*hidden, nn.Linear(128, 640))


def resnet50() -> nn.Module:
    """4.09 G products on 224 x 224 pixels."""
    from torch import nn

    stages: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for planes, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for number in range(blocks):
            stages.append(_bottleneck(width, planes, stride if number == 0 else 1))
            width = 4 * planes
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def vgg16() -> nn.Module:
    """15.47 G products on 224 x 224 pixels."""
    from torch import nn

    layers: list[nn.Module] = []
    width = 3
    for channels, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
            width = channels
        layers.append(nn.MaxPool2d(2))
    dense = [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers, *dense)


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "ResNet8": resnet8, "DS-CNN": dscnn, "FC autoencoder": autoencoder, "ResNet50": resnet50, "VGG16": vgg16,
}  # fmt: skip


def unit(c_in: int, c_out: int, kernel: int = 3, stride: int = 1, relu: bool = True, groups: int = 1) -> nn.Sequential:
    """A convolution with its norm, and a ReLU where asked for."""
    from torch import nn

    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), *([nn.ReLU()] if relu else []))


def _depthwise(c_in: int, c_out: int) -> nn.Sequential:
    from torch import nn

    depthwise = nn.Conv2d(c_in, c_in, 3, 1, 1, groups=c_in, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(c_in), nn.ReLU(), unit(c_in, c_out, 1))


def _residual(c_in: int, c_out: int, stride: int) -> nn.Module:
    from torch import nn

    body = nn.Sequential(unit(c_in, c_out, 3, stride), unit(c_out, c_out, relu=False))
    shortcut = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1, stride)
    return residual_sum(body, shortcut)


def _bottleneck(c_in: int, planes: int, stride: int) -> nn.Module:
    from torch import nn

    c_out = 4 * planes
    body = nn.Sequential(unit(c_in, planes, 1), unit(planes, planes, 3, stride), unit(planes, c_out, 1, relu=False))
    same = c_in == c_out and stride == 1
    return residual_sum(body, nn.Identity() if same else unit(c_in, c_out, 1, stride, relu=False))


def residual_sum(body: nn.Module, shortcut: nn.Module, relu: bool = True) -> nn.Module:
    """Both of one input, added up."""
    import torch
    from torch import nn

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found = self.body(x) + self.shortcut(x)
            return torch.relu(found) if relu else found

    return Sum()
