"""What is believed of a finished part is, bit for bit, what was written of just these inputs."""

from __future__ import annotations

import json
import random
import re
from importlib.resources import files

import numpy as np
import pytest

from costmodel.errors import CostmodelError
from costmodel.explore import tasks
from costmodel.explore.front import front_of
from costmodel.explore.space import read_space
from costmodel.explore.store import Store
from costmodel.explore.sweep import sweep

SPACE = {
    "networks": ["tfc-w1a1"],
    "targets": [{"target": "pynq-z2", "folding": {"samples": 300, "seed": 1}}, {"target": "xne", "outputs": [1, 2]}],
}


def parts(folder):
    return {path.name: path.read_bytes() for path in (folder / "parts").iterdir()}


def test_no_flipped_bit_is_believed(tmp_path):
    space = read_space(SPACE)
    sweep(space, tmp_path, engine="serial", keep_points=100)
    store, draw = Store(tmp_path, space), random.Random(1)
    for chunk in tasks.chunks(space, 100):
        path = store.path(chunk)
        whole = path.read_bytes()
        assert store.read(chunk) is not None
        for _ in range(750):
            data = bytearray(whole)
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            path.write_bytes(bytes(data))
            assert store.read(chunk) is None
        for size in (0, 4, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            assert store.read(chunk) is None
        path.write_bytes(whole)


def test_a_damaged_part_or_manifest_costs_itself_alone(tmp_path, monkeypatch):
    space = read_space(SPACE)
    expected = sweep(space, tmp_path, engine="serial")
    whole = parts(tmp_path)
    first = sorted(whole)[0]
    (tmp_path / "parts" / first).write_bytes(whole[first][:-40] + b"x" * 40)
    for damage in (b"", b"{", b"[]", (tmp_path / "manifest.json").read_bytes().replace(b"pynq", b"pynk")):
        (tmp_path / "manifest.json").write_bytes(damage)
        with pytest.raises(CostmodelError, match="--resume"):
            sweep(space, tmp_path, engine="serial")
        priced = []
        run = tasks.run
        monkeypatch.setattr(tasks, "run", lambda job, run=run, priced=priced: priced.append(job.chunk) or run(job))
        found = sweep(space, tmp_path, engine="serial", resume=True)
        monkeypatch.setattr(tasks, "run", run)
        assert len(priced) == (damage == b"")
        assert [g.points.ids.tolist() for g in found] == [g.points.ids.tolist() for g in expected]
    assert parts(tmp_path) == whole


TARGET = next(
    path for path in (files("costmodel.arch_specs") / "fpga").iterdir() if path.name == "pynq-z2.yaml"
).read_text(encoding="utf-8")  # fmt: skip


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """A space of the user's own files: a network, a target, accuracies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("from torch import nn\ndef build():\n    return nn.Sequential(nn.Linear(8, 4))\n")
    (tmp_path / "mine.yaml").write_text(TARGET)
    (tmp_path / "mine.csv").write_text("network,data,accuracy\nnet.py:build,svhn,70\n")
    return {
        "networks": [{"model": "net.py:build", "input": "1x8"}, "tfc-w1a1"], "accuracies": "mine.csv",
        "targets": [{"target": "./mine.yaml", "folding": "auto"}, "raspberry-pi-4b"],
        "objectives": ["seconds_per_image", "energy_J", "accuracy"],
    }  # fmt: skip


def changed_target(folder):
    text = re.sub(r"(board_power:.*?value: )([0-9.]+)", lambda m: m[1] + "1.52", TARGET, count=1, flags=re.S)
    assert text != TARGET
    (folder / "mine.yaml").write_text(text)


CHANGES = {
    "target": (changed_target, 2),
    "network": (lambda f: (f / "net.py").write_text((f / "net.py").read_text().replace("8, 4", "8, 5")), 2),
    "accuracy": (lambda f: (f / "mine.csv").write_text("network,data,accuracy\nnet.py:build,svhn,71\n"), 2),
    "nothing": (lambda f: None, 0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_after_any_change_of_an_input_a_resumed_run_says_what_a_fresh_one_does(tmp_path, inputs, what):
    sweep(read_space(inputs), "old", engine="serial")
    change, count = CHANGES[what]
    change(tmp_path)
    told = []
    space = read_space(inputs)
    resumed = [front_of(space, g) for g in sweep(space, "old", engine="serial", resume=True, again=told.append)]
    fresh = [front_of(space, g) for g in sweep(space, "new", engine="serial")]
    assert resumed == fresh
    assert told == ([count] if count else [])


def test_another_version_of_the_code_prices_anew(tmp_path, monkeypatch):
    space, told = read_space(SPACE), []
    sweep(space, tmp_path, engine="serial")
    monkeypatch.setattr(tasks, "code_version", lambda: "another")
    sweep(space, tmp_path, engine="serial", resume=True, again=told.append)
    assert told == [2]


def test_results_may_lie_wherever_fsspec_reaches(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    space = read_space(SPACE)
    address = f"memory://{tmp_path.name}/results"
    there, here = sweep(space, address, engine="serial"), sweep(space, tmp_path, engine="serial")
    for one, other in zip(there, here, strict=True):
        assert np.array_equal(one.points.ids, other.points.ids)
        written = front_of(space, one).write(address)
        assert all(str(path).startswith(address) for path in written)
    memory = fsspec.filesystem("memory")
    assert json.loads(memory.cat_file(f"/{tmp_path.name}/results/manifest.json"))["space"]
    told = []
    sweep(space, address, engine="serial", resume=True, again=told.append)
    assert not told
    with pytest.raises(CostmodelError, match="--resume"):
        sweep(space, address, engine="serial")
    with pytest.raises(CostmodelError, match="cannot be reached"):
        sweep(space, "nosuch://bucket/results", engine="serial")
