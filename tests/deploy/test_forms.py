"""How a value moves is told from its structure: what is told is true of every value, and what is plain is told."""

from __future__ import annotations

import math
import random

import pytest
import torch

from costmodel.deploy.monotone import Form, form_of
from costmodel.deploy.spelled import recognise_spellings
from costmodel.graph.node import Graph
from costmodel.trace import trace
from tests.deploy.functions import Made, Network, anything, monotone, two_valued

#: From below every kink of these functions to above it, with their kinks and ties on it.
GRID = torch.linspace(-5, 5, 4001, dtype=torch.float64)
#: Choices between numbers of the program are single precision.
ROUNDING = 1e-6


def forms(made: Made, seed: int) -> list[tuple[Form | None, int]]:
    """What is told of a function as it was written and as it is recognised, with the value that it is one of."""
    graph = trace(Network(made, seed).eval(), torch.randn(1, 8, 5, generator=torch.Generator().manual_seed(seed)))
    return [(form_of(g.nodes, g.inputs[0].id), g.inputs[0].id) for g in (graph, recognise_spellings(graph)) if g.nodes]


def run(made: Made, seed: int, x: torch.Tensor = GRID) -> torch.Tensor:
    """Its values [8, n] at the points ``x`` [n]."""
    with torch.no_grad():
        return Network(made, seed)(x.expand(1, 8, -1).contiguous())[0]


def check(made: Made, seed: int, form: Form, source: int) -> None:
    """That what is told of a function is true of its values."""
    y = run(made, seed)
    steps = y.diff(dim=1)
    rises, falls = (steps >= -ROUNDING).all(1), (steps <= ROUNDING).all(1)
    if form.constant:
        assert (rises & falls).all(), made.text
    elif form.decision >= 0:
        assert ((steps.abs() > ROUNDING).sum(1) <= 1).all(), made.text
    assert (rises | falls).all(), made.text
    if form.turn < 0 and not form.constant:
        assert (rises if form.direction == 1 else falls).all(), made.text
    if form.odd == source:
        assert torch.allclose(run(made, seed, -GRID), -y, atol=ROUNDING), made.text
    if not form.levels.plain:
        return
    assert (y >= form.levels.low - ROUNDING).all() and (y <= form.levels.high + ROUNDING).all(), made.text
    if form.levels.step:
        place = (y - form.levels.origin) / form.levels.step
        assert torch.allclose(place, place.round(), atol=ROUNDING), made.text


@pytest.mark.parametrize("block", range(8))
def test_what_is_told_of_any_function_is_true(block: int) -> None:
    told = 0
    for seed in range(block * 40, block * 40 + 40):
        draw = random.Random(seed)
        made = anything(draw, draw.randrange(1, 4))
        for form, source in forms(made, seed):
            if form is not None:
                told += 1
                check(made, seed, form, source)
    assert told > 10


@pytest.mark.parametrize("block", range(8))
def test_what_only_rises_or_falls_is_known_to(block: int) -> None:
    for seed in range(block * 30, block * 30 + 30):
        draw = random.Random(1000 + seed)
        made = monotone(draw, draw.randrange(1, 5))
        for form, source in forms(made, seed):
            assert form is not None, made.text
            check(made, seed, form, source)
            if made.direction and not form.constant and (form.levels.low < form.levels.high):
                assert (form.turn, form.direction) == (-1, made.direction), made.text


@pytest.mark.parametrize("block", range(8))
def test_what_one_decision_decides_has_two_values(block: int) -> None:
    for seed in range(block * 20, block * 20 + 20):
        draw = random.Random(2000 + seed)
        made = two_valued(draw, draw.randrange(0, 4))
        for form, source in forms(made, seed):
            assert form is not None and (form.decision >= 0 or form.constant), made.text
            check(made, seed, form, source)
            if made.direction and form.decision >= 0 and form.turn < 0:
                assert form.direction == made.direction, made.text


def graph_of(made: Made) -> Graph:
    return trace(Network(made, 0).eval(), torch.randn(1, 8, 5))


