"""Scores of estimates: error, rank correlation, coverage of the intervals, and the same of the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.noun import Noun
from costmodel.validate.rows import Result, Row, Skipped, relative_error


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of one group of rows under one way of estimating them.

    ``mape`` is the mean absolute relative error, ``worst`` the largest, ``rank`` Spearman's correlation (None below
    three rows), ``coverage`` the share of rows that lie in their interval (None where an estimator has none).
    """

    group: str
    estimator: str
    split: str
    rows: int
    mape: float
    worst: float
    rank: float | None = None
    coverage: float | None = None


@dataclass(frozen=True, repr=False)
class Report(Noun):
    """Everything that ``costmodel validate`` knows.

    Tables (``by``): ``row`` (measured value, estimate and interval of each), ``score``, ``headline`` (rows that set no
    constant and no bound).
    """

    _VIEW = "costmodel.validate.views:view"

    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...] = ()

    def __repr__(self) -> str:
        return f"<Report of {len(self.results)} rows in {len(self.groups())} groups, {len(self.skipped)} not estimated>"

    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(result.group for result in self.results))

    def of(self, group: str) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.group == group)

    def summaries(self) -> list[Summary]:
        """Of each group: the model on each split, left out, and each baseline on the same rows."""
        return [summary for group in self.groups() for summary in _summaries(group, self.of(group))]

    def headline(self) -> list[Summary]:
        """Rows that no constant has seen, by what is compared, and all of them: mean error and coverage."""
        unseen = [r for r in self.results if r.row.split == "hold-out"]
        kinds = dict.fromkeys(r.kind for r in unseen)
        parts = [(kind, [r for r in unseen if r.kind == kind]) for kind in kinds]
        return [
            score(
                name, "costmodel", "hold-out", [(r.estimate.value, r.row.value) for r in part],
                sum(r.covered for r in part) / len(part),
            )
            for name, part in [*parts, ("all", unseen)]
            if part
        ]  # fmt: skip

    def tested_targets(self) -> tuple[str, ...]:
        """Targets of which a row was never used."""
        return tuple(sorted({r.target for r in self.results if r.row.split == "hold-out" and r.target}))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "headline": [{name: getattr(s, name) for name in Summary.__slots__} for s in self.headline()],
            "tested_targets": list(self.tested_targets()),
            "summaries": [{name: getattr(s, name) for name in Summary.__slots__} for s in self.summaries()],
            "rows": [_record(result) for result in self.results],
            "not_estimated": [{"id": s.row.id, "model": s.row.model, "why": s.why} for s in self.skipped],
        }


def _summaries(group: str, results: Sequence[Result]) -> list[Summary]:
    scored = [r for r in results if r.row.split != "reference"]
    found = []
    for split in ("exact", "calibration", "hold-out"):
        part = [r for r in scored if r.row.split == split]
        if not part:
            continue
        pairs = [(r.estimate.value, r.row.value) for r in part]
        found.append(score(group, "costmodel", split, pairs, sum(r.covered for r in part) / len(part)))
    if len({s.split for s in found}) > 1:
        pairs = [(r.estimate.value, r.row.value) for r in scored]
        found.append(score(group, "costmodel", "all", pairs, sum(r.covered for r in scored) / len(scored)))
    left_out = [(r.left_out, r.row.value) for r in scored if r.left_out is not None]
    if left_out:
        found.append(score(group, "costmodel", "leave-one-out", left_out))
    for name in dict.fromkeys(name for r in scored for name in r.baselines):
        pairs = [(r.baselines[name], r.row.value) for r in scored if name in r.baselines]
        found.append(score(group, name, "all", pairs))
    return found


def score(
    group: str, estimator: str, split: str, pairs: Sequence[tuple[float, float]], coverage: float | None = None
) -> Summary:
    """Scores of (estimate, measured) pairs; at least one."""
    errors = [abs(relative_error(estimate, measured)) for estimate, measured in pairs]
    rank = spearman([p[0] for p in pairs], [p[1] for p in pairs]) if len(pairs) > 2 else None
    return Summary(group, estimator, split, len(pairs), sum(errors) / len(errors), max(errors), rank, coverage)


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where one side is constant."""
    ra, rb = ranks(a), ranks(b)
    mean = (len(a) + 1) / 2
    da, db = [r - mean for r in ra], [r - mean for r in rb]
    norm = (sum(x * x for x in da) * sum(y * y for y in db)) ** 0.5
    return sum(x * y for x, y in zip(da, db, strict=True)) / norm if norm else None


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for position in range(start, end + 1):
            result[order[position]] = (start + end) / 2 + 1
        start = end + 1
    return result


def _record(result: Result) -> dict[str, Any]:
    row: Row = result.row
    return {
        "id": row.id, "group": result.group, "model": row.model, "target": row.target, "metric": row.metric,
        "unit": row.unit, "split": row.split, "measured": row.value, "estimate": result.estimate.value,
        "low": result.estimate.low, "high": result.estimate.high, "error": result.error, "covered": result.covered,
        "left_out": result.left_out, "baselines": dict(result.baselines), "source": row.source,
        "confidence": row.confidence, "note": result.note,
    }  # fmt: skip
