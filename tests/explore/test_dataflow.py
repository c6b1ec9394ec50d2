"""The folding space is the hardware model: what the search sums is what the estimate of the same folding says."""

import json

import numpy as np
import pytest

import costmodel
from costmodel.errors import CostmodelError
from costmodel.explore.compose import EXACT, compose, rebuild
from costmodel.explore.dataflow import Rules, space
from costmodel.targets.fpga.choices import RESOURCES, URAM, reals
from costmodel.targets.fpga.finn import write_folding
from tests.near import near

#: Each unit, stream and stage is rounded to 2^-16 LUT.
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def profiles():
    return {name: costmodel.profile(name) for name in ("tfc-w1a1", "cnv-w1a1", "abbnn-reactnet18-cifar10")}


@pytest.mark.parametrize("streams", ["unit", "unit-hls", "pixel"])
@pytest.mark.parametrize("impl", ["hls", "compressor"])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("name", ["tfc-w1a1", "cnv-w1a1", "abbnn-reactnet18-cifar10"])
def test_the_summed_cost_of_a_folding_is_its_estimate(profiles, name, free, impl, streams):
    options = {"impl": impl, "streams": streams, "mode": "dataflow"}
    found = space(profiles[name], "pynq-z2", Rules(free_memories=free), **options)
    rng = np.random.default_rng(len(name))
    for _ in range(4):
        at = int(rng.integers(len(found.design.intervals)))
        interval = int(found.design.intervals[at])
        choices = [int(rng.choice(np.flatnonzero(u.cycles <= interval))) for u in found.design.units]
        reached, cost = found.design.price(choices, at)
        folding = json.loads(write_folding(found.folds(choices), found.stages))
        rate = found.clock / (interval + 0.5)
        estimate = costmodel.estimate(profiles[name], "pynq-z2", folding=folding, fps=rate, **options)
        assert estimate.facts["interval_cycles"] == reached == interval
        for resource, value in zip(RESOURCES, reals(cost), strict=True):
            assert value == near(estimate.total(resource).value, abs=TOLERANCE)


def test_weights_in_ultraram_cost_what_the_estimate_says(profiles):
    found = space(profiles["abbnn-reactnet18-cifar10"], "zcu104", Rules(ultra=True))
    rng = np.random.default_rng(4)
    for _ in range(4):
        choices = [int(rng.integers(len(u))) for u in found.design.units]
        interval, cost = found.design.price(choices)
        folding = json.loads(write_folding(found.folds(choices), found.stages))
        estimate = costmodel.estimate(profiles["abbnn-reactnet18-cifar10"], "zcu104", folding=folding, mode="dataflow")
        assert found.choices_of(found.folds(choices)) == choices
        assert cost[URAM] > 0
        assert estimate.facts["interval_cycles"] == interval
        for resource, value in zip(RESOURCES, reals(cost), strict=True):
            assert value == near(estimate.total(resource).value, abs=TOLERANCE)


def test_ultraram_is_part_of_a_space_only_where_the_device_has_it(profiles):
    plain, asked = (space(profiles["tfc-w1a1"], "pynq-z2", Rules(ultra=ultra)) for ultra in (False, True))
    assert asked.design.size == plain.design.size
    assert not asked.rules.ultra


def test_neither_cycles_nor_resources_depend_on_the_clock(profiles):
    slow, fast = (space(profiles["cnv-w1a1"], "pynq-z2", clock=clock).design for clock in (5e7, 2e8))
    assert np.array_equal(slow.intervals, fast.intervals)
    assert np.array_equal(slow.overhead, fast.overhead)
    for one, other in zip(slow.units, fast.units, strict=True):
        assert np.array_equal(one.cost, other.cost)
        assert np.array_equal(one.cycles, other.cycles)


def test_members_of_the_front_are_priced_as_the_estimate_prices_them(profiles):
    found = space(profiles["cnv-w1a1"], "pynq-z2")
    front = compose(found.design, EXACT)
    members = list(range(0, len(front), len(front) // 6))
    for member, choices in zip(members, rebuild(found.design, front, members), strict=True):
        folding = json.loads(write_folding(found.folds(choices), found.stages))
        rate = found.clock / (front.rows[member, 0] + 0.5)
        estimate = costmodel.estimate(profiles["cnv-w1a1"], "pynq-z2", folding=folding, fps=rate, mode="dataflow")
        interval, bram, dsp, lut = front.rows[member]
        assert estimate.facts["interval_cycles"] == interval
        assert (estimate.total("bram18").value, estimate.total("dsp").value) == (bram, dsp)
        assert estimate.total("lut").value == near(lut / 65536, abs=TOLERANCE)


def test_a_cap_on_the_width_of_weights_leaves_narrow_units_and_the_first_above(profiles):
    capped = space(profiles["cnv-w1a1"], "pynq-z2", Rules(max_wide=36, free_memories=False))
    free = space(profiles["cnv-w1a1"], "pynq-z2", Rules(free_memories=False))
    for small, large in zip(capped.design.units, free.design.units, strict=True):
        widths = np.unique(large.settings[:, 1])
        above = widths[widths > 36][:1]
        assert set(np.unique(small.settings[:, 1])) == {*widths[widths <= 36], *above}


def test_only_fpga_targets_have_foldings(profiles):
    target = next(name for name in costmodel.list_targets() if costmodel.load_target(name).kind == "arm")
    with pytest.raises(CostmodelError, match="only FPGA designs are folded"):
        space(profiles["tfc-w1a1"], target)


def test_the_space_is_all_that_finn_takes(profiles):
    """Every divisor of a matrix's rows as PE and of its columns as SIMD, and each of them can be priced from a file."""
    found = space(profiles["cnv-w1a1"], "pynq-z2", Rules(None, True, False), mode="dataflow")
    stages = [stage for stage in found.stages if stage.matrix is not None]
    for stage, item in zip(stages, found.design.units, strict=True):
        assert set(item.settings[:, 0].tolist()) == {d for d in range(1, 1025) if stage.matrix.mh % d == 0}
        assert set(item.settings[:, 1].tolist()) == {d for d in range(1, 5000) if stage.matrix.mw % d == 0}
    narrow = {f"MVAU_hls_{i}": {"PE": 1, "SIMD": 1} for i in range(len(stages))}
    narrow["MVAU_hls_1"] = {"PE": 1, "SIMD": 18}  # of 576 columns, with 64 channels: the window hands out 32
    bill = costmodel.estimate(profiles["cnv-w1a1"], "pynq-z2", folding=narrow, mode="dataflow")
    converters = bill.by_component("ff")["width_converter"].value
    narrow["MVAU_hls_1"] = {"PE": 1, "SIMD": 32}
    same = costmodel.estimate(profiles["cnv-w1a1"], "pynq-z2", folding=narrow, mode="dataflow")
    assert converters > same.by_component("ff")["width_converter"].value
