"""Layers in other bits than they were written in: ``conv1=w8a8,layer*.conv=w4,fc=w2a4``.

Each part names layers (shell patterns; the last that matches a layer counts) and the bits of their weights, of what
they read, or of both. What a layer of a network costs in fewer bits is then read off that network with uniform
quantisers in it, by the same rules as of any other; nothing is guessed from a table of widths.

* ``w4``: integers from -7 to 7, with a step for each output channel; ``w1``: signs, with a size for each;
* ``a4``: what the layer reads, rounded to integers from -8 to 7, with one step, as LSQ has it; ``a1``: its signs;
* ``u4``: the same from 0 to 15, for what is never negative;
* ``unchanged``: as written.

Accuracy is that of a network that was trained so: what is known of the one as written says nothing of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from costmodel.errors import CostmodelError, UnknownNameError

if TYPE_CHECKING:
    from torch import Tensor, nn

UNCHANGED = "unchanged"
MOST = 16
_BITS = re.compile(r"(?:w(\d+))?(?:([au])(\d+))?")


@dataclass(frozen=True)
class Bits:
    """Bits of the weights and of the values that a layer reads, which may be ``signed``; 0: as written."""

    weight: int = 0
    read: int = 0
    signed: bool = True


def bits_of(text: str, where: str) -> Bits:
    """What ``w4a8`` says. Raises :class:`CostmodelError` for anything else."""
    if text == UNCHANGED:
        return Bits()
    found = _BITS.fullmatch(text)
    weight, letter, read = found.groups() if found else (None, None, None)
    given = [int(number) for number in (weight, read) if number]
    if not given or not all(1 <= number <= MOST for number in given):
        raise CostmodelError(
            f"{where}: {text!r}: expected bits of weights and of what is read, 1 to {MOST}, such as w4a8, w4, a8, w4u8 "
            f"(not negative), or {UNCHANGED}"
        )
    return Bits(int(weight or 0), int(read or 0), letter != "u")


def parse(text: str) -> tuple[tuple[str, Bits], ...]:
    """What is asked of which layers, in order. Raises :class:`CostmodelError` for what is no such text."""
    parts = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        pattern, equals, bits = (piece.strip() for piece in part.partition("="))
        if not equals or not pattern:
            raise CostmodelError(f"layer bits {part!r}: expected LAYER=BITS, such as conv1=w8a8 or layer*.conv=w4")
        parts.append((pattern, bits_of(bits, f"layer bits of {pattern}")))
    return tuple(parts)


def quantise(model: nn.Module, text: str) -> None:
    """Put the quantisers that are asked for into a network's layers.

    Raises :class:`CostmodelError` for a layer that is not there, and for one that computes with its weights in a way
    of its own: its bits are part of what it computes.
    """
    wanted = parse(text)
    layers = _layers(model)
    for pattern, _ in wanted:
        if not any(fnmatchcase(name, pattern) for name in layers):
            raise _missing(model, pattern, layers)
    for name, layer in layers.items():
        matching = [bits for pattern, bits in wanted if fnmatchcase(name, pattern)]
        if matching:
            _quantise(layer, matching[-1])


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    """Those that compute a sum of products with their weights as they are, by name."""
    from torch import nn

    plain = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    return {name: module for name, module in model.named_modules() if type(module) in plain}


def _missing(model: nn.Module, pattern: str, layers: dict[str, nn.Module]) -> CostmodelError:
    own = dict(model.named_modules()).get(pattern)
    if own is None:
        return UnknownNameError("layer", pattern, layers)
    return CostmodelError(
        f"layer bits of {pattern}: {type(own).__name__} is no layer of torch that uses its weights as they are; "
        f"what it computes decides its bits. Layers that can be given some: {', '.join(layers) or 'none'}"
    )


def _quantise(layer: nn.Module, bits: Bits) -> None:
    import torch
    from torch import nn
    from torch.nn.utils import parametrize

    class Weights(nn.Module):
        """Weights of a few bits, with a step or a size for each output channel."""

        def forward(self, weight: Tensor) -> Tensor:
            across = tuple(range(1, weight.dim()))
            if bits.weight == 1:
                levels, step = torch.where(weight >= 0, 1.0, -1.0), weight.abs().mean(across, keepdim=True)
            else:
                top = 2 ** (bits.weight - 1) - 1
                step = weight.abs().amax(across, keepdim=True).clamp_min(1e-12) / top
                levels = torch.clamp(torch.round(weight / step), -top, top)
            return levels.mul(step)

    def read(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *others = given
        if bits.read == 1 and bits.signed:
            return torch.where(x >= 0, 1.0, -1.0).to(x.dtype), *others
        low = -(2 ** (bits.read - 1)) if bits.signed else 0
        step = module.get_parameter("read_step")
        return torch.round(torch.clamp(x / step, low, low + 2**bits.read - 1)) * step, *others

    if bits.weight:
        parametrize.register_parametrization(layer, "weight", Weights())
    if bits.read:
        if bits.read > bits.signed:
            layer.register_parameter("read_step", nn.Parameter(torch.tensor(2.0 ** (2 - bits.read))))
        layer.register_forward_pre_hook(read)
