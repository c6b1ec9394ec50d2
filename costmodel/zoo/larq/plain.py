"""Networks without shortcuts: BinaryAlexNet and XNORNet."""

from __future__ import annotations

from functools import partial

from torch import nn

from costmodel.zoo.larq.layers import QuantConv2d, QuantLinear, ShiftBatchNorm2d, real_conv


def build_alexnet(*, num_classes: int = 1000, in_channels: int = 3, dense_classifier: bool = False) -> nn.Sequential:
    """BinaryAlexNet. The first layer's weights are binary, its input is not; the dense layers are 1x1 convolutions.

    ``dense_classifier`` makes them dense layers, as they were until May 2021 and when the published latencies were
    measured: the same products, but other kernels.
    """
    layers: list[nn.Module] = []
    convs = ((in_channels, 64, 11, 4, True), (64, 192, 5, 1, True), (192, 384, 3, 1, False),
             (384, 384, 3, 1, False), (384, 256, 3, 1, True))  # fmt: skip
    for index, (c_in, c_out, kernel, stride, pool) in enumerate(convs):
        layers.append(QuantConv2d(c_in, c_out, kernel, stride, binarize_input=index > 0))
        if pool:
            layers.append(nn.MaxPool2d(3, 2))
        layers.append(ShiftBatchNorm2d(c_out))
    layers += [nn.Flatten(), nn.Unflatten(1, (256 * 6 * 6, 1, 1))]
    for c_in, c_out in ((256 * 6 * 6, 4096), (4096, 4096), (4096, num_classes)):
        if dense_classifier:
            layers += [nn.Flatten(), QuantLinear(c_in, c_out), nn.Unflatten(1, (c_out, 1, 1)), ShiftBatchNorm2d(c_out)]
        else:
            layers += [QuantConv2d(c_in, c_out, 1), ShiftBatchNorm2d(c_out)]
    return nn.Sequential(*layers, nn.Flatten())


def build_xnornet(*, num_classes: int = 1000, in_channels: int = 3) -> nn.Sequential:
    """XNORNet on AlexNet: weights scaled by the mean magnitude of each filter, real first and last layer."""
    conv = partial(QuantConv2d, kernel_scale="clipped-mean")
    return nn.Sequential(
        real_conv(in_channels, 96, 11, 4),
        ShiftBatchNorm2d(96, eps=1e-5),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        ShiftBatchNorm2d(96, eps=1e-4),
        conv(96, 256, 5),
        nn.MaxPool2d(3, 2),
        ShiftBatchNorm2d(256, eps=1e-4),
        conv(256, 384, 3),
        ShiftBatchNorm2d(384, eps=1e-4),
        conv(384, 384, 3),
        ShiftBatchNorm2d(384, eps=1e-4),
        conv(384, 256, 3),
        nn.MaxPool2d(3, 2),
        ShiftBatchNorm2d(256, eps=1e-4),
        conv(256, 4096, 6, padding=0),
        ShiftBatchNorm2d(4096, eps=1e-4),
        conv(4096, 4096, 1),
        ShiftBatchNorm2d(4096),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4096, num_classes, bias=False),
    )
