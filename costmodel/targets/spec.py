"""A target: one hardware, with every constant a :class:`Quantity`, and the choices that its user has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.targets.quantity import Quantity
from costmodel.targets.schema import ConstantSpec, ParameterSpec, SpecFile, TableSpec, TargetKind
from costmodel.targets.units import canonical, to_base

T = TypeVar("T")
#: A table: constants by row and column.
Rows = Mapping[str, Mapping[str, Quantity]]
Value = float | int | str | bool | None
#: No option is larger; NaN and infinity are no options.
LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Parameter:
    """A choice with its default; numbers are held in base units."""

    default: Value
    description: str
    unit: str = "1"
    min: float | None = None
    max: float | None = None
    choices: tuple[float | int | str, ...] | None = None

    def check(self, name: str, value: Any) -> Any:
        """``value`` if it may be chosen. Text is converted to the type of the default.

        Raises :class:`CostmodelError` that says what may be chosen.
        """
        given = value
        if isinstance(value, str) and isinstance(self.default, (int, float)):
            value = self._from_text(value)
        expected = self._expected()
        number = isinstance(self.default, (int, float)) or (self.min, self.max) != (None, None)
        if number and value is not None and not (isinstance(value, (int, float)) and -LARGEST <= value <= LARGEST):
            raise CostmodelError(f"option {name}={given!r}: expected {expected}")
        if value is None and self.default is not None:
            raise CostmodelError(f"option {name}={given!r}: expected {expected}")
        if isinstance(self.default, int) and not isinstance(self.default, bool) and isinstance(value, float):
            if value != int(value):
                raise CostmodelError(f"option {name}={given!r}: expected {expected}")
            value = int(value)
        too_low = self.min is not None and value is not None and value < self.min
        too_high = self.max is not None and value is not None and value > self.max
        if too_low or too_high or (self.choices is not None and value not in self.choices):
            raise CostmodelError(f"option {name}={given!r}: expected {expected}")
        return value

    def _from_text(self, text: str) -> Any:
        if isinstance(self.default, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
        try:
            return int(text) if isinstance(self.default, int) else float(text)
        except ValueError:
            try:
                return float(text)
            except ValueError:
                return None

    def _expected(self) -> str:
        if self.choices is not None:
            return "one of " + ", ".join(map(str, self.choices))
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(self.default), "text")
        unit = "" if self.unit == "1" else f" in {self.unit}"
        bounds = [f"at least {self.min:g}"] if self.min is not None else []
        bounds += [f"at most {self.max:g}"] if self.max is not None else []
        return f"{kind}{unit}{', ' + ' and '.join(bounds) if bounds else ''}"


@dataclass(frozen=True)
class Target:
    """One hardware, read from ``arch_specs/`` or from a user's file by :func:`costmodel.targets.load_target`.

    ``constants`` are in SI or counted units (areas in mm²); a cell of a table is the constant ``table.row.column``.
    ``parameters`` are the choices of the user, ``structure`` what only one kind of target has, ``sources`` the
    references that the file itself brings along. ``tables`` hold the cells once more, by table, row and column.
    """

    name: str
    kind: TargetKind
    title: str
    description: str
    constants: Mapping[str, Quantity]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    structure: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    tables: Mapping[str, Rows] = field(default_factory=dict, repr=False)

    def constant(self, name: str) -> Quantity:
        """The constant of that name; raises :class:`CostmodelError` where the target has none."""
        try:
            return self.constants[name]
        except KeyError:
            raise CostmodelError(
                f"target {self.name!r} has no constant {name!r}. Add it to {self.file or 'its file'}, or name a base "
                "that has it."
            ) from None

    def value(self, name: str) -> float:
        return self.constant(name).value

    def table(self, name: str) -> Rows:
        """Rows of a table, each a mapping from column to constant; raises :class:`UnknownNameError` for any other."""
        if name not in self.tables:
            hint = f"Add it to {self.file or 'its file'}, or name a base that has it."
            raise UnknownNameError(f"table of target {self.name!r}:", name, self.tables, hint)
        return self.tables[name]

    def settings(self, options: Mapping[str, Any], extra: Mapping[str, Parameter] | None = None) -> dict[str, Any]:
        """Every parameter with its default or the given choice; ``extra`` are the choices of the model itself.

        Raises :class:`UnknownNameError` for an option that does not exist and :class:`CostmodelError` for a value that
        may not be chosen.
        """
        known = {**(extra or {}), **self.parameters}
        for name in options:
            if name not in known:
                raise UnknownNameError(
                    f"option of target {self.name!r}:", name, known, f"Valid options: {', '.join(sorted(known))}."
                )
        return {
            name: parameter.check(name, options[name]) if name in options else parameter.default
            for name, parameter in known.items()
        }

    def structure_as(self, kind: type[T]) -> T:
        """``structure`` as a typed struct; raises :class:`CostmodelError` naming the file and the field."""
        try:
            return msgspec.convert(self.structure, kind)
        except msgspec.ValidationError as error:
            raise CostmodelError(f"{self.file or self.name}: structure: {error}") from error


def make_constants(file: str, spec: SpecFile) -> tuple[dict[str, Quantity], dict[str, Rows]]:
    """Constants and cells of tables of one file, in base units, and the cells by table.

    Raises :class:`CostmodelError` naming the field.
    """
    constants = {name: _quantity(f"{file}: constants.{name}", c) for name, c in spec.constants.items()}
    tables: dict[str, Rows] = {}
    for name, table in spec.tables.items():
        rows: dict[str, dict[str, Quantity]] = {}
        for row, cells in table.rows.items():
            rows[row] = {
                column: _cell(f"{file}: tables.{name}.{row}.{column}", table, column, cell)
                for column, cell in cells.items()
            }
            constants.update({f"{name}.{row}.{column}": quantity for column, quantity in rows[row].items()})
        tables[name] = rows
    return constants, tables


def make_parameters(file: str, spec: SpecFile) -> dict[str, Parameter]:
    return {name: _parameter(f"{file}: parameters.{name}", p) for name, p in spec.parameters.items()}


def citation_keys(source: str) -> list[str]:
    """The keys of ``"key, where; key2, where"``."""
    return [part.strip().split(",", 1)[0].split()[0] for part in source.split(";") if part.strip()]


def _quantity(where: str, c: ConstantSpec) -> Quantity:
    if c.exact:
        if c.low is not None or c.high is not None:
            raise CostmodelError(f"{where}: 'exact: true' excludes low and high; drop one or the other")
        low = high = c.value
    elif c.low is None or c.high is None:
        raise CostmodelError(f"{where}: needs low and high, or 'exact: true' for a count without uncertainty")
    else:
        low, high = c.low, c.high
    return _checked(where, c.value, low, high, c.unit, c.source, c.confidence, c.note, tuple(c.fitted_to))


def _cell(where: str, table: TableSpec, column: str, cell: Any) -> Quantity:
    if column not in table.units:
        raise CostmodelError(f"{where}: column {column!r} has no unit in 'units'")
    if isinstance(cell, list):
        if len(cell) != 3:
            raise CostmodelError(f"{where}: expected a number or [value, low, high], got {cell}")
        value, low, high = cell
    elif table.bounds is None:
        raise CostmodelError(f"{where}: a cell that is one number needs 'bounds' of the table")
    else:
        value, low, high = cell, cell * table.bounds[0], cell * table.bounds[1]
    unit = table.units[column]
    return _checked(where, value, low, high, unit, table.source, table.confidence, table.note, tuple(table.fitted_to))


def _checked(
    where: str, value: float, low: float, high: float, unit: str, source: str, confidence: Any, note: str, rows: Any
) -> Quantity:
    if not (math.isfinite(value) and math.isfinite(low) and math.isfinite(high)):
        raise CostmodelError(f"{where}: value and bounds must be finite numbers, got {value:g} in [{low:g}, {high:g}]")
    if not low <= value <= high:
        raise CostmodelError(f"{where}: the interval [{low:g}, {high:g}] does not hold the value {value:g}")
    if confidence == "F" and not rows:
        raise CostmodelError(f"{where}: a fitted constant (confidence F) needs 'fitted_to', the rows it was fitted to")
    try:
        base, power = canonical(unit)
    except CostmodelError as error:
        raise CostmodelError(f"{where}: {error}") from error
    return Quantity(
        to_base(value, power), base, to_base(low, power), to_base(high, power), source, confidence, note, rows
    )


def _parameter(where: str, p: ParameterSpec) -> Parameter:
    try:
        base, power = canonical(p.unit)
    except CostmodelError as error:
        raise CostmodelError(f"{where}: {error}") from error

    def convert(value: Any) -> Any:
        return to_base(value, power) if power and isinstance(value, (int, float)) else value

    choices = None if p.choices is None else tuple(convert(c) for c in p.choices)
    made = Parameter(convert(p.default), p.description, base, convert(p.min), convert(p.max), choices)
    if p.default is not None:
        try:
            made.check("default", made.default)
        except CostmodelError as error:
            raise CostmodelError(f"{where}: {error}") from error
    return made
