"""Topologies: which convolutions follow each other, at what width, stride and expected variance. No parameters here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Shortcut = Literal["identity", "pool", "pool-real", "pool-binary", "binary"]


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One binary convolution with its own shortcut.

    ``branches`` convolutions of ``c_in`` to ``c_out / branches`` channels run side by side and are concatenated, each
    with the same shortcut. ``beta`` is one over the standard deviation that the input is expected to have.
    """

    c_in: int
    c_out: int
    kernel: int
    stride: int = 1
    shortcut: Shortcut = "identity"
    branches: int = 1
    beta: float = 1.0


@dataclass(frozen=True, slots=True)
class Topology:
    """A binary network without its block's rules; a row of :data:`TOPOLOGIES` is all that makes one.

    ``block`` is a name of :data:`costmodel.zoo.blocks.BLOCKS`, or "bnn". ``widths`` are the channels of the stages at
    width 1, the stem's first. ``downsample`` is how a residual network halves its map where nothing else is said.
    """

    stem: Literal["resnet", "mobilenet"]
    block: str
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    description: str
    downsample: Shortcut = "pool-binary"
    datasets: tuple[str, ...] = ("imagenet", "cifar10", "cifar100")


_RESNET = (64, 64, 128, 256, 512)
_EACH = "each with its own shortcut and RPReLU"
_AROUND = "a shortcut around every binary 3x3 convolution, real 1x1 on the way down"

TOPOLOGIES: dict[str, Topology] = {
    "reactnet18": Topology(
        "resnet", "react", _RESNET, (4, 4, 4, 4), f"ReActNet on ResNet-18: 16 binary 3x3 convolutions, {_EACH}"
    ),
    "reactnet34": Topology(
        "resnet", "react", _RESNET, (6, 8, 12, 6), f"ReActNet on ResNet-34: 32 binary 3x3 convolutions, {_EACH}"
    ),
    "reactneta": Topology(
        "mobilenet", "react", (32, 64, 128, 256, 512, 1024), (1, 2, 2, 6, 2),
        "ReActNet-A on MobileNetV1: 13 pairs of binary 3x3 and 1x1 convolutions, each with shortcut",
    ),
    "bireal18": Topology("resnet", "bireal", _RESNET, (4, 4, 4, 4), f"Bi-Real-18: {_AROUND}", "pool-real"),
    "bireal34": Topology("resnet", "bireal", _RESNET, (6, 8, 12, 6), f"Bi-Real-34: {_AROUND}", "pool-real"),
    "xnor18": Topology(
        "resnet", "bireal", _RESNET, (4, 4, 4, 4),
        "XNOR-18: as Bi-Real-18, but a binary 1x1 of stride 2 on the way down", "binary",
    ),
    "bnn18": Topology(
        "resnet", "bnn", _RESNET, (2, 2, 2, 2),
        "BNN on ResNet-18: shortcuts around pairs of convolutions, unscaled binary weights", "binary",
    ),
    "reactnet6": Topology(
        "resnet", "react", (16, 16, 32), (2, 2),
        "Stem and four binary 3x3 convolutions of 16, 16, 32, 32 channels", datasets=("digits",),
    ),
}  # fmt: skip


def scaled(widths: tuple[int, ...], width: float) -> tuple[int, ...]:
    """Channels at a width factor. The stem is rounded, the rest keep their ratio to it and so still double."""
    stem = max(1, round(widths[0] * width))
    return tuple(w // widths[0] * stem for w in widths)


def resnet_units(top: Topology, width: float, alpha: float, downsample: Shortcut) -> Iterator[list[UnitSpec]]:
    """The stages of a residual network, a list of units each.

    A unit adds alpha^2 to the expected variance of the stream. As in the published networks, the first unit of a stage
    takes its beta from the stage before, the variance restarts at one at a transition, and the first unit does not add.
    """
    stem, *stages = scaled(top.widths, width)
    variance, c_in = 1.0, stem
    for index, (c_out, count) in enumerate(zip(stages, top.blocks, strict=True)):
        beta = variance**-0.5
        transition = index > 0
        if transition:
            variance = 1.0
        shortcut: Shortcut = downsample if transition else "identity"
        units = [UnitSpec(c_in, c_out, 3, 2 if transition else 1, shortcut, beta=beta)]
        for _ in range(1, count):
            units.append(UnitSpec(c_out, c_out, 3, beta=variance**-0.5))
            variance += alpha**2
        c_in = c_out
        yield units


def mobilenet_units(top: Topology, width: float, alpha: float) -> Iterator[list[UnitSpec]]:
    """The stages of ReActNet-A: pairs of a 3x3 and a 1x1 unit; where the width doubles, two 1x1 run side by side.

    The map halves in the first 3x3 of every stage after the first, whose shortcut is then average pooling. The variance
    restarts after such a pair, and every unit adds alpha^2.
    """
    stem, *stages = scaled(top.widths, width)
    variance, c_in = 1.0, stem
    betas = (variance**-0.5, (variance + alpha**2) ** -0.5)
    for index, (c_out, count) in enumerate(zip(stages, top.blocks, strict=True)):
        units: list[UnitSpec] = []
        for position in range(count):
            halve = index > 0 and position == 0
            units.append(UnitSpec(c_in, c_in, 3, 2 if halve else 1, "pool" if halve else "identity", beta=betas[0]))
            units.append(UnitSpec(c_in, c_out, 1, branches=c_out // c_in, beta=betas[1]))
            variance = 1.0 if halve else variance + 2 * alpha**2
            betas = (variance**-0.5, (variance + alpha**2) ** -0.5)
            c_in = c_out
        yield units
