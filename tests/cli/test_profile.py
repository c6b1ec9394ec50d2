"""``costmodel profile`` as its user meets it: right numbers in every form, and clear ends for every wrong input."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from costmodel.cli.main import main
from tests.near import near

SMALL = "abbnn-digits"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(["profile", *arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    status, out, err = run(capsys, *arguments, "--format", "json")
    assert status == 0, err
    return json.loads(out)


def test_json_totals_are_the_sums_of_its_layers(capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--model", SMALL)
    sums: dict[str, int] = {}
    for layer in document["layers"]:
        for kind, count in layer["counts"].items():
            sums[kind] = sums.get(kind, 0) + count
    assert sums == document["totals"]["deployed"]
    assert sums["mul"] > 0 and sums["xnor"] == sums["popcount"]


@pytest.mark.parametrize("words", [["--scale", "pow2"], ["--set", "scale=pow2"]])
def test_a_scale_option_replaces_what_is_counted_and_what_is_priced(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    exact = answer(capsys, "--model", SMALL, "--target", "asic")
    shifted = answer(capsys, "--model", SMALL, "--target", "asic", *words)
    scales = sum(row["count"] for row in exact["by_tag"] if row["kind"] == "mul" and "weight_scale" in row["tag"])
    assert scales > 0
    assert exact["totals"]["deployed"]["mul"] - shifted["totals"]["deployed"]["mul"] == scales
    energy = [document["estimates"][0]["totals"]["energy_J"]["value"] for document in (exact, shifted)]
    assert energy[1] < energy[0]


@pytest.mark.parametrize("by", ["layer", "module", "kind", "tag"])
def test_every_view_adds_up_to_the_same_totals(by: str, capsys: pytest.CaptureFixture[str]) -> None:
    totals = answer(capsys, "--model", SMALL)["totals"]["deployed"]
    status, out, _ = run(capsys, "--model", SMALL, "--by", by, "--format", "csv")
    assert status == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    if by == "kind":
        assert {row["kind"]: int(row["count"]) for row in rows} == totals
        return
    for kind, count in totals.items():
        assert sum(int(row[kind]) for row in rows) == count


@pytest.mark.parametrize("depth", ["1", "2", "3"])
def test_a_shallower_tree_adds_up_to_the_same_totals(depth: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--model", SMALL, "--depth", depth, "--format", "csv")
    _, full, _ = run(capsys, "--model", SMALL, "--format", "csv")
    both = [sum(int(row["add"]) for row in csv.DictReader(io.StringIO(text))) for text in (out, full)]
    assert both[0] == both[1] > 0


@pytest.mark.parametrize("depth", [[], ["--depth", "1"]])
def test_csv_with_targets_adds_up_to_counts_and_costs(depth: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--model", SMALL, "--target", "arm", "--target", "asic")
    _, out, _ = run(capsys, "--model", SMALL, "--target", "arm", "--target", "asic", "--format", "csv", *depth)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert sum(int(row["mul"]) for row in rows) == document["totals"]["deployed"]["mul"]
    for estimate in document["estimates"]:
        for metric in estimate["by_component"]:
            column = [float(row[f"{estimate['target']}.{metric}"]) for row in rows]
            expected = sum(layer.get(metric, 0.0) for layer in estimate["by_layer"])
            assert sum(column) == near(expected) and expected > 0


def test_the_hidden_multiplication_of_abbnn_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--model", SMALL)
    tagged = sum(row["count"] for row in document["by_tag"] if row["kind"] == "mul" and "weight_scale" in row["tag"])
    assert f"{tagged:,} scale sums over binary weights" in document["statement"]
    _, out, _ = run(capsys, "--model", SMALL)
    assert f"{tagged:,}" in out and "does not count them" in " ".join(out.split())


def test_nothing_hidden_is_claimed_where_batch_norm_takes_the_scale_along(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "--model", "bn-digits")["statement"] == ""


def test_levels_differ_by_what_the_rewrites_removed(capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--model", SMALL)
    removed: dict[str, int] = {}
    for rewrite in document["rewrites"]:
        for kind, count in rewrite["removed"].items():
            removed[kind] = removed.get(kind, 0) + count
    written, deployed = document["totals"]["as_written"], document["totals"]["deployed"]
    for kind in {*written, *deployed}:
        assert written.get(kind, 0) - deployed.get(kind, 0) == removed.get(kind, 0), kind
    assert answer(capsys, "--model", SMALL, "--level", "as-written")["level"] == "as_written"


def test_exact_digits_and_engineering_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    mul = answer(capsys, "--model", SMALL)["totals"]["deployed"]["mul"]
    _, out, _ = run(capsys, "--model", SMALL, "--by", "layer", "--exact")
    assert re.search(rf"^total .*\b{mul:,}\b", out, re.MULTILINE)


@pytest.mark.parametrize("format", ["markdown", "latex"])
def test_forms_for_papers_carry_title_and_statement(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--model", SMALL, "--format", format)
    assert status == 0
    assert "abbnn-reactnet6-digits" in out and "does not count them" in out


def test_a_convention_shows_its_own_terms(capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "--model", "bn-digits", "--convention", "paper-abbnn")
    assert sum(document["convention"]["terms"].values()) == document["convention"]["total"]
    _, out, _ = run(capsys, "--model", "bn-digits", "--convention", "paper-abbnn")
    assert "batch norm" in out and "arXiv:2403.03739" in out


def test_a_users_file_with_arguments_and_input(user_net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(
        capsys, "--model", f"{user_net}:build", "--model-args", "width=8", "--model-args", '{"classes": 5}',
        "--input", "1x3x16x16",
    )  # fmt: skip
    assert document["network"] == "user_net:build"
    assert document["totals"]["deployed"]["xnor"] == 8 * 8 * 9 * 16 * 16
    assert document["parameters"] == 3 * 8 * 9 + 2 * 8 + 8 * 8 * 9 + 8 * 5 + 5


def test_a_checkpoint_is_loaded(user_net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from costmodel.load.network import build
    from costmodel.load.reference import resolve

    torch.save(build(resolve(f"{user_net}:build")).state_dict(), tmp_path / "w.pt")
    arguments = ["--model", f"{user_net}:build", "--input", "1x3x8x8"]
    assert answer(capsys, *arguments, "--checkpoint", str(tmp_path / "w.pt"))["layers"]


def test_output_goes_to_a_file_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.json"
    status, out, err = run(capsys, "--model", SMALL, "--format", "json", "-o", str(path))
    assert (status, out) == (0, "") and str(path) in err
    assert json.loads(path.read_text())["network"] == "abbnn-reactnet6-digits"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_output_into_a_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "--model", SMALL, "-o", str(tmp_path / "no" / "out.txt"))
    assert status == 2 and "cannot write" in err


UNKNOWN = """
import torch
from torch import nn
class Net(nn.Module):
    def forward(self, x):
        return torch.linalg.inv(x @ x.mT + torch.eye(4))
