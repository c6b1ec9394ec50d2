"""Plot data on paper: SVG, PDF or PNG by matplotlib, with the colours of the screen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costmodel.errors import MissingExtraError
from costmodel.metrics import Metric
from costmodel.views.plots.marks import groups, labelled
from costmodel.views.plots.palette import LIGHT, SYMBOLS, colours
from costmodel.views.plots.roofline import RooflineInfo
from costmodel.views.plots.scatter import ScatterInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What is on the axes of a roofline.
INTENSITY, RATE = "operations per byte moved", "operations per second"

FORMATS = ("svg", "pdf", "png")
_MARKERS = {"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v", "pentagon": "p",
            "star": "*", "hexagon": "h", "cross": "x", "right": ">", "left": "<", "up": "^", "down": "v"}  # fmt: skip


def as_file(figure: Figure, form: str) -> bytes:
    """A figure as a file of one of ``FORMATS``, without a date, so that the same figure is the same bytes."""
    sink = io.BytesIO()
    metadata: dict[str, Any] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[form]
    figure.savefig(sink, format=form, dpi=200, metadata=metadata)
    return sink.getvalue()


def trade_off_figure(
    info: ScatterInfo,
    *,
    x_log: bool,
    y_log: bool,
    bars: str = "front",
    series: Sequence[str] = (),
    window: tuple[float, float, float, float] | None = None,
    size: tuple[float, float] = (7, 4.6),
) -> Figure:
    """A trade-off as matplotlib draws it, with the series of the screen. ``window`` is what is zoomed to, as the axes
    count. Raises :class:`MissingExtraError` without matplotlib."""
    figure, axes = _empty(size)
    listed: set[str] = set()
    for z, group in enumerate(groups(info, bars, series), 3):
        xs, ys = [p.x.value for p in group.points], [p.y.value for p in group.points]
        colour = group.colour or LIGHT.faded
        if group.bars:
            x_error = [[p.x.value - p.x.low for p in group.points], [p.x.high - p.x.value for p in group.points]]
            y_error = [[p.y.value - p.y.low for p in group.points], [p.y.high - p.y.value for p in group.points]]
            axes.errorbar(xs, ys, y_error, x_error, fmt="none", ecolor=colour, elinewidth=0.8, zorder=z)
        edge = LIGHT.ink if group.outlined and not group.hollow else colour
        axes.plot(xs, ys, linestyle="", marker=_MARKERS[group.symbol], color=colour, zorder=z,
                  markersize=0.62 * group.size, markeredgecolor=edge, markeredgewidth=0.9,
                  markerfacecolor="none" if group.hollow else colour)  # fmt: skip
        if group.name not in listed:
            listed.add(group.name)
            axes.plot([], [], linestyle="", marker=_MARKERS[group.symbol], color=colour, label=group.name)
    for i, (p, text) in enumerate(labelled(info)):
        axes.annotate(text, (p.x.value, p.y.value), xytext=(6, (7, -12)[i % 2]), textcoords="offset points",
                      fontsize=7, color=LIGHT.ink, zorder=99)  # fmt: skip
    xs, ys = info.steps()
    if len(xs) > 1:
        axes.plot(xs, ys, ":", color=LIGHT.ink, linewidth=1.1, zorder=2)
    _axis(axes, "x", info.x, x_log)
    _axis(axes, "y", info.y, y_log)
    if window is not None:
        for name, log, ends in (("x", x_log, window[:2]), ("y", y_log, window[2:])):
            getattr(axes, f"set_{name}lim")(*(10.0**v if log else v for v in ends))
    if listed:
        figure.legend(loc="outside upper center", ncols=min(len(listed), 6), frameon=False, fontsize=9)
    return figure


def roofline_figure(info: RooflineInfo, size: tuple[float, float] = (7, 4.6)) -> Figure:
    """A roofline as matplotlib draws it."""
    figure, axes = _empty(size)
    for i, (name, colour) in enumerate(colours(info.compute).items()):
        axes.plot(*info.roof(name), color=colour, linewidth=1.2)
        own = [p for p in info.points if p.series == name]
        marker = _MARKERS[SYMBOLS[i]]
        axes.plot([p.intensity for p in own], [p.rate for p in own], marker, color=colour, markersize=5, label=name)
    axes.set(xscale="log", yscale="log", xlabel=INTENSITY, ylabel=RATE, title=info.title)
    axes.legend(frameon=False)
    return figure


def _empty(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure and its axes, with a grid behind what is drawn."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a figure", "matplotlib", "reports") from None
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(True, color=LIGHT.line, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _axis(axes: Any, name: str, m: Metric, log: bool) -> None:
    from matplotlib.ticker import EngFormatter

    label = f"{m.title}{f' [{m.unit}]' if not m.prefixed else ''}{' (more is better)' if m.maximised else ''}"
    getattr(axes, f"set_{name}label")(label)
    if log:
        getattr(axes, f"set_{name}scale")("log")
    if m.prefixed:
        getattr(axes, f"{name}axis").set_major_formatter(EngFormatter(unit=m.unit))
