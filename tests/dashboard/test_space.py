"""The design space around a design: members of sweeps and single choices, and the way along their front."""

import pytest

from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.neighbours import Spaces, said
from costmodel.dashboard.state import pairs
from costmodel.dashboard.sweeps import open_folders
from tests.dashboard.client import text_of
from tests.near import near

PAGE = {"tabs.value": "design", "d-network.value": "cnv-w1a1", "d-target.value": "alveo-u200"}


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue(sweeps=open_folders([]))


@pytest.fixture(scope="module")
def spaces(catalogue):
    return Spaces(catalogue)


@pytest.mark.parametrize(
    ("network", "target"),
    [("cnv-w1a1", "alveo-u200"), ("abbnn-reactnet18-cifar10", "asic-45nm-nangate"), ("bn-reactneta-cifar10", "xne"),
     ("tfc-w1a1", "raspberry-pi-4b")],
)  # fmt: skip
def test_every_point_costs_what_its_choices_cost(catalogue, spaces, network, target):
    """Whether it was priced here or is a member of an exact front."""
    found = spaces.around(network, target, {}, "deployed", "both")
    by_what = {d.series for d in found.designs}
    assert {"this design", "clock", "scale option"} <= by_what
    for d in found.designs[:: max(1, len(found.designs) // 25)]:
        estimate = catalogue.estimate(network, target, pairs(found.choices[d.key]))
        for name, v in d.metrics.items():
            if estimate.has(name):
                assert v.value == near(estimate.total(name).value, rel=1e-5), (d.label, name)


def test_points_are_those_that_were_asked_for(spaces):
    asked = ("both", "front", "choices")
    both, swept, single = (spaces.around("cnv-w1a1", "alveo-u200", {}, "deployed", points) for points in asked)
    assert swept.members == both.members > 100 and single.members == 0
    assert len(both.designs) == len({d.key for d in both.designs}) == len(swept.designs) + len(single.designs) - 1
    assert len(single.designs) > 8


def test_the_walk_goes_along_the_front_of_the_members_from_end_to_end_and_back(spaces):
    of = ("cnv-w1a1", "alveo-u200")
    found = spaces.around(*of, {}, "deployed", "both")
    axes = found.axes("auto", "auto")
    front = found.plot(*axes, walked=True)
    keys, xs = ([getattr(front.points[i], name) for i in front.front] for name in ("key", "x"))
    assert len(keys) > 100 and [x.value for x in xs] == sorted(x.value for x in xs) and set(keys) <= found.swept
    # from beside the front to the nearest on either side
    own = next(d for d in found.designs if d.key == found.here).metrics[front.x.name].value
    on, back = (keys.index(found.step(front, by)) for by in (1, -1))
    assert found.here not in keys and xs[on].value >= own > xs[back].value and on == back + 1
    for place in (0, 3, len(keys) - 1):
        here = spaces.around(*of, pairs(found.choices[keys[place]]), "deployed", "both")
        walked = here.plot(*axes, walked=True)
        assert [walked.points[i].key for i in walked.front] == keys  # the way stays while one walks
        assert here.step(walked, 1) == keys[min(place + 1, len(keys) - 1)]
        assert here.step(walked, -1) == keys[max(place - 1, 0)]
        assert f"Place {place + 1} of {len(keys)}" in said(here.plot(*axes), walked, here)


def test_what_answers_otherwise_is_no_rival_unless_asked_for(spaces):
    found = spaces.around("abbnn-reactnet18-cifar10", "asic-45nm-nangate", {}, "deployed", "choices")
    narrow = {d.key for d in found.designs if d.label in ("real format int8", "scale option pow2")}
    wide = {d.key for d in found.designs if d.label.startswith(("clock", "real format int32"))}
    assert len(narrow) == 2 and narrow <= found.otherwise and not wide & found.otherwise
    same, every = (found.plot("latency_s", "energy_J", answers) for answers in (False, True))
    assert all(p.state == "failing" and "answers otherwise" in p.why for p in same.points if p.key in narrow)
    assert not any("answers otherwise" in p.why for p in every.points)


def test_a_button_makes_the_choices_of_the_next_member_those_of_the_page(client):
    answer = client.ask("d-space.figure", PAGE)
    assert "members of sweeps" in answer["d-where"]["children"] and answer["d-fold"]["children"] == ""
    walked = client.ask("d-space.clickData", PAGE, changed="d-next.n_clicks")
    settings = walked["settings"]["data"]
    assert any(text.startswith("folding=") for text in settings)
    page = {**PAGE, "settings.data": settings}
    assert client.ask("d-layers.figure", page)["d-error"]["children"] == ""
    assert "on the front that the buttons walk along" in client.ask("d-space.figure", page)["d-where"]["children"]
    clicked = {**PAGE, "d-space.clickData": {"points": [{"customdata": "nonsense@nowhere"}]}}
    assert "settings" not in client.ask("d-space.clickData", clicked, changed="d-space.clickData")


def test_where_there_is_no_front_the_command_that_finds_one_is_said(client):
    page = {**PAGE, "d-network.value": "tfc-w1a1", "d-target.value": "zcu104"}
    said = text_of(client.ask("d-space.figure", page)["d-fold"]["children"])
    assert "costmodel fold --model tfc-w1a1 --target zcu104 --front" in said


@pytest.mark.parametrize(("target", "moved"), [("raspberry-pi-4b", True), ("pynq-z2", False), ("asic-7nm-asap7", True)])
def test_the_roofline_of_a_design_holds_its_layers(client, target, moved):
    page = {**PAGE, "d-target.value": target}
    figure = client.ask("d-roofline.figure", page)["d-roofline"]["figure"]
    layers = [name for trace in figure["data"] for name in trace.get("text", ())]
    assert len(layers) == 9 and moved | (len(figure["data"][0]["x"]) == 2)


def test_an_axis_that_another_target_does_not_have_gives_way(client):
    page = {**PAGE, "d-x.value": "lut", "d-y.value": "latency_s"}
    there = client.ask("d-space.figure", page)
    assert "d-x" not in there or "value" not in there["d-x"]
    gone = client.ask("d-space.figure", {**page, "d-target.value": "x86-avx512"})
    assert gone["d-x"]["value"] == "auto" and "value" not in gone["d-y"]
