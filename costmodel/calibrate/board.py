"""A user's own measurements refine the constants of a target: as little as they must, within what was known before.

A bill is a sum of exact amounts times constants, so every measurement says something of the constants in proportion to
their shares. Each constant may move by as much as its interval is wide (taken as 90 % of a lognormal), each measurement
is believed to within what the model does not know of a network; the most probable constants under both are found by
Gauss-Newton steps, and their new intervals are what is left of the old ones. One measurement is enough to begin with.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.deploy.program import Array
from costmodel.errors import CostmodelError
from costmodel.metrics import metric as metric_of
from costmodel.targets import estimate
from costmodel.targets.estimate import Estimate
from costmodel.targets.quantity import Quantity
from costmodel.targets.spec import Target
from costmodel.targets.units import canonical, to_base

#: Columns of the file; the last two may be missing.
COLUMNS = ("network", "metric", "value", "unit", "options", "id")
#: Half-width of 90 % of a normal distribution, in standard deviations.
NINETY = 1.645
#: Standard deviation of a measurement against the model, where the target does not state its error.
UNKNOWN_ERROR = 0.05
#: A constant is written where it moves or its interval narrows by more than this.
CHANGE = 1e-4
STEPS = 30


@dataclass(frozen=True)
class Measurement:
    """One row: ``value`` in base units, ``options`` as ``--set`` takes them."""

    id: str
    network: str
    metric: str
    value: float
    options: Mapping[str, str]


@dataclass(frozen=True)
class Judged:
    """A measurement with the estimate before, after, and by constants fitted without the rows of its network."""

    row: Measurement
    before: float
    after: float
    left_out: float


@dataclass(frozen=True)
class Refined:
    """``constants`` are those that changed, by name, old and new."""

    rows: Sequence[Judged]
    constants: Mapping[str, tuple[Quantity, Quantity]]
    text: str

    def error(self, which: str) -> float:
        """Mean absolute relative error of ``before``, ``after`` or ``left_out``."""
        return _error(self.rows, which) / 100


def read(path: Path) -> list[Measurement]:
    """Measurements of a CSV with columns network, metric, value, unit and, if wanted, options (``clock=1.2e9
    threads=4``) and id. Raises :class:`CostmodelError` naming the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CostmodelError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        ) from None
    reader = csv.DictReader(text.splitlines())
    given = reader.fieldnames or []
    missing = [name for name in COLUMNS[:4] if name not in given]
    if missing or any(name not in COLUMNS for name in given):
        raise CostmodelError(f"{path}: columns {', '.join(map(str, given))}; expected {', '.join(COLUMNS[:4])} and, if "
                             f"wanted, {' and '.join(COLUMNS[4:])}")  # fmt: skip
    rows = [_row(f"{path}, line {number}", number, record) for number, record in enumerate(reader, start=2)]
    if not rows:
        raise CostmodelError(f"{path}: no measurement in it")
    return rows


def _row(where: str, number: int, record: Mapping[str, str | None]) -> Measurement:
    if None in record or None in record.values():
        raise CostmodelError(f"{where}: not as many cells as there are columns")
    name = metric_of((record["metric"] or "").strip(), f"Given in {where}.").name
    unit = (record["unit"] or "1").strip() or "1"
    try:
        base, power = canonical(unit)
        value = to_base(float(record["value"] or ""), power)
    except ValueError:
        raise CostmodelError(f"{where}: value {record['value']!r} is not a number") from None
    except CostmodelError as error:
        raise CostmodelError(f"{where}: {error}") from None
    expected = metric_of(name).unit
    if base not in (expected, "1", "LUT", "FF", "DSP", "BRAM18", "CARRY") or (expected and base != expected):
        raise CostmodelError(f"{where}: {name} in {unit}; expected {expected or 'a number without unit'}")
    if not (math.isfinite(value) and value > 0):
        raise CostmodelError(f"{where}: value {record['value']!r}; expected a positive number")
    options: dict[str, str] = {}
    for part in (record.get("options") or "").split():
        key, equals, setting = part.partition("=")
        if not equals:
            raise CostmodelError(f"{where}: option {part!r}; expected NAME=VALUE, with blanks between options")
        options[key] = setting
    return Measurement(record.get("id") or f"row{number}", (record["network"] or "").strip(), name, value, options)


