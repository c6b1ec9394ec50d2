"""Reading a Liberty file: areas, pin capacitances, leakage and the energy of an output transition of each cell.

Only what a characterisation of units needs. Energies are the internal power of a pin averaged over its arcs, rising and
falling, at one input slew and output load.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError

_TOKEN = re.compile(r'"[^"]*"|[A-Za-z0-9_.+\-*/!&|^\'\[\]<>]+|[(){}:;,]')
#: Femtofarad, femtojoule and nanowatt in the units that libraries declare.
_FEMTO = {"ff": 1.0, "pf": 1e3}
_NANO = {"1nW": 1.0, "1pW": 1e-3, "1uW": 1e3, "1mW": 1e6}
_TIME = {"1ns": 1.0, "1ps": 1e-3}

Items = list[tuple[str, list[str] | None, Any]]


@dataclass(frozen=True, slots=True)
class Pin:
    """``energy`` in fJ a transition (of an output) or a half period (of a clock); ``capacitance`` in fF."""

    direction: str
    capacitance: float
    function: str
    energy: float


@dataclass(frozen=True)
class Cell:
    """``area`` in um2, ``leakage`` in nW."""

    name: str
    area: float
    leakage: float
    pins: dict[str, Pin]


@dataclass(frozen=True)
class Arc:
    """How an edge goes from an input ``pin`` to an output: ``sense`` is that of Liberty's ``timing_sense``."""

    pin: str
    sense: str
    tables: tuple[tuple[tuple[list[str], Items], tuple[list[str], Items]], ...]
    units: _Units

    def at(self, edge: int, slew: float, load: float) -> tuple[float, float]:
        """Delay and transition time in ns of a rising (0) or falling (1) output, at a slew in ns and a load in fF."""
        found = [self.units.lookup(*table, slew, load) or 0.0 for table in self.tables[edge]]
        return found[0] * self.units.time, found[1] * self.units.time


class Library:
    """Cells of one or more Liberty files of the same technology, at one slew (ns) and load (fF)."""

    def __init__(self, paths: Sequence[Path], slew: float, load: float) -> None:
        self.paths = tuple(paths)
        self.slew, self.load = slew, load
        self._raw: dict[str, tuple[Items, _Units]] = {}
        self._cells: dict[str, Cell] = {}
        self._arcs: dict[tuple[str, str], tuple[Arc, ...]] = {}
        self.voltage = 0.0
        for path in paths:
            items = _library(path)
            units = _Units.of(items, path)
            self.voltage = units.voltage
            for arguments, body in _groups(items, "cell"):
                self._raw.setdefault(arguments[0], (body, units))

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self._raw)

    def cell(self, name: str) -> Cell:
        """Raises :class:`CostmodelError` for a cell that the library does not have."""
        if name not in self._cells:
            if name not in self._raw:
                files = ", ".join(p.name for p in self.paths)
                raise CostmodelError(f"no cell {name!r} in {files}; give the files that hold it")
            self._cells[name] = self._read(name, *self._raw[name])
        return self._cells[name]

    def arcs(self, name: str, output: str) -> tuple[Arc, ...]:
        """The timing arcs into an output of a cell; of several under different conditions, all."""
        if (name, output) not in self._arcs:
            body, units = self._raw[name]
            pin = next(body for arguments, body in _groups(body, "pin") if arguments[0] == output)
            self._arcs[name, output] = tuple(_arcs(pin, units))
        return self._arcs[name, output]

    def _read(self, name: str, body: Items, units: _Units) -> Cell:
        pins = {}
        for arguments, pin in _groups(body, "pin"):
            energies = [
                units.energy * value
                for _, power in _groups(pin, "internal_power")
                for edge in ("rise_power", "fall_power")
                for template, table in _groups(power, edge)
                if (value := units.lookup(template, table, self.slew, self.load)) is not None
            ]
            pins[arguments[0]] = Pin(
                _attribute(pin, "direction"),
                float(_attribute(pin, "capacitance", "0")) * units.capacitance,
                _attribute(pin, "function"),
                sum(energies) / len(energies) if energies else 0.0,
            )
        return Cell(name, float(_attribute(body, "area", "0")), units.leakage * _leakage(body), pins)


