"""Members of sweeps are in the explorer's own figure, priced as any other design, and lead to their design."""

from urllib.parse import parse_qs

import pytest

from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.download import table
from costmodel.dashboard.explored import LIMIT
from costmodel.dashboard.members import settings_of
from costmodel.dashboard.selection import CONTROLS, build, rows
from costmodel.dashboard.state import FIELDS, pairs, read_design
from costmodel.dashboard.sweeps import Sweep
from costmodel.explore.verbs import explore
from tests.dashboard.client import Client
from tests.near import near

SPACE = """\
networks: [cnv-w1a1]
targets:
  - {target: pynq-z2, folding: {samples: 400, seed: 2}, clock: [100e6, 150e6]}
  - {target: cortex-m4, clock: [50e6, 100e6]}
objectives: {fpga: [seconds_per_image, lut], arm: [seconds_per_image, clock_Hz]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("explored")
    (made / "space.yaml").write_text(SPACE)
    for front in explore(made / "space.yaml", made / "mine", engine="serial"):
        front.write(made / "mine")
    return made / "mine"


@pytest.fixture(scope="module")
def catalogue(folder):
    made = Catalogue(sweeps=[Sweep(folder)], mine=1)
    made.explore(["0"])
    made.pricing.wait()
    return made


def controls(**more):
    at = {component: default for component, _, default, _ in FIELDS.values()}
    return {name: at[name] for name in CONTROLS} | {"x-sweeps": ["0"], **more}


def test_every_member_is_in_the_figure_marked_with_its_own_choices(catalogue, folder):
    members = Sweep(folder).members
    info, items = build(catalogue, controls())
    mine = [i for i in items if i.origin == "mine"]
    assert {(i.target, i.choices) for i in mine} == {(m.target, tuple(settings_of(m))) for m in members}
    assert len({i.design.id for i in mine}) == len(members) > 5
    assert all(i.design.own for i in mine) and len({i.design.key for i in items}) == len(items)
    shown = {p.key for p in info.points}
    assert {i.design.key for i in mine} <= shown
    assert not [i for i in build(catalogue, controls(**{"x-sweeps": []}))[1] if i.origin == "mine"]


def test_a_member_costs_what_its_design_costs(catalogue):
    _, items = build(catalogue, controls(y="lut"))
    checked = 0
    for i in items:
        if i.origin == "mine":
            network, target, settings, level = read_design(i.design.id)
            estimate = catalogue.estimate(network, target, settings, level)
            for name, v in i.design.metrics.items():
                if estimate.has(name):
                    assert v.value == near(estimate.total(name).value, rel=1e-5)
            written = catalogue.explorations.sweeps[0].members[int(i.design.key.partition(":")[2].partition("#")[0])]
            steady = "steady_images_per_second"  # of a pipeline that stays full, as a sweep is judged by
            time = 1 / estimate.total(steady).value if estimate.has(steady) else estimate.total("latency_s").value
            assert time == near(written.metrics["seconds_per_image"], rel=1e-6)
            checked += 1
    assert checked > 5


def test_a_member_opens_with_its_choices_and_is_reported_and_downloaded_with_them(catalogue, folder):
    from costmodel.dashboard.app import make_app

    info, items = build(catalogue, controls(target=["pynq-z2"]))
    item = next(i for i in items if i.origin == "mine")
    network, target, settings, _ = read_design(catalogue.design_of(item.design.key))
    assert (network, target) == ("cnv-w1a1", "pynq-z2") and settings == pairs(item.choices)
    head, lines = table(info, items, [item.design.key])
    assert lines[0][head.index("choices")].split(" ") == list(item.choices)
    assert rows(info, items, [item.design.key])[0]["choices"] == ", ".join(item.choices)
    asked = Client(make_app(sweep_folders=[folder]))
    went = asked.ask("d-network.value", {"trade-off.clickData": {"points": [{"customdata": item.design.key}]}},
                     changed="trade-off.clickData")  # fmt: skip
    query = parse_qs(went["went"]["data"]["search"].lstrip("?"))
    assert query["tab"] == ["design"] and sorted(query["set"]) == sorted(item.choices)


def test_the_users_sweeps_are_in_the_figure_by_default_and_can_be_taken_out(folder):
    from costmodel.dashboard.app import make_app

    asked = Client(make_app(sweep_folders=[folder]))
    for search, chosen in (("", ["0"]), ("?with=", []), ("?with=1", ["1"])):
        page = asked.ask("root.children", {"url.search": search})["root"]["children"]
        assert find(page, "x-sweeps")["value"] == chosen


def find(node, id):
    """The properties of the component of that id in a page."""
    if isinstance(node, dict):
        if node.get("props", {}).get("id") == id:
            return node["props"]
        node = list(node.values())
    found = (find(child, id) for child in node if isinstance(child, (dict, list))) if isinstance(node, list) else ()
    return next(filter(None, found), None)


def test_what_of_a_sweep_is_not_shown_is_said(catalogue, monkeypatch):
    from costmodel.dashboard import explored

    assert catalogue.explorations.said(["0"]) == []
    monkeypatch.setattr(explored, "LIMIT", 3)
    few = Catalogue(sweeps=catalogue.explorations.sweeps, mine=1)
    del few.networks["cnv-w1a1"]
    few.explore(["0"])
    few.pricing.wait()
    said = few.explorations.said(["0"])[0]
    assert "cnv-w1a1, which is not here" in said and "(costmodel dashboard --model cnv-w1a1)" in said
    some = Catalogue(sweeps=catalogue.explorations.sweeps, mine=1)
    some.explore(["0"])
    some.pricing.wait()
    kept = {i.design.id for i in some.explorations.items(["0"])}
    assert len(kept) <= 3 < LIMIT and "members are left out" in some.explorations.said(["0"])[0]


def test_the_accuracy_of_a_network_is_not_that_of_a_member_of_narrower_numbers(catalogue):
    from costmodel.dashboard.explored import figures_of
    from costmodel.explore.front import Member

    known = catalogue.accuracies["cnv-w1a1"]
    plain = Member(0, "cnv-w1a1", "pynq-z2", {"clock": 1e8}, {}, "")
    narrow = Member(0, "cnv-w1a1", "pynq-z2", {"real_bits": 4}, {}, "")
    judged = Member(
        0, "cnv-w1a1", "pynq-z2", {"real_bits": 4}, {"accuracy": 70.0}, "", None, {"accuracy_kind": "given"}
    )
    target = catalogue.target("pynq-z2")
    assert list(figures_of(plain, target, known)) == list(known) and len(known) > 1
    assert list(figures_of(narrow, target, known)) == []
    assert [(f.top1, f.evidence) for f in figures_of(judged, target, known)] == [(70.0, "given")]


def test_networks_of_a_sweep_are_known_by_the_names_that_they_have_here(tmp_path):
    """A sweep calls a file net:build and a variant by its arguments; the command of each member says what it is."""
    from costmodel.explore.front import Front, Member

    commands = {
        "net:build": "costmodel profile --model net.py:build --input 1x3x32x32 --target xne",
        "bn-xnor18-cifar10,width=0.25":
            "costmodel profile --model bn-xnor18-cifar10 --model-args width=0.25 --target xne",
        "cnv-w1a1": "costmodel fold --model cnv-w1a1 --target xne --fps 3",
    }  # fmt: skip
    metrics = {"seconds_per_image": 1.0, "energy_J": 2.0}
    found = tuple(Member(i, name, "xne", {}, metrics, text) for i, (name, text) in enumerate(commands.items()))
    Front("made", "asic", "", tuple(metrics), found, 3, 3, "complete").write(tmp_path)
    names = [m.network for m in Sweep(tmp_path).members]
    assert names == ["net.py:build", "bn-xnor18-cifar10 (width=0.25)", "cnv-w1a1"]
    assert set(names[1:]) <= set(Catalogue().networks)
