"""The tables of ``costmodel validate``: scores, rows, and what could not be estimated."""

from __future__ import annotations

from functools import partial
from typing import Any

from costmodel.targets import list_targets
from costmodel.validate.report import Report, Summary
from costmodel.validate.rows import Result, relative_error
from costmodel.views.table import Column, Row, Table
from costmodel.views.view import View

SPLITS = {
    "calibration": "to these rows",
    "hold-out": "to other rows",
    "leave-one-out": "anew, to the others",
    "exact": "published figures, exactly",
    "all": "all together",
}


def view(report: Report) -> View:
    """A validation: what ``costmodel validate`` prints, every row, and the scores."""
    return View(
        lambda: tables(report),
        {
            "row": lambda: every_row(report), "score": lambda: scores(report.summaries()),
            "headline": lambda: headline(report),
        },
        report.to_dict,
    )  # fmt: skip


def tables(report: Report, every_row: bool = False) -> list[Table]:
    """The scores, every row where that is wanted, and what was not estimated."""
    found = [headline(report), scores(report.summaries())]
    if every_row:
        found += [rows(group, report.of(group)) for group in report.groups()]
    return [*found, *([skipped(report)] if report.skipped else [])]


def headline(report: Report) -> Table:
    """Rows that set no constant and no bound, by kind; of how many targets there are any."""
    found = [
        Row([s.group, s.rows, s.mape, s.worst, s.coverage], "bold" if s.group == "all" else "plain")
        for s in report.headline()
    ]
    columns = [
        Column("kind", "rows never used", "left"), Column("count", "n"), Column("mape", "mean error", show=percent),
        Column("worst", "worst", show=percent), Column("coverage", "in 90 % interval", show=percent),
    ]  # fmt: skip
    notes = [f"{len(report.tested_targets())} of {len(list_targets())} targets have such a row."]
    return Table("headline", "Rows that set no constant and no bound", columns, found, notes=notes)


def scores(summaries: list[Summary]) -> Table:
    """One row per estimator and split of each group."""
    found: list[Row] = []
    group = None
    for s in summaries:
        if s.group != group:
            found.append(Row([s.group, *[None] * 7], "title", subtotal=True))
            group = s.group
        own = s.estimator == "costmodel"
        label = f"  {SPLITS.get(s.split, s.split)}" if own else f"  baseline: {s.estimator}"
        values = [s.group, s.estimator, s.split, s.rows, s.mape, s.worst, s.rank, s.coverage]
        found.append(Row(values, "plain" if own else "dim", label=label))
    columns = [
        Column("group", "rows, and what the constants were fitted to", "left"),
        Column("estimator", "estimator", "left", lambda name: name if name == "costmodel" else "", spare=1),
        Column("split", "split", "left", lambda split: split or "", spare=2),
        Column("count", "n"),
        Column("mape", "mean error", show=percent),
        Column("worst", "worst", show=percent),
        Column("rank", "rank", show=partial(fixed, digits=3)),
        Column("coverage", "in interval", show=percent),
    ]
    notes = [
        "mean error: mean absolute relative error. in interval: share of the measurements that lie in the estimate's "
        "interval. rank: Spearman's correlation.",
    ]
    return Table("scores", "Estimates against measurements", columns, found, notes=notes)


def rows(group: str, results: tuple[Result, ...]) -> Table:
    """Every row of a group."""
    baselines = list(dict.fromkeys(name for r in results for name in r.baselines))
    left_out = any(r.left_out is not None for r in results)
    columns = [
        Column("model", "what", "left"),
        Column("target", "on", "left"),
        Column("metric", "metric", "left"),
        Column("split", "row", "left"),
        Column("measured", "measured", show=number),
        Column("estimate", "estimate", show=number),
        Column("low", "low", show=number),
        Column("high", "high", show=number),
        Column("error", "error", show=signed),
        *([Column("left_out", "left out", show=signed, spare=2)] if left_out else []),
        *(Column(f"baseline {i}", f"baseline {i}", show=signed, spare=1) for i, _ in enumerate(baselines, 1)),
    ]
    table = []
    for r in results:
        extra: list[Any] = [_off(r.left_out, r.row.value)] if left_out else []
        extra += [_off(r.baselines.get(name), r.row.value) for name in baselines]
        values = [
            r.row.model, r.row.target, f"{r.row.metric}", r.row.split, r.row.value, r.estimate.value, r.estimate.low,
            r.estimate.high, r.error, *extra,
        ]  # fmt: skip
        table.append(Row(values, "plain" if r.row.split != "reference" else "dim"))
    notes = [f"baseline {i}: {name}" for i, name in enumerate(baselines, 1)]
    notes += dict.fromkeys(
        f"{r.row.model}, {r.row.metric}: {r.note}"
        for r in results
        if r.note and (r.error or r.row.split == "reference")
    )
    return Table(group, group, columns, table, notes=notes)


def every_row(report: Report) -> Table:
    """The rows of all groups in one table, for programs."""
    results = [result for group in report.groups() for result in report.of(group)]
    names = list(dict.fromkeys(name for r in results for name in r.baselines))
    keys = (
        "group",
        "model",
        "target",
        "metric",
        "unit",
        "split",
        "measured",
        "estimate",
        "low",
        "high",
        "error",
        "left_out",
    )
    table = [
        Row([
            r.group, r.row.model, r.row.target, r.row.metric, r.row.unit, r.row.split, r.row.value, r.estimate.value,
            r.estimate.low, r.estimate.high, r.error, _off(r.left_out, r.row.value),
            *(r.baselines.get(name) for name in names), r.note,
        ])
        for r in results
    ]  # fmt: skip
    return Table("rows", "", [Column(key, key) for key in (*keys, *(f"baseline: {n}" for n in names), "note")], table)


def skipped(report: Report) -> Table:
    """The rows that are not estimated, and why."""
    found = [Row([s.row.model, s.row.target, s.row.metric, s.row.value, s.why]) for s in report.skipped]
    columns = [
        Column("model", "what", "left"), Column("target", "on", "left"), Column("metric", "metric", "left"),
        Column("measured", "measured", show=number), Column("why", "not estimated, because", "left"),
    ]  # fmt: skip
    return Table("not_estimated", "Not estimated", columns, found)


def _off(estimate: float | None, measured: float) -> float | None:
    return None if estimate is None else relative_error(estimate, measured)


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def signed(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def fixed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
