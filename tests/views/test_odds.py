"""Which network is cheaper, and how sure that is."""

from __future__ import annotations

from dataclasses import astuple

from costmodel.targets.estimate import Estimate, Line
from costmodel.targets.quantity import Interval, Quantity
from costmodel.views.odds import _percent, _share, odds, table
from tests.near import near

SHARED = Quantity(1.0, "s", 0.5, 2.0, "larq_docs", "C")


def bill(network: str, amount: float, own_error: bool = False) -> Estimate:
    name = f"model_error of {network}"
    factors = ("shared", name) if own_error else ("shared",)
    constants = {"shared": SHARED, name: Quantity(1.0, "1", 0.9, 1.1, "larq_docs", "C")}
    return Estimate(network, "chip", "deployed", (Line(0, "latency_s", "x", "y", amount, factors),), constants)


def test_pairs_are_named_with_the_cheaper_first() -> None:
    (only,) = odds([bill("large", 2.0), bill("small", 1.0)])
    assert (only.cheaper, only.dearer, only.probability) == ("small", "large", 1.0)


def test_what_the_model_does_not_know_of_a_network_keeps_close_designs_apart_from_certainty() -> None:
    (close,) = odds([bill("a", 1.0, True), bill("b", 1.01, True)])
    (far,) = odds([bill("a", 1.0, True), bill("b", 1.5, True)])
    assert 0.5 <= close.probability < 0.7
    assert far.probability > 0.99


def test_what_both_share_does_not_widen_a_saving() -> None:
    (only,) = odds([bill("large", 4.0), bill("small", 3.0)])
    assert astuple(only.saving) == near((0.25, 0.25, 0.25), rel=1e-12)
    (own,) = odds([bill("large", 4.0, True), bill("small", 3.0, True)])
    assert own.saving.low < 0.2 < own.saving.value < 0.3 < own.saving.high


def test_a_saving_is_said_with_its_bounds_and_none_is_not_said() -> None:
    assert _share(Interval(0.25, 0.201, 0.3)) == "25.0 % (20.1 to 30.0 %)"
    assert _share(Interval(0.0, 0.0, 0.0)) == ""


def test_one_network_is_not_compared() -> None:
    assert table([bill("a", 1.0)]) is None


def test_a_sample_does_not_show_certainty() -> None:
    assert _percent(1.0) == "100 %"
    assert _percent(0.9995) == "> 99.9 %"
    assert _percent(0.75) == "75.0 %"
