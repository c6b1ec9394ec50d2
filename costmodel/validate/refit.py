"""Fitting the constants of bills to measurements: because a bill is linear in each constant, this is least squares.

Relative errors are minimised, so that a small network counts as much as a large one, and no constant may fall below the
bound that it is given: a slowdown cannot be less than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from costmodel.errors import CostmodelError
from costmodel.targets.estimate import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_UNKNOWNS = 10


@dataclass(frozen=True)
class Unknown:
    """A constant to be fitted, in the bills of some targets only (``targets`` empty: of all), and its lower bound."""

    constant: str
    targets: tuple[str, ...] = ()
    at_least: float = 0.0

    def applies(self, bill: Estimate) -> bool:
        return not self.targets or bill.target in self.targets


@dataclass(frozen=True)
class Problem:
    """``design @ x + offset`` estimates ``measured``; one row per bill, one column per unknown."""

    unknowns: tuple[Unknown, ...]
    design: NDArray[np.float64]
    offset: NDArray[np.float64]
    measured: NDArray[np.float64]

    def fit(self, rows: Sequence[int] | None = None) -> NDArray[np.float64]:
        """The constants that minimise the relative squared error of ``rows`` (default: all)."""
        import numpy as np

        chosen = np.arange(len(self.measured)) if rows is None else np.asarray(rows)
        floor = np.array([u.at_least for u in self.unknowns])
        a = self.design[chosen] / self.measured[chosen, None]
        b = 1.0 - (self.offset[chosen] + self.design[chosen] @ floor) / self.measured[chosen]
        return floor + nonnegative(a, b)

    def estimates(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.design @ x + self.offset


def problem(bills: Sequence[Estimate], metric: str, measured: Sequence[float], unknowns: Sequence[Unknown]) -> Problem:
    """Collect the coefficient of every unknown in every bill.

    Raises :class:`CostmodelError` where a line holds two unknowns: the bill is then not linear in them together.
    """
    import numpy as np

    design = np.zeros((len(bills), len(unknowns)))
    offset = np.zeros(len(bills))
    for i, bill in enumerate(bills):
        columns = {u.constant: j for j, u in enumerate(unknowns) if u.applies(bill)}
        for line in bill.lines:
            if line.metric != metric:
                continue
            held = [f for f in line.factors if f in columns]
            if len(held) > 1:
                raise CostmodelError(f"a line of {bill.target} holds two constants to fit: {', '.join(held)}")
            coefficient = line.coefficient
            for name in line.factors:
                coefficient *= 1.0 if name in columns else bill.constants[name].value
            if held:
                design[i, columns[held[0]]] += coefficient
            else:
                offset[i] += coefficient
    return Problem(tuple(unknowns), design, offset, np.asarray(measured, dtype=float))


def nonnegative(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares under ``x >= 0``, exactly, by trying every set of constants that are not at their bound."""
    import numpy as np

    n = a.shape[1]
    if n > MAX_UNKNOWNS:
        raise CostmodelError(f"{n} constants to fit; at most {MAX_UNKNOWNS}")
    best, best_error = np.zeros(n), float(b @ b)
    for size in range(1, n + 1):
        for free in combinations(range(n), size):
            columns = list(free)
            solution = np.linalg.lstsq(a[:, columns], b, rcond=None)[0]
            residual = a[:, columns] @ solution - b
            error = float(residual @ residual)
            if (solution >= 0).all() and error < best_error * (1 - 1e-12):
                best = np.zeros(n)
                best[columns] = solution
                best_error = error
    return best


def leave_out(fit: Problem, groups: Mapping[int, str]) -> NDArray[np.float64]:
    """Each row's estimate after fitting to all rows of other groups (``groups``: row to name, such as the network)."""
    import numpy as np

    result = np.zeros(len(fit.measured))
    for name in dict.fromkeys(groups.values()):
        out = [i for i, g in groups.items() if g == name]
        x = fit.fit([i for i, g in groups.items() if g != name])
        result[out] = fit.estimates(x)[out]
    return result
