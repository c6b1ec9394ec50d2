"""The verbs of ``import costmodel``: each answers what its command does, whatever was imported before."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError

SPACE = {
    "networks": ["abbnn-digits"],
    "targets": [{"target": "raspberry-pi-4b", "threads": [1, 2, 4]}],
    "objectives": ["seconds_per_image", "energy_J"],
}


@pytest.mark.parametrize("name", ["explore", "deploy", "validate"])
@pytest.mark.parametrize("before", ["", "import costmodel.{0}\n", "from costmodel import {0}\n"])
def test_a_package_that_is_a_verb_can_be_called_whether_or_not_it_was_imported_before(name: str, before: str) -> None:
    code = f"import sys, inspect\n{before.format(name)}import costmodel\nprint(inspect.signature(costmodel.{name}))\n"
    code += f"import costmodel.{name}\nassert callable(costmodel.{name}) and costmodel.{name}.__path__"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(") and "*args" not in done.stdout


def test_every_verb_has_a_signature_and_says_what_it_raises() -> None:
    for name in ("profile", "compare", "estimate", "explore", "fold", "deploy", "validate", "report", "totals"):
        verb: Any = getattr(costmodel, name)
        assert inspect.signature(verb).parameters
        function = verb._function() if inspect.ismodule(verb) else verb
        assert "Raises" in (function.__doc__ or ""), name


def test_compare_holds_what_the_command_writes(capsys: pytest.CaptureFixture[str]) -> None:
    made = costmodel.compare("abbnn-digits", "bn-digits", targets=["arm", "asic"])
    command = ["compare", "abbnn-digits", "bn-digits", "--target", "arm", "--target", "asic", "--format"]
    for form, text in (("json", made.to_json()), ("markdown", made.to_markdown()), ("latex", made.to_latex())):
        assert main([*command, form]) == 0
        assert capsys.readouterr().out == text
    assert main([*command, "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert set(rows) <= set(made.to_csv().splitlines())  # conventions are among the figures in Python
    assert [len(row) for row in made.estimates] == [2, 2]


def test_compare_takes_profiles_of_modules_and_a_single_target() -> None:
    profile = costmodel.profile("abbnn-digits")
    made = costmodel.compare(profile, targets="arm", threads=2)
    assert made.estimates[0][0] == profile.estimate("arm", threads=2)
    with pytest.raises(CostmodelError, match="no network given"):
        costmodel.compare()


def test_fold_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    best = costmodel.fold("tfc-w1a1", "pynq-z2", fps=1e5)
    assert main(["fold", "tfc-w1a1", "--target", "pynq-z2", "--fps", "1e5", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(best.to_json())
    with pytest.raises(CostmodelError, match="goal"):
        costmodel.fold("tfc-w1a1", "pynq-z2", goal="luts")


def test_explore_needs_no_folder_and_keeps_one_that_is_given(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (front,) = costmodel.explore(SPACE, engine="serial")
    (kept,) = costmodel.explore(SPACE, tmp_path / "kept", engine="serial")
    assert front == kept and len(front) == 3
    (again,) = costmodel.explore(SPACE, tmp_path / "kept", engine="serial", resume=True)
    assert again == front
    with pytest.raises(CostmodelError, match="give folder"):
        costmodel.explore(SPACE, resume=True)


def test_deploy_has_counts_verdict_and_a_file(tmp_path: Path) -> None:
    from costmodel.deploy import packed

    found = costmodel.deploy("abbnn-digits")
    assert found.exact and found.profile.deployed.by_kind() == costmodel.profile("abbnn-digits").deployed.by_kind()
    path = found.pack(tmp_path / "packed.safetensors", scale="pow2", fraction_bits=12)
    assert (packed.load(path).scale, packed.load(path).fraction_bits) == ("pow2", 12)
    module = costmodel.deploy(costmodel.build_model("abbnn-digits"), "1x1x8x8", name="mine")
    assert module.exact and module.weights == "" and "mine" in repr(module)
    with pytest.raises(CostmodelError, match="way to multiply"):
        found.pack(tmp_path / "no", scale="pow3")


def test_report_writes_what_the_command_writes(tmp_path: Path) -> None:
    path = costmodel.report(tmp_path / "a.tex", "abbnn-digits", "arm", date="2026-01-31")
    command = ["report", "abbnn-digits", "--target", "arm", "--date", "2026-01-31", "-o", str(tmp_path / "b.tex")]
    assert main(command) == 0
    assert path.read_bytes() == (tmp_path / "b.tex").read_bytes()
    with pytest.raises(CostmodelError, match="kind of report"):
        costmodel.report(tmp_path / "a.tex", "abbnn-digits", kind="networks")
