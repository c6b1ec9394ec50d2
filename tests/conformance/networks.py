"""Small modules that several peers' test-suites use, written anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from costmodel.deploy.profile import profile
from costmodel.ledger.ledger import Profile


class Apply(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Tensor:
        return self.function(*args)


def noise(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def counted(module: nn.Module, *shapes: tuple[int, ...]) -> Profile:
    """The profile of a module on noise; nothing in it may be unknown."""
    made = profile(module, noise(*shapes))
    assert made.as_written.total("unknown") == 0, made.caveats
    return made


def macs(made: Profile) -> int:
    return sum(layer.macs for layer in made.as_written.layers)


def by_op(made: Profile) -> dict[str, int]:
    """Multiply-accumulates by the layer's operation."""
    table: dict[str, int] = {}
    for layer in made.as_written.layers:
        if layer.macs:
            table[layer.op] = table.get(layer.op, 0) + layer.macs
    return table


def sign_weights(net: Any) -> Any:
    """Replace every weight by its sign, so that what is binary is so by construction."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.where(parameter >= 0, 1.0, -1.0))
    return net