@dataclass(frozen=True)
class _Units:
    capacitance: float
    energy: float
    leakage: float
    time: float
    voltage: float
    templates: dict[str, Items]

    @staticmethod
    def of(items: Items, path: Path) -> _Units:
        load = _call(items, "capacitive_load_unit")
        try:
            capacitance = float(load[0]) * _FEMTO[load[1].lower()]
            leakage = _NANO[_attribute(items, "leakage_power_unit", "1nW")]
            time = _TIME[_attribute(items, "time_unit", "1ns")]
            voltage = float(_attribute(items, "nom_voltage"))
        except (KeyError, IndexError, ValueError) as error:
            raise CostmodelError(f"{path}: a unit or the nominal voltage is missing or unknown ({error})") from error
        templates = {
            arguments[0]: body
            for kind in ("power_lut_template", "lu_table_template")
            for arguments, body in _groups(items, kind)
        }
        # Internal power is in capacitance times voltage squared: fJ where capacitances are in fF.
        return _Units(capacitance, capacitance, leakage, time, voltage, templates)

    def lookup(self, template: list[str], table: Items, slew: float, load: float) -> float | None:
        values = _numbers(_call(table, "values"))
        if not values:
            return None
        frame = self.templates.get(template[0], []) if template else []
        first, second = (_numbers(_call(table, key) or _call(frame, key)) for key in ("index_1", "index_2"))

        def at(variable: str) -> float:
            return load / self.capacitance if "capacitance" in _attribute(frame, variable) else slew / self.time

        if len(values) == 1 or not first:
            return values[0]
        if not second or len(values) == len(first):
            return _interpolate(first, values, at("variable_1"))
        width = len(second)
        rows = [_interpolate(second, values[i * width : (i + 1) * width], at("variable_2")) for i in range(len(first))]
        return _interpolate(first, rows, at("variable_1"))


def _arcs(pin: Items, units: _Units) -> Iterator[Arc]:
    for _, timing in _groups(pin, "timing"):
        tables = [
            (next(iter(_groups(timing, delay)), None), next(iter(_groups(timing, change)), None))
            for delay, change in (("cell_rise", "rise_transition"), ("cell_fall", "fall_transition"))
        ]
        if all(first is not None and second is not None for first, second in tables):
            related = _attribute(timing, "related_pin").split()[0]
            yield Arc(related, _attribute(timing, "timing_sense"), tuple(tables), units)  # type: ignore[arg-type]


def _library(path: Path) -> Items:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", "", text).replace("\\\n", "")
    # Some writers leave out the semicolon after an attribute.
    text = re.sub(r"(?m)^(\s*\w+\s*:\s*[^;{}\n]*[^;{}\s])\s*$", r"\1;", text)
    libraries = _groups(_parse(iter(_TOKEN.findall(text))), "library")
    if not libraries:
        raise CostmodelError(f"{path}: not a Liberty file, it has no library group")
    return libraries[0][1]


def _parse(tokens: Any) -> Items:
    items: Items = []
    name = ""
    for token in tokens:
        if token == "}":
            return items
        if token == ":":
            value = []
            for each in tokens:
                if each == ";":
                    break
                value.append(each)
            items.append((name, None, " ".join(value).strip('"')))
        elif token == "(":
            arguments = []
            for each in tokens:
                if each == ")":
                    break
                if each != ",":
                    arguments.append(each.strip('"'))
            items.append((name, arguments, None))
        elif token == "{":
            opened, arguments_of, _ = items.pop()
            items.append((opened, arguments_of, _parse(tokens)))
        elif token not in ";,":
            name = token
    return items


def _groups(items: Items, name: str) -> list[tuple[list[str], Items]]:
    return [(a or [], body) for n, a, body in items if n == name and isinstance(body, list)]


def _attribute(items: Items, name: str, default: str = "") -> str:
    return next((str(body) for n, a, body in items if n == name and a is None), default)


def _call(items: Items, name: str) -> list[str]:
    return next((a for n, a, body in items if n == name and a is not None and body is None), [])


def _numbers(texts: Sequence[str]) -> list[float]:
    return [float(x) for text in texts for x in text.replace(",", " ").split()]


def _interpolate(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Linear between the points, constant beyond them."""
    x = min(max(x, xs[0]), xs[-1])
    for i in range(len(xs) - 1):
        if x <= xs[i + 1]:
            return ys[i] + (ys[i + 1] - ys[i]) * (x - xs[i]) / (xs[i + 1] - xs[i])
    return ys[0]


def _leakage(body: Items) -> float:
    stated = _attribute(body, "cell_leakage_power")
    if stated:
        return float(stated.split()[0])
    states = [
        float(_attribute(state, "value", "0").split()[0])
        for _, state in _groups(body, "leakage_power")
        if _attribute(state, "related_pg_pin", "VDD") == "VDD"
    ]
    return sum(states) / len(states) if states else 0.0
