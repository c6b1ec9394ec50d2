"""Intervals come from sampling the constants, and what two designs share cancels in their comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.errors import UnknownNameError
from costmodel.targets.estimate import Estimate, Line
from costmodel.targets.quantity import Quantity
from costmodel.targets.uncertainty import draw, interval, probability_cheaper, sample
from tests.near import near

ADD = Quantity(1.0, "J", 0.5, 2.5, "horowitz2014", "T")
MUL = Quantity(3.0, "J", 1.0, 9.0, "horowitz2014", "T")


def bill(*lines: tuple[float, tuple[str, ...]]) -> Estimate:
    constants = {"add": ADD, "mul": MUL}
    return Estimate(
        "n", "t", "deployed", tuple(Line(0, "energy_J", "compute", "add", c, f) for c, f in lines), constants
    )


@given(st.floats(0.1, 10), st.floats(0.1, 0.99), st.floats(1.01, 8))
@settings(max_examples=20, deadline=None)
def test_bounds_are_the_5_and_95_percent_points_and_the_value_the_median(v: float, down: float, up: float) -> None:
    quantity = Quantity(v, "J", v * down, v * up, "horowitz2014", "T")
    values = draw("x", quantity, 40_000)
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    spread = np.log(up / down)
    assert np.log(low / quantity.low) == near(0, abs=0.04 * spread)
    assert np.log(median / v) == near(0, abs=0.04 * spread)
    assert np.log(high / quantity.high) == near(0, abs=0.04 * spread)


def test_sampling_is_repeatable_and_the_seed_matters() -> None:
    assert (draw("x", ADD, 100) == draw("x", ADD, 100)).all()
    assert (draw("x", ADD, 100) != draw("x", ADD, 100, seed=1)).all()
    assert (draw("x", ADD, 100) != draw("y", ADD, 100)).all()


def test_shared_constants_cancel_in_a_comparison() -> None:
    smaller, larger = bill((10, ("add",)), (5, ("mul",))), bill((11, ("add",)), (5, ("mul",)))
    assert probability_cheaper(smaller, larger, "energy_J") == 1.0
    assert probability_cheaper(larger, smaller, "energy_J") == 0.0
    assert probability_cheaper(smaller, smaller, "energy_J") == 0.5


def test_probabilities_of_both_directions_add_to_one() -> None:
    a, b = bill((3, ("add",))), bill((1, ("mul",)))
    assert probability_cheaper(a, b, "energy_J") + probability_cheaper(b, a, "energy_J") == near(1)
    assert 0.05 < probability_cheaper(a, b, "energy_J") < 0.95


def test_a_product_of_constants_is_sampled_as_a_product() -> None:
    (total,) = sample([bill((2, ("add", "mul")))], "energy_J", 500)
    assert total == near(2 * draw("add", ADD, 500) * draw("mul", MUL, 500))


def test_interval_of_one_constant_is_that_of_the_constant() -> None:
    result = interval(bill((2, ("add",))), "energy_J", 40_000)
    assert result.value == 2.0
    assert result.low == near(1.0, rel=0.05)
    assert result.high == near(5.0, rel=0.05)


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UnknownNameError, match="energy_J"):
        interval(bill((2, ("add",))), "energi")
