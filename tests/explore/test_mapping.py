"""Mappings of a chip: tables, scalar path, model and exact front say the same."""

import csv

import numpy as np
import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.explore import tasks
from costmodel.explore.front import front_of
from costmodel.explore.mapping import LayerTables, compose, layer_tables
from costmodel.explore.pareto import nondominated
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep
from costmodel.explore.tables import draw, unrank
from costmodel.targets.asic import price as asic
from tests.near import near

CHIPS = ["asic-7nm-asap7", "xne"]


def tables_of(network, target, **options):
    chip = costmodel.load_target(target)
    return layer_tables(costmodel.profile(network).deployed, chip, chip.settings(options, asic.OPTIONS))


@pytest.mark.parametrize("target", CHIPS)
def test_the_table_path_equals_the_scalar_path_to_the_last_bit(target):
    tables = tables_of("cnv-w1a1", target)
    choices = draw(tables.sizes, 0, 0, 200)
    for row, found in zip(choices, tables.evaluate(choices), strict=True):
        assert tables.price(row.tolist()) == found.tolist()


@pytest.mark.parametrize("network", ["cnv-w1a1", "abbnn-reactnet18-cifar10"])
@pytest.mark.parametrize("target", CHIPS)
def test_a_mapping_costs_what_the_model_says(network, target):
    tables = tables_of(network, target)
    profile = costmodel.profile(network)
    for row in draw(tables.sizes, 5, 0, 4):
        metrics = tables.evaluate(row[None])
        bill = costmodel.estimate(profile.deployed, target, mapping=tables.letters(row.tolist()))
        assert tables.energy(metrics)[0] == near(bill.total("energy_J").value, rel=1e-12)
        assert metrics[0, 1] == near(bill.total("latency_s").value, rel=1e-12)
        assert tables.area == bill.total("area_mm2").value


def random_tables(seed):
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(1, 11))
    values = rng.integers(1, 9, (layers, 2, 2)) / 4 if seed % 2 else rng.random((layers, 2, 2))
    values[:, 1, 1] = values[:, 0, 1] + values[:, 0, 0] - values[:, 1, 0] + rng.normal(0, 0.1, layers)
    return LayerTables(("output", "weight"), tuple(range(layers)), tuple(range(layers)), values, rng.random(2), 0.3)


@pytest.mark.parametrize("seed", range(40))
def test_the_exact_front_is_that_of_every_mapping(seed):
    tables = random_tables(seed)
    choices = unrank(tables.sizes, 0, 2 ** len(tables.layers))
    everything = tables.evaluate(choices)
    front = compose(tables)
    expected = everything[nondominated(everything)]
    assert sorted(map(tuple, front.metrics.tolist())) == sorted(map(tuple, expected.tolist()))
    assert np.array_equal(tables.evaluate(front.choices), front.metrics)


def test_the_exact_front_of_a_network_is_that_of_every_mapping():
    tables = tables_of("cnv-w1a1", "xne")
    assert len(tables.layers) >= 8
    everything = tables.evaluate(unrank(tables.sizes, 0, 2 ** len(tables.layers)))
    expected = everything[nondominated(everything)]
    assert sorted(map(tuple, compose(tables).metrics.tolist())) == sorted(map(tuple, expected.tolist()))


def test_layers_that_do_not_differ_leave_one_mapping():
    tables = LayerTables(("output", "weight"), (0, 3), (), np.zeros((0, 2, 2)), np.array([1.0, 2.0]))
    assert tables.evaluate(draw(tables.sizes, 0, 0, 3)).tolist() == [[1.0, 2.0]] * 3
    assert compose(tables).metrics.tolist() == [[1.0, 2.0]]
    assert tables.letters([]) == "oo"


@pytest.mark.parametrize("mapping", ["exact", {"samples": 2000, "seed": 3}])
def test_a_member_is_made_again_by_its_command(tmp_path, capsys, mapping):
    space = read_space({
        "networks": ["abbnn-reactnet18-cifar10"],
        "targets": [{"target": "xne", "outputs": [1, 2], "mapping": mapping}],
        "objectives": ["seconds_per_image", "energy_J", "area_mm2"],
    })  # fmt: skip
    (group,) = sweep(space, tmp_path, engine="serial")
    front = front_of(space, group)
    assert len({m.settings["mapping"] for m in front.members}) > 1
    member = front.best("energy_J")
    assert main([*member.command.split()[1:], "--format", "csv"]) == 0
    rows = csv.DictReader(capsys.readouterr().out.splitlines())
    assert sum(float(row["xne.energy_J"]) for row in rows) == near(member.metrics["energy_J"], rel=1e-9)
    bill = costmodel.estimate(costmodel.profile(member.network).deployed, member.target, **member.settings)
    assert bill.total("energy_J").value == near(member.metrics["energy_J"], rel=1e-12)
    assert 1 / bill.total("images_per_second").value == near(member.metrics["seconds_per_image"], rel=1e-12)
    assert front.guarantee.startswith("complete: " if mapping == "exact" else "of 4e+03 designs")


def test_sampled_mappings_are_on_or_above_the_exact_front():
    def points(mapping):
        space = read_space({"networks": ["cnv-w1a1"], "targets": [{"target": "xne", "mapping": mapping}]})
        return np.concatenate([tasks.run(job).points.points for job in tasks.jobs(space, tasks.ledgers_of(space))])

    exact, drawn = points("exact"), points({"samples": 5000})
    assert not nondominated(np.concatenate([exact, drawn]))[len(exact) :].any()
