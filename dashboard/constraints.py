"""Constraints as one writes them: ``LUT <= 53 200 and FPS >= 30``. Read by a small grammar of its own, never evaluated.

constraints := bound (("and" | "," | ";") bound)*
bound       := name ("<=" | ">=" | "<" | ">" | "≤" | "≥") number [SI prefix] [unit]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.errors import CostmodelError
from costmodel.metrics import Metric, metric
from costmodel.views.numbers import show
from costmodel.views.plots.scatter import Design

PREFIXES = {
    "": 1.0,
    "T": 1e12,
    "G": 1e9,
    "M": 1e6,
    "k": 1e3,
    "K": 1e3,
    "m": 1e-3,
    "u": 1e-6,
    "µ": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
}
MAX_LENGTH = 300

_BOUND = re.compile(
    r"^\s*([A-Za-z0-9_/]+)\s*(<=|>=|<|>|≤|≥|=<|=>)\s*([0-9][0-9 ,_']*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(\S*)\s*$"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a metric. ``strict`` excludes the limit itself."""

    metric: str
    upper: bool
    limit: float
    strict: bool = False

    def holds(self, value: float) -> bool:
        if self.strict:
            return value < self.limit if self.upper else value > self.limit
        return value <= self.limit if self.upper else value >= self.limit

    def __str__(self) -> str:
        m = metric(self.metric)
        sign = ("<" if self.upper else ">") if self.strict else ("≤" if self.upper else "≥")
        return f"{m.title} {sign} {show(self.limit, m.unit)}"


def parse(text: str) -> tuple[Bound, ...]:
    """The bounds of a text; none of an empty one. Raises :class:`CostmodelError` that quotes what is not understood."""
    if len(text) > MAX_LENGTH:
        raise CostmodelError(f"the constraints are longer than {MAX_LENGTH} characters")
    # a comma separates thousands inside of a number and bounds elsewhere
    parts = re.split(r"\band\b|&+|;|,(?=\s*[A-Za-z])", text, flags=re.IGNORECASE)
    return tuple(_bound(part) for part in parts if part.strip())


def _bound(text: str) -> Bound:
    match = _BOUND.match(text)
    if not match:
        raise CostmodelError(f"“{text.strip()}” is no constraint: write for instance LUT <= 53200 and FPS >= 30")
    name, sign, digits, suffix = match.groups()
    m = metric(name, "Write for instance LUT <= 53200 and FPS >= 30.")
    value = float(re.sub(r"[ ,_']", "", digits)) * _factor(suffix, m, text)
    return Bound(m.name, "<" in sign or "≤" in sign, value, sign in "<>")


def _factor(suffix: str, m: Metric, text: str) -> float:
    units = {"", *(word.lower() for word in (m.unit, m.unit.replace("²", "2"), *m.names))}
    if suffix.lower() in units:
        return 1.0
    if suffix[0] in PREFIXES and suffix[1:].lower() in units:
        return PREFIXES[suffix[0]]
    raise CostmodelError(f"“{suffix}” in “{text.strip()}” is no unit of {m.word}: write for instance 10mJ, 53200 or 30")


def failure(design: Design, bounds: Sequence[Bound]) -> str:
    """Why a design fails the bounds; empty where it meets them. A metric that is not known cannot be met."""
    for bound in bounds:
        found = design.metrics.get(bound.metric)
        m = metric(bound.metric)
        if found is None:
            return f"fails {bound}: not known here"
        if not bound.holds(found.value):
            return f"fails {bound}: it is {show(found.value, m.unit)}"
    return ""
