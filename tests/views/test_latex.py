"""Tables for papers compile as they are, whatever is in them."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
from pathlib import Path

import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.views.latex import PAGE_ROWS, escape_latex, to_latex
from costmodel.views.table import Column, Row, Table

ENGINE = next((name for name in ("pdflatex", "tectonic", "xelatex", "lualatex") if shutil.which(name)), None)
compiled = pytest.mark.skipif(ENGINE is None, reason="no TeX is installed: pdflatex, tectonic, xelatex or lualatex")


def needed(text: str) -> list[str]:
    """The packages that the comments of a table name."""
    return sorted({name for names in re.findall(r"^% needs \\usepackage\{(.*)\}$", text, re.MULTILINE)
                   for name in names.split(",")})  # fmt: skip


def compile_tex(folder: Path, text: str) -> str:
    """What the engine says of a document that holds ``text`` with the packages that it names, and no other."""
    packages = "".join(rf"\usepackage{{{name}}}" for name in needed(text))
    source = rf"\documentclass{{article}}{packages}\begin{{document}}{chr(10)}{text}{chr(10)}\end{{document}}"
    (folder / "paper.tex").write_text(source, encoding="utf-8")
    assert ENGINE is not None
    command = [ENGINE, "paper.tex"] if ENGINE == "tectonic" else [ENGINE, "-interaction=batchmode", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    log = folder / "paper.log"
    said = log.read_text(errors="replace") if log.is_file() else done.stderr
    assert done.returncode == 0, "\n".join(line for line in said.splitlines() if line.startswith(("!", "l.")))[:2000]
    return said


def nasty(rows: int) -> Table:
    """Every special character, a bracket where a row begins, tree labels, notes of several lines."""
    signs = string.punctuation + "×±µμ≤≥−·→∞²–—…“”‘’°Ωéüß└├│─漢 --by layer"
    columns = [Column("a", "a & b", "left"), Column("b", "100 %"), Column("why", "why_", "left", prose=True)]
    body = [Row([f"[{i}", 0.5 * i, signs], label=f"│  ├─ [x]_{i}") for i in range(rows)]
    return Table(
        "a_b c", f"All of {signs}", columns, body, [Row(["total", 1, ""], "bold")], ["two\nlines"], ["50 % % \\"]
    )


@compiled
@pytest.mark.parametrize("rows", [0, 1, 3 * PAGE_ROWS])
def test_every_character_compiles_on_one_page_and_on_several(rows: int, tmp_path: Path) -> None:
    text = to_latex(nasty(rows), "tab:mine")
    said = compile_tex(tmp_path, rf"Table~\ref{{tab:mine}}.{chr(10)}{text}")
    assert "Missing character" not in said
    assert needed(text) == (["booktabs", "longtable"] if rows > PAGE_ROWS else ["booktabs"])


@compiled
def test_what_profile_compare_and_explore_write_compiles(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    space = tmp_path / "space.yaml"
    space.write_text(
        "networks: [abbnn-digits]\ntargets: [{target: arm, threads: [1, 2]}]\nobjectives: [latency_s, energy_J]\n"
    )
    written = [
        ["profile", "abbnn-digits", "--target", "fpga"],
        ["profile", "abbnn", "--target", "fpga", "--by", "layer", "--depth", "9", "--rewrites", "--explain"],
        ["compare", "abbnn-digits", "bn-digits", "--target", "arm", "--target", "asic", "--conventions"],
    ]
    parts = []
    for i, command in enumerate(written):
        assert main([*command, "--format", "latex", "-o", str(tmp_path / f"{i}.tex")]) == 0
        parts.append((tmp_path / f"{i}.tex").read_text(encoding="utf-8"))
    (front,) = costmodel.explore(space, engine="serial")
    assert "Missing character" not in compile_tex(tmp_path, "\n".join([*parts, front.to_latex()]))


def test_labels_are_the_tables_own_or_the_ones_given() -> None:
    assert r"\label{tab:a-b-c}" in to_latex(nasty(1))
    assert r"\label{tab:mine}" in costmodel.profile("abbnn-digits").to_latex("layer", label="tab:mine")


def test_dashes_stay_apart() -> None:
    assert escape_latex("--by") == "-{}-by"


def test_bibtex_has_each_source_once_and_every_key_is_known(tmp_path: Path) -> None:
    from costmodel.targets.load import references

    file = tmp_path / "sources.bib"
    command = ["compare", "abbnn-digits", "bn-digits", "--target", "fpga", "--target", "asic", "--format", "json"]
    assert main([*command, "-o", str(tmp_path / "x.json"), "--bibtex", str(file)]) == 0
    keys = re.findall(r"^@\w+\{([^,]+),", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert keys == sorted(set(keys)) and set(keys) <= set(references())
    assert len(keys) > 5
    assert main(["profile", "abbnn-digits", "--bibtex", str(file)]) == 2
