"""Inner loops on Arm cores: what llvm-mca says, as it is shipped, and the constants that stand for it."""

from __future__ import annotations

import pytest

from costmodel.calibrate import mca
from costmodel.cli.main import main
from costmodel.errors import CostmodelError

needs_mca = pytest.mark.skipif(mca.command() is None, reason="no llvm-mca: apt install llvm-19")


def test_the_shipped_table_has_every_loop_of_every_core() -> None:
    assert [(row.core, row.loop) for row in mca.read()] == [
        (c, name) for c, names in mca.CORES.items() for name in names
    ]


def test_the_instructions_are_those_of_the_text() -> None:
    texts = mca.loops()
    for row in mca.read():
        lengths = {text.count("\n\t") for (name, _), text in texts.items() if name == row.loop}
        assert lengths == {row.instructions}
        assert row.bound <= row.cycles


def test_constants_agree_with_what_their_loops_take() -> None:
    assert [row for row in mca.read() if not row.agrees] == []


def test_values_are_those_that_sources_say() -> None:
    """128 binary products on Cortex-A72: eight of them an iteration; 32 on Cortex-M4, a quarter."""
    rows = {(row.core, row.loop): row for row in mca.read()}
    assert rows["cortex-a72", "bgemm_4x2"].ends[1] == pytest.approx(1.63, rel=0.01)
    assert rows["neoverse-n1", "sdot_4x2"].ends[1] == pytest.approx(1 / 31.6, rel=0.02)
    assert rows["cortex-a53", "sgemm_8x4"].ends == pytest.approx((1 / 4, 1 / 1.28), rel=0.01)
    assert rows["cortex-m4", "bdot_32"].ends[1] == pytest.approx(60, rel=0.01)


def test_a_constant_outside_of_what_its_loop_takes_is_marked() -> None:
    (row,) = [r for r in mca.read() if (r.core, r.loop) == ("cortex-a72", "bgemm_4x2")]
    assert row.agrees
    assert not mca.Row("cortex-a72", "bgemm_4x2", 30, 11.9, 11.0, "19").agrees
    assert not mca.Row("cortex-a72", "bgemm_4x2", 30, 14.0, 13.1, "19").agrees


def test_without_the_tool_what_was_recorded_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mca, "command", lambda: None)
    assert main(["calibrate", "arm"]) == 0
    said = capsys.readouterr()
    assert "as recorded" in said.err
    assert "19.1.7" in said.out
    assert "21 of 21 have values in common" in said.out
    with pytest.raises(CostmodelError, match="need llvm-mca"):
        list(mca.make())


def test_a_core_that_the_tool_does_not_know_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        returncode, stdout, stderr = 0, "", "'cortex-x9' is not a recognized processor for this target"

    monkeypatch.setattr(mca, "command", lambda: "llvm-mca")
    monkeypatch.setattr(mca.subprocess, "run", lambda *_, **__: Done)
    with pytest.raises(CostmodelError, match="llvm-mca failed: 'cortex-x9' is not a recognized processor"):
        next(mca.make())


@needs_mca
def test_the_tool_says_today_what_is_shipped_if_it_is_of_the_same_version() -> None:
    rows, shipped = list(mca.make()), mca.read()
    if rows[0].tool != shipped[0].tool:
        pytest.skip(f"llvm-mca {rows[0].tool} is not the {shipped[0].tool} of the shipped table")
    assert rows == shipped
