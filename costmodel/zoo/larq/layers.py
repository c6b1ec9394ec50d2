"""The layers that the Larq zoo's networks share: binary convolutions and their neighbours, channels first."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.zoo.layers import conv_like
from costmodel.zoo.ste import Gradient, scaled_sign, sign

KernelScale = Literal["none", "mean", "clipped-mean"]


def same_padding(kernel: int, stride: int = 1, dilation: int = 1) -> int:
    """Padding on each side for which a map whose size divides by ``stride`` shrinks by exactly that factor."""
    return (dilation * (kernel - 1) + 2 - stride) // 2


class QuantConv2d(nn.Conv2d):
    """sign(x) convolved with the signs of the weights; x itself with ``binarize_input=False``. No bias.

    ``kernel_scale``: weights -1 and +1 (``none``); each filter times the mean magnitude of its latent weights
    (``mean``: Larq's magnitude-aware sign), or of these clipped to [-1, 1] (``clipped-mean``: XNOR-Net).
    ``pad_value``: what the padding holds after the sign, 0 (a third value) or 1.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        *,
        padding: int | None = None,
        dilation: int = 1,
        binarize_input: bool = True,
        gradient: Gradient = "clip",
        limit: float = 1.0,
        kernel_scale: KernelScale = "none",
        pad_value: float = 0.0,
    ) -> None:
        padding = same_padding(kernel, stride, dilation) if padding is None else padding
        self.border = padding if pad_value else 0
        super().__init__(c_in, c_out, kernel, stride, 0 if pad_value else padding, dilation, bias=False)
        nn.init.xavier_normal_(self.weight)
        self.binarize_input, self.gradient, self.limit = binarize_input, gradient, limit
        self.kernel_scale, self.pad_value = kernel_scale, pad_value

    def binary_weight(self) -> Tensor:
        if self.kernel_scale == "none":
            return sign(self.weight, "clip", self.limit)
        weight = self.weight if self.kernel_scale == "mean" else self.weight.clamp(-1, 1)
        scale = weight.abs().mean((1, 2, 3), keepdim=True)
        # Larq's magnitude-aware sign passes no gradient to the scale; XNOR-Net's does.
        return scaled_sign(weight, scale.detach() if self.kernel_scale == "mean" else scale)

    def forward(self, x: Tensor) -> Tensor:
        u = sign(x, self.gradient, self.limit) if self.binarize_input else x
        if self.border:
            u = F.pad(u, (self.border,) * 4, value=self.pad_value)
        return conv_like(self, u, self.binary_weight())


class QuantLinear(nn.Linear):
    """sign(x) times the signs of the weights. No bias."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, bias=False)
        nn.init.xavier_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(sign(x, "clip", 1.0), sign(self.weight, "clip", 1.0))


def real_conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A real convolution with "same" padding and no bias."""
    return nn.Conv2d(c_in, c_out, kernel, stride, same_padding(kernel, stride), groups=groups, bias=False)


class BlurPool2d(nn.Module):
    """Anti-aliased 2x subsampling by the binomial filter [1 2 1] x [1 2 1] / 16, stride 2, zero padding 1.

    The filter is two 2x2 means in a row, one of stride 1 and one of stride 2. It is written so because it has no
    weights: additions and shifts only, and, as in Larq's own counts, no multiply-accumulates.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.avg_pool2d(x, 2, 1, padding=1), 2, 2)


class ShiftBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation without a learned scale (Keras ``scale=False``); ``center=False`` drops the offset too."""

    def __init__(self, channels: int, eps: float = 1e-3, center: bool = True) -> None:
        super().__init__(channels, eps=eps, affine=center)
        if center:
            del self.weight
            self.register_parameter("weight", None)


class GlobalMean(nn.Module):
    """Global average pooling, [N, C, H, W] -> [N, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1).flatten(1)


class Merge(nn.Module):
    """Concatenate a branch to its input: x -> [x, branch(x)]."""

    def __init__(self, *branch: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.branch(x)], 1)
