"""Where a result goes is asked before the work that makes it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel.cli.main import main

COMMANDS = {
    "profile -o": ["profile", "tfc-w1a1", "-o"],
    "profile --bibtex": ["profile", "tfc-w1a1", "--target", "pynq-z2", "-o", "table.txt", "--bibtex"],
    "compare --bibtex": ["compare", "tfc-w1a1", "--target", "pynq-z2", "-o", "table.txt", "--bibtex"],
    "fold --json": ["fold", "tfc-w1a1", "--target", "pynq-z2", "-o", "table.txt", "--json"],
    "deploy --qonnx": ["deploy", "tfc-w1a1", "-o", "packed.safetensors", "--qonnx"],
    "report -o": ["report", "tfc-w1a1", "-o"],
    "calibrate fit -o": ["calibrate", "fit", "rows.csv", "--target", "pynq-z2", "-o"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("place", ["nowhere/file", "folder", "file/below"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for module in ("costmodel.api.answer", "costmodel.api.price", "costmodel.api.compare"):
        monkeypatch.setattr(module, lambda *_, **__: pytest.fail("worked before it asked"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    assert main([*COMMANDS[name], place]) == 2
    said = capsys.readouterr().err
    assert f"cannot write {place}: " in said and said.count("\n") == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "kept"
