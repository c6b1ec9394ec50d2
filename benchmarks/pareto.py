"""Pareto fronts of large sets: `costmodel.explore.pareto` against moocore alone, in one run.

    python benchmarks/pareto.py [--points 1e7] [--repeats 3] [--json FILE]

Prints, for each kind of set and number of objectives: size of the front, CPU seconds of both (median), their ratio, the
peak extra memory of both (resident set over the input), and whether the masks are identical. Sets: `uniform` in a cube,
`correlated` (Gaussian, correlation 0.9), and the dense `shell` (a simplex of the given thickness: 1 % or more of the
points are on the front) and `ties` (integers of 0..999).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import moocore
import numpy as np

from costmodel.explore.pareto import nondominated


def uniform(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random((n, d))


def correlated(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    points = rng.standard_normal((n, d))
    points *= np.sqrt(0.1)
    points += np.sqrt(0.9) * rng.standard_normal((n, 1))
    return points


def shell(n: int, d: int, rng: np.random.Generator, thickness: float = 0.1) -> np.ndarray:
    points = rng.exponential(size=(n, d))
    points /= points.sum(axis=1, keepdims=True)
    points += rng.uniform(0, thickness, size=(n, 1))
    return points


def thin(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return shell(n, d, rng, 0.01)


def ties(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return np.floor(1000 * shell(n, d, rng))


SETS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "uniform": uniform,
    "correlated": correlated,
    "shell": shell,
    "thin shell": thin,
    "ties": ties,
}


def resident(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise RuntimeError(key)


def measure(function: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Result, CPU seconds, and peak resident MB above the start; the result's own bytes are not counted."""
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    start = time.process_time()
    result = function()
    seconds = time.process_time() - start
    return result, seconds, resident("VmHWM") - before - result.nbytes / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=float, default=1e7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--objectives", nargs="*", type=int, default=[2, 3, 4])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    for d in (3, 6):  # compile
        for kind in (uniform, shell):
            nondominated(kind(20_000, d, np.random.default_rng(0)))
    rows = []
    print(
        f"{'set':10} {'d':>2} {'front':>9} {'moocore s':>10} {'ours s':>8} {'ratio':>7} {'MB':>5} {'ours MB':>7} same"
    )
    for name in args.sets:
        for d in args.objectives:
            points = SETS[name](int(args.points), d, np.random.default_rng(d))
            theirs, ours = [], []
            for _ in range(args.repeats):
                expected, seconds, their_mb = measure(lambda p=points: moocore.is_nondominated(p))
                theirs.append(seconds)
                mask, seconds, our_mb = measure(lambda p=points: nondominated(p))
                ours.append(seconds)
            same = bool(np.array_equal(mask, expected))
            a, b = statistics.median(theirs), statistics.median(ours)
            row = {"set": name, "objectives": d, "points": int(args.points), "front": int(mask.sum())}
            row |= {"moocore_s": a, "ours_s": b, "ratio": a / b, "identical": same}
            rows.append(row | {"moocore_mb": their_mb, "ours_mb": our_mb})
            size = row["front"]
            print(
                f"{name:10} {d:2} {size:9} {a:10.3f} {b:8.3f} {a / b:7.1f} {their_mb:5.0f} {our_mb:7.0f} {same}",
                flush=True,
            )
            if not same:
                raise SystemExit("the masks differ")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
