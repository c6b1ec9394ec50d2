"""Networks of ImageNet that vendors timed on time-shared engines of FPGAs, on 224 x 224 pixels unless said otherwise.

Layers and shapes are those of the publications and of the reference models that the vendors converted: ResNet with its
stride in the first layer of a block (Caffe, Keras), in the middle one (PyTorch), or at the end of a stage
(TensorFlow-Slim). ``dense=False`` leaves out the dense layers, which one engine hands to its host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from costmodel.validate.networks import residual_sum, unit

if TYPE_CHECKING:
    from torch import nn

    from costmodel.ledger.ledger import Ledger

#: Blocks of each stage of a ResNet with bottlenecks, by depth.
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
#: Channels of the branches of GoogLeNet's modules: 1x1; 3x3 after 1x1; 5x5 after 1x1; 1x1 after pooling. 0: a pool.
INCEPTIONS = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (), (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), (),
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
#: Blocks of MobileNetV2 as (expansion, channels, times, stride of the first).
INVERTED = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def ledger(name: str) -> Ledger:
    """The network as it is deployed: norms are in the weights."""
    import torch

    import costmodel

    torch.manual_seed(0)
    size = SIZES.get(name, 224)
    return costmodel.profile(BUILDERS[name]().eval(), torch.randn(1, 3, size, size)).deployed


def resnet(depth: int, stride_at: str, dense: bool = True) -> nn.Module:
    """``stride_at``: the layer of a block that halves the map: ``first``, ``middle``, or ``last`` block of a stage."""
    from torch import nn

    stages: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for stage, blocks in enumerate(BLOCKS[depth]):
        planes = 64 * 2**stage
        for number in range(blocks):
            early, late = number == 0 and stage > 0, number == blocks - 1 and stage < 3
            stride = 2 if (late if stride_at == "last" else early) else 1
            stages.append(_bottleneck(width, planes, stride, stride_at == "first"))
            width = 4 * planes
    return nn.Sequential(*stages, *_end(2048, dense))


def _bottleneck(c_in: int, planes: int, stride: int, first: bool) -> nn.Module:
    from torch import nn

    c_out = 4 * planes
    one, two = (stride, 1) if first else (1, stride)
    body = nn.Sequential(unit(c_in, planes, 1, one), unit(planes, planes, 3, two), unit(planes, c_out, 1, relu=False))
    shortcut: nn.Module = nn.Identity()
    if c_in != c_out:
        shortcut = unit(c_in, c_out, 1, stride, relu=False)
    elif stride > 1:
        shortcut = nn.MaxPool2d(1, stride)
    return residual_sum(body, shortcut)


def resnet18() -> nn.Module:
    """1.82 G products."""
    from torch import nn

    stages: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for planes in (64, 128, 256, 512):
        for stride in (1 if planes == 64 else 2, 1):
            body = nn.Sequential(unit(width, planes, 3, stride), unit(planes, planes, relu=False))
            shortcut = nn.Identity() if width == planes else unit(width, planes, 1, stride, relu=False)
            stages.append(residual_sum(body, shortcut))
            width = planes
    return nn.Sequential(*stages, *_end(512))


def vgg(convolutions: Sequence[int], dense: bool = True) -> nn.Module:
    """``convolutions`` of each of the five stages: (2, 2, 3, 3, 3) for VGG-16."""
    from torch import nn

    layers: list[nn.Module] = []
    width = 3
    for channels, times in zip((64, 128, 256, 512, 512), convolutions, strict=True):
        for _ in range(times):
            layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
            width = channels
        layers.append(nn.MaxPool2d(2))
    classifier = [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
                  nn.Linear(4096, 1000)]  # fmt: skip
    return nn.Sequential(*layers, *(classifier if dense else ()))


def mobilenet_v1(alpha: float) -> nn.Module:
    """569 M products at full width."""
    from torch import nn

    width = int(32 * alpha)
    layers: list[nn.Module] = [unit(3, width, 3, 2)]
    blocks = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
    for channels, stride in blocks:
        out = int(channels * alpha)
        layers += [unit(width, width, 3, stride, groups=width), unit(width, out, 1)]
        width = out
    return nn.Sequential(*layers, *_end(width))


def mobilenet_v2() -> nn.Module:
    """301 M products."""
    from torch import nn

    layers: list[nn.Module] = [unit(3, 32, 3, 2)]
    width = 32
    for expansion, channels, times, first in INVERTED:
        for number in range(times):
            stride, hidden = first if number == 0 else 1, width * expansion
            parts = [unit(width, hidden, 1)] if expansion > 1 else []
            parts += [unit(hidden, hidden, 3, stride, groups=hidden), unit(hidden, channels, 1, relu=False)]
            body = nn.Sequential(*parts)
            same = stride == 1 and width == channels
            layers.append(residual_sum(body, nn.Identity(), relu=False) if same else body)
            width = channels
    return nn.Sequential(*layers, unit(width, 1280, 1), *_end(1280))


def googlenet(dense: bool = True, large: int = 5) -> nn.Module:
    """1.58 G products; with kernels of 3 x 3 in place of 5 x 5 (``large``), as TensorFlow-Slim has it, 1.50 G."""
    from torch import nn

    layers: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), unit(64, 64, 1), unit(64, 192),
                               nn.MaxPool2d(3, 2, 1)]  # fmt: skip
    width = 192
    for module in INCEPTIONS:
        if not module:
            layers.append(nn.MaxPool2d(3, 2, 1))
            continue
        one, few3, three, few5, five, pooled = module
        layers.append(_side_by_side(
            unit(width, one, 1), nn.Sequential(unit(width, few3, 1), unit(few3, three)),
            nn.Sequential(unit(width, few5, 1), unit(few5, five, large)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(width, pooled, 1)),
        ))  # fmt: skip
        width = one + three + five + pooled
    return nn.Sequential(*layers, *_end(width, dense))


def squeezenet() -> nn.Module:
    """Version 1.1: 349 M products."""
    from torch import nn

    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
    width = 64
    for number, few in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        many = 4 * few
        layers += [nn.Conv2d(width, few, 1), nn.ReLU()]
        layers.append(_side_by_side(nn.Sequential(nn.Conv2d(few, many, 1), nn.ReLU()),
                                    nn.Sequential(nn.Conv2d(few, many, 3, padding=1), nn.ReLU())))  # fmt: skip
        width = 2 * many
        if number in (1, 3):
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
    return nn.Sequential(*layers, nn.Conv2d(width, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def alexnet() -> nn.Module:
    """The convolutions of AlexNet on 227 x 227 pixels, three of them in two groups: 666 M products."""
    from torch import nn

    layers: list[nn.Module] = []
    for c_in, c_out, kernel, stride, groups, pool in (
        (3, 96, 11, 4, 1, True), (96, 256, 5, 1, 2, True), (256, 384, 3, 1, 1, False), (384, 384, 3, 1, 2, False),
        (384, 256, 3, 1, 2, True),
    ):  # fmt: skip
        padding = 0 if kernel == 11 else kernel // 2
        layers += [nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups), nn.ReLU()]
        layers += [nn.MaxPool2d(3, 2)] if pool else []
    return nn.Sequential(*layers)


def _end(width: int, dense: bool = True) -> list[nn.Module]:
    from torch import nn

    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *([nn.Linear(width, 1000)] if dense else [])]


def _side_by_side(*branches: nn.Module) -> nn.Module:
    import torch
    from torch import nn

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(branches)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([branch(x) for branch in self.branches], 1)

    return Branches()


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "ResNet-50 (Slim)": partial(resnet, 50, "last"), "ResNet-101 (Slim)": partial(resnet, 101, "last"),
    "ResNet-152 (Slim)": partial(resnet, 152, "last"), "ResNet-50": partial(resnet, 50, "first"),
    "ResNet-50 v1.5": partial(resnet, 50, "middle"), "ResNet-18": resnet18, "VGG-16": partial(vgg, (2, 2, 3, 3, 3)),
    "VGG-19": partial(vgg, (2, 2, 4, 4, 4)), "MobileNetV1": partial(mobilenet_v1, 1.0),
    "MobileNetV1 0.5 160": partial(mobilenet_v1, 0.5), "MobileNetV1 0.25 128": partial(mobilenet_v1, 0.25),
    "MobileNetV2": mobilenet_v2, "GoogLeNet": googlenet, "GoogLeNet (Slim)": partial(googlenet, large=3),
    "SqueezeNet 1.1": squeezenet, "SqueezeNet 1.1 227": squeezenet, "AlexNet, convolutions": alexnet,
    "GoogLeNet, convolutions": partial(googlenet, False),
    "ResNet-50, convolutions": partial(resnet, 50, "first", False),
    "VGG-16, convolutions": partial(vgg, (2, 2, 3, 3, 3), False),
}  # fmt: skip
#: Side of the input in pixels, where it is not 224.
SIZES = {
    "MobileNetV1 0.5 160": 160, "MobileNetV1 0.25 128": 128, "SqueezeNet 1.1 227": 227, "AlexNet, convolutions": 227,
}  # fmt: skip
