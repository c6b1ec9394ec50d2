"""Quantisers of few levels become comparisons, whatever they are spelled as; what they give is what PyTorch gives."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor, per_image
from costmodel.deploy.levels import ANY, Levels, added, clamped, either, gated, rounded, shifted, times
from costmodel.deploy.study import Deployment, prepare, verify
from costmodel.ledger.rules import charge
from tests.deploy.networks import images

Quantiser = Callable[[nn.Module, Tensor], Tensor]


class Net(nn.Module):
    """A real convolution, a quantiser, a convolution of signs with a border of zeros."""

    def __init__(self, quantise: Quantiser, padding: int = 1, real: bool = False) -> None:
        super().__init__()
        self.first, self.bn, self.weight = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Parameter(torch.randn(6, 4, 3, 3))
        self.step = nn.Parameter(torch.tensor(0.37))
        self.steps = nn.Parameter(torch.tensor([0.3, 0.7, 0.45, 1.1]).reshape(1, 4, 1, 1))
        self.register_buffer("zero", torch.tensor(2.0))
        # PyTorch rounds these steps to single precision, whatever the network is in
        self.register_buffer("quarter", torch.tensor(0.25))
        self.register_buffer("quarters", torch.tensor([0.25, 0.5, 0.125, 1.0]))
        self.register_buffer("five", torch.tensor(5, dtype=torch.int32))
        self.register_buffer("zeros", torch.tensor([5, 0, 15, 7], dtype=torch.int32))
        self.quantise, self.padding, self.real = quantise, padding, real

    def forward(self, x: Tensor) -> Tensor:
        u = self.quantise(self, self.first(x))
        return F.conv2d(u, self.weight if self.real else torch.sign(self.weight), padding=self.padding)


def made(quantise: Quantiser, threshold_bits: int = 4, **options: Any) -> Deployment:
    torch.manual_seed(5)
    net = Net(quantise, **options)
    net.bn.running_mean.normal_(0, 0.3)
    net.bn.running_var.uniform_(0.5, 2)
    nn.init.normal_(net.bn.weight)
    return prepare(net.eval(), torch.randn(1, 2, 9, 9), threshold_bits=threshold_bits)


def same(deployed: Deployment) -> None:
    """PyTorch's outputs, and the operations of the ledger."""
    x = images(deployed, 4)
    assert verify(deployed, x).exact
    for bits in (None, 20):
        assert _tally(deployed, bits, x) == _charged(deployed)


def _tally(deployed: Deployment, bits: int | None, x: np.ndarray) -> dict:
    tally: Counter = Counter()
    Executor(assemble(deployed.graph, bits)).run(x, tally=tally)
    return dict(per_image(tally, len(x)))


def _charged(deployed: Deployment) -> dict:
    rows: dict = {}
    for c in charge(deployed.graph, "deployed").charges:
        key = (c.module, c.call, c.op, c.kind)
        rows[key] = rows.get(key, 0) + c.count
    return {key: count for key, count in rows.items() if count}


