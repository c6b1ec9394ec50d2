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

    ``id`` names what is built, and ``key`` the point: a network that has two accuracies is two points of one id.
    ``evidence`` says where the accuracy comes from: ``measured``, ``published``, or empty where there is none;
    ``effort`` what training it took, in words, and ``conditions`` all that is known of it. ``misfit`` is why the design
    does not fit the device; empty where it does. ``scope`` says of what the energy is, ``left_out`` by metric what its
    figure does not hold, ``notes`` what the estimate assumes. ``own`` marks what the user brought.
    """

    id: str
    label: str
    series: str
    metrics: Mapping[str, Interval]
    evidence: str = ""
    misfit: str = ""
    key: str = ""
    scope: str = ""
    effort: str = ""
    conditions: str = ""
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A design in the plane. ``why`` says in words what made its state; ``open_x`` and ``open_y`` what the figure on an
    axis does not hold: the true one is worse."""

    design: Design
    x: Interval
    y: Interval
    state: State
    why: str
    open_x: tuple[str, ...] = ()
    open_y: tuple[str, ...] = ()
    #: Of a member of the front: whether it is one wherever all true figures lie within their bounds.
    certain: bool = False

    @property
    def id(self) -> str:
        return self.design.id

    @property
    def key(self) -> str:
        return self.design.key or self.design.id

    @property
    def label(self) -> str:
        return self.design.label

    @property
    def series(self) -> str:
        return self.design.series

    @property
    def evidence(self) -> str:
        return self.design.evidence

    @property
    def open_ended(self) -> bool:
        return bool(self.open_x or self.open_y)


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

    def knee(self) -> Point | None:
        """The member of the front that is farthest from the line between its ends, logarithms taken of what spans more
        than a decade; of fewer than three members the first. Where all lie on or behind that line, none bends."""
        members = [self.points[i] for i in self.front]
        if len(members) < 3:
            return members[0] if members else None
        xs, ys = (_unit([getattr(p, name).value for p in members]) for name in "xy")
        if self.x.maximised:
            xs = [1 - v for v in xs]
        if self.y.maximised:
            ys = [1 - v for v in ys]
        # both axes run from best to worst and the front from one corner to the other: the knee is nearest to the origin
        return min(zip(members, xs, ys, strict=True), key=lambda m: m[1] + m[2])[0]

    def best(self) -> Point | None:
        """Of the points that pass, the one that is best in y, and among equals in x."""
        passing = [self.points[i] for i in self.front]
        sign_x, sign_y = (-1 if self.x.maximised else 1), (-1 if self.y.maximised else 1)
        return min(passing, key=lambda p: (sign_y * p.y.value, sign_x * p.x.value), default=None)


def scatter(
    designs: Sequence[Design],
    x: str,
    y: str,
    fails: Callable[[Design], str] = lambda _: "",
    title: str = "",
    *,
    incomplete: bool = False,
) -> ScatterInfo:
    """Designs in the plane of two metrics, with the front of those for which ``fails`` has nothing to say.

    A figure that leaves something out is a bound, not a value, and is kept off the front unless ``incomplete``.
    Raises :class:`CostmodelError` where a metric is not a number.
    """
    mx, my = metric(x), metric(y)
    shown = [d for d in designs if x in d.metrics and y in d.metrics]
    reasons = [fails(d) or ("" if incomplete else _incomplete(d, mx, my)) for d in shown]
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
    able = [d for d, r in zip(shown, reasons, strict=True) if not r]
    points = []
    for i, design in enumerate(shown):
        certain = False
        if reasons[i]:
            state, why = "failing", reasons[i]
        elif i in on_front:
            state, why = "front", f"on the front: nothing shown is better in both {mx.title} and {my.title}"
            rivals = sum(_may_beat(other, design, (mx, my)) for other in able if other is not design)
            certain = not rivals
            why += f"; within the bounds {rivals} may be" if rivals else ", wherever they lie within their bounds"
        else:
            winner = members[bisect_right(order, signed[i][0]) - 1]
            state, why = "dominated", _beaten(shown[winner], design, mx, my)
        points.append(
            Point(design, design.metrics[x], design.metrics[y], state, why,  # type: ignore[arg-type]
                  tuple(design.left_out.get(x, ())), tuple(design.left_out.get(y, ())), certain)
        )  # fmt: skip
    front = members if not mx.maximised else members[::-1]
    return ScatterInfo(
        title or f"{my.title} against {mx.title}", mx, my, tuple(points), tuple(front), len(designs) - len(shown)
    )


def _unit(values: Sequence[float]) -> list[float]:
    """Values from 0 to 1, by their logarithms where they span more than a decade."""
    if min(values) > 0 and max(values) > 10 * min(values):
        values = [math.log(v) for v in values]
    low, high = min(values), max(values)
    return [(v - low) / (high - low) if high > low else 0.0 for v in values]


def _may_beat(other: Design, design: Design, metrics: Sequence[Metric]) -> bool:
    """Whether, within the bounds of both, one design may be at least as good in all metrics and better in one."""
    better = False
    for m in metrics:
        theirs, own = other.metrics[m.name], design.metrics[m.name]
        gain = theirs.high - own.low if m.maximised else own.high - theirs.low
        if gain < 0:
            return False
        better = better or gain > 0
    return better


def _incomplete(design: Design, mx: Metric, my: Metric) -> str:
    for m in (my, mx):
        if design.left_out.get(m.name):
            return f"kept off the front, since {m.word} is incomplete: {'; '.join(design.left_out[m.name])}"
    return ""


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
