"""The dispatch mode that executes each operation below autograd and writes down what it made."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from costmodel.errors import CostmodelError
from costmodel.graph.vocabulary import Called, Caveat
from costmodel.trace.confirmed import look_at_weights
from costmodel.trace.crop import cropped_convolution
from costmodel.trace.custom import CUSTOM
from costmodel.trace.hollow import FIRST, UnseenError, layouts, made
from costmodel.trace.late import LateNumber
from costmodel.trace.operator import ALIAS, ALIAS_WRITE, Operator, operator
from costmodel.trace.packed import NUMBERS
from costmodel.trace.values import LARGE, UNSEEN, Ref, Value, described, made_of, sample

#: What a run computes of what depends on the input: nothing, so that rules alone decide kinds; convolutions on a crop,
#: so that values are genuine and only their places are not; everything.
Look = Literal["kinds", "crops", "full"]


class OwnPathError(BaseException):
    """Python is about to read a value that is not the model's own: the path that it takes may be another one.

    No :class:`Exception`, so that the model's own code does not catch it.
    """


class LateNumberError(BaseException):
    """A number that was not looked at is needed all the same: it has to be one from the beginning."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Dispatch mode that executes each operation and appends what it made to :attr:`values`."""

    def __init__(
        self, paths: Mapping[int, str], keep_values: bool, look: Look, shapes_alone: bool = False, late: bool = False
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values: list[Value] = []
        self.caveats: list[Caveat] = []
        self.kept: dict[int, Tensor] = {}
        self.escaped: list[int] = []
        self._paths = paths  # id of a parameter or buffer -> its path
        self._keep_values, self._shapes_alone = keep_values, shapes_alone
        self._look: Look = "full" if shapes_alone else look
        self._own = object()  # tensors outlive a recording: what another one wrote on them means nothing here
        self._by_storage: dict[int, tuple[int, weakref.ref[Tensor]]] = {}
        self._written: dict[int, int] = {}  # storage -> the value that last wrote into it
        self._scope: list[tuple[str, int]] = [("", 0)]
        self.online: list[bool] = []
        self.called: Called | None = None
        self._stored: set[int] = set()  # large parameters and buffers, and views of them
        self._late, self._taking = late, False
        self.took_late = self.over = False  # whether there are such numbers, which outlive the run
        self._unseen: list[int] = []  # what numbers that nobody looked at were written into
        self._own_path = True  # whether all values so far are the model's own, at their places
        self.inside = False  # whether an operation is being recorded: what reads tensors now is not the model's code
        self.ended: BaseException | None = None  # why this run cannot tell; the model's own code may have caught it

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
        value = Value(len(self.values), _LEAF, {}, inputs)
        value.leaf, value.path = leaf, path
        value.module, value.call = self._scope[-1]
        self._finish(value, tensor)
        self.online[value.id] = leaf in ("input", "foreign")
        if leaf == "param" and tensor.numel() > LARGE:
            self._stored.add(value.id)
        return value.id

    def add_whole(self, name: str, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """Write down an operation that was run elsewhere, with tensors alone as arguments."""
        names = tuple(f"x{index}" for index in range(len(inputs)))
        op = Operator(f"higher_order.{name}.default", f"higher_order.{name}", name, names, names)
        numbers = tuple(self.lookup(tensor) for tensor in inputs)
        arguments = {given: Ref(number) for given, number in zip(names, numbers, strict=True)}
        for index, tensor in enumerate(outputs):
            value = Value(len(self.values), op, arguments, numbers, index)
            value.module, value.call = self._scope[-1]
            self._finish(value, tensor)

    def _finish(self, value: Value, tensor: Tensor, identity: bool = False, seen: bool = True) -> None:
        self._refuse_nested(tensor)
        value.shape = tuple(tensor.shape)
        value.tensor_dtype = tensor.dtype
        self.values.append(value)
        self.online.append(any(self.online[i] for i in value.inputs))
        if not seen or not all(self.values[i].seen for i in value.inputs):
            value.sample = UNSEEN
        else:
            value.sample = self.values[value.inputs[0]].sample if identity else sample(tensor)
        self._bind(tensor, value.id)

    def _refuse_nested(self, tensor: Tensor) -> None:
        if tensor.is_nested:
            raise CostmodelError(
                f"{self._scope[-1][0] or 'the network'} computes with nested tensors, whose sizes differ by image: "
                "give it padded ones (torch.nested.to_padded_tensor)"
            )

    def _bind(self, tensor: Tensor, number: int) -> None:
        storage = _storage(tensor)
        tensor._costmodel_value = (self._own, number, storage)  # type: ignore[attr-defined]
        self._by_storage[storage] = (number, weakref.ref(tensor))

    def lookup(self, tensor: Tensor) -> int:
        """The value that a tensor holds now; makes a leaf of one that was never seen."""
        self._refuse_nested(tensor)
        storage = _storage(tensor)
        bound = getattr(tensor, "_costmodel_value", None)
        if bound is not None and bound[0] is not self._own:
            bound = None
        if bound is not None and bound[2] == storage:
            number: int = bound[1]
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
            return self.add_leaf(tensor, "foreign", "", tuple(dict.fromkeys(self.escaped)))
        return self.add_leaf(tensor, "const", "")

    def _rebind(self, tensor: Tensor, holder: int) -> int:
        """A new handle on known memory: ``p.data``, or a parameter whose ``.data`` was swapped."""
        value = self.values[holder]
        if value.shape == tuple(tensor.shape):
            tensor._costmodel_value = (self._own, holder, _storage(tensor))  # type: ignore[attr-defined]
            return holder
        alias = Value(len(self.values), ALIAS, {"x": Ref(holder)}, (holder,))
        alias.module, alias.call = self._scope[-1]
        self._finish(alias, tensor)
        return alias.id

    def _alias_write(self, tensor: Tensor, number: int, writer: int) -> int:
        """``tensor`` was written through another view since it was made: it now depends on that write as well."""
        arguments = {"x": Ref(number), "src": Ref(writer)}
        value = Value(len(self.values), ALIAS_WRITE, arguments, (number, writer))
        value.module, value.call = self._scope[-1]
        self._finish(value, tensor)
        return value.id

    def caveat(self, kind: Any, message: str, module: str | None = None) -> None:
        caveat = Caveat(kind, self._scope[-1][0] if module is None else module, message)
        if caveat not in self.caveats:
            self.caveats.append(caveat)

    # -- dispatch ----------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # What watches the model's calls of torch need not watch those of the recorder.
        outer, self.inside = self.inside, True
        try:
            with torch._C.DisableTorchFunction():
                return self._dispatch(func, args, kwargs or {})
        finally:
            self.inside = outer

    def _dispatch(self, func: Any, args: Any, kwargs: Any) -> Any:
        op = operator(func)
        if op.composite and op.packet not in CUSTOM:  # in inference mode operations arrive before they were taken apart
            with self:
                return func.decompose(*args, **kwargs)
        if op.packet in NUMBERS:
            if self._look == "kinds":
                self._end(UnseenError("integers are computed as the numbers that they stand for"))
            return self._on_numbers(func, op.packet, args, kwargs)
        inputs: list[int] = []
        bound = op.bind(args, kwargs)
        coded = {name: self._encode(argument, inputs) for name, argument in bound.items()}
        if op.shape_only:
            inputs.clear()
        elif op.overwrites and isinstance(coded["x"], Ref):
            inputs.remove(coded["x"].id)
        online = any(self.online[i] for i in inputs)
        if self._taking and op.packet == "aten._local_scalar_dense":
            return func(*args, **kwargs)
        if op.data_dependent and not online:
            self.reading(inputs)
        elif op.data_dependent:
            self._report_reading(op, bound, inputs)
        if self._keep_values:
            if online:
                self._keep(tuple(bound.values()), tuple(coded.values()))
            if op.mutates:
                self._save_from_writing((*args, *kwargs.values()))
        if self._shapes_alone:
            args, kwargs = self._without_values(args, kwargs)
            bound = op.bind(args, kwargs)
        out, seen = self._run(func, op, bound, args, kwargs, online)
        if online and op.packet == "aten._local_scalar_dense":
            return out
        if online:
            look_at_weights(self.values, self.online, op, bound, coded)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        for index, tensor in enumerate(outs):
            if not isinstance(tensor, Tensor):
                continue
            value = Value(len(self.values), op, coded, tuple(inputs), index)
            value.module, value.call = self._scope[-1]
            value.called = self.called
            self._finish(value, tensor, op.identity, seen)
            if func.is_view and any(i in self._stored for i in inputs):
                self._stored.add(value.id)
            if op.mutates:
                self._written[_storage(tensor)] = value.id
        return out

    def _encode(self, argument: Any, inputs: list[int]) -> Any:
        """An argument with its tensors as the values that they hold, which are put into ``inputs``."""
        if isinstance(argument, Tensor):
            number = self.lookup(argument)
            inputs.append(number)
            return Ref(number)
        if isinstance(argument, (list, tuple)):
            return tuple([self._encode(a, inputs) for a in argument])
        return argument

    def _run(
        self, func: Any, op: Operator, bound: Mapping[str, Any], args: Any, kwargs: Any, online: bool
    ) -> tuple[Any, bool]:
        """The results of an operation, computed as far as this run looks at values, and whether they are."""
        if self._look == "kinds":
            return self._run_for_kinds(func, op, bound, args, kwargs, online)
        if self._look == "crops" and online and op.packet == "aten.convolution":
            self._own_path = False
            return cropped_convolution(*bound.values()), True
        return self._computed(func, op, args, kwargs), True

    def _run_for_kinds(
        self, func: Any, op: Operator, bound: Mapping[str, Any], args: Any, kwargs: Any, online: bool
    ) -> tuple[Any, bool]:
        tensors = [leaf for leaf in tree_leaves(tuple(bound.values())) if isinstance(leaf, Tensor)]
        numbers = [self.lookup(tensor) for tensor in tensors] if not op.shape_only else []
        seen = all(self.values[i].seen for i in numbers)
        stored = any(i in self._stored for i in numbers)
        found = layouts(func, op.packet, bound) if online or stored or not seen else None
        if found is not None:
            if found[0] is FIRST and (online or not seen):
                self._own_path = False
                return args[0], False
            if found[0] is not FIRST and (online or not seen or any(math.prod(f.shape) > LARGE for f in found)):
                self._own_path = False
                results = tuple(made(layout) for layout in found)
                return (results if len(results) > 1 else results[0]), False
        placed = any(not tensor.is_floating_point() for tensor in tensors)
        if not seen and not func.is_view and (placed or not online):
            self._end(UnseenError(f"{op.name} goes on with what was not computed"))
        return self._computed(func, op, args, kwargs), seen

    def _computed(self, func: Any, op: Operator, args: Any, kwargs: Any) -> Any:
        if op.packet.startswith("aten."):
            return func(*args, **kwargs)
        with torch._C._EnableTorchFunction():  # a user's own code
            return func(*args, **kwargs)

    def _end(self, error: BaseException) -> NoReturn:
        self.ended = error
        raise error

    def reading(self, numbers: Iterable[int]) -> None:
        """Python is about to go on with these values: they have to be the model's own."""
        if not self._own_path and any(self.online[i] for i in numbers):
            self._end(OwnPathError())
        if not all(self.values[i].seen for i in numbers):
            self._end(UnseenError("Python reads a number that is made of parameters"))

    def read(self, numbers: tuple[int, ...], module: str) -> None:
        """Python looks at a number that these values made, in ``module``: what it does next may depend on it."""
        if self.over:
            return
        self.reading(numbers)
        self.escaped.extend(numbers)
        what = described(self.values, self.online, numbers[0])
        message = (
            f"the program reads {what}, which depends on the input (.item(), bool() or a branch): the cost is that of "
            "the path this input takes"
        )
        self.caveat("branch", message, module)

    def item(self, tensor: Tensor, taken: Callable[[Tensor], Any]) -> Any:
        """The number of a tensor: one that is looked at later, if ever, where it depends on the input."""
        kind = tensor.dtype
        if not self._late or self.inside or kind == torch.bool or kind.is_complex or tensor.numel() != 1:
            return taken(tensor)
        number = self.lookup(tensor)
        if not self.online[number] or tensor.is_meta:
            return taken(tensor)
        self._taking = self.took_late = True
        try:
            return LateNumber(taken(tensor), (number,), self, self._scope[-1][0])
        finally:
            self._taking = False

    def filled(self, tensor: Tensor, numbers: tuple[int, ...]) -> None:
        """A number that these values made was written into a tensor, and nobody looked at it."""
        number = self.add_leaf(tensor, "foreign", "", tuple(dict.fromkeys((*numbers, self.lookup(tensor)))))
        self._written[_storage(tensor)] = number
        self._unseen.append(number)

    def require_unseen(self, outputs: Iterable[int]) -> None:
        """Raise :class:`LateNumberError` where an output is made of a number that nobody looked at."""
        if self._unseen and not made_of(self.values, outputs).isdisjoint(self._unseen):
            raise LateNumberError

    def _on_numbers(self, func: Any, packet: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The result of an operator on integers, recorded as what is computed on the numbers that they stand for."""
        out = func(*args, **kwargs)

        def number_of(argument: Any) -> Any:
            if not isinstance(argument, Tensor) or not argument.is_quantized:
                return argument
            plain = argument.dequantize()
            bound = getattr(argument, "_costmodel_value", None)
            if bound is not None and bound[0] is self._own:
                self._bind(plain, self.lookup(argument))
            return plain

        numbers, named = [number_of(a) for a in args], {name: number_of(a) for name, a in kwargs.items()}
        with self:
            computed = NUMBERS[packet](*numbers, **named)
            self._bind(out, self.lookup(computed))
        return out

    def _without_values(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Arguments of an operation that meets tensors without memory: those of the others that have sizes, too."""
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if not any(t.device.type == "meta" for t in tensors):
            return args, kwargs

        def without(tensor: Tensor) -> Tensor:
            if tensor.device.type == "meta" or not tensor.dim():
                return tensor
            made = tensor.to("meta")
            self._bind(made, self.lookup(tensor))
            return made

        return tree_map_only(Tensor, without, (args, dict(kwargs)))

    def _report_reading(self, op: Operator, bound: Mapping[str, Any], inputs: list[int]) -> None:
        if op.fn == "_local_scalar_dense":
            self.read(tuple(inputs), self._scope[-1][0])
        elif op.fn != "index" or any(t is not None and t.dtype == torch.bool for t in bound["indices"]):
            self.reading(inputs)
            self.caveat(
                "branch",
                f"how many elements {op.fn} selects depends on the input: the cost is that of this input",
            )

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


_LEAF = Operator("leaf", "leaf", "leaf", (), ())


def _storage(tensor: Tensor) -> int:
    """A number for the memory that a tensor lives in."""
    if tensor.layout != torch.strided:  # sparse tensors have several memories and no name for them
        return -id(tensor)
    number: int = tensor.untyped_storage()._cdata
    return number
