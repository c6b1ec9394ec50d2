"""What pricing a network on a target costs, in CPU milliseconds of one process that has the network's ledger.

    python benchmarks/estimates.py [--models abbnn-reactneta cnv-w1a1 ...] [--targets pynq-z2 ...] [--repeats 15]

`load`: reading the target's files. `first`: the first estimate in a fresh process, imports of the hardware model
included (numpy is there already, as it is after tracing). `new target`: the first estimate on this target after one on
another of the same kind. `again`: the median of further ones on the same target. `totals`: adding up an estimate.
Without compiled bytecode (PYTHONDONTWRITEBYTECODE) `first` holds the compilation of the modules as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from time import process_time
from typing import Any

MODELS = ("abbnn-reactneta", "abbnn-reactnet18-cifar10", "cnv-w1a1")
TARGETS = ("pynq-z2", "zcu102", "alveo-u250", "raspberry-pi-4b", "cortex-m7", "asic-45nm-nangate", "asic-7nm-asap7")
#: A target of each kind that is priced before the one in question.
BEFORE = {"fpga": "zcu104", "arm": "pixel-1", "asic": "asic-130nm-sky130"}
COLUMNS = ("load", "first", "new target", "again", "totals")


def measure(model: str, target: str, repeats: int) -> dict[str, float]:
    """Milliseconds by column, without ``new target``; its first estimate is the first of this process."""
    import numpy  # noqa: F401  (tracing has imported it)

    import costmodel
    from costmodel.targets import estimate, load_target

    profile = costmodel.profile(model)
    times = {}
    start = process_time()
    spec = load_target(target)
    times["load"] = process_time() - start
    start = process_time()
    answer = estimate(profile, spec)
    times["first"] = process_time() - start
    again = []
    for _ in range(repeats):
        start = process_time()
        answer = estimate(profile, spec)
        again.append(process_time() - start)
    times["again"] = statistics.median(again)
    start = process_time()
    answer.totals()
    times["totals"] = process_time() - start
    return {name: 1e3 * seconds for name, seconds in times.items()}


def measure_after(model: str, target: str) -> float:
    """Milliseconds of the first estimate on a target after one on another of the same kind."""
    import costmodel
    from costmodel.targets import estimate, load_target

    profile = costmodel.profile(model)
    spec = load_target(target)
    estimate(profile, BEFORE[spec.kind])
    start = process_time()
    estimate(profile, spec)
    return 1e3 * (process_time() - start)


def fresh(*arguments: str) -> Any:
    """What this file prints in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--targets", nargs="+", default=TARGETS)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--processes", type=int, default=3, help="fresh processes; the table shows their medians")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "TARGET"), help=argparse.SUPPRESS)
    parser.add_argument("--after", nargs=2, metavar=("MODEL", "TARGET"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], args.one[1], args.repeats)))
        return
    if args.after:
        print(json.dumps(measure_after(args.after[0], args.after[1])))
        return
    import costmodel

    print(f"| network | target | {' | '.join(COLUMNS)} |\n| --- | --- |{' --: |' * len(COLUMNS)}")
    for model in args.models:
        costmodel.profile(model)  # into the store
        for target in args.targets:
            runs = [fresh("--one", model, target, "--repeats", str(args.repeats)) for _ in range(args.processes)]
            after = [fresh("--after", model, target) for _ in range(args.processes)]
            rows = [{**run, "new target": late} for run, late in zip(runs, after, strict=True)]
            cells = (f"{statistics.median(row[name] for row in rows):.1f}" for name in COLUMNS)
            print(f"| {model} | {target} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
