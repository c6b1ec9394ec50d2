"""A figure as data: panels next to and below each other, each of them plot data of :mod:`costmodel.views.plots`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from costmodel.validate.figures import Scatter as Agreement
from costmodel.views.plots.breakdown import IntervalInfo, StackInfo
from costmodel.views.plots.scatter import ScatterInfo

#: Millimetres up to which a figure is in one piece.
WHOLE = 78.0

Info: TypeAlias = StackInfo | IntervalInfo | ScatterInfo | Agreement


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    ``order`` of the form ``layers`` says which layer stands at which place, the first at 1; ``None`` where there is
    none. ``marked`` are the ids of points that a trade-off names. ``limits`` is what the axis of values spans, where
    panels are compared: of ``layers`` and ``trade-off`` the vertical one, of ``intervals`` the horizontal one.
    """

    info: Info
    form: Literal["layers", "intervals", "trade-off", "agreement"]
    title: str = ""
    marked: tuple[str, ...] = ()
    order: tuple[int | None, ...] = ()
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels in rows of ``columns``; ``height`` of one row in millimetres. The legend is shared where series are."""

    panels: tuple[Panel, ...]
    columns: int = 1
    height: float = 55.0


def parts(plot: Plot) -> tuple[Plot, ...]:
    """The figure in pieces between which a page may end, so that it leaves no large part of one blank: its rows."""
    rows = -(-len(plot.panels) // plot.columns)
    if rows * plot.height <= WHOLE:
        return (plot,)
    return tuple(replace(plot, panels=plot.panels[i * plot.columns : (i + 1) * plot.columns]) for i in range(rows))
