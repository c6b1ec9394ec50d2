"""``models``, ``targets``, ``cache`` and ``completion``: what they list is what there is."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from costmodel import api
from costmodel.cli import completion
from costmodel.cli.main import VERBS, main
from costmodel.targets import list_targets, load_target
from costmodel.views.hardware import citation
from costmodel.zoo import counts, registry


def out(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_models_match_patterns_and_short_names(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(out(capsys, "models", "*react*digits", "tfc", "--format", "csv"))))
    assert [row["name"] for row in rows] == [
        "abbnn-reactnet6-digits", "bnfree-reactnet6-digits", "bn-reactnet6-digits", "tfc-w1a1",
    ]  # fmt: skip
    document = json.loads(out(capsys, "models", "--format", "json"))
    assert [row["name"] for row in document] == registry.list_models()
    assert all(row["source"] for row in document)


def test_every_network_of_the_zoo_has_counts() -> None:
    assert list(counts.read()) == registry.list_models()


#: One of every family, small enough for every run; the conformance tests hold the large ones.
CHECKED = ("abbnn-digits", "bnfree-digits", "bn-digits", "tfc", "sfc", "lfc", "cnv", "abbnn-cifar10",
           "bn-bireal18-cifar100", "bnfree-reactneta-cifar10", "resnet18-cifar10", "quicknet-small")  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_listed_counts_are_those_of_the_profile(name: str) -> None:
    assert counts.read()[registry.entry(name).name] == counts.of(api.profile(name))


def test_a_pattern_without_match_and_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "*nothing*"]) == 2
    assert main(["models", "abnn"]) == 2
    assert "Did you mean abbnn" in capsys.readouterr().err


def test_every_target_is_listed_and_shows_each_constant_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    listed = list(csv.DictReader(io.StringIO(out(capsys, "targets", "--format", "csv"))))
    assert [row["name"] for row in listed] == list(list_targets())
    for name in ("fpga", "arm", "asic"):
        document: Any = json.loads(out(capsys, "targets", name, "--format", "json"))
        target = load_target(name)
        assert set(document["constants"]) == set(target.constants)
        for constant in document["constants"].values():
            assert constant["low"] <= constant["value"] <= constant["high"]
        assert all(document["sources"].values()), [key for key, text in document["sources"].items() if not text]
        assert all(key in out(capsys, "targets", name) for key in document["sources"])


def test_a_bibliography_entry_is_one_line() -> None:
    entry = "@article{x,\n  title = {On {XNOR} \\& \n   popcount},\n  author = {A. One and B. Two},\n  year = 2020,\n}"
    assert citation(entry) == "A. One and B. Two, On XNOR & popcount, 2020"


def test_an_unknown_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "fgpa"]) == 2
    assert "Did you mean fpga" in capsys.readouterr().err


def test_cache_lists_and_clears(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api.profile("abbnn-digits")
    text = out(capsys, "cache")
    assert "abbnn-reactnet6-digits" in text and str(store) in text and "1 answers" in text
    assert "deleted 1" in out(capsys, "cache", "--clear")
    assert "0 answers" in out(capsys, "cache")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_knows_every_verb_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = out(capsys, "completion", shell)
    for verb in VERBS:
        assert verb in script
        for flag in completion.flags(verb):
            assert (f"-l {flag[2:]}" if shell == "fish" else flag) in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_bash_completes_commands_options_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    script = out(capsys, "completion", "bash")

    def complete(*words: str) -> set[str]:
        line = " ".join(f'"{word}"' for word in ("costmodel", *words))
        code = f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; _costmodel; printf "%s\\n" "${{COMPREPLY[@]}}"'
        return set(subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.split())

    assert complete("comp") == {"compare", "completion"}
    assert complete("profile", "--conv") == {"--convention"}
    assert complete("profile", "--format", "") == {"table", "json", "csv", "markdown", "latex"}
    if shutil.which("costmodel"):
        assert "abbnn" in complete("profile", "--model", "abb")
        assert "fpga" in complete("targets", "fp")
        assert complete("profile", "--convention", "op") == {"ops64"}
        assert complete("profile", "abbnn", "--target", "fpga", "--set", "imp") == {"impl=hls", "impl=compressor"}
        assert complete("train", "abbnn", "--recipe", "teach") == {"teacher"}
        assert "cifar100" in complete("train", "abbnn", "--data", "cif")
        assert complete("deploy", "--checkpoint", "abbnn-reactnet6") == {"abbnn-reactnet6-digits"}
        assert complete("validate", "ar") == {"arm"}


@pytest.mark.parametrize("what", completion.WHAT)
def test_names_are_one_a_line(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = out(capsys, "completion", "--names", what).split("\n")[:-1]
    assert len(names) == len(set(names)) > 3
    assert all(name and " " not in name for name in names)
