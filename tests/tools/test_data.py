"""Every shipped file is a source, is made by one command, or says where it was measured; and what is stale is named."""

from __future__ import annotations

import fnmatch
import subprocess
from pathlib import Path

import pytest

from tools import data
from tools.data import ARTEFACTS, PRIMARY, ROOT, Artefact

#: Written by hand.
WRITTEN = (".sv", ".py", ".md", ".ipynb", ".yaml", ".bib", ".css", ".js", ".typ", ".typed")


def shipped() -> list[str]:
    folders = ("costmodel", "arch_specs", "dashboard", "reports", "docs")
    done = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_shipped_file_is_made_by_hand() -> None:
    derived = {str(path.relative_to(ROOT)) for item in ARTEFACTS for path in data.found(item.files)}
    unknown = [
        name
        for name in shipped()
        if not name.endswith(WRITTEN) and name not in derived and not any(fnmatch.fnmatch(name, p) for p in PRIMARY)
    ]
    assert unknown == [], "say in tools/data.py what makes these, or where they come from"


@pytest.mark.parametrize("item", ARTEFACTS, ids=lambda item: item.name)
def test_every_artefact_and_all_that_it_is_made_from_are_there(item: Artefact) -> None:
    assert all(data.found([pattern]) for pattern in item.files)
    for part in item.sources:
        assert (ROOT / part).exists()
    assert data.state(item).keys() == {*item.sources, data.MADE}


@pytest.mark.parametrize("pattern", PRIMARY)
def test_every_primary_file_is_there(pattern: str) -> None:
    assert data.found([pattern])


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Artefact, Path]:
    monkeypatch.setattr(data, "ROOT", tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.py").write_text(
        '"""What it is."""\n\n\ndef f(x):\n    """Doubles."""\n    return 2 * x  # yes\n'
    )
    (tmp_path / "board.yaml").write_text("# a board\nlut: 5\n")
    (tmp_path / "table.csv").write_text("1,2\n")
    return Artefact("toy", ("table.csv",), ("rules", "board.yaml"), lambda: None), tmp_path


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("rules/a.py", "def f(x):\n    return 3 * x\n", ["rules changed"]),
        ("rules/b.py", "y = 1\n", ["rules changed"]),
        ("board.yaml", "lut: 6\n", ["board.yaml changed"]),
        ("table.csv", "1,3\n", ["its files were edited"]),
        ("rules/a.py", '"""Else."""\ndef f(x):\n    """Twice."""\n    # why\n    return 2*x\n', []),
        ("board.yaml", "lut:   5   # look-up tables\n", []),
        ("rules/notes.md", "nothing\n", []),
    ],
)
def test_what_changed_an_artefact_is_named(toy: tuple[Artefact, Path], file: str, text: str, said: list[str]) -> None:
    item, root = toy
    lock = {"toy": data.state(item)}
    assert data.stale(item, lock) == []
    (root / file).write_text(text)
    assert data.stale(item, lock) == said


def test_what_was_never_made_is_stale(toy: tuple[Artefact, Path]) -> None:
    assert data.stale(toy[0], {})


def test_a_stale_artefact_is_named_with_the_command_that_renews_it(
    toy: tuple[Artefact, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item, root = toy
    calls: list[str] = []
    made = Artefact(item.name, item.files, item.sources, lambda: calls.append("made"))
    monkeypatch.setattr(data, "ARTEFACTS", (made,))
    monkeypatch.setattr(data, "LOCK", root / "data.json")
    assert data.main(["--check"]) == 1
    assert "toy" in (said := capsys.readouterr().out) and "make data" in said
    assert data.main([]) == 0 and calls == ["made"]
    assert data.main(["--check"]) == 0
    assert data.main([]) == 0 and calls == ["made"]
    assert data.main(["toy"]) == 0 and calls == ["made", "made"]
    (root / "board.yaml").write_text("lut: 7\n")
    assert data.main(["--check"]) == 1


def test_an_unknown_artefact_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        data.main(["frnts"])
    assert "expected schema" in capsys.readouterr().err
