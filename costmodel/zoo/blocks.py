"""Blocks of the binary families, made of the layers by one set of rules a variant."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from costmodel.zoo.layers import (
    BinaryActivation,
    BinaryConv2d,
    LearnableBias,
    Mask,
    RPReLU,
    ScaleMode,
    SignConv2d,
    SlopeMode,
    StandardizedConv2d,
    StreamScale,
)
from costmodel.zoo.ste import Gradient
from costmodel.zoo.topology import UnitSpec


@dataclass(frozen=True, slots=True)
class Rules:
    """What a variant does in place of, or besides, batch normalisation."""

    batch_norm: bool
    #: multiplies each binary convolution before it joins its shortcut
    alpha: float
    gradient: Gradient
    slope: SlopeMode
    #: the mask is only inside the sign (A&B); else it scales the input of the shortcut's pooling and convolution too
    mask_inside_sign: bool
    binary_weights: bool = True
    scale: ScaleMode = "real"
    #: batch normalisation before the sign and not after the convolution (XNOR-Net)
    pre_norm: bool = False

    def real_conv(self, c_in: int, c_out: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Module:
        """A convolution that is real-valued in both training steps."""
        if self.batch_norm:
            return nn.Conv2d(c_in, c_out, kernel, stride, padding, bias=False)
        return StandardizedConv2d(c_in, c_out, kernel, stride, padding)

    def binary_conv(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        writes: StreamScale | None = None,
        reads: StreamScale | None = None,
    ) -> nn.Module:
        """A convolution whose weights are binary, or real in the first of two training steps."""
        padding = kernel // 2
        if not self.binary_weights:
            return self.real_conv(c_in, c_out, kernel, stride, padding)
        return BinaryConv2d(
            c_in,
            c_out,
            kernel,
            stride,
            padding,
            standardized=not self.batch_norm,
            scale=self.scale,
            writes=writes,
            reads=reads,
        )

    def norm(self, channels: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(channels)] if self.batch_norm else []


def make_shortcut(spec: UnitSpec, rules: Rules, writes: StreamScale | None, reads: StreamScale | None) -> nn.Module:
    """The path around a unit's convolution."""
    if spec.shortcut == "identity":
        return nn.Identity()
    if spec.shortcut == "pool":
        return nn.AvgPool2d(2, 2)
    if spec.shortcut == "binary":
        conv = rules.binary_conv(spec.c_in, spec.c_out, 1, spec.stride, writes, reads)
        return nn.Sequential(conv, *rules.norm(spec.c_out))
    if spec.shortcut == "pool-real":
        conv = rules.real_conv(spec.c_in, spec.c_out, 1)
    else:
        conv = rules.binary_conv(spec.c_in, spec.c_out, 1, 1, writes, reads)
    return nn.Sequential(nn.AvgPool2d(2, spec.stride), conv, *rules.norm(spec.c_out))


class Unit(nn.Module):
    """x -> act(alpha * conv(sign(beta * (x + b / beta))) + shortcut(x)), with normalisation where the rules say so.

    ``react`` adds the bias before the sign and an RPReLU at the end; else the unit has neither.
    """

    def __init__(
        self,
        spec: UnitSpec,
        rules: Rules,
        react: bool,
        writes: StreamScale | None = None,
        reads: StreamScale | None = None,
    ) -> None:
        super().__init__()
        self.alpha = rules.alpha
        self.mask_inside_sign = rules.mask_inside_sign
        masked = not rules.batch_norm and spec.beta != 1.0
        self.norm_in = nn.BatchNorm2d(spec.c_in) if rules.pre_norm else None
        # The bias precedes the mask and is divided by it (A&B), or follows it (BN-free).
        inside = masked and rules.mask_inside_sign
        self.bias_in = LearnableBias(spec.c_in, spec.beta if inside else 1.0) if react else None
        self.mask = Mask(spec.beta) if masked else None
        self.sign = BinaryActivation(rules.gradient)
        c_out = spec.c_out // spec.branches
        self.convs = nn.ModuleList(
            rules.binary_conv(spec.c_in, c_out, spec.kernel, spec.stride, writes) for _ in range(spec.branches)
        )
        post_norm = rules.batch_norm and not rules.pre_norm
        self.norms = nn.ModuleList(nn.BatchNorm2d(c_out) if post_norm else nn.Identity() for _ in self.convs)
        self.shortcut = make_shortcut(spec, rules, writes, reads)
        self.activation = RPReLU(spec.c_out, rules.slope) if react else None

    def forward(self, x: Tensor) -> Tensor:
        u = x if self.norm_in is None else self.norm_in(x)
        if self.mask_inside_sign:
            u = u if self.bias_in is None else self.bias_in(u)
            u = u if self.mask is None else self.mask(u)
            residual = self.shortcut(x)
        else:
            u = u if self.mask is None else self.mask(u)
            residual = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(x if self.mask is None else u)
            u = u if self.bias_in is None else self.bias_in(u)
        u = self.sign(u)
        outs = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = norm(conv(u))
            outs.append((y if self.alpha == 1.0 else y * self.alpha) + residual)
        y = outs[0] if len(outs) == 1 else torch.cat(outs, 1)
        return y if self.activation is None else cast(Tensor, self.activation(y))


class PairBlock(nn.Module):
    """BNN on ResNet: two convolutions of signs with one shortcut around both, binary weights without a scale.

    Where the width changes, the shortcut is a binary 1x1 convolution of the same signs. Without batch normalisation
    each layer's weights carry one constant, 1/sqrt(fan_in), rounded to a power of two in the A&B form.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, rules: Rules, power_of_two: bool) -> None:
        super().__init__()
        self.alpha = rules.alpha
        self.sign1, self.sign2 = BinaryActivation(rules.gradient), BinaryActivation(rules.gradient)
        self.power_of_two = power_of_two
        self.conv1 = self._conv(c_in, c_out, 3, stride, rules)
        self.conv2 = self._conv(c_out, c_out, 3, 1, rules)
        self.shortcut = self._conv(c_in, c_out, 1, stride, rules) if stride > 1 else None

    def _conv(self, c_in: int, c_out: int, kernel: int, stride: int, rules: Rules) -> nn.Module:
        padding = kernel // 2
        conv: nn.Module
        if not rules.binary_weights:
            conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, bias=False)
        elif rules.batch_norm:
            conv = SignConv2d(c_in, c_out, kernel, stride, padding)
        else:
            factor = (c_in * kernel * kernel) ** -0.5
            if self.power_of_two:
                factor = 2.0 ** round(math.log2(factor))
            conv = SignConv2d(c_in, c_out, kernel, stride, padding, factor)
        return nn.Sequential(conv, *rules.norm(c_out))

    def forward(self, x: Tensor) -> Tensor:
        u = self.sign1(x)
        residual: Tensor = x if self.shortcut is None else self.shortcut(u)
        y: Tensor = self.conv2(self.sign2(self.conv1(u)))
        return (y if self.alpha == 1.0 else y * self.alpha) + residual


#: Block of a topology -> what makes one unit of it, of ``(spec, rules, writes=..., reads=...)``; "bnn" is made of
#: pairs.
BLOCKS: dict[str, Callable[..., nn.Module]] = {"react": partial(Unit, react=True), "bireal": partial(Unit, react=False)}
