"""What the explorer answers first: by kind of hardware the ends and the knee of the front, and what is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.dashboard.items import Item
from costmodel.dashboard.selection import Hidden
from costmodel.metrics import Metric
from costmodel.views.numbers import between, show
from costmodel.views.plots.scatter import Point, ScatterInfo, scatter

KINDS = {"asic": "ASIC", "fpga": "FPGA", "arm": "Arm", "cpu": "CPU"}
DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet": "ImageNet", "mnist": "MNIST", "digits": "Digits"}
KNEE = "knee"
#: Targets that a sentence about hidden designs names.
NAMED = 4


@dataclass(frozen=True)
class Row:
    """A design that answers: of which kind of hardware, and in what it is best (both ends and the knee may be one)."""

    kind: str
    roles: tuple[str, ...]
    point: Point
    item: Item


def answer(info: ScatterInfo, items: Sequence[Item]) -> list[Row]:
    """By kind of hardware, the best in x, the knee and the best in y of the front of that kind."""
    of = {i.design.key: i for i in items}
    found: list[Row] = []
    network_only = info.x.of_network and info.y.of_network
    kinds = ["network"] if network_only else [k for k in KINDS if any(of[p.key].kind == k for p in info.points)]
    for kind in kinds:
        able = [p for p in info.points if p.state != "failing" and (network_only or of[p.key].kind == kind)]
        own = scatter([p.design for p in able], info.x.name, info.y.name, incomplete=True)
        roles: dict[str, tuple[Point, list[str]]] = {}
        for point, role in ((_best(own), best(info.y)), (own.knee(), KNEE), (_cheapest(own), best(info.x))):
            if point is not None:
                roles.setdefault(point.key, (point, []))[1].append(role)
        found += [Row(kind, tuple(names), point, of[key]) for key, (point, names) in roles.items()]
    return found


def best(m: Metric) -> str:
    return f"{'most' if m.maximised else 'least'} {m.word}" if m.name != "accuracy" else "most accurate"


def sentence(info: ScatterInfo, rows: Sequence[Row], data: str) -> str:
    """The answer in one sentence."""
    if not info.points:
        return "No design is shown."
    front = [info.points[i] for i in info.front]
    failing = sum(p.state == "failing" for p in info.points)
    open_ended = sum(p.state == "failing" and p.open_ended for p in info.points)
    if not front:
        words = f"{DATA.get(data, data)}: no front"
        if open_ended:
            words += (
                f"; {open_ended:,} designs are bounds (arrows), since something has no figure: Incomplete figures, "
                "on fronts, compares them as they are"
            )
        return words + (f"; {failing - open_ended:,} do not fit or fail a constraint." if failing > open_ended else ".")
    knee = info.knee() or front[0]
    top = _best(info) or knee
    words = f"{DATA.get(data, data)}: best compromise {knee.label} ({figures(knee, info)})"
    if top.key != knee.key:
        words += f"; best in {info.y.word} {top.label} ({figures(top, info)})"
    words += f". {len(front)} of {len(info.points):,} designs are on the front"
    if failing - open_ended:
        words += f"; {failing - open_ended:,} do not fit or fail a constraint (crosses)"
    if open_ended:
        words += f"; {open_ended:,} are bounds (arrows), since something has no figure"
    return words + "."


def figures(p: Point, info: ScatterInfo) -> str:
    return f"{info.y.head} {show(p.y.value, info.y.unit)}, {info.x.head} {show(p.x.value, info.x.unit)}"


def with_bounds(p: Point, m: Metric, name: str) -> str:
    v = getattr(p, name)
    least = ("≤ " if m.maximised else "≥ ") if getattr(p, f"open_{name}") else ""
    return least + show(v.value, m.unit) + ("" if v.low == v.high else f" ({between(v.low, v.high, m.unit)})")


def hidden_words(found: Sequence[Hidden]) -> list[str]:
    """A line for each reason: how many, why, and on which targets most."""
    lines = []
    for h in found:
        named = list(h.targets.items())[:NAMED]
        words = ", ".join(f"{target} {count}" for target, count in named)
        more = len(h.targets) - len(named)
        lines.append(f"{h.count:,} designs: {h.why} ({words}{f' and {more} more targets' if more else ''})")
    return lines


def _best(info: ScatterInfo) -> Point | None:
    return info.best()


def _cheapest(info: ScatterInfo) -> Point | None:
    sign_x, sign_y = (-1 if info.x.maximised else 1), (-1 if info.y.maximised else 1)
    members = [info.points[i] for i in info.front]
    return min(members, key=lambda p: (sign_x * p.x.value, sign_y * p.y.value), default=None)