def refine(
    target: Target, rows: Sequence[Measurement], file: Path, base: str, announce: Callable[[str], None]
) -> Refined:
    """The constants of ``target`` refined by ``rows`` of ``file``; ``base`` is how the new file names the target.

    Raises :class:`CostmodelError` for a network or option that does not exist, and for a metric that the target has no
    sum for.
    """
    sums = [_sum(target, row, announce) for row in rows]
    names = sorted({name for each in sums for name in each.known})
    problem = _Problem(target, sums, names, np.array([math.log(row.value) for row in rows]))
    found, spread = problem.solve(range(len(rows)))
    networks = [row.network for row in rows]
    judged = []
    for k, row in enumerate(rows):
        others = [i for i in range(len(rows)) if networks[i] != row.network]
        left, _ = problem.solve(others)
        judged.append(Judged(row, *(math.exp(problem.total(k, at)[0]) for at in (0 * found, found, left))))
    changed = {}
    for name, moved, after in zip(names, found.tolist(), spread.tolist(), strict=True):
        for own in _parts_of(name):
            old = target.constants[own]
            new = _moved(old, moved, after, rows)
            if abs(moved) > CHANGE or new.high / new.low < old.high / old.low * (1 - CHANGE):
                changed[own] = old, new
    return Refined(judged, changed, _yaml(target, base, file, rows, judged, changed))


#: The power of a board is a sum of two constants, which are moved together.
_BOARD = {"power_board": ("power_idle", "power_core")}


def _parts_of(name: str) -> tuple[str, ...]:
    return _BOARD.get(name, (name,))


@dataclass(frozen=True)
class _Sum:
    """A metric as signed sums of lines: ``known`` constants that may move, ``parts`` of (sign, costs, exponents)."""

    known: tuple[str, ...]
    parts: tuple[tuple[int, Array, Mapping[str, Array]], ...]
    rate: float
    error: float


def _sum(target: Target, row: Measurement, announce: Callable[[str], None]) -> _Sum:
    from costmodel.api import profile

    announce(f"estimating {row.network}")
    ledgers = profile(row.network)
    level = "as_written" if target.structure.get("engine") == "pytorch" else "deployed"
    options = {key: _typed(value) for key, value in row.options.items()}
    bill = estimate(ledgers, target, level=level, **options)  # type: ignore[arg-type]
    parts, rate = _metric(bill, row)
    sizes = []
    movable: set[str] = set()
    for sign, name in parts:
        lines = list(bill.lines_of(name))
        costs = np.array([bill.cost(line) for line in lines])
        factors = {f for line in lines for f in line.factors if _movable(target, bill, f)}
        movable |= factors
        sizes.append((sign, costs, {f: np.array([line.factors.count(f) for line in lines]) for f in factors}))
    errors = [q for name, q in bill.constants.items() if name.startswith("model_error")]
    error = max((_sigma(q) for q in errors), default=UNKNOWN_ERROR)
    return _Sum(tuple(sorted(movable)), tuple(sizes), rate, error or UNKNOWN_ERROR)


def _metric(bill: Estimate, row: Measurement) -> tuple[list[tuple[int, str]], float]:
    """A metric as a product of sums and a rate that no constant moves."""
    if row.metric == "images_per_second" and bill.has("latency_s") and "steady_images_per_second" not in bill.derived:
        return [(-1, "latency_s")], 1.0
    if row.metric == "power_W" and bill.has("energy_J"):
        if "steady_images_per_second" in bill.derived:
            return [(1, "energy_J")], bill.derived["steady_images_per_second"].value
        return [(1, "energy_J"), (-1, "latency_s")], 1.0
    if row.metric in bill.metrics():
        return [(1, row.metric)], 1.0
    can = [*bill.metrics(), *(["power_W"] if bill.has("energy_J") else [])]
    raise CostmodelError(f"{row.id}: {row.metric} is no sum of constants on {bill.target}; it has {', '.join(can)}")


def _movable(target: Target, bill: Estimate, name: str) -> bool:
    """Whether a constant is uncertain and positive; the error that is drawn for each network is no constant of it."""
    if not all(part in target.constants for part in _parts_of(name)):
        return False
    q = bill.constants[name]
    return q.low > 0 and q.high > q.low


def _sigma(q: Quantity) -> float:
    return math.log(q.high / q.low) / (2 * NINETY) if q.high > q.low > 0 else 0.0


