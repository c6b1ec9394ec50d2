"""``costmodel train`` from the outside: a result out of the box, kills, slices, and errors that say what to do."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from costmodel.cli.main import main
from tests.train.conftest import RECIPE

pytest.importorskip("sklearn")

QUICK = {**RECIPE, "batch": 128}


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A recipe of two epochs per step, ten batches each, on digits."""
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump(QUICK))
    return path


def arguments(quick: Path, *more: str) -> list[str]:
    out = str(quick.parent / "runs")
    return ["train", "abbnn", "--data", "digits", "--recipe", str(quick), "--out", out, "--quiet", *more]


def result(quick: Path, name: str = "abbnn-reactnet6-digits-quick-s0") -> dict[str, object]:
    content: dict[str, dict[str, object]] = json.loads((quick.parent / "runs" / name / "result.json").read_text())
    return content["result"]


@pytest.fixture
def counted_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes with every look at the clock, however fast the machine is: a batch takes some looks."""
    seconds = itertools.count()
    monkeypatch.setattr("costmodel.train.session.time", SimpleNamespace(monotonic=lambda: float(next(seconds))))


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "costmodel.cli.main", *command], env=environment)


def test_a_trained_network_deploys_to_the_accuracy_it_was_trained_to(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From training through packing to the fixed-point network, on the images that training was tested on."""
    from costmodel.train.publish import pack_run

    assert main(arguments(quick, "--model-args", "scale=tied")) == 0
    folder = quick.parent / "runs" / "abbnn-reactnet6-digits-scale-tied-quick-s0"
    packed = pack_run(folder, quick.parent, "packed")
    capsys.readouterr()
    command = ["deploy", "abbnn-digits", "--model-args", "scale=tied", "--checkpoint", str(packed), "--scale", "tied"]
    assert main([*command, "--data", "digits", "--images", "449", "--format", "json"]) == 0
    deployed = json.loads(capsys.readouterr().out)
    trained = result(quick, folder.name)["accuracy"]
    assert isinstance(trained, float)
    # Two of the 449 images may lie so close to a decision that fixed point tips them.
    assert [row["left"] for row in deployed["effect"]] == [0]  # no multiplication but those of stem and classifier
    assert all(abs(row["accuracy"] - 100 * trained) <= 100 * 2 / 449 for row in deployed["effect"])


def test_a_killed_run_goes_on_to_the_same_result(quick: Path, tmp_path: Path) -> None:
    straight = tmp_path / "straight" / "quick.yaml"
    straight.parent.mkdir()
    straight.write_text(quick.read_text())
    assert main(arguments(straight, "--epochs", "3")) == 0

    folder = quick.parent / "runs" / "abbnn-reactnet6-digits-quick-s0"
    process = start(arguments(quick, "--epochs", "3"))
    deadline = time.monotonic() + 120
    while not (folder / "step1.safetensors").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "result.json").exists()
    assert main(arguments(quick, "--epochs", "3")) == 0
    assert result(quick)["checkpoint_sha256"] == result(straight)["checkpoint_sha256"]


