"""What a sweep is made of: the cases of a space, cut into chunks that any process can take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel.explore.cases import STRIDE, cases
from costmodel.explore.evaluators import evaluator
from costmodel.explore.pareto import FrontStream, PointSet
from costmodel.explore.space import DesignSpace
from costmodel.metrics import maximised

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
class Result:
    """The front of one chunk: ``priced`` designs, of which ``feasible`` met the constraints and had every objective.

    ``kept`` are feasible designs, evenly spread over the chunk, that are not on the front.
    """

    points: PointSet
    priced: int
    feasible: int
    kept: PointSet | None = None


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


def run(space: DesignSpace, chunk: Chunk) -> Result:
    """Price one chunk and keep its front. Depends on nothing but its arguments."""
    case = cases(space)[chunk.case]
    names = space.objectives_of(case.entry.kind)
    pricing = evaluator(case, space.level)
    stream = FrontStream([maximised(name) for name in names])
    feasible = 0
    kept: list[PointSet] = []
    for numbers, table in pricing.blocks(chunk.start, chunk.stop, {*names, *space.constraints}):
        size = len(numbers)
        metrics = {name: np.broadcast_to(np.asarray(v, dtype=np.float64), (size,)) for name, v in table.items()}
        able = np.ones(size, dtype=np.bool_)
        for name in names:
            able &= ~np.isnan(metrics[name]) if name in metrics else False
        for name, (low, high) in space.constraints.items():
            if name in metrics:
                able &= (metrics[name] >= low) & (metrics[name] <= high)
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
    return Result(best, priced, feasible, _beside(best, kept) if kept else None)


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
