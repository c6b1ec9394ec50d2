"""Parallel coordinates: designs by all of their objectives at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from costmodel.dashboard.figures.base import Figure, base, message
from costmodel.metrics import metric
from costmodel.views.plots.palette import Theme, marks

if TYPE_CHECKING:
    from costmodel.explore.front import Member

#: An axis whose values differ by more than this is logarithmic.
DECADES = 20.0


def parallel(members: Sequence[Member], theme: Theme) -> Figure:
    """A line for each design over an axis for each objective that all have; the better end of every axis is below."""
    shared = [n for n in members[0].metrics if all(n in m.metrics for m in members)] if members else []
    if len(shared) < 2:
        return message("No designs with two objectives in common.", theme)
    names = list(dict.fromkeys(m.network for m in members))
    paint = marks(names)
    shades = [paint[name][0] for name in names]
    figure = base(theme)
    figure["data"] = [
        {
            "type": "parcoords",
            "dimensions": [_axis(name, [m.metrics[name] for m in members]) for name in shared],
            "line": {
                "color": [names.index(m.network) for m in members],
                "colorscale": _steps(shades),
                "cmin": -0.5,
                "cmax": len(names) - 0.5,
            },
            "labelfont": {"color": theme.ink, "size": 12},
            "tickfont": {"color": theme.ink, "size": 11},
            "rangefont": {"color": theme.muted, "size": 10},
            "unselected": {"line": {"color": theme.line, "opacity": 0.3}},
        }
    ]
    figure["layout"] |= {"margin": {"l": 80, "r": 60, "t": 60, "b": 30}}
    return figure


def _axis(name: str, values: list[float]) -> Figure:
    m = metric(name)
    low, high = min(values), max(values)
    log = low > 0 and high > DECADES * low
    shown = [math.log10(v) for v in values] if log else values
    # the name says whose ranges are dragged, and whether they are logarithms
    axis: Figure = {
        "name": f"{name}|{'log' if log else 'linear'}",
        "label": f"{m.title}{f' [{m.unit}]' if m.unit else ''}",
        "values": shown,
    }
    axis["tickformat"] = "~s"
    if log:
        ticks = range(math.floor(min(shown)), math.ceil(max(shown)) + 1)
        axis |= {"tickvals": list(ticks), "ticktext": [f"{10.0**t:.3g}" for t in ticks]}
    if low < high:
        ends = [min(shown), max(shown)]
        axis["range"] = ends[::-1] if m.maximised else ends
    return axis


def _steps(shades: Sequence[str]) -> list[list[object]]:
    """A colour scale of steps, one for each network."""
    return [[(i + side) / len(shades), c] for i, c in enumerate(shades) for side in (0, 1)]
