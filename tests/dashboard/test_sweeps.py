"""Sweeps as they were explored: one front for each network and target, and from each member to its design."""

import json
import math
from urllib.parse import parse_qs

import numpy as np
import pytest

from costmodel.dashboard import members
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.sweeps import Sweep, open_folders
from costmodel.explore.cases import STRIDE
from costmodel.explore.front import Front, Member
from costmodel.explore.pareto import PointSet, nondominated
from costmodel.explore.store import table_bytes
from tests.near import near

NAMES = ("lut", "seconds_per_image")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sweep of three cases: of two networks one is better throughout, and one target is worse throughout."""
    made = tmp_path_factory.mktemp("cases") / "results"
    (made / "parts").mkdir(parents=True)
    rng = np.random.default_rng(2)
    cases = [("cnv-w1a1", "pynq-z2"), ("tfc-w1a1", "pynq-z2"), ("cnv-w1a1", "zcu104")]
    for case, (network, target) in enumerate(cases):
        points = 10 ** rng.normal((5, -3), 0.3, (400, 2)) * (1, 0.01, 100)[case]
        ids = case * STRIDE + np.arange(400)
        kept = nondominated(points)
        sets = [PointSet(points[kept], ids[kept]), PointSet(points[~kept], ids[~kept])]
        data = table_bytes(sets, NAMES, {"priced": "400", "feasible": "400"})
        (made / "parts" / f"part-{case}.parquet").write_bytes(data)
        found = tuple(
            Member(int(ids[i]), network, target, {"clock": 1e8}, dict(zip(NAMES, points[i].tolist(), strict=True)), "c",
                   {"a": {"PE": 2, "SIMD": 3, "weights": "block", "window": "auto"}, "b": {"PE": 4, "SIMD": 5}})
            for i in np.flatnonzero(kept)
        )  # fmt: skip
        Front("made", "fpga", f"{network}-{target}", NAMES, found, 400, 400, "complete").write(made)
    return made


def test_no_network_or_target_hides_another(folder):
    sweep = Sweep(folder)
    drawn = {tuple(row) for row in sweep.front("lut", "seconds_per_image").round(9).tolist()}
    for front in sweep.fronts:
        own = {tuple(np.round([m.metrics["lut"], m.metrics["seconds_per_image"]], 9).tolist()) for m in front.members}
        assert own and own <= drawn
    assert {(s.network, s.target) for s in sweep.series("lut", "seconds_per_image")} == {
        ("cnv-w1a1", "pynq-z2"), ("tfc-w1a1", "pynq-z2"), ("cnv-w1a1", "zcu104"),
    }  # fmt: skip
    [only] = members.fronts([(0, sweep)], "lut", "seconds_per_image", (["cnv-w1a1"], ["zcu104"]))
    assert only[0] == "cnv-w1a1 on zcu104"


def test_every_point_of_a_front_leads_to_its_member(folder):
    sweep = Sweep(folder)
    for name, xs, _, refs in members.fronts([(0, sweep)], "lut", "seconds_per_image", ((), ())):
        for x, ref in zip(xs, refs, strict=True):
            m = members.member_of([sweep], ref)
            assert m is not None and m.metrics["lut"] == x and name == f"{m.network} on {m.target}"
    for ref in (None, "", "9:0", "0:99999", "a:b", "0:-1"):
        assert members.member_of([sweep], ref) is None


def test_a_member_opens_its_design_with_its_settings_and_the_rest_of_the_page(folder, client):
    from costmodel.dashboard.app import make_app
    from tests.dashboard.client import Client

    asked = Client(make_app(sweep_folders=[folder]))
    number = next(i for i, m in enumerate(Sweep(folder).members) if m.target == "zcu104")
    values = {
        "s-cloud.clickData": {"points": [{"customdata": f"0:{number}"}]},
        "written.data": "x=lut&tab=sweeps&set=clock%3D1&net=a",
    }
    went = asked.ask("s-opened.children", values, changed="s-cloud.clickData")["went"]["data"]
    query = parse_qs(went["search"].lstrip("?"))
    assert query == {
        "x": ["lut"], "tab": ["design"], "net": ["cnv-w1a1"], "on": ["zcu104"],
        "set": ["clock=100000000", "mode=dataflow", "folding=2x3:block:auto,4x5"],
    }  # fmt: skip
    page = str(asked.ask("root.children", {"went.data": went}))
    assert "2x3:block:auto,4x5" in page


def test_shipped_fronts_are_open_without_a_sweep_of_ones_own():
    shipped = open_folders([])
    assert [s.name for s in shipped] == ["exact fronts, cifar10", "exact fronts, cifar100"]
    catalogue = Catalogue()
    for sweep in shipped:
        assert "accuracy" in sweep.objectives and sweep.window("accuracy", "seconds_per_image", False, True) is None
        assert {m.target for m in sweep.members} <= set(catalogue.targets)
        series = sweep.series("seconds_per_image", "accuracy")
        assert sum(len(s.points) for s in series) > 100


def test_a_case_that_others_dominate_is_named_by_the_manifest(tmp_path):
    """At half of the clock no design is on the front of its network: no member says of which target its points are."""
    (tmp_path / "parts").mkdir()
    points = np.array([[100.0, 2e-3], [200.0, 1e-3]])
    for case in (0, 1):
        kept = PointSet(points * (1, 2 - case), case * STRIDE + np.arange(2))
        empty = PointSet(points[:0], np.arange(0))
        data = table_bytes([kept, empty], NAMES, {"priced": "2", "feasible": "2"})
        (tmp_path / "parts" / f"part-{case}.parquet").write_bytes(data)
    found = tuple(
        Member(STRIDE + i, "cnv-w1a1", "zcu104", {"clock": 2e8}, dict(zip(NAMES, points[i].tolist(), strict=True)), "c")
        for i in range(2)
    )
    Front("made", "fpga", "cnv-w1a1", NAMES, found, 4, 4, "complete").write(tmp_path)

    def drawn(networks, entries):
        space = {"space": {"networks": networks, "entries": entries}}
        (tmp_path / "manifest.json").write_text(json.dumps(space))
        return [(s.name, len(s.points)) for s in Sweep(tmp_path).series("lut", "seconds_per_image")]

    network = ["cnv-w1a1", [], [], "", False, "cifar10"]
    entry = ["zcu104", [["clock", [1e8, 2e8]]], "samples", 2, 1, "free", False, None]
    assert drawn([network], [entry]) == [("cnv-w1a1 on zcu104", 2)]
    apart = [("case 0", 2), ("cnv-w1a1 on zcu104", 2)]
    assert drawn([network], [["pynq-z2", *entry[1:]]]) == apart  # it does not agree with the members
    assert drawn([network], [[*entry[:2], "grid", *entry[3:]]]) == apart
    assert drawn([], "nonsense") == apart


def test_members_are_kept_by_constraints_as_by_dragging(folder):
    from costmodel.dashboard.app import make_app
    from tests.dashboard.client import Client

    asked = Client(make_app(sweep_folders=[folder]))
    page = {"tabs.value": "sweeps", "sweep.value": ["0"], "s-x.value": "lut", "s-y.value": "seconds_per_image",
            "s-x-scale.value": "log", "s-y-scale.value": "log"}  # fmt: skip
    rows = asked.ask("s-parallel.figure", page)["s-members"]["rowData"]
    limit = sorted(row["x"] for row in rows)[len(rows) // 2]
    answer = asked.ask("s-parallel.figure", {**page, "s-where.value": f"LUT <= {limit!r}"})
    kept = answer["s-members"]["rowData"]
    assert kept == [row for row in rows if row["x"] <= limit] and 0 < len(kept) < len(rows)
    assert answer["s-where-said"]["children"].startswith("LUTs ≤ ")
    assert asked.ask("s-parallel.figure", {**page, "s-where.value": "DSP <= 1"})["s-members"]["rowData"] == []
    said = asked.ask("s-parallel.figure", {**page, "s-where.value": "LUT = 1"})["s-where-said"]["children"]
    assert "is no constraint" in said
    low, high = sorted(row["x"] for row in rows)[1:3]
    box = {**page, "s-box.data": f"lut|seconds_per_image|log|log|{low!r},{high!r},0,1"}
    assert {row["x"] for row in asked.ask("s-parallel.figure", box)["s-members"]["rowData"]} == {low, high}
    other = {**box, "s-box.data": "lut|bram18|log|log|0,0,0,0"}  # of other axes
    assert asked.ask("s-parallel.figure", other)["s-members"]["rowData"] == rows


def test_rows_of_members_are_numbers_with_their_text(folder):
    kept = members.chosen([(0, Sweep(folder))], "lut", "seconds_per_image", None, ((), ()))
    for row in members.rows(kept, "lut", "seconds_per_image"):
        assert isinstance(row["x"], float) and row["x_text"] and row["ref"].startswith("0:")


def test_what_is_dragged_along_an_axis_is_what_is_listed(folder):
    from costmodel.dashboard.app import make_app
    from tests.dashboard.client import Client

    asked = Client(make_app(sweep_folders=[folder]))
    page = {"tabs.value": "sweeps", "sweep.value": ["0"], "s-x.value": "lut", "s-y.value": "seconds_per_image",
            "s-x-scale.value": "log", "s-y-scale.value": "log"}  # fmt: skip
    every = asked.ask("s-parallel.figure", page)
    rows = every["s-members"]["rowData"]
    names = [axis["name"] for axis in every["s-parallel"]["figure"]["data"][0]["dimensions"]]
    assert {name.partition("|")[0] for name in names} == set(NAMES)
    xs = sorted(row["x"] for row in rows)
    low, high = xs[1], xs[-2]
    dragged = [f"lut|{low!r},{high!r}", "seconds_per_image|0,1e-4|1e-3,1e9"]
    output = next(c["output"] for c in asked.callbacks if [i["id"] for i in c["inputs"]] == ["s-ranges"])
    answer = asked.of(output, {**page, "s-ranges.data": dragged})
    kept = answer["s-members"]["rowData"]
    assert kept == [r for r in rows if low <= r["x"] <= high and not 1e-4 < r["y"] < 1e-3] and 0 < len(kept) < len(rows)
    words = f"{len(rows)} members of fronts; {len(kept)} of these lie within what was dragged."
    assert answer["s-brushed"]["children"] == words
    again = asked.ask("s-parallel.figure", {**page, "s-ranges.data": dragged})  # a link that holds them
    assert again["s-members"]["rowData"] == kept and again["s-brushed"]["children"] == words
    kept_along = {axis["name"].partition("|")[0]: axis["constraintrange"]
                  for axis in again["s-parallel"]["figure"]["data"][0]["dimensions"]}  # fmt: skip
    assert kept_along["lut"] == near([math.log10(low), math.log10(high)]) and len(kept_along["seconds_per_image"]) == 2
    for nonsense in (None, {"lut": "x"}, ["lut|x"], ["lut|1"], ["lut|nan,2"], ["nothing|0,1"], ["bram18|0,1"], [None]):
        assert len(asked.of(output, {**page, "s-ranges.data": nonsense})["s-members"]["rowData"]) == len(rows)
