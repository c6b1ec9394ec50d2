"""What a full report costs once its ledgers are known: CPU seconds of the whole process, interpreter start included.

    python benchmarks/report.py [--repeats 7]

The report is of two networks on three targets. It is made once to fill a store of its own (ledgers, estimates and
figures), then `--repeats` times in each format. The bar is 5 s for the PDF. Next to it stands what importing matplotlib
and drawing nothing costs on this machine at this moment, as a yard-stick for its speed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from cached import cpu

BAR = 5.0
SUBJECT = ["--model", "abbnn", "--model", "reactnet18", "--target", "fpga", "--target", "arm", "--target", "asic"]
CASES = {
    "PDF": ["--format", "pdf"],
    "PDF on Letter": ["--format", "pdf", "--paper", "letter"],
    "PDF without other networks": ["--format", "pdf", "--no-rivals"],
    "HTML": ["--format", "html"],
    "Markdown": ["--format", "markdown"],
    "LaTeX": ["--format", "latex"],
}
YARDSTICK = "import matplotlib.figure, matplotlib.backends.backend_svg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COSTMODEL_CACHE": folder, "OMP_NUM_THREADS": "1"}
        start = [sys.executable, "-m", "costmodel.cli.main", "report", *SUBJECT, "--date", "2026-01-31"]
        output = str(Path(folder) / "report")
        first = cpu([*start, "--format", "pdf", "-o", output], environment)
        print(f"the first, with everything traced and priced: {first:.1f} s\n")
        print("| from the store | CPU s (minimum) | CPU s (median) |\n| --- | --: | --: |")
        least = 0.0
        for name, arguments in CASES.items():
            times = [cpu([*start, *arguments, "-o", output], environment) for _ in range(args.repeats)]
            print(f"| {name} | {min(times):.2f} | {statistics.median(times):.2f} |")
            least = least or statistics.median(times)
        times = [cpu([sys.executable, "-c", YARDSTICK], environment) for _ in range(args.repeats)]
    print(f"| yard-stick: importing matplotlib | {min(times):.2f} | {statistics.median(times):.2f} |")
    print(f"\nthe full report takes {least:.2f} s of {BAR:g} s, {least / statistics.median(times):.1f} yard-sticks")


if __name__ == "__main__":
    main()
