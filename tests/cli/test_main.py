"""Dispatch: only the verb that was asked for is imported, and every end has its exit status."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from costmodel.cli import main as cli
from costmodel.errors import CostmodelError


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_arguments_and_run(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(cli.VERBS[verb][0])
    assert module.HELP and "\n" not in module.HELP
    assert callable(module.run)
    with pytest.raises(SystemExit) as end:
        cli.main([verb, "--help"])
    assert end.value.code == 0
    assert f"costmodel {verb}" in capsys.readouterr().out


def test_help_lists_every_verb_and_imports_none_of_them() -> None:
    code = (
        "import sys; from costmodel.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('costmodel.') and m not in "
        "('costmodel.cli', 'costmodel.cli.main', 'costmodel.errors')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"\n  {verb} " in done.stdout for verb in cli.VERBS)
    assert done.stderr.strip() == "[]"


def test_unknown_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["profil"]) == 2
    err = capsys.readouterr().err
    assert "'profil'" in err
    assert "profile" in err


def test_help_of_a_verb_by_both_spellings(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for spelling in (["help", "targets"], ["targets", "--help"]):
        with pytest.raises(SystemExit):
            cli.main(spelling)
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [(CostmodelError("give a shape"), 2, "error: give a shape"), (KeyboardInterrupt(), 130, "interrupted")],
)
def test_what_a_verb_raises_becomes_an_exit_status(
    raised: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: list[str]) -> int:
        raise raised

    monkeypatch.setattr(cli, "dispatch", fail)
    assert cli.main(["models"]) == status
    assert said in capsys.readouterr().err


def test_programming_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> int:
        raise TypeError("a bug")

    monkeypatch.setattr(cli, "dispatch", fail)
    with pytest.raises(TypeError):
        cli.main(["models"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m costmodel.cli.main models --format json | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    assert done.stderr == ""
    assert done.returncode in (0, cli.BROKEN_PIPE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["profile", "--modle", "abbnn"], "unknown option '--modle'. Did you mean --model"),
        (["report", "abbnn"], "the following arguments are required: -o/--output. See: costmodel report --help"),
        (["profile", "--model", "abbnn", "--format", "xml"], "--format: invalid choice: 'xml'"),
        (["--nonsense"], "unrecognized arguments: --nonsense. See: costmodel --help"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
