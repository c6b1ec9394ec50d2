"""Random functions of one value, element by element, of which it is known by construction how they move."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Values = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Made:
    """``run(x, w)`` of values [1, 8, n] and parameters [8, 1], or [n, 8] and [8].

    ``direction``: 1 never falls, -1 never rises, 0 one of both in each channel, None where nothing is promised.
    ``text`` is how it is spelled.
    """

    run: Values
    direction: int | None
    text: str


X = Made(lambda x, w: x, 1, "x")
#: Rising functions of one value.
RISING: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hardtanh": F.hardtanh,
    "clamp": lambda y: y.clamp(-0.75, 1.25),
    "from above": lambda y: y.clamp(max=0.5),
    "round": torch.round,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "trunc": torch.trunc,
    "leaky": lambda y: F.leaky_relu(y, 0.125),
    "elu": F.elu,
    "scaled": lambda y: y * 1.75 + 0.25,
    "divided": lambda y: (y - 0.3) / 1.5,
    "maximum": lambda y: torch.maximum(y, torch.full_like(y, -0.4)),
    "minimum": lambda y: torch.minimum(y, torch.full_like(y, 0.6)),
}
FALLING: dict[str, Callable[[Tensor], Tensor]] = {
    "negated": lambda y: -y,
    "taken from": lambda y: 0.7 - y,
    "turned": lambda y: y * -1.25 - 0.125,
    "divided by -2": lambda y: y / -2.0,
}
#: Functions that may do both.
OTHER: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "square": torch.square,
    "sin": torch.sin,
    "cos": torch.cos,
    "silu": F.silu,
    "elu, turned": lambda y: F.elu(y, alpha=-1.0),
    "leaky, turned": lambda y: F.leaky_relu(y, -0.5),
}
COMPARE: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "greater": (lambda y: y > 0.2, 1),
    "at least": (lambda y: y >= -0.1, 1),
    "less": (lambda y: y < 0.3, -1),
    "at most": (lambda y: y <= 0.0, -1),
    "exchanged": (lambda y: torch.lt(torch.full_like(y, 0.15), y), 1),
    "negative": (torch.signbit, -1),
}


def monotone(draw: random.Random, depth: int, joins: bool = True) -> Made:
    """A function that only rises or only falls; without ``joins`` each operation of it has one operand."""
    if depth == 0:
        return X
    inner = monotone(draw, depth - 1, joins)
    kind = draw.choice(["rising", "rising", "falling", "channels", *(["two", "two"] if joins else [])])
    if kind == "two":
        other = monotone(draw, draw.randrange(depth))
        if other.direction and inner.direction:
            return _two(draw, inner, other)
        kind = "rising"
    if kind == "channels":
        turn = draw.choice(["times w", "over w", "norm"])
        run: dict[str, Values] = {
            "times w": lambda x, w: inner.run(x, w) * w + 0.1,
            "over w": lambda x, w: inner.run(x, w) / w,
            "norm": lambda x, w: F.batch_norm(
                inner.run(x, w), w.flatten(), w.flatten().square() + 0.5, w.flatten(), w.flatten()
            ),
        }
        return Made(run[turn], 0, f"{turn}({inner.text})")
    name = draw.choice(sorted(RISING if kind == "rising" else FALLING))
    f = (RISING | FALLING)[name]
    direction = inner.direction if kind == "rising" else -(inner.direction or 0)
    return Made(lambda x, w: f(inner.run(x, w)), direction, f"{name}({inner.text})")


def _two(draw: random.Random, one: Made, two: Made) -> Made:
    """Of two that are known to move in one direction or in opposite ones."""
    if one.direction == two.direction:
        name = draw.choice(["+", "max", "min"])
        join = {"+": torch.add, "max": torch.maximum, "min": torch.minimum}[name]
    else:
        name, join = "-", torch.sub
    return Made(lambda x, w: join(one.run(x, w), two.run(x, w)), one.direction, f"({one.text} {name} {two.text})")


def decision(draw: random.Random, depth: int) -> Made:
    """A truth about a value that changes at most once."""
    kind = draw.choice(["compare", "compare", "not", "both"]) if depth else "compare"
    if kind == "compare":
        inner = monotone(draw, depth)
        name = draw.choice(sorted(COMPARE))
        f, direction = COMPARE[name]
        return Made(lambda x, w: f(inner.run(x, w)), (inner.direction or 0) * direction, f"{name}({inner.text})")
    one = decision(draw, depth - 1)
    if kind == "both":
        two = decision(draw, depth - 1)
        if one.direction and one.direction == two.direction:
            name, f2 = draw.choice([("and", torch.logical_and), ("or", torch.logical_or)])
            return Made(lambda x, w: f2(one.run(x, w), two.run(x, w)), one.direction, f"({one.text} {name} {two.text})")
    return Made(lambda x, w: torch.logical_not(one.run(x, w)), -(one.direction or 0), f"not({one.text})")


def two_valued(draw: random.Random, depth: int) -> Made:
    """Two numbers by one decision, and what is computed of them alone."""
    truth = decision(draw, depth)
    high, low = draw.choice([(1.0, -1.0), (2.0, 0.5), (-1.0, 1.0), (1.0, 0.0)])
    text = f"{high} if {truth.text} else {low}"
    chosen: Values = lambda x, w: torch.where(truth.run(x, w), high, low)  # noqa: E731
    if draw.random() < 0.5:
        return Made(chosen, truth.direction and truth.direction * (1 if high > low else -1), text)
    name = draw.choice(sorted(OTHER))
    # Whatever is computed of two numbers is two numbers; which of them is larger is not known.
    return Made(lambda x, w: OTHER[name](chosen(x, w)) - 0.75, 0, f"{name}({text})")


def anything(draw: random.Random, depth: int) -> Made:
    """A function of which nothing is promised."""
    if depth == 0:
        return X
    kind = draw.choice(["other", "sum", "product", "choice", "band", "mono", "mono", "sign"])
    inner = anything(draw, depth - 1)
    if kind == "mono":
        name = draw.choice(sorted(RISING | FALLING))
        f = (RISING | FALLING)[name]
        return Made(lambda x, w: f(inner.run(x, w)), None, f"{name}({inner.text})")
    if kind == "other":
        name = draw.choice(sorted(OTHER))
        return Made(lambda x, w: OTHER[name](inner.run(x, w)), None, f"{name}({inner.text})")
    if kind == "sign":
        return Made(lambda x, w: torch.where(inner.run(x, w) >= 0, 1.0, -1.0), None, f"sign({inner.text})")
    other = anything(draw, depth - 1)
    if kind == "choice":
        name = draw.choice(sorted(COMPARE))
        f = COMPARE[name][0]
        low = draw.choice([-2.0, 0.0, 0.4])
        return Made(
            lambda x, w: torch.where(f(inner.run(x, w)), other.run(x, w), low), None,
            f"({other.text} if {name}({inner.text}) else {low})",
        )  # fmt: skip
    if kind == "band":
        name, f2 = draw.choice([("and", torch.logical_and), ("or", torch.logical_or), ("xor", torch.logical_xor)])
        return Made(
            lambda x, w: f2(inner.run(x, w) > -0.3, other.run(x, w) < 0.4).to(x.dtype), None,
            f"({inner.text} > -0.3 {name} {other.text} < 0.4)",
        )  # fmt: skip
    joins = {"sum": [("+", torch.add), ("-", torch.sub)], "product": [("*", torch.mul), ("*", torch.mul)]}
    name, join = draw.choice(joins[kind])
    return Made(lambda x, w: join(inner.run(x, w), other.run(x, w)), None, f"({inner.text} {name} {other.text})")


class Network(nn.Module):
    """A function as a module, with parameters of both signs."""

    def __init__(self, made: Made, seed: int) -> None:
        super().__init__()
        size = 0.3 + torch.rand(8, 1, generator=torch.Generator().manual_seed(seed))
        self.w = nn.Parameter(size * torch.tensor([1.0, -1.0]).repeat(4)[:, None])
        self.made = made

    def forward(self, x: Tensor) -> Tensor:
        return self.made.run(x, self.w.to(x.dtype)).to(x.dtype)
