"""Code that asks for CUDA runs on the CPU: what is counted does not depend on where it runs.

Published code is full of ``.cuda()``, ``.to("cuda")``, ``device="cuda"`` and ``torch.cuda.FloatTensor``; none of it
needs the device to say what the network computes. The copy that is traced is on the CPU on every machine.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from costmodel.load.notes import note

#: Functions of ``torch.cuda`` that ask the driver, and what they answer instead.
_ANSWERS: dict[str, Any] = {"set_device": None, "current_device": 0, "synchronize": None, "empty_cache": None}
_TYPES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_active: _Mode | None = None


class _Mode(TorchFunctionMode):
    """Takes CUDA out of every call of torch; ``asked`` counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.cuda:
            self.asked += 1
            return args[0]
        if _is_cuda(kwargs.get("device")):
            self.asked += 1
            kwargs = {**kwargs, "device": _CPU}
        if func in _WITH_PLACE and any(map(_is_cuda, args[1:])):
            self.asked += 1
            args = (args[0], *(_CPU if _is_cuda(a) else a for a in args[1:]))
        return func(*args, **kwargs)


_CPU = torch.device("cpu")
_WITH_PLACE = (Tensor.to, Tensor.type, Tensor.new_zeros, Tensor.new_empty)


def _is_cuda(given: Any) -> bool:
    if isinstance(given, torch.device):
        return given.type == "cuda"
    return isinstance(given, str) and (given == "cuda" or given.startswith("cuda:"))


@contextlib.contextmanager
def on_the_cpu() -> Iterator[None]:
    """Keep on the CPU what asks for CUDA meanwhile, and say how often that was."""
    global _active
    if _active is not None:
        yield
        return
    mode = _active = _Mode()
    try:
        with mode, _patched(mode):
            yield
    finally:
        _active = None
        if mode.asked:
            note("what asks for CUDA (TIMES times) stays on the CPU: the counts are the same", mode.asked)


@contextlib.contextmanager
def _patched(mode: _Mode) -> Iterator[None]:
    """What no function mode sees: tensor types, questions to the driver, and where files say tensors were."""
    loading = torch.load

    @functools.wraps(loading)
    def load(f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        return loading(f, "cpu" if map_location is None or _is_cuda(map_location) else map_location, *args, **kwargs)

    def answer(value: Any) -> Any:
        def answering(*_: Any, **__: Any) -> Any:
            mode.asked += 1
            return value

        return answering

    changes: list[tuple[Any, str, Any]] = [(torch, "load", load)]
    if not torch.cuda.is_available():
        changes += [(torch.cuda, name, answer(value)) for name, value in _ANSWERS.items()]
    changes += [
        (torch.cuda, f"{kind}Tensor", getattr(torch, f"{kind}Tensor"))
        for kind in _TYPES
        if hasattr(torch.cuda, f"{kind}Tensor") and hasattr(torch, f"{kind}Tensor")
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
