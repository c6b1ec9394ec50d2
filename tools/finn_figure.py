"""Measured accuracy against the hardware it takes, for FINN's dense networks and their A&B forms: docs/finn.svg.

    python -m tools.finn_figure

Accuracies are the package's own records (mean and range over seeds). LUTs are estimates for the board of the BNN-PYNQ
overlays at three rates, in the cheapest foldings; for the overlay of LFC what Vivado reported stands next to the
estimate of its own folding.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from statistics import mean
from typing import Any

from costmodel import estimate, profile
from costmodel.files import atomic_write
from costmodel.targets.quantity import Interval
from costmodel.train.records import measured
from costmodel.validate.cases_fpga import DESIGNS, bill
from costmodel.views.plots.palette import CYCLE, LIGHT

ROOT = Path(__file__).parent.parent
FIGURE = ROOT / "docs/finn.svg"
TRUTH = ROOT / "costmodel/validate/ground_truth.csv"
BOARD, CLOCK_HZ = "pynq-z1", 100e6
#: Cycles from one image to the next: those of the overlay of LFC, eight times as many, and an eighth.
CYCLES = (4096, 512, 64)
NETWORKS = ("tfc", "sfc", "lfc")


def accuracy(network: str) -> Interval | None:
    """Mean of the measured top-1 accuracies of a network, with the least and the greatest; ``None`` without one."""
    found = [r.accuracy for r in measured() if r.network == network and r.held_out == "test"]
    return Interval(mean(found), min(found), max(found)) if found else None


def luts(network: str, cycles: int) -> Interval | None:
    """LUTs of the folding that takes an image every ``cycles``; ``None`` where none of the board's does."""
    made = estimate(profile(network), BOARD, fps=CLOCK_HZ / cycles)
    return None if made.misfit else made.totals()["lut"]


def overlay() -> tuple[float, Interval]:
    """LUTs of the BNN-PYNQ overlay of LFC: as Vivado reported them, and the estimate of that very folding."""
    with TRUTH.open(newline="", encoding="utf-8") as file:
        (row,) = (row for row in csv.DictReader(file) if row["id"] == "bnnpynq_lfcw1a1_lut")
    priced, _ = bill(DESIGNS[row["model"], row["target"]], lambda text: None)
    return float(row["value"]), priced.totals()["lut"]


def draw() -> bytes:
    """The figure as SVG, the same bytes for the same figures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.hashsalt": "finn", "font.size": 9, "text.color": LIGHT.ink})
    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), layout="constrained")
    for number, network in enumerate(NETWORKS):
        _bars(axes, f"{network}-w1a1", network.upper(), CYCLE[number], filled=True)
        _bars(axes, f"abbnn-{network}-w1a1", f"{network.upper()}, A&B", CYCLE[number], filled=False)
    top1 = accuracy("lfc-w1a1")
    if top1 is not None:
        reported, priced = overlay()
        spread = [[priced.value - priced.low], [priced.high - priced.value]]
        axes.errorbar(
            priced.value, top1.value, None, spread, fmt="s", color=LIGHT.muted, label="LFC overlay, estimate", capsize=3
        )
        axes.plot(reported, top1.value, "x", color=LIGHT.ink, markersize=8, label="LFC overlay, Vivado's report")
    rates = ", ".join(f"{CLOCK_HZ / cycles / 1e3:,.0f}" for cycles in CYCLES)
    axes.set_xscale("log")
    axes.set_xlabel(f"LUTs on {BOARD} at {rates} thousand images per second (left to right)")
    axes.set_ylabel("top-1 on MNIST, %")
    axes.grid(color=LIGHT.line, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(0, 0.55))
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return out.getvalue()


def _bars(axes: Any, network: str, label: str, colour: str, filled: bool) -> None:
    top1 = accuracy(network)
    if top1 is None:
        return
    points = [found for cycles in CYCLES if (found := luts(network, cycles)) is not None]
    x = [p.value for p in points]
    spread = [[p.value - p.low for p in points], [p.high - p.value for p in points]]
    error = [[top1.value - top1.low] * len(x), [top1.high - top1.value] * len(x)]
    face = colour if filled else LIGHT.ground
    y = [top1.value] * len(x)
    axes.errorbar(x, y, error, spread, fmt="o:", color=colour, mfc=face, elinewidth=1, capsize=2, label=label)


def main() -> None:
    atomic_write(FIGURE, draw())


if __name__ == "__main__":
    main()
