"""A number that ``.item()`` takes out of a tensor and that nobody has looked at yet.

Networks keep statistics: how sparse a layer is, how many outputs were computed at high precision. Such a number goes
into an attribute, a list, a running sum or a buffer, and no output is made of it. Whether it does is not guessed: what
the model gets is an object that does not tell its value. Where the run ends without anybody having asked, the outputs
cannot depend on it, and the number is no part of inference. Who does ask (a comparison, ``bool()``, ``int()``, text, a
function of torch that is not in place) gets the number, and the reading is reported as that of a branch.

What no object can notice is the question for its exact type, ``type(x) is float``; ``isinstance`` says float.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor
from torch.utils._pytree import tree_map_only

if TYPE_CHECKING:
    Number = int | float


class Reader(Protocol):
    """Who is told: :class:`~costmodel.trace.recorder.Recorder`."""

    def read(self, numbers: tuple[int, ...], module: str) -> None:
        """Python looks at a number that these values made; ``module`` is where it took it."""

    def filled(self, tensor: Tensor, numbers: tuple[int, ...]) -> None:
        """A number that these values made was written into a tensor, unseen."""


class LateNumber:
    """The number of a tensor of one element, or what was computed of such numbers. ``sources`` are their values."""

    __slots__ = ("_module", "_reader", "_sources", "_value")

    def __init__(self, value: Number, sources: tuple[int, ...], reader: Reader, module: str) -> None:
        self._value, self._sources, self._reader, self._module = value, sources, reader, module

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._value)  # the type of a number says nothing of its value

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        late: list[LateNumber] = []

        def unseen(number: LateNumber) -> Number:
            late.append(number)
            return number._value

        if _writes(func) and isinstance(args[0], Tensor):
            plain, named = tree_map_only(LateNumber, unseen, (tuple(args), dict(kwargs)))
            out = func(*plain, **named)
            late[0]._reader.filled(args[0], tuple(i for number in late for i in number._sources))
            return out
        plain, named = tree_map_only(LateNumber, value_of, (tuple(args), dict(kwargs)))
        return func(*plain, **named)

    def __copy__(self) -> LateNumber:
        return self

    def __deepcopy__(self, memo: Any) -> LateNumber:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(value_of(self), name)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        import numpy as np

        return np.asarray(value_of(self), *args)


def value_of(number: LateNumber) -> Number:
    """The value, whose reading is reported."""
    number._reader.read(number._sources, number._module)
    return number._value


def _writes(func: Any) -> bool:
    """Whether a function of torch writes into its first argument and gives nothing else back."""
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))


def _computing(function: Callable[..., Any], turned: bool = False) -> Any:
    """Arithmetic that no value makes fail, with other numbers: its result is as late."""

    def method(self: LateNumber, *others: Any) -> Any:
        sources, values = self._sources, [self._value]
        for other in others:
            if type(other) is LateNumber:
                sources += other._sources
                values.append(other._value)
            elif isinstance(other, (int, float)):
                values.append(other)
            else:
                return NotImplemented
        return LateNumber(function(*(reversed(values) if turned else values)), sources, self._reader, self._module)

    return method


def _asking(function: Callable[..., Any], turned: bool = False) -> Any:
    def method(self: LateNumber, *others: Any) -> Any:
        if any(isinstance(other, Tensor) for other in others):  # which asks itself
            return NotImplemented
        seen = [value_of(self), *(value_of(other) if type(other) is LateNumber else other for other in others)]
        return function(*(reversed(seen) if turned else seen))

    return method


def _quotient(self: LateNumber, other: Any) -> Any:
    """By a number that is known; whether one that is not is zero would be an answer."""
    return (_asking if type(other) is LateNumber else _computing)(operator.truediv)(self, other)


_USES: dict[str, Callable[..., Any]] = {
    "bool": bool, "int": int, "float": float, "complex": complex, "hash": hash, "str": str, "repr": repr,
    "format": format, "round": round, "trunc": math.trunc, "floor": math.floor, "ceil": math.ceil, "divmod": divmod,
    "reduce_ex": lambda value, _: (type(value), (value,)),
}  # fmt: skip
for _name in ("neg", "pos", "abs"):
    setattr(LateNumber, f"__{_name}__", _computing(getattr(operator, _name)))
for _name in ("add", "sub", "mul"):
    setattr(LateNumber, f"__{_name}__", _computing(getattr(operator, _name)))
    setattr(LateNumber, f"__r{_name}__", _computing(getattr(operator, _name), turned=True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "index", "floordiv", "mod", "pow"):
    setattr(LateNumber, f"__{_name}__", _asking(getattr(operator, _name)))
for _name in ("truediv", "floordiv", "mod", "pow"):
    setattr(LateNumber, f"__r{_name}__", _asking(getattr(operator, _name), turned=True))
for _name, _use in _USES.items():
    setattr(LateNumber, f"__{_name}__", _asking(_use))
setattr(LateNumber, "__truediv__", _quotient)  # noqa: B010  # mypy takes an assignment for a wrong division
