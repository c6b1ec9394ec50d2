"""A rate that is given exactly is fast enough for itself."""

import numpy as np

from costmodel.targets.arith import longest_interval


def test_the_longest_interval_is_the_last_that_is_fast_enough():
    rng = np.random.default_rng(0)
    for _ in range(20_000):
        clock = float(rng.choice([1e8, 125e6, 1e9 / 7, rng.uniform(1e6, 1e9)]))
        cycles = int(10 ** rng.uniform(0, 9))
        for rate in (clock / cycles, clock / cycles * rng.uniform(0.3, 3)):
            found = longest_interval(clock, rate)
            assert not found or clock / found >= rate
            assert clock / (found + 1) < rate
        assert longest_interval(clock, clock / cycles) >= cycles


def test_faster_than_the_clock_is_no_interval():
    assert longest_interval(100.0, 101.0) == longest_interval(100.0, 1e9) == 0
    assert longest_interval(100.0, 100.0) == 1
