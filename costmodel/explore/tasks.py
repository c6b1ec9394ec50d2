"""What a sweep is made of: cases that price designs, cut into chunks that any process can take.

A case is one network on one target: all combinations of a target's settings (``grid``), or all foldings at one of
them, composed exactly (``exact``) or drawn at random (``samples``). A design is its case and its number in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError
from costmodel.explore.choices import RESOLUTION
from costmodel.explore.pareto import FrontStream, PointSet
from costmodel.explore.space import MAXIMISED, DesignSpace, Entry, Network
from costmodel.ledger.ledger import Ledger

#: Designs that a chunk holds: a second or so of work.
SAMPLES_A_CHUNK = 1 << 21
GRID_A_CHUNK = 128
_BLOCK = 1 << 16
#: Numbers that a case may use; the global id of a design is ``case * STRIDE + number``.
STRIDE = 1 << 40


@dataclass(frozen=True)
class Case:
    """One network on one target; ``settings`` are fixed for foldings, and empty where the case is a grid of them."""

    index: int
    network: Network
    entry: Entry
    settings: tuple[tuple[str, Any], ...]

    @property
    def designs(self) -> int:
        """Numbers of this case that are priced one by one; 1 where all are composed at once."""
        return {"grid": self.entry.size, "samples": self.entry.samples, "exact": 1}[self.entry.search]


@dataclass(frozen=True)
class Chunk:
    """Designs ``start`` to ``stop`` of a case."""

    case: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"{self.case:05d}-{self.start:013d}-{self.stop:013d}"


@dataclass(frozen=True)
class Result:
    """The front of one chunk: ``priced`` designs, of which ``feasible`` met the constraints and had every objective."""

    points: PointSet
    priced: int
    feasible: int


def cases(space: DesignSpace) -> list[Case]:
    found: list[Case] = []
    for network in space.networks:
        for entry in space.entries:
            if entry.search == "grid":
                found.append(Case(len(found), network, entry, ()))
            else:
                found += [
                    Case(len(found) + i, network, entry, tuple(s.items())) for i, s in enumerate(entry.settings())
                ]
    return found


def chunks(space: DesignSpace) -> Iterator[Chunk]:
    """All work of a space, in an order and a cut that depend on the space alone."""
    for case in cases(space):
        step = SAMPLES_A_CHUNK if case.entry.search == "samples" else GRID_A_CHUNK
        for start in range(0, case.designs, step):
            yield Chunk(case.index, start, min(start + step, case.designs))


def ledger_of(network: Network, level: str) -> Ledger:
    """The ledger of a network, from the store of profiles where it is there."""
    from costmodel import api

    request = api.make_request(network.model, None, arguments=dict(network.arguments))
    return api.answer(request).ledger(level)  # type: ignore[arg-type]


def network_metrics(network: Network, ledger: Ledger) -> dict[str, float]:
    """Metrics of a network alone; ``accuracy`` in percent, NaN where none is recorded."""
    from costmodel.train.records import accuracies

    try:
        axes = dict(network.arguments)
        figures = accuracies(network.model, float(axes.pop("width", 1.0)), axes)
    except CostmodelError:  # not a network of the zoo
        figures = []
    return {"accuracy": figures[0].top1 if figures else float("nan"), "weight_bits": float(ledger.weight_bits())}


def run(space: DesignSpace, chunk: Chunk) -> Result:
    """Price one chunk and keep its front. Depends on nothing but its arguments."""
    case = cases(space)[chunk.case]
    names = space.objectives_of(case.entry.kind)
    evaluator = _evaluator(case, space.level)
    stream = FrontStream([name in MAXIMISED for name in names])
    priced = feasible = 0
    for numbers, table in evaluator.blocks(chunk.start, chunk.stop):
        size = len(numbers)
        metrics = {name: np.broadcast_to(np.asarray(v, dtype=np.float64), (size,)) for name, v in table.items()}
        keep = np.ones(size, dtype=np.bool_)
        for name in names:
            keep &= ~np.isnan(metrics[name]) if name in metrics else False
        for name, (low, high) in space.constraints.items():
            if name in metrics:
                keep &= (metrics[name] >= low) & (metrics[name] <= high)
        priced += size
        feasible += int(keep.sum())
        if keep.any():
            points = np.column_stack([metrics[name][keep] for name in names])
            stream.add(points, case.index * STRIDE + numbers[keep])
    best = stream.best
    if best is None:
        best = PointSet(np.zeros((0, len(names))), np.zeros(0, dtype=np.int64))
    return Result(best, max(priced, evaluator.size if case.entry.search == "exact" else 0), feasible)


Block = tuple[NDArray[np.int64], Mapping[str, Any]]


class _Grid:
    """All settings of a target, each priced by the target's model."""

    def __init__(self, case: Case, level: str) -> None:
        self.case, self.ledger = case, ledger_of(case.network, level)
        self.settings = list(case.entry.settings())
        self.size = len(self.settings)
        self.fixed = network_metrics(case.network, self.ledger)

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        rows = [metrics_of(self.ledger, self.case.entry, self.settings[i]) for i in range(start, stop)]
        names = {name for row in rows for name in row}
        table = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
        yield np.arange(start, stop, dtype=np.int64), {**self.fixed, **table}


