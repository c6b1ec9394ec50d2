"""Scaling of logic between nodes and voltages: the published equations, the corrigendum, and where they end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostmodelError
from costmodel.targets import load_target, scaling
from costmodel.targets.asic.units import column
from tests.near import near

TARGET = load_target("asic-45nm")
ENERGY = TARGET.table("scaling_energy")


@pytest.mark.parametrize(
    ("node", "voltage", "factor"),
    [(45, 1.0, 1.0177), (7, 0.7, 0.047815), (32, 0.9, 0.457137), (65, 1.3, 2.60355), (130, 1.2, 5.17944)],
)
def test_the_polynomials_are_the_published_ones_with_the_corrigendum(
    node: float, voltage: float, factor: float
) -> None:
    assert scaling.energy_polynomial(ENERGY, node, voltage) == near(factor, rel=1e-4)


def test_the_corrigendum_gives_the_factor_it_prints() -> None:
    # 65 nm at 1.3 V to 32 nm at 0.9 V, as the authors' corrected example
    value, _, _ = scaling.energy_scale(TARGET, 65, 1.3, 32, 0.9)
    assert value == near(0.1755, rel=2e-3)


@given(st.floats(0.5, 1.2), st.floats(0.5, 1.2))
def test_at_one_node_energy_follows_the_square_of_the_voltage(first: float, second: float) -> None:
    value, low, high = scaling.energy_scale(TARGET, 45, first, 45, second)
    assert low == value == high == near((second / first) ** 2)


@given(st.sampled_from([130.0, 90.0, 65.0, 45.0, 32.0, 20.0, 16.0, 14.0, 10.0, 7.0]), st.floats(7, 130))
def test_a_node_between_two_listed_ones_lies_between_them(listed: float, node: float) -> None:
    below = max(n for n in (7, 10, 14, 16, 20, 32, 45, 65, 90, 130) if n <= node)
    above = min(n for n in (7, 10, 14, 16, 20, 32, 45, 65, 90, 130) if n >= node)
    ends = [scaling.energy_polynomial(ENERGY, n, 1.0) for n in (below, above)]
    assert min(ends) * (1 - 1e-12) <= scaling.energy_polynomial(ENERGY, node, 1.0) <= max(ends) * (1 + 1e-12)
    there, back = scaling.area_scale(TARGET, listed, node)[0], scaling.area_scale(TARGET, node, listed)[0]
    assert there * back == near(1)


def test_the_error_of_scaling_holds_what_the_libraries_show() -> None:
    error = TARGET.constant("scaling_error")
    libraries = [
        column(load_target(name), library)
        for name, library in (("asic-130nm", "sky130hd"), ("asic-45nm", "nangate45"), ("asic-7nm", "asap7"))
    ]
    for before, after in pairwise(libraries):
        factor, _, _ = scaling.energy_scale(TARGET, before.node, before.voltage, after.node, after.voltage)
        for unit, width in (("add", 32), ("mul", 32), ("compare", 16), ("popcount", 64), ("xnor", 64), ("shift", 32)):
            ratio = after.quantity(unit, width).value / before.quantity(unit, width).value
            assert error.low <= ratio / factor <= error.high, (before.name, unit)


def test_outside_of_its_range_scaling_says_where_it_holds() -> None:
    with pytest.raises(CostmodelError, match="7 nm to 130 nm"):
        scaling.energy_polynomial(ENERGY, 5, 0.7)
    with pytest.raises(CostmodelError, match=r"above 0\.59 V"):
        scaling.energy_polynomial(ENERGY, 65, 0.5)
    with pytest.raises(CostmodelError, match="Choose the voltage as well"):
        scaling.nominal_voltage(TARGET, 130)
    with pytest.raises(CostmodelError, match="area scaling is known from"):
        scaling.area_scale(TARGET, 45, 3)


def test_the_nominal_voltage_is_listed_or_between_listed_ones() -> None:
    assert scaling.nominal_voltage(TARGET, 32) == 0.9
    assert 0.8 < scaling.nominal_voltage(TARGET, 28) < 0.9
