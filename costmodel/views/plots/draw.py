"""Plot data on paper: SVG, PDF or PNG by matplotlib, with the colours of the screen."""

from __future__ import annotations

import io
from typing import Any

from costmodel.errors import MissingExtraError
from costmodel.metrics import Metric
from costmodel.views.plots.palette import LIGHT, colours
from costmodel.views.plots.scatter import ScatterInfo

FORMATS = ("svg", "pdf", "png")
_MARKERS = {"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v", "pentagon": "p",
            "star": "*", "hexagon": "h"}  # fmt: skip


def trade_off(
    info: ScatterInfo, form: str, *, x_log: bool, y_log: bool, bars: str = "front", size: tuple[float, float] = (7, 4.6)
) -> bytes:
    """The figure of a trade-off as a file. Needs matplotlib; raises :class:`MissingExtraError` without it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a figure as a file", "matplotlib", "reports") from None
    from costmodel.views.plots.palette import SYMBOLS

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = list(dict.fromkeys(p.series for p in info.points))
    paint = colours(names)
    for state, z, alpha in (("failing", 1, 0.4), ("dominated", 2, 0.35), ("front", 3, 1.0)):
        for i, name in enumerate(names):
            for evidence in dict.fromkeys(p.evidence for p in info.points):
                found = [p for p in info.points if (p.state, p.series, p.evidence) == (state, name, evidence)]
                if not found:
                    continue
                xs, ys = [p.x.value for p in found], [p.y.value for p in found]
                colour = LIGHT.faded if state == "failing" else paint[name]
                if bars == "all" or (bars == "front" and state == "front"):
                    x_error = [[p.x.value - p.x.low for p in found], [p.x.high - p.x.value for p in found]]
                    y_error = [[p.y.value - p.y.low for p in found], [p.y.high - p.y.value for p in found]]
                    axes.errorbar(xs, ys, y_error, x_error, fmt="none", ecolor=colour, elinewidth=0.8, zorder=z)
                marker = "x" if state == "failing" else _MARKERS[SYMBOLS[i % len(SYMBOLS)]]
                open_ = evidence == "published" and marker != "x"
                axes.plot(xs, ys, marker, color=colour, alpha=alpha, zorder=z, markersize=6, markeredgecolor=colour,
                          markerfacecolor="none" if open_ else colour)  # fmt: skip
    for i, name in enumerate(names):
        axes.plot([], [], _MARKERS[SYMBOLS[i % len(SYMBOLS)]], color=paint[name], label=name)
    xs, ys = info.steps()
    if len(xs) > 1:
        axes.plot(xs, ys, ":", color=LIGHT.ink, linewidth=1.1, zorder=2)
    _axis(axes, "x", info.x, x_log)
    _axis(axes, "y", info.y, y_log)
    axes.grid(True, color=LIGHT.line, linewidth=0.6)
    axes.set_axisbelow(True)
    if names:
        figure.legend(loc="outside upper center", ncols=min(len(names), 6), frameon=False, fontsize=9)
    sink = io.BytesIO()
    metadata: dict[str, Any] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[form]
    figure.savefig(sink, format=form, dpi=200, metadata=metadata)
    return sink.getvalue()


def _axis(axes: Any, name: str, m: Metric, log: bool) -> None:
    from matplotlib.ticker import EngFormatter

    label = f"{m.title}{f' [{m.unit}]' if not m.prefixed else ''}{' (more is better)' if m.maximised else ''}"
    getattr(axes, f"set_{name}label")(label)
    if log:
        getattr(axes, f"set_{name}scale")("log")
    if m.prefixed:
        getattr(axes, f"{name}axis").set_major_formatter(EngFormatter(unit=m.unit))
