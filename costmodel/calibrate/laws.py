"""Laws of units: how many LUTs and registers a unit of some size takes, fitted on some sizes and scored on others."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.calibrate.fpga_units import BY_NAME, UNITS, Size, Unit
from costmodel.calibrate.synthesis import TARGETS, Row
from costmodel.targets.fpga.makers import Impl
from costmodel.targets.fpga.units import Fabric, totals
from costmodel.targets.load import load_target

#: Amounts below this count as it in a fit: one LUT more or less is rounding.
LEAST = 10
#: What laws are fitted for; multipliers and block RAMs are whole and follow rules.
LAWS = ("lut", "ff")


@dataclass(frozen=True)
class Law:
    """``coefficients`` by term of the unit; ``errors`` are the relative ones of the sizes that were held out."""

    unit: str
    family: str
    metric: str
    coefficients: Mapping[str, float]
    errors: tuple[float, ...]

    @property
    def text(self) -> str:
        parts = [f"{c:.3g}" if term == "1" else f"{c:.3g} {term}" for term, c in self.coefficients.items()]
        return " + ".join(parts).replace("+ -", "- ")

    @property
    def median(self) -> float:
        return statistics.median(self.errors) if self.errors else 0.0

    @property
    def worst(self) -> float:
        return max(self.errors, default=0.0)

    def at(self, size: Size) -> int:
        """The whole number that the law says."""
        terms = BY_NAME[self.unit].terms
        return max(0, round(sum(c * terms[name](size) for name, c in self.coefficients.items())))


def fit(rows: Iterable[Row]) -> list[Law]:
    """A law for every unit, family and metric of which there are rows enough and that takes any of it.

    Least squares on relative errors. Where every size is met exactly by fewer terms, the others come out as zero.
    """
    by_key = {row.key: row for row in rows}
    families = dict.fromkeys(row.family for row in by_key.values())
    laws = []
    for family in families:
        for unit in UNITS:
            found = [_row(by_key, unit, size, family) for size in unit.sizes]
            seen = [row for row in found if row is not None]
            for metric in LAWS:
                fitted = [row for row in seen if row.amount(metric)]
                if unit.terms and len(fitted) == len(unit.sizes):
                    held = [row for size in unit.held if (row := _row(by_key, unit, size, family)) is not None]
                    laws.append(_fitted(unit, family, metric, fitted, held))
    return laws


def _row(rows: Mapping[tuple[str, str, str], Row], unit: Unit, size: Size, family: str) -> Row | None:
    return rows.get((unit.name, "x".join(map(str, size)), family))


def _fitted(unit: Unit, family: str, metric: str, rows: Sequence[Row], held: Sequence[Row]) -> Law:
    amounts = np.array([row.amount(metric) for row in rows], float)
    least = np.maximum(amounts, LEAST)
    terms = np.array([[term(row.numbers) for term in unit.terms.values()] for row in rows], float)
    found, *_ = np.linalg.lstsq(terms / least[:, None], amounts / least, rcond=None)
    values = [round(float(x), 6) for x in found]
    law = Law(unit.name, family, metric, dict(zip(unit.terms, values, strict=True)), ())
    errors = tuple(abs(law.at(r.numbers) - r.amount(metric)) / max(r.amount(metric), 1) for r in held)
    return Law(law.unit, law.family, law.metric, law.coefficients, errors)


@dataclass(frozen=True)
class Charged:
    """What the model charges for a unit's LUTs, with the bounds of its constants, next to what synthesis took."""

    row: Row
    value: float
    low: float
    high: float

    @property
    def outside(self) -> bool:
        """Whether synthesis is outside of the interval by more than one LUT, which rounding may be."""
        return not self.low - 1 <= self.row.lut <= self.high + 1

    @property
    def ratio(self) -> float:
        return self.value / self.row.lut if self.row.lut else (1.0 if self.value == 0 else float("inf"))


def charged(rows: Iterable[Row]) -> list[Charged]:
    """Every row next to what the model says of it with the shipped constants of its family."""
    found = []
    targets = {family: load_target(name) for family, name in TARGETS.items()}
    ends = {
        family: [{n: getattr(q, end) for n, q in target.constants.items()} for end in ("value", "low", "high")]
        for family, target in targets.items()
    }
    for row in rows:
        given = targets[row.family].structure["fabric"]
        fabric = Fabric(**({**given, "ram": tuple(map(tuple, given["ram"]))} if "ram" in given else given))
        unit = BY_NAME[row.unit]
        impl: Impl = "compressor" if unit.flow == "area" else "behavioural"
        every = unit.priced(row.numbers, fabric, impl)
        if any(p.metric == "dsp" for p in every) and not row.dsp:
            continue  # mapped without multiplier blocks, which is not what the model asks for
        parts = [p for p in every if p.metric == "lut"]
        value, low, high = 0.0, 0.0, 0.0
        for part in parts:
            costs = [float(totals((part,), known)["lut"]) for known in ends[row.family]]
            value, low, high = value + costs[0], low + min(costs), high + max(costs)
        found.append(Charged(row, value, low, high))
    return found
