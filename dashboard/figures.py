"""From plot data to what plotly draws. Plain dictionaries: validation and pixels are the browser's business."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from costmodel.plots.breakdown import IntervalInfo, StackInfo
from costmodel.plots.density import DensityInfo
from costmodel.plots.palette import CYCLE, KIND_COLOURS, ROLE_COLOURS, SYMBOLS, THEMES, Metric, Theme, colours, show
from costmodel.plots.scatter import Point, ScatterInfo

Figure = dict[str, Any]
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

#: No button that sends a figure anywhere; figures are saved as vectors.
CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "scrollZoom": False,
    "toImageButtonOptions": {"format": "svg", "filename": "costmodel"},
    "modeBarButtonsToRemove": ["autoScale2d"],
}

#: More points than this are drawn by WebGL.
SVG_POINTS = 2000


def theme_of(name: str | None) -> Theme:
    return THEMES.get(name or "light", THEMES["light"])


def message(text: str, theme: Theme) -> Figure:
    """What stands where a figure would be empty."""
    figure = _base(theme)
    figure["layout"] |= {
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
        "annotations": [
            {
                "text": _wrap(text),
                "x": 0.5,
                "y": 0.5,
                "xref": "paper",
                "yref": "paper",
                "showarrow": False,
                "font": {"size": 15, "color": theme.ink},
            }
        ],
    }
    return figure


def trade_off(
    info: ScatterInfo, theme: Theme, *, x_log: bool, y_log: bool, bars: str = "front", series: Sequence[str] = ()
) -> Figure:
    """A trade-off: front drawn through, dominated designs faded, failing ones as grey crosses.

    ``series`` fixes the order of colours, so that a filter does not repaint what stays.
    """
    if not info.points:
        return message("No design to show: loosen the filters, or choose metrics that these targets have.", theme)
    kind = "scattergl" if len(info.points) > SVG_POINTS else "scatter"
    names = list(dict.fromkeys([*series, *(p.series for p in info.points)]))
    paint = colours(names)
    shape = {name: SYMBOLS[i % len(SYMBOLS)] for i, name in enumerate(names)}
    groups: dict[tuple[str, str, str], list[Point]] = {}
    for p in info.points:
        groups.setdefault((p.state, p.series if p.state != "failing" else "", p.evidence), []).append(p)
    traces = []
    order = {"failing": 0, "dominated": 1, "front": 2}
    listed: set[str] = set()
    for (state, name, evidence), points in sorted(groups.items(), key=lambda g: (order[g[0][0]], g[0])):
        marker: dict[str, Any]
        if state == "failing":
            marker = {"symbol": "x-thin-open", "size": 6, "color": theme.faded, "opacity": 0.55}
        else:
            marker = {
                "symbol": shape[name] + ("-open" if evidence == "published" else ""),
                "size": 10 if state == "front" else 8,
                "color": paint[name],
                "opacity": 1.0 if state == "front" else 0.32,
                "line": {"width": 1.6},
            }
        trace = {
            "type": kind,
            "mode": "markers",
            "name": name or "fails a constraint",
            "legendgroup": name,
            "marker": marker,
            "x": [p.x.value for p in points],
            "y": [p.y.value for p in points],
            "customdata": [p.id for p in points],
            "text": [_hover(p, info) for p in points],
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": name not in listed,
            "unselected": {"marker": {"opacity": 0.15}},
        }
        listed.add(name)
        if bars == "all" or (bars == "front" and state == "front"):
            trace |= _error(points, "x") | _error(points, "y")
        traces.append(trace)
    xs, ys = info.steps()
    if len(xs) > 1:
        line = {
            "type": kind,
            "mode": "lines",
            "x": xs,
            "y": ys,
            "name": "front",
            "hoverinfo": "skip",
            "line": {"color": theme.ink, "width": 1.4, "dash": "dot"},
        }
        traces.insert(0, line)
    figure = _base(theme)
    figure["data"] = traces
    figure["layout"] |= {
        "xaxis": _decades(axis(info.x, theme, x_log), [p.x.value for p in info.points]),
        "yaxis": _decades(axis(info.y, theme, y_log), [p.y.value for p in info.points]),
        "dragmode": "select",
        "hovermode": "closest",
        "legend": _legend(),
        "hoverlabel": _label(theme),
        "uirevision": f"{info.x.name}{info.y.name}{x_log}{y_log}",
        "clickmode": "event",
    }
    return figure


def stacked(info: StackInfo, theme: Theme) -> Figure:
    """Bars of layers, stacked; thin series are gathered, so that the legend stays short."""
    if info.empty:
        return message("Nothing to show: this target does not know this metric for this network.", theme)
    shown = _gathered(info)
    paint = colours(shown, {**KIND_COLOURS, **ROLE_COLOURS, "other": theme.faded})
    hover = "<b>%{customdata}</b><br>%{fullData.name}: %{y:.4s}" + info.unit + "<extra></extra>"
    figure = _base(theme)
    figure["data"] = [
        {
            "type": "bar",
            "name": name,
            "x": list(range(len(values))),
            "y": list(values),
            "customdata": list(info.categories),
            "hovertemplate": hover,
            "marker": {"color": paint[name], "line": {"width": 0}},
        }
        for name, values in shown.items()
        if any(values)
    ]
    figure["layout"] |= {
        "barmode": "stack",
        "bargap": 0.15,
        "legend": _legend(),
        "hoverlabel": _label(theme),
        "xaxis": {**_lines(theme), "title": {"text": "layer, in order of execution"}, "showgrid": False},
        "yaxis": {
            **_lines(theme),
            "title": {"text": info.title.split(" by ")[0]},
            "tickformat": "~s",
            "ticksuffix": info.unit,
            "rangemode": "tozero",
        },
    }
    return figure


def _decades(axis: Figure, values: Sequence[float]) -> Figure:
    """A logarithmic axis over many decades is labelled at each of them and nowhere else, or labels collide."""
    known = [v for v in values if v > 0]
    if axis.get("type") == "log" and known and max(known) >= 100 * min(known):
        axis["dtick"] = 1
    return axis


def _gathered(info: StackInfo) -> dict[str, Sequence[float]]:
    """The series, the small ones as one where there are more than colours."""
    series: dict[str, Sequence[float]] = dict(info.series)
    if all(name in KIND_COLOURS or name in ROLE_COLOURS for name in series) or len(series) <= len(CYCLE):
        return series
    names = list(series)  # the largest first
    kept, rest = names[: len(CYCLE) - 1], names[len(CYCLE) - 1 :]
    return {**{n: series[n] for n in kept}, "other": [sum(v) for v in zip(*(series[n] for n in rest), strict=True)]}


def intervals(info: IntervalInfo, theme: Theme) -> Figure:
    """Horizontal bars with the interval of each; the first label on top."""
    if not info.labels:
        return message("Nothing to compare: none of these designs has this metric.", theme)
    figure = _base(theme)
    text = [f" {show(v, info.unit)}" for v in info.values]
    figure["data"] = [
        {
            "type": "bar",
            "orientation": "h",
            "y": list(info.labels),
            "x": list(info.values),
            "marker": {"color": [CYCLE[i % len(CYCLE)] for i in range(len(info.labels))]},
            "text": text,
            "textposition": "none",
            "hovertemplate": "%{y}:%{text}<extra></extra>",
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
        "yaxis": {"autorange": "reversed", "automargin": True, "ticksuffix": "  "},
        "showlegend": False,
        "xaxis": {
            **_lines(theme),
            "title": {"text": info.title},
            "tickformat": "~s",
            "ticksuffix": info.unit,
            "rangemode": "tozero",
        },
        "hoverlabel": _label(theme),
    }
    return figure


def cloud(
    info: DensityInfo | None,
    x: Metric,
    y: Metric,
    theme: Theme,
    fronts: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[int]]],
    *,
    x_log: bool,
    y_log: bool,
) -> Figure:
    """A density with fronts above it. ``fronts`` are (name, x, y, ids)."""
    figure = _base(theme)
    traces: list[Figure] = []
    if info is not None:
        import numpy as np

        counts = info.counts.astype(np.float32)
        z = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan)
        scale = [[i / (len(theme.density) - 1), c] for i, c in enumerate(theme.density)]
        top = math.ceil(float(np.nanmax(z))) if info.total else 1
        traces.append(
            {
                "type": "heatmap",
                "x": info.x.tolist(),
                "y": info.y.tolist(),
                "z": np.round(z, 2).astype(object).tolist(),
                "colorscale": scale,
                "hoverinfo": "skip",
                "name": "designs",
                "zmin": 0,
                "zmax": max(top, 1),
                "colorbar": {
                    "title": {"text": "designs"},
                    "tickvals": list(range(top + 1)),
                    "thickness": 12,
                    "ticktext": [show(10.0**i) for i in range(top + 1)],
                    "tickfont": {"color": theme.ink},
                },
            }
        )
        for row in traces[0]["z"]:
            row[:] = [None if v != v else v for v in row]
    paint = colours(name for name, *_ in fronts)
    for i, (name, xs, ys, ids) in enumerate(fronts):
        traces.append(
            {
                "type": "scattergl" if len(xs) > SVG_POINTS else "scatter",
                "mode": "markers",
                "name": name,
                "x": list(xs),
                "y": list(ys),
                "customdata": list(ids),
                "hovertemplate": "%{x:.4s}, %{y:.4s}<extra>" + name + "</extra>",
                "marker": {
                    "color": paint[name] if len(fronts) > 1 else CYCLE[1],
                    "size": 7,
                    "symbol": SYMBOLS[i % len(SYMBOLS)],
                    "line": {"width": 0.8, "color": theme.ground},
                },
            }
        )
    figure["data"] = traces
    figure["layout"] |= {
        "xaxis": axis(x, theme, x_log),
        "yaxis": axis(y, theme, y_log),
        "legend": _legend(),
        "dragmode": "zoom",
        "uirevision": f"{x.name}{y.name}{x_log}{y_log}",
        "hoverlabel": _label(theme),
    }
    return figure


def axis(m: Metric, theme: Theme, log: bool) -> Figure:
    arrow = " (more is better)" if m.maximised else ""
    unit = f" [{m.unit}]" if m.unit else ""
    table = {
        **_lines(theme),
        "title": {"text": f"{m.title}{unit}{arrow}", "standoff": 8},
        "exponentformat": "SI",
        "automargin": True,
    }
    if m.unit not in ("%", "mm²"):
        table |= {"tickformat": "~s", "ticksuffix": m.unit}
    if log:
        table |= {"type": "log", "minor": {"ticks": "outside", "ticklen": 3}, "nticks": 6}
    return table


def _base(theme: Theme) -> Figure:
    return {
        "data": [],
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(CYCLE),
            "font": {"family": FONT, "size": 13, "color": theme.ink},
            "margin": {"l": 64, "r": 16, "t": 28, "b": 56},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": theme.muted, "activecolor": theme.accent},
            "autosize": True,
        },
    }


def _lines(theme: Theme) -> Figure:
    return {
        "gridcolor": theme.line,
        "linecolor": theme.muted,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": theme.line,
        "showline": True,
    }


def _legend() -> Figure:
    return {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}}


def _label(theme: Theme) -> Figure:
    return {
        "bgcolor": theme.panel,
        "bordercolor": theme.line,
        "font": {"color": theme.ink, "size": 13},
        "align": "left",
    }


def _error(points: Sequence[Point], name: str) -> Figure:
    values = [getattr(p, name) for p in points]
    if all(v.low == v.high for v in values):
        return {}
    return {
        f"error_{name}": {
            "type": "data",
            "symmetric": False,
            "thickness": 1,
            "width": 2,
            "array": [v.high - v.value for v in values],
            "arrayminus": [v.value - v.low for v in values],
        }
    }


def _hover(p: Point, info: ScatterInfo) -> str:
    lines = [f"<b>{p.label}</b>"]
    for m, v in ((info.y, p.y), (info.x, p.x)):
        bounds = "" if v.low == v.high else f" ({show(v.low, m.unit)} to {show(v.high, m.unit)})"
        lines.append(f"{m.title}: {show(v.value, m.unit)}{bounds}")
    if p.evidence:
        lines.append(f"accuracy {p.evidence}{' here' if p.evidence == 'measured' else ''}")
    return "<br>".join([*lines, _wrap(p.why)])


def _wrap(text: str, width: int = 62) -> str:
    import textwrap

    return "<br>".join(textwrap.wrap(text, width)) or text
