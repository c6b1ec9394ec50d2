"""One formula for a figure: sweep, folding and estimate give the same totals for the same design, to the last bit."""

import json

import numpy as np
import pytest

import costmodel
from costmodel.explore import folding
from costmodel.explore.cases import cases
from costmodel.explore.dataflow import Rules, space
from costmodel.explore.evaluators import evaluator
from costmodel.explore.ledgers import encoded
from costmodel.explore.space import read_space
from costmodel.explore.tables import draw
from costmodel.targets.fpga.choices import RESOURCES, reals
from costmodel.targets.fpga.finn import write_folding

NETWORKS = ("tfc-w1a1", "cnv-w1a1", "abbnn-reactnet18-cifar10", "abbnn-digits")
TARGETS = ("pynq-z2", "zcu104", "arty-a7-100t", "ultra96", "ecp5-85f")


def settings(rng, target):
    return {
        "batch": int(rng.choice([1, 7, 1000])),
        "clock": float(rng.choice([5e7, 1e8, 1.37e8])),
        "impl": str(rng.choice(["behavioural" if target.startswith("ecp5") else "hls", "compressor"])),
        "streams": str(rng.choice(["unit", "unit-hls", "pixel"])),
        "real_bits": int(rng.choice([12, 16, 20])),
    }


@pytest.mark.parametrize("seed", range(8))
def test_a_drawn_folding_costs_in_a_sweep_what_its_estimate_says(seed):
    rng = np.random.default_rng(seed)
    network, target = str(rng.choice(NETWORKS)), str(rng.choice(TARGETS))
    chosen = settings(rng, target)
    entry = {"target": target, "folding": {"samples": 4, "seed": seed}, **chosen}
    objectives = ["seconds_per_image", "energy_J", "lut"] if target in ("pynq-z2", "arty-a7-100t") else ["lut"]
    (case,) = cases(read_space({"networks": [network], "targets": [entry], "objectives": objectives}))
    profile = costmodel.profile(network)
    pricing = evaluator(case, encoded(profile.deployed))
    ((_, table),) = pricing.blocks(0, 4, {"energy_J"})
    choices = draw([len(u) for u in pricing.space.design.units], seed, 0, 4)
    for number, row in enumerate(choices.astype(np.int64)):
        file = json.loads(write_folding(pricing.space.folds(row), pricing.space.stages))
        bill = costmodel.estimate(profile, target, mode="dataflow", folding=file, **chosen)
        interval, cost = pricing.space.design.price(row)
        assert bill.facts["interval_cycles"] == interval
        for resource, value in zip(RESOURCES, reals(cost).tolist(), strict=True):
            assert value == bill.total(resource).value == table[resource][number]
        if "energy_J" in table:
            assert table["energy_J"][number] == bill.total("energy_J").value
        assert ("energy_J" in table) == ("energy_J" in bill.metrics())
        if not np.isnan(table["seconds_per_image"][number]):
            assert table["seconds_per_image"][number] == 1 / bill.derived["steady_images_per_second"].value


@pytest.mark.parametrize("fps", [0, 500])
@pytest.mark.parametrize(
    ("network", "target"), [("cnv-w1a1", "pynq-z2"), ("abbnn-reactnet18-cifar10", "zcu102"), ("tfc-w1a1", "zcu104")]
)
def test_an_estimate_prices_what_folding_finds(network, target, fps):
    profile = costmodel.profile(network)
    bill = costmodel.estimate(profile, target, mode="dataflow", fps=fps)
    found = space(profile, target, Rules(ultra=True), mode="dataflow")
    best = folding.best(found, folding.limits(found), fps or None, mean=folding.mean_limit(found))
    assert bill.fits
    assert bill.facts["interval_cycles"] == best.interval
    assert bill.derived["steady_images_per_second"].value == best.steady_images_per_second
    assert {name: bill.total(name).value for name in best.resources} == dict(best.resources)


def test_members_of_an_exact_front_cost_what_their_estimates_say():
    entry = {"target": "pynq-z2", "batch": 3, "clock": [5e7, 1e8]}
    (case,) = cases(read_space({"networks": ["tfc-w1a1"], "targets": [entry], "objectives": ["energy_J", "lut"]}))
    profile = costmodel.profile("tfc-w1a1")
    pricing = evaluator(case, encoded(profile.deployed))
    found = pricing.exact({"energy_J", "lut"}, {})
    numbers = np.arange(len(found))
    choices, at = found.find(numbers)
    for clock, (_, table) in zip((5e7, 1e8), pricing.blocks(0, 1, {"energy_J", "lut"}), strict=True):
        for member in range(0, len(choices), max(len(choices) // 5, 1)):
            interval = int(pricing.space.design.intervals[at[member]])
            file = json.loads(write_folding(pricing.space.folds(choices[member]), pricing.space.stages))
            bill = costmodel.estimate(
                profile, "pynq-z2", mode="dataflow", folding=file, fps=clock / (interval + 0.5), batch=3, clock=clock
            )
            for name in ("lut", "bram18", "dsp", "energy_J"):
                assert table[name][member] == bill.total(name).value
