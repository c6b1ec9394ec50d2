import pytest

from costmodel.dashboard import results
from costmodel.views.plots import breakdown
from tests.near import near


@pytest.fixture(scope="module")
def profile():
    return results.profile("cnv-w1a1")


@pytest.fixture(scope="module")
def estimate(profile):
    return profile.estimate("asic")


def test_stacks_sum_to_the_ledger(profile):
    ledger = profile.deployed
    info = breakdown.operations(ledger)
    assert {name: sum(values) for name, values in info.series.items()} == ledger.by_kind()
    assert breakdown.traffic(ledger).total() == ledger.bits_moved()


@pytest.mark.parametrize("metric", ["energy_J", "latency_s", "area_mm2"])
def test_costs_and_split_sum_to_the_estimate(estimate, metric):
    total = estimate.total(metric).value
    assert breakdown.costs(estimate, metric).total() == near(total)
    assert sum(breakdown.split(estimate, metric).values) == near(total)


def test_every_category_has_a_value_in_every_series(estimate):
    info = breakdown.costs(estimate, "energy_J")
    assert all(len(values) == len(info.categories) for values in info.series.values())


def test_constants_are_those_of_the_estimate_widest_cause_first(estimate):
    rows = breakdown.constants(estimate, "energy_J")
    assert [r.variance for r in rows] == sorted((r.variance for r in rows), reverse=True)
    assert all(r.source and r.value == estimate.constants[r.name].value for r in rows)


def test_rewrites_account_for_the_difference_of_the_levels():
    profile = results.profile("abbnn-reactnet18-cifar10")
    removed = sum(row.removed.get("mul", 0) for row in breakdown.rewrites(profile))
    assert removed == profile.as_written.total("mul") - profile.deployed.total("mul")


def test_a_metric_that_an_estimate_lacks_is_empty(profile):
    info = breakdown.costs(profile.estimate("cortex-a72"), "area_mm2")
    assert info.empty and info.categories == ()


def test_side_by_side_leaves_out_what_has_no_such_metric(profile):
    pairs = [("asic", profile.estimate("asic")), ("arm", profile.estimate("cortex-a72"))]
    assert breakdown.side_by_side(pairs, "area_mm2").labels == ("asic",)


def test_blocks_hold_what_their_layers_hold():
    names = ("stem.conv", "stem.norm", "stages.0.0.conv", "stages.0.1.conv", "stages.1.0.conv", "fc", breakdown.WHOLE)
    series = {"mul": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "add": (0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0)}
    info = breakdown.StackInfo("t", "", names, series, (0, 1, 2, 3, 4, 5, -1))
    blocks = breakdown.by_block(info)
    assert blocks.categories == ("stem", "stages.0", "stages.1", "fc", breakdown.WHOLE)
    assert blocks.series["mul"] == (3.0, 7.0, 5.0, 6.0, 7.0) and blocks.layers == (1, 3, 4, 5, -1)
    assert blocks.total() == info.total()
