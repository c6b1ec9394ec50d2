"""Energy and area of arithmetic units by width, from the tables of one or more technology columns.

A column is a table of a target with rows such as ``add16`` and the cells ``energy`` (one operation), ``area`` and
``leakage``. Columns that were characterised at several widths are read through a *law*: a sum of a few terms that the
structure of the unit explains (a ripple adder is linear in its width, a multiplier quadratic, a barrel shifter has
``log2 n`` stages of ``n`` multiplexers). A law is fitted by relative least squares, and its largest residual widens the
bounds. Columns that transcribe a published table are read as they stand, and log-log between their rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.targets import arith
from costmodel.targets.kept import kept
from costmodel.targets.quantity import Confidence, Quantity

if TYPE_CHECKING:
    from costmodel.targets.spec import Rows, Target


def _stages(n: Any) -> Any:
    """Stages of a shifter that moves ``n`` bits by up to ``n - 1`` places."""
    return arith.bit_length(n - 1)


def _adders(n: Any, half: bool) -> Any:
    """Full, or half, adders of a tree that sums ``n`` bits: a column of ``m`` takes (m - 1) // 2 full adders, one half
    adder where two are left, and passes m // 2 carries on."""
    total: Any = 0.0 * n
    column_bits = n
    if isinstance(n, int):
        while column_bits > 1:
            total += (column_bits - 1) % 2 if half else (column_bits - 1) // 2
            column_bits //= 2
        return total
    for _ in range(24):
        below = arith.maximum(column_bits - 1, 0)
        total = total + (below % 2 if half else below // 2)
        column_bits = column_bits // 2
    return total


#: Terms of a law as functions of the width.
TERMS: dict[str, Callable[[Any], Any]] = {
    "1": lambda n: 1.0 + 0.0 * n,
    "n": lambda n: 1.0 * n,
    "n2": lambda n: 1.0 * n * n,
    "n2 log n": lambda n: n * n * arith.log2(n),
    "full adders": lambda n: _adders(n, False),
    "half adders": lambda n: _adders(n, True),
    # The highest bit never moves, so a stage has n - 1 multiplexers.
    "n-1 stages": lambda n: (n - 1.0) * _stages(n),
    # A stage inverts, so an odd number of stages needs one more row of inverters.
    "n odd": lambda n: 1.0 * n * (_stages(n) % 2),
}

#: The structure of every unit: terms of its area, and of its energy, which for a multiplier also grows with the depth
#: over which glitches multiply.
AREA_TERMS: dict[str, tuple[str, ...]] = {
    "add": ("n", "1"),
    "compare": ("n", "1"),
    "mux": ("n", "1"),
    "xnor": ("n",),
    "popcount": ("full adders", "half adders"),
    "xnor_popcount": ("full adders", "half adders", "n"),
    "mul": ("n2", "n", "1"),
    "shift": ("n-1 stages", "n", "n odd", "1"),
    "prelu": ("n2", "n"),
    "qprelu_const": ("n", "1"),
    "qprelu_var": ("n-1 stages", "n", "n odd", "1"),
    "register": ("n",),
}
ENERGY_TERMS: dict[str, tuple[str, ...]] = {**AREA_TERMS, "mul": ("n2", "n2 log n"), "prelu": ("n2", "n2 log n")}

#: Growth of units of which a published table has one row only.
EXPONENT: dict[str, float] = {"mul": 2.0, "prelu": 2.0, "fmul": 2.0}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Law:
    """``sum(c * term(n))`` fitted to points; ``residual`` is the largest relative deviation from one of them."""

    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    residual: float
    points: tuple[Point, ...]

    def __call__(self, width: Any) -> Any:
        """Value at a width, or at an array of widths."""
        at = _terms(self.terms, width) if isinstance(width, int) else [TERMS[t](width) for t in self.terms]
        return sum([c * value for value, c in zip(at, self.coefficients, strict=True)])


@lru_cache(maxsize=4096)
def _terms(terms: tuple[str, ...], width: int) -> tuple[float, ...]:
    """Terms of a law at a width: the same for all units, bounds and columns of that structure."""
    return tuple(TERMS[t](width) for t in terms)


@lru_cache(maxsize=1024)
def fit(points: tuple[Point, ...], terms: tuple[str, ...]) -> Law:
    """Least squares of relative deviations. Where there are fewer points than terms the last terms are left out."""
    used = terms[: len(points)]
    at = [_terms(used, int(n)) for n, _ in points]
    rows = [[term / y for term in row] for row, (_, y) in zip(at, points, strict=True)]
    size = len(used)
    matrix = [[0.0] * (size + 1) for _ in used]
    for i in range(size):
        for j in range(i, size):
            matrix[i][j] = matrix[j][i] = sum([r[i] * r[j] for r in rows])
        matrix[i][size] = sum([r[i] for r in rows])
    if size > 1 and _singular(matrix):
        return fit(points, used[:-1])
    solved = _solve(matrix)
    found = [sum([c * t for t, c in zip(row, solved, strict=True)]) for row in at]
    residual = max([abs(value / y - 1) for value, (_, y) in zip(found, points, strict=True)])
    return Law(used, tuple(solved), residual, points)


def _singular(matrix: Sequence[Sequence[float]]) -> bool:
    size = len(matrix)
    scale = [math.sqrt(matrix[i][i]) or 1.0 for i in range(size)]
    m = [[matrix[i][j] / scale[i] / scale[j] for j in range(size)] for i in range(size)]
    determinant = 1.0  # of a matrix of scalar products, so that elimination needs no pivoting
    for i in range(size):
        if (pivot := m[i][i]) <= 0:
            return True
        determinant *= pivot
        for r in range(i + 1, size):
            factor = m[r][i] / pivot
            m[r] = [x - factor * y for x, y in zip(m[r], m[i], strict=True)]
    return determinant < 1e-9


def _solve(matrix: list[list[float]]) -> list[float]:
    """Gaussian elimination with pivoting of an augmented matrix."""
    m = [list(row) for row in matrix]
    size = len(m)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(m[r][i]))
        m[i], m[pivot] = m[pivot], m[i]
        for r in range(size):
            if r != i:
                factor = m[r][i] / m[i][i]
                m[r] = [x - factor * y for x, y in zip(m[r], m[i], strict=True)]
    return [m[i][size] / m[i][i] for i in range(size)]


