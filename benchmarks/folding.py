"""Exact folding fronts: time, size, against FINN's folding pass and evolutionary search, in one run.

    python benchmarks/folding.py [--json FILE]
    python benchmarks/folding.py --finn              (FINN's pass alone, at 80 rates on four networks)
    python benchmarks/folding.py --against CHECKOUT  (fronts without DSP slices, in turn with another version)
    python benchmarks/folding.py --deep              (two hundred layers in a row)

For each network: the folding space under the stated model, CPU seconds to build its tables and (median of five) its
exact front, the certified four-objective front, FINN's pass with its limit of 36 weight bits on both sides and without,
and NSGA-II and random sampling given at least the time of the exact front.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import costmodel
from costmodel.explore.compose import Objectives, compose
from costmodel.explore.dataflow import Rules, space
from costmodel.explore.folding import count
from costmodel.explore.greedy import against
from costmodel.explore.pareto import nondominated
from costmodel.explore.search import objectives, sample, search
from costmodel.explore.tables import FoldingTables, draw
from costmodel.targets.fpga.choices import RESOLUTION

RATED = (
    ("tfc-w1a1", "zcu102"), ("cnv-w1a1", "zcu102"), ("abbnn-reactnet18-cifar10", "zcu102"),
    ("bn-bireal18-cifar10", "zcu102"),
)  # fmt: skip
RATES = 80
NETWORKS = (("cnv-w1a1", "pynq-z2"), ("abbnn-reactnet18-cifar10", "zcu104"))


def median(function: Callable[[], Any], repeats: int = 5) -> tuple[float, Any]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), result


def finn() -> None:
    """LUTs of FINN's pass above the optimum that is as fast, at rates evenly spread on a logarithmic scale."""
    for name, device in RATED:
        profile = costmodel.profile(name)
        for cap in (36, None):
            found = space(profile, device, Rules(cap, free_memories=False))
            ends = np.log(found.design.intervals[[0, -1]])
            targets = np.unique(np.exp(np.linspace(*ends, RATES)).astype(int) + 1).tolist()
            rows = against(found, cap, targets)
            excess = np.array([r.lut / r.best_lut - 1 for r in rows])
            frugal = np.array([r.lut / r.best_bram_lut - 1 for r in rows])
            print(
                f"{name} on {device}, {'widths up to 36 bits' if cap else 'no limit on widths'}, {len(rows)} rates: "
                f"LUT above the optimum: median {np.median(excess):+.1%}, from {excess.min():+.1%} to "
                f"{excess.max():+.1%}; with no more block RAM: median {np.nanmedian(frugal):+.1%}",
                flush=True,
            )


#: Times one front on each line that it is given, in CPU seconds, after it has said how large the space is.
WORKER = """
import sys, time
import costmodel
from costmodel.explore.compose import Objectives, compose
from costmodel.explore.dataflow import Rules, space
from costmodel.explore.folding import count

name, device, free = sys.argv[1:]
design = space(costmodel.profile(name), device, Rules(free_memories=free == "free")).design
compose(design, Objectives(dsp=False))
print(f"{design.size:.1e} foldings", flush=True)
for _ in sys.stdin:
    start = time.process_time()
    compose(design, Objectives(dsp=False))
    print(time.process_time() - start, flush=True)
"""


