"""What prices the designs of a case: settings one by one, foldings, or mappings; a block of designs at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError
from costmodel.explore.accuracy import accuracy
from costmodel.explore.cases import Case
from costmodel.explore.ledgers import decoded
from costmodel.explore.space import Entry
from costmodel.explore.tables import Choices
from costmodel.ledger.ledger import Ledger
from costmodel.metrics import objective_names
from costmodel.targets import arrays
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, RESOLUTION, RESOURCES, Design, Ints, reals
from costmodel.targets.fpga.folding import Fold
from costmodel.targets.fpga.job import capacity, make_job, prices
from costmodel.targets.fpga.latency import latency
from costmodel.targets.fpga.space import fold_design
from costmodel.targets.fpga.timing import Timing

if TYPE_CHECKING:
    from costmodel.explore.exact import Exact
    from costmodel.explore.mapping import LayerTables, MappingFront
    from costmodel.targets.spec import Target

#: Numbers [n] of designs and their metrics, each [n] or one for all.
Block = tuple[NDArray[np.int64], Mapping[str, Any]]

Bounds = Mapping[str, tuple[float, float]]
NO_BOUNDS: Bounds = {}

_BLOCK = 1 << 16
#: Designs that are followed through their pipelines at a time.
_FOLLOWED = 1 << 10
#: Members of one exact front that can be numbered. Where a case composes several, at clocks or settings, the number of
#: a design is ``front * MEMBERS + member``.
MEMBERS = 1 << 28


def fixed_metrics(case: Case, ledger: Ledger, settings: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of a design that are those of its network; ``accuracy`` in percent, NaN where none is known for these
    settings."""
    figure = accuracy(case.network, case.entry.spec, settings)
    return {"accuracy": figure.top1 if figure else float("nan"), "weight_bits": float(ledger.weight_bits())}


@dataclass(frozen=True)
class Open:
    """What a front is not certain of: the metrics of which a lower limit may leave out what would be a member, where
    dominated designs are not looked at; and why it is not proven in any case."""

    coordinates: tuple[str, ...] = ()
    unproven: str = ""


class Settings:
    """All settings of a target, priced by the target's model: those of a chip or a core all at once."""

    def __init__(self, case: Case, ledger: Ledger) -> None:
        self.case, self.ledger = case, ledger
        self.settings = list(case.entry.settings())

    def count(self, start: int, stop: int) -> int:
        """How many designs the numbers ``start`` to ``stop`` stand for."""
        return stop - start

    def open(self, wanted: Collection[str], bounds: Bounds) -> Open:
        return Open()

    def blocks(
        self, start: int, stop: int, wanted: Collection[str] = (), bounds: Bounds = NO_BOUNDS
    ) -> Iterator[Block]:
        each = [fixed_metrics(self.case, self.ledger, one) for one in self.settings[start:stop]]
        fixed = {name: np.array([one[name] for one in each]) for name in each[0]}
        if self.case.entry.kind != "fpga":
            try:
                table: Mapping[str, Any] = metrics_of_all(self.ledger, self.case.entry, self.settings[start:stop])
            except CostmodelError:  # some cannot be built, such as a clock above what the voltage allows
                table = _columns([self._one(setting) for setting in self.settings[start:stop]])
            yield np.arange(start, stop, dtype=np.int64), {**fixed, **table}
            return
        rows = [self._one(setting) for setting in self.settings[start:stop]]
        yield np.arange(start, stop, dtype=np.int64), {**fixed, **_columns(rows)}

    def _one(self, setting: Mapping[str, Any]) -> dict[str, float]:
        """Metrics of one setting; none where it is refused."""
        try:
            return metrics_of(self.ledger, self.case.entry, setting)
        except CostmodelError:
            return {}


