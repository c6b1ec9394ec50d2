"""Sums of signed powers of two are the nearest ones, and reach the known accuracy."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.deploy.multipliers import nearest_sums


def value(integer, exponent):
    return integer * 2.0**exponent


@settings(max_examples=200, deadline=None)
@given(st.floats(0.01, 100) | st.floats(-100, -0.01), st.integers(2, 3))
def test_no_sum_of_as_many_terms_is_nearer(x, count):
    (integer,), (exponent,) = nearest_sums(np.array([x]), count)
    top = int(np.floor(np.log2(abs(x)))) + 1
    powers = [0.0] + [s * 2.0**e for e in range(top - 14, top + 1) for s in (1, -1)]
    best = min(abs(x - sum(terms)) for terms in product(powers, repeat=count)) if count == 2 else None
    if best is not None:
        assert abs(x - value(integer, exponent)) <= best + 1e-15
    assert bin(abs(int(integer)) ^ (3 * abs(int(integer)))).count("1") <= 2 * count  # few digits


@given(st.floats(1e-6, 1e6))
def test_one_term_is_nearest_in_the_logarithm(x):
    (integer,), (exponent,) = nearest_sums(np.array([x]), 1)
    assert 2**-0.5 <= value(integer, exponent) / x <= 2**0.5 * (1 + 1e-12)


def test_errors_shrink_as_terms_are_added():
    x = 2.0 ** np.random.default_rng(0).uniform(-4, 4, 4000)
    mean, worst = [], []
    for count in (1, 2, 3):
        integers, exponents = nearest_sums(x, count)
        error = np.abs(value(integers, exponents) - x) / x
        mean.append(error.mean())
        worst.append(error.max())
    assert 0.15 < mean[0] < 0.20 and 0.38 < worst[0] < 0.42
    assert 0.02 < mean[1] < 0.035 and worst[1] < 0.12
    assert 0.003 < mean[2] < 0.006 and worst[2] < 0.03


def test_zero_and_signs_are_kept():
    integers, exponents = nearest_sums(np.array([0.0, -0.3, 0.3]), 2)
    assert value(integers[0], exponents[0]) == 0 and value(integers[1], exponents[1]) == -value(
        integers[2], exponents[2]
    )
