"""The examples of ``costmodel profile`` in the README, as the program prints them today: python -m tools.readme.

A block of code that begins with ``$ costmodel profile`` holds the command and its output at 120 columns; where its last
line is ``...``, the output is cut behind its totals.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
COLUMNS = "120"
CUT = "...\n"
EXAMPLE = re.compile(r"(?<=```\n)\$ costmodel (profile [^\n]*)\n(.*?)(?=```)", re.DOTALL)


def made(text: str) -> str:
    """``text`` with the output of every example made again."""

    def again(block: re.Match[str]) -> str:
        return f"$ costmodel {block[1]}\n{output(block[1], block[2].endswith(CUT))}"

    return EXAMPLE.sub(again, text)


def output(command: str, cut: bool) -> str:
    """What a command prints, ``cut`` behind its totals."""
    words = [sys.executable, "-m", "costmodel", *command.split()]
    surroundings = {**os.environ, "COLUMNS": COLUMNS, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=True, env=surroundings)
    if not cut:
        return done.stdout
    lines = done.stdout.splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if line.startswith("total"))
    return "".join(lines[: last + 1]) + CUT


def main() -> None:
    from costmodel.files import atomic_write

    atomic_write(README, made(README.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