# name -> quantiser, its levels, multiplications left behind the sum (by result)
QUANTISERS: dict[str, tuple[Quantiser, int, int]] = {
    "DoReFa": (lambda n, x: torch.round(x.clamp(0, 1) * 3) / 3, 4, 1),
    "clamped after rounding": (lambda n, x: torch.clamp(torch.round(x * 5), -3, 4), 8, 0),
    "a floor and a half": (lambda n, x: torch.floor(x.clamp(0, 2) * 3.5 + 0.5), 8, 0),
    "levels with an offset": (lambda n, x: torch.round((x.clamp(-1, 1) + 1) / (2 / 3)) * (2 / 3) - 1, 4, 1),
    "behind a norm": (lambda n, x: torch.round(F.relu6(n.bn(x))) * 0.25, 7, 0),
    "a step that is a parameter": (lambda n, x: torch.round((x / n.step).clamp(-2, 1)) * n.step, 4, 1),
    "a step in two factors": (lambda n, x: torch.round((x / n.step).clamp(-2, 1)) * n.step / 2, 4, 1),
    "a zero point that is a buffer": (
        lambda n, x: (torch.clamp(torch.round(x / n.step) + n.zero, 0, 7) - n.zero) * n.step, 8, 1,
    ),
    "fake quantisation": (lambda n, x: torch.fake_quantize_per_tensor_affine(x, 0.25, 5, 0, 15), 16, 0),
    "fake quantisation by buffers": (
        lambda n, x: torch.fake_quantize_per_tensor_affine(x, n.quarter, n.five, 0, 15), 16, 0,
    ),
    "a falling scale": (lambda n, x: torch.round((-2.5 * x).clamp(-1, 2)), 4, 0),
    "sums of comparisons": (lambda n, x: (x > -0.5).float() + (x > 0.25).float() + (x >= 1).float(), 4, 0),
    "two signs and a mask": (lambda n, x: torch.sign(n.bn(x)) * (n.bn(x).abs() >= 0.4).float(), 3, 0),
    "the sign of what is far from zero": (
        lambda n, x: torch.where(n.bn(x).abs() > 0.4, torch.sign(n.bn(x)), torch.zeros_like(x)), 3, 0,
    ),
    "nothing near zero": (
        lambda n, x: torch.where(n.bn(x).abs() <= 0.4, torch.zeros_like(x), torch.sign(n.bn(x))), 3, 0,
    ),
    "nested choices": (lambda n, x: torch.where(x > 0.6, 1.0, torch.where(x < -0.2, -1.0, 0.0)), 3, 0),
    "choices of x": (
        lambda n, x: torch.round(torch.where(x < 0, 0.0, torch.where(x > 1, 1.0, x)) * 3) / 3, 4, 1,
    ),
    "PACT by magnitudes": (lambda n, x: torch.round((x.abs() - (x - 1.5).abs() + 1.5) / 2 * 2) / 2, 4, 0),
    "rectified values apart": (lambda n, x: torch.round((torch.relu(x) - torch.relu(x - 1.5)) * 2) / 2, 4, 0),
    "rectified by a magnitude": (lambda n, x: torch.round(((x + x.abs()) / 2).clamp(max=3)), 4, 0),
    "PACT": (lambda n, x: torch.round(torch.minimum(torch.relu(x), n.step) * 3 / n.step) * n.step / 3, 4, 1),
    "PACT, its step made of its bound": (
        lambda n, x: torch.round(x.clamp(n.zero - 2, n.step) / (n.step / 3)) * (n.step / 3), 4, 1,
    ),
    "PACT on both sides": (
        lambda n, x: torch.round(torch.maximum(torch.minimum(x, n.step), -n.step) / n.step * 2) * n.step / 2, 5, 1,
    ),
    "a sigmoid": (lambda n, x: torch.round(torch.sigmoid(n.bn(x)) * 15), 16, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTISERS)
def test_a_quantiser_is_as_many_comparisons_as_lie_between_its_levels(name: str) -> None:
    quantise, levels, left = QUANTISERS[name]
    deployed = made(quantise)
    places, results = 4 * 7 * 7, 6 * 7 * 7
    ledger = deployed.profile.deployed
    assert ledger.total("compare") == places * (levels - 1)
    assert ledger.total("mul") - places * 18 == results * left  # besides the first convolution
    assert ledger.total("add") == places * 18  # sums and biases of the convolution
    assert ledger.total("special") == ledger.total("lut") == 0
    same(deployed)


def test_a_step_for_each_channel_goes_into_real_weights_and_stays_in_front_of_signs() -> None:
    def quantise(net: nn.Module, x: Tensor) -> Tensor:
        return torch.round((x / net.steps).clamp(0, 3)) * net.steps

    behind, before = made(quantise, real=True), made(quantise)
    macs, places = 6 * 7 * 7 * 36, 4 * 7 * 7
    assert behind.profile.deployed.total("mul") == places * 18 + macs  # levels by real numbers
    assert before.profile.deployed.total("mul") == places * 18 + places
    assert before.profile.deployed.total("signflip") == macs
    same(behind)
    same(before)


@pytest.mark.parametrize("bound", [0.37, 2.5, -0.8])
def test_bounds_that_are_parameters_hold_whatever_these_are(bound: float) -> None:
    """Below zero all that is left is one level."""

    def quantise(net: nn.Module, x: Tensor) -> Tensor:
        net.step.data.fill_(bound)
        return torch.round(torch.minimum(torch.relu(x), net.step) * 7 / net.step) * (net.step / 7)

    deployed = made(quantise)
    assert bound < 0 or deployed.profile.deployed.total("compare") == 4 * 7 * 7 * 7
    same(deployed)


def test_a_bound_for_each_channel_cancels_with_its_step() -> None:
    def quantise(net: nn.Module, x: Tensor) -> Tensor:
        step = net.steps / 3
        return torch.round(torch.minimum(torch.relu(x), net.steps) / step) * step

    deployed = made(quantise, real=True)
    assert deployed.profile.deployed.total("compare") == 4 * 7 * 7 * 3
    assert deployed.profile.deployed.total("mul") == 4 * 7 * 7 * 18 + 6 * 7 * 7 * 36
    same(deployed)


OTHERS: dict[str, Quantiser] = {
    "bounded by one parameter, divided by another": lambda net, x: torch.round(
        torch.minimum(torch.relu(x), net.step) / net.steps
    ),
    "bounded on one side": lambda net, x: torch.round(torch.minimum(x, net.step) / net.step),
    "bounded twice": lambda net, x: torch.round(torch.minimum(x.clamp(0, 1), net.step) / net.step),
    "bounded, then moved by a number": lambda net, x: torch.round(
        (torch.minimum(torch.relu(x), net.step) + 1) / net.step
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_a_bound_that_does_not_cancel_gives_no_levels(name: str) -> None:
    deployed = made(OTHERS[name])
    assert any(node.op == "round" for node in deployed.graph.nodes)
    same(deployed)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("name", ["of eight bits", "a zero point for each channel"])
def test_fake_quantisation_is_executed_around_its_zero_points(name: str, real: bool) -> None:
    quantise: Quantiser = {
        "of eight bits": lambda n, x: torch.fake_quantize_per_tensor_affine(x, 0.03125, 100, 0, 255),
        "a zero point for each channel": lambda n, x: torch.fake_quantize_per_channel_affine(
            x, n.quarters.float(), n.zeros, 1, 0, 15
        ),
    }[name]
    same(made(quantise, real=real))


def test_fake_quantisation_around_fractions_is_unknown_and_said() -> None:
    zeros = torch.tensor([0.5, 1.0, 2.25, 7.0])
    deployed = made(lambda n, x: torch.fake_quantize_per_channel_affine(x, n.quarters.float(), zeros, 1, 0, 15))
    assert deployed.profile.as_written.total("unknown") > 0


def test_quantisers_of_more_than_four_bits_stay_a_scale_a_rounding_and_a_clamp() -> None:
    for bits in (4, 5):
        top = 2**bits - 1
        deployed = made(lambda net, x, top=top: torch.round(x.clamp(0, 1) * top))
        assert any(node.op == "round" for node in deployed.graph.nodes) == (bits == 5)
        same(deployed)


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_how_wide_a_quantiser_may_be_to_become_comparisons_is_asked_for(bits: int) -> None:
    for wide in {min(bits, 8), bits + 1}:
        top = 2**wide - 1
        deployed = made(lambda net, x, top=top: torch.round(x.clamp(0, 1) * top), bits)
        assert any(node.op == "round" for node in deployed.graph.nodes) == (wide > bits and wide > 1)
        same(deployed)


def test_rounding_of_halves_to_even_is_in_the_thresholds() -> None:
    """torch.round(0.5) is 0 and torch.round(1.5) is 2: each threshold is met or just missed, to the last number."""
    for function in (torch.round, torch.floor, torch.ceil, torch.trunc):
        net = nn.Sequential()
        net.forward = lambda x, f=function: f(x).clamp(-3, 3)  # type: ignore[method-assign]
        deployed = prepare(net, torch.randn(1, 1, 6, 6))
        assert any(node.op == "threshold" for node in deployed.graph.nodes)
        halves = np.arange(-4, 4.5, 0.5)
        x = np.concatenate([halves, np.nextafter(halves, 9), np.nextafter(halves, -9)])
        x = np.resize(x, (2, 1, 6, 6))
        (got,) = Executor(assemble(deployed.graph)).run(x)
        assert np.array_equal(got, function(torch.as_tensor(x)).clamp(-3, 3).numpy())


TWICE: dict[str, Quantiser] = {
    "abs": lambda net, x: torch.round(x.abs().clamp(0, 3)),
    "add": lambda net, x: torch.round(x.clamp(0, 1) * 3) - torch.round(x.clamp(1, 2)),
    "where": lambda net, x: torch.where(x > 0.5, 0.0, torch.where(x < -0.5, -1.0, 1.0)),
    "mul": lambda net, x: torch.sign(x - 0.1) * (x.abs() > 0.5).float(),
}


@pytest.mark.parametrize("op", TWICE)
def test_a_function_that_rises_and_falls_is_no_quantiser(op: str) -> None:
    deployed = made(TWICE[op])
    assert any(node.op == op for node in deployed.graph.nodes)
    same(deployed)


# -- the numbers that a value can be ----------------------------------------------------------------------------------

THIRDS = Levels(0.0, 1.0, 1 / 3)


def test_levels_are_counted_and_named_by_integers() -> None:
    assert [Levels(-1.0, 1.0, 1.0).count, THIRDS.count, ANY.count, Levels(0.0, 1.0).count] == [3, 4, 0, 0]
    assert THIRDS.units == (1 / 3, 0, 1)
    assert shifted(times(rounded(Levels(0.0, 3.0), "round"), 0.5), 0.25).units == (0.25, 1, 2)  # 1/4, 3/4, ...
    assert shifted(THIRDS, 0.1).units is None


def test_the_algebra_of_levels_is_that_of_sets() -> None:
    def values(x: Levels) -> set[float]:
        return {round(x.low + k * x.step, 9) for k in range(x.count)}

    sets = [Levels(0.0, 3.0, 1.0), Levels(-1.0, 1.0, 1.0), Levels(-2.0, 2.0, 2.0, 2.0), Levels(1.0, 4.0, 1.0, 1.0)]
    for x, y in itertools.product(sets, sets):
        for made_, wanted in (
            (added(x, y), {a + b for a in values(x) for b in values(y)}),
            (either(x, y), values(x) | values(y)),
        ):
            if made_.count:
                assert values(made_) >= wanted
                assert {min(values(made_)), max(values(made_))} == {min(wanted), max(wanted)}
    for x in sets:
        assert values(times(x, -2.0)) == {-2 * a for a in values(x)}
        assert values(clamped(x, 0.0, 2.0)) >= {min(max(a, 0.0), 2.0) for a in values(x)}
        assert values(rounded(x, "floor")) == values(x)
    assert values(gated(Levels(-1.0, 1.0, 2.0, 1.0))) == {-1.0, 0.0, 1.0}
    assert clamped(THIRDS, 0.5, None).step == 0.0  # a bound between two levels