class _Problem:
    """Logarithms of measurements as functions of the logarithms of the factors on constants."""

    def __init__(self, target: Target, sums: Sequence[_Sum], names: Sequence[str], measured: Array) -> None:
        self.sums, self.names, self.measured = sums, names, measured
        self.prior = np.array([max(_sigma(target.constants[part]) for part in _parts_of(name)) for name in names])

    def total(self, row: int, at: Array) -> tuple[float, Array]:
        """Logarithm of the estimate, and its derivatives."""
        each = self.sums[row]
        value, slope = math.log(each.rate), np.zeros(len(self.names))
        for sign, costs, exponents in each.parts:
            scaled = costs.astype(float)
            for k, name in enumerate(self.names):
                if name in exponents:
                    scaled = scaled * np.exp(at[k] * exponents[name])
            total = scaled.sum()
            value += sign * math.log(total)
            for k, name in enumerate(self.names):
                if name in exponents:
                    slope[k] += sign * float(scaled @ exponents[name]) / total
        return value, slope

    def solve(self, rows: Sequence[int] | range) -> tuple[Array, Array]:
        """The most probable logarithms of factors, and their standard deviations."""
        at = np.zeros(len(self.names))
        precision = np.diag(1 / self.prior**2)
        inverse = np.linalg.inv(precision) if len(at) else precision
        for _ in range(STEPS if len(rows) and len(at) else 0):
            found = [self.total(k, at) for k in rows]
            weights = np.array([1 / self.sums[k].error ** 2 for k in rows])
            jacobian = np.array([slope for _, slope in found])
            residual = self.measured[list(rows)] - np.array([value for value, _ in found])
            hessian = precision + jacobian.T @ (weights[:, None] * jacobian)
            inverse = np.linalg.inv(hessian)
            step = inverse @ (jacobian.T @ (weights * residual) - precision @ at)
            at = at + step
            if np.abs(step).max() < 1e-9:
                break
        return at, np.sqrt(np.diag(inverse)) if len(at) else at


def _moved(old: Quantity, moved: float, spread: float, rows: Sequence[Measurement]) -> Quantity:
    value = old.value * math.exp(moved)
    low, high = (value * math.exp(sign * NINETY * spread) for sign in (-1, 1))
    left = "" if old.low <= value <= old.high else ", which it has left"
    note = f"was {old.value:.4g} in [{old.low:.4g}, {old.high:.4g}]{left}; {old.source}"
    return Quantity(value, old.unit, low, high, "own_measurements", "F", note, tuple(row.id for row in rows))


def _typed(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _yaml(
    target: Target, base: str, file: Path, rows: Sequence[Measurement], judged: Sequence[Judged],
    changed: Mapping[str, tuple[Quantity, Quantity]],
) -> str:  # fmt: skip
    import json

    digest = sha256(file.read_bytes()).hexdigest()[:16]
    before, left = (_error(judged, which) for which in ("before", "left_out"))
    text = [
        f"# Made by `costmodel calibrate fit {file.name} --target {target.name}`.",
        f"# {len(rows)} measurements: {before:.1f} % off before, {left:.1f} % by constants of other networks.",
        *(f"#   {_said(r)}" for r in judged),
        f"kind: {target.kind}",
        f"title: {json.dumps(target.title + ', refined by own measurements', ensure_ascii=False)}",
        f"base: {json.dumps(base)}",
        "sources:",
        f"  own_measurements: {json.dumps(f'{file.name}, SHA-256 {digest}..., {len(rows)} rows', ensure_ascii=False)}",
    ]
    plain = {name: new for name, (_, new) in changed.items() if "." not in name}
    if plain:
        text.append("constants:")
        text += [f"  {name}: {{value: {q.value:.6g}, low: {q.low:.6g}, high: {q.high:.6g}, unit: {json.dumps(q.unit)}, "
                 f"source: own_measurements, confidence: F, fitted_to: {json.dumps(list(q.fitted_to))}, "
                 f"note: {json.dumps(q.note, ensure_ascii=False)}}}" for name, q in plain.items()]  # fmt: skip
    return "\n".join([*text, *_tables(changed), ""])


def _error(rows: Sequence[Judged], which: str) -> float:
    return 100 * float(np.mean([abs(getattr(r, which) / r.row.value - 1) for r in rows]))


def _said(judged: Judged) -> str:
    row = judged.row
    return f"{row.id}: {row.network} {row.metric} {row.value:.5g}, before {judged.before:.5g}, after {judged.after:.5g}"


def _tables(changed: Mapping[str, tuple[Quantity, Quantity]]) -> list[str]:
    """Cells ``table.row.column`` that changed; the others of a row stay those of the base."""
    import json

    tables: dict[str, dict[str, dict[str, Quantity]]] = {}
    for name, (_, new) in changed.items():
        if "." in name:
            table, row, column = name.split(".", 2)
            tables.setdefault(table, {}).setdefault(row, {})[column] = new
    text = ["tables:"] if tables else []
    for table, rows in tables.items():
        cells = [q for row in rows.values() for q in row.values()]
        units = {column: q.unit for row in rows.values() for column, q in row.items()}
        text += [f"  {table}:", f"    units: {json.dumps(units)}", "    source: own_measurements", "    confidence: F",
                 f"    fitted_to: {json.dumps(list(cells[0].fitted_to))}", "    rows:"]  # fmt: skip
        for row, columns in rows.items():
            inner = ", ".join(f"{c}: [{q.value:.6g}, {q.low:.6g}, {q.high:.6g}]" for c, q in columns.items())
            text.append(f"      {json.dumps(row)}: {{{inner}}}")
    return text