@pytest.mark.usefixtures("counted_time")
def test_slices_of_time_reach_the_same_result(quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    straight = tmp_path / "straight" / "quick.yaml"
    straight.parent.mkdir()
    straight.write_text(quick.read_text())
    assert main(arguments(straight)) == 0
    slices = 0
    while (status := main(arguments(quick, "--minutes", "0.5"))) == 3:
        slices += 1
        assert "under way; the same command goes on" in capsys.readouterr().out
        assert slices < 100
    assert status == 0 and slices >= 2
    assert result(quick)["checkpoint_sha256"] == result(straight)["checkpoint_sha256"]


def test_a_request_to_end_saves_and_exits_as_interrupted(quick: Path) -> None:
    process = start(arguments(quick, "--epochs", "200"))
    folder = quick.parent / "runs" / "abbnn-reactnet6-digits-quick-s0"
    deadline = time.monotonic() + 120
    while not (folder / "last.safetensors").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert (folder / "last.safetensors").exists() and not (folder / "result.json").exists()


def test_runs_side_by_side_are_what_they_are_alone(quick: Path, tmp_path: Path) -> None:
    together = tmp_path / "together" / "quick.yaml"
    together.parent.mkdir()
    together.write_text(quick.read_text())
    assert main(arguments(quick, "--seed", "0")) == 0
    assert main(arguments(together, "--seed", "0", "1", "--parallel", "2")) == 0
    assert result(quick)["checkpoint_sha256"] == result(together)["checkpoint_sha256"]
    other = result(together, "abbnn-reactnet6-digits-quick-s1")
    assert other["checkpoint_sha256"] != result(together)["checkpoint_sha256"]


def test_a_plan_trains_the_teacher_before_its_student(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taught = quick.with_name("taught.yaml")
    taught.write_text(yaml.safe_dump({**QUICK, "loss": {"teacher": 0.5}}))
    plan = quick.with_name("plan.yaml")
    student = {"model": "abbnn", "recipe": str(taught), "teacher": "bn-reactnet6-digits-quick-s0", "seeds": [3, 4]}
    plan.write_text(
        yaml.safe_dump(
            {
                "about": "for tests",
                "common": {"data": "digits", "epochs": [1, 1]},
                "runs": [{"model": "bn-digits", "recipe": str(quick)}, student],
            }
        )
    )
    out = str(quick.parent / "runs")
    assert main(["train", "--plan", str(plan), "--out", out, "--parallel", "3", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "bn-reactnet6-digits-quick-s0",
        "abbnn-reactnet6-digits-taught-s3",
        "abbnn-reactnet6-digits-taught-s4",
    ]
    assert all("% on the test images at the last epoch" in line for line in lines)


def test_a_plan_at_another_width_is_narrow_in_every_run_and_keeps_its_teachers(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taught = quick.with_name("taught.yaml")
    taught.write_text(yaml.safe_dump({**QUICK, "loss": {"teacher": 0.5}}))
    plan = quick.with_name("plan.yaml")
    student = {"model": "abbnn", "recipe": str(taught), "teacher": "bn-reactnet6-digits-quick-s0"}
    runs = [{"model": "bn-digits", "recipe": str(quick)}, student]
    plan.write_text(
        yaml.safe_dump({"about": "for tests", "common": {"data": "digits", "epochs": [4, 4]}, "runs": runs})
    )
    out = quick.parent / "runs"
    command = ["train", "--plan", str(plan), "--out", str(out), "--quiet", "--width", "0.5", "--epochs", "1"]
    assert main(command) == 0
    assert sorted(folder.name for folder in out.iterdir()) == [
        "abbnn-reactnet6-digits-w0.5-taught-s0",
        "bn-reactnet6-digits-w0.5-quick-s0",
    ]
    assert all(json.loads((f / "result.json").read_text())["result"]["epochs"] == [1, 1] for f in out.iterdir())


def test_a_finished_run_is_reported_and_not_repeated(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(quick, "--validation")) == 0
    first = capsys.readouterr().out
    assert "on the validation images" in first
    written = {path: path.stat().st_mtime_ns for path in (quick.parent / "runs").rglob("*.safetensors")}
    assert written and main(arguments(quick, "--validation")) == 0
    assert capsys.readouterr().out == first
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["train"], "no network given"),
        (["train", "abbnn"], "no data set given"),
        (["train", "abbnn", "--data", "cifar10", "--data-dir", "/nowhere"], "no cifar10 in /nowhere"),
        (["train", "abbnn", "--data", "cifar11"], "has no form for 'cifar11'"),
        (["train", "abnn", "--data", "digits"], "unknown network 'abnn'"),
        (["train", "abbnn", "--data", "digits", "--recipe", "digit"], "unknown recipe 'digit'. Did you mean digits"),
        (["train", "abbnn", "--data", "digits", "--recipe", "beyond"], "learns from a teacher: give --teacher"),
        (["train", "abbnn", "--data", "digits", "--epochs", "3,x"], "--epochs 3,x: expected a number"),
        (["train", "abbnn", "--data", "digits", "--epochs", "1,2,3"], "the recipe has 2 phases"),
        (["train", "abbnn", "--data", "digits", "--width", "-1"], "expected a number above 0"),
        (["train", "abbnn", "--data", "digits", "--model-args", "scale"], "write NAME=VALUE"),
        (["train", "abbnn", "--data", "digits", "--model-args", "scael=tied"], "Did you mean scale"),
        (["train", "abbnn", "--data", "imagenet:/nowhere"], "no folder /nowhere/train"),
        (["train", "--plan", "cifar-table"], "Did you mean cifar10-table"),
        (["train", "--plan", "slope", "--recipe", "fast"], "give it without --recipe"),
        (["train", "abbnn", "--plan", "slope", "--seed", "1"], "give it without MODEL, --seed"),
        (["train", "resnet18", "--data", "cifar10", "--recipe", "abbnn"], "not trained in two steps"),
    ],
)
def test_bad_input_exits_with_2_and_says_what_to_do(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(more) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_a_misspelt_key_in_a_recipe_is_named(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick.write_text(yaml.safe_dump({**QUICK, "agument": {}}))
    assert main(arguments(quick)) == 2
    assert "agument" in capsys.readouterr().err
    quick.write_text("a: [")
    assert main(arguments(quick)) == 2
    assert "is not YAML" in capsys.readouterr().err


@pytest.mark.usefixtures("counted_time")
def test_a_diverging_run_exits_with_2_and_keeps_its_last_state(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(quick, "--minutes", "0.5")) == 3
    folder = quick.parent / "runs" / "abbnn-reactnet6-digits-quick-s0"
    state = (folder / "last.safetensors").read_bytes()
    wild = quick.with_name("wild.yaml")
    phases = [{"weights": "real", "epochs": 3, "lr": 1e30}, {"weights": "binary", "epochs": 1, "lr": 0.1}]
    wild.write_text(yaml.safe_dump({**QUICK, "phases": phases}))
    capsys.readouterr()
    assert main(arguments(wild)) == 2
    assert "is not finite any more (phase 1, epoch" in capsys.readouterr().err
    assert (folder / "last.safetensors").read_bytes() == state


def test_two_processes_never_train_in_one_folder(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from costmodel.train.session import owned

    with owned(quick.parent / "runs" / "abbnn-reactnet6-digits-quick-s0"):
        assert main(arguments(quick)) == 2
    assert "another process trains in" in capsys.readouterr().err


@pytest.mark.slow
def test_out_of_the_box_digits_reach_95_percent(tmp_path: Path) -> None:
    """The command of the README, whole: two steps of thirty epochs."""
    assert main(["train", "abbnn", "--data", "digits", "--out", str(tmp_path), "--quiet"]) == 0
    accuracy = json.loads((tmp_path / "abbnn-reactnet6-digits-digits-s0" / "result.json").read_text())["result"]
    assert accuracy["accuracy"] >= 0.95 and accuracy["held_out"] == "test"
