"""A bill is linear in its constants, and they are found again from what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.errors import CostmodelError
from costmodel.targets.estimate import Estimate, Line
from costmodel.targets.quantity import Quantity
from costmodel.validate.refit import Unknown, leave_out, nonnegative, problem
from tests.near import near


def quantity(value: float) -> Quantity:
    return Quantity(value, "s", value / 2, value * 2, "larq_docs", "C")


def bill(a: float, b: float, fixed: float, target: str = "t") -> Estimate:
    lines = (
        Line(0, "latency_s", "compute", "mul", a, ("ceiling", "slow")),
        Line(0, "latency_s", "memory", "input", b, ("byte",)),
        Line(0, "latency_s", "other", "x", fixed, ("floor",)),
    )
    constants = {"ceiling": quantity(2), "slow": quantity(1.5), "byte": quantity(0.1), "floor": quantity(1)}
    return Estimate("n", target, "deployed", lines, constants)


SOME = [bill(a, b, f) for a, b, f in [(1, 5, 1), (2, 1, 0), (0.5, 9, 2), (3, 3, 1)]]
UNKNOWNS = (Unknown("slow", at_least=1.0), Unknown("byte"))


def test_design_and_offset_give_the_bill_back() -> None:
    fit = problem(SOME, "latency_s", [1.0] * 4, UNKNOWNS)
    assert fit.estimates(np.array([1.5, 0.1])) == near([b.total("latency_s").value for b in SOME])


def test_constants_are_found_again_and_bounds_hold() -> None:
    measured = [b.total("latency_s").value for b in SOME]
    assert problem(SOME, "latency_s", measured, UNKNOWNS).fit() == near([1.5, 0.1])
    faster = [0.4 * m for m in measured]
    slow, _ = problem(SOME, "latency_s", faster, UNKNOWNS).fit()
    assert slow == 1.0


def test_a_constant_of_one_board_is_not_one_of_another() -> None:
    bills = [bill(1, 0, 0, "a"), bill(1, 0, 0, "b")]
    fit = problem(bills, "latency_s", [2.0, 6.0], (Unknown("slow", ("a",)), Unknown("slow", ("b",))))
    assert fit.fit() == near([1.0, 3.0])


def test_two_unknowns_in_one_line_are_refused() -> None:
    with pytest.raises(CostmodelError, match="two constants"):
        problem(SOME, "latency_s", [1.0] * 4, (Unknown("slow"), Unknown("ceiling")))


def test_a_left_out_row_does_not_influence_its_own_estimate() -> None:
    measured = [b.total("latency_s").value for b in SOME]
    names = {i: str(i) for i in range(4)}
    before = leave_out(problem(SOME, "latency_s", measured, UNKNOWNS), names)
    after = leave_out(problem(SOME, "latency_s", [100.0, *measured[1:]], UNKNOWNS), names)
    assert before == near(measured)
    assert after[0] == near(before[0])
    assert after[1] != near(before[1])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_no_nonnegative_point_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((6, 3)), rng.standard_normal(6)
    x = nonnegative(a, b)
    assert (x >= 0).all()
    gradient = a.T @ (a @ x - b)  # the conditions of Karush, Kuhn and Tucker
    assert (gradient > -1e-9).all()
    assert abs(gradient @ x) < 1e-9
