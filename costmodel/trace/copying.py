"""Private copies of a model and of its inputs: what runs may write into itself, and the caller's stays as it is."""

from __future__ import annotations

import contextlib
import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_map_only

from costmodel.errors import CostmodelError


def private_copy(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> nn.Module:
    """A deep copy in eval mode, on the CPU, with all its weights.

    Most of the time of a copy goes into empty hook tables, which are made anew, and into the memory of weights, which
    is shared until one side writes to it. Lazy modules are given their shapes by a first run.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in vars(module).values():
            kind = type(value)
            if kind is bool or kind is int or value is None:
                continue
            if kind in (OrderedDict, dict, set) and not value:
                memo[id(value)] = kind()
                continue
            for tensor in _tensors(value):
                if type(tensor) is nn.Parameter and tensor.device.type == "cpu":
                    shared = torch._lazy_clone(tensor.detach())
                    memo[id(tensor)] = nn.Parameter(shared, tensor.requires_grad)
                elif not tensor.is_leaf:  # what autograd made, such as the weight of a weight_norm, refuses copies
                    memo[id(tensor)] = tensor.detach().clone()
    copied = _to_cpu(_deepcopy(model, memo))
    with contextlib.suppress(NotImplementedError):  # some exported programs know no mode
        copied.eval()
    tensors = (*copied.parameters(), *copied.buffers())
    if any(is_lazy(t) for t in tensors):
        with torch.no_grad():
            copied(*args, **kwargs)
    return copied


def _deepcopy(model: nn.Module, memo: dict[int, Any]) -> nn.Module:
    try:
        return copy.deepcopy(model, dict(memo))
    except Exception as error:
        # Locks, generators, open files and the like cannot be copied, and need not be: they are shared.
        for module in model.modules():
            for value in vars(module).values():
                if isinstance(value, (nn.Module, Tensor, dict, OrderedDict)):
                    continue
                try:
                    copy.deepcopy(value, dict(memo))
                except Exception:
                    memo[id(value)] = value
        try:
            return copy.deepcopy(model, memo)
        except Exception:
            raise CostmodelError(
                f"a {type(model).__name__} cannot be copied ({type(error).__name__}: {error}), and a model is run on a "
                "copy so that it stays as it is. Name the model (file.py:factory) to have it built and run instead."
            ) from error


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (item for item in value if isinstance(item, Tensor))
    elif isinstance(value, dict):
        yield from (item for item in value.values() if isinstance(item, Tensor))


def _to_cpu(model: nn.Module) -> nn.Module:
    """Weights on an accelerator are fetched; weights that were never made (device ``meta``) are drawn."""
    devices = {t.device.type for t in (*model.parameters(), *model.buffers())}
    if "meta" in devices:
        missing = [t for t in (*model.named_parameters(), *model.named_buffers()) if t[1].device.type == "meta"]
        shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in missing}
        model = model.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                if name in shapes:
                    _draw(name, tensor, generator)
    return model.cpu() if devices - {"cpu", "meta"} else model


def _draw(name: str, tensor: Tensor, generator: torch.Generator) -> None:
    if not tensor.is_floating_point():
        tensor.zero_()
        return
    drawn = torch.randn(tensor.shape, generator=generator) * 0.05
    tensor.copy_(drawn.abs().add_(0.5) if name.endswith("running_var") else drawn)


def private_arguments(inputs: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments, copied."""

    def private(tensor: Tensor) -> Tensor:
        if tensor.device.type == "meta":
            tensor = torch.zeros(tensor.shape, dtype=tensor.dtype)
        # `torch.zeros(1, 3, 224, 224)` is a common way to say a shape; what follows from zeros says nothing of images.
        copied = tensor.detach().cpu().clone()
        real = copied.is_floating_point() and copied.layout is torch.strided
        if real and copied.numel() > 1 and bool((copied == copied.flatten()[0]).all()):
            copied.copy_(torch.randn(copied.shape, generator=torch.Generator().manual_seed(0)))
        return copied

    copied = tree_map_only(Tensor, private, inputs)
    if isinstance(copied, Mapping):
        return (), copied
    return (copied if isinstance(copied, tuple) else (copied,)), {}
