"""What a recording is made of: the values that operations made, and what was seen of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from costmodel.graph.domain import Domain
from costmodel.graph.vocabulary import Called, Caveat
from costmodel.trace.hollow import UnseenError
from costmodel.trace.operator import Operator

#: Elements kept of each value, about.
_SAMPLE_SIZE = 2048
#: Elements up to which all of a value are kept.
LARGE = 2 * _SAMPLE_SIZE


class _Unseen:
    """In place of the sample of what was not computed."""


UNSEEN = _Unseen()


@dataclass(frozen=True, slots=True)
class Ref:
    """An argument that is a recorded value."""

    id: int


class Value:
    """One recorded value: the operator that made it, its arguments by name, and what was seen of it.

    ``output`` says which of the operator's results it is. A leaf has no operator.
    """

    __slots__ = (
        "_sample", "args", "call", "called", "id", "inputs", "leaf", "module", "operator", "output", "path", "shape",
        "tensor_dtype", "whole",
    )  # fmt: skip

    def __init__(
        self, number: int, operator: Operator, args: Mapping[str, Any], inputs: tuple[int, ...], output: int = 0
    ) -> None:
        self.id, self.operator, self.args, self.inputs, self.output = number, operator, args, inputs, output
        self.shape: tuple[int, ...] = ()
        self.tensor_dtype: torch.dtype = torch.float32
        self.module, self.call = "", 0
        self.called: Called | None = None
        self.leaf = ""  # "input", "param", "const" or "foreign"; "" for a computed value
        self.path = ""  # of a parameter, buffer or input
        self._sample: Tensor | _Unseen | None = None
        self.whole: Domain | None = None  # kind of a large constant that was looked at in full

    @property
    def sample(self) -> Tensor | None:
        """What is kept of its numbers, None for none; :class:`UnseenError` where they were not computed."""
        if isinstance(self._sample, _Unseen):
            raise UnseenError(f"a result of {self.operator.name}")
        return self._sample

    @sample.setter
    def sample(self, seen: Tensor | _Unseen | None) -> None:
        self._sample = seen

    @property
    def seen(self) -> bool:
        """Whether its numbers were computed."""
        return not isinstance(self._sample, _Unseen)

    @property
    def fn(self) -> str:
        """The name of the function, such as ``add``."""
        return self.operator.fn


@dataclass
class Recording:
    """All values in execution order, which of them are outputs, and what could not be seen."""

    values: list[Value]
    outputs: tuple[int, ...]
    caveats: list[Caveat]
    kept: dict[int, Tensor]
    shapes_alone: bool = False  # the model has no memory, so nothing was seen of its values
    recurrent: frozenset[str] = frozenset()  # paths of recurrent layers, whose first state is theirs to choose

    @property
    def program(self) -> list[Any]:
        """What ran, without the numbers that it ran on."""
        return [(value.operator.name, value.shape) for value in self.values]


def sample(tensor: Tensor) -> Tensor | None:
    """A strided sample: the same places for every tensor of the same shape, so that samples of two values align."""
    if (
        tensor.device.type == "meta"
        or tensor.layout != torch.strided
        or tensor.is_complex()
        or tensor.is_quantized
        or tensor.numel() == 0
    ):
        return None
    if tensor.numel() <= LARGE:
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


def signs_of(value: Value, sample: Tensor) -> frozenset[float] | None:
    """Those of -1, 0 and 1 that a constant is made of, if it is made of nothing else: a mask, or signs."""
    whole = sample.numel() == math.prod(value.shape)
    few = whole and bool(((sample == 0) | (sample.abs() == 1)).all())
    return frozenset(sample.flatten().tolist()) if few else None


def distinct_shape(value: Value) -> tuple[int, ...]:
    """The shape without the dimensions along which a constant only repeats, as ``expand_as`` makes it do."""
    sample = value.sample
    if sample is None or sample.dim() != len(value.shape) or math.prod(value.shape) <= max(value.shape, default=1):
        return value.shape
    return tuple(
        1 if size > 1 and bool((sample == sample.narrow(axis, 0, 1)).all()) else size
        for axis, size in enumerate(value.shape)
    )


def are_integers(value: Value) -> bool:
    """Whether all elements of a small constant, such as the zero points of a quantiser, are integers."""
    if not 0 < math.prod(value.shape) <= LARGE:
        return False
    sample = value.sample
    if sample is None or sample.is_complex():
        return False
    return not sample.is_floating_point() or bool((sample == sample.round()).all())


def one_integer(value: Value) -> float | None:
    """The integer that all elements of a small constant are, if they are one."""
    if not are_integers(value) or value.sample is None:
        return None
    first = float(value.sample.flatten()[0])
    return first if bool((value.sample == first).all()) else None


def written_number(value: Value) -> float | None:
    """The number that a tensor without dimensions was made of in the program, such as ``torch.tensor(0.5)``."""
    if value.shape or value.path or value.tensor_dtype.is_complex:
        return None
    made = value.args["s"] if value.operator.packet == "aten.scalar_tensor" else None
    if value.leaf == "const" and value.sample is not None and value.sample.numel() == 1:
        made = value.sample.item()
    return float(made) if isinstance(made, (int, float)) else None


def filled_with(value: Value) -> float | None:
    """The number that the program filled a tensor with."""
    name = "s" if value.fn == "scalar_tensor" else "fill_value" if "full" in value.fn else ""
    fills = {"ones": 1.0, "ones_like": 1.0, "new_ones": 1.0, "zeros": 0.0, "zeros_like": 0.0, "new_zeros": 0.0}
    found = value.args.get(name) if name else fills.get(value.fn)
    return float(found) if isinstance(found, (int, float)) and value.operator.packet.startswith("aten.") else None


def made_of(values: Sequence[Value], outputs: Iterable[int]) -> set[int]:
    """The numbers of all values that these outputs are made of, themselves among them."""
    needed, stack = set[int](), list(outputs)
    while stack:
        if (number := stack.pop()) not in needed:
            needed.add(number)
            stack.extend(values[number].inputs)
    return needed


def described(values: Sequence[Value], online: Sequence[bool], number: int) -> str:
    """A value by what it was computed with, from the last operation back to one on more than a number."""
    names: list[str] = []
    value = values[number]
    while not value.leaf and len(names) < 4:
        if not value.operator.identity and value.fn != "_to_copy":
            names.append(value.fn)
        before = [values[i] for i in value.inputs if online[i]]
        if value.shape not in ((), (1,)) or not before:
            break
        value = before[0]
    where = values[number].module or "the network"
    return f"the result of {' of '.join(names)} in {where}" if names else f"a value of {where}"