class Foldings:
    """All foldings of a network on an FPGA at one setting: drawn, or composed exactly and then run at each clock.

    Neither cycles nor resources depend on the clock, and every metric of the design is monotone in them: so the front
    at a clock is the image of one front, which is composed once.
    """

    def __init__(self, case: Case, ledger: Ledger) -> None:
        from costmodel.explore import dataflow

        self.case, self.ledger = case, ledger
        rules = dataflow.Rules(case.entry.max_weight_bits, case.entry.memories == "free", case.entry.ultra)
        self.space = dataflow.space(ledger, case.entry.spec, rules, **{"mode": "dataflow", **dict(case.settings)})
        self.clocks = case.clocks or (self.space.clock,)
        self.fixed = fixed_metrics(case, ledger, dict(case.settings))
        self._found: dict[str, Exact] = {}

    def count(self, start: int, stop: int) -> int:
        return self.space.design.size * len(self.clocks) if self.case.entry.search == "exact" else stop - start

    def open(self, wanted: Collection[str], bounds: Bounds) -> Open:
        if self.case.entry.search != "exact":
            return Open()
        found = self.exact(wanted, bounds)
        return Open(found.coordinates, found.unproven)

    def blocks(
        self, start: int, stop: int, wanted: Collection[str] = (), bounds: Bounds = NO_BOUNDS
    ) -> Iterator[Block]:
        if self.case.entry.search == "exact":
            yield from self._exact(wanted, bounds)
            return
        from costmodel.explore.tables import FoldingTables, blocks, draw

        tables = FoldingTables(self.space.design)
        for at, count in blocks(start, stop, _BLOCK):
            choices = draw(tables.sizes, self.case.entry.seed, at, count)
            rows = tables.evaluate(choices)
            table = (
                self._metrics(rows, self.space.clock) | self._followed(choices, rows, (self.space.clock,), wanted)[0]
            )
            yield np.arange(at, at + count, dtype=np.int64), table

    def drawn(self, numbers: NDArray[np.int64]) -> Ints:
        """Choices [n, units] of random designs."""
        from costmodel.explore.tables import draw

        sizes = [len(unit) for unit in self.space.design.units]
        return np.concatenate([draw(sizes, self.case.entry.seed, int(n), 1) for n in numbers]).astype(np.int64)

    def exact(self, wanted: Collection[str], bounds: Bounds) -> Exact:
        """The candidates for an exact front by ``wanted`` within ``bounds``; the last are kept."""
        from costmodel.explore.compose import Objectives
        from costmodel.explore.exact import exact

        asked = repr((sorted(wanted), sorted(bounds.items())))
        if asked not in self._found:
            has = {name: int(amount) for name, amount in capacity(self.space.target).items()}
            ultra = self.space.rules.ultra
            limits = Objectives(has["bram18"], has["dsp"], ultra=ultra, max_uram=has["uram"] if ultra else None)
            self._found = {asked: exact(self.space.design, limits, {*wanted, *self._applying(bounds)}, bounds)}
        return self._found[asked]

    def _applying(self, bounds: Bounds) -> set[str]:
        return {*bounds} & {*objective_names("fpga"), *objective_names()}

    def _exact(self, wanted: Collection[str], bounds: Bounds) -> Iterator[Block]:
        for numbers, rows, choices in self.exact(wanted, bounds).blocks(_BLOCK):
            if {"energy_J", "latency_s"} & {*wanted} and choices is None:
                choices = self.exact(wanted, bounds).find(numbers)[0]
            followed = self._followed(choices, rows, self.clocks, wanted)
            for index, clock in enumerate(self.clocks):
                yield index * MEMBERS + numbers, self._metrics(rows, clock) | followed[index]

    def price(self, choices: Ints, wanted: Collection[str], clock: float | None = None) -> dict[str, Any]:
        """Metrics of foldings with these choices [n, units], one by one."""
        found = [self.space.design.price(row) for row in choices]
        rows: Ints = np.array([[interval, *cost] for interval, cost in found], dtype=np.int64)
        at = self.space.clock if clock is None else clock
        return self._metrics(rows, at) | self._followed(choices, rows, (at,), wanted)[0]

    def _metrics(self, rows: Ints, clock: float) -> dict[str, Any]:
        """Metrics of foldings with these intervals and resources [n, 6]; what does not fit the device has no rate."""
        from costmodel.explore.exact import COLUMN

        has, parts = capacity(self.space.target), {"lut": RESOLUTION, "ff": RESOLUTION}
        takes = {name: rows[:, column] / parts.get(name, 1) for name, column in COLUMN.items()}
        fits = np.logical_and.reduce([amount <= has[name] for name, amount in takes.items() if name in has])
        seconds = 1 / (clock / rows[:, 0])  # as the inverse of the rate that an estimate gives
        return {**self.fixed, "seconds_per_image": np.where(fits, seconds, np.nan), **takes, "clock_Hz": clock}

    def _followed(
        self, choices: Ints | Choices | None, rows: Ints, clocks: Sequence[float], wanted: Collection[str]
    ) -> list[dict[str, Any]]:
        """What is known of foldings that were followed through their pipelines, at each clock: latency and energy."""
        if not {"energy_J", "latency_s"} & {*wanted} or choices is None:
            return [{} for _ in clocks]
        interval = rows[:, 0]
        first = self._first(choices, interval)
        none = np.zeros((len(choices), len(RESOURCES)), dtype=np.int64)
        clocked = self._clocked_of(choices, interval) if "energy_J" in wanted else none
        names = {"energy_J", "latency_s"} & {*wanted}
        return [{n: v for n, v in self._timed(first, interval, clocked, c).items() if n in names} for c in clocks]

    def _first(self, choices: NDArray[np.integer[Any]], interval: Ints) -> Ints:
        """Cycles of one image [n] through foldings with these choices [n, units], a few at a time."""
        space, found = self.space, []
        for at in range(0, len(choices), _FOLLOWED):
            rows, folding = choices[at : at + _FOLLOWED], {}
            for column, (stage, unit) in enumerate(zip(space.order, space.design.units, strict=True)):
                pe, simd = unit.settings[rows[:, column], :2].T
                folding[stage] = Fold(pe, simd)
            found.append(latency(space.stages, folding, interval[at : at + _FOLLOWED], space.style))
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    @cached_property
    def _clocked(self) -> Design:
        """The same foldings by what is clocked in them."""
        space = self.space
        return fold_design(space.stages, space.names, space.style, prices(space.target), space.rules, for_energy=True)

    def _clocked_of(self, choices: Ints | Choices, interval: Ints) -> Ints:
        """What is clocked [n, 5] in foldings with these choices, built for these intervals: by tables, or one by one
        where sums are too large or the interval is not the least."""
        from costmodel.explore.tables import FoldingTables

        least = np.zeros(len(choices), dtype=np.int64)
        for column, unit in enumerate(self.space.design.units):
            np.maximum(least, unit.cycles[choices[:, column]], out=least)
        design = self._clocked
        at = np.searchsorted(design.intervals, interval)
        if np.array_equal(design.intervals[np.searchsorted(design.intervals, least)], interval):
            try:
                return FoldingTables(design).evaluate(choices.astype(np.uint16))[:, 1:]
            except CostmodelError:
                pass
        whole = choices.astype(np.int64)
        return np.array([design.price(row, int(t))[1] for row, t in zip(whole, at, strict=True)])

    def _timed(self, first: Ints, interval: Ints, clocked: Ints, clock: float) -> dict[str, Any]:
        """Latency and energy per image [n], from the lines of the bill; no energy where the target has no power.
        ``clocked`` [n, 5] are costs of designs that are priced for their energy."""
        space = self.space
        of = reals(clocked.reshape(-1, len(RESOURCES))).T
        amounts = {"lut": of[LUT], "ff": of[FF], "memory_bits": of[BRAM], "dsp": of[DSP]}
        job = make_job(self.ledger, space.target, {**space.settings, "clock": clock})
        timing = Timing.of(job, first, interval, amounts)
        return arrays.sums(timing.lines(), timing.constants)


