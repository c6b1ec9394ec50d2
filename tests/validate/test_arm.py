"""The bars that the Arm model must pass on the measured networks, from real profiles."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from costmodel.cli.main import main
from costmodel.targets import list_targets, load_target
from costmodel.validate import Report, Summary, load_rows, validate
from costmodel.validate.cases_arm import BASELINE, CALIBRATED, FITTED, UNKNOWNS, bill, calibration, profiles
from costmodel.validate.fit_libraries import FAMILIES, fit
from tests.near import near

PI, PIXEL = "Arm latency, Raspberry Pi 4B", "Arm latency, Pixel 1"


@pytest.fixture(scope="module")
def report() -> Report:
    return validate(["arm"])


def scores(report: Report, group: str) -> dict[tuple[str, str], Summary]:
    return {(s.estimator, s.split): s for s in report.summaries() if s.group == group}


@pytest.mark.parametrize("group", [PI, PIXEL])
def test_leave_one_out_is_within_ten_percent_and_ranks_the_networks(report: Report, group: str) -> None:
    left_out = scores(report, group)["costmodel", "leave-one-out"]
    assert left_out.rows == 13
    assert left_out.mape < 0.10
    assert left_out.worst < 0.25
    assert left_out.rank is not None
    assert left_out.rank >= 0.98


@pytest.mark.parametrize(("group", "baseline"), [(PI, 0.188), (PIXEL, 0.144)])
def test_networks_that_set_no_value_are_within_ten_percent(report: Report, group: str, baseline: float) -> None:
    """They set the bounds, so they test values alone."""
    others = [result for result in report.of(group) if result.row.model not in FITTED]
    assert len(others) == 10
    assert sum(abs(result.error) for result in others) / 10 < 0.10
    assert max(abs(result.error) for result in others) < 0.25
    assert scores(report, group)[BASELINE, "all"].mape == near(baseline, abs=0.002)


def test_other_threads_and_another_core_are_foreseen(report: Report) -> None:
    four = scores(report, "Arm latency, four threads")["costmodel", "hold-out"]
    assert four.rows == 7
    assert four.mape < 0.15
    assert scores(report, "Arm latency, Apple M1")["costmodel", "calibration"].mape < 0.10


def test_the_shipped_constants_are_those_of_the_fit() -> None:
    rows = [row for row in load_rows() if row.target in CALIBRATED and row.model in FITTED]
    ledgers = profiles(dict.fromkeys(row.model for row in rows), lambda _: None)
    fitted = calibration(rows, {row.id: bill(row, ledgers[row.model]) for row in rows}).fit()
    for unknown, value in zip(UNKNOWNS, fitted, strict=True):
        for target in unknown.targets or ("raspberry-pi-4b", "pixel-1"):
            assert load_target(target).value(unknown.constant) == near(value, rel=0.01), unknown


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shipped_constants_of_libraries_are_those_of_their_fit(family: str) -> None:
    found = fit(family, bounds=False)
    assert {row.split for row in found.rows} == {"calibration"}
    constants: dict[tuple[str, str], float] = {}
    for name in list_targets("arm"):
        target = load_target(name)
        for key, quantity in target.constants.items():
            key = "depthwise" if re.fullmatch(r"kernels\.cmsis-nn\.depthwise", key) else key
            for core in ("", target.structure.get("core", name)):
                constants[key, core] = quantity.value
    for unknown, value in zip(found.unknowns, found.values, strict=True):
        assert constants[unknown.constant, unknown.core] == near(value, rel=0.01), unknown


def kind(report: Report, name: str) -> Summary:
    return next(s for s in report.headline() if s.group == name)


def test_rows_never_used_are_inside_their_intervals_and_near(report: Report) -> None:
    for name in ("Arm latency", "Microcontroller latency", "Microcontroller energy"):
        found = kind(report, name)
        assert found.coverage is not None
        assert found.coverage >= 0.8
        assert found.mape <= 0.25


def test_cortex_a53_is_within_thirty_percent_under_the_libraries_of_others(report: Report) -> None:
    rows = [r for r in report.results if r.row.split == "hold-out" and r.target in ("cortex-a53", "raspberry-pi-3b")]
    assert len(rows) > 10
    assert sum(abs(r.error) for r in rows) / len(rows) <= 0.30


def test_the_verb_prints_scores_and_writes_json(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "arm", "--rows"]) == 0
    shown = capsys.readouterr().out
    assert "BinaryDenseNet37Dilated" in shown
    assert "baseline" in shown
    path = tmp_path / "v.json"
    assert main(["validate", "arm", "--format", "json", "-o", str(path), "--figures", str(tmp_path)]) == 0
    assert len(json.loads(path.read_text())["rows"]) == len(report.results)
    assert list(tmp_path.glob("*.svg"))
    assert main(["validate", "arm", "--figures", str(path)]) == 2  # a file, not a folder
    assert main(["validate", "gpu"]) == 2
