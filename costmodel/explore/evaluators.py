"""What prices the designs of a case: settings one by one, foldings, or mappings; a block of designs at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError
from costmodel.explore.cases import Case
from costmodel.explore.space import Entry, Network
from costmodel.ledger.ledger import Ledger
from costmodel.metrics import objective_names
from costmodel.targets import arrays
from costmodel.targets.fpga.choices import BRAM, DSP, FF, LUT, RESOLUTION, RESOURCES, Design, Ints, reals
from costmodel.targets.fpga.folding import Fold
from costmodel.targets.fpga.job import capacity, make_job, prices
from costmodel.targets.fpga.latency import latency
from costmodel.targets.fpga.space import fold_design
from costmodel.targets.fpga.timing import Timing
from costmodel.targets.load import load_target

if TYPE_CHECKING:
    from costmodel.explore.compose import Points
    from costmodel.explore.mapping import LayerTables, MappingFront
    from costmodel.targets.spec import Target

#: Numbers [n] of designs and their metrics, each [n] or one for all.
Block = tuple[NDArray[np.int64], Mapping[str, Any]]

_BLOCK = 1 << 16
#: Designs that are followed through their pipelines at a time.
_FOLLOWED = 1 << 10
#: Members of one exact front that can be numbered. Where a case composes several, at clocks or settings, the number of
#: a design is ``front * MEMBERS + member``.
MEMBERS = 1 << 28


def ledger_of(network: Network, level: str) -> Ledger:
    """The ledger of a network, from the store of profiles where it is there."""
    from costmodel import api

    request = api.make_request(network.model, None, arguments=dict(network.arguments))
    return api.answer(request).ledger(level)


def network_metrics(network: Network, ledger: Ledger) -> dict[str, float]:
    """Metrics of a network alone; ``accuracy`` in percent, NaN where none is recorded."""
    from costmodel.train.records import accuracies

    try:
        axes = dict(network.arguments)
        figures = accuracies(network.model, float(axes.pop("width", 1.0)), axes)
    except CostmodelError:  # not a network of the zoo
        figures = []
    return {"accuracy": figures[0].top1 if figures else float("nan"), "weight_bits": float(ledger.weight_bits())}


class Settings:
    """All settings of a target, priced by the target's model: those of a chip or a core all at once."""

    def __init__(self, case: Case, level: str) -> None:
        self.case, self.ledger = case, ledger_of(case.network, level)
        self.settings = list(case.entry.settings())
        self.fixed = network_metrics(case.network, self.ledger)

    def count(self, start: int, stop: int) -> int:
        """How many designs the numbers ``start`` to ``stop`` stand for."""
        return stop - start

    def blocks(self, start: int, stop: int, wanted: Collection[str] = ()) -> Iterator[Block]:
        if self.case.entry.kind != "fpga":
            table = metrics_of_all(self.ledger, self.case.entry, self.settings[start:stop])
            yield np.arange(start, stop, dtype=np.int64), {**self.fixed, **table}
            return
        rows = [metrics_of(self.ledger, self.case.entry, self.settings[i]) for i in range(start, stop)]
        names = {name for row in rows for name in row}
        table = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
        yield np.arange(start, stop, dtype=np.int64), {**self.fixed, **table}


