"""Budgets in words, and the members of a front that answer them: ``lut <= 40k, fps >= 500``, the best, the knee."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore.space import DesignSpace
from costmodel.metrics import METRICS, maximised, metric, objective_names

if TYPE_CHECKING:
    from costmodel.explore.front import Front
    from costmodel.explore.members import Member

_TERM = re.compile(
    r"\s*(?P<name>[A-Za-zµ/][\w /-]*?)\s*(?P<sign><=|>=|=<|=>|<|>|≤|≥)\s*(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)"
    r"\s*(?P<unit>[A-Za-zµ%²/]*)\s*"
)
_PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
#: A rate is the inverse of the time per image, by which designs are judged.
_RATES = ("images_per_second", "steady_images_per_second")
KNEE = "knee"


def within(text: str) -> dict[str, tuple[float, float]]:
    """``"lut <= 40k, fps >= 500"`` as bounds (least, most) of metrics; a rate bounds the time per image.

    Raises :class:`CostmodelError` for what is no such list, and for a metric by which designs are not judged.
    """
    found: dict[str, tuple[float, float]] = {}
    for part in text.split(","):
        match = _TERM.fullmatch(part)
        if not match:
            raise CostmodelError(
                f"--within {part.strip()!r}: write METRIC <= NUMBER or METRIC >= NUMBER, such as lut <= 40k"
            )
        name, value = _name(match["name"]), float(match["number"])
        value *= _factor(match["unit"], name, part)
        upper = match["sign"] in ("<=", "=<", "<", "≤")
        if name in _RATES:
            if not value:
                raise CostmodelError(f"--within {part.strip()!r}: a rate is above 0")
            name, value, upper = "seconds_per_image", 1 / value, not upper
        low, high = found.get(name, (-math.inf, math.inf))
        found[name] = (low, min(high, value)) if upper else (max(low, value), high)
        if found[name][0] > found[name][1]:
            raise CostmodelError(
                f"--within {text!r}: no {name} is at least {found[name][0]:g} and at most {found[name][1]:g}"
            )
    return found


def _name(text: str) -> str:
    return metric(text.strip(), "Metrics are named in `costmodel explore --help`").name


def _factor(unit: str, name: str, part: str) -> float:
    """What a prefix, with or without the unit of the metric, multiplies by."""
    plain = METRICS[name].unit
    for suffix in (plain, "s" if name == "seconds_per_image" else plain, ""):
        if suffix and unit.endswith(suffix) and unit[: -len(suffix)] in _PREFIXES:
            return _PREFIXES[unit[: -len(suffix)]]
    if unit in _PREFIXES and not (unit == "m" and plain):
        return _PREFIXES[unit]
    raise CostmodelError(
        f"--within {part.strip()!r}: {unit!r} is no unit of {name}; write {plain or 'k, M or nothing'}"
    )


def narrowed(space: DesignSpace, bounds: dict[str, tuple[float, float]], best: Sequence[str]) -> DesignSpace:
    """A space within more bounds, judged by what is asked to be best as well."""
    known = {*objective_names(), *(name for kind in space.objectives for name in objective_names(kind))}
    for name in (*bounds, *best):
        if name not in known and name != KNEE:
            raise UnknownNameError("metric that designs of this space are judged by", name, known)
    both = dict(space.constraints)
    for name, (low, high) in bounds.items():
        least, most = both.get(name, (-math.inf, math.inf))
        both[name] = (max(low, least), min(high, most))
    objectives = {
        kind: tuple(dict.fromkeys([
            *names, *(n for n in best if n in (*objective_names(kind), *objective_names()) and n != KNEE)
        ]))
        for kind, names in space.objectives.items()
    }  # fmt: skip
    return replace(space, constraints=both, objectives=objectives)


def best_names(text: str) -> list[str]:
    """The metrics of ``energy,lut``; ``knee`` stands for itself, a rate for the time per image."""
    names = [KNEE if part.strip() == KNEE else _name(part) for part in text.split(",")]
    return ["seconds_per_image" if name in _RATES else name for name in names]


def best(front: Front, name: str) -> Member:
    """The member that is best in one objective, of equal ones that nearest to the knee; or the knee itself."""
    if name == KNEE:
        return front.members[knee(front)]
    if name not in front.objectives:
        raise UnknownNameError("objective", name, front.objectives)
    sign = -1.0 if maximised(name) else 1.0
    least = min(sign * m.metrics[name] for m in front.members)
    distances = _distances(front)
    able = [i for i, m in enumerate(front.members) if sign * m.metrics[name] <= least]
    return front.members[min(able, key=lambda i: distances[i])]


def knee(front: Front) -> int:
    """The member nearest to the best of all objectives at once, each on a scale from its best (0) to its worst (1)
    among the members; logarithmic where all values are positive."""
    return int(_distances(front).argmin())


def _distances(front: Front) -> NDArray[np.float64]:
    points = front.points()
    columns = []
    for values, name in zip(points.T, front.objectives, strict=True):
        scale = np.log(values) if np.all(values > 0) and not maximised(name) else np.array(values)
        scale = -scale if maximised(name) else scale
        span = float(np.ptp(scale))
        columns.append((scale - scale.min()) / span if span else np.zeros(len(scale)))
    distances: NDArray[np.float64] = np.sqrt(np.sum(np.square(columns), axis=0))
    return distances
