"""An estimate is a bill: every line is an exact coefficient times the constants of the target that price it.

``cost(line) = coefficient * product(constants[f] for f in factors)``. Because every number of the answer is such a sum,
the answer can name its sources, say which constant dominates it, propagate the intervals of the constants without
approximation of the model, and be compared with another design under the *same* draw of the shared constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, overload

import msgspec

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger
from costmodel.metrics import Metric
from costmodel.metrics import metric as row_of
from costmodel.noun import Noun
from costmodel.targets.quantity import Interval, Quantity

#: Amounts of logic are counted in parts of this size, so that their sums are exact, and the same in any order.
RESOLUTION = 1 << 16
#: Parts of which one of each resource consists: memories and multipliers are whole.
PARTS_OF_ONE = {"lut": RESOLUTION, "ff": RESOLUTION, "carry": RESOLUTION, "bram18": 1, "uram": 1, "dsp": 1}


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of the bill; a struct, because an estimate makes thousands of them.

    ``metric`` names what is priced, a row of :mod:`costmodel.metrics`. ``component`` names the part of the hardware
    (``compute``, ``sram``, ``dram``, ``leakage``, ``threshold``, ``window``, ...), ``kind`` the op kind or traffic role
    that it pays for.
    """

    layer: int
    metric: str
    component: str
    kind: str
    coefficient: float
    factors: tuple[str, ...] = ()


def unused(lines: Iterable[Line], metrics: Iterable[str]) -> tuple[str, ...]:
    """Of ``metrics`` those that no line is about."""
    used = {line.metric for line in lines}
    return tuple(metric for metric in metrics if metric not in used)


