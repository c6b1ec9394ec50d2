"""A run learns, goes on to the very same result wherever it was stopped, and never spoils what it has saved."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from costmodel.errors import CostmodelError
from costmodel.train import checkpoints
from costmodel.train.networks import load_teacher, load_trained
from costmodel.train.run import Run
from tests.train.conftest import recipe

Make = Callable[..., Run]


def finish(run: Run) -> dict[str, Any]:
    for _ in run.steps():
        pass
    content: dict[str, Any] = json.loads((run.folder / "result.json").read_text())
    return content["result"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("network", ["abbnn-reactnet6-digits", "bn-reactnet6-digits", "bnfree-reactnet6-digits"])
def test_a_small_run_learns(make_run: Make, network: str) -> None:
    phases = [{"weights": w, "epochs": 6, "lr": 0.01} for w in ("real", "binary")]
    clip = None if network.startswith("bn-") else {"factor": 0.01}
    result = finish(make_run(network=network, recipe=recipe(phases=phases, clip=clip)))
    assert result["accuracy"] > 0.8  # chance is one in four
    assert result["epochs"] == [6, 6] and len(result["step_accuracies"]) == 2
    assert result["best_accuracy"] >= result["accuracy"]


VARIED = {
    "ema": 0.9,
    "augment": {"pad": 1, "pad_mode": "constant", "cutmix": 0.5, "cutout": 2, "jitter": 0.1},
    "network": {"scale": "tied"},
}


#: FINN's dense network on small images: bounded latent weights, dropout, bf16 where the processor has it, one step.
ONE_STEP = {
    "phases": [{"weights": "binary", "epochs": 3, "lr": 0.03, "schedule": "cosine"}],
    "clip": None, "precision": "bf16", "pixels": "unit", "bound": 1.0, "dropout": 0.3, "network": {"image_size": 8},
}  # fmt: skip


@pytest.mark.parametrize("network", ["tfc-w1a1", "abbnn-tfc-w1a1"])
@pytest.mark.parametrize("stop_after", [1, 6, 17])
def test_a_stopped_run_of_one_step_reaches_the_same_bits(make_run: Make, network: str, stop_after: int) -> None:
    def make(folder: str) -> Run:
        return make_run(folder, network=network, recipe=recipe(**ONE_STEP))

    straight = finish(make("straight"))
    run = make("stopped")
    for count, _ in enumerate(run.steps(), 1):
        if count == stop_after:
            run.save()
            break
    bounded = [p for p in run.model.parameters() if p.ndim > 1]
    assert bounded and all(p.abs().max() <= 1 for p in bounded)
    assert finish(make("stopped"))["checkpoint_sha256"] == straight["checkpoint_sha256"]
    assert (straight["environment"]["precision"] == "bf16") == torch.cpu._is_avx512_bf16_supported()


def test_latent_weights_that_are_no_number_are_found_though_they_have_a_sign(make_run: Make) -> None:
    run = make_run(network="tfc-w1a1", recipe=recipe(**ONE_STEP))
    steps = run.steps()
    while run.position.epoch == 0:
        next(steps)
    good = (run.folder / "last.safetensors").read_bytes()
    with torch.no_grad():
        run.model.get_parameter("layers.0.weight")[0, 0] = float("nan")
    with pytest.raises(CostmodelError, match=r"the parameter layers.0.weight of .* not finite any more .*last good"):
        for _ in steps:
            pass
    assert (run.folder / "last.safetensors").read_bytes() == good
    assert not (run.folder / "final.safetensors").exists()


@pytest.mark.parametrize("changes", [{}, VARIED], ids=["plain", "varied"])
@pytest.mark.parametrize("stop_after", [1, 6, 12, 17])
def test_a_stopped_run_reaches_the_same_bits(make_run: Make, changes: dict[str, Any], stop_after: int) -> None:
    """Six batches per epoch, two epochs per phase: stops lie inside and between epochs and phases."""
    straight = finish(make_run("straight", recipe=recipe(**changes)))
    run = make_run("stopped", recipe=recipe(**changes))
    for count, _ in enumerate(run.steps(), 1):
        if count == stop_after:
            run.save()
            break
    resumed = finish(make_run("stopped", recipe=recipe(**changes)))
    assert resumed["checkpoint_sha256"] == straight["checkpoint_sha256"]
    assert resumed["accuracy"] == straight["accuracy"]


def test_seeds_differ_and_a_seed_repeats(make_run: Make) -> None:
    one, again, other = make_run("a"), make_run("b"), make_run("c", seed=1)
    for run in (one, again, other):
        finish(run)
    weights = [dict(run.model.named_parameters()) for run in (one, again, other)]
    assert all(torch.equal(weights[0][n], weights[1][n]) for n in weights[0])
    assert not all(torch.equal(weights[0][n], weights[2][n]) for n in weights[0])


def test_the_second_step_starts_from_the_last_epoch_of_the_first(make_run: Make) -> None:
    run = make_run()
    steps = run.steps()
    while run.position.phase == 0:
        next(steps)
    first, raw = checkpoints.read(run.folder / "step1.safetensors")
    assert json.loads(raw)["kind"] == "step1"
    fresh = make_run("fresh")
    assert not torch.equal(first["fc.weight"], dict(fresh.model.state_dict())["fc.weight"])
    assert any(getattr(m, "binary_weight", None) for m in run.model.modules())
    assert not any(getattr(m, "binary_weight", None) for m in fresh.model.modules())


def test_the_log_has_a_line_an_epoch(make_run: Make) -> None:
    run = make_run()
    finish(run)
    lines = (run.folder / "log.csv").read_text().splitlines()
    assert lines[0].split(",")[:3] == ["phase", "epoch", "rate"] and len(lines) == 5
    assert [entry["phase"] for entry in json.loads((run.folder / "log.json").read_text())] == [1, 1, 2, 2]


def test_another_job_is_not_continued_in_the_same_folder(make_run: Make) -> None:
    finish(make_run())
    with pytest.raises(CostmodelError, match=r"holds another run .its seed is 0, not 1.*--restart"):
        make_run(seed=1)


def test_a_loss_that_is_not_finite_stops_the_run_and_spares_the_last_state(make_run: Make) -> None:
    run = make_run()
    steps = run.steps()
    while run.position.epoch == 0:
        next(steps)
    good = (run.folder / "last.safetensors").read_bytes()
    with torch.no_grad():
        run.model.get_parameter("fc.bias").fill_(float("nan"))
    with pytest.raises(CostmodelError, match=r"not finite any more \(phase 1, epoch 2, .*last good state is"):
        for _ in steps:
            pass
    with pytest.raises(CostmodelError, match="not finite"):
        run.save()
    assert (run.folder / "last.safetensors").read_bytes() == good


def test_a_full_disk_spares_the_last_state(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    steps = run.steps()
    while run.position.epoch == 0:
        next(steps)
    good = (run.folder / "last.safetensors").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CostmodelError, match="No space left on device"):
        for _ in steps:
            pass
    monkeypatch.undo()
    assert (run.folder / "last.safetensors").read_bytes() == good
    assert not list(run.folder.glob("*.tmp")) and not list(run.folder.glob(".*.tmp"))
    finish(make_run())


def test_a_damaged_or_foreign_checkpoint_is_refused(make_run: Make, tmp_path: Path) -> None:
    finish(make_run())
    last = tmp_path / "run" / "last.safetensors"
    raw = last.read_bytes()
    last.write_bytes(raw[:-50])
    with pytest.raises(CostmodelError, match="not a readable checkpoint"):
        make_run()
    last.write_bytes(raw)
    with pytest.raises(CostmodelError, match="run under way"):
        load_trained(last)
    wide = tmp_path / "wide.safetensors"
    tensors, header = checkpoints.read(tmp_path / "run" / "final.safetensors")
    tensors["fc.weight"] = torch.zeros(10, 33)
    del tensors["fc.bias"]
    checkpoints.write(wide, tensors, msgspec.json.decode(header))
    with pytest.raises(CostmodelError, match=r"1 missing \(first fc.bias\), 1 of another shape \(first fc.weight\)"):
        load_trained(wide)


def test_a_student_learns_from_a_teacher_of_the_same_data(make_run: Make) -> None:
    finish(make_run("teacher", network="bn-reactnet6-digits"))
    path = make_run("teacher", network="bn-reactnet6-digits").folder / "final.safetensors"
    taught = recipe(loss={"teacher": 1.0, "temperature": 2.0})
    with pytest.raises(CostmodelError, match="give --teacher"):
        make_run("student", recipe=taught)
    student = make_run("student", recipe=taught, teacher=load_teacher(path, "digits"))
    finish(student)
    losses = [entry.train_loss for entry in student.position.history]
    assert losses[1] < 0.7 * losses[0]  # that of the first step: the divergence from the teacher
    with pytest.raises(CostmodelError, match="trained on digits, this run is on cifar10"):
        load_teacher(path, "cifar10")


def test_a_trained_network_is_rebuilt_from_its_file_alone(make_run: Make) -> None:
    run = make_run()
    result = finish(run)
    model, job = load_trained(run.folder / "final.safetensors")
    assert job == run.job
    run.shadow.load_state_dict(model.state_dict())
    assert run.evaluate()[1] == result["accuracy"]
