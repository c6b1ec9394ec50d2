"""Layers in other bits than they were written in: ``conv1=w8a8,layer*.conv=w4,fc=w2a4``.

Each part names layers (shell patterns; the last that matches a layer counts) and the bits of their weights, of what
they read, or of both. What a layer of a network costs in fewer bits is then read off that network with uniform
quantisers in it, by the same rules as of any other; nothing is guessed from a table of widths.

* ``w4``: integers from -7 to 7, with a step for each output channel; ``w1``: signs, with a size for each;
* ``a4``: what the layer reads, rounded to integers from -8 to 7, with one step, as LSQ has it; ``a1``: its signs;
* ``u4``: the same from 0 to 15, for what is never negative;
* ``unchanged``: as written.

The layers are those of torch that use their weights as they are, and the convolutions and products with stored weights
of an ONNX file. Accuracy is that of a network that was trained so: what is known of the one as written says nothing of
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.load.weighted import Read, Weighted

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
    names = list(dict.fromkeys(name for name, _ in layers))
    for pattern, _ in wanted:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise _missing(model, pattern, names)
    stored: dict[tuple[int, str], int] = {}
    for name, layer in layers:
        bits = [Bits(), *(each for pattern, each in wanted if fnmatchcase(name, pattern))][-1]
        if stored.setdefault((id(layer.module), layer.own), bits.weight) != bits.weight:
            raise CostmodelError(f"layer bits of {name}: its weights are those of another layer too, in other bits")
        _quantise(layer, bits)


def _layers(model: nn.Module) -> list[tuple[str, Weighted]]:
    """Those that compute a sum of products with their weights as they are, with their names."""
    from torch import nn

    from costmodel.load.onnx.layers import weighted
    from costmodel.load.onnx.network import Network

    if isinstance(model, Network):
        return weighted(model)
    plain = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    found = []
    for name, module in model.named_modules():
        if type(module) in plain:
            found.append((name, Weighted(module, _in_front(module))))
        elif isinstance(module, transposed) and type(module) in transposed:
            found.append((name, Weighted(module, _in_front(module), channel=1)))
    return found


def _in_front(module: nn.Module) -> Callable[[Read], None]:
    def change(read: Read) -> None:
        module.register_forward_pre_hook(lambda module, given: (read(module, given[0]), *given[1:]))

    return change


def _missing(model: nn.Module, pattern: str, names: list[str]) -> CostmodelError:
    own = dict(model.named_modules()).get(pattern)
    if own is None:
        return UnknownNameError("layer", pattern, names)
    return CostmodelError(
        f"layer bits of {pattern}: {type(own).__name__} is no layer of torch that uses its weights as they are; "
        f"what it computes decides its bits. Layers that can be given some: {', '.join(names) or 'none'}"
    )


def _quantise(layer: Weighted, bits: Bits) -> None:
    import torch
    from torch import nn
    from torch.nn.utils import parametrize

    class Weights(nn.Module):
        """Weights of a few bits, with a step or a size for each output channel."""

        def forward(self, weight: Tensor) -> Tensor:
            across = tuple(dimension for dimension in range(weight.dim()) if dimension != layer.channel)
            if bits.weight == 1:
                levels, step = torch.where(weight >= 0, 1.0, -1.0), weight.abs().mean(across, keepdim=True)
            else:
                top = 2 ** (bits.weight - 1) - 1
                step = weight.abs().amax(across, keepdim=True).clamp_min(1e-12) / top
                levels = torch.clamp(torch.round(weight / step), -top, top)
            return levels.mul(step)

    place, own_step = layer.step or (layer.module, "read_step")

    def read(module: nn.Module, x: Tensor) -> Tensor:
        if bits.read == 1 and bits.signed:
            return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
        low = -(2 ** (bits.read - 1)) if bits.signed else 0
        step = module.get_parameter(own_step)
        return torch.round(torch.clamp(x / step, low, low + 2**bits.read - 1)) * step

    if bits.weight and not parametrize.is_parametrized(layer.module, layer.own):
        parametrize.register_parametrization(layer.module, layer.own, Weights())
    if bits.read:
        if bits.read > bits.signed:
            place.register_parameter(own_step, nn.Parameter(torch.tensor(2.0 ** (2 - bits.read))))
        layer.change(read)
