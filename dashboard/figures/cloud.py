"""Clouds: the density of more designs than can be drawn, with fronts above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from costmodel.dashboard.figures.base import SVG_POINTS, Figure, axis, base, decades, label, legend
from costmodel.metrics import Metric
from costmodel.views.numbers import show
from costmodel.views.plots.density import DensityInfo
from costmodel.views.plots.palette import CYCLE, SYMBOLS, Theme, marks

#: Fronts that a legend can list.
LISTED = 16
#: Designs (x, y) that are drawn one by one.
Brushed = tuple[Sequence[float], Sequence[float]]


def cloud(
    info: DensityInfo | None,
    x: Metric,
    y: Metric,
    theme: Theme,
    fronts: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[str]]],
    *,
    x_log: bool,
    y_log: bool,
    brushed: Brushed = ((), ()),
) -> Figure:
    """A density, with the designs that were brushed above it and fronts above those. ``fronts`` are (name, x, y, ids).

    The brushed designs are the first trace, where a callback finds them.
    """
    figure = base(theme)
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "selected",
            "showlegend": False,
            "x": list(brushed[0]),
            "y": list(brushed[1]),
            "hovertemplate": "%{x:.4s}, %{y:.4s}<extra>selected</extra>",
            "marker": {"color": theme.ink, "size": 3, "opacity": 0.7},
        }
    ]
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
        for row in traces[-1]["z"]:
            row[:] = [None if v != v else v for v in row]
    paint = marks(name for name, *_ in fronts) if len(fronts) > 1 else {f[0]: (CYCLE[1], SYMBOLS[0]) for f in fronts}
    for name, xs, ys, ids in fronts:
        traces.append(
            {
                "type": "scattergl" if len(xs) > SVG_POINTS else "scatter",
                "mode": "lines+markers" if len(fronts) <= LISTED else "markers",
                "name": name,
                "showlegend": len(fronts) <= LISTED,
                "line": {"color": paint[name][0], "width": 1, "shape": "hv"},
                "x": list(xs),
                "y": list(ys),
                "customdata": list(ids),
                "hovertemplate": "%{x:.4s}, %{y:.4s}<extra>" + name + "</extra>",
                "marker": {
                    "color": paint[name][0],
                    "size": 7,
                    "symbol": paint[name][1],
                    "line": {"width": 0.8, "color": theme.ground},
                },
            }
        )
    figure["data"] = traces
    figure["layout"] |= {
        "xaxis": decades(axis(x, theme, x_log), _ends(info.x if info else (), [f[1] for f in fronts])),
        "yaxis": decades(axis(y, theme, y_log), _ends(info.y if info else (), [f[2] for f in fronts])),
        "legend": legend(),
        "dragmode": "zoom",
        # counted for this window, so a figure that is made anew also goes back to it
        "uirevision": f"{x.name}{y.name}{x_log}{y_log}{theme.name}",
        "hoverlabel": label(theme),
    }
    return figure


def _ends(cells: Any, fronts: Sequence[Sequence[float]]) -> list[float]:
    """Smallest and largest of what an axis shows: the window of the density, or without one all fronts."""
    shown = [float(v) for v in cells] or [v for front in fronts for v in front]
    return [min(shown), max(shown)] if shown else []
