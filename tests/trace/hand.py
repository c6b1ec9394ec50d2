"""Accounts of small networks that were worked out by hand, and how they are checked; see test_written_*.py.

``written`` and ``deployed`` are all operations by kind; a network whose levels agree states one.
The terms of each sum stand in the order of the comment above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from costmodel.deploy.profile import profile

torch.set_num_threads(1)

Counts = dict[str, int]


@dataclass
class Case:
    build: Callable[[], nn.Module]
    inputs: tuple[tuple[int, ...] | Tensor, ...]
    written: Counts
    deployed: Counts | None = None


class Cases(dict[str, Case]):
    """Networks by name; ``@cases(name, *shapes or tensors, written=..., deployed=...)`` adds one."""

    def __call__(
        self, name: str, *inputs: tuple[int, ...] | Tensor, written: Counts, deployed: Counts | None = None
    ) -> Callable[[Any], Any]:
        def register(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
            self[name] = Case(build, inputs, written, deployed)
            return build

        return register

    def check(self, name: str) -> None:
        """Both levels are as worked out, the rewrites account for all between them, and nothing had to be reported."""
        torch.manual_seed(0)
        each = self[name]
        inputs = tuple(i if isinstance(i, Tensor) else torch.randn(i) for i in each.inputs)
        result = profile(each.build(), inputs)
        assert result.as_written.by_kind() == each.written
        assert result.deployed.by_kind() == (each.written if each.deployed is None else each.deployed)
        removed = total(*result.rewrites_by_name().values())
        for kind in {*result.as_written.by_kind(), *result.deployed.by_kind(), *removed}:
            assert removed.get(kind, 0) == result.as_written.total(kind) - result.deployed.total(kind), kind
        assert not result.caveats


class Net(nn.Module):
    """Parts by name and a forward that uses them."""

    def __init__(self, run: Callable[..., Any], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Tensor) -> Any:
        return self.run(self, *inputs)


def total(*parts: Counts) -> Counts:
    """The sum of several accounts."""
    result: Counts = {}
    for part in parts:
        for kind, count in part.items():
            result[kind] = result.get(kind, 0) + count
    return result


def product(macs: int, outputs: int, bias: bool = True) -> Counts:
    """A real sum of products."""
    return {"mul": macs, "add": macs - outputs + outputs * bias}


def xnor(macs: int) -> Counts:
    return {"xnor": macs, "popcount": macs}
