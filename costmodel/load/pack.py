"""Packed checkpoints: one bit per binary weight, one scale per filter, exponents as bytes, the rest as it is.

A safetensors file whose header lists the packed layers. Unpacking gives a state dictionary of the training network
whose latent weights are the signs: the same bits and, up to the last digit of a float, the same scales. Scales that
the network rounds to powers of two come back exactly, because it rounds them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor, nn

from costmodel.errors import CostmodelError
from costmodel.zoo.layers import BinaryConv2d, SignConv2d, SignLinear, signs, standardize

HEADER = "costmodel-packed"


class PackedLayer(msgspec.Struct, frozen=True):
    """A packed layer: shape ``[out, in, k, k]`` or ``[out, in]`` of its weights, and how their scale is made.

    ``gain``: from standardised weights and a gain; ``mean``: from their mean magnitude; ``sign``: there is none.
    """

    shape: tuple[int, ...]
    form: str


class PackedHeader(msgspec.Struct, frozen=True):
    """Header of a packed file: the layers by module path, and what the run says about itself (a ``Job``, as JSON)."""

    layers: dict[str, PackedLayer]
    job: msgspec.Raw = msgspec.Raw(b"null")


def pack(model: nn.Module, job: object = None) -> bytes:
    """The content of a packed file. Raises :class:`CostmodelError` for a network without layers of binary weights."""
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    layers: dict[str, PackedLayer] = {}
    tensors: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, BinaryConv2d | SignConv2d | SignLinear):
            weight = state.pop(f"{name}.weight")
            layers[name] = PackedLayer(tuple(weight.shape), _form(module))
            with torch.no_grad():
                positive, scale = _signs_and_scale(module)
            tensors[f"{name}.bits"] = pack_bits(positive.cpu())
            if scale is not None:
                tensors[f"{name}.scale"] = scale.flatten().cpu()
                state.pop(f"{name}.gain", None)
    if not layers:
        raise CostmodelError("the network has no layers of binary weights to pack. Keep its full checkpoint.")
    for name, value in state.items():
        tensors[name] = _exponents(value) if name.endswith("exponent") else value.contiguous()
    header = PackedHeader(layers, msgspec.Raw(msgspec.json.encode(job)))
    ordered = {name: tensors[name] for name in sorted(tensors)}
    return save(ordered, metadata={HEADER: msgspec.json.encode(header).decode()})


def unpack(tensors: Mapping[str, Tensor], header: str) -> dict[str, Tensor]:
    """State dictionary of the training network. Raises :class:`CostmodelError` for a header that does not fit."""
    try:
        layers = msgspec.json.decode(header, type=PackedHeader).layers
        state = dict(tensors)
        for name, layer in layers.items():
            signs = unpack_bits(state.pop(f"{name}.bits"), layer.shape)
            if layer.form == "sign":
                state[f"{name}.weight"] = signs
                continue
            scale = state.pop(f"{name}.scale").view(-1, 1, 1, 1)
            if layer.form == "gain":
                magnitude = standardize(signs).abs().mean((1, 2, 3), keepdim=True)
                state[f"{name}.weight"] = signs
                state[f"{name}.gain"] = scale / magnitude.clamp(min=1e-12)
            else:
                state[f"{name}.weight"] = signs * scale
    except (msgspec.DecodeError, KeyError, RuntimeError) as error:
        raise CostmodelError(f"the packed checkpoint is damaged: {error}. Fetch or make it again.") from error
    return {name: value.float() if name.endswith("exponent") else value for name, value in state.items()}


def _form(module: nn.Module) -> str:
    if isinstance(module, SignConv2d | SignLinear):
        return "sign"
    return "mean" if getattr(module, "gain", None) is None else "gain"


def _signs_and_scale(module: Any) -> tuple[Tensor, Tensor | None]:
    """Signs of the (standardised) latent weights, and the scale that they are multiplied by, ``[out, 1, 1, 1]``."""
    if isinstance(module, SignConv2d | SignLinear):
        return signs(module) >= 0, None
    weight = module.weight if module.gain is None else standardize(module.weight)
    _, scale = module.channel_scale(weight)
    return weight >= 0, scale


def pack_bits(signs: Tensor) -> Tensor:
    """Booleans in any shape to bytes, eight to a byte, the first one in the lowest bit; the last byte is padded."""
    flat = signs.flatten().to(torch.uint8)
    flat = torch.nn.functional.pad(flat, (0, -len(flat) % 8)).view(-1, 8)
    return (flat << torch.arange(8, dtype=torch.uint8)).sum(1).to(torch.uint8)


def unpack_bits(packed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Bytes to -1.0 and +1.0 in ``shape``: the inverse of :func:`pack_bits`."""
    bits = (packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
    count = int(torch.tensor(shape).prod())
    return bits.flatten()[:count].float().mul_(2).sub_(1).view(shape)


def _exponents(values: Tensor) -> Tensor:
    """Learned exponents are used rounded (half to even): eight bits hold every one that a float could follow."""
    return values.round().clamp(-127, 127).to(torch.int8)
