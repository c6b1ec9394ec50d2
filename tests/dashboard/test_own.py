"""What the user brings is in the same figure as what is shipped, marked, with the user's own accuracies."""

from functools import partial

import pytest

from costmodel.cli import main as cli
from costmodel.dashboard.app import make_app
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.own import read
from costmodel.dashboard.selection import CONTROLS, build, rows
from costmodel.dashboard.state import FIELDS
from costmodel.errors import CostmodelError
from tests.dashboard.client import Client, text_of
from tests.dashboard.test_upload import GOOD
from tests.near import near

NET = """\
from torch import nn

def build(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(width * 64, 10))
"""
CSV = """\
network,options,data,accuracy,kind,note,epochs
net.py:build,,cifar10,71.5,measured,three seeds,40
net.py:build,width=4,cifar10,60,measured,not this width,40
cnv-w1a1,,cifar10,80.5,given,mine,
"""
TARGETS = ("xne", "cortex-m4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("own")
    (made / "net.py").write_text(NET)
    (made / "mine.csv").write_text(CSV)
    (made / "chip.yaml").write_text(GOOD)
    return made


@pytest.fixture(scope="module")
def own(folder):
    from costmodel import api

    request = api.make_request(f"{folder}/net.py:build", "1x3x32x32")
    return read([request], [f"{folder}/chip.yaml"], [f"{folder}/mine.csv"])


@pytest.fixture(scope="module")
def catalogue(own):
    made = Catalogue(own=own)
    name = own.networks[0].row.name
    pairs = [*((name, t) for t in TARGETS), ("cnv-w1a1", own.targets[0].row.name), (name, own.targets[0].row.name)]
    made.pricing.add(partial(made.price, *pair) for pair in pairs)
    made.pricing.wait()
    return made


def controls(**more):
    at = {component: default for component, _, default, _ in FIELDS.values()}
    return {name: at[name] for name in CONTROLS} | more


def test_a_network_of_ones_own_is_priced_next_to_the_shipped_ones(catalogue, own):
    name = own.networks[0].row.name
    info, items = build(catalogue, controls())
    mine = [p for p in info.points if p.design.own and p.id.startswith(name)]
    assert {p.id.rpartition("@")[2] for p in mine} == {*TARGETS, own.targets[0].row.name}
    assert [p for p in info.points if not p.design.own]
    assert {p.y.value for p in mine} == {71.5}  # of this width, on this data set
    assert all(p.design.effort == "40 epochs" and "three seeds" in p.design.conditions for p in mine)
    estimate = catalogue.estimate(name, "xne", {})
    point = next(p for p in mine if p.id.endswith("@xne"))
    assert point.x.value == near(estimate.total("latency_s").value, rel=1e-5)
    listed = rows(info, items, [point.key])
    assert listed[0]["network"].endswith("(yours)")


def test_an_accuracy_of_ones_own_is_next_to_the_others_of_a_shipped_network(catalogue):
    figures = {(f.top1, f.evidence) for f in catalogue.accuracies["cnv-w1a1"]}
    assert (80.5, "given") in figures and any(kind == "published" for _, kind in figures)


def test_a_target_of_ones_own_prices_shipped_networks(catalogue, own):
    target = own.targets[0].row.name
    info, _ = build(catalogue, controls(target=[target]))
    assert {p.id for p in info.points} == {f"cnv-w1a1@{target}", f"{own.networks[0].row.name}@{target}"}


def test_the_command_of_a_design_of_ones_own_prices_it_again(catalogue, own, capsys):
    import json
    import shlex

    name = own.networks[0].row.name
    words = shlex.split(catalogue.command(name, own.targets[0].row.name, {"clock": "1e8"}))
    assert cli.main([*words[1:], "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)["estimates"][0]["totals"]
    shown = catalogue.estimate(name, own.targets[0].row.name, {"clock": "1e8"})
    assert printed["energy_J"]["value"] == shown.total("energy_J").value


def test_pages_open_on_a_network_of_ones_own_next_to_a_sweep(own, sweep_folder, monkeypatch):
    monkeypatch.setattr(Catalogue, "start", lambda self: None)
    asked = Client(make_app(own=own, sweep_folders=[sweep_folder]))
    swept = {"tabs.value": "sweeps", "sweep.value": ["0"], "s-x.value": "lut", "s-y.value": "seconds_per_image",
             "s-x-scale.value": "log", "s-y-scale.value": "log"}  # fmt: skip
    assert "5,000 designs" in asked.ask("s-cloud.figure", swept, changed="s-x.value")["s-summary"]["children"]
    name = own.networks[0].row.name
    values = {"tabs.value": "design", "d-network.value": name, "d-target.value": own.targets[0].row.name}
    answer = asked.ask("d-layers.figure", values)
    assert answer["d-error"]["children"] == "" and "71.5 %" in text_of(answer["d-headline"]["children"])
    pins = [f"{name}@xne", "cnv-w1a1@xne"]
    compared = asked.ask("c-bars.figure", {"tabs.value": "compare", "pins.data": pins})
    assert "71.5 %" in text_of(compared["c-table"]["children"])
    report = asked.ask("d-report-got.data", values)
    assert "costmodel report --model" in report["d-report-said"]["children"]


def test_a_link_may_ask_for_what_is_not_priced_yet(own, monkeypatch):
    monkeypatch.setattr(Catalogue, "price", lambda *_: None)
    waiting = Catalogue(own=own)
    for attribute, value in {"target": own.targets[0].row.name, "network": own.networks[0].row.name}.items():
        assert value in waiting.values(attribute)
    assert len(waiting.values("target")) == len(waiting.targets) + len(own.targets)


def test_what_cannot_be_brought_is_said_before_anything_is_served(folder, capsys):
    with pytest.raises(CostmodelError, match="those by name are all here"):
        read([], ["pynq-z2"])
    (folder / "bad.csv").write_text("network,accuracy\nnonsense,3\n")
    assert cli.main(["dashboard", "--accuracies", str(folder / "bad.csv"), "--no-browser"]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert cli.main(["dashboard", "--input", "1x3x32x32", "--no-browser"]) == 2
    assert "--input" in capsys.readouterr().err
