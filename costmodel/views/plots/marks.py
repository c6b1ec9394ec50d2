"""How the points of a trade-off are drawn: the one definition of its series, on screen and on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from costmodel.views.plots.palette import marks
from costmodel.views.plots.scatter import Point, ScatterInfo

#: Sizes in pixels of what is on the front, what is not, and what fails.
SIZES = {"front": 12.0, "dominated": 7.0, "failing": 6.0}
#: More members of a front than these are drawn as small as what they beat: they would hide each other.
MANY = 60
#: What a figure of points that fail is called in a legend.
FAILING, OPEN = "does not fit, or fails", "incomplete: the true figure is worse"
#: Members of the front that are named in the figure.
LABELS = 8
#: Longest name in the figure.
NAME = 42


@dataclass(frozen=True, slots=True)
class Group:
    """Points that are drawn alike. ``colour`` is empty where that of the theme for what is faded is meant, ``symbol`` a
    name of the palette, ``cross`` or, of a bound, ``right``, ``left``, ``up`` or ``down``, towards the true figure.
    ``outlined`` marks are those of the front, ``hollow`` ones have a published accuracy, ``bars`` says whether their
    intervals are drawn."""

    name: str
    points: tuple[Point, ...]
    colour: str
    symbol: str
    size: float
    outlined: bool
    hollow: bool
    bars: bool


def groups(info: ScatterInfo, bars: str = "front", series: Sequence[str] = ()) -> list[Group]:
    """The points of a trade-off from the undermost to the topmost, the user's own last. ``series`` fixes the order of
    colours, so that a filter does not repaint what stays; ``bars`` is ``none``, ``front`` or ``all``."""
    paint = marks([*series, *(p.series for p in info.points)])
    order = {"failing": 0, "dominated": 1, "front": 2}
    found: dict[tuple[int, str, str, str, bool], list[Point]] = {}
    for p in info.points:
        side: str = _side(info, p) if p.open_ended else ""
        failing = p.state == "failing" and not p.open_ended
        key = (order[p.state] + 3 * p.design.own, side, "" if failing else p.series, p.evidence, p.design.own)
        found.setdefault(key, []).append(p)
    made = []
    for (_, side, name, evidence, own), points in sorted(found.items(), key=lambda item: item[0]):
        state = points[0].state
        colour, symbol = paint[name] if name else ("", "cross")
        made.append(
            Group(
                name or FAILING,
                tuple(points),
                colour,
                side or symbol,
                (SIZES[state] if state != "front" or len(info.front) <= MANY else SIZES["dominated"])
                + (2.0 if own else 0.0)
                + (3.0 if side else 0.0),
                state == "front" or own,
                evidence == "published",
                bars == "all" or (bars == "front" and state == "front"),
            )
        )
    return made


def labelled(info: ScatterInfo) -> list[tuple[Point, str]]:
    """Members of the front that are named in the figure: its ends, its knee, and others evenly between."""
    members = [info.points[i] for i in info.front]
    places = list({(p.x.value, p.y.value): p for p in reversed(members)}.values())[::-1]  # one of those that coincide
    knee = info.knee()
    if len(places) > LABELS:
        step = (len(places) - 1) / (LABELS - 1)
        kept = {round(i * step) for i in range(LABELS)}
        places = [p for i, p in enumerate(places) if i in kept or p is knee]
    return [(p, short(p.label)) for p in places]


def short(label: str) -> str:
    """A name as a figure has room for it: of files their names alone."""
    label = re.sub(r"[^\s/]*/(?:[^\s/]+/)*(?=[^\s/])", "", label)
    return label if len(label) <= NAME else label[: NAME - 1] + "…"


def _side(info: ScatterInfo, p: Point) -> Literal["right", "left", "up", "down"]:
    if p.open_x:
        return "left" if info.x.maximised else "right"
    return "down" if info.y.maximised else "up"


def state_of(point: Point) -> str:
    """The state of a point in words."""
    return "incomplete" if point.state == "failing" and point.open_ended else str(point.state)
