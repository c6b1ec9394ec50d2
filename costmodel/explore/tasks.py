"""What a sweep is made of: the cases of a space, cut into chunks that any process can take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.explore.cases import STRIDE, Case, cases
from costmodel.explore.evaluators import evaluator
from costmodel.explore.keys import FORMAT, code_version, digest
from costmodel.explore.ledgers import encoded, ledger_of
from costmodel.explore.networks import Network
from costmodel.explore.pareto import FrontStream, PointSet
from costmodel.explore.space import DesignSpace
from costmodel.metrics import maximised, objective_names

#: Designs that a chunk holds: a second or so of work.
SAMPLES_A_CHUNK = 1 << 21
GRID_A_CHUNK = 128
#: The same of chips and cores, whose settings are priced all at once.
SETTINGS_A_CHUNK = 1 << 16


@dataclass(frozen=True)
class Chunk:
    """Designs ``start`` to ``stop`` of a case, of which ``keep`` are kept next to the front."""

    case: int
    start: int
    stop: int
    keep: int = 0

    @property
    def name(self) -> str:
        return f"{self.case:05d}-{self.start:013d}-{self.stop:013d}"


@dataclass(frozen=True)
class Job:
    """A chunk with all that prices it, so that it can run where neither the user's files nor the result folder are."""

    case: Case
    chunk: Chunk
    ledger: bytes
    objectives: tuple[str, ...]
    constraints: Mapping[str, tuple[float, float]]
    level: str

    def key(self) -> str:
        """Digest of everything that its result depends on: the ledger and the target by content, figures of accuracy,
        what is asked, and the code."""
        network, entry = self.case.network, self.case.entry
        return digest(
            [
                FORMAT, code_version(), self.case.index, self.case.settings, self.case.clocks, self.level,
                hashlib.sha256(self.ledger).hexdigest(), network.name, network.data, network.figures,
                entry.content, entry.axes, entry.search, entry.samples, entry.seed, entry.memories, entry.ultra,
                entry.max_weight_bits, self.objectives, sorted(self.constraints.items()),
                self.chunk.start, self.chunk.stop, self.chunk.keep,
            ]
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The front of one chunk: ``priced`` designs, of which ``feasible`` met the constraints and had every objective.

    ``kept`` are feasible designs, evenly spread over the chunk, that are not on the front. ``unproven`` says why the
    front of the chunk may not be complete.
    """

    points: PointSet
    priced: int
    feasible: int
    kept: PointSet | None = None
    unproven: str = ""


def chunks(space: DesignSpace, keep: int = 0) -> Iterator[Chunk]:
    """All work of a space, in an order and a cut that depend on the space alone.

    ``keep`` designs, shared out evenly over all that are priced one by one, are to be kept next to the fronts.
    """
    work = cases(space)
    priced = sum(case.designs for case in work if case.entry.search != "exact")
    keep, before = min(keep, priced), 0
    for case in work:
        grid = GRID_A_CHUNK if case.entry.kind == "fpga" else SETTINGS_A_CHUNK
        step = SAMPLES_A_CHUNK if case.entry.search == "samples" else grid
        for start in range(0, case.designs, step):
            stop = min(start + step, case.designs)
            share = 0
            if case.entry.search != "exact":
                share = (before + stop - start) * keep // priced - before * keep // priced
                before += stop - start
            yield Chunk(case.index, start, stop, share)


def ledgers_of(space: DesignSpace) -> dict[Network, bytes]:
    """The ledger of each network, traced once and here, as it goes to whoever prices it."""
    return {network: encoded(ledger_of(network, space.level)) for network in space.networks}


def jobs(space: DesignSpace, ledgers: Mapping[Network, bytes], keep: int = 0) -> list[Job]:
    """All work of a space, each piece with all that prices it."""
    work = cases(space)
    return [
        Job(work[c.case], c, ledgers[work[c.case].network], space.objectives_of(work[c.case].entry.kind),
            dict(space.constraints), space.level)
        for c in chunks(space, keep)
    ]  # fmt: skip


def run(job: Job) -> Result:
    """Price one chunk and keep its front. Depends on nothing but its argument."""
    case, chunk, names = job.case, job.chunk, job.objectives
    applying = {*objective_names(case.entry.kind), *objective_names()}
    bounds = {name: bound for name, bound in job.constraints.items() if name in applying}
    pricing, wanted = evaluator(case, job.ledger), {*names, *bounds}
    open_ = pricing.open(wanted, bounds)
    stream = FrontStream([maximised(name) for name in names])
    feasible = 0
    kept: list[PointSet] = []
    low: set[str] = set()
    for numbers, table in pricing.blocks(chunk.start, chunk.stop, wanted, bounds):
        size = len(numbers)
        nothing = np.full(size, np.nan)
        metrics = {n: np.broadcast_to(np.asarray(table.get(n, nothing), dtype=np.float64), (size,)) for n in wanted}
        able = np.logical_and.reduce([~np.isnan(metrics[name]) for name in wanted])
        for name, (_, high) in bounds.items():
            able &= metrics[name] <= high
        for name, (least, _) in bounds.items():
            short = able & (metrics[name] < least)
            if name in open_.coordinates and short.any():
                low.add(name)
        for name, (least, _) in bounds.items():
            able &= metrics[name] >= least
        feasible += int(able.sum())
        if able.any():
            points = np.column_stack([metrics[name][able] for name in names])
            ids = case.index * STRIDE + numbers[able]
            stream.add(points, ids)
            if chunk.keep:
                chosen = _spread(numbers[able] - chunk.start, chunk)
                kept.append(PointSet(points[chosen], ids[chosen]))
    best = stream.best
    if best is None:
        best = PointSet(np.zeros((0, len(names))), np.zeros(0, dtype=np.int64))
    priced = pricing.count(chunk.start, chunk.stop)
    below = f"a lower limit on {', '.join(sorted(low))} may bring up designs that were dominated" if low else ""
    unproven = "; ".join(filter(None, (open_.unproven, below)))
    return Result(best, priced, feasible, _beside(best, kept) if kept else None, unproven)


def price(job: Job) -> tuple[Chunk, Result]:
    """The chunk of a job with its result, as workers hand it back."""
    return job.chunk, run(job)


def _spread(position: NDArray[np.int64], chunk: Chunk) -> NDArray[np.bool_]:
    """Which positions [n] in a chunk are among the ``keep`` that are evenly spread over it."""
    size = chunk.stop - chunk.start
    chosen: NDArray[np.bool_] = (position + 1) * chunk.keep // size > position * chunk.keep // size
    return chosen


def _beside(best: PointSet, kept: list[PointSet]) -> PointSet:
    """What is kept and not on the front."""
    points, ids = np.concatenate([k.points for k in kept]), np.concatenate([k.ids for k in kept])
    other = ~np.isin(ids, best.ids)
    return PointSet(points[other], ids[other])
