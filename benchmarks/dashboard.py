"""How long the dashboard takes: from the start of the process to its first answer and figure, and for each callback.

``python benchmarks/dashboard.py [--points 10000000] [--repeat 15] [--sweep DIR]``. The points are those of a sweep of
``costmodel explore --keep-points``, which is run first where no folder is given. Callbacks are asked over HTTP dispatch
as the browser asks them, encoding included; times are medians, wall and processor. Figures are timed in Debian's
Chromium, where there is one, up to the pixels.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
CLI = [sys.executable, "-m", "costmodel.cli.main"]
SWEEP = "?tab=sweeps&sx=lut&sy=seconds_per_image"
#: Of the foldings that are drawn at random, the device holds every second; all of those are kept.
SPACE = """\
networks: [cnv-w1a1]
targets:
  - {{target: zcu104, clock: [100e6, 200e6], folding: {{samples: {samples}, seed: 1}}}}
objectives: [seconds_per_image, lut, bram18]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--sweep", type=Path, help="result folder of costmodel explore --keep-points")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sweep = args.sweep or make_sweep(Path(folder), args.points)
        start_up()
        first_painted()
        first_figure("the shipped results", "", [], "#trade-off .scatterlayer .point")
        first_figure("the sweep", SWEEP, ["--sweep", str(sweep)], "#s-cloud .heatmaplayer .hm image")
        callbacks(sweep, args.repeat)
    clients(20)
    memory(1000)


def clients(number: int) -> None:
    """So many browsers at once, each with other choices: what each of them waits for the answer to a filter."""
    from concurrent.futures import ThreadPoolExecutor

    from costmodel.dashboard.app import make_app
    from tests.dashboard.client import Client

    client = Client(make_app())
    data = cycle(("cifar10", "cifar100", "imagenet", "mnist", "digits"))
    asked = [{"dataset.value": next(data), "constraints.value": f"latency <= {i} ms"} for i in range(1, 5 * number + 1)]

    def ask(values: dict[str, Any]) -> float:
        begin = time.perf_counter()
        assert client.ask("trade-off.figure", values)["summary"]["children"]
        return time.perf_counter() - begin

    begin, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(number) as pool:
        waits = sorted(pool.map(ask, asked))
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(
        f"{number} clients at once, {len(asked)} filters: {len(asked) / wall:.1f} answers a second, "
        f"{1e3 * cpu / len(asked):.0f} ms of processor each; waits {waits[len(waits) // 2]:.2f} s in the median, "
        f"{waits[-1]:.2f} s at most"
    )


def memory(number: int) -> None:
    """What the process holds after warming up and after so many more callbacks, in MiB."""
    from costmodel.dashboard.app import make_app
    from tests.dashboard.client import Client

    client = Client(make_app())
    clocks = iter(range(1, 10 * number))
    kinds = cycle(("asic-45nm-nangate", "raspberry-pi-4b", "xne"))

    def ask(i: int) -> None:
        if i % 4 == 0:
            client.ask("trade-off.figure", {"constraints.value": f"latency <= {next(clocks)} ms"})
            return
        of = {"tabs.value": "design", "d-network.value": "abbnn-reactnet18-cifar10", "d-target.value": next(kinds)}
        output = "d-space.figure" if i % 20 == 1 else "d-layers.figure"
        client.ask(output, {**of, "settings.data": [f"clock={700e6 + 1e5 * next(clocks)}"]})

    for i in range(number):
        ask(i)
    begin = _resident()
    for i in range(number):
        ask(i)
    print(f"memory: {begin:.0f} MiB after {number:,} callbacks, {_resident():.0f} MiB after {2 * number:,}")


def _resident() -> float:
    import gc

    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def make_sweep(folder: Path, points: int) -> Path:
    (folder / "space.yaml").write_text(SPACE.format(samples=points))
    words = ["explore", str(folder / "space.yaml"), "-o", str(folder / "sweep"), "--keep-points", str(3 * points)]
    begin = time.perf_counter()
    subprocess.run([*CLI, *words, "--quiet"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    print(f"the sweep itself: {time.perf_counter() - begin:.1f} s wall")
    return folder / "sweep"


@contextmanager
def served(options: list[str]) -> Iterator[tuple[str, int]]:
    """The command as it is started by its user: its address and process."""
    words = [*CLI, "dashboard", "--no-browser", "--port", "0", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2], process.pid
    finally:
        process.terminate()
        process.wait()


def start_up() -> None:
    """Start the command and ask for the page."""
    begin = time.perf_counter()
    with served([]) as (address, pid):
        urllib.request.urlopen(address).read()
        wall = time.perf_counter() - begin
        print(f"start to first page: {wall:.2f} s wall, {_processor(pid):.2f} s processor")


def first_painted() -> None:
    """From the start of the process to the answer and its figure on the screen, as the browser says that it painted
    them: what stands below them is of the same HTML."""
    browser = shutil.which("chromium")
    if browser is None:
        print("no chromium: figures are not timed")
        return
    from playwright.sync_api import sync_playwright

    painted = """() => new Promise(done => new PerformanceObserver(list =>
        done(performance.timeOrigin + list.getEntries()[0].renderTime)).observe({type: 'element', buffered: true}))"""
    with sync_playwright() as p:
        opened = p.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1366, "height": 820})
        page.goto("about:blank")
        begin = time.time()
        with served([]) as (address, _):
            asked = time.time()
            page.goto(address, wait_until="commit")
            end = page.evaluate(painted) / 1000
            print(
                f"first answer and figure on the screen: {end - begin:.2f} s wall after the process started, "
                f"{end - asked:.2f} s after the page was asked for"
            )
        opened.close()