def build():
    return Net()
"""


def test_strict_fails_where_something_could_not_be_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "unknown_op.py"
    path.write_text(UNKNOWN)
    arguments = ["--model", f"{path}:build", "--input", "1x4x4"]
    status, out, _ = run(capsys, *arguments)
    assert status == 0 and "unknown_op" in out and "NOT COUNTED" in out
    assert "UNKNOWN" in run(capsys, *arguments, "--by", "layer")[1]
    assert run(capsys, *arguments, "--strict")[0] == 1
    assert run(capsys, "--model", SMALL, "--strict")[0] == 0


WRONG = [
    (["--model", "abnn"], "Did you mean abbnn"),
    (["--model", "{net}:build"], "needs its input's shape: --input"),
    (["--model", "{net}:build", "--input", "3by3"], "cannot be read"),
    (["--model", "{net}:build", "--input", "1x5x16x16"], "does not run on an input of 1x5x16x16"),
    (["--model", "{net}:build", "--input", "1x3x16x16", "--input", "1x3x16x16"], "does not run on"),
    (["--model", "{net}:build", "--input", "x=1x3x16x16", "--input", "y=1x3"], "unexpected keyword argument 'y'"),
    (["--model", "{net}:broken", "--input", "1x3x16x16"], "ValueError: no such depth: 19"),
    (["--model", "{net}:biuld", "--input", "1x3x16x16"], "Did you mean build"),
    (["--model", "no_file.py:build", "--input", "1x3x16x16"], "there is no file no_file.py"),
    (["--model", SMALL, "--model-args", "width"], "write NAME=VALUE"),
    (["--model", SMALL, "--model-args", "{broken"], "not a JSON object"),
    (["--model", SMALL, "--model-args", "depth=3"], "has no option 'depth'"),
    (["--model", SMALL, "--input", "1x3x224x224"], "does not run on an input of 1x3x224x224"),
    (["--model", SMALL, "--checkpoint", "none.pt"], "no checkpoint none.pt"),
    (["--model", SMALL, "--convention", "papr"], "Did you mean paper-abbnn|Choose from strict"),
    (["--model", SMALL, "--target", "fgpa"], "unknown target 'fgpa'.*Did you mean fpga"),
    (["--model", SMALL, "--target", "./none.yaml"], "no target file"),
    (["--model", SMALL, "--target", "{bad_yaml}"], "bad.yaml"),
    (["--model", "{net}:build", "--input", "1x4x40x40"], r"expected input\[1, 4, 40, 40\] to have 3 channels"),
    (["--model", SMALL, "--depth", "0"], "from 1 to"),
    (["--model", SMALL, "--format", "html"], "unknown value of --format"),
    ([], "no network given"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_wrong_input_ends_with_two_and_no_traceback(
    arguments: list[str], said: str, user_net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("kind: fpga\nconstants: {a: {value: 1}}\n")
    fill = {"{net}": str(user_net), "{bad_yaml}": str(tmp_path / "bad.yaml")}
    filled = []
    for argument in arguments:
        for name, value in fill.items():
            argument = argument.replace(name, value)
        filled.append(argument)
    status, out, err = run(capsys, *filled)
    assert status == 2
    assert out == ""
    assert "Traceback" not in err
    assert re.search(said, err), err


def test_a_failed_run_leaves_the_store_as_it_was(
    store: Path, user_net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ["--model", f"{user_net}:build", "--input", "1x3x8x8"]
    assert run(capsys, *good)[0] == 0
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    for wrong in (["--input", "1x5x8x8"], ["--input", "1x3x8x8", "--checkpoint", str(user_net)]):
        assert run(capsys, "--model", f"{user_net}:build", *wrong)[0] == 2
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before
    assert len(before) == 1


def test_no_cache_writes_nothing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--model", SMALL, "--no-cache")[0] == 0
    assert not store.exists()


def user_file(tmp_path: Path, code: str) -> list[str]:
    path = tmp_path / "theirs.py"
    path.write_text(code)
    return ["--model", f"{path}:build", "--input", "1x3x8x8"]


def test_user_code_reads_none_of_our_options(tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Path) -> None:
    code = (
        "import argparse\nfrom torch import nn\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--depth', type=int, default=4)\ndepth = parser.parse_args().depth\n"
        "def build():\n    return nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1, bias=False) for _ in range(depth)))\n"
    )
    document = answer(capsys, *user_file(tmp_path, code), "--depth", "1")
    assert document["totals"]["deployed"]["mul"] == 4 * 3 * 3 * 9 * 64


def test_what_user_code_prints_is_no_part_of_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    code = (
        "from torch import nn\nprint('imported')\nclass Net(nn.Linear):\n    def forward(self, x):\n"
        "        print('running')\n        return super().forward(x)\n"
        "def build():\n    print('building')\n    return Net(8, 2)\n"
    )
    status, out, err = run(capsys, *user_file(tmp_path, code), "--format", "json")
    assert status == 0 and json.loads(out)
    assert all(word in err for word in ("imported", "building", "running"))


def test_an_exception_of_their_own_kind_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    code = "class Stop(BaseException):\n    pass\n\ndef build():\n    raise Stop('no more')\n"
    status, out, err = run(capsys, *user_file(tmp_path, code))
    assert (status, out) == (2, "") and "Stop: no more" in err and "line 5" in err


def test_layers_are_priced_in_other_bits_and_with_scales_of_their_own(capsys):
    line = ["profile", "abbnn-digits", "--target", "asic-7nm-asap7", "--format", "json"]
    changes = (
        [], ["--scale", "stages.0*=csd2"], ["--scale", "csd2"], ["--model-args", "layer_bits=fc=w4a4"],
    )  # fmt: skip
    energy = []
    for more in changes:
        assert main([*line, *more]) == 0
        (bill,) = json.loads(capsys.readouterr().out)["estimates"]
        energy.append(bill["totals"]["energy_J"]["value"])
    assert len(set(energy)) == 4
    assert main([*line, "--scale", "all"]) == 2
    assert "choose one" in capsys.readouterr().err
    assert main([*line, "--model-args", "layer_bits=fc=w99"]) == 2
    assert "1 to 16" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["profile", "compare"])
def test_sources_without_a_target_are_refused_before_anything_is_written(command, tmp_path, capsys):
    made = tmp_path / "answer.csv"
    arguments = [command, "bn-digits", "--format", "csv", "-o", str(made), "--bibtex", str(tmp_path / "s.bib")]
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("costmodel: error: --bibtex")
    assert not list(tmp_path.iterdir())
