"""Checkpoints as repositories save them: the weights are found wherever they lie, and nothing in the file is run."""

from __future__ import annotations

import argparse
import datetime
import os
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from costmodel.errors import CostmodelError
from costmodel.load.checkpoints import load_checkpoint
from costmodel.load.notes import noting

State = dict[str, torch.Tensor]


def network() -> nn.Module:
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4), head=nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
    )


class Config:
    """A class that is not there when the file is read, as far as the reader knows."""

    def __init__(self) -> None:
        self.depth, self.names = 20, ["a"]


class Settings(dict[str, int]):
    pass


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


def random(state: State) -> State:
    return {key: torch.rand_like(value) if value.is_floating_point() else value for key, value in state.items()}


def optimizer(model: nn.Module) -> dict[str, Any]:
    made = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 3, 3, 3)).sum().backward()
    made.step()
    return made.state_dict()


#: name -> what is saved, of a network and its state
LAYOUTS: dict[str, Callable[[nn.Module, State], Any]] = {
    "plain": lambda m, s: s,
    "parameters": lambda m, s: OrderedDict((k, nn.Parameter(v, v.is_floating_point())) for k, v in s.items()),
    "numbers of numpy": lambda m, s: {"state_dict": s, "best": np.float64(71.2), "epoch": np.int64(3)},
    "the arguments of the run": lambda m, s: {"model": s, "args": argparse.Namespace(lr=0.1, data=Path("/data"))},
    "date and time": lambda m, s: {"net": s, "date": datetime.datetime.now(), "took": datetime.timedelta(hours=3)},
    "a configuration of its own class": lambda m, s: {"model_state": s, "config": Config()},
    "a dictionary of its own class": lambda m, s: {"cfg": Settings(depth=20), "model": s},
    "a history": lambda m, s: {"weights": s, "history": defaultdict(list, loss=[1.0, 0.5])},
    "data parallel": lambda m, s: {"state_dict": prefixed(s, "module.")},
    "compiled": lambda m, s: prefixed(s, "_orig_mod."),
    "compiled and data parallel": lambda m, s: prefixed(s, "module._orig_mod."),
    "of a training module": lambda m, s: {
        "state_dict": {**prefixed(s, "backbone.student."), "criterion.weight": torch.ones(9)},
        "pytorch-lightning_version": "2.0", "hyper_parameters": argparse.Namespace(a=1)},
    "student and teacher": lambda m, s: {**prefixed(s, "student."), **prefixed(random(s), "teacher.")},
    "with the optimizer": lambda m, s: {"optimizer": optimizer(m), "model_state_dict": s, "rng": torch.get_rng_state()},
    "with an average": lambda m, s: {"ema_state_dict": random(s), "state_dict": s},
    "nested twice": lambda m, s: {"checkpoint": {"model": {"net": s}}},
    "a list": lambda m, s: [3, s, {"lr": 0.1}],
    "numpy arrays": lambda m, s: {k: v.numpy() for k, v in s.items()},
    "without counts of batches": lambda m, s: {k: v for k, v in s.items() if "num_batches" not in k},
    "with counts of operations": lambda m, s: {**s, "total_ops": torch.zeros(1), "conv.total_params": torch.zeros(1)},
    "a whole module": lambda m, s: m,
    "a whole module in data parallel": lambda m, s: {"net": nn.DataParallel(m)},
    "half the network's name": lambda m, s: prefixed(s, "net."),
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "old format"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_weights_are_found(layout: str, legacy: bool, tmp_path: Path) -> None:
    if legacy and layout.startswith("a whole"):
        pytest.skip("the old format stores the source of a module, which torch's own reader of weights refuses")
    torch.manual_seed(1)
    source = network()
    expected = {key: value.clone() for key, value in source.state_dict().items()}
    made = LAYOUTS[layout](source, {key: value.clone() for key, value in expected.items()})
    if layout.startswith("a whole"):
        expected = {key: value.clone() for key, value in source.state_dict().items()}
    torch.save(made, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    model = network()
    load_checkpoint(model, tmp_path / "w.pth")
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save(LAYOUTS["student and teacher"](network(), state), tmp_path / "a.pt")
    torch.save(LAYOUTS["with counts of operations"](network(), state), tmp_path / "b.pt")
    torch.save(LAYOUTS["without counts of batches"](network(), state), tmp_path / "c.pt")
    with noting() as notes:
        for name in "abc":
            load_checkpoint(network(), tmp_path / f"{name}.pt")
    said = " ".join(notes)
    for part in (
        "under 'student.' are loaded; those under 'teacher.' fit as well",
        "such as total_ops",
        "counts of batches",
    ):
        assert part in said


def test_a_network_inside_of_another_module_and_the_reverse(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

    state = network().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    model = Wrapped()
    load_checkpoint(model, tmp_path / "w.safetensors")
    assert torch.equal(model.inner.conv.weight, state["conv.weight"])  # type: ignore[union-attr]


class Bomb:
    def __init__(self, function: Any, *args: Any) -> None:
        self.made = function, args

    def __reduce__(self) -> Any:
        return self.made


BOMBS = {
    "a command": Bomb(os.system, "touch HACKED"), "code": Bomb(eval, "open('HACKED', 'w')"),
    "an open file": Bomb(open, "HACKED", "w"), "a path": Bomb(Path.touch, Path("HACKED")),
    "attributes": Bomb(getattr, Path("HACKED"), "touch"), "an import": Bomb(__import__, "antigravity"),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_bomb_does_not_run(bomb: str, legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = network().state_dict()
    for content in (BOMBS[bomb], {"state_dict": BOMBS[bomb]}, {"state_dict": state, "args": BOMBS[bomb]}):
        torch.save(content, "w.pt", _use_new_zipfile_serialization=not legacy)
        try:
            load_checkpoint(network(), Path("w.pt"))
        except CostmodelError as error:
            assert "w.pt" in str(error)
        assert not Path("HACKED").exists()
    Path("raw.pt").write_bytes(pickle.dumps(BOMBS[bomb]))
    with pytest.raises(CostmodelError):
        load_checkpoint(network(), Path("raw.pt"))
    assert not Path("HACKED").exists()
