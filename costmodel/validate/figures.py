"""Estimates against measurements as pictures: what is drawn is data first, so that it can be tested without pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.validate.report import Report
from costmodel.validate.rows import Result

COLOURS = {"calibration": "#7a7a7a", "hold-out": "#1f6fb4", "exact": "#2a9d55", "reference": "#c9c9c9"}


@dataclass(frozen=True)
class Scatter:
    """Points of one group: (measured, estimate, low, high, split, label), and the first baseline's estimates."""

    group: str
    unit: str
    points: tuple[tuple[float, float, float, float, str, str], ...]
    baseline: str
    baseline_points: tuple[tuple[float, float], ...]


def scatters(report: Report) -> list[Scatter]:
    """One picture per group that has positive figures in one unit."""
    found = []
    for group in report.groups():
        for unit in dict.fromkeys(r.row.unit for r in report.of(group)):
            results = [r for r in report.of(group) if r.row.unit == unit and r.row.value > 0 and r.estimate.value > 0]
            if len(results) > 1:
                found.append(_scatter(group, unit, results))
    return found


def _scatter(group: str, unit: str, results: list[Result]) -> Scatter:
    points = tuple(
        (r.row.value, r.estimate.value, r.estimate.low, r.estimate.high, r.row.split, r.row.model) for r in results
    )
    names = list(dict.fromkeys(name for r in results for name in r.baselines))
    name = names[0] if names else ""
    pairs = tuple((r.row.value, r.baselines[name]) for r in results if name in r.baselines and r.baselines[name] > 0)
    return Scatter(group, unit, points, name, pairs)


def draw(report: Report, folder: Path) -> list[Path]:
    """Write one SVG a scatter into ``folder``.

    Raises :class:`CostmodelError` where a file cannot be written and :class:`MissingExtraError` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing figures", "matplotlib", "reports") from error
    written = []
    for scatter in scatters(report):
        figure = Figure(figsize=(5.2, 4.6), layout="constrained")
        _axes(figure.add_subplot(), scatter)
        path = folder / f"{re.sub(r'[^a-z0-9]+', '-', f'{scatter.group} {scatter.unit}'.lower()).strip('-')}.svg"
        try:
            figure.savefig(path)
        except OSError as error:
            raise CostmodelError(f"cannot write {path}: {error.strerror or error}") from error
        written.append(path)
    return written


def limits(scatter: Scatter) -> tuple[float, float]:
    """Ends of both axes: they hold every measurement, estimate, interval and baseline."""
    values = [v for point in scatter.points for v in point[:4] if v > 0]
    values += [v for pair in scatter.baseline_points for v in pair]
    return min(values) / 1.3, max(values) * 1.3


def folder_for(figures: Path) -> Path:
    """The folder of figures, made where it is not there; raises :class:`CostmodelError` where it cannot be made."""
    try:
        figures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CostmodelError(f"cannot make the folder {figures} for figures: {error.strerror or error}") from error
    return figures


def _axes(axes: Any, scatter: Scatter) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = limits(scatter)
    axes.plot([low, high], [low, high], color="black", linewidth=0.8)
    axes.fill_between([low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color="black", alpha=0.08,
                      linewidth=0, label="within 10 %")  # fmt: skip
    if scatter.baseline_points:
        axes.plot(*zip(*scatter.baseline_points, strict=True), "x", color="#d1603d", markersize=5,
                  label=scatter.baseline)  # fmt: skip
    for split in dict.fromkeys(point[4] for point in scatter.points):
        part = [point for point in scatter.points if point[4] == split]
        measured = [p[0] for p in part]
        bars = [[p[1] - p[2] for p in part], [p[3] - p[1] for p in part]]
        axes.errorbar(measured, [p[1] for p in part], yerr=bars, fmt="o", markersize=4, linewidth=0.9, capsize=2,
                      color=COLOURS.get(split, "black"), label=split)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), title=scatter.group)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"measured [{scatter.unit}]")
    axes.set_ylabel(f"estimate [{scatter.unit}]")
    axes.legend(fontsize=7, frameon=False)
