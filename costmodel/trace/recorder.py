"""The dispatch mode that executes each operation below autograd and writes down what it made."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from costmodel.graph.vocabulary import Called, Caveat
from costmodel.trace.crop import cropped_convolution
from costmodel.trace.domains import confirm
from costmodel.trace.values import IDENTITIES, Ref, Value, sample


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
        self.online: list[bool] = []
        self.called: Called | None = None

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
        self.online[value.id] = leaf in ("input", "foreign")
        return value.id

    def _finish(self, value: Value, tensor: Tensor, identity: bool = False) -> None:
        value.shape = tuple(tensor.shape)
        value.tensor_dtype = tensor.dtype
        self.values.append(value)
        self.online.append(any(self.online[i] for i in value.inputs))
        value.sample = self.values[value.inputs[0]].sample if identity else sample(tensor)
        self._bind(tensor, value.id)

    def _bind(self, tensor: Tensor, number: int) -> None:
        storage = _storage(tensor)
        tensor._costmodel_value = (number, storage)  # type: ignore[attr-defined]
        self._by_storage[storage] = (number, weakref.ref(tensor))

    def lookup(self, tensor: Tensor) -> int:
        """The value that a tensor holds now; makes a leaf of one that was never seen."""
        storage = _storage(tensor)
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
            self.caveat(
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
            tensor._costmodel_value = (holder, _storage(tensor))  # type: ignore[attr-defined]
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

    def caveat(self, kind: Any, message: str) -> None:
        caveat = Caveat(kind, self._scope[-1][0], message)
        if caveat not in self.caveats:
            self.caveats.append(caveat)

    # -- dispatch ----------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        op = _describe(func)
        if op.composite:  # in inference mode operations arrive before they were taken apart
            with self:
                return func.decompose(*args, **kwargs)
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
        if op.shape_only:
            inputs.clear()
        online = any(self.online[i] for i in inputs)
        if online and op.data_dependent:
            self._report_reading(op.name, args, inputs)
        if self._keep_values:
            if online:
                self._keep(args, coded_args)
                self._keep(tuple(kwargs.values()), tuple(coded_kwargs.values()))
            if op.mutates:
                self._save_from_writing(args)
        out = self._execute(func, op.name, args, kwargs, online)
        if online and op.name == "aten._local_scalar_dense.default":
            return out
        if online:
            self._look_at_weights(op.name, args, coded_args)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        for index, tensor in enumerate(outs):
            if not isinstance(tensor, Tensor):
                continue
            value = Value(len(self.values), op.name, coded_args, coded_kwargs, tuple(inputs))
            if index:
                value.op = f"{op.name}:{index}"
            value.module, value.call = self._scope[-1]
            value.called = self.called
            self._finish(value, tensor, op.identity)
            if op.mutates:
                self._written[_storage(tensor)] = value.id
        return out

    def _report_reading(self, name: str, args: Any, inputs: list[int]) -> None:
        if name == "aten._local_scalar_dense.default":
            self.escaped.extend(inputs)
            self.caveat(
                "branch",
                "the program reads a value that depends on the input (.item(), bool() or a branch): "
                "the cost is that of the path this input takes",
            )
        elif name != "aten.index.Tensor" or any(t is not None and t.dtype == torch.bool for t in args[1]):
            self.caveat(
                "branch",
                f"how many elements {name.split('.')[1]} selects depends on the input: the cost is that of this input",
            )

    def _look_at_weights(self, name: str, args: Any, coded: tuple[Any, ...]) -> None:
        """What a sample takes for quantised is confirmed on the whole tensor: one odd channel makes it real."""
        for place in _CONSTANTS.get(name, ()):
            if place >= len(args) or not isinstance(coded[place], Ref):
                continue
            value = self.values[coded[place].id]
            if value.whole is None and not self.online[value.id] and value.sample is not None:
                tensor: Tensor = args[place]
                if tensor.numel() > len(value.sample.reshape(-1)):
                    value.whole = confirm(tensor, value.sample, channel_axis(name, args, place))

    def _execute(self, func: Any, name: str, args: Any, kwargs: Any, online: bool) -> Any:
        if online and not self._full and name == "aten.convolution.default":
            return cropped_convolution(*args)
        return func(*args, **kwargs)

    def _keep(self, args: Any, coded: Any) -> None:
        for argument, code in zip(args, coded, strict=True):
            if isinstance(code, Ref):
                if not self.online[code.id]:
                    self.kept.setdefault(code.id, argument.detach())
            elif isinstance(code, tuple) and isinstance(argument, (list, tuple)):
                self._keep(argument, code)

    def _save_from_writing(self, args: Any) -> None:
        """What is kept of memory that is about to be written is kept as it was."""
        written = {_storage(a) for a in args if isinstance(a, Tensor)}
        for number, tensor in self.kept.items():
            if _storage(tensor) in written:
                self.kept[number] = tensor.clone()


#: Where an operation takes constants whose kind decides what it costs.
_CONSTANTS = {
    "aten.convolution.default": (1,), "aten.addmm.default": (1, 2), "aten.mm.default": (0, 1),
    "aten.bmm.default": (0, 1), "aten.baddbmm.default": (1, 2), "aten.mv.default": (0, 1), "aten.mul.Tensor": (0, 1),
    "aten.div.Tensor": (1,),
}  # fmt: skip
#: Operations whose result depends on the shape of their argument alone.
_SHAPE_ONLY = frozenset(
    f"aten.{name}.default"
    for name in ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty",
                 "new_empty_strided")
)  # fmt: skip
_DATA_DEPENDENT = frozenset(
    {"aten._local_scalar_dense.default", "aten.index.Tensor", "aten.nonzero.default", "aten.masked_select.default",
     "aten._unique2.default", "aten.unique_dim.default", "aten.unique_consecutive.default"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    mutates: bool
    identity: bool
    composite: bool
    shape_only: bool
    data_dependent: bool


@functools.cache
def _describe(func: Any) -> _Operation:
    name = str(func)
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    composite = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key)
    return _Operation(
        name, bool(func._schema.is_mutable), name in IDENTITIES, composite, name in _SHAPE_ONLY, name in _DATA_DEPENDENT
    )


def channel_axis(name: str, args: Any, place: int) -> int | None:
    """The dimension of a constant operand along which each output channel may have a scale of its own."""
    if name == "aten.convolution.default":
        return 1 if args[6] else 0
    if name in ("aten.mul.Tensor", "aten.div.Tensor"):
        return None
    # products: the columns of the right operand, the rows of the left one
    last = place == (2 if len(args) > 2 else 1)
    return args[place].dim() - 1 if last else 0


def _storage(tensor: Tensor) -> int:
    """A number for the memory that a tensor lives in."""
    if tensor.layout != torch.strided:  # sparse tensors have several memories and no name for them
        return -id(tensor)
    number: int = tensor.untyped_storage()._cdata
    return number