@dataclass(frozen=True, repr=False)
class Estimate(Noun):
    """What a network costs on a target. ``layer`` -1 in a line stands for the network as a whole.

    ``derived`` holds results that are not sums of lines (rates, utilisation, TOPS/W), ``unused`` metrics of which the
    design takes nothing, ``facts`` exact results and choices (folding, initiation interval, device), ``misfit`` the
    reasons for which the design does not fit. ``scope`` says of what the energy is: ``chip core``, ``chip``,
    ``chip + DRAM`` or ``board``; empty where none is known. ``left_out`` says by metric, in words, what its figure does
    not hold: the true one is worse.

    Queries take a metric's name, or the head of its column as it is printed (``energy`` for ``energy_J``). They raise
    :class:`UnknownNameError` for a name that no metric has, and :class:`CostmodelError` for a metric of which this
    estimate has no figure: that a target's power is not known is never an energy of 0.

    Tables (``by``): ``total`` (metric, unit, value, low, high), ``layer`` (geometry, parameters, operations and costs),
    ``component``, ``constant`` (with sources), ``line``.
    """

    _VIEW = "costmodel.views.nouns:estimate"

    network: str
    target: str
    level: str
    lines: tuple[Line, ...]
    constants: Mapping[str, Quantity]
    layer_names: tuple[str, ...] = ()
    derived: Mapping[str, Interval] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    misfit: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    #: What was priced; None in an estimate that was read from a file.
    ledger: Ledger | None = field(default=None, compare=False)
    scope: str = ""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        fits = "" if self.fits else ", does not fit"
        return f"<Estimate of {self.network} on {self.target}, {self.level}: {', '.join(self._stated)}{fits}>"

    @property
    def fits(self) -> bool:
        return not self.misfit

    def metrics(self) -> tuple[str, ...]:
        """The metrics that lines of the bill add up to."""
        return tuple(name for name, summed in self._stated.items() if summed)

    def has(self, metric: str) -> bool:
        """Whether there is a figure of a metric; raises :class:`UnknownNameError` for what is no metric."""
        return metric in self._stated or self._row(metric).name in self._stated

    def total(self, metric: str) -> Interval:
        """The derived value of a metric, or else the sum of its lines."""
        name = self._named(metric)
        return self.derived[name] if name in self.derived else self._combine(list(self._of(name)))

    def totals(self) -> dict[str, Interval]:
        return {metric: self.total(metric) for metric in self._stated}

    @overload
    def by_layer(self, metric: str) -> dict[int, Interval]: ...
    @overload
    def by_layer(self, metric: None = None) -> dict[int, dict[str, Interval]]: ...
    def by_layer(self, metric: str | None = None) -> dict[int, Interval] | dict[int, dict[str, Interval]]:
        """Cost of each layer index in one metric, or in all of them; -1 is the network as a whole."""
        if metric is not None:
            return self._group(self._summed(metric), lambda line: line.layer)
        table: dict[int, dict[str, Interval]] = {}
        for name in self.metrics():
            for layer, interval in self._group(name, lambda line: line.layer).items():
                table.setdefault(layer, {})[name] = interval
        return dict(sorted(table.items()))

    def by_component(self, metric: str) -> dict[str, Interval]:
        return self._group(self._summed(metric), lambda line: line.component)

    def by_kind(self, metric: str) -> dict[str, Interval]:
        return self._group(self._summed(metric), lambda line: line.kind)

    def lines_of(self, metric: str) -> Iterator[Line]:
        """The lines that add up to a metric."""
        return self._of(self._summed(metric))

    def cost(self, line: Line) -> float:
        """Value of one line at the nominal constants."""
        value = line.coefficient
        for name in line.factors:
            value *= self.constants[name].value
        parts = PARTS_OF_ONE.get(line.metric)
        return value if parts is None else round(value * parts) / parts

    def explain(self, metric: str) -> list[tuple[str, float, float]]:
        """Constants by weight: (name, share of the total that it prices, share of the variance that it causes)."""
        totals: dict[str, float] = {}
        spreads: dict[str, float] = {}
        lines = list(self.lines_of(metric))
        for line in lines:
            value = self.cost(line)
            for name in line.factors:
                q = self.constants[name]
                totals[name] = totals.get(name, 0.0) + value
                if q.value:
                    spreads[name] = spreads.get(name, 0.0) + value * (q.high - q.low) / (2 * q.value)
        total = sum(map(self.cost, lines)) or 1.0
        variance = sum(s * s for s in spreads.values()) or 1.0
        rows = [(name, totals[name] / total, spreads.get(name, 0.0) ** 2 / variance) for name in totals]
        return sorted(rows, key=lambda row: -row[2])

    def sources(self) -> dict[str, Quantity]:
        """The constants that this estimate used."""
        used = dict.fromkeys(name for line in self.lines for name in line.factors)
        return {name: self.constants[name] for name in used}

    def bibtex(self) -> str:
        """BibTeX entries of all sources of the constants used."""
        # By name: nouns do not depend on what shows them.
        text: str = import_module("costmodel.views.references").bibtex([self])
        return text

    @cached_property
    def _stated(self) -> dict[str, bool]:
        """Every metric that there is a figure of, and whether it is a sum of lines."""
        summed = dict.fromkeys((line.metric for line in self.lines), True)
        return summed | dict.fromkeys((n for n in (*self.derived, *self.unused) if n not in summed), False)

    def _has(self) -> str:
        return f"{self.network} on {self.target} has {', '.join(self._stated) or 'none'}."

    def _row(self, given: str) -> Metric:
        """The metric that a name means, whether or not there is a figure of it."""
        return row_of(given, f"The estimate of {self._has()}")

    def _named(self, given: str) -> str:
        """The name of a metric that there is a figure of."""
        if given in self._stated:
            return given
        row = self._row(given)
        if row.name not in self._stated:
            raise CostmodelError(f"no figure of {row.word} ({row.name}): the estimate of {self._has()}")
        return row.name

    def _summed(self, given: str) -> str:
        """The name of a metric that is a sum of lines, be it of none."""
        name = self._named(given)
        if name in self.derived and not self._stated[name]:
            raise CostmodelError(
                f"{row_of(name).word} ({name}) is not a sum over layers and components; "
                f"{self.network} on {self.target} has these sums: {', '.join(self.metrics())}"
            )
        return name

    def _of(self, metric: str) -> Iterator[Line]:
        return (line for line in self.lines if line.metric == metric)

    def _group(self, metric: str, key: Callable[[Line], Any]) -> dict[Any, Interval]:
        groups: dict[Any, list[Line]] = {}
        for line in self._of(metric):
            groups.setdefault(key(line), []).append(line)
        return {name: self._combine(lines) for name, lines in groups.items()}

    def _combine(self, lines: list[Line]) -> Interval:
        """Propagate the constants' bounds to first order: one constant moves all its lines together, different
        constants move independently, so their half-widths add in quadrature."""
        value = 0.0
        up: dict[str, float] = {}
        down: dict[str, float] = {}
        for line in lines:
            cost = self.cost(line)
            value += cost
            for name in line.factors:
                q = self.constants[name]
                if q.value and (q.high != q.value or q.low != q.value):
                    up[name] = up.get(name, 0.0) + cost * (q.high / q.value - 1.0)
                    down[name] = down.get(name, 0.0) + cost * (1.0 - q.low / q.value)
        high = math.sqrt(sum(v * v for v in up.values()))
        low = math.sqrt(sum(v * v for v in down.values()))
        return Interval(value, value - low, value + high)
