import json
import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore import folding
from costmodel.explore.dataflow import Rules, space
from costmodel.explore.folding import best, count, limits
from costmodel.explore.greedy import against, greedy
from costmodel.explore.tables import FoldingTables, draw
from costmodel.targets.fpga import search
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, RESOLUTION, RESOURCES
from costmodel.targets.fpga.relaxed import Relaxed
from tests.near import near
from tests.targets.fpga.designs import DEVICE, every_design, random_design

PARTS = np.array([RESOLUTION, 1, 1, RESOLUTION, 1])  # of one of each resource


@pytest.fixture(scope="module")
def small():
    return space(costmodel.profile("tfc-w1a1"), "pynq-z2")


@pytest.fixture(scope="module")
def cnv():
    return space(costmodel.profile("cnv-w1a1"), "pynq-z2")


@pytest.mark.parametrize("fps", [1000, 30_000, 500_000])
def test_no_drawn_folding_meets_the_rate_more_cheaply(small, fps):
    allowed = limits(small)
    found = best(small, allowed, fps)
    assert found.steady_images_per_second >= fps
    assert all(found.resources[name] <= allowed[name] + 1e-9 for name in allowed)
    tables = FoldingTables(small.design)
    rows = tables.evaluate(draw(tables.sizes, fps, 0, 200_000))
    caps = [allowed["lut"] * RESOLUTION, allowed["bram18"], allowed["dsp"], allowed["ff"] * RESOLUTION]
    able = (small.clock / rows[:, 0] >= fps) & np.all(rows[:, 1:5] <= caps, axis=1)
    assert able.any()
    assert rows[able, 1 + LUT].min() / RESOLUTION >= found.resources["lut"] - 1e-6


def test_the_fastest_that_fits_is_as_fast_as_any_drawn_folding(cnv):
    allowed = limits(cnv, 1.0)
    found = best(cnv, allowed)
    tables = FoldingTables(cnv.design)
    rows = tables.evaluate(draw(tables.sizes, 1, 0, 300_000))
    fits = (rows[:, 1 + LUT] <= allowed["lut"] * RESOLUTION) & (rows[:, 1 + BRAM] <= allowed["bram18"])
    fits &= (rows[:, 1 + DSP] <= allowed["dsp"]) & (rows[:, 1 + FF] <= allowed["ff"] * RESOLUTION)
    assert found.interval <= rows[fits, 0].min()


def test_saving_one_resource_costs_another(cnv):
    allowed = limits(cnv, 1.0)
    found = {goal: best(cnv, allowed, 500, goal).resources for goal in ("lut", "bram18", "dsp")}
    for goal in found:
        assert found[goal][goal] == min(r[goal] for r in found.values())
    assert found["lut"]["bram18"] > found["bram18"]["bram18"]


@pytest.mark.parametrize("name", ["tfc-w1a1", "cnv-w1a1", "abbnn-reactnet18-cifar10"])
@pytest.mark.parametrize("cap", [36, None])
def test_the_exact_optimum_is_never_above_finns_pass(name, cap):
    found = space(costmodel.profile(name), "zcu104", Rules(cap, free_memories=False))
    rows = against(found, cap)
    assert len(rows) == len(found.design.intervals)
    for row in rows:
        assert row.best_lut <= row.lut
        assert row.best_bram_lut <= row.lut


def test_finns_pass_follows_its_published_rule():
    found = space(costmodel.profile("tfc-w1a1"), "pynq-z2", Rules(36, free_memories=False))
    (first, *_), stages = (
        [u.setting(c) for u, c in zip(found.design.units, greedy(found, 64), strict=True)],
        found.stages,
    )
    shape = stages[found.order[0]].matrix
    assert (shape.mw, shape.mh) == (784, 64)
    # 784 columns: 28 is the widest divisor of at most 36 bits that does not meet the target by itself; then 64 rows.
    assert (first["SIMD"], first["PE"]) == (28, 32)
    chosen = zip(found.design.units, greedy(found, 64), strict=True)
    assert max(int(unit.cycles[choice]) for unit, choice in chosen) == 56


