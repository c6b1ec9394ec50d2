"""Evolutionary search over foldings, for models that cannot be composed; reported against the exact front.

NSGA-II of pymoo over the choices of all units, a population at a time through the tables. Where the exact front is
known, the share of its hypervolume that the search reached is part of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.explore.compose import Objectives, compose
from costmodel.explore.pareto import PointSet, front, hypervolume
from costmodel.explore.tables import FoldingTables, draw
from costmodel.targets.fpga.choices import LUT, RESOLUTION, Design

if TYPE_CHECKING:
    from costmodel.explore.space import DesignSpace
    from costmodel.views.table import Table


@dataclass(frozen=True)
class Searched:
    """Objectives are interval, LUT and block RAM. ``ratio`` is the share of the exact front's hypervolume."""

    points: PointSet
    evaluations: int
    ratio: float
    exact: int


def search(design: Design, evaluations: int, seed: int = 0, population: int = 100) -> Searched:
    """NSGA-II with ``evaluations`` designs; the same seed gives the same answer.

    Raises :class:`CostmodelError` for fewer evaluations than two populations.
    """
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.ux import UniformCrossover
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
        from pymoo.optimize import minimize
    except ImportError:
        raise MissingExtraError("a search", "pymoo", "search") from None
    if evaluations < 2 * population:
        raise CostmodelError(f"a search of {evaluations} designs is too short; give at least {2 * population}")
    tables = FoldingTables(design)
    seen: list[NDArray[np.float64]] = []

    class Foldings(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            top = np.array(tables.sizes) - 1
            super().__init__(n_var=len(top), n_obj=3, xl=np.zeros(len(top)), xu=top, vtype=int)

        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            points = objectives(tables, np.asarray(x, dtype=np.uint16))
            seen.append(points)
            out["F"] = np.log1p(points)

    whole = RoundingRepair()
    algorithm = NSGA2(
        pop_size=population, sampling=IntegerRandomSampling(), crossover=UniformCrossover(repair=whole),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=whole),
    )  # fmt: skip
    minimize(Foldings(), algorithm, ("n_eval", evaluations), seed=seed, verbose=False)
    return _against(design, front(np.concatenate(seen)), sum(map(len, seen)))


def sample(design: Design, evaluations: int, seed: int = 0) -> Searched:
    """Random designs, as a yardstick for the search."""
    tables = FoldingTables(design)
    parts = [
        front(objectives(tables, draw(tables.sizes, seed, at, min(1 << 16, evaluations - at))))
        for at in range(0, evaluations, 1 << 16)
    ]
    return _against(design, front(np.concatenate([p.points for p in parts])), evaluations)


def objectives(tables: FoldingTables, choices: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Interval, LUT, block RAM [n, 3]."""
    rows = tables.evaluate(choices)
    return np.column_stack([rows[:, 0], rows[:, 1 + LUT] / RESOLUTION, rows[:, 2]]).astype(np.float64)


def _against(design: Design, found: PointSet, evaluations: int) -> Searched:
    rows = compose(design, Objectives(dsp=False)).rows
    exact = np.log1p(np.column_stack([rows[:, 0], rows[:, 3] / RESOLUTION, rows[:, 1]]))
    mine = np.log1p(found.points)
    reference = np.maximum(exact.max(axis=0), mine.max(axis=0)) + 0.1
    ratio = hypervolume(mine, reference.tolist()) / hypervolume(exact, reference.tolist())
    return Searched(found, evaluations, ratio, len(rows))


def compare(space: DesignSpace, evaluations: int, seed: int) -> Table:
    """Search, random sampling and the exact front of every FPGA case of a space, as a table."""
    import time

    from costmodel.explore.cases import cases
    from costmodel.explore.evaluators import evaluator
    from costmodel.explore.ledgers import encoded, ledger_of
    from costmodel.views.table import Column, Row, Table

    rows = []
    for case in cases(space):
        if case.entry.kind != "fpga" or case.entry.search == "grid":
            continue
        design = evaluator(case, encoded(ledger_of(case.network, space.level))).space.design
        for name, method in (("NSGA-II", search), ("random", sample)):
            start = time.process_time()
            found = method(design, evaluations, seed)
            seconds = time.process_time() - start
            rows.append(
                Row((case.network.name, case.entry.target, name, found.evaluations, len(found.points), found.exact,
                     f"{found.ratio:.1%}", round(seconds, 2)))
            )  # fmt: skip
    if not rows:
        raise CostmodelError(
            "this space has no foldings to search: give an FPGA target, with folding: exact or samples"
        )
    columns = [
        Column("network", "network", "left"),
        Column("target", "target", "left"),
        Column("method", "method", "left"),
    ]
    columns += [Column("designs", "designs"), Column("front", "members"), Column("exact", "exact front")]
    columns += [Column("ratio", "hypervolume, of exact"), Column("seconds", "seconds")]
    return Table("search", f"{space.name}: interval, LUT, block RAM", columns, rows)
