"""Rooflines: how fast each layer computes, against how much it computes per byte that it moves."""

from __future__ import annotations

from costmodel.dashboard.figures.base import Figure, base, label, legend, lines
from costmodel.views.plots.draw import INTENSITY, RATE
from costmodel.views.plots.palette import SYMBOLS, Theme, colours
from costmodel.views.plots.roofline import RooflineInfo


def roofline(info: RooflineInfo, theme: Theme) -> Figure:
    """The layers below the roofs that they imply, on logarithmic axes."""
    figure = base(theme)
    for i, (name, colour) in enumerate(colours(info.compute).items()):
        xs, ys = info.roof(name)
        own = [p for p in info.points if p.series == name]
        figure["data"] += [
            {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": {"color": colour}, "showlegend": False,
             "hoverinfo": "skip"},
            {"type": "scatter", "mode": "markers", "name": name, "x": [p.intensity for p in own],
             "y": [p.rate for p in own], "text": [p.layer for p in own], "marker": {"color": colour, "size": 9,
             "symbol": SYMBOLS[i]}, "hovertemplate": "%{text}<br>%{y:.3s}op/s<extra></extra>"},
        ]  # fmt: skip
    axis = {**lines(theme), "type": "log", "exponentformat": "SI"}
    figure["layout"] |= {
        "legend": legend(),
        "hoverlabel": label(theme),
        "xaxis": {**axis, "title": {"text": INTENSITY, "font": {"size": 14}}},
        "yaxis": {**axis, "title": {"text": RATE, "font": {"size": 14}}},
    }
    return figure