class _Foldings:
    """All foldings of a network on an FPGA at one setting."""

    def __init__(self, case: Case, level: str) -> None:
        from costmodel.explore import dataflow

        self.case = case
        ledger = ledger_of(case.network, level)
        rules = dataflow.Rules(case.entry.max_weight_bits, case.entry.memories == "free")
        self.space = dataflow.space(ledger, case.entry.target, rules, **{"mode": "dataflow", **dict(case.settings)})
        self.size = self.space.design.size
        self.fixed = network_metrics(case.network, ledger)

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        if self.case.entry.search == "exact":
            yield self._exact()
            return
        from costmodel.explore.tables import FoldingTables, draw

        tables = FoldingTables(self.space.design)
        for at in range(start, stop, _BLOCK):
            count = min(_BLOCK, stop - at)
            rows = tables.evaluate(draw(tables.sizes, self.case.entry.seed, at, count))
            table = self._metrics(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3])
            yield np.arange(at, at + count, dtype=np.int64), {**table, "ff": rows[:, 4] / RESOLUTION}

    def points(self) -> Any:
        from costmodel.explore.compose import Objectives, compose

        return compose(self.space.design, Objectives(*self._limits()))

    def _exact(self) -> Block:
        points = self.points()
        interval, bram, dsp, lut = points.rows.T
        return np.arange(len(points), dtype=np.int64), self._metrics(interval, lut, bram, dsp)

    def _metrics(self, interval: Any, lut: Any, bram: Any, dsp: Any) -> dict[str, Any]:
        """Metrics of foldings; what does not fit the device has none."""
        seconds = interval / self.space.clock
        lut = lut / RESOLUTION
        has = {name: self.space.target.value(f"device_{name}") for name in ("lut", "bram18", "dsp")}
        fits = (lut <= has["lut"]) & (bram <= has["bram18"]) & (dsp <= has["dsp"])
        table = {"seconds_per_image": np.where(fits, seconds, np.nan), "lut": lut, "bram18": bram, "dsp": dsp}
        if "board_power" in self.space.target.constants:
            table["energy_J"] = self.space.target.value("board_power") * seconds
        return {**self.fixed, **table}

    def _limits(self) -> tuple[int, int]:
        return int(self.space.target.value("device_bram18")), int(self.space.target.value("device_dsp"))


@lru_cache(maxsize=16)
def _evaluator(case: Case, level: str) -> Any:
    return (_Grid if case.entry.search == "grid" else _Foldings)(case, level)


def metrics_of(ledger: Ledger, entry: Entry, settings: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of one setting of a target; empty where the network does not fit it."""
    from costmodel.targets import estimate

    bill = estimate(ledger, entry.target, **settings)
    if not bill.fits:
        return {}
    wanted = ("energy_J", "area_mm2", "lut", "bram18", "dsp", "ff")
    table: dict[str, float] = {name: bill.total(name).value for name in wanted if name in bill.metrics()}
    if "throughput_fps" in bill.derived:
        table["seconds_per_image"] = 1 / bill.derived["throughput_fps"].value
    elif "latency_s" in bill.metrics():
        table["seconds_per_image"] = bill.total("latency_s").value
    return table
