import numpy as np
import pytest

import costmodel
from costmodel.errors import CostmodelError
from costmodel.explore.dataflow import space
from costmodel.explore.evaluators import metrics_of, metrics_of_all
from costmodel.explore.space import read_space
from costmodel.explore.tables import FoldingTables, draw, unrank

from .finnr import independent, random_unit
from .test_compose import NETWORKS


@pytest.mark.parametrize("design", NETWORKS[::4])
def test_the_table_path_equals_the_scalar_path_to_the_last_bit(design):
    tables = FoldingTables(design)
    choices = unrank(tables.sizes, 0, min(design.size, 300))
    for row, found in zip(choices, tables.evaluate(choices), strict=True):
        interval, cost = design.price(row.astype(int))
        assert [interval, *cost] == found.tolist()


@pytest.mark.parametrize("name", ["cnv-w1a1", "abbnn-reactnet18-cifar10"])
def test_real_networks_cost_the_same_by_both_paths(name):
    design = space(costmodel.profile(name), "zcu104").design
    tables = FoldingTables(design)
    choices = draw(tables.sizes, 3, 10, 50)
    for row, found in zip(choices, tables.evaluate(choices), strict=True):
        interval, cost = design.price(row.astype(int))
        assert [interval, *cost] == found.tolist()


def test_a_drawn_design_depends_on_its_number_alone():
    sizes = [3, 1, 500, 17]
    whole = draw(sizes, 7, 0, 1000)
    assert np.array_equal(np.concatenate([draw(sizes, 7, at, 125) for at in range(0, 1000, 125)]), whole)
    assert not np.array_equal(draw(sizes, 8, 0, 1000), whole)
    assert np.all(whole < np.array(sizes))
    counts = np.bincount(draw([5], 1, 0, 50_000)[:, 0], minlength=5)
    assert np.all(np.abs(counts - 10_000) < 500)


def test_numbers_enumerate_a_space_once():
    rows = unrank([3, 4, 2], 0, 24)
    assert len({tuple(row) for row in rows.tolist()}) == 24
    assert np.array_equal(unrank([3, 4, 2], 5, 7), rows[5:12])


def test_a_space_too_large_to_number_is_refused():
    with pytest.raises(CostmodelError, match="cannot be enumerated"):
        unrank([1000] * 30, 0, 1)


def test_a_design_of_one_unit_is_evaluated():
    design = independent([random_unit(np.random.default_rng(0), "only", 9)])
    rows = FoldingTables(design).evaluate(unrank([9], 0, 9))
    assert rows[:, 0].tolist() == design.units[0].cycles.tolist()


@pytest.mark.parametrize(
    "entry",
    [
        {"target": "asic-45nm-nangate", "clock": [1e8, 5e8], "outputs": [8, 32], "activation_sram": [2048, 262144]},
        {"target": "raspberry-pi-4b", "clock": [6e8, 1.8e9], "threads": [1, 4], "precision": ["fp32", "int8"]},
        {"target": "xne", "mapping": "owow", "outputs": [1, 2]},
        {"target": "xne", "dataflow": ["output", "weight"]},
    ],
)
def test_settings_priced_at_once_are_the_single_ones_to_the_last_bit(entry):
    one = read_space({"networks": ["tfc-w1a1"], "targets": [entry]}).entries[0]
    ledger, settings = costmodel.profile("tfc-w1a1").deployed, list(one.settings())
    table = metrics_of_all(ledger, one, settings)
    for i, setting in enumerate(settings):
        assert {name: values[i] for name, values in table.items()} == metrics_of(ledger, one, setting)
