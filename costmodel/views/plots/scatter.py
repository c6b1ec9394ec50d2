"""Trade-offs: designs in the plane of two metrics, which of them are Pareto-optimal, and why each is where it is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from costmodel.errors import CostmodelError
from costmodel.metrics import Metric, metric
from costmodel.targets.quantity import Interval
from costmodel.views.numbers import show

State = Literal["front", "dominated", "failing"]


@dataclass(frozen=True, slots=True)
class Design:
    """One point of any trade-off: a network on a target, or whatever else has metrics.

    ``evidence`` says where the accuracy comes from: ``measured``, ``published``, or empty where there is none.
    ``misfit`` is why the design does not fit the device; empty where it does.
    """

    id: str
    label: str
    series: str
    metrics: Mapping[str, Interval]
    evidence: str = ""
    misfit: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A design in the plane. ``why`` says in words what made its state."""

    id: str
    label: str
    series: str
    x: Interval
    y: Interval
    evidence: str
    state: State
    why: str


@dataclass(frozen=True)
class ScatterInfo:
    """What a trade-off figure shows. ``front`` lists indices of ``points``, from small to large x."""

    title: str
    x: Metric
    y: Metric
    points: tuple[Point, ...]
    front: tuple[int, ...]
    #: Designs that lack one of the two metrics, and so are not shown.
    left_out: int = 0
    notes: tuple[str, ...] = field(default_factory=tuple)

    def steps(self) -> tuple[list[float], list[float]]:
        """The staircase along the front: what is attainable at each x."""
        xs: list[float] = []
        ys: list[float] = []
        for index in self.front:
            point = self.points[index]
            if ys and point.x.value != xs[-1]:
                # where small x is wanted, the previous member holds until this one begins; else this one reaches back
                xs.append(point.x.value if not self.x.maximised else xs[-1])
                ys.append(ys[-1] if not self.x.maximised else point.y.value)
            xs.append(point.x.value)
            ys.append(point.y.value)
        return xs, ys

    def best(self) -> Point | None:
        """Of the points that pass, the one that is best in y, and among equals in x."""
        passing = [self.points[i] for i in self.front]
        sign_x, sign_y = (-1 if self.x.maximised else 1), (-1 if self.y.maximised else 1)
        return min(passing, key=lambda p: (sign_y * p.y.value, sign_x * p.x.value), default=None)


def scatter(
    designs: Sequence[Design], x: str, y: str, fails: Callable[[Design], str] = lambda _: "", title: str = ""
) -> ScatterInfo:
    """Designs in the plane of two metrics, with the front of those for which ``fails`` has nothing to say.

    Raises :class:`CostmodelError` where a metric is not a number.
    """
    mx, my = metric(x), metric(y)
    shown = [d for d in designs if x in d.metrics and y in d.metrics]
    reasons = [fails(d) for d in shown]
    sign_x, sign_y = (-1.0 if mx.maximised else 1.0), (-1.0 if my.maximised else 1.0)
    signed = [(sign_x * d.metrics[x].value, sign_y * d.metrics[y].value) for d in shown]
    for design, place in zip(shown, signed, strict=True):
        if any(map(math.isnan, place)):
            raise CostmodelError(f"{design.label} has no number for {mx.title} or {my.title}, so it has no place")
    # From the best x on, what improves on y is a member, and so is its equal: a plane needs no more than one pass.
    members: list[int] = []
    for i in sorted((i for i, r in enumerate(reasons) if not r), key=lambda i: (*signed[i], shown[i].label)):
        if not members or signed[i][1] < signed[members[-1]][1] or signed[i] == signed[members[-1]]:
            members.append(i)
    order = [signed[i][0] for i in members]
    on_front = set(members)
    points = []
    for i, design in enumerate(shown):
        if reasons[i]:
            state, why = "failing", reasons[i]
        elif i in on_front:
            state, why = "front", f"on the front: nothing shown is better in both {mx.title} and {my.title}"
        else:
            winner = members[bisect_right(order, signed[i][0]) - 1]
            state, why = "dominated", _beaten(shown[winner], design, mx, my)
        points.append(
            Point(design.id, design.label, design.series, design.metrics[x], design.metrics[y], design.evidence,
                  state, why)  # type: ignore[arg-type]
        )  # fmt: skip
    front = members if not mx.maximised else members[::-1]
    return ScatterInfo(
        title or f"{my.title} against {mx.title}", mx, my, tuple(points), tuple(front), len(designs) - len(shown)
    )


def _beaten(winner: Design, loser: Design, mx: Metric, my: Metric) -> str:
    gains = []
    for m in (my, mx):
        a, b = winner.metrics[m.name].value, loser.metrics[m.name].value
        if a == b:
            gains.append(f"the same {m.word}")
        elif m.unit == "%":
            gains.append(f"{abs(a - b):.2g} points {'more' if a > b else 'less'} {m.word}")
        elif min(a, b) > 0 and max(a, b) / min(a, b) >= 1.01:
            gains.append(f"{max(a, b) / min(a, b):.3g} times {'more' if a > b else 'less'} {m.word}")
        else:
            gains.append(f"{m.word} {show(a, m.unit)} instead of {show(b, m.unit)}")
    return f"beaten by {winner.label}: {' and '.join(gains)}"
