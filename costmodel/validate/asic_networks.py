"""Binary networks that published chips ran, written down as ledgers from their published shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.graph.domain import BINARY, TERNARY, Domain, accumulator_bits, integer
from costmodel.graph.operands import Window
from costmodel.ledger.ledger import Charge, Layer, Ledger, Traffic


@dataclass(frozen=True, slots=True)
class Stage:
    """A convolution without padding on ``size`` x ``size`` pixels, its threshold, and perhaps 2x2 maximum pooling."""

    channels_in: int
    channels_out: int
    size: int
    kernel: int
    pool: bool = False


def network(name: str, stages: Sequence[Stage], domain: Domain = BINARY) -> Ledger:
    """The deployed ledger of a chain of stages whose weights and activations are all of ``domain``."""
    layers: list[Layer] = []
    charges: list[Charge] = []
    traffic: list[Traffic] = []
    value = 0
    for number, stage in enumerate(stages):
        out = stage.size - stage.kernel + 1
        terms = stage.channels_in * stage.kernel**2
        pixels, weights = stage.channels_out * out * out, stage.channels_out * terms
        macs, acc = terms * pixels, accumulator_bits(terms)
        shape_in = (1, stage.channels_in, stage.size, stage.size)
        shape_out = (1, stage.channels_out, out, out)
        module, index = f"conv{number}", len(layers)
        shape = (stage.kernel, stage.kernel)
        layers.append(
            Layer(
                index, module, 0, "conv", (index - 1,), shape_in, shape_out, domain, integer(acc), domain,
                (stage.channels_out, stage.channels_in, *shape), Window(shape, (1, 1), (0, 0), (1, 1)), terms, macs,
            )
        )  # fmt: skip
        kinds = ("xnor", "popcount") if domain == BINARY else ("xnor", "and", "popcount")
        for kind in kinds:
            bits_acc = acc if kind == "popcount" else 0
            charges.append(Charge(index, module, 0, "conv", kind, "binary_conv", macs, 1, 1, bits_acc))  # type: ignore[arg-type]
        traffic += [
            Traffic(index, module, f"v{value}", "input", stage.channels_in * stage.size**2, domain.bits),
            Traffic(index, module, f"{module}.weight", "weight", weights, domain.bits),
            Traffic(index, module, f"v{value + 1}", "output", pixels, acc),
        ]
        value += 1
        module, index = f"threshold{number}", len(layers)
        layers.append(Layer(index, module, 0, "threshold", (index - 1,), shape_out, shape_out, integer(acc), domain))
        steps = 1 if domain == BINARY else 2
        charges.append(Charge(index, module, 0, "threshold", "compare", "binarize", steps * pixels, acc, acc))
        traffic += [
            Traffic(index, module, f"v{value}", "input", pixels, acc),
            Traffic(index, module, f"{module}.threshold", "parameter", steps * stage.channels_out, acc),
            Traffic(index, module, f"v{value + 1}", "output", pixels, domain.bits),
        ]
        value += 1
        if stage.pool:
            half = out // 2
            pooled = stage.channels_out * half * half
            module, index = f"pool{number}", len(layers)
            shape_pooled = (1, stage.channels_out, half, half)
            layers.append(Layer(index, module, 0, "max_pool", (index - 1,), shape_out, shape_pooled, domain, domain))
            bits = domain.bits
            charges.append(Charge(index, module, 0, "max_pool", "compare", "maxpool", 3 * pooled, bits, bits))
            traffic += [
                Traffic(index, module, f"v{value}", "input", pixels, bits),
                Traffic(index, module, f"v{value + 1}", "output", pooled, bits),
            ]
            value += 1
    return Ledger(name, "deployed", tuple(layers), tuple(charges), tuple(traffic))


def binareye(width: int, classes: int) -> Ledger:
    """The nine-layer network of BinarEye (binareye_code, CIFAR10/cifar10.py), its input spread over all channels."""
    sizes = [(32, False), (31, False), (30, False), (29, True), (14, False), (13, True), (6, False), (5, False)]
    stages = [Stage(width, width, size, 2, pool) for size, pool in sizes]
    return network(f"BinarEye {width}", [*stages, Stage(width, classes, 4, 4)])


def single(channels: int, size: int, kernel: int, domain: Domain = BINARY) -> Ledger:
    """One convolution that fills the array of a chip: the workload of a peak efficiency."""
    return network(
        f"{kernel}x{kernel} convolution, {channels} channels", [Stage(channels, channels, size, kernel)], domain
    )


def peak_ternary() -> Ledger:
    return single(96, 34, 3, TERNARY)


def binary_weights(channels: int, size: int, kernel: int) -> Ledger:
    """One convolution of real inputs by weights of one bit, traced from PyTorch: YodaNN's workload."""
    import torch
    from torch import nn

    import costmodel

    class Signs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(channels, channels, kernel, kernel))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, torch.where(self.weight >= 0, 1.0, -1.0))

    torch.manual_seed(0)
    return costmodel.profile(Signs().eval(), torch.randn(1, channels, size, size)).deployed