def interpolate(points: Sequence[Point], width: float, exponent: float = 1.0) -> float:
    """A published row as it stands; between two rows a power law, beyond them ``width ** exponent``."""
    ordered = sorted(points)
    for n, y in ordered:
        if n == width:
            return y
    below = [p for p in ordered if p[0] < width]
    above = [p for p in ordered if p[0] > width]
    if below and above:
        (n0, y0), (n1, y1) = below[-1], above[0]
        return y0 * math.pow(width / n0, math.log(y1 / y0) / math.log(n1 / n0))
    n, y = below[-1] if below else above[0]
    return y * math.pow(width / n, exponent)


def split_row(row: str) -> tuple[str, int]:
    """``"qprelu_var16"`` is the unit ``qprelu_var`` at 16 bits."""
    match = re.fullmatch(r"([a-z_]+?)_?(\d+)", row)
    if match is None:
        raise CostmodelError(f"row {row!r} of a unit table: expected a unit and a width, such as add16")
    return match[1], int(match[2])


@dataclass(frozen=True, eq=False)
class Column:
    """One technology column: its cells by unit, whether they are read through laws, and where it was characterised."""

    name: str
    node: float
    voltage: float
    is_table: bool
    cells: Mapping[tuple[str, str], tuple[tuple[int, Quantity], ...]]
    made: dict[tuple[str, float, str], Quantity] = field(default_factory=dict, repr=False)
    laws: dict[tuple[str, str], tuple[Law, ...]] = field(default_factory=dict, repr=False)

    def units(self) -> frozenset[str]:
        return frozenset(unit for unit, _ in self.cells)

    def law(self, unit: str, what: str, bound: str = "value", leave_out: Sequence[int] = ()) -> Law:
        """The law of ``energy`` or ``area`` of a unit, fitted to all its rows except those left out."""
        points = tuple((float(n), getattr(q, bound)) for n, q in self._points(unit, what) if n not in leave_out)
        return fit(points, (AREA_TERMS if what == "area" else ENERGY_TERMS).get(unit, ("n", "1")))

    def quantity(self, unit: str, width: float, what: str = "energy") -> Quantity:
        """What a unit of ``width`` bits costs, computed once; see :meth:`compute`."""
        key = (unit, width, what)
        if key not in self.made:
            self.made[key] = self.compute(unit, width, what)
        return self.made[key]

    def compute(self, unit: str, width: float, what: str) -> Quantity:
        """Energy of one operation in J, area in mm² or leakage in W of a unit of ``width`` bits.

        Raises :class:`CostmodelError` for a unit that the column does not have.
        """
        points = self._points(unit, what)
        exact = next((q for n, q in points if n == width), None)
        if exact is not None and self.is_table:
            return exact
        first = points[0][1]
        if self.is_table or len(points) == 1:
            exponent = EXPONENT.get(unit, 1.0)
            value, low, high = (
                interpolate([(n, getattr(q, bound)) for n, q in points], width, exponent)
                for bound in ("value", "low", "high")
            )
            note = f"log-log between the rows of {self.name}"
            confidence: Confidence = "C"
        else:
            laws = self.laws.get((unit, what))
            if laws is None:
                laws = self.laws[unit, what] = tuple(self.law(unit, what, b) for b in ("value", "low", "high"))
            value, low, high = (max(law(width), 0.0) for law in laws)
            low = min(low / (1 + laws[1].residual), value)
            high = max(high / (1 - laws[2].residual), value)
            note = f"law of {self.name} in {' + '.join(laws[0].terms)}, residual {laws[0].residual:.1%}"
            confidence = "C"
        return Quantity(value, first.unit, min(low, value), max(high, value), first.source, confidence, note)

    def _points(self, unit: str, what: str) -> tuple[tuple[int, Quantity], ...]:
        try:
            return self.cells[unit, what]
        except KeyError:
            raise CostmodelError(
                f"column {self.name!r} has no {what} of {unit!r}; it has {', '.join(sorted(self.units()))}"
            ) from None


def column(target: Target, name: str) -> Column:
    """The column ``name`` of a target: its table, and ``structure.columns.NAME`` with ``read: law`` or ``table``.

    Targets that inherit the same table share the column, and with it the laws that are fitted to it.
    """
    rows = target.table(name)
    is_table = target.structure.get("columns", {}).get(name, {}).get("read") == "table"
    return read_column(rows, name, target.value(f"{name}_node"), target.value(f"{name}_vdd"), is_table)


@kept
def read_column(rows: Rows, name: str, node: float, voltage: float, is_table: bool) -> Column:
    """A column from the rows of its table."""
    cells: dict[tuple[str, str], list[tuple[int, Quantity]]] = {}
    for row, values in rows.items():
        unit, width = split_row(row)
        for what, quantity in values.items():
            cells.setdefault((unit, what), []).append((width, quantity))
    ordered = {key: tuple(sorted(points, key=lambda p: p[0])) for key, points in cells.items()}
    return Column(name, node, voltage, is_table, ordered)
