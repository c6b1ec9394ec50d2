"""Bits and scales of single layers: every mixture counted off, against each priced by itself; searched beyond that."""

from __future__ import annotations

import itertools
import json
import shlex

import numpy as np
import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore import evolve, layers, tasks
from costmodel.explore.cases import cases
from costmodel.explore.front import front_of, read_front
from costmodel.explore.pareto import nondominated
from costmodel.explore.space import read_space
from costmodel.explore.sweep import sweep
from tests.near import near

NET = """
from torch import nn


def build(width=4):
    return nn.Sequential(
        nn.Conv2d(2, width, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 6, 3, bias=False),
        nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(96, 5),
    )
"""
BITS = {"0": ["w8", "w4"], "3": ["unchanged", "w4u4", "w2u2"], "6": ["w8a8", "w2a4"]}
SCALES = {"[03]": ["exact", "csd2"], "6": ["exact", "pow2"]}
TARGET = {"target": "asic-7nm-asap7", "outputs": [8, 16]}
OBJECTIVES = ["seconds_per_image", "energy_J", "weight_bits"]


@pytest.fixture
def space(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    network = {"model": f"{tmp_path}/net.py:build", "input": "1x2x8x8", "layer_bits": BITS, "layer_scales": SCALES}
    return {"networks": [network], "targets": [TARGET], "objectives": OBJECTIVES, "fronts": "together"}


def counted(space, folder):
    whole = layers.whole(read_space(space))
    (group,) = sweep(whole, folder, engine="serial")
    return whole, front_of(whole, group)


def every_mixture(space):
    """Objectives of each mixture on each array, priced one by one."""
    network, rows = space["networks"][0], []
    for bits in itertools.product(*BITS.values()):
        text = ",".join(f"{name}={value}" for name, value in zip(BITS, bits, strict=True))
        made = costmodel.profile(network["model"], network["input"], arguments={"layer_bits": text})
        for scales, outputs in itertools.product(itertools.product(*SCALES.values()), TARGET["outputs"]):
            scale = ",".join(f"{name}={value}" for name, value in zip(SCALES, scales, strict=True))
            bill = costmodel.estimate(made, TARGET["target"], scale=scale, outputs=outputs)
            values = bill.total("latency_s").value, bill.total("energy_J").value
            rows.append([*values, float(made.deployed.weight_bits())])
    return np.array(rows)


def test_the_front_of_all_mixtures_is_that_of_each_priced_by_itself(space, tmp_path):
    whole, front = counted(space, tmp_path / "all")
    points = every_mixture(space)
    assert len(whole.networks) == 2 * 3 * 2 * 4
    assert sum(case.designs for case in cases(whole)) == len(points) == 96
    best = np.unique(points[nondominated(points)], axis=0)
    mine = np.unique(front.points(), axis=0)
    assert mine.shape == best.shape and np.allclose(mine, best, rtol=1e-12, atol=0)


def test_a_search_finds_the_front_of_all_mixtures_and_the_seed_decides(space, tmp_path):
    pytest.importorskip("pymoo")
    _, whole = counted(space, tmp_path / "all")
    found = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (found[name],) = evolve.search(read_space(space), str(tmp_path / name), 300, seed)
    assert found["a"] == found["b"] and found["a"].priced <= 96
    known = {tuple(row) for row in whole.points()}
    assert len(known & {tuple(row) for row in found["a"].points()}) >= 0.8 * len(known)
    for front in found.values():  # nothing lies below the front of all
        for row in front.points():
            assert any(np.all(np.array(each) <= row * (1 + 1e-12)) for each in known)
    (again,) = evolve.search(read_space(space), str(tmp_path / "a"), 300, 1, resume=True)
    assert again == found["a"]


def test_foldings_are_searched_with_the_bits_of_layers(space, tmp_path):
    pytest.importorskip("pymoo")
    asked = {**space, "targets": [{"target": "zcu104", "memories": "auto"}],
             "objectives": ["seconds_per_image", "lut", "weight_bits"]}  # fmt: skip
    (front,) = evolve.search(read_space(asked), str(tmp_path / "found"), 120, 3)
    assert len({member.network for member in front.members}) > 1
    for member in front.members[:2]:
        made = shlex.split(member.command)
        assert main([*made[1:], "--format", "json"]) == 0


def test_the_commands_of_a_front_of_mixtures_make_its_designs(space, tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(json.dumps(space))
    assert (
        main(["explore", str(tmp_path / "s.yaml"), "-o", str(tmp_path / "out"), "--engine", "serial", "--quiet"]) == 0
    )
    capsys.readouterr()
    (path,) = (tmp_path / "out").glob("front-*.parquet")
    members = read_front(path).members
    assert any("layer_bits" in m.command and "--scale" in m.command for m in members)
    for member in (members[0], members[-1]):
        assert main([*shlex.split(member.command)[1:], "--format", "json"]) == 0
        (bill,) = json.loads(capsys.readouterr().out)["estimates"]
        assert bill["totals"]["energy_J"]["value"] == near(member.metrics["energy_J"], rel=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_calls_and_onnx_files_have_choices_of_layers_too(space, tmp_path, capsys):
    """Each mixture of one network in three spellings is the same account, and its command makes the design again."""
    import torch

    file = space["networks"][0]["model"].partition(":")[0]
    model = costmodel.build_model(f"{file}:build(4)").eval()
    torch.onnx.export(model, torch.zeros(1, 2, 8, 8), str(tmp_path / "net.onnx"), dynamo=False, input_names=["x"],
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)  # fmt: skip
    spellings = [{"model": f"{file}:build", "input": "1x2x8x8"}, {"model": f"{file}:build(4)", "input": "1x2x8x8"},
                 {"model": str(tmp_path / "net.onnx")}]  # fmt: skip
    accounts = []
    for number, network in enumerate(spellings):
        choices = {"layer_bits": BITS, "layer_scales": {"*": ["exact", "csd2"]}}
        asked = {**space, "networks": [{**network, **choices}]}
        whole, front = counted(asked, tmp_path / str(number))
        made = [tasks.ledger_of(one, whole.level) for one in whole.networks]
        accounts.append([(ledger.by_kind(), ledger.weight_bits()) for ledger in made])
        member = front.members[0]
        assert main([*shlex.split(member.command)[1:], "--format", "json"]) == 0
        (bill,) = json.loads(capsys.readouterr().out)["estimates"]
        assert bill["totals"]["energy_J"]["value"] == near(member.metrics["energy_J"], rel=1e-12)
    assert len({json.dumps(account) for account in accounts[0]}) == 24  # of 12 choices of bits and 2 of scales
    assert accounts[0] == accounts[1] == accounts[2]


def test_what_is_left_as_written_is_the_network_itself(space):
    plain = read_space({**space, "networks": [{k: v for k, v in space["networks"][0].items() if "layer" not in k}]})
    choices = {"layer_bits": {"*": ["unchanged", "w4"]}, "layer_scales": {"*": ["exact", "csd2"]}}
    mixed = layers.whole(read_space({**space, "networks": [{**space["networks"][0], **choices}]}))
    assert mixed.networks[0] == plain.networks[0]
    assert len({network.name for network in mixed.networks}) == 4
    assert len({case.network for case in cases(mixed)}) == 4


def test_the_accuracy_of_other_bits_is_not_that_of_the_network(space):
    network = {**space["networks"][0], "accuracy": 60.0, "data": "cifar10", "layer_bits": {"*": ["unchanged", "w4"]},
               "layer_scales": {"*": ["exact", "csd2"]}}  # fmt: skip
    found = layers.whole(read_space({**space, "networks": [network]})).networks
    assert [bool(one.figures) for one in found] == [True, False, False, False]


def test_more_mixtures_than_can_be_traced_are_for_a_search(space):
    many = {**space["networks"][0], "layer_bits": {str(k): ["w8", "w4", "w2", "w1"] for k in range(9)}}
    with pytest.raises(CostmodelError, match=r"1,048,576 networks, .*--search N"):
        layers.whole(read_space({**space, "networks": [many]}))
    with pytest.raises(CostmodelError, match="are open"):
        cases(read_space(space))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"layer_bits": {"0": ["w99"]}}, "layer_bits: 0: 'w99': expected bits"),
        ({"layer_scales": {"0": ["csd9"]}}, "csd"),
        ({"layer_scales": ["csd2"]}, "layer_scales: .*expected {layer"),
        ({"layer_bits": {}}, "expected {layer"),
        ({"layer_bits": {"0": [{}]}}, "expected a value or a list"),
    ],
)
def test_choices_that_are_none_are_said_with_their_place(space, changed, words):
    with pytest.raises(CostmodelError, match=words):
        read_space({**space, "networks": [{**space["networks"][0], **changed}]})


def test_a_layer_that_is_not_there_is_said_when_the_network_is_made(space, tmp_path):
    asked = {**space, "networks": [{**space["networks"][0], "layer_bits": {"33": ["w4", "w2"]}}]}
    with pytest.raises(UnknownNameError, match="unknown layer '33'"):
        counted(asked, tmp_path / "x")
