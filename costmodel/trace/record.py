"""Record what a model executes: every tensor operation below autograd, as a list of values in execution order.

The model runs for real, once, on a private copy. Seeing real values is what lets operand kinds be read from evidence
(an operand with exactly two values is binary, however it was computed); running below autograd is what lets custom
``autograd.Function``s, parametrizations and hand-written straight-through estimators be seen through.

Two things keep this as cheap as the model's own forward pass. A convolution is computed on a crop of its input and
tiled to full size: the values are genuine, only their places are not, and nothing but their kind is ever used. And of
every value only a small strided sample is kept.
"""

from __future__ import annotations

import contextlib
import functools
import math
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from costmodel.ledger.ledger import Caveat

#: Elements kept of each value, about.
_SAMPLE_SIZE = 2048
#: Output rows and columns of a convolution that are computed; the rest repeats them.
_CROP = 8

#: Operations whose result is their first argument.
IDENTITIES = frozenset(
    {
        "aten.detach.default", "aten.clone.default", "aten.alias.default", "aten.lift_fresh.default",
        "aten.lift_fresh_copy.default", "aten.contiguous.default", "aten.positive.default", "costmodel.alias",
        "aten.lift.default",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ref:
    """An argument that is a recorded value."""

    id: int


class Value:
    """One recorded value: the operation that made it, its arguments, and what was seen of it."""

    __slots__ = (
        "args", "call", "id", "inputs", "kwargs", "leaf", "module", "op", "path", "sample", "shape", "tensor_dtype",
    )  # fmt: skip

    def __init__(
        self, number: int, op: str, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[int, ...]
    ) -> None:
        self.id, self.op, self.args, self.kwargs, self.inputs = number, op, args, kwargs, inputs
        self.shape: tuple[int, ...] = ()
        self.tensor_dtype: torch.dtype = torch.float32
        self.module, self.call = "", 0
        self.leaf = ""  # "input", "param", "const" or "foreign"; "" for a computed value
        self.path = ""  # of a parameter, buffer or input
        self.sample: Tensor | None = None


@dataclass
class Recording:
    """All values in execution order, which of them are outputs, and what could not be seen."""

    values: list[Value]
    outputs: tuple[int, ...]
    caveats: list[Caveat]
    kept: dict[int, Tensor]


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Dispatch mode that executes each operation and appends what it made to :attr:`values`."""

    def __init__(self, paths: Mapping[int, str], keep_values: bool, full: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values: list[Value] = []
        self.caveats: list[Caveat] = []
        self.kept: dict[int, Tensor] = {}
        self.escaped: list[int] = []
        self._paths = paths  # id of a parameter or buffer -> its path
        self._keep_values, self._full = keep_values, full
        self._by_storage: dict[int, tuple[int, weakref.ref[Tensor]]] = {}
        self._written: dict[int, int] = {}  # storage -> the value that last wrote into it
        self._scope: list[tuple[str, int]] = [("", 0)]
        self._online: list[bool] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # The base class wraps __torch_dispatch__ in a guard that imports the whole compiler on first use (over a
        # second of CPU); nothing here is ever compiled.
        return False

    # -- scopes ------------------------------------------------------------------------------------------------------

    def enter(self, module: str, call: int) -> None:
        self._scope.append((module, call))

    def leave(self) -> None:
        self._scope.pop()

    # -- values ------------------------------------------------------------------------------------------------------

    def add_leaf(self, tensor: Tensor, leaf: str, path: str, inputs: tuple[int, ...] = ()) -> int:
        value = Value(len(self.values), leaf, (), {}, inputs)
        value.leaf, value.path = leaf, path
        value.module, value.call = self._scope[-1]
        self._finish(value, tensor)
        self._online[value.id] = leaf in ("input", "foreign")
        return value.id

    def _finish(self, value: Value, tensor: Tensor, identity: bool = False) -> None:
        value.shape = tuple(tensor.shape)
        value.tensor_dtype = tensor.dtype
        self.values.append(value)
        self._online.append(any(self._online[i] for i in value.inputs))
        value.sample = self.values[value.inputs[0]].sample if identity else sample(tensor)
        self._bind(tensor, value.id)

    def _bind(self, tensor: Tensor, number: int) -> None:
        storage = tensor.untyped_storage()._cdata
        tensor._costmodel_value = (number, storage)  # type: ignore[attr-defined]
        self._by_storage[storage] = (number, weakref.ref(tensor))

    def lookup(self, tensor: Tensor) -> int:
        """The value that a tensor holds now; makes a leaf of one that was never seen."""
        storage = tensor.untyped_storage()._cdata
        bound = getattr(tensor, "_costmodel_value", None)
        if bound is not None and bound[1] == storage:
            number: int = bound[0]
            writer = self._written.get(storage, -1)
            return self._alias_write(tensor, number, writer) if writer > number else number
        held = self._by_storage.get(storage)
        # A freed storage can be handed out again. Known memory is believed when the tensor itself is known (its
        # ``.data`` was swapped) or when the tensor that last held it is still alive (``p.data`` is a second handle).
        if held is not None and tensor.numel() and (bound is not None or held[1]() is not None):
            return self._rebind(tensor, held[0])
        path = self._paths.get(id(tensor))
        if path is not None:
            return self.add_leaf(tensor, "param", path)
        if self.escaped:
            number = self.add_leaf(tensor, "foreign", "", tuple(dict.fromkeys(self.escaped)))
            self._caveat(
                "foreign",
                "a tensor of unknown origin appears after values have left through numpy or Python; it is treated as "
                "an activation, and the work done on it outside of torch is not counted",
            )
            return number
        return self.add_leaf(tensor, "const", "")

    def _rebind(self, tensor: Tensor, holder: int) -> int:
        """A new handle on known memory: ``p.data``, or a parameter whose ``.data`` was swapped."""
        value = self.values[holder]
        if value.shape == tuple(tensor.shape):
            tensor._costmodel_value = (holder, tensor.untyped_storage()._cdata)  # type: ignore[attr-defined]
            return holder
        alias = Value(len(self.values), "costmodel.alias", (Ref(holder),), {}, (holder,))
        alias.module, alias.call = self._scope[-1]
        self._finish(alias, tensor)
        return alias.id

    def _alias_write(self, tensor: Tensor, number: int, writer: int) -> int:
        """``tensor`` was written through another view since it was made: it now depends on that write as well."""
        value = Value(len(self.values), "costmodel.alias_write", (Ref(number), Ref(writer)), {}, (number, writer))
        value.module, value.call = self._scope[-1]
        self._finish(value, tensor)
        return value.id

    def _caveat(self, kind: Any, message: str) -> None:
        caveat = Caveat(kind, self._scope[-1][0], message)
        if caveat not in self.caveats:
            self.caveats.append(caveat)

    # -- dispatch ----------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        inputs: list[int] = []

        def encode(argument: Any) -> Any:
            if isinstance(argument, Tensor):
                number = self.lookup(argument)
                inputs.append(number)
                return Ref(number)
            if isinstance(argument, (list, tuple)):
                return tuple(encode(a) for a in argument)
            return argument

        coded_args = tuple(encode(a) for a in args)
        coded_kwargs = {k: encode(v) for k, v in kwargs.items()}
        name, mutates, identity = _describe(func)
        online = any(self._online[i] for i in inputs)
        out = self._execute(func, name, args, kwargs, online)
        if online and name == "aten._local_scalar_dense.default":
            self.escaped.extend(inputs)
            self._caveat(
                "branch",
                "the program reads a value that depends on the input (.item(), bool() or a branch): "
                "the cost is that of the path this input takes",
            )
            return out
        if online and self._keep_values:
            self._keep(args, coded_args)
            self._keep(tuple(kwargs.values()), tuple(coded_kwargs.values()))
        outs = out if isinstance(out, (tuple, list)) else (out,)
        for index, tensor in enumerate(outs):
            if not isinstance(tensor, Tensor):
                continue
            value = Value(len(self.values), name, coded_args, coded_kwargs, tuple(inputs))
            if index:
                value.op = f"{name}:{index}"
            value.module, value.call = self._scope[-1]
            self._finish(value, tensor, identity)
            if mutates:
                self._written[tensor.untyped_storage()._cdata] = value.id
        return out

    def _execute(self, func: Any, name: str, args: Any, kwargs: Any, online: bool) -> Any:
        if online and not self._full and name == "aten.convolution.default":
            return cropped_convolution(*args)
        return func(*args, **kwargs)

    def _keep(self, args: Any, coded: Any) -> None:
        for argument, code in zip(args, coded, strict=True):
            if isinstance(code, Ref):
                if not self._online[code.id]:
                    self.kept.setdefault(code.id, argument.detach())
            elif isinstance(code, tuple) and isinstance(argument, (list, tuple)):
                self._keep(argument, code)


def sample(tensor: Tensor) -> Tensor | None:
    """A strided sample: the same places for every tensor of the same shape, so that samples of two values align."""
    if tensor.is_complex() or tensor.numel() == 0 or tensor.layout != torch.strided:
        return None
    if tensor.numel() <= 2 * _SAMPLE_SIZE:
        return tensor.clone()
    return tensor[_sample_index(tensor.shape)].clone()


@functools.cache
def _sample_index(shape: torch.Size) -> tuple[slice, ...]:
    """Steps that keep small dimensions whole (kernels) and share the rest between the large ones."""
    budget, steps = _SAMPLE_SIZE, {}
    for position, axis in enumerate(sorted(range(len(shape)), key=lambda a: shape[a])):
        share = max(1, math.floor(budget ** (1 / (len(shape) - position))))
        steps[axis] = -(-shape[axis] // share)
        budget //= min(share, -(-shape[axis] // steps[axis]))
    return tuple(slice(None, None, steps[axis]) for axis in range(len(shape)))


@functools.cache
def _describe(func: Any) -> tuple[str, bool, bool]:
    """Name of an operation, whether it writes into an argument, and whether its result is its argument."""
    name = str(func)
    return name, bool(func._schema.is_mutable), name in IDENTITIES


def cropped_convolution(
    x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Tensor:  # fmt: skip
    """A convolution whose result has the right shape and genuine values, most of which are repetitions."""
    convolution: Callable[..., Tensor] = torch.ops.aten.convolution.default
    spatial = x.dim() - 2
    # A wrong number of channels is left to torch as it stands, so that its message has the shapes of the user.
    if transposed or spatial < 1 or x.numel() == 0 or x.shape[1] != weight.shape[1] * groups:
        return convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    stride, padding, dilation = (list(v) * (spatial if len(v) == 1 else 1) for v in (stride, padding, dilation))
    out, window = [], []
    for i in range(spatial):
        reach = dilation[i] * (weight.shape[2 + i] - 1) + 1
        size = (x.shape[2 + i] + 2 * padding[i] - reach) // stride[i] + 1
        out.append(size)
        window.append(min(x.shape[2 + i], (_CROP - 1) * stride[i] + reach))
    if any(size < 1 for size in out) or all(size <= _CROP for size in out):
        return convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    crop = x[(slice(None), slice(None), *(slice(0, w) for w in window))]
    small = convolution(crop, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    repeats = [-(-size // have) for size, have in zip(out, small.shape[2:], strict=True)]
    tiled = small.repeat(1, 1, *repeats)
    return tiled[(slice(None), slice(None), *(slice(0, size) for size in out))].contiguous()


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
    names = ("numpy", "tolist", "__array__")
    originals = {name: getattr(Tensor, name) for name in names}

    def watch(name: str) -> Any:
        original = originals[name]

        def leaving(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            number = recorder.lookup(self)
            if recorder._online[number]:
                recorder.escaped.append(number)
                recorder._caveat("foreign", f"a value that depends on the input leaves torch through .{name}()")
            return original(self, *args, **kwargs)

        return leaving

    try:
        for name in names:
            setattr(Tensor, name, watch(name))
        yield
    finally:
        for name in names:
            setattr(Tensor, name, originals[name])


def record(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, keep_values: bool = False, full: bool = False
) -> Recording:
    """Run ``model(*args, **kwargs)`` once and record it. The model may be changed by its own code; pass a copy."""
    module_paths: dict[int, str] = {}
    for path, module in model.named_modules():
        module_paths.setdefault(id(module), path)
    tensor_paths = {id(t): path for path, t in (*model.named_parameters(), *model.named_buffers())}
    recorder = Recorder(tensor_paths, keep_values, full)
    leaves, _ = tree_flatten((args, dict(kwargs)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        _set_backends(model, stack)
        # Parameters are leaves from the start, so that ``.data`` swaps can be told from unknown tensors.
        for tensor in (*model.parameters(), *model.buffers()):
            recorder.add_leaf(tensor, "param", tensor_paths.get(id(tensor), ""))
        for index, leaf in enumerate(t for t in leaves if isinstance(t, Tensor)):
            recorder.add_leaf(leaf, "input", f"input{index}")
        called = stack.enter_context(scopes(recorder, module_paths))
        stack.enter_context(escapes(recorder))
        stack.enter_context(recorder)
        result = model(*args, **kwargs)
    outputs = tuple(dict.fromkeys(recorder.lookup(t) for t in tree_flatten(result)[0] if isinstance(t, Tensor)))
    recorder.caveats.extend(_idle_modules(model, called, recorder.values))
    return Recording(recorder.values, outputs, recorder.caveats, recorder.kept)


def _idle_modules(model: nn.Module, called: set[str], values: list[Value]) -> list[Caveat]:
    """Modules that hold parameters of which none was read: layers that the network does not use."""
    read = {values[i].path for value in values for i in value.inputs}
    idle = []
    for path, module in model.named_modules():
        own = [f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)]
        if own and path not in called and not read.intersection(own):
            idle.append(Caveat("uncalled", path, f"{path} holds parameters that this input does not use"))
    return idle


def _set_backends(model: nn.Module, stack: contextlib.ExitStack) -> None:
    """Fused paths hide their parts: switch them off where the model could take one."""
    stack.enter_context(_mha_fastpath(False))
    if any(isinstance(m, nn.RNNBase) for m in model.modules()):
        stack.enter_context(torch.backends.mkldnn.flags(enabled=False))


@contextlib.contextmanager
def _mha_fastpath(enabled: bool) -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
