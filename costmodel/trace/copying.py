"""Private copies of a model: what runs may write into itself, and the caller's stays as it is."""

from __future__ import annotations

import contextlib
import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

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
                    memo[id(tensor)] = nn.Parameter(_shared(tensor.detach()), tensor.requires_grad)
                elif not tensor.is_leaf:  # what autograd made, such as the weight of a weight_norm, refuses copies
                    memo[id(tensor)] = tensor.detach().clone()
    copied = deep_copy(model, memo)
    tensors = (*copied.parameters(), *copied.buffers())
    # Weights on an accelerator are fetched; weights that were never made (device ``meta``) stay what they are.
    if any(t.device.type not in ("cpu", "meta") for t in tensors):
        copied = copied.cpu()
        tensors = (*copied.parameters(), *copied.buffers())
    with contextlib.suppress(NotImplementedError):  # some exported programs know no mode
        copied.eval()
    if any(is_lazy(t) for t in tensors):
        with torch.no_grad():
            copied(*args, **kwargs)
    return copied


def _shared(tensor: Tensor) -> Tensor:
    """A copy whose memory is that of ``tensor`` until one of them is written to, where torch owns that memory.

    Memory of numpy, of a mapped file or of a loaded program is not torch's: sharing it is refused or, once it is
    written to, the end of the process.
    """
    if tensor.layout is torch.strided and tensor.untyped_storage().resizable():
        with contextlib.suppress(RuntimeError):
            return torch._lazy_clone(tensor)
    return tensor.clone()


def deep_copy(model: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy; what cannot be copied is shared. ``memo`` holds copies that are there already, by ``id``.

    Raises :class:`CostmodelError` for a module that is no copy of itself.
    """
    memo = {} if memo is None else memo
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
        with contextlib.suppress(Exception):
            return copy.deepcopy(model, dict(memo))
        try:
            return _module(model, memo)
        except Exception:
            raise CostmodelError(
                f"a {type(model).__name__} cannot be copied ({type(error).__name__}: {error}), and a model is run on a "
                "copy so that it stays as it is: give it a __deepcopy__ that works"
            ) from error


def _module(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """A copy of a module that does not let itself be copied: its parts one by one, what fails among them shared."""
    known = memo.get(id(module))
    if known is not None:
        return known  # type: ignore[no-any-return]
    made = memo[id(module)] = object.__new__(type(module))
    for name, value in vars(module).items():
        object.__setattr__(made, name, _part(value, memo))
    return made


def _part(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, nn.Module):
        return _module(value, memo)
    if type(value) in (dict, OrderedDict, list, tuple) and _holds_modules(value):
        if isinstance(value, dict):
            return type(value)((name, _part(entry, memo)) for name, entry in value.items())
        return type(value)(_part(entry, memo) for entry in value)
    try:
        return copy.deepcopy(value, memo)
    except Exception:
        return value


def _holds_modules(value: Any) -> bool:
    return any(isinstance(entry, nn.Module) for entry in (value.values() if isinstance(value, dict) else value))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (item for item in value if isinstance(item, Tensor))
    elif isinstance(value, dict):
        yield from (item for item in value.values() if isinstance(item, Tensor))
