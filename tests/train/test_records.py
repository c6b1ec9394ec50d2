"""Accuracy records: what ships is consistent, measured is told from published, and reading needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from costmodel.errors import CostmodelError
from costmodel.train import publish, records, shipped
from costmodel.train.job import Job, Result
from costmodel.train.recipes import load_recipe
from costmodel.train.records import RECORDS, Record, accuracies, add, measured, of_record
from costmodel.zoo import registry

RESULT = Result(
    accuracy=0.5,
    best_accuracy=0.625,
    step_accuracies=[0.75, 0.5],
    held_out="test",
    epochs=[1, 2],
    seconds=3.21,
    checkpoint_sha256="ab" * 32,
    parameters=7,
    environment={"device": "cpu", "hardware": "an abacus", "threads": 1, "torch": "2", "commit": "abc"},
)


def job(seed: int = 0, **more: object) -> Job:
    return Job("abbnn-reactnet6-digits", "digits", "digits", load_recipe("digits"), seed, **more)  # type: ignore[arg-type]


def test_shipped_records_are_of_networks_of_the_zoo_and_of_the_test_set() -> None:
    shipped_records = measured()
    assert shipped_records and len({r.key for r in shipped_records}) == len(shipped_records)
    for record in shipped_records:
        entry = registry.entry(record.network)
        assert entry.name == record.network and entry.dataset == record.data
        assert record.held_out == "test" and record.commit != "unknown"
        assert 100 / entry.classes < record.accuracy <= record.best_accuracy <= 100
        assert len(record.epochs) == len(record.step_accuracies) and record.step_accuracies[-1] == record.accuracy
        assert record.weights is None or record.weights in shipped.names()


def test_figures_say_whether_they_were_measured_or_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "records.jsonl"
    monkeypatch.setattr(records.measured, "__defaults__", (path,))
    record = msgspec.structs.replace(publish.record_of(job(), RESULT), network="abbnn-reactnet18-cifar10", width=0.5)
    add(msgspec.structs.replace(record, data="cifar10"), path)
    add(msgspec.structs.replace(record, data="cifar100", key="another"), path)  # of a data set that is not its own
    figures = accuracies("abbnn-reactnet18-cifar10")
    assert [(f.kind, f.width, f.top1) for f in figures] == [
        ("measured", 0.5, 50.0),
        ("published", 1.0, 92.30),
        ("published", 1.0, 91.94),
    ]
    assert "1+2 epochs" in figures[0].conditions and "an abacus" in figures[0].conditions
    assert figures[1].source.startswith("arXiv")
    assert accuracies("abbnn-reactnet18-cifar10", width=0.5) == figures[:1]
    assert accuracies("abbnn-reactnet18-cifar10", options={"scale": "tied"}) == []
    assert accuracies("abbnn-reactnet18-cifar10", 1.0, options={}) == figures[1:]


@pytest.mark.parametrize(
    ("network", "variant"),
    [("tfc-w1a1", "bn"), ("abbnn-lfc-w1a1", "abbnn"), ("bnfree-reactnet6-digits", "bnfree"), ("resnet18", "resnet18")],
)
def test_a_record_names_the_rules_of_its_network(network: str, variant: str) -> None:
    found = publish.record_of(msgspec.structs.replace(job(), network=network), RESULT)
    assert found.variant == variant


def test_validation_figures_are_kept_out_of_the_accuracies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "records.jsonl"
    add(publish.record_of(job(validation=True), RESULT), path)
    monkeypatch.setattr(records.measured, "__defaults__", (path,))
    assert measured() and accuracies("abbnn-reactnet6-digits") == []


def test_a_job_has_one_record_and_the_later_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    for seed, accuracy in ((1, 0.5), (0, 0.25), (1, 0.75)):
        add(publish.record_of(job(seed), msgspec.structs.replace(RESULT, accuracy=accuracy)), path)
    assert [(r.seed, r.accuracy) for r in measured(path)] == [(0, 25.0), (1, 75.0)]


def test_weights_of_one_name_are_those_of_one_record(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    for seed, weights in ((0, "net"), (1, "other"), (2, None), (3, "net")):
        add(publish.record_of(job(seed), RESULT, weights), path)
    assert [r.weights for r in measured(path)] == [None, "other", None, "net"]


def test_a_damaged_line_is_named_and_no_file_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    assert measured(path) == []
    path.write_text(RECORDS.read_text().splitlines()[0] + '\n{"network": 3}\n')
    with pytest.raises(CostmodelError, match="line 2 is not an accuracy record"):
        measured(path)


def test_the_words_of_a_record_hold_its_conditions() -> None:
    record = publish.record_of(job(options={"scale": "tied"}), RESULT)
    assert isinstance(record, Record)
    said = of_record(record).conditions
    for part in ("width 1", "1+2 epochs", "recipe digits", "seed 0", "scale tied", "last epoch"):
        assert part in said


def test_reading_records_imports_no_torch() -> None:
    code = "import sys; from costmodel.train import records, shipped; records.measured(); shipped.names(); "
    code += "records.accuracies('abbnn-reactnet18-cifar10'); "
    code += "print([m for m in ('torch', 'numpy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match="holds no finished run"):
        publish.read_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"job": {}}))
    with pytest.raises(CostmodelError, match="is damaged"):
        publish.read_result(tmp_path)


def test_models_lists_figures_with_their_kind(capsys: pytest.CaptureFixture[str]) -> None:
    from costmodel.cli.main import main

    assert main(["models", "*digits", "abbnn-reactnet18-cifar10", "--accuracy", "--format", "json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert {figure["kind"] for figure in figures} == {"measured", "published"}
    for figure in figures:
        assert (figure["record"] is not None) == (figure["kind"] == "measured")
    assert main(["models", "abbnn-reactnet18-cifar10", "--accuracy"]) == 0
    assert "published" in capsys.readouterr().out
