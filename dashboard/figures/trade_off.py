"""Trade-offs: designs in the plane of two metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.dashboard.figures.base import SVG_POINTS, Figure, axis, base, decades, label, legend, message, wrap
from costmodel.views.numbers import between, show
from costmodel.views.plots.palette import SYMBOLS, Theme, colours
from costmodel.views.plots.scatter import Point, ScatterInfo


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
    traces: list[Figure] = []
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
            "name": name or "does not fit, or fails",
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
    figure = base(theme)
    figure["data"] = traces
    figure["layout"] |= {
        "xaxis": decades(axis(info.x, theme, x_log), [p.x.value for p in info.points]),
        "yaxis": decades(axis(info.y, theme, y_log), [p.y.value for p in info.points]),
        "dragmode": "select",
        "hovermode": "closest",
        "legend": legend(),
        "hoverlabel": label(theme),
        "uirevision": f"{info.x.name}{info.y.name}{x_log}{y_log}",
        "clickmode": "event",
    }
    return figure


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
        bounds = "" if v.low == v.high else f" ({between(v.low, v.high, m.unit)})"
        lines.append(f"{m.title}: {show(v.value, m.unit)}{bounds}")
    if p.evidence:
        lines.append(f"accuracy {p.evidence}{' here' if p.evidence == 'measured' else ''}")
    return "<br>".join([*lines, wrap(p.why, 62)])
