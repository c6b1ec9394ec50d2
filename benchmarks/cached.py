"""What an answer from the store costs: CPU seconds of the whole process, next to those of ``python -c pass``.

    python benchmarks/cached.py [--repeats 9]

Each command runs once to fill a store of its own, then `--repeats` times in turn with ``python -c pass``, so that both
meet the same machine; the table shows medians of user and system time of the process, interpreter start included, and
their ratio. Modules have their bytecode, as an installed package has.
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
    ["--help"],
    ["profile", "--help"],
    ["profile", "abbnn"],
    ["profile", "abbnn", "--target", "fpga"],
    ["profile", "abbnn", "--target", "arm"],
    ["profile", "abbnn", "--target", "asic"],
    ["profile", "abbnn", "--target", "fpga", "--by", "layer"],
    ["profile", "reactneta"],
    ["profile", "reactneta", "--format", "json"],
    ["compare", "abbnn", "reactnet18", "--conventions"],
    ["models"],
    ["targets", "fpga"],
)
PASS = [sys.executable, "-c", "pass"]


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
    print("| command | first, CPU s | from the store, CPU s | `python -c pass`, CPU s | ratio |")
    print("| --- | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as store:
        environment = {**os.environ, "COSTMODEL_CACHE": store, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for arguments in COMMANDS:
            command = [sys.executable, "-m", "costmodel", *arguments]
            first, times, bare = cpu(command, environment), [], []
            for _ in range(args.repeats):
                times.append(cpu(command, environment))
                bare.append(cpu(PASS, environment))
            median, least = statistics.median(times), statistics.median(bare)
            name = f"costmodel {' '.join(arguments)}"
            print(f"| `{name}` | {first:.2f} | {median:.3f} | {least:.3f} | {median / least:.1f} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\npeak memory of the largest process {peak:.0f} MiB")


if __name__ == "__main__":
    main()
