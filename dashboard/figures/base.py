"""What all figures share: the ground, axes, legends, and the words in place of an empty figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from costmodel.metrics import Metric
from costmodel.views.plots.palette import CYCLE, THEMES, Theme

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
    figure = base(theme)
    figure["layout"] |= {
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
        "annotations": [
            {
                "text": wrap(text),
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


def axis(m: Metric, theme: Theme, log: bool) -> Figure:
    arrow = " (more is better)" if m.maximised else ""
    unit = f" [{m.unit}]" if m.unit else ""
    table = {
        **lines(theme),
        "title": {"text": f"{m.title}{unit}{arrow}", "standoff": 8, "font": {"size": 14}},
        "exponentformat": "SI",
        "automargin": True,
    }
    if m.prefixed:
        table |= {"tickformat": "~s", "ticksuffix": m.unit}
    if log:
        table |= {"type": "log", "minor": {"ticks": "outside", "ticklen": 3}, "nticks": 6}
    return table


def decades(axis: Figure, values: Iterable[float]) -> Figure:
    """The axis with labels that do not collide: a logarithmic one is labelled at each decade, or at 1, 2 and 5 where
    there are few."""
    known = [v for v in values if v > 0]
    ratio = max(known) / min(known) if known else 1.0
    if axis.get("type") == "log" and ratio > 2:
        axis["dtick"] = 1 if ratio >= 100 else "D2"
    return axis


def base(theme: Theme) -> Figure:
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


def lines(theme: Theme) -> Figure:
    return {
        "gridcolor": theme.line,
        "linecolor": theme.muted,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": theme.line,
        "showline": True,
    }


def legend() -> Figure:
    return {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}}


def label(theme: Theme) -> Figure:
    return {
        "bgcolor": theme.panel,
        "bordercolor": theme.line,
        "font": {"color": theme.ink, "size": 13},
        "align": "left",
    }


@lru_cache(maxsize=4096)
def wrap(text: str, width: int = 44) -> str:
    return "<br>".join(textwrap.wrap(text, width)) or text