def test_a_folding_file_is_written_and_read_back(small, tmp_path, capsys):
    path = tmp_path / "tfc.json"
    line = ["fold", "--model", "tfc-w1a1", "--device", "pynq-z2"]
    assert main([*line, "--fps", "30000", "--json", str(path)]) == 0
    assert "MVAU_hls_0" in json.loads(path.read_text())
    capsys.readouterr()
    assert main([*line, "--compare", str(path), "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    given, cheapest = rows[1].split(",")[1:], rows[2].rsplit(",", 5)[1:]
    assert given == cheapest  # the written folding is the optimum, so nothing beats it
    assert main(["profile", "--model", "tfc-w1a1", "--target", "pynq-z2", "--folding", str(path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fps", "1e9"], "Even without limits the fastest gives"),
        (["--fps", "5e5", "--fill", "0.05"], "The nearest that is fast enough"),
        (["--fps", "1000", "--max-bram18", "0", "--max-lut", "100"], "too many"),
        (["--fps", "0"], "above 0"),
        (["--target", "zcu104"], "a folding is for one FPGA"),
        (["--compare", "nowhere.json"], "cannot read the folding"),
    ],
)
def test_what_cannot_be_folded_is_said(arguments, words, capsys):
    assert main(["fold", "--model", "tfc-w1a1", "--device", "pynq-z2", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_refusal_says_how_sure_it_is(cnv):
    """The bounds are those of the bill of the very design that is named."""
    with pytest.raises(CostmodelError, match="not expected, and not excluded") as refused:
        best(cnv, limits(cnv, 1.0, {"ff": 28_000}), 3000)
    said = re.search(r"([\d,]+) ff \([\d,]+ too many, ([\d,]+) to ([\d,]+) by the bounds", str(refused.value))
    value, low, high = (int(group.replace(",", "")) for group in said.groups())
    bill = costmodel.estimate(cnv.ledger, "pynq-z2", fps=3000, mode="dataflow")
    assert low < 28_000 < value < high
    assert low / value == near(bill.total("ff").low / bill.total("ff").value, rel=0.02)
    with pytest.raises(CostmodelError, match="by the bounds of the constants") as refused:
        best(cnv, limits(cnv, 1.0, {"ff": low - 100}), 3000)
    assert "not excluded" not in str(refused.value)


def test_a_folding_with_few_registers_is_found_and_named_as_the_cheapest(cnv):
    """FINN's own fixed shares leave room within 30,000 flip-flops, which one share for every unit did not."""
    found = best(cnv, limits(cnv, 1.0, {"ff": 30_000}), 3000)
    assert found.resources["ff"] <= 30_000
    assert found.steady_images_per_second >= 3000
    assert found.guarantee.startswith("complete")


def test_only_an_fpga_is_folded(capsys):
    assert main(["fold", "tfc-w1a1", "--target", "raspberry-pi-4b"]) == 2
    assert "only FPGA designs are folded" in capsys.readouterr().err


def test_the_front_prints_its_guarantee(capsys):
    line = ["fold", "--model", "tfc-w1a1", "--device", "pynq-z2", "--memories", "auto", "--front"]
    assert main(line) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "complete: every one of" in text
    assert main([*line, "--epsilon", "0.1"]) == 0
    assert "within a factor 1.1" in " ".join(capsys.readouterr().out.split())


def test_large_numbers_are_short():
    assert [count(n) for n in (7, 123_456, 51 * 10**44)] == ["7", "123,456", "5.1e45"]


def test_a_rate_that_no_limit_allows_names_what_is_missing(small):
    with pytest.raises(CostmodelError, match=r"gives 1e.06 images per second within"):
        best(small, {**limits(small), "lut": 10}, 1e6)


def test_ultraram_is_used_where_nothing_else_fits(tmp_path, capsys):
    name, path = "abbnn-reactnet18-cifar10", tmp_path / "folding.json"
    plain = space(costmodel.profile(name), "zcu104")
    with pytest.raises(CostmodelError, match="no folding"):
        best(plain, limits(plain), 5000)
    assert (
        main(["fold", "--model", name, "--device", "zcu104", "--fps", "5000", "--json", str(path), "--format", "json"])
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    found = found.get("document", found)
    assert 0 < found["resources"]["uram"] <= found["limits"]["uram"]
    assert "not proven" not in found["guarantee"]
    bill = costmodel.estimate(costmodel.profile(name), "zcu104", folding=str(path), mode="dataflow")
    assert bill.fits
    assert bill.total("uram").value == found["resources"]["uram"]
    assert bill.total("bram18").value == found["resources"]["bram18"]
    assert main(["fold", "--model", name, "--device", "zcu104", "--front", "--ultra", "--epsilon", "0.1"]) == 2
    assert "not both" in capsys.readouterr().err


class _Told(NamedTuple):
    choices: np.ndarray
    at: int
    promise: str


def _starve(monkeypatch, sizes):
    for name, size in zip(("ROUNDS", "HELD", "HELD_FOR_ANY", "FORMED"), sizes, strict=True):
        monkeypatch.setattr(search, name, size)
    monkeypatch.setattr(folding, "capacity", lambda target: DEVICE)
    monkeypatch.setattr(folding, "_bounds", lambda *_: {})  # of the network, which the design has nothing to do with
    monkeypatch.setattr(folding, "describe", lambda space, choices, at, allowed, promise: _Told(choices, at, promise))


@pytest.mark.parametrize("sizes", [(60, 1000, 50, 20), (1, 2, 1, 1)])
@pytest.mark.parametrize("seed", range(24))
def test_what_is_called_complete_is_the_best_of_all_under_any_limits(small, seed, sizes, monkeypatch):
    """Where the search proves all of it, and where it may hold next to nothing."""
    _starve(monkeypatch, sizes)
    rng = np.random.default_rng(3000 + seed)
    found = replace(small, design=random_design(rng, 3, 5, 4), rules=Rules(ultra=seed % 4 == 3))
    every = [every_design(found.design, at)[1] for at in range(len(found.design.intervals))]
    typical = np.median(np.concatenate(every), axis=0) / PARTS
    allowed = dict(zip(RESOURCES, (typical * rng.uniform(0.8, 1.3, 5)).tolist(), strict=True))
    allowed |= {} if found.rules.ultra else {"uram": 1e9}  # spaces without it have none of it
    goal = ("lut", "bram18", "dsp", "share")[seed // 2 % 4]
    promise = _hold(found, every, allowed, None if seed % 5 == 0 else rng.choice(found.design.intervals), goal)
    assert sizes[0] == 1 or "not proven" not in promise


def test_nothing_is_called_complete_where_flip_flops_decide_and_the_front_is_not_made_of_them(small, monkeypatch):
    _starve(monkeypatch, (1, 2, 1, 1))
    promises = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = replace(small, design=replace(random_design(rng, 3, 4, 4), cross=()), rules=Rules())
        every = [every_design(found.design, at)[1] for at in range(len(found.design.intervals))]
        scarce = np.quantile(np.concatenate(every)[:, FF], rng.choice([0.02, 0.1, 0.3])) / RESOLUTION
        allowed = dict.fromkeys(RESOURCES, 1e6) | {"ff": float(scarce)}
        promises.append(_hold(found, every, allowed, rng.choice(found.design.intervals), "lut"))
    assert sum("none is cheaper by" in promise for promise in promises) > 5


def _hold(found, every, allowed, interval, goal):
    """Hold the best folding against ``every`` one [interval][design]; what is promised of it, "" where none fits."""
    design, weights = found.design, search.goal_weights(goal, DEVICE)
    fps = None if interval is None else found.clock / float(interval)
    fitting = [cost[np.all(cost / PARTS <= [allowed[n] + 1e-6 for n in RESOURCES], axis=1)] for cost in every]
    values = {
        at: float((cost @ weights).min())
        for at, cost in enumerate(fitting) if len(cost) and (fps is None or found.clock / design.intervals[at] >= fps)
    }  # fmt: skip
    try:
        told = best(found, allowed, fps, goal)
    except CostmodelError as error:
        assert not values or "not proven" in str(error)
        return ""
    interval, cost = design.price(told.choices, told.at)
    value, least = float(cost @ weights), min(values.values())
    assert np.all(cost / PARTS <= [allowed[n] + 1e-6 for n in RESOURCES])
    assert fps is None or found.clock / interval >= fps
    if "not proven" in told.promise:
        return told.promise
    if fps is None:
        assert told.at == min(values)
        least = values[told.at]
    gap = re.search(r"none is cheaper by ([\d.]+)%", told.promise)
    left = float(gap[1]) / 100 + 5e-5 if gap else 1e-9
    assert value * (1 - left) <= least + len(values) * search.PART_ERROR
    return told.promise


def test_a_limit_on_flip_flops_is_met_to_the_last_one(cnv):
    """As many as the folding takes that has the fewest at a rate are enough, and one less is proven not to be."""
    at = int(np.searchsorted(cnv.design.intervals, cnv.clock / 3000, "right")) - 1
    weights = np.zeros(len(RESOURCES))
    weights[FF] = 1 / RESOLUTION
    fewest = min(Relaxed(cnv.design, t).solve(weights).value for t in range(at + 1))
    allowed = limits(cnv, 1.0, {"lut": 1e9, "bram18": 1e9, "dsp": 1e9, "ff": np.ceil(fewest)})
    found = best(cnv, allowed, 3000)
    assert fewest <= found.resources["ff"] <= np.ceil(fewest)
    assert "not proven" not in found.guarantee
    with pytest.raises(CostmodelError, match=r"^no folding of .*too many") as refused:
        best(cnv, {**allowed, "ff": np.ceil(fewest) - 1}, 3000)
    assert "not proven" not in str(refused.value)
