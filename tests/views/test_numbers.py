"""Numbers as people read them."""

import pytest

from costmodel.views.numbers import between, show


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.00657, "J", "6.57 mJ"), (0.9999, "J", "1 J"), (53200, "", "53.2 k"), (0, "s", "0 s"), (91.944, "%", "91.94 %"),
     (4.3512, "mm²", "4.351 mm²"), (float("nan"), "J", "not known"), (-2.5e-7, "s", "-250 ns"),
     (0.68, "", "0.68"), (1648.0, "/s", "1.65 k/s")],
)  # fmt: skip
def test_numbers_have_three_digits_and_a_prefix(value, unit, text):
    assert show(value, unit) == text


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [(1.73e-4, 4.93e-4, "J", "173 to 493 µJ"), (3.05e-4, 1.08e-3, "J", "305 µJ to 1.08 mJ"),
     (30100, 38800, "", "30.1 to 38.8 k"), (-7, -2, "LUT/unit", "-7 to -2 LUT/unit"), (0, 12, "", "0 to 12")],
)  # fmt: skip
def test_an_interval_says_its_unit_once(low, high, unit, text):
    assert between(low, high, unit) == text


def test_half_an_image_a_second_is_no_metre():
    assert show(0.5, "/s") == "0.5 /s" and show(0.9, "LUT/bit") == "0.9 LUT/bit" and show(3e-12, "J/bit") == "3 pJ/bit"