class Foldings:
    """All foldings of a network on an FPGA at one setting: drawn, or composed exactly and then run at each clock.

    Neither cycles nor resources depend on the clock, and every metric of the design is monotone in them: so the front
    at a clock is the image of one front, which is composed once.
    """

    def __init__(self, case: Case, level: str) -> None:
        from costmodel.explore import dataflow

        self.case = case
        ledger = self.ledger = ledger_of(case.network, level)
        rules = dataflow.Rules(case.entry.max_weight_bits, case.entry.memories == "free", case.entry.ultra)
        self.space = dataflow.space(ledger, case.entry.target, rules, **{"mode": "dataflow", **dict(case.settings)})
        self.clocks = case.clocks or (self.space.clock,)
        self.fixed = network_metrics(case.network, ledger)
        self._points: Points | None = None

    def count(self, start: int, stop: int) -> int:
        return self.space.design.size * len(self.clocks) if self.case.entry.search == "exact" else stop - start

    def blocks(self, start: int, stop: int, wanted: Collection[str] = ()) -> Iterator[Block]:
        if self.case.entry.search == "exact":
            yield from self._exact("energy_J" in wanted)
            return
        from costmodel.explore.tables import FoldingTables, blocks, draw

        tables = FoldingTables(self.space.design)
        for at, count in blocks(start, stop, _BLOCK):
            choices = draw(tables.sizes, self.case.entry.seed, at, count)
            rows = tables.evaluate(choices)
            interval, lut, bram, dsp, _, uram = rows.T
            table = self._metrics(interval, lut, bram, dsp, uram, self.space.clock)
            if "energy_J" in wanted:
                clocked = self._clocked_of(choices)
                table |= self._energy(self._first(choices, interval), interval, clocked, self.space.clock)
            yield np.arange(at, at + count, dtype=np.int64), {**table, "ff": rows[:, 4] / RESOLUTION}

    def points(self) -> Points:
        from costmodel.explore.compose import Objectives, compose

        if self._points is None:
            has = {name: int(amount) for name, amount in capacity(self.space.target).items()}
            ultra = self.space.rules.ultra
            limits = Objectives(has["bram18"], has["dsp"], ultra=ultra, max_uram=has["uram"] if ultra else None)
            self._points = compose(self.space.design, limits)
        return self._points

    def _exact(self, with_energy: bool) -> Iterator[Block]:
        points = self.points()
        interval, bram, dsp, lut = points.rows.T
        numbers = np.arange(len(interval), dtype=np.int64)
        if with_energy:
            from costmodel.explore.compose import rebuild

            choices = rebuild(self.space.design, points)
            first = self._first(choices, interval)
            clocked = np.array([self._clocked.price(c, int(t))[1] for c, t in zip(choices, points.at, strict=True)])
        for index, clock in enumerate(self.clocks):
            table = self._metrics(interval, lut, bram, dsp, points.uram, clock)
            yield (
                index * MEMBERS + numbers,
                table | (self._energy(first, interval, clocked, clock) if with_energy else {}),
            )

    def _metrics(self, interval: Any, lut: Any, bram: Any, dsp: Any, uram: Any, clock: float) -> dict[str, Any]:
        """Metrics of foldings; what does not fit the device has none."""
        lut = lut / RESOLUTION
        takes = {"lut": lut, "bram18": bram, "dsp": dsp, "uram": uram}
        has = capacity(self.space.target)
        fits = np.logical_and.reduce([amount <= has[name] for name, amount in takes.items()])
        seconds = 1 / (clock / interval)  # as the inverse of the rate that an estimate gives
        return {**self.fixed, "seconds_per_image": np.where(fits, seconds, np.nan), **takes, "clock_Hz": clock}

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

    def _clocked_of(self, choices: NDArray[np.integer[Any]]) -> Ints:
        """What is clocked [n, 5] in foldings with these choices: by tables, or one by one where sums are too large."""
        from costmodel.explore.tables import FoldingTables

        try:
            return FoldingTables(self._clocked).evaluate(choices.astype(np.uint16))[:, 1:]
        except CostmodelError:
            return np.array([self._clocked.price(row)[1] for row in choices.astype(np.int64)])

    def _energy(self, first: Ints, interval: Ints, clocked: Ints, clock: float) -> dict[str, Any]:
        """Energy of an image [n], from the lines of the bill; nothing where the target has no power. ``clocked`` [n, 5]
        are costs of designs that are priced for their energy."""
        space = self.space
        of = reals(clocked.reshape(-1, len(RESOURCES))).T
        amounts = {"lut": of[LUT], "ff": of[FF], "memory_bits": of[BRAM], "dsp": of[DSP]}
        job = make_job(self.ledger, space.target, {**space.settings, "clock": clock})
        timing = Timing.of(job, first, interval, amounts)
        sums = arrays.sums(timing.lines(), timing.constants)
        return {"energy_J": sums["energy_J"]} if "energy_J" in sums else {}


class Mappings:
    """All mappings of a network onto a chip: drawn at one setting, or composed exactly at each setting in turn."""

    def __init__(self, case: Case, level: str) -> None:
        self.case, self.ledger = case, ledger_of(case.network, level)
        self.target = load_target(case.entry.target)
        self.exact = case.entry.search == "exact"
        self.settings = list(case.entry.settings()) if self.exact else [dict(case.settings)]
        self.fixed = network_metrics(case.network, self.ledger)
        self.tables = lru_cache(maxsize=1)(self._tables)
        self.front = lru_cache(maxsize=1)(self._front)

    def count(self, start: int, stop: int) -> int:
        tables = self.tables(0)
        return (stop - start) * (len(tables.choice_names) ** len(tables.products) if self.exact else 1)

    def blocks(self, start: int, stop: int, wanted: Collection[str] = ()) -> Iterator[Block]:
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
        table = {**self.fixed, "energy_J": tables.energy(metrics), "seconds_per_image": metrics[:, 1]}
        if tables.area is not None:
            table["area_mm2"] = tables.area
        return table | _clock(self.target, self.settings[setting])


@lru_cache(maxsize=16)
def evaluator(case: Case, level: str) -> Any:
    """What prices a case; the last ones are kept, as the chunks of a case come in a row."""
    if case.entry.search == "grid":
        return Settings(case, level)
    return (Foldings if case.entry.kind == "fpga" else Mappings)(case, level)


def metrics_of_all(
    ledger: Ledger, entry: Entry, settings: Sequence[Mapping[str, Any]]
) -> dict[str, NDArray[np.float64]]:
    """Metrics of many settings of a chip or a core at once; equal to :func:`metrics_of` of each, to the last bit."""
    from costmodel.targets import totals

    names = settings[0] if settings else {}
    options: dict[str, Any] = {name: [one[name] for one in settings] for name in names}
    found = totals(ledger, entry.target, **options)
    table = {"seconds_per_image": found["latency_s"]}
    table |= {name: found[name] for name in objective_names(entry.kind) if name in found}
    clocks = [_clock(load_target(entry.target), one) for one in settings]
    if all(clocks):
        table["clock_Hz"] = np.array([one["clock_Hz"] for one in clocks])
    return {name: np.broadcast_to(values, (len(settings),)) for name, values in table.items()}


def metrics_of(ledger: Ledger, entry: Entry, settings: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of one setting of a target; empty where the network does not fit it."""
    from costmodel.targets import estimate

    bill = estimate(ledger, entry.target, **settings)
    if not bill.fits:
        return {}
    table: dict[str, float] = {n: bill.total(n).value for n in objective_names(entry.kind) if bill.has(n)}
    table |= _clock(load_target(entry.target), settings)
    if bill.has("steady_images_per_second"):
        table["seconds_per_image"] = 1 / bill.total("steady_images_per_second").value
    elif bill.has("latency_s"):
        table["seconds_per_image"] = bill.total("latency_s").value
    return table


def _clock(target: Target, settings: Mapping[str, Any]) -> dict[str, float]:
    clock = target.parameters.get("clock")
    return {} if clock is None else {"clock_Hz": float(settings.get("clock", clock.default))}
