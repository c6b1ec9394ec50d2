"""Sums that cancel are the value that is left, whatever the spelling; sums that do not are computed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from costmodel.deploy.profile import profile

Expression = Callable[[Tensor, Tensor], Tensor]

#: Each is x for every x and y.
CANCELLING: dict[str, Expression] = {
    "sum and difference": lambda x, y: x + y - y,
    "difference and sum": lambda x, y: x - y + y,
    "the other order": lambda x, y: y + x - y,
    "difference from": lambda x, y: torch.rsub(y, x) + y,
    "difference from a difference": lambda x, y: y - torch.rsub(x, y),
    "negative twice": lambda x, y: torch.neg(-x),
    "negative of a difference": lambda x, y: y - (-(x - y)),
    "twice and once": lambda x, y: x * 2 - x,
    "a factor in front": lambda x, y: 2.0 * x - x,
    "halves": lambda x, y: x * 0.5 + 0.5 * x,
    "a half of twice": lambda x, y: (x * 2) * 0.5,
    "divided by one": lambda x, y: x / 1,
    "a number": lambda x, y: (x + 1.5) - 1.5,
    "a number in front": lambda x, y: 2 - (2 - x),
    "nothing": lambda x, y: x + 0,
    "add with a factor": lambda x, y: torch.add(x, y, alpha=2) - y - y,
    "add with a fraction": lambda x, y: torch.add(x, y, alpha=0.5) - 0.5 * y,
    "sub with a factor": lambda x, y: torch.sub(x, y, alpha=2) + y + y,
    "rsub with a factor": lambda x, y: torch.rsub(y, x, alpha=3) + 3 * y,
    "straight through": lambda x, y: x.detach() - y.detach() + y,
    "copied": lambda x, y: x.clone() + y.to(torch.float32) - y,
}

#: Expression -> what it takes for one element, next to ``abs``.
REMAINING: dict[str, tuple[Expression, dict[str, int]]] = {
    "another number": (lambda x, y: x + 1.5 - 2.0, {"add": 2}),
    "a number and a value": (lambda x, y: x + y - 1, {"add": 2}),
    "a value too much": (lambda x, y: x + y - y - y, {"add": 1}),
    "another factor": (lambda x, y: torch.add(x, y, alpha=2) - y, {"shift_const": 1, "add": 2}),
    "a difference": (lambda x, y: torch.rsub(x, y) - x, {"add": 2}),
    "a sum instead": (lambda x, y: torch.rsub(y, x) - y, {"add": 2}),
    "a product of values": (lambda x, y: x * y, {"mul": 1}),
    "a quotient of values": (lambda x, y: x / y, {"special": 1}),
    "divided and rounded": (lambda x, y: torch.div(x, 1, rounding_mode="floor"), {"special": 1}),
    "rounded": (lambda x, y: x.round() - y.round() + y, {"add": 4}),
    "close": (lambda x, y: x + 1e-9 * y.tanh(), {"mul": 1, "add": 1, "special": 1}),
}
SHAPE, ELEMENTS = (2, 3, 4), 24


class Written(nn.Module):
    def __init__(self, expression: Expression) -> None:
        super().__init__()
        self.expression = expression

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.expression(x, y).abs()


def written(expression: Expression) -> dict[str, int]:
    return profile(Written(expression), (torch.randn(SHAPE), torch.randn(SHAPE))).as_written.by_kind()


@pytest.mark.parametrize("expression", CANCELLING.values(), ids=CANCELLING)
def test_what_cancels_costs_nothing(expression: Expression) -> None:
    assert written(expression) == {"signflip": ELEMENTS}


@pytest.mark.parametrize(("expression", "expected"), REMAINING.values(), ids=REMAINING)
def test_what_does_not_cancel_is_computed(expression: Expression, expected: dict[str, int]) -> None:
    assert written(expression) == {"signflip": ELEMENTS} | {kind: n * ELEMENTS for kind, n in expected.items()}


class Broadcast(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (x + y - x).abs()


def test_a_value_that_becomes_larger_is_another_one() -> None:
    """``x + y - x`` is as large as x: copies of a smaller y are no alias of it."""
    found = profile(Broadcast(), (torch.randn(5, 4), torch.randn(1, 4))).as_written.by_kind()
    assert found == {"add": 40, "signflip": 20}


class Repeated(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        total = x
        for step in range(self.number):
            total = total + x.roll(step + 1)
        for step in range(self.number):
            total = total - x.roll(step + 1)
        return total.abs()


@pytest.mark.parametrize("number", [1, 2, 30])
def test_long_sums_cancel_as_short_ones(number: int) -> None:
    assert profile(Repeated(number), torch.randn(3, 70)).as_written.by_kind() == {"signflip": 210}
