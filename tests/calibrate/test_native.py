"""Yosys as a Python module is called as its program is, and comes first where it is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from costmodel.calibrate import native, yosys

MODULE = """
import os, sys
class Design:
    def __init__(self): self.passes = []
def run_pass(text, design):
    design.passes.append(text)
    os.write(1, f"{len(design.passes)}. {text}\\n".encode())
    if text.startswith("fail"):
        print("ERROR: it failed", file=sys.stderr)
        os._exit(1)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of that name, which writes what it is asked."""
    site = tmp_path / "site"
    for name, text in {"pyosys/__init__.py": "", "pyosys/libyosys.py": MODULE,
                       "pyosys-0.99.dist-info/METADATA": "Name: pyosys\nVersion: 0.99\n"}.items():  # fmt: skip
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    for cached in (yosys.command, yosys.version):
        cached.cache_clear()
    yield site
    for cached in (yosys.command, yosys.version):
        cached.cache_clear()


def test_where_the_module_is_installed_it_is_the_one_that_runs(installed: Path) -> None:
    assert yosys.command() == (sys.executable, native.__file__)
    assert yosys.version() == "0.99"


def test_passes_run_in_order_and_what_they_write_is_the_log(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "script.ys").write_text("read_verilog a.sv\nproc\n")
    words = [*(yosys.command() or ()), "-l", "log.txt", "-s", "script.ys"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (tmp_path / "log.txt").read_text() == "1. read_verilog a.sv\n2. proc\n"
    assert done.stdout == ""


def test_an_error_of_a_pass_is_that_of_the_process(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "script.ys").write_text("fail\nproc\n")
    words = [*(yosys.command() or ()), "-l", "log.txt", "-s", "script.ys"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "ERROR: it failed\n")
    assert (tmp_path / "log.txt").read_text() == "1. fail\n"
