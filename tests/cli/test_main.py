"""Dispatch: only the verb that was asked for is imported, and every end has its exit status."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

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


class Stop(BaseException):
    """What a user's code may raise, and no ``except Exception`` sees."""


@pytest.mark.parametrize(
    "raised", [TypeError("a bug"), KeyError("library"), Stop("no"), RecursionError(), MemoryError(), SystemExit("go"),
               OSError(28, "No space left on device"), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_whatever_fails_ends_in_one_line_and_status_two(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: list[str]) -> int:
        raise raised

    monkeypatch.setattr(cli, "dispatch", fail)
    monkeypatch.setattr(cli, "_discard_output", lambda: None)
    assert cli.main(["models"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("costmodel: error: ") and "Traceback" not in line
    if "should not happen" in line:
        monkeypatch.setenv(cli.DEBUG, "1")
        with pytest.raises(type(raised)):
            cli.main(["models"])


def started(redirect: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A whole process, through a shell that redirects its output."""
    command = f"{sys.executable} -m costmodel {' '.join(arguments)} {redirect}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={**os.environ, **environment})


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full"])
def test_an_answer_that_cannot_be_printed_is_an_error(redirect: str) -> None:
    done = started(redirect, "models")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "costmodel: error: " in line


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", [["models"], ["targets", "fpga"], ["profile", "abbnn-digits", "--by", "layer"]])
def test_text_falls_back_to_ascii(encoding: str, arguments: list[str]) -> None:
    done = started("", *arguments, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.isascii() and "?" not in done.stdout.replace("?)", "")


def test_json_stays_json_in_every_encoding() -> None:
    done = started("", "targets", "fpga", "--format", "json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout) == json.loads(started("", "targets", "fpga", "--format", "json").stdout)


def test_the_package_runs_as_a_module_and_knows_its_version() -> None:
    import costmodel

    assert started("", "--version").stdout.strip() == f"costmodel {costmodel.__version__}"


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
        (["profile", "--model", "abbnn", "--format", "xml"], "unknown value of --format 'xml'"),
        (["--nonsense"], "unrecognized arguments: --nonsense. See: costmodel --help"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_without_torch_the_error_says_how_to_get_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from costmodel.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "profile", "tfc-w1a1"]
    surroundings = {**os.environ, "COSTMODEL_CACHE": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, env=surroundings)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install torch" in done.stderr and "whl/cpu" in done.stderr


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (["fold", "--model", "tfc-w1a1", "--device", "pynq-z2"], "numba", "explore"),
        (["deploy", "abbnn-digits"], "numba", "deploy"),
        (["calibrate", "fpga", "--quick"], "numba", "calibrate"),
        (["dashboard", "--port", "1"], "dash", "dashboard"),
    ],
)
def test_a_package_of_an_extra_that_is_not_installed_is_named_with_its_extra(command, package, extra):
    code = (
        f"import sys; sys.modules[{package!r}] = None; from costmodel.cli.main import main; sys.exit(main({command!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"pip install 'costmodel[{extra}]'" in done.stderr and package in done.stderr, done.stderr
    assert "This should not happen" not in done.stderr
