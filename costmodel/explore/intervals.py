"""Fronts of uncertain points: which members are certain, and which only probable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodel.errors import CostmodelError
from costmodel.explore.pareto import Directions, Mask, nondominated

#: Rows of the second argument that one comparison matrix covers.
_BLOCK = 4096


@dataclass(frozen=True)
class Membership:
    """For each of n uncertain points, masks [n] with ``certain <= nominal`` and ``nominal <= possible``.

    ``certain``
        on the front whatever value every point takes within its bounds.
    ``nominal``
        on the front of the nominal values; those that are not certain are only probable members.
    ``possible``
        on the front for some values within the bounds.
    ``share``
        share of the joint draws [n] in which the point is on the front, where draws were given.
    """

    certain: Mask
    nominal: Mask
    possible: Mask
    share: NDArray[np.float64] | None = None


def membership(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, *, maximise: Directions = False, draws: ArrayLike | None = None
) -> Membership:
    """Classify points [n, d] whose objectives are known to lie in ``low <= value <= high``.

    The bounds are taken as independent between points. Points that share constants move together, which bounds cannot
    express: give ``draws`` [k, n, d], joint samples of all points, to learn how often each is on the front.
    """
    nominal_values = np.asarray(value, dtype=np.float64)
    d = nominal_values.shape[1]
    signs = np.where(np.broadcast_to(np.asarray(maximise, dtype=np.bool_), (d,)), -1.0, 1.0)
    mid = nominal_values * signs
    a, b = np.asarray(low, dtype=np.float64) * signs, np.asarray(high, dtype=np.float64) * signs
    best, worst = np.minimum(a, b), np.maximum(a, b)
    if not (np.all(best <= mid) and np.all(mid <= worst)):
        raise CostmodelError("every objective must satisfy low <= value <= high; check which bound was given first")
    nominal = nondominated(mid, keep_weakly=True)
    possible = ~_dominated(best, worst, nondominated(worst, keep_weakly=True))
    # A point that beats i at its best must beat it when i is at its worst. The first two layers of best values are
    # enough: whatever lies deeper is dominated by a point of these layers other than i.
    first = nondominated(best, keep_weakly=True)
    second = np.zeros_like(first)
    second[~first] = nondominated(best[~first], keep_weakly=True)
    certain = nominal.copy()
    rows = np.flatnonzero(nominal)
    certain[rows] = ~_dominated(worst[rows], best, first | second, own=rows)
    share = None
    if draws is not None:
        sampled = np.asarray(draws, dtype=np.float64) * signs
        share = np.mean([nondominated(sample, keep_weakly=True) for sample in sampled], axis=0)
    return Membership(certain, nominal, possible, share)


def _dominated(
    points: NDArray[np.float64], others: NDArray[np.float64], among: Mask, own: NDArray[np.int64] | None = None
) -> Mask:
    """Which points [m, d] one of ``others[among]`` dominates; ``own`` [m] are their own rows."""
    rows = np.flatnonzero(among)
    result = np.zeros(len(points), dtype=np.bool_)
    for at in range(0, len(rows), _BLOCK):
        block = others[rows[at : at + _BLOCK]]
        for start in range(0, len(points), _BLOCK):
            mine = points[start : start + _BLOCK]
            not_worse = np.ones((len(mine), len(block)), dtype=np.bool_)
            better = np.zeros_like(not_worse)
            for j in range(points.shape[1]):
                not_worse &= block[None, :, j] <= mine[:, None, j]
                better |= block[None, :, j] < mine[:, None, j]
            not_worse &= better
            if own is not None:
                not_worse &= rows[None, at : at + _BLOCK] != own[start : start + _BLOCK, None]
            result[start : start + len(mine)] |= not_worse.any(axis=1)
    return result
