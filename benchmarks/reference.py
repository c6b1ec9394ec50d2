"""The reference space: networks with a known accuracy, on every shipped target, at several clocks, as exact fronts.

    python benchmarks/reference.py [--workers 2] [--data cifar10 cifar100] [--keep] [--all]

Prints how long each data set takes, in wall and CPU seconds of all processes; profiles are traced before. ``--keep``
puts the fronts next to the spaces, as they are shipped. ``--all``: instead every network of the zoo on every target, a
front for each network.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import costmodel
from costmodel.explore.cases import cases
from costmodel.explore.reference import RESULTS, datasets
from costmodel.explore.space import read_space


def explore(space: Path, folder: Path, workers: int) -> None:
    """One sweep by the command line, with what it took."""
    read = read_space(space)
    for network in read.networks:
        costmodel.profile(network.model)  # from here on it is in the store
    fronts = sum(len(c.clocks) or (1 if c.entry.search == "grid" else c.designs) for c in cases(read))
    before, start = os.times(), time.monotonic()
    command = [sys.executable, "-m", "costmodel.cli.main", "explore", str(space), "-o", str(folder), "--quiet"]
    subprocess.run([*command, "--workers", str(workers), "--members", "1"], check=True, stdout=subprocess.DEVNULL)
    after, seconds = os.times(), time.monotonic() - start
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    targets = len({entry.target for entry in read.entries})
    print(
        f"{space.stem}: {len(read.networks)} networks, {targets} targets, {fronts} exact fronts or grids by case, "
        f"setting and clock: {seconds:.0f} s wall, {spent:.0f} s CPU",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data", nargs="*", default=datasets(), choices=datasets())
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        if args.all:
            space = yaml.safe_load((RESULTS / "cifar10" / "reference.yaml").read_text())
            space |= {"networks": [{"match": "*"}], "fronts": "network", "objectives": {
                "fpga": ["seconds_per_image", "lut", "clock_Hz"], "asic": ["seconds_per_image", "energy_J", "area_mm2"],
                "arm": ["seconds_per_image", "clock_Hz"],
            }}  # fmt: skip
            for entry in space["targets"]:  # foldings of the largest networks are too many to add up with UltraRAM
                entry.pop("ultra", None)
            (root / "all.yaml").write_text(yaml.safe_dump(space))
            explore(root / "all.yaml", root / "out", args.workers)
            return
        for data in args.data:
            space = root / f"{data}.yaml"
            shutil.copy(RESULTS / data / "reference.yaml", space)
            explore(space, root / data, args.workers)
            if args.keep:
                for old in (RESULTS / data).glob("front-*.parquet"):
                    old.unlink()
                for front in (root / data).glob("front-*.parquet"):
                    shutil.copy(front, RESULTS / data / front.name)


if __name__ == "__main__":
    main()
