"""A figure as data: panels beside and below each other, each of them plot data of :mod:`costmodel.plots`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from costmodel.plots.breakdown import IntervalInfo, StackInfo
from costmodel.plots.scatter import ScatterInfo
from costmodel.validate.figures import Scatter as Agreement

Info: TypeAlias = StackInfo | IntervalInfo | ScatterInfo | Agreement


@dataclass(frozen=True, slots=True)
class Panel:
    """``form`` of a stack: ``layers`` are thin columns in execution order, ``bars`` lie and carry their names.

    ``marked`` are the ids of points that a trade-off names. ``unit`` is what ``info`` counts, where it does not say.
    """

    info: Info
    form: Literal["layers", "bars", "intervals", "trade-off", "agreement"]
    title: str = ""
    marked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels in rows of ``columns``; ``height`` of one row in millimetres. The legend is shared where series are."""

    panels: tuple[Panel, ...]
    columns: int = 1
    height: float = 55.0