@pytest.mark.parametrize(
    ("run_", "low", "high", "step"),
    [
        (lambda x, w: torch.round(x.clamp(0, 1) * 3), 0, 3, 1),
        (lambda x, w: torch.round(x.clamp(0, 1) * 3) / 3, 0, 1, 1 / 3),
        (lambda x, w: torch.floor(x.clamp(-1.5, 1.5)), -2, 1, 1),
        (lambda x, w: 2.0 - torch.ceil(x.clamp(-1.5, 1.5)), 0, 3, 1),
        (lambda x, w: torch.round(x).clamp(-2, 2) + torch.round(x).clamp(0, 1), -2, 3, 1),
        (lambda x, w: torch.round(x).clamp(-2, 2) - torch.round(-x).clamp(0, 1), -3, 2, 1),
        (lambda x, w: torch.where(x > 0.5, 3.0, 1.0), 1, 3, 2),
        (lambda x, w: torch.where(x > 0.5, 3.0, torch.where(x > 0.0, 2.0, 1.0)), 1, 3, 1),
        (lambda x, w: torch.where(x < 0.5, torch.where(x < 0.0, 1.0, 2.0), 3.0), 1, 3, 1),
        (lambda x, w: (x > 0.3).to(x.dtype) * 4 - 1, -1, 3, 4),
        (lambda x, w: torch.sign(x) * (x.abs() > 0.5).to(x.dtype), -1, 1, 1),
        (lambda x, w: torch.minimum(torch.round(x).clamp(0, 9), torch.full_like(x, 4.0)), 0, 4, 1),
        (lambda x, w: torch.maximum(torch.round(x).clamp(-9, 0), torch.full_like(x, -4.0)), -4, 0, 1),
        (lambda x, w: torch.tanh(x), -1, 1, 0),
        (lambda x, w: torch.sigmoid(x), 0, 1, 0),
        (lambda x, w: F_relu(x), 0, math.inf, 0),
        (lambda x, w: F_relu(x).clamp(max=2.0), 0, 2, 0),
        (lambda x, w: x * w, -math.inf, math.inf, 0),
    ],
)
def test_the_numbers_that_a_function_can_be_are_those_of_its_program(run_, low, high, step) -> None:
    made = Made(run_, None, "")
    graph = graph_of(made)
    found = form_of(graph.nodes, graph.inputs[0].id)
    assert found is not None
    check(made, 0, found, graph.inputs[0].id)
    assert (found.levels.low, found.levels.high, found.levels.step) == pytest.approx((low, high, step))


def F_relu(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.relu(x)


@pytest.mark.parametrize(
    "run_",
    [
        lambda x, w: torch.sign(x - 0.1) * (x.abs() > 0.5).to(x.dtype),  # turned elsewhere
        lambda x, w: torch.sign(x) * (x.abs() < 0.5).to(x.dtype),  # one near zero
        lambda x, w: torch.sign(x) * ((x + 0.2).abs() > 0.5).to(x.dtype),
        lambda x, w: torch.sign(x) * x.abs().clamp(0.5, 2.0) * -torch.sign(x),
        lambda x, w: torch.where(x > 0.5, x, -x),
        lambda x, w: torch.where(x > 0.5, 0.0, torch.where(x < -0.5, -1.0, 1.0)),
        lambda x, w: torch.where(x.abs() > 0.5, 1.0, 0.0),
        lambda x, w: torch.where(x > 0.5, torch.tanh(-x), -3.0),
        lambda x, w: torch.where(x * w > 0.5, torch.tanh(x) + 4.0, -3.0),
        lambda x, w: torch.tanh(x) - torch.sigmoid(x * 3.0),
        lambda x, w: torch.maximum(x, -x),
        lambda x, w: torch.minimum(x * w, x),
        lambda x, w: torch.logical_xor(x > 0.0, x > 1.0).to(x.dtype),
        lambda x, w: (x > 0.0).to(x.dtype) - (x > 1.0).to(x.dtype),
        lambda x, w: torch.clamp(x, min=-x),
        lambda x, w: torch.nn.functional.prelu(x, -w[0, :1].abs()),
        lambda x, w: torch.eq(torch.round(x), 1.0).to(x.dtype),
    ],
)
def test_what_may_rise_and_fall_is_not_told_to_do_one(run_) -> None:
    graph = graph_of(Made(run_, None, ""))
    for g in (graph, recognise_spellings(graph)):
        assert form_of(g.nodes, g.inputs[0].id) is None
