"""What an answer from the store costs: CPU seconds of the whole process, and peak memory of the first run.

    python benchmarks/cached.py [--repeats 9]

Each command runs once to fill a store of its own, then `--repeats` times; the table shows minimum and median of user
and system time of the process, interpreter start included.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile

COMMANDS = (
    ["profile", "--model", "abbnn"],
    ["profile", "--model", "abbnn", "--target", "fpga"],
    ["profile", "--model", "abbnn", "--target", "arm"],
    ["profile", "--model", "abbnn", "--target", "asic"],
    ["profile", "--model", "reactneta"],
    ["profile", "--model", "reactneta", "--format", "json"],
    ["compare", "abbnn", "reactnet18", "--conventions"],
    ["models"],
    ["targets", "fpga"],
)


def cpu(command: list[str], environment: dict[str, str]) -> float:
    """User and system seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    print("| command | first, CPU s | cached, CPU s (minimum) | cached, CPU s (median) |\n| --- | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as store:
        environment = {**os.environ, "COSTMODEL_CACHE": store, "OMP_NUM_THREADS": "1"}
        for arguments in COMMANDS:
            command = [sys.executable, "-m", "costmodel.cli.main", *arguments]
            first = cpu(command, environment)
            times = [cpu(command, environment) for _ in range(args.repeats)]
            name, median = " ".join(arguments), statistics.median(times)
            print(f"| `costmodel {name}` | {first:.2f} | {min(times):.2f} | {median:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\npeak memory of the largest process {peak:.0f} MiB")


if __name__ == "__main__":
    main()
