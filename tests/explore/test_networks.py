"""A space holds the user's own networks, and an accuracy is on a front only where it is known for just that design."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.explore.accuracy import accuracy
from costmodel.explore.cases import cases
from costmodel.explore.front import front_of
from costmodel.explore.networks import Network, of_command
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep

NET = """
from torch import nn


def build(width=4, classes=4):
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * width, classes))
"""
OWN = {"model": "net.py:build", "input": "1x3x8x8"}
ARM = [{"target": "raspberry-pi-4b"}]
JUDGED = {"targets": ARM, "objectives": ["seconds_per_image", "accuracy"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fronts(space, folder):
    return [front_of(space, group) for group in sweep(space, folder, engine="serial")]


def test_a_network_of_ones_own_is_explored_and_its_commands_make_it_again(folder, capsys):
    text = "networks: [{model: net.py:build, input: 1x3x8x8, width: [4, 8], accuracy: 70, data: svhn}]"
    (folder / "s.yaml").write_text(text.replace(", accuracy: 70, data: svhn", "") + "\ntargets: [raspberry-pi-4b]\n")
    assert main(["explore", "s.yaml", "-o", "out", "--engine", "serial", "--quiet"]) == 0
    capsys.readouterr()
    names = set()
    for path in (folder / "out").glob("front*.csv"):
        for row in csv.DictReader(path.open()):
            names.add(row["network"])
            assert main(shlex.split(row["command"])[1:]) == 0
            assert of_command(row["command"]).inputs == ("1x3x8x8",)
    assert names == {"net:build,width=4", "net:build,width=8"}


def test_files_are_seen_from_the_folder_of_the_space(folder, tmp_path_factory, monkeypatch):
    (folder / "s.yaml").write_text("networks: [{model: net.py:build, input: 1x3x8x8}]\ntargets: [raspberry-pi-4b]\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (network,) = read_space(folder / "s.yaml").networks
    assert network.request.reference.path == folder / "net.py"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"model": "net.py:build"}, r"needs its input's shape: \{model: net.py:build, input: 1x3x224x224\}"),
        ({"model": "net.py:biuld", "input": "1x3x8x8"}, "Did you mean build"),
        ({"model": "nat.py:build", "input": "1x3x8x8"}, "no file nat.py"),
        ({**OWN, "input": "3 by 8"}, "cannot be read"),
        ({**OWN, "accuracy": 91.2}, "of which data set"),
        ({**OWN, "accuracy": 0.91, "data": "cifar10"}, "in percent"),
        ({**OWN, "accuracy": 91, "data": "cifar10", "width": [4, 8]}, "CSV file"),
        ({**OWN, "kind": "measured"}, "give accuracy"),
        ({**OWN, "checkpoint": "none.pt"}, "no checkpoint none.pt"),
        ({"model": "tfc-w1a3"}, "Did you mean"),
    ],
)
def test_what_is_wrong_with_a_network_is_said_before_anything_is_priced(folder, entry, said):
    with pytest.raises(CostmodelError, match=said):
        read_space({"networks": [entry], "targets": ARM})


def test_a_network_is_priced_once_however_often_it_is_named():
    space = read_space({"networks": ["tfc", "tfc-w1a1", {"match": "tfc-w1a1"}], "targets": ["pynq-z2", "pynq-z2"]})
    assert len(cases(space)) == 1


def test_accuracies_of_different_data_sets_are_never_on_one_front(tmp_path):
    space = read_space({**JUDGED, "networks": ["tfc-w1a1", "cnv-w1a1", "quicknet-small"]})
    found = fronts(space, tmp_path)
    assert {f.label for f in found} == {"mnist", "cifar10", "imagenet"}
    for front in found:
        assert {m.evidence["data"] for m in front.members} == {front.label}
        assert all(m.evidence["accuracy_kind"] in ("measured", "published") for m in front.members)
    by_target = read_space({**JUDGED, "networks": ["tfc-w1a1", "cnv-w1a1"], "fronts": "target"})
    assert len(fronts(by_target, tmp_path / "more")) == 2


def test_an_option_that_changes_the_answer_needs_a_figure_of_its_own(tmp_path):
    csv_file = tmp_path / "mine.csv"
    csv_file.write_text("network,options,accuracy\ncnv-w1a1,real_bits=4 weight_bits=4,80\n")
    entry = {"target": "pynq-z2", "folding": "auto", "real_bits": [4, 16, 20], "weight_bits": [4, 8]}
    space = read_space(
        {
            "networks": ["cnv-w1a1"],
            "targets": [entry],
            "objectives": ["lut", "accuracy"],
            "accuracies": str(csv_file),
            "accuracy_kinds": ["given", "published"],
        }
    )
    (network,), (made,) = space.networks, space.entries
    known = {
        (s["real_bits"], s["weight_bits"]): figure.top1 if (figure := accuracy(network, made.spec, s)) else None
        for s in made.settings()
    }
    assert known == {(4, 4): 80, (4, 8): None, (16, 4): None, (16, 8): 84.22, (20, 4): None, (20, 8): 84.22}


@pytest.mark.parametrize(("target", "settings"), [
    ("raspberry-pi-4b", {"precision": "int8"}), ("asic-7nm-asap7", {"real_format": "int8"}),
    ("asic-7nm-asap7", {"weight_bits": 4}), ("pynq-z2", {"input_bits": 2}),
])  # fmt: skip
def test_every_kind_of_target_knows_what_narrows_its_numbers(target, settings):
    space = read_space({"networks": ["cnv-w1a1"], "targets": [target]})
    (network,), (entry,) = space.networks, space.entries
    assert accuracy(network, entry.spec, {}) is not None
    assert accuracy(network, entry.spec, settings) is None


def test_weights_of_ones_own_do_not_have_the_accuracy_of_others(folder):
    (folder / "w.pt").write_bytes(b"")
    (network,) = read_space({"networks": [{"model": "cnv-w1a1", "checkpoint": "w.pt"}], "targets": ARM}).networks
    assert not network.figures
    with_one = {"model": "cnv-w1a1", "checkpoint": "w.pt", "accuracy": 85}
    (network,) = read_space({"networks": [with_one], "targets": ARM}).networks
    assert network.figures[0].top1 == 85 and network.data == "cifar10"


def test_kinds_of_accuracy_are_preferred_in_order_and_can_be_left_out():
    both = {"networks": [{"model": "cnv-w1a1", "accuracy": 99}], "targets": ARM}
    assert read_space(both).networks[0].figures[0].kind == "given"
    published = read_space({**both, "accuracy_kinds": ["published"]}).networks[0].figures
    assert {f.kind for f in published} == {"published"}


def test_a_command_line_names_the_network_that_it_was_made_from():
    arguments = (("width", 0.5), ("scale", "tied"), ("deep", True))
    network = Network("a b/net.py:build", arguments, ("x=1x3x8x8", "1x4"), "w s.pt", True)
    assert of_command(f"costmodel profile {network.flags} --target fpga --set a=1") == network


def test_bits_are_an_axis_in_the_same_words_on_every_target():
    bits = ["real=16,weight=8", "real=8,weight=8"]
    space = read_space(
        {"networks": ["cnv-w1a1"], "targets": [{"target": "pynq-z2", "bits": bits}, {"target": "xne", "bits": bits}]}
    )
    settings = [list(entry.settings()) for entry in space.entries]
    assert [s["real_bits"] for s in settings[0]] == [16, 8]
    assert [s["real_format"] for s in settings[1]] == ["int16", "int8"]
    known = [accuracy(space.networks[0], e.spec, s) is not None for e in space.entries for s in e.settings()]
    assert known == [True, False, True, False]
    with pytest.raises(CostmodelError, match="bits"):
        read_space({"networks": ["cnv-w1a1"], "targets": [{"target": "pynq-z2", "bits": "real=a"}]})


def test_settings_that_are_refused_are_left_out_and_counted(tmp_path):
    targets = [{"target": "asic-7nm-asap7", "voltage": [0.1, 0.7], "clock": [1e8, 1e9]}]
    (front,) = fronts(read_space({"networks": ["tfc-w1a1"], "targets": targets}), tmp_path)
    assert {m.settings["voltage"] for m in front.members} == {0.7}
    assert "of 4 designs none is below this front; 2 cannot be built" in front.guarantee
    targets[0]["voltage"] = 0.1
    with pytest.raises(CostmodelError, match="threshold"):
        fronts(read_space({"networks": ["tfc-w1a1"], "targets": targets}), tmp_path / "none")
