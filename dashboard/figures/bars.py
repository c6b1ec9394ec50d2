"""Bars: layers stacked from what they are made of, and values with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.dashboard.figures.base import Figure, base, label, legend, lines, message
from costmodel.views.numbers import show
from costmodel.views.plots.breakdown import IntervalInfo, StackInfo
from costmodel.views.plots.palette import CYCLE, KIND_COLOURS, ROLE_COLOURS, Theme, colours

#: Names on the axis of layers, and their longest.
TICKS, NAME = 48, 22


def stacked(info: StackInfo, theme: Theme) -> Figure:
    """Bars of layers, stacked; thin series are gathered, so that the legend stays short."""
    if info.empty:
        return message("Nothing to show: this target does not know this metric for this network.", theme)
    shown = _gathered(info)
    paint = colours(shown, {**KIND_COLOURS, **ROLE_COLOURS, "other": theme.faded})
    hover = "<b>%{customdata[0]}</b><br>%{fullData.name}: %{y:.4s}" + info.unit + "<extra></extra>"
    figure = base(theme)
    figure["data"] = [
        {
            "type": "bar",
            "name": name,
            "x": list(range(len(values))),
            "y": list(values),
            "customdata": [list(pair) for pair in zip(info.categories, info.layers, strict=True)],
            "hovertemplate": hover,
            "marker": {"color": paint[name], "line": {"width": 0}},
        }
        for name, values in shown.items()
        if any(values)
    ]
    names = [name if len(name) <= NAME else f"{name[:6]}…{name[6 - NAME + 1 :]}" for name in info.categories]
    every = -(-len(names) // TICKS)
    figure["layout"] |= {
        "barmode": "stack",
        "bargap": 0.15,
        "legend": legend(),
        "hoverlabel": label(theme),
        "xaxis": {
            **lines(theme),
            "title": {"text": "in order of execution", "font": {"size": 14}},
            "showgrid": False,
            "tickvals": list(range(0, len(names), every)),
            "ticktext": names[::every],
            "tickangle": -50 if len(names) > 6 else 0,
            "tickfont": {"size": 10},
            "automargin": True,
        },
        "yaxis": {
            **lines(theme),
            "title": {"text": info.title.split(" by ")[0], "font": {"size": 14}},
            "tickformat": "~s",
            "ticksuffix": info.unit,
            "rangemode": "tozero",
        },
    }
    return figure


def _gathered(info: StackInfo) -> dict[str, Sequence[float]]:
    """The series, the small ones as one where there are more than colours."""
    series: dict[str, Sequence[float]] = dict(info.series)
    if all(name in KIND_COLOURS or name in ROLE_COLOURS for name in series) or len(series) <= len(CYCLE):
        return series
    names = list(series)  # the largest first
    kept, rest = names[: len(CYCLE) - 1], names[len(CYCLE) - 1 :]
    return {**{n: series[n] for n in kept}, "other": [sum(v) for v in zip(*(series[n] for n in rest), strict=True)]}


def intervals(
    info: IntervalInfo, theme: Theme, *, log: bool = False, names: Sequence[str] = (), paint: Sequence[str] = ()
) -> Figure:
    """Horizontal bars with the interval of each, the first label on top; on a logarithmic axis, which has no zero for a
    bar to begin at, marks. ``names`` are longer ones for whoever points at a bar, ``paint`` the colours of the bars."""
    if not info.labels:
        return message("Nothing to compare: none of these designs has this metric.", theme)
    paint = list(paint) or [CYCLE[i % len(CYCLE)] for i in range(len(info.labels))]
    marks = {"type": "scatter", "mode": "markers", "marker": {"color": paint, "size": 13}}
    bars = {"type": "bar", "orientation": "h", "marker": {"color": paint}, "textposition": "none"}
    figure = base(theme)
    figure["data"] = [
        {
            **(marks if log else bars),
            "y": list(info.labels),
            "x": list(info.values),
            "customdata": list(names or info.labels),
            "text": [f" {show(v, info.unit)}" for v in info.values],
            "hovertemplate": "%{customdata}:%{text}<extra></extra>",
            "error_x": {
                "type": "data",
                "symmetric": False,
                "thickness": 1.6,
                "color": theme.ink,
                "array": [h - v for v, h in zip(info.values, info.high, strict=True)],
                "arrayminus": [v - low for v, low in zip(info.values, info.low, strict=True)],
            },
        }
    ]
    figure["layout"] |= {
        "yaxis": {"autorange": "reversed", "automargin": True, "ticksuffix": "  ", "type": "category"},
        "showlegend": False,
        "xaxis": {
            **lines(theme),
            "title": {"text": info.title, "font": {"size": 14}},
            "tickformat": "~s",
            "ticksuffix": info.unit,
            **({"type": "log"} if log else {"rangemode": "tozero"}),
        },
        "hoverlabel": label(theme),
    }
    return figure
