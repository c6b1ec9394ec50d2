"""Yosys as a Python module (``pip install pyosys``), called in the two ways of :mod:`~costmodel.calibrate.yosys`.

It is native code, which takes a third of the processor time of the one for any machine.

    python native.py -V
    python native.py -l log.txt -s script.ys
"""

from __future__ import annotations

import os
import sys
from importlib import import_module, metadata
from pathlib import Path


def main(arguments: list[str]) -> int:
    """An error of the tool ends the process with status 1, as it does of its own program."""
    if arguments == ["-V"]:
        print(f"Yosys {metadata.version('pyosys')}")
        return 0
    _, log, _, script = arguments
    tool = import_module("pyosys.libyosys")
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)  # it writes to the descriptor
    design = tool.Design()
    for line in Path(script).read_text(encoding="utf-8").splitlines():
        tool.run_pass(line, design)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