def first_figure(what: str, query: str, options: list[str], drawn: str) -> None:
    """From the start of the process, and from the request of the page, to the figure on the screen."""
    browser = shutil.which("chromium")
    if browser is None:
        print("no chromium: figures are not timed")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        opened = p.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1366, "height": 820})
        page.goto("about:blank")
        begin = time.perf_counter()
        with served(options) as (address, pid):
            asked = time.perf_counter()
            page.goto(address + query)
            page.wait_for_selector(drawn, state="attached", timeout=120_000)
            page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            end = time.perf_counter()
            print(
                f"first figure of {what}: {end - begin:.2f} s wall after the process started, {end - asked:.2f} s "
                f"after the page was asked for; {_processor(pid):.2f} s processor of the server"
            )
        opened.close()


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def callbacks(sweep: Path, repeat: int) -> None:
    from costmodel.dashboard.app import make_app
    from tests.dashboard.client import Client

    client = Client(make_app(sweep_folders=[sweep]))
    design = {"tabs.value": "design"}
    clouds = {"tabs.value": "sweeps", "sweep.value": ["0"], "s-x.value": "lut", "s-y.value": "seconds_per_image",
              "s-x-scale.value": "log", "s-y-scale.value": "log"}  # fmt: skip
    zoom = {f"{a}axis.range[{i}]": v for a, r in (("x", (4.3, 4.6)), ("y", (-3.5, -2.5))) for i, v in enumerate(r)}
    pins = [f"{n}@asic-45nm-nangate" for n in ("abbnn-reactnet18", "bn-reactnet18", "cnv-w1a1", "bn-bireal18")]
    clocks = iter(range(100, 10_000))
    lanes = cycle((1, 2, 4, 8, 16, 32, 64))
    scales = cycle(("pow2", "csd2", "csd3", "lut"))
    networks = cycle(("abbnn-reactnet18", "abbnn-reactnet18", "bn-reactnet18", "bn-reactnet18"))

    def what_if(setting: str, target: str = "asic-45nm-nangate", network: str = "abbnn-reactnet18-cifar10") -> Any:
        chosen = {"d-network.value": network, "d-target.value": target, "settings.data": setting.split()}
        answer = client.ask("d-layers.figure", {**design, **chosen})
        assert answer["d-error"]["children"] == "", answer["d-error"]
        return answer

    cases: dict[str, Callable[[], Any]] = {
        "page": lambda: client.ask("root.children"),
        "explorer": lambda: client.ask("trade-off.figure"),
        "explorer, every data set of targets": lambda: client.ask("trade-off.figure", {"y.value": "latency_s"}),
        "explorer, constraints": lambda: client.ask(
            "trade-off.figure", {"constraints.value": "LUT<=53200 and FPS>=30"}
        ),
        "explorer, ImageNet": lambda: client.ask("trade-off.figure", {"dataset.value": "imagenet"}),
        "design space, seen before": lambda: client.ask(
            "d-space.figure", {**design, "d-target.value": "alveo-u200", "d-network.value": "cnv-w1a1"}
        ),
        "roofline": lambda: client.ask("d-roofline.figure", design),
        "design, known": lambda: client.ask("d-layers.figure", design),
        "design, ASIC, a new clock": lambda: what_if(f"clock={next(clocks)}e6"),
        "design, ASIC, a new SRAM": lambda: what_if(f"activation_sram={1024 * next(clocks)}"),
        "design, FPGA, a new clock": lambda: what_if(f"clock={next(clocks) / 100}e6", "pynq-z2"),
        "design, FPGA, a folding by hand": lambda: what_if(
            f"folding={next(lanes)}x27,64x32,4x192,32x32,1x384,4x16,1x16,1x32,10x1 clock={next(clocks) / 100}e6",
            "pynq-z2",
            "cnv-w1a1",
        ),
        "design, ARM, a new clock": lambda: what_if(f"clock={600 + next(clocks) / 10}e6", "raspberry-pi-4b"),
        "design, another scale option": lambda: what_if(
            f"scale={next(scales)} clock={next(clocks)}e6", "asic-45nm-nangate", next(networks)
        ),
        "conventions": lambda: client.ask("d-counted.children", design),
        "compare": lambda: client.ask("c-bars.figure", {"tabs.value": "compare", "pins.data": pins}),
        "sweep, whole": lambda: client.ask("s-cloud.figure", clouds, changed="s-x.value"),
        "sweep, zoomed": lambda: client.ask(
            "s-cloud.figure", {**clouds, "s-window.data": zoom}, changed="s-window.data"
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
