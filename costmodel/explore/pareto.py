"""Pareto fronts of large point sets: exact, chunked, in little memory.

The exact method is ``moocore``, O(n log n), for two and three objectives and for small sets; above, the faster of it
and of bitmaps of cells of points, 64 comparisons at once, as a sample tells. Before it, two filters discard points that
are certainly dominated: strong pivots for cloud-like sets, and a grid that remembers the best last objective below
every cell for dense ones. None of them changes the answer.

Fronts are associative: ``front(A + B) = front(front(A) + front(B))``; :func:`merge` keeps the lowest id of equal
points, so the ids too do not depend on the order of merging.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costmodel.errors import CostmodelError
from costmodel.explore import _bitmaps, _filters

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ids = NDArray[np.int64]
Directions = bool | Sequence[bool]

#: Up to this many points the exact method is the fastest; in four objectives up to twelve times as many, beyond four.
_SMALL = 8192
_SMALL_OF = {4: 12 * _SMALL, 5: 4 * _SMALL, 6: 4 * _SMALL}
_CHUNK = 1 << 17
#: The grid pays above this many points that the pivots leave.
_DENSE = 1 << 18
_SAMPLE = 16384
_PIVOTS = 48
#: Where a sample has a larger front than this, in more than four objectives, many pivots are asked by bitmaps.
_FEW = 64
#: By how much bitmaps must be ahead on a sample: along curves they fall behind as points grow dense.
_MARGIN = 1.1
_MANY = 1024


def nondominated(points: ArrayLike, *, maximise: Directions = False, keep_weakly: bool = False) -> Mask:
    """Which rows of ``points`` [n, d] no other row dominates; True in the result [n] marks the front.

    A row dominates another when it is not worse in any objective and better in at least one. Of equal rows the first
    is kept, or all of them with ``keep_weakly``. ``maximise`` is one flag or one flag per objective.

    Raises :class:`CostmodelError` for NaN, for an array that is not two-dimensional, or for a wrong number of flags.
    """
    array, signs = _checked(points, maximise)
    n, d = array.shape
    if n == 0 or d == 0:
        return np.zeros(n, dtype=np.bool_)
    if n <= _SMALL_OF.get(d, _SMALL) or d == 1:
        return _exact(_minimised(array, signs), keep_weakly)
    keep = np.ones(n, dtype=np.bool_)
    left = _pivot_stage(array, signs, keep)
    if left > _DENSE:
        left = _grid_stage(array, signs, keep, left)
    if left == n and d <= 3:
        left = _chunk_stage(array, signs, keep, keep_weakly)
    if left == n:
        return _last(_minimised(array, signs), keep_weakly)
    survivors, end = np.empty((left, d)), 0
    for at, block in _blocks(array, signs):
        kept = block[keep[at : at + len(block)]]
        survivors[end : end + len(kept)] = kept
        end += len(kept)
    keep[keep] = _last(survivors, keep_weakly)
    return keep


@dataclass(frozen=True)
class PointSet:
    """Points [n, d] with the identifiers [n] of the designs behind them."""

    points: Floats
    ids: Ids

    def __len__(self) -> int:
        return len(self.ids)


def front(points: ArrayLike, ids: ArrayLike | None = None, *, maximise: Directions = False) -> PointSet:
    """The non-dominated points, lexicographically sorted; of equal points the one with the lowest id."""
    array = np.asarray(points)
    numbers = np.arange(len(array), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64)
    keep = nondominated(array, maximise=maximise, keep_weakly=True)
    return _canonical(np.asarray(array[keep], dtype=np.float64), numbers[keep])


def merge(*sets: PointSet, maximise: Directions = False) -> PointSet:
    """The front of the union of fronts. Associative and commutative, also in the ids."""
    points = np.concatenate([s.points for s in sets])
    return front(points, np.concatenate([s.ids for s in sets]), maximise=maximise)


def reduce(sets: Iterable[PointSet], *, fan_in: int = 8, maximise: Directions = False) -> PointSet:
    """Merge any number of fronts as they come, ``fan_in`` at a time, so that few are held at once."""
    levels: list[list[PointSet]] = [[]]
    for item in sets:
        levels[0].append(item)
        for level, held in enumerate(levels):
            if len(held) < fan_in:
                break
            if level + 1 == len(levels):
                levels.append([])
            levels[level + 1].append(merge(*held, maximise=maximise))
            held.clear()
    rest = [item for held in levels for item in held]
    if not rest:
        raise CostmodelError("no point was given, so there is no front")
    return merge(*rest, maximise=maximise)


class FrontStream:
    """The front of a stream of blocks. Most points of a block fall to the pivots of earlier ones, at little cost."""

    def __init__(self, maximise: Directions = False) -> None:
        self.maximise = maximise
        self.best: PointSet | None = None
        self._pivots: Floats | None = None
        self._blocks = 0

    def add(self, points: ArrayLike, ids: Ids) -> None:
        """Points [n, d] with their ids [n]."""
        array, signs = _checked(points, self.maximise)
        if self._pivots is not None and len(array):
            keep = np.empty(len(array), dtype=np.bool_)
            _filters.drop_dominated_by(self._pivots, _minimised(array, signs), keep)
            array, ids = array[keep], ids[keep]
        if not len(array):
            return
        if self._blocks & (self._blocks - 1) == 0 and len(array) > 1:
            both = _minimised(array if self.best is None else np.concatenate([array, self.best.points]), signs)
            finite = both[np.isfinite(both).all(axis=1)]
            self._pivots = _pivots(finite, _members(finite)) if len(finite) else finite
        fresh = front(array, ids, maximise=self.maximise)
        self.best = fresh if self.best is None else merge(self.best, fresh, maximise=self.maximise)
        self._blocks += 1


def hypervolume(points: ArrayLike, reference: Sequence[float], *, maximise: Directions = False) -> float:
    """Volume that the points dominate, bounded by ``reference`` [d]."""
    import moocore

    return float(moocore.hypervolume(np.asarray(points, dtype=np.float64), ref=reference, maximise=maximise))


def _canonical(points: Floats, ids: Ids) -> PointSet:
    order = np.lexsort((ids, *points.T[::-1]))
    points, ids = points[order], ids[order]
    first = np.ones(len(ids), dtype=np.bool_)
    first[1:] = np.any(points[1:] != points[:-1], axis=1)
    return PointSet(points[first], ids[first])


def _checked(points: ArrayLike, maximise: Directions) -> tuple[NDArray[np.number], Floats]:
    array = np.asarray(points)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise CostmodelError(
            "points must be numbers in an array of shape (designs, objectives); "
            f"got {array.dtype} of shape {array.shape}"
        )
    if array.dtype.kind in "iu" and array.size and max(-int(array.min()), int(array.max())) > 2**53:
        raise CostmodelError("integer objectives above 2^53 cannot be compared exactly; scale them down first")
    flags = np.broadcast_to(np.asarray(maximise, dtype=np.bool_), array.shape[1:]) if np.ndim(maximise) == 0 else None
    if flags is None:
        flags = np.asarray(maximise, dtype=np.bool_)
        if flags.shape != array.shape[1:]:
            raise CostmodelError(f"{array.shape[1]} objectives need as many directions; got {flags.size}")
    return array, np.where(flags, -1.0, 1.0)


def _minimised(block: NDArray[np.number], signs: Floats) -> Floats:
    if np.all(signs > 0):
        return np.ascontiguousarray(block, dtype=np.float64)
    return np.ascontiguousarray(block * signs, dtype=np.float64)


def _blocks(array: NDArray[np.number], signs: Floats) -> Iterator[tuple[int, Floats]]:
    for at in range(0, len(array), _CHUNK):
        yield at, _minimised(array[at : at + _CHUNK], signs)


def _exact(points: Floats, keep_weakly: bool) -> Mask:
    import moocore

    if np.isnan(np.min(points)):
        raise CostmodelError("objectives contain NaN; drop or repair those designs before asking for a front")
    if points.shape[1] == 1:
        best = points[:, 0] == points[:, 0].min()
        if not keep_weakly:
            best[np.argmax(best) + 1 :] = False
        return np.asarray(best)
    if not np.all(np.isfinite(points)):
        # moocore is wrong, or crashes, on infinities. Dominance only depends on the order of values: compare ranks.
        ranks = [np.unique(column, return_inverse=True)[1] for column in points.T]
        points = np.column_stack(ranks).astype(np.float64)
    return np.asarray(moocore.is_nondominated(points, keep_weakly=keep_weakly), dtype=np.bool_)


def _last(points: Floats, keep_weakly: bool) -> Mask:
    """The exact method for what the filters leave."""
    if points.shape[1] > 3 and len(points) > _SMALL and not np.isnan(np.min(points)) and _in_space(points):
        mask = _bitmaps.front_mask(points, keep_weakly)
        if mask is not None:
            return mask
    return _exact(points, keep_weakly)


def _in_space(points: Floats) -> bool:
    """Whether bitmaps are the faster on a sample of the points. They are where points fill their space; where these lie
    along thin curves, as resources of foldings do, levels tell few apart and ``moocore`` is up to nine times as fast.

    Either way the answer is the same.
    """
    sample = np.ascontiguousarray(points[:: max(1, len(points) // min(len(points) // 8, _SMALL))])
    start = time.thread_time()
    if _bitmaps.front_mask(sample, False) is None:
        return False
    middle = time.thread_time()
    _exact(sample, False)
    return (middle - start) * _MARGIN < time.thread_time() - middle


def _members(finite: Floats) -> Floats:
    """The front of finite points, those first that dominate the largest part of their box."""
    members = finite[_exact(finite, keep_weakly=False)]
    volume = np.prod(finite.max(axis=0) - members, axis=1)
    return np.asarray(members[np.argsort(-volume, kind="stable")])


def _pivots(finite: Floats, members: Floats) -> Floats:
    """Up to ``_PIVOTS`` of the members, each chosen to dominate most of what the earlier ones leave."""
    members = members[: 4 * _PIVOTS]
    probe = finite[:: max(1, len(finite) // 2048)]
    covers = np.ones((len(members), len(probe)), dtype=np.bool_)
    for j in range(finite.shape[1]):
        covers &= members[:, j, None] < probe[None, :, j]
    chosen = []
    for _ in range(min(_PIVOTS, len(members))):
        gain = np.count_nonzero(covers, axis=1)
        best = int(gain.argmax())
        if not gain[best]:
            break
        chosen.append(best)
        covers &= ~covers[best]
    return np.ascontiguousarray(members[chosen])


def _pivot_stage(array: NDArray[np.number], signs: Floats, keep: Mask) -> int:
    sample = _minimised(array[:: max(1, len(array) // _SAMPLE)], signs)
    finite = sample[np.isfinite(sample).all(axis=1)]
    if not len(finite):
        return len(array)
    members = _members(finite)
    probe = np.ascontiguousarray(sample[::4])
    probe_keep = np.empty(len(probe), dtype=np.bool_)
    many = _bitmaps.pivots_of(members[:_MANY], finite) if array.shape[1] > 4 and len(members) > _FEW else None
    pivots = _pivots(finite, members) if many is None else members[:0]

    def drop(points: Floats, kept: Mask) -> int:
        return _filters.drop_dominated_by(pivots, points, kept) if many is None else many.drop(points, kept)

    if many is None and not len(pivots):
        return len(array)
    # Where few pivots leave more than a tenth, the grid is the faster filter; so are many where they leave most.
    if drop(probe, probe_keep) > (0.1 if many is None else 0.8) * len(probe):
        return len(array)
    return sum(drop(block, keep[at : at + len(block)]) for at, block in _blocks(array, signs))


def _grid_stage(array: NDArray[np.number], signs: Floats, keep: Mask, left: int) -> int:
    """Two passes of the grid filter over the points that are left."""
    sample = _sample(array, signs, keep, left, _SAMPLE)
    grid = _filters.grid_for(sample)
    if grid is None:
        return left
    # A trial on a larger sample: sets with many ties, or with no dominated point, are left to the exact method.
    trial = _sample(array, signs, keep, left, _CHUNK)
    trial_keep = np.ones(len(trial), dtype=np.bool_)
    grid.fill(trial, trial_keep)
    grid.close()
    if grid.drop(trial, trial_keep) > 0.95 * len(trial):
        return left
    for at, block in _blocks(array, signs):
        grid.fill(block, keep[at : at + len(block)])
    grid.close()
    return sum(grid.drop(block, keep[at : at + len(block)]) for at, block in _blocks(array, signs))


def _sample(array: NDArray[np.number], signs: Floats, keep: Mask, left: int, size: int) -> Floats:
    """About ``size`` of the points that are left, evenly spread over the array."""
    if left == len(array):
        return _minimised(array[:: max(1, left // size)], signs)
    rows = np.concatenate(
        [at + np.flatnonzero(keep[at : at + _CHUNK])[:: max(1, left // size)] for at in range(0, len(array), _CHUNK)]
    )
    return _minimised(array[rows], signs)


def _chunk_stage(array: NDArray[np.number], signs: Floats, keep: Mask, keep_weakly: bool) -> int:
    """Fronts of chunks: worth it where the exact method is O(n log n), for the memory as much as for the time."""
    for at in range(0, len(array), 4 * _CHUNK):
        block = _minimised(array[at : at + 4 * _CHUNK], signs)
        keep[at : at + len(block)] = _exact(block, keep_weakly)
    return int(np.count_nonzero(keep))
