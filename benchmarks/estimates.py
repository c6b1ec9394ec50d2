"""What pricing a network on a target costs, in CPU milliseconds of one process that has the network's ledger.

    python benchmarks/estimates.py [--models abbnn-reactneta cnv-w1a1 ...] [--targets pynq-z2 ...] [--repeats 15]

`load`: reading the target's files. `first`: the first estimate in a fresh process, imports of the hardware model
included (numpy is there already, as it is after tracing). `new network`: the first estimate of this network on this
target, when only another network was priced, on another target of the kind. `new target`: the first on this target
after one of the same network on another of the kind. `again`: the median of further ones on the same target. `totals`:
adding up an estimate. `many`: configurations per second that `costmodel.targets.totals` prices at once, drawn at random
over clock, supply, array and memories, or over clock and threads.
Without compiled bytecode (PYTHONDONTWRITEBYTECODE) `first` holds the compilation of the modules as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from time import process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.targets.spec import Target

MODELS = ("abbnn-reactneta", "abbnn-reactnet18-cifar10", "cnv-w1a1")
TARGETS = ("pynq-z2", "zcu102", "alveo-u250", "raspberry-pi-4b", "cortex-m7", "asic-45nm-nangate", "asic-7nm-asap7")
#: A target of each kind that is priced before the one in question.
BEFORE = {"fpga": "zcu104", "arm": "pixel-1", "asic": "asic-130nm-sky130"}
#: A small network that is priced before the one in question.
SMALL = "tfc-w1a1"
COLUMNS = ("load", "first", "new network", "new target", "again", "totals", "many")
#: Configurations that are priced at once.
MANY = 1 << 16


def measure(model: str, target: str, repeats: int) -> dict[str, float]:
    """Milliseconds by column, without ``new target``; its first estimate is the first of this process."""
    import numpy  # noqa: F401  (tracing has imported it)

    import costmodel
    from costmodel.targets import estimate, load_target, totals

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
    found = {name: 1e3 * seconds for name, seconds in times.items()}
    if spec.kind != "fpga":
        options = draw(spec)
        totals(profile, spec, **options)
        start = process_time()
        totals(profile, spec, **options)
        found["many"] = MANY / (process_time() - start)
    return found


def draw(spec: Target) -> dict[str, Any]:
    """Random configurations of a chip or a core."""
    import numpy as np

    random = np.random.default_rng(0)
    clock = spec.parameters["clock"]
    options: dict[str, Any] = {"clock": random.uniform(clock.min, clock.max, MANY)}
    if spec.kind == "arm":
        return options | {"threads": random.integers(1, int(spec.structure.get("cores", 1)) + 1, MANY)}
    for name in ("outputs", "terms", "pixels", "activation_sram", "weight_sram", "voltage"):
        home = spec.value("vdd") if name == "voltage" else spec.parameters[name].default
        scales = (1.0, 1.05, 1.1) if name == "voltage" else (1, 2, 4)
        options[name] = random.choice([scale * home for scale in scales], MANY)
    return options


def measure_after(model: str, target: str, before: str) -> float:
    """Milliseconds of the first estimate on a target after one of the network ``before`` on another of the kind."""
    import numpy  # noqa: F401

    import costmodel
    from costmodel.targets import estimate, load_target

    profiles = {name: costmodel.profile(name) for name in (SMALL, model)}
    profile, spec = profiles[model], load_target(target)
    estimate(profiles[SMALL], BEFORE[spec.kind])
    estimate(profiles[before], BEFORE[spec.kind])
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
    parser.add_argument("--after", nargs=3, metavar=("MODEL", "TARGET", "BEFORE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], args.one[1], args.repeats)))
        return
    if args.after:
        print(json.dumps(measure_after(*args.after)))
        return
    import costmodel

    print(f"| network | target | {' | '.join(COLUMNS)} |\n| --- | --- |{' --: |' * len(COLUMNS)}")
    costmodel.profile(SMALL)
    for model in args.models:
        costmodel.profile(model)  # into the store
        for target in args.targets:
            runs = [fresh("--one", model, target, "--repeats", str(args.repeats)) for _ in range(args.processes)]
            for name, before in (("new network", SMALL), ("new target", model)):
                for run in runs:
                    run[name] = fresh("--after", model, target, before)
            medians = {name: statistics.median(run[name] for run in runs) for name in COLUMNS if name in runs[0]}
            many = f"{medians.pop('many') / 1e3:.0f} k" if "many" in medians else ""
            cells = [f"{medians[name]:.1f}" for name in COLUMNS if name != "many"] + [many]
            print(f"| {model} | {target} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
