"""A network of the user's own trains, resumes to the same bits and is recorded; what cannot train is named at once."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from safetensors.torch import load_file

from costmodel.cli.main import main
from costmodel.train import publish, records, session
from tests.near import near

CODE = """
import torch
from torch import nn

class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, g):
        return g * (ctx.saved_tensors[0].abs() <= 1)

class Layer(nn.Linear):
    binary = True

    def forward(self, x):
        return nn.functional.linear(x, Sign.apply(self.weight) if self.binary else self.weight)

class Net(nn.Module):
    def __init__(self, hidden=24, binary_weights=True):
        super().__init__()
        self.first, self.norm, self.last = Layer(64, hidden, False), nn.BatchNorm1d(hidden), nn.Linear(hidden, 10)
        self.first.binary = binary_weights
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return self.last(self.drop(Sign.apply(self.norm(self.first(x.flatten(1))))))

def build(hidden=24):
    return Net(hidden)

def two_steps(binary_weights):
    return Net(binary_weights=binary_weights)

def wrong_size():
    return nn.Sequential(nn.Flatten(), nn.Linear(65, 10))

def wrong_answer():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 9))

def nothing_to_train():
    return nn.Flatten()

def raises():
    raise RuntimeError("no luck")

ready = Net()
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    pytest.importorskip("sklearn")
    path = tmp_path / "own.py"
    path.write_text(CODE)
    return path


def line(net: Path, factory: str, *more: str, out: str = "runs") -> list[str]:
    given = ["train", "--model", f"{net}:{factory}", "--data", "digits", "--out", str(net.parent / out), "--quiet"]
    return [*given, *more]


def state(
    net: Path, factory: str, recipe: str = "one-step", out: str = "runs", file: str = "final.safetensors"
) -> bytes:
    return (net.parent / out / f"own-{factory}-{recipe}-s0" / file).read_bytes()


def test_it_trains_and_the_result_is_its_state(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--model-args", "hidden=40", "--input", "1x1x8x8", "--epochs", "8")
    assert main(line(net, "build", *arguments)) == 0
    told = capsys.readouterr().out
    assert float(told.split(": ")[1].split(" %")[0]) > 50
    folder = net.parent / "runs" / "own-build-one-step-s0"
    assert load_file(folder / "final.safetensors")["first.weight"].shape == (40, 64)
    where = f"{net}:build"
    profile = ["profile", "--model", where, "--model-args", "hidden=40", "--input", "1x1x8x8", "--format", "json"]
    assert main([*profile, "--checkpoint", str(folder / "final.safetensors")]) == 0
    job, result = publish.read_result(folder)
    record = publish.record_of(job, result)
    assert record.network == "own:build" and record.epochs == (8,) and record.held_out == "test"
    assert publish.record_of(job, result).accuracy == near(100 * result.accuracy, abs=1e-3)
    records.add(record, net.parent / "records.jsonl")
    assert records.measured(net.parent / "records.jsonl") == [record]


class StopAfter(session.Stop):
    """Time is up after some looks at the clock."""

    looks = 20

    def __bool__(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("factory", ["build", "ready"])
def test_stopped_and_resumed_it_ends_in_the_same_bits(net: Path, factory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(line(net, factory, "--epochs", "3", out="straight")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(session, "Stop", StopAfter)
        assert main(line(net, factory, "--epochs", "3")) == 3
    assert state(net, factory, file="last.safetensors")
    assert not (net.parent / "runs" / f"own-{factory}-one-step-s0" / "result.json").exists()
    assert main(line(net, factory, "--epochs", "3")) == 0
    assert state(net, factory) == state(net, factory, out="straight")


def test_two_steps_switch_the_weights(net: Path) -> None:
    assert main(line(net, "two_steps", "--recipe", "digits-bn", "--epochs", "1,1")) == 0
    folder = net.parent / "runs" / "own-two_steps-digits-bn-s0"
    result = json.loads((folder / "result.json").read_text())
    assert len(result["result"]["step_accuracies"]) == 2
    assert load_file(folder / "step1.safetensors").keys() == load_file(folder / "final.safetensors").keys()


def test_another_text_of_the_file_is_another_run(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line(net, "build", "--epochs", "3")) == 0
    net.write_text(CODE + "\n# changed\n")
    assert main(line(net, "build", "--epochs", "3")) == 2
    assert "holds another run (its own is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("factory", "more", "message"),
    [
        ("wrong_size", (), "own:wrong_size does not run on an image of 1x8x8: RuntimeError"),
        ("wrong_answer", (), "own:wrong_answer answers 2x9 for two images; expected scores of 10 classes, 2x10"),
        ("nothing_to_train", (), "own:nothing_to_train has no parameters to train"),
        ("raises", (), "no luck"),
        ("biuld", (), "build"),
        ("build", ("--recipe", "digits-bn"), "give its factory a keyword binary_weights"),
        ("build", ("--input", "1x3x32x32"), "--input 1x3x32x32: the images of this data set are 1x8x8"),
        ("build", ("--input", "1x1x8x8", "--input", "1x4"), "takes one image tensor"),
        ("build", ("--width", "0.5"), "are axes of the zoo; own:build is your own"),
        ("build", ("--model-args", "hiden=3"), "hiden"),
    ],
)
def test_what_cannot_train_is_said_in_one_line(
    net: Path, factory: str, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line(net, factory, *more)) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not list((net.parent / "runs").rglob("*.safetensors"))


def test_an_input_is_for_a_network_of_ones_own(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "tfc", "--input", "1x1x28x28", "--data", "mnist"]) == 2
    assert "--input is for a network of your own" in capsys.readouterr().err


def test_a_job_without_an_own_network_says_nothing_of_one() -> None:
    from costmodel.train.job import Job
    from tests.train.conftest import recipe

    job = Job(network="tfc-w1a1", data="mnist", recipe_name="test", recipe=recipe())
    assert b"own" not in msgspec.json.encode(job).replace(b'"unknown"', b"")
