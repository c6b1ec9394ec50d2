"""What a model is called with: inputs as a user gives them, by position, by keyword or both, as private copies."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only


class Arguments(NamedTuple):
    """Inputs by position and by keyword."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def arguments(model: nn.Module, inputs: Any) -> Arguments:
    """How ``model`` is called with ``inputs``, copied.

    A tuple is by position, a dictionary by keyword, anything else the one argument. ``(tuple, dictionary)`` is both,
    where the keys are parameters of the model or it does not take the two as they are. Several inputs of a model that
    takes one are a list. A model without memory (device ``meta``) gets shapes alone.
    """
    meta = any(t.device.type == "meta" for t in (*model.parameters(), *model.buffers()))
    copied = tree_map_only(Tensor, (lambda t: t.detach().to("meta")) if meta else _private, inputs)
    if isinstance(copied, Arguments):
        return copied
    if isinstance(copied, Mapping):
        return Arguments((), copied)
    if not isinstance(copied, tuple):
        return Arguments((copied,), {})
    plain = _takes(model, copied, {})
    if len(copied) == 2 and isinstance(copied[0], tuple) and _keywords(copied[1]):
        named = _parameters(model).keys() >= copied[1].keys()
        if (named or not plain) and _takes(model, *copied):
            return Arguments(*copied)
    if not plain and len(copied) > 1 and _takes(model, (list(copied),), {}):
        return Arguments((list(copied),), {})
    return Arguments(copied, {})


def _private(tensor: Tensor) -> Tensor:
    if tensor.device.type == "meta":
        tensor = torch.zeros(tensor.shape, dtype=tensor.dtype)
    # `torch.zeros(1, 3, 224, 224)` is a common way to say a shape; what follows from zeros says nothing of images.
    copied = tensor.detach().cpu().clone()
    real = copied.is_floating_point() and copied.layout is torch.strided
    if real and copied.numel() > 1 and bool((copied == copied.flatten()[0]).all()):
        copied.copy_(torch.randn(copied.shape, generator=torch.Generator().manual_seed(0)))
    return copied


def _keywords(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(key, str) for key in value)


def _signature(model: nn.Module) -> inspect.Signature | None:
    try:
        return inspect.signature(model.forward)
    except (TypeError, ValueError):  # compiled or scripted
        return None


def _parameters(model: nn.Module) -> Mapping[str, inspect.Parameter]:
    signature = _signature(model)
    return {} if signature is None else signature.parameters


def _takes(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call with these arguments fits the model's signature; what has none takes anything."""
    signature = _signature(model)
    if signature is None:
        return True
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True
