"""How long the dashboard takes: from the start of the process to its first answer, and for each callback.

``python benchmarks/dashboard.py [--points 10000000] [--repeat 15]``. Callbacks are asked over HTTP dispatch as the
browser asks them, encoding included; times are medians, wall and processor.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=15)
    args = parser.parse_args()
    start_up()
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "cloud"
        make_cloud(sweep, args.points)
        callbacks(sweep, args.repeat)


def start_up() -> None:
    """Start the command, ask for the page, its layout and the first figure."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "costmodel.cli.main", "dashboard", "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[2]
        urllib.request.urlopen(address).read()
        wall = time.perf_counter() - begin
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / 100
        print(f"start to first page: {wall:.2f} s wall, {cpu:.2f} s processor")
    finally:
        process.terminate()
        process.wait()


def make_cloud(folder: Path, points: int) -> None:
    """Parts as a sweep writes them, of random designs."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "parts").mkdir(parents=True)
    rng = np.random.default_rng(0)
    size = 1_000_000
    for part, begin in enumerate(range(0, points, size)):
        n = min(size, points - begin)
        lut = 10 ** rng.normal(4.5, 0.3, n)
        seconds = 10 ** rng.normal(-3, 0.5, n) * (3e4 / lut) ** 0.8
        bram = rng.integers(10, 400, n).astype(float)
        table = pa.table({"id": np.arange(begin, begin + n), "seconds_per_image": seconds, "lut": lut, "bram18": bram})
        pq.write_table(table, folder / "parts" / f"part-{part:05d}.parquet", compression="zstd")


def callbacks(sweep: Path, repeat: int) -> None:
    from costmodel.dashboard.app import make_app

    from tests.dashboard.client import Client

    client = Client(make_app(sweep_folders=[sweep]))
    design = {"tabs.value": "design"}
    clouds = {"tabs.value": "sweeps", "sweep.value": ["0"], "s-x.value": "lut", "s-y.value": "seconds_per_image",
              "s-x-scale.value": "log", "s-y-scale.value": "log"}  # fmt: skip
    zoom = {f"{a}axis.range[{i}]": v for a, r in (("x", (4.2, 4.8)), ("y", (-3.5, -2.5))) for i, v in enumerate(r)}
    pins = ["abbnn-reactnet18-cifar10@asic", "bn-reactnet18-cifar10@asic-45nm-nangate", "cnv-w1a1@asic-45nm-nangate"]
    clocks = iter(range(100, 10_000))
    cases: dict[str, Callable[[], Any]] = {
        "page": lambda: client.ask("root.children"),
        "explorer": lambda: client.ask("trade-off.figure"),
        "explorer, every data set of targets": lambda: client.ask("trade-off.figure", {"y.value": "latency_s"}),
        "explorer, constraints": lambda: client.ask(
            "trade-off.figure", {"constraints.value": "LUT<=53200 and FPS>=30"}
        ),
        "explorer, ImageNet": lambda: client.ask("trade-off.figure", {"dataset.value": "imagenet"}),
        "design, known": lambda: client.ask("d-layers.figure", design),
        "design, ASIC, a new clock": lambda: client.ask("d-layers.figure", design, wild=[("clock", next(clocks))]),
        "design, FPGA, a new clock": lambda: client.ask(
            "d-layers.figure", {**design, "d-target.value": "pynq-z2"}, wild=[("clock", next(clocks) / 10)]
        ),
        "design, ARM, a new clock": lambda: client.ask(
            "d-layers.figure",
            {**design, "d-target.value": "raspberry-pi-4b"},
            wild=[("clock", 600 + next(clocks) / 10)],
        ),
        "conventions": lambda: client.ask("d-counted.children", design),
        "compare": lambda: client.ask("c-bars.figure", {"tabs.value": "compare", "pins.data": pins[1:]}),
        "sweep, whole": lambda: client.ask("s-cloud.figure", clouds, changed="s-x.value"),
        "sweep, zoomed": lambda: client.ask(
            "s-cloud.figure", {**clouds, "s-cloud.relayoutData": zoom}, changed="s-cloud.relayoutData"
        ),
    }
    print(f"{'callback':38} {'first':>9} {'median':>9} {'cpu':>9}   [ms]")
    for name, ask in cases.items():
        begin = time.perf_counter()
        ask()
        first = time.perf_counter() - begin
        walls, cpus = [], []
        for _ in range(repeat):
            wall, cpu = time.perf_counter(), time.process_time()
            ask()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        print(
            f"{name:38} {1e3 * first:9.1f} {1e3 * statistics.median(walls):9.1f} {1e3 * statistics.median(cpus):9.1f}"
        )


if __name__ == "__main__":
    main()
