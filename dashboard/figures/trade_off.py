"""Trade-offs: designs in the plane of two metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from costmodel.dashboard.figures.base import SVG_POINTS, Figure, axis, base, decades, label, legend, message, wrap
from costmodel.views.numbers import between, show
from costmodel.views.plots.marks import Group, groups, labelled
from costmodel.views.plots.palette import Theme
from costmodel.views.plots.scatter import Point, ScatterInfo

#: Symbols of bounds, and of what fails.
SYMBOLS = {"right": "arrow-right", "left": "arrow-left", "up": "arrow-up", "down": "arrow-down", "cross": "x-thin"}
#: Pixels of a figure on a wide window, as names are placed: its width and height, a line and a character of a name,
#: and the way from a mark to its name.
WIDTH, HEIGHT, LINE, CHARACTER, GAP = 900.0, 400.0, 15.0, 6.4, 14.0
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
    named: bool = True,
) -> Figure:
    """A trade-off: the front drawn through, outlined and named, dominated designs small, failing ones as crosses, and
    bounds as arrows towards the true figure. ``selected`` are the keys of points that stand out. Names are not
    ``named`` where the figure is so narrow that they would take its place."""
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
    names, blank = _names(info, theme, x_log, y_log) if named else ([], None)
    figure = base(theme)
    figure["data"] = [*([{"type": kind, **blank}] if blank and window is None else []), *traces]
    across, along = (
        decades(axis(m, theme, log), [getattr(p, name).value for p in info.points])
        for m, log, name in ((info.x, x_log, "x"), (info.y, y_log, "y"))
    )
    if window is not None:
        across["range"], along["range"] = list(window[:2]), list(window[2:])
    figure["layout"] |= {
        "xaxis": across,
        "yaxis": along,
        "annotations": names,
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


def _names(info: ScatterInfo, theme: Theme, x_log: bool, y_log: bool) -> tuple[list[Figure], Figure | None]:
    """The names of members, each on the side of its better x, and away from the next where they would meet: nothing
    that passes lies there, since it would be better. With them a line of one point, unseen, that makes room."""
    members = [(p, text) for p, text in labelled(info) if _place(p.x.value, x_log) and _place(p.y.value, y_log)]
    if not members:
        return [], None
    shown = [p for p in info.points if _place(p.x.value, x_log) and _place(p.y.value, y_log)]
    along = {"x": _along([p.x.value for p in shown], x_log), "y": _along([p.y.value for p in shown], y_log)}
    side, up = (1 if info.x.maximised else -1), (1 if info.y.maximised else -1)
    found, last, room = [], -math.inf, 0.0
    for p, text in sorted(members, key=lambda m: up * m[0].y.value):  # the worst y first; what meets it moves on
        x, y = along["x"](p.x.value), along["y"](p.y.value)
        natural = HEIGHT * (y if up > 0 else 1 - y)
        last = max(natural, last + LINE)
        room = max(room, CHARACTER * len(text) + 2 * GAP - WIDTH * (1 - x if side > 0 else x))
        found.append(
            {
                "x": math.log10(p.x.value) if x_log else p.x.value,
                "y": math.log10(p.y.value) if y_log else p.y.value,
                "text": text,
                "showarrow": True,
                "arrowhead": 0,
                "arrowwidth": 0.8,
                "arrowcolor": theme.muted,
                "ax": side * GAP,
                "ay": -up * (last - natural),
                "xanchor": "left" if side > 0 else "right",
                "font": {"size": 11, "color": theme.ink},
                "borderpad": 1,
            }
        )
    if room <= 0:
        return found, None
    xs = sorted(math.log10(p.x.value) if x_log else p.x.value for p in shown)
    edge = (xs[-1] if side > 0 else xs[0]) + side * ((xs[-1] - xs[0]) or 1.0) * room / max(WIDTH - room, WIDTH / 2)
    blank = {"mode": "lines", "x": [10.0**edge if x_log else edge], "y": [members[0][0].y.value], "hoverinfo": "skip",
             "showlegend": False}  # fmt: skip
    return found, blank


def _place(value: float, log: bool) -> bool:
    """Whether a value has a place on the axis."""
    return math.isfinite(value) and (value > 0 or not log)


def _along(values: Sequence[float], log: bool) -> Callable[[float], float]:
    """From a value to its place from 0 to 1 along an axis that shows these."""
    ends = [math.log10(v) if log else v for v in (min(values), max(values))]
    span = (ends[1] - ends[0]) or 1.0
    return lambda v: ((math.log10(v) if log else v) - ends[0]) / span


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
