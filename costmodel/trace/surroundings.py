"""What is set up around a run: which module is running, what leaves torch, and which fused paths are off."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from costmodel.trace.higher_order import follow_higher_order
from costmodel.trace.recorder import Recorder


@contextlib.contextmanager
def scopes(recorder: Recorder, paths: Mapping[int, str]) -> Iterator[set[str]]:
    """Tell the recorder which module is running; yields the paths of the modules that were called."""
    calls: dict[str, int] = {}
    called: set[str] = set()
    stack: list[str] = [""]

    def before(module: nn.Module, args: Any) -> None:
        path = paths.get(id(module))
        if path is None:
            path = f"{stack[-1]}.{type(module).__name__}".lstrip(".")
        call = calls.get(path, 0)
        calls[path] = call + 1
        called.add(path)
        stack.append(path)
        recorder.enter(path, call)

    def after(module: nn.Module, args: Any, result: Any) -> None:
        stack.pop()
        recorder.leave()

    first = nn.modules.module.register_module_forward_pre_hook(before)
    second = nn.modules.module.register_module_forward_hook(after)
    try:
        yield called
    finally:
        first.remove()
        second.remove()


@contextlib.contextmanager
def escapes(recorder: Recorder) -> Iterator[None]:
    """Notice tensors that leave through numpy or Python, which no dispatcher sees."""
    names = ("numpy", "tolist", "__array__", "__dlpack__")
    originals = {name: getattr(Tensor, name) for name in names}

    def watch(name: str) -> Any:
        original = originals[name]

        def leaving(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            if recorder.inside:
                return original(self, *args, **kwargs)
            number = recorder.lookup(self)
            recorder.reading((number,))
            if recorder.online[number]:
                recorder.escaped.append(number)
                recorder.caveat("foreign", f"a value that depends on the input leaves torch through .{name}()")
            return original(self, *args, **kwargs)

        return leaving

    taken = Tensor.item

    def item(self: Tensor) -> Any:
        return recorder.item(self, taken)

    try:
        for name in names:
            setattr(Tensor, name, watch(name))
        Tensor.item = item  # type: ignore[method-assign, assignment]
        yield
    finally:
        Tensor.item = taken  # type: ignore[method-assign]
        for name in names:
            setattr(Tensor, name, originals[name])


@contextlib.contextmanager
def backends(model: nn.Module) -> Iterator[None]:
    """Fused and compiled paths hide their parts: switch off those that the model could take."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_mha_fastpath(False))
        if any(isinstance(m, nn.RNNBase) for m in model.modules()):
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        if "torch._dynamo" in sys.modules:  # a compiled part can only be there if the compiler is
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_uncompiled())
        follow_higher_order()
        yield


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
    """What asks for compilation while it runs, as control flow of PyTorch does, runs as it is written."""
    before = torch.compile

    def compiled(model: Any = None, **_: Any) -> Any:
        return model if model is not None else lambda function: function

    torch.compile = compiled
    try:
        yield
    finally:
        torch.compile = before


@contextlib.contextmanager
def _mha_fastpath(enabled: bool) -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