class Mappings:
    """All mappings of a network onto a chip: drawn at one setting, or composed exactly at each setting in turn."""

    def __init__(self, case: Case, ledger: Ledger) -> None:
        self.case, self.ledger = case, ledger
        self.target = case.entry.spec
        self.exact = case.entry.search == "exact"
        self.settings = list(case.entry.settings()) if self.exact else [dict(case.settings)]
        self.fixed = [fixed_metrics(case, ledger, one) for one in self.settings]
        self.tables = lru_cache(maxsize=1)(self._tables)
        self.front = lru_cache(maxsize=1)(self._front)

    def count(self, start: int, stop: int) -> int:
        tables = self.tables(0)
        return (stop - start) * (len(tables.choice_names) ** len(tables.products) if self.exact else 1)

    def open(self, wanted: Collection[str], bounds: Bounds) -> Open:
        return Open(("seconds_per_image", "latency_s", "energy_J") if self.exact else ())

    def blocks(
        self, start: int, stop: int, wanted: Collection[str] = (), bounds: Bounds = NO_BOUNDS
    ) -> Iterator[Block]:
        if self.exact:
            for setting in range(start, stop):
                front = self.front(setting)
                yield setting * MEMBERS + np.arange(len(front), dtype=np.int64), self._metrics(setting, front.metrics)
            return
        from costmodel.explore.tables import blocks

        for at, count in blocks(start, stop, _BLOCK):
            metrics = self.tables(0).evaluate(self._draw(at, count))
            yield np.arange(at, at + count, dtype=np.int64), self._metrics(0, metrics)

    def settings_of(self, number: int) -> dict[str, Any]:
        """The settings that make a design, its mapping among them."""
        setting, member = divmod(number, MEMBERS) if self.exact else (0, number)
        choices = self.front(setting).choices[member] if self.exact else self._draw(member, 1)[0]
        return {**self.settings[setting], "mapping": self.tables(setting).letters(choices.tolist())}

    def _tables(self, setting: int) -> LayerTables:
        from costmodel.explore.mapping import layer_tables
        from costmodel.targets.asic import price as asic

        return layer_tables(self.ledger, self.target, self.target.settings(self.settings[setting], asic.OPTIONS))

    def _front(self, setting: int) -> MappingFront:
        from costmodel.explore.mapping import compose

        return compose(self.tables(setting))

    def _draw(self, start: int, count: int) -> NDArray[np.uint16]:
        from costmodel.explore.tables import draw

        return draw(self.tables(0).sizes, self.case.entry.seed, start, count)

    def _metrics(self, setting: int, metrics: NDArray[np.float64]) -> dict[str, Any]:
        tables = self.tables(setting)
        table = {**self.fixed[setting], "energy_J": tables.energy(metrics)}
        table |= {"seconds_per_image": metrics[:, 1], "latency_s": metrics[:, 1]}
        if tables.area is not None:
            table["area_mm2"] = tables.area
        return table | _clock(self.target, self.settings[setting])


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, NDArray[np.float64]]:
    """Metrics by name, NaN where a row has none."""
    names = {name for row in rows for name in row}
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