def in_turn(other: Path, repeats: int = 15) -> None:
    """The front of each network by this version and by that of another checkout, one after the other."""
    here = Path(__file__).resolve().parent.parent
    for name, device in NETWORKS:
        for free in ("auto", "free"):
            with tempfile.TemporaryDirectory() as store:
                workers = [
                    subprocess.Popen(
                        [sys.executable, "-c", WORKER, name, device, free], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True, cwd=place.resolve(),
                        env={**os.environ, "PYTHONPATH": str(place.resolve()), "COSTMODEL_CACHE": f"{store}/{number}"},
                    )
                    for number, place in enumerate((here, other))
                ]  # fmt: skip
                sizes = [_line(worker) for worker in workers]
                seconds: list[list[float]] = [[], []]
                for _ in range(repeats):
                    for worker, known in zip(workers, seconds, strict=True):
                        assert worker.stdin is not None
                        worker.stdin.write("\n")
                        worker.stdin.flush()
                        known.append(float(_line(worker)))
                for worker in workers:
                    worker.communicate()
            mine, theirs = map(statistics.median, seconds)
            print(
                f"{name}, memories {'chosen' if free == 'free' else 'by size'}: {mine * 1e3:.0f} ms ({sizes[0]}), the "
                f"other version {theirs * 1e3:.0f} ms ({sizes[1]}): {mine / theirs:.2f} of its time",
                flush=True,
            )


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def deep(layers: int = 200) -> None:
    """The front of a network of ``layers`` binary convolutions in a row."""
    from torch import nn

    from costmodel.load.quantised import quantise

    blocks = [nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)) for _ in range(layers)]
    network = nn.Sequential(*blocks)
    quantise(network, "*=w1a1")
    profile = costmodel.profile(network, "1x64x16x16")
    built, found = median(lambda: space(profile, "alveo-u250", Rules(free_memories=False)), 1)
    seconds, front = median(lambda: compose(found.design, Objectives(dsp=False)), 3)
    size = count(found.design.size)
    print(f"{layers} layers: {size} foldings, tables {built:.2f} s, front {seconds:.2f} s, {len(front)} members")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--finn", action="store_true")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--deep", action="store_true")
    args = parser.parse_args()
    if args.against:
        in_turn(args.against)
        return
    if args.deep:
        deep()
        return
    if args.finn:
        finn()
        return
    results: dict[str, Any] = {}
    for name, device in NETWORKS:
        profile = costmodel.profile(name)
        for rules in (Rules(free_memories=False), Rules()):
            built, found = median(lambda p=profile, d=device, r=rules: space(p, d, r), 1)  # tables are kept
            design = found.design
            compose(design, Objectives(dsp=False))
            three, front = median(lambda d=design: compose(d, Objectives(dsp=False)))
            four, all_four = median(lambda d=design: compose(d))
            certified, eps = median(lambda d=design: compose(d, Objectives(epsilon=0.05)), 1)
            label = f"{name} on {device}, memories {'chosen' if rules.free_memories else 'by size'}"
            row = {"space": float(design.size), "units": len(design.units), "intervals": len(design.intervals)}
            row |= {
                "tables_s": built,
                "front_s": three,
                "front": len(front),
                "with_dsp_s": four,
                "with_dsp": len(all_four),
            }
            row |= {"certified_epsilon": 0.05, "certified_s": certified, "certified": len(eps)}
            print(f"{label}: {design.size:.1e} foldings of {len(design.units)} units")
            print(
                f"  tables {built * 1e3:.0f} ms; front of interval, LUT, BRAM {three * 1e3:.0f} ms, {len(front)} points"
            )
            print(
                f"  with DSP {four * 1e3:.0f} ms, {len(all_four)}; with FF, epsilon 5 %: {certified:.2f} s, {len(eps)}"
            )
            tables = FoldingTables(design)
            points = np.column_stack([front.rows[:, 0], front.rows[:, 3] / RESOLUTION, front.rows[:, 1]])
            drawn = objectives(tables, draw(tables.sizes, 1, 0, 100_000))
            mine = search(design, 10_000)
            both = np.concatenate([points, drawn, mine.points.points])
            undominated = int(nondominated(both)[len(points) :].sum())
            row |= {"heuristic_points": len(both) - len(points), "undominated": undominated, "nsga2": mine.ratio}
            row["random"] = sample(design, 100_000).ratio
            print(
                f"  hypervolume of exact: NSGA-II, 10 000 designs {mine.ratio:.1%}; "
                f"random, 100 000 {row['random']:.1%}; undominated heuristic points: {undominated}"
            )
            results[label] = row
        for cap in (36, None):
            rows = against(space(profile, device, Rules(cap, free_memories=False)), cap)
            excess = np.array([r.lut / r.best_lut - 1 for r in rows])
            frugal = np.array([r.lut / r.best_bram_lut - 1 for r in rows])
            if cap is None:
                capped = against(space(profile, device, Rules(None, free_memories=False)), 36)
                excess = np.array([r.lut / r.best_lut - 1 for r in capped])
                frugal = np.array([r.lut / r.best_bram_lut - 1 for r in capped])
            label = f"{name} on {device}: FINN's pass (36 bits), exact " + ("with the same limit" if cap else "without")
            results[label] = {
                "targets": len(rows), "median": float(np.median(excess)), "mean": float(excess.mean()),
                "max": float(excess.max()), "min": float(excess.min()), "median_no_more_bram": float(np.median(frugal)),
            }  # fmt: skip
            print(
                f"{label}: LUT above the optimum, {len(rows)} targets: median {np.median(excess):.1%}, "
                f"mean {excess.mean():.1%}, max {excess.max():.1%}, least {excess.min():.1%}; "
                f"with no more block RAM: median {np.median(frugal):.1%}"
            )
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
