"""Trade-offs: designs in the plane of two metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from costmodel.dashboard.figures.base import SVG_POINTS, Figure, axis, base, decades, label, legend, message, wrap
from costmodel.views.numbers import between, show
from costmodel.views.plots.marks import Group, groups, labelled
from costmodel.views.plots.palette import Theme
from costmodel.views.plots.scatter import Point, ScatterInfo

#: Symbols of bounds, and of what fails.
SYMBOLS = {"right": "arrow-right", "left": "arrow-left", "up": "arrow-up", "down": "arrow-down", "cross": "x-thin"}
#: Smallest and largest x, smallest and largest y, as the axes count: logarithms on logarithmic ones.
Window = tuple[float, float, float, float]


def trade_off(
    info: ScatterInfo,
    theme: Theme,
    *,
    x_log: bool,
    y_log: bool,
    bars: str = "front",
    series: Sequence[str] = (),
    window: Window | None = None,
    selected: Sequence[str] = (),
) -> Figure:
    """A trade-off: the front drawn through, outlined and named, dominated designs small, failing ones as crosses, and
    bounds as arrows towards the true figure. ``selected`` are the keys of points that stand out."""
    if not info.points:
        return message("No design to show: loosen the filters, or choose metrics that these targets have.", theme)
    kind = "scattergl" if len(info.points) > SVG_POINTS else "scatter"
    traces: list[Figure] = []
    xs, ys = info.steps()
    if len(xs) > 1:
        line = {"color": theme.ink, "width": 1.4, "dash": "dot"}
        traces.append(
            {"type": kind, "mode": "lines", "x": xs, "y": ys, "name": "front", "hoverinfo": "skip", "line": line}
        )
    chosen, listed = set(selected), set[str]()
    for group in groups(info, bars, series):
        traces.append({"type": kind, **_trace(group, info, theme), "showlegend": group.name not in listed})
        listed.add(group.name)
        if chosen:
            traces[-1]["selectedpoints"] = [i for i, p in enumerate(group.points) if p.key in chosen]
    figure = base(theme)
    figure["data"] = traces
    across, along = (
        decades(axis(m, theme, log), [getattr(p, name).value for p in info.points])
        for m, log, name in ((info.x, x_log, "x"), (info.y, y_log, "y"))
    )
    if window is not None:
        across["range"], along["range"] = list(window[:2]), list(window[2:])
    figure["layout"] |= {
        "xaxis": across,
        "yaxis": along,
        "annotations": _names(info, theme, x_log, y_log),
        "dragmode": "select",
        "hovermode": "closest",
        "legend": legend(),
        "hoverlabel": label(theme),
        "uirevision": f"{info.x.name}{info.y.name}{x_log}{y_log}{window}",
        "clickmode": "event",
    }
    return figure


def _trace(group: Group, info: ScatterInfo, theme: Theme) -> Figure:
    symbol = SYMBOLS.get(group.symbol, group.symbol)
    colour = group.colour or theme.faded
    trace: Figure = {
        "mode": "markers",
        "name": group.name,
        "legendgroup": group.name,
        "marker": {
            "symbol": symbol + ("-open" if group.hollow or symbol == "x-thin" else ""),
            "size": group.size,
            "color": colour,
            # hollow marks are drawn by their outline, in their own colour
            "line": {"width": 1.8, "color": theme.ink if group.outlined and not group.hollow else colour},
        },
        "x": [p.x.value for p in group.points],
        "y": [p.y.value for p in group.points],
        "customdata": [p.key for p in group.points],
        "text": [_hover(p, info) for p in group.points],
        "hovertemplate": "%{text}<extra></extra>",
        "unselected": {"marker": {"opacity": 0.25}},
    }
    return trace | (_error(group.points, "x") | _error(group.points, "y") if group.bars else {})


def _names(info: ScatterInfo, theme: Theme, x_log: bool, y_log: bool) -> list[Figure]:
    """The names of members, above and below in turn, where a logarithmic axis wants logarithms."""
    found = []
    for i, (p, text) in enumerate(labelled(info)):
        x, y = p.x.value, p.y.value
        if (x_log and x <= 0) or (y_log and y <= 0) or not (math.isfinite(x) and math.isfinite(y)):
            continue
        found.append(
            {
                "x": math.log10(x) if x_log else x,
                "y": math.log10(y) if y_log else y,
                "text": text,
                "showarrow": True,
                "arrowhead": 0,
                "arrowwidth": 0.8,
                "arrowcolor": theme.muted,
                "ax": (-30, 26)[i % 2] if info.x.maximised else (26, -18)[i % 2],
                "ay": (-22, 30, -40, 48)[i % 4],
                "font": {"size": 11, "color": theme.ink},
                "bgcolor": theme.ground,
                "opacity": 0.9,
                "borderpad": 1,
            }
        )
    return found


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
    design = p.design
    lines = [f"<b>{p.label}</b>{' (yours)' if design.own else ''}"]
    for m, v, lacking in ((info.y, p.y, p.open_y), (info.x, p.x, p.open_x)):
        bounds = "" if v.low == v.high else f" ({between(v.low, v.high, m.unit)})"
        least = ("at most " if m.maximised else "at least ") if lacking else ""
        of = f", of the {design.scope}" if m.scoped and design.scope else ""
        lines.append(f"{m.title}: {least}{show(v.value, m.unit)}{bounds}{of}")
    if p.evidence:
        here = " here" if p.evidence == "measured" else ""
        lines.append(f"accuracy {p.evidence}{here}{', ' + design.effort if design.effort else ''}")
    lines.append(wrap(p.why, 62))
    lines += [wrap(f"• {note}", 62) for note in design.notes[:4]]
    return "<br>".join(lines)


def window_of(value: Any) -> Window | None:
    """The window that a text of four numbers means; None for anything else."""
    try:
        x0, x1, y0, y1 = (float(v) for v in str(value).split(","))
    except ValueError:
        return None
    return (x0, x1, y0, y1) if all(map(math.isfinite, (x0, x1, y0, y1))) and x0 != x1 and y0 != y1 else None
