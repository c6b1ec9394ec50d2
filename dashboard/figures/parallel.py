"""Parallel coordinates: designs by all of their objectives at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from costmodel.dashboard.figures.base import Figure, base, message
from costmodel.metrics import metric
from costmodel.views.numbers import show
from costmodel.views.plots.palette import Theme, marks

if TYPE_CHECKING:
    from costmodel.explore.front import Member

#: Ranges of a metric, each from its low to its high end.
Spans = list[tuple[float, float]]
#: An axis whose values differ by more than this is logarithmic.
DECADES = 20.0


def parallel(members: Sequence[Member], theme: Theme, ranges: Mapping[str, Spans] | None = None) -> Figure:
    """A line for each design over an axis for each objective that all have; the better end of every axis is below.
    ``ranges`` are what was dragged along axes, by metric, in units of the data."""
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
            "dimensions": [
                _axis(name, [m.metrics[name] for m in members], (ranges or {}).get(name, ())) for name in shared
            ],
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


def _axis(name: str, values: list[float], spans: Iterable[tuple[float, float]]) -> Figure:
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
    axis["tickformat"] = ".3~s"
    ends = [min(shown), max(shown)]
    if log:
        # An axis of given ticks snaps what is dragged to between two of them, so each value has one. They are told
        # apart by their texts, of which few are seen.
        words = {k: show(10.0**k, m.unit) for k in map(float, range(math.ceil(ends[0]), math.floor(ends[1]) + 1))}
        near = 0.05 * (ends[1] - ends[0])
        words = {k: text for k, text in words.items() if all(abs(k - end) > near for end in ends)}
        words |= {end: show(10.0**end, m.unit) for end in ends}
        ticks = sorted({*shown, *words})
        axis |= {"tickvals": ticks, "ticktext": [words.get(t, _unseen(i)) for i, t in enumerate(ticks)]}
    if low < high:
        axis["range"] = ends[::-1] if m.maximised else ends
    kept = [span for span in spans if span[1] > 0] if log else list(spans)
    if kept:
        floor = 10.0 ** ends[0] if log else 0.0
        drawn = [[math.log10(max(v, floor)) for v in span] if log else list(span) for span in kept]
        axis["constraintrange"] = drawn if len(drawn) > 1 else drawn[0]
    return axis


def _unseen(number: int) -> str:
    """A text of no width, for each number another."""
    return f"{number:b}".translate({ord("0"): "\u200b", ord("1"): "\u2060"})


def _steps(shades: Sequence[str]) -> list[list[object]]:
    """A colour scale of steps, one for each network."""
    return [[(i + side) / len(shades), c] for i, c in enumerate(shades) for side in (0, 1)]
