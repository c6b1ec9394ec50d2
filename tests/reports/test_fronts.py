"""A front that was explored becomes a report whose numbers are those of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel.errors import CostmodelError
from costmodel.explore.front import Front, Member
from costmodel.reports.content.compose import document
from costmodel.reports.content.subject import gather
from costmodel.reports.render.pdf import png
from tests.reports.test_numbers import names, numbers_in

OBJECTIVES = ("seconds_per_image", "energy_J")


def make(folder: Path, members: int, network: str = "cnv-w1a1", label: str = "") -> str:
    command = "costmodel profile --model cnv-w1a1 --target asic-7nm-asap7 --set outputs="
    made = tuple(
        Member(
            i,
            network,
            "asic-7nm-asap7",
            {"outputs": 16 + i},
            {"seconds_per_image": 1e-3 / (i + 1), "energy_J": 1e-6 * (i + 1)},
            f"{command}{16 + i}",
        )
        for i in range(members)
    )
    front = Front("space", "asic", label, OBJECTIVES, made, 1000, members, "every design was priced")
    return str(next(p for p in front.write(folder) if p.suffix == ".parquet"))


def test_every_number_of_a_front_report_is_in_the_file(tmp_path: Path) -> None:
    subject = gather((), (), fronts=[make(tmp_path, 150)], command="costmodel report")
    report = document(subject, "front", "2026-01-31")
    known = names(subject)
    table = next(t for t in report.tables() if t.label == "tab-front-0")
    found = {n for e in table.api for n in numbers_in(eval(e, known))}
    shown = [float(v) for row in table.grid.rows for cell in row.values for v in cell.values]
    assert set(shown) <= found
    assert len(shown) == 2 * len(table.grid.rows) and 30 < len(table.grid.rows) <= 40
    assert len(png(report, ppi=30)) >= 2


def test_a_folder_of_results_is_all_of_its_fronts_with_a_table_of_what_each_holds(tmp_path: Path) -> None:
    make(tmp_path, 5, label="cnv-w1a1")
    make(tmp_path, 3, "tfc-w1a1", label="tfc-w1a1")
    subject = gather((), (), fronts=[str(tmp_path)], command="costmodel report")
    report = document(subject, "front", "2026-01-31")
    known = names(subject)
    table = next(t for t in report.tables() if t.label == "tab-fronts")
    assert [str(row.values[0]) for row in table.grid.rows] == ["ASIC designs, cnv-w1a1", "ASIC designs, tfc-w1a1"]
    found = {n for e in table.api for n in numbers_in(eval(e, known))}
    shown = {float(v) for row in table.grid.rows for cell in row.values for v in cell.values}
    assert {1000.0, 5.0, 3.0} <= shown <= found
    assert report.bibliography() == () or all(r.text for r in report.bibliography())
    assert list(subject.validation) == ["asic"]


def test_a_folder_without_fronts_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match="costmodel explore"):
        gather((), (), fronts=[str(tmp_path)])


def test_a_front_of_one_design_has_a_report(tmp_path: Path) -> None:
    subject = gather((), (), fronts=[make(tmp_path, 1)], command="costmodel report")
    assert png(document(subject, "front", "2026-01-31"), ppi=30)
