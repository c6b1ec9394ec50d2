"""A figure as data: panels next to and below each other, each of them plot data of :mod:`costmodel.views.plots`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from costmodel.validate.figures import Scatter as Agreement
from costmodel.views.plots.breakdown import IntervalInfo, StackInfo
from costmodel.views.plots.scatter import ScatterInfo

Info: TypeAlias = StackInfo | IntervalInfo | ScatterInfo | Agreement


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    ``order`` of the form ``layers`` says which layer stands at which place: the first at 1. ``marked`` are the ids of
    points that a trade-off names.
    """

    info: Info
    form: Literal["layers", "intervals", "trade-off", "agreement"]
    title: str = ""
    marked: tuple[str, ...] = ()
    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels in rows of ``columns``; ``height`` of one row in millimetres. The legend is shared where series are."""

    panels: tuple[Panel, ...]
    columns: int = 1
    height: float = 55.0
