"""The table of ONNX operators: one function each, by name, with the versions of the operator set that it covers.

A function takes the :class:`Call` and the inputs in their order: tensors, numbers where the file holds a single number,
None for an input that is left out. It returns the result, or a tuple of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from costmodel.errors import CostmodelError

Function = Callable[..., Any]
#: Operators of ONNX itself, and those of QONNX, whose domain is spelled in several ways.
STANDARD: dict[str, Function] = {}
CUSTOM: dict[str, Function] = {}
#: Inputs of operators that must stay tensors though they hold one number: weights, and what is indexed.
KEPT: dict[str, frozenset[int]] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """One node: its attributes, the version of its operator set, how many results it has, and what it may keep.

    ``scope`` is the module in which the node runs; ``graph`` runs a subgraph with the names that are visible here.
    """

    name: str
    op: str
    opset: int
    attributes: Mapping[str, Any]
    results: int = 1
    scope: nn.Module = field(default_factory=nn.Module)
    graph: Callable[..., tuple[Any, ...]] | None = None

    def get(self, name: str, default: Any = None) -> Any:
        found = self.attributes.get(name, default)
        return found.decode() if isinstance(found, bytes) else found

    def refuse(self, what: str) -> NoReturn:
        raise CostmodelError(f"node {self.name!r} ({self.op}, opset {self.opset}): {what}")


def op(*names: str, custom: bool = False, keep: tuple[int, ...] = ()) -> Callable[[Function], Function]:
    """Register the decorated function as these operators; the inputs ``keep`` are tensors always."""

    def register(function: Function) -> Function:
        table = CUSTOM if custom else STANDARD
        for name in names:
            assert name not in table, name
            table[name] = function
            KEPT[name] = frozenset(keep)
        return function

    return register


def tensor(value: Any, like: Tensor | None = None) -> Tensor:
    """A tensor of a value that may be a number."""
    if isinstance(value, Tensor):
        return value
    dtype = like.dtype if like is not None and (like.is_floating_point() or not isinstance(value, float)) else None
    return torch.tensor(value, dtype=dtype)


def integers(value: Any) -> list[int]:
    """A list of whole numbers from a tensor, a number or a list."""
    if isinstance(value, Tensor):
        return [int(v) for v in value.reshape(-1).tolist()]
    return [int(v) for v in (value if isinstance(value, (list, tuple)) else [value])]


def number(value: Any) -> float:
    """The one number of a tensor of one element."""
    return float(value.reshape(-1)[0].item()) if isinstance(value, Tensor) else float(value)


def axes_of(call: Call, given: Any, since: int) -> list[int] | None:
    """Axes, an attribute before version ``since`` and an input from then on; None where there are none."""
    found = call.get("axes") if call.opset < since or given is None else given
    return None if found is None else integers(found)


#: Numbers of element types in a file -> types of PyTorch.
TYPES: dict[int, torch.dtype] = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 12: torch.int32, 13: torch.int64, 4: torch.int32, 16: torch.bfloat16,
}  # fmt: skip
