"""The binary family: topology x block x normaliser in one network class.

``abbnn`` (A&B BNN), ``bnfree`` (BN-free) and ``bn`` share every module but the normaliser, the mask, the residual
scale and the slopes; see :class:`~costmodel.zoo.blocks.Rules`. The structures are those of the published code,
parameter for parameter; where no code is published the catalogue says what was done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from torch import Tensor, nn

from costmodel.errors import CostmodelError
from costmodel.zoo.blocks import BLOCKS, PairBlock, Rules
from costmodel.zoo.entries import DATASETS
from costmodel.zoo.layers import ScaleMode, SlopeMode, StreamScale
from costmodel.zoo.topology import TOPOLOGIES, Shortcut, UnitSpec, mobilenet_units, resnet_units, scaled

RULES: dict[str, Rules] = {
    "abbnn": Rules(batch_norm=False, alpha=0.25, gradient="sigmoid", slope="pow2", mask_inside_sign=True),
    "bnfree": Rules(batch_norm=False, alpha=0.2, gradient="quadratic", slope="real", mask_inside_sign=False),
    "bn": Rules(batch_norm=True, alpha=1.0, gradient="quadratic", slope="real", mask_inside_sign=True),
}


class Stem(nn.Module):
    """The real first convolution, with normalisation, PReLU and pooling where the network has them."""

    def __init__(self, conv: nn.Module, norm: list[nn.Module], prelu: nn.Module | None, pool: nn.Module | None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm[0] if norm else None
        self.activation = prelu
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.conv, self.norm, self.activation, self.pool):
            x = x if layer is None else layer(x)
        return x


class BinaryNet(nn.Module):
    """Stem, stages of binary units, global average pooling and a real classifier. [N, C, H, W] -> [N, classes]."""

    def __init__(
        self, stem: Stem, streams: nn.ModuleList, stages: nn.ModuleList, head: nn.Module | None, fc: nn.Linear
    ):
        super().__init__()
        self.stem = stem
        self.streams = streams
        self.stages = stages
        self.activation = head
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = fc

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        if self.activation is not None:
            x = self.activation(x)
        y: Tensor = self.fc(self.pool(x).flatten(1))
        return y


def _stem(top_name: str, rules: Rules, dataset: str, c_in: int, c_out: int, prelu: bool) -> Stem:
    kind = TOPOLOGIES[top_name].stem
    large = dataset == "imagenet"
    if kind == "mobilenet":
        conv = rules.real_conv(c_in, c_out, 3, 2 if large else 1, 1)
        return Stem(conv, rules.norm(c_out), None, None)
    conv = rules.real_conv(c_in, c_out, 7, 2, 3) if large else rules.real_conv(c_in, c_out, 3, 1, 1)
    pool = nn.MaxPool2d(3, 2, 1) if large else None
    return Stem(conv, rules.norm(c_out), nn.PReLU(c_out) if prelu else None, pool)


def _unit_stage(
    specs: list[UnitSpec], rules: Rules, block: str, writes: StreamScale | None, reads: StreamScale | None
) -> nn.Sequential:
    make = BLOCKS[block]
    return nn.Sequential(*(make(s, rules, writes=writes, reads=reads if i == 0 else None) for i, s in enumerate(specs)))


def _check(option: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise CostmodelError(f"{option}={value!r}: expected one of {', '.join(allowed)}")


def build(
    *,
    variant: str,
    topology: str,
    dataset: str,
    width: float = 1.0,
    num_classes: int | None = None,
    in_channels: int | None = None,
    binary_weights: bool = True,
    scale: ScaleMode = "real",
    slope: SlopeMode | None = None,
    alpha: float | None = None,
    downsample: Shortcut | None = None,
) -> BinaryNet:
    """A network of the family, with fresh random weights.

    ``width`` multiplies all channels; ``binary_weights=False`` gives real weights under the same parameter names;
    ``scale``: weight scales ``real``, rounded to powers of two (``pow2``), or equal up to powers of two within each
    residual stream (``tied``); ``slope``: ``pow2`` learned, ``fixed`` 2^-3, ``real``; ``alpha``: the residual scale;
    ``downsample``: ``pool-real``, ``pool-binary`` or ``binary`` 1x1 where a residual network halves its map.
    """
    top = TOPOLOGIES[topology]
    if not 0 < width <= 16:
        raise CostmodelError(f"width={width!r}: expected a factor above 0 and at most 16, such as 0.25")
    _check("scale", scale, get_args(ScaleMode))
    rules = replace(RULES[variant], binary_weights=binary_weights, scale=scale)
    if slope is not None:
        _check("slope", slope, get_args(SlopeMode))
        rules = replace(rules, slope=slope)
    if alpha is not None:
        rules = replace(rules, alpha=alpha)
    if downsample is not None:
        _check("downsample", downsample, ("pool-real", "pool-binary", "binary"))
    shape, classes = DATASETS[dataset]
    react = top.block == "react"
    # Original ReActNet-18/-34 keep the 1x1 of the shortcut real; only their BN-free and A&B forms binarise it.
    down = downsample or ("pool-real" if rules.batch_norm and react else top.downsample)
    # A&B's and our BN-free Bi-Real and XNOR have a real PReLU after the stem and one before the classifier.
    prelu = top.block == "bireal" and not rules.batch_norm
    if topology == "xnor18" and rules.batch_norm:
        rules = replace(rules, pre_norm=True)

    widths = scaled(top.widths, width)
    stem = _stem(topology, rules, dataset, in_channels or shape[1], widths[0], prelu)
    streams, stages = nn.ModuleList(), nn.ModuleList()
    if top.block == "bnn":
        c_in = widths[0]
        for index, (c_out, count) in enumerate(zip(widths[1:], top.blocks, strict=True)):
            strides = [2 if index else 1] + [1] * (count - 1)
            ins = [c_in] + [c_out] * (count - 1)
            pairs = zip(ins, strides, strict=True)
            stages.append(nn.Sequential(*(PairBlock(i, c_out, s, rules, variant == "abbnn") for i, s in pairs)))
            c_in = c_out
    elif top.stem == "mobilenet":
        # Identity, pooling and concatenation carry one stream from end to end.
        stream = StreamScale() if scale == "tied" else None
        streams.extend([stream] if stream else [])
        for specs in mobilenet_units(top, width, rules.alpha):
            stages.append(_unit_stage(specs, rules, top.block, stream, None))
    else:
        before = None
        for specs in resnet_units(top, width, rules.alpha, down):
            stream = StreamScale() if scale == "tied" else None
            streams.extend([stream] if stream else [])
            stages.append(_unit_stage(specs, rules, top.block, stream, before))
            before = stream
    head = nn.PReLU(widths[-1]) if prelu else None
    return BinaryNet(stem, streams, stages, head, nn.Linear(widths[-1], num_classes or classes))
