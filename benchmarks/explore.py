"""Evaluation rates and sweeps: how many designs per second, in how much memory, and what is lost when workers die.

    python benchmarks/explore.py [--samples 1e8] [--cluster-samples 2e7] [--only rates|sweeps] [--json FILE]

Rates are CPU seconds on one core, medians, in one run: from the tables, with drawing and a streamed front, and by the
scalar path. Sweeps draw foldings of CNV-W1A1 on two local workers: undisturbed, with one worker killed, and with the
whole run killed and resumed, by each engine; all fronts are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import costmodel
from costmodel.explore import tasks
from costmodel.explore.dataflow import Rules, space
from costmodel.explore.mapping import layer_tables
from costmodel.explore.space import read_space
from costmodel.explore.tables import FoldingTables, draw
from costmodel.targets.asic import price as asic

SPACE = """
networks: [cnv-w1a1]
targets: [{{target: zcu104, memories: auto, folding: {{samples: {samples:.0f}, seed: 1}}}}]
"""


def rate(count: int, function: Callable[[], Any], repeats: int = 5) -> float:
    function()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return count / statistics.median(seconds)


def rates() -> dict[str, float]:
    found: dict[str, float] = {}
    block = 1 << 16
    for name in ("tfc-w1a1", "cnv-w1a1", "abbnn-reactnet18-cifar10"):
        profile = costmodel.profile(name)
        design = space(profile, "zcu104", Rules(free_memories=False)).design
        tables = FoldingTables(design)
        choices = draw(tables.sizes, 1, 0, block)
        rows = choices[:200].astype(int)
        found[f"{name}, FPGA, tables"] = rate(block, lambda t=tables, c=choices: t.evaluate(c))
        found[f"{name}, FPGA, scalar"] = rate(len(rows), lambda d=design, r=rows: [d.price(row) for row in r], 1)
        chip = costmodel.load_target("xne")
        layers = layer_tables(profile.deployed, chip, chip.settings({}, asic.OPTIONS))
        picks = draw(layers.sizes, 1, 0, block)
        found[f"{name}, ASIC, tables"] = rate(block, lambda t=layers, c=picks: t.evaluate(c))
        some = picks[:200].tolist()
        found[f"{name}, ASIC, scalar"] = rate(len(some), lambda t=layers, r=some: [t.price(row) for row in r], 1)
        samples = {"samples": tasks.SAMPLES_A_CHUNK}
        for kind, target in (
            ("FPGA", {"target": "alveo-u250", "memories": "auto", "folding": samples}),
            ("ASIC", {"target": "xne", "mapping": samples}),
        ):
            sampled = read_space({"networks": [name], "targets": [target]})
            (job,) = tasks.jobs(sampled, tasks.ledgers_of(sampled))
            found[f"{name}, {kind}, drawn and streamed front"] = rate(
                tasks.SAMPLES_A_CHUNK, lambda j=job: tasks.run(j), 3
            )
    for name, value in found.items():
        print(f"{name}: {value:.3g} designs per second", flush=True)
    return found


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += [int(p) for p in (task / "children").read_text().split()]
    return found


def memory(pids: list[int]) -> float:
    """Proportional set size of processes in MB: shared pages count once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def workers_of(pid: int, engine: str) -> list[int]:
    """Processes that price chunks."""
    mark = {"local": "LokyProcess", "dask": "spawn_main", "ray": "ray::"}[engine]
    found = []
    for child in family(pid)[1:]:
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "):
                found.append(child)
    return found


def run(folder: Path, file: Path, engine: str, disturb: str = "") -> dict[str, Any]:
    """One sweep by the command line; ``disturb``: kill one ``worker``, or the whole ``run`` and resume it."""
    command = [sys.executable, "-m", "costmodel.cli.main", "explore", str(file), "-o", str(folder), "--workers", "2"]
    command += ["--engine", engine, "--quiet", "--members", "1"]
    start, peak, hit = time.monotonic(), 0.0, not disturb
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None:
        time.sleep(0.25)
        peak = max(peak, memory(family(process.pid)))
        if not hit and any(folder.glob("parts/part-*")):
            if disturb == "run":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                hit = True
            elif victims := workers_of(process.pid, engine):
                os.kill(victims[-1], signal.SIGKILL)
                hit = True
    kept = len(list(folder.glob("parts/part-*")))
    if disturb == "run":
        process = subprocess.Popen([*command, "--resume"], stdout=subprocess.DEVNULL)
        process.wait()
    seconds = time.monotonic() - start
    front = (
        (folder / "front-fpga-cnv-w1a1.csv").read_text() if process.returncode == 0 else f"exit {process.returncode}"
    )
    row = {"engine": engine, "disturbed": disturb or "nothing", "hit": hit, "seconds": seconds, "peak_mb": peak}
    print(
        f"{engine}, killed: {disturb or 'nothing'}{'' if hit else ' (too late)'}: {seconds:.1f} s, peak {peak:.0f} MB, "
        f"parts at the kill {kept}",
        flush=True,
    )
    return row | {"front": front}


def sweeps(samples: float, cluster_samples: float, engines: list[str]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        file = root / "large.yaml"
        file.write_text(SPACE.format(samples=samples))
        if samples:
            row = run(root / "large", file, "local")
            print(f"{samples:.0e} designs: {samples / row['seconds']:.3g} a second on two workers")
            rows.append({**row, "samples": samples})
        small = root / "small.yaml"
        small.write_text(SPACE.format(samples=cluster_samples))
        expected = run(root / "serial", small, "serial")
        for engine in engines:
            for disturb in ("", "worker", "run"):
                row = run(root / f"{engine}-{disturb}", small, engine, disturb)
                row["identical"] = row["front"] == expected["front"]
                print(f"  front identical: {row['identical']}")
                rows.append({**row, "samples": cluster_samples})
                overhead = row["seconds"] / expected["seconds"]
                print(f"  {overhead:.2f} of the time of one process ({expected['seconds']:.1f} s)", flush=True)
    return [{key: value for key, value in row.items() if key != "front"} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=float, default=1e8)
    parser.add_argument("--cluster-samples", type=float, default=2e7)
    parser.add_argument("--engines", nargs="*", default=["local", "dask", "ray"])
    parser.add_argument("--only", choices=("rates", "sweeps"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, Any] = {}
    if args.only != "sweeps":
        found["rates"] = rates()
    if args.only != "rates":
        found["sweeps"] = sweeps(args.samples, args.cluster_samples, args.engines)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