@lru_cache(maxsize=16)
def evaluator(case: Case, ledger: bytes) -> Any:
    """What prices a case of a network with this ledger (:func:`encoded`); the last ones are kept, as the chunks of a
    case come in a row."""
    if case.entry.search == "grid":
        return Settings(case, decoded(ledger))
    return (Foldings if case.entry.kind == "fpga" else Mappings)(case, decoded(ledger))


def metrics_of_all(
    ledger: Ledger, entry: Entry, settings: Sequence[Mapping[str, Any]]
) -> dict[str, NDArray[np.float64]]:
    """Metrics of many settings of a chip or a core at once; equal to :func:`metrics_of` of each, to the last bit."""
    from costmodel.targets import totals

    names = settings[0] if settings else {}
    options: dict[str, Any] = {name: [one[name] for one in settings] for name in names}
    found = totals(ledger, entry.spec, **options)
    table = {"seconds_per_image": found["latency_s"]}
    table |= {name: found[name] for name in objective_names(entry.kind) if name in found}
    clocks = [_clock(entry.spec, one) for one in settings]
    if all(clocks):
        table["clock_Hz"] = np.array([one["clock_Hz"] for one in clocks])
    return {name: np.broadcast_to(values, (len(settings),)) for name, values in table.items()}


def metrics_of(ledger: Ledger, entry: Entry, settings: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of one setting of a target; empty where the network does not fit it."""
    from costmodel.targets import estimate

    bill = estimate(ledger, entry.spec, **settings)
    if not bill.fits:
        return {}
    table: dict[str, float] = {n: bill.total(n).value for n in objective_names(entry.kind) if bill.has(n)}
    table |= _clock(entry.spec, settings)
    if bill.has("steady_images_per_second"):
        table["seconds_per_image"] = 1 / bill.total("steady_images_per_second").value
    elif bill.has("latency_s"):
        table["seconds_per_image"] = bill.total("latency_s").value
    return table


def _clock(target: Target, settings: Mapping[str, Any]) -> dict[str, float]:
    clock = target.parameters.get("clock")
    return {} if clock is None else {"clock_Hz": float(settings.get("clock", clock.default))}
