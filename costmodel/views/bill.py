"""The tables of ``costmodel profile`` about a target: cost by layer, totals with intervals, constants with sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel.ledger.ledger import Ledger
from costmodel.views import counts, numbers
from costmodel.views.lines import NETWORK, per_layer, priced
from costmodel.views.table import Column, Row, Table, tree_labels
from costmodel.views.tree import folded, grow

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.quantity import Interval, Quantity

#: What the letter of a constant's confidence means.
CONFIDENCE = {"P": "primary", "T": "transcribed", "A": "abstract", "C": "computed", "F": "fitted"}
#: What a narrow terminal can do without.
SPARE = {"carry": 1, "share": 2, "ff": 3}


def by_layer(estimate: Estimate, ledger: Ledger, depth: int | None = None, fold: bool = False) -> Table:
    """What each layer and module adds to every metric, with its share of the first; then the total.

    Layers that cost nothing are left out. ``fold`` puts blocks in a row that are alike in one place.
    """
    values = per_layer(estimate)
    metrics = list(values)
    tree = grow(ledger, priced(estimate))
    if fold:
        tree = folded(tree, lambda layer: tuple(f"{values[m].get(layer.index, 0.0):.4g}" for m in metrics))
    branches = list(tree.walk(depth))[1:]
    # Shares are of the first metric that layers differ in; the area of a shared engine belongs to none of them.
    first = next((m for m in metrics if set(values[m]) != {NETWORK}), metrics[0] if metrics else "")
    total = sum(values[first].values()) if first else 0.0
    rows = []
    for branch, label in zip(branches, tree_labels([b.path for b in branches]), strict=True):
        cells = [branch.total(values[metric]) or None for metric in metrics]
        part = branch.total(values[first]) / total if total else 0.0
        rows.append(
            Row(
                [".".join(branch.path), *cells, part],
                "bold" if branch.children else "plain",
                counts.times(label, branch),
                branch.is_subtotal(depth),
            )
        )
    whole = [values[metric].get(NETWORK) for metric in metrics]
    if any(whole):
        part = values[first].get(NETWORK, 0.0) / total if total else 0.0
        rows.append(Row(["(network)", *whole, part], "plain", "outside of layers"))
    # A sum of one metric need not be the network's figure: layers that run at the same time share a latency.
    sums = [sum(values[metric].values()) for metric in metrics]
    columns = [Column("layer", "layer", "left")]
    columns += [
        Column(m, numbers.metric_title(m), show=partial(numbers.metric_value, m), spare=SPARE.get(m, 0))
        for m in metrics
    ]
    of = f"of {numbers.metric_title(first)}"
    columns.append(Column("share", of, show=lambda v: numbers.share(v, 1.0), spare=SPARE["share"]))
    return Table(f"cost_{estimate.target}", f"Cost on {estimate.target}", columns, rows,
                 [Row(["(sum)", *sums, 1.0 if total else 0.0], "bold", "total")],
                 notes=counts.deeper(tree, depth))  # fmt: skip


def joined(ledger: Ledger, estimates: Sequence[Estimate], depth: int | None = None) -> Table:
    """Operations and costs of each layer in one row, for programs to read: every column adds up to its total."""
    also = {index for estimate in estimates for index in priced(estimate)}
    table = counts.by_layer(ledger, numbers.plain, depth, also)
    branches = list(grow(ledger, counts.charged(ledger) | also).walk(depth))[1:]
    columns, rows = list(table.columns), [list(row.values) for row in table.rows]
    rest: list[Any] = ["(network)", *([""] * 5), *([0] * (len(columns) - 6))]
    for estimate in estimates:
        for metric, values in per_layer(estimate).items():
            columns.append(Column(f"{estimate.target}.{metric}", metric))
            for row, branch in zip(rows, branches, strict=True):
                row.append(branch.total(values))
            rest.append(values.get(NETWORK, 0.0))
    made = [replace(row, values=values) for row, values in zip(table.rows, rows, strict=True)]
    return Table("layers", "", columns, [*made, Row(rest)])


def totals(estimate: Estimate) -> Table:
    """Each metric of the network with its interval."""
    rows = []
    for metric, interval in estimate.totals().items():
        rows.append(Row([metric, *_spelled(metric, interval)]))
    columns = [
        Column("metric", "", "left", show=numbers.metric_title), Column("value", "estimate"), Column("low", "low"),
        Column("high", "high"),
    ]  # fmt: skip
    return Table(f"totals_{estimate.target}", f"{estimate.network} on {estimate.target}", columns, rows,
                 notes=remarks(estimate))  # fmt: skip


def components(estimate: Estimate) -> Table:
    """Which part of the hardware each metric goes to."""
    metrics = list(estimate.metrics())
    values: dict[str, dict[str, float]] = {}
    for line in estimate.lines:
        row = values.setdefault(line.component, {})
        row[line.metric] = row.get(line.metric, 0.0) + estimate.cost(line)
    rows = [Row([name, *(row.get(metric) for metric in metrics)]) for name, row in values.items()]
    columns = [Column("component", "component", "left")]
    columns += [Column(m, numbers.metric_title(m), show=partial(numbers.metric_value, m)) for m in metrics]
    return Table(f"components_{estimate.target}", "By component", columns, rows)


def constants(estimate: Estimate) -> Table:
    """The constants that priced it, by the share of the first metric's variance that each causes."""
    metric = next(iter(estimate.metrics()), "")
    weight = {name: (part, spread) for name, part, spread in estimate.explain(metric)} if metric else {}
    names = sorted(estimate.sources(), key=lambda name: -weight.get(name, (0.0, 0.0))[1])
    rows = []
    for name in names:
        part, spread = weight.get(name, (0.0, 0.0))
        rows.append(Row([name, *quantity_cells(estimate.constants[name]), part, spread]))
    title = numbers.metric_title(metric)
    columns = [
        Column("constant", "constant", "left"), *QUANTITY_COLUMNS,
        Column("share", f"prices of {title}", show=lambda v: numbers.share(v, 1.0)),
        Column("variance", "of its variance", show=lambda v: numbers.share(v, 1.0)),
    ]  # fmt: skip
    return Table(f"constants_{estimate.target}", "Constants used", columns, rows)


QUANTITY_COLUMNS = [
    Column("value", "value", show=lambda v: f"{v:.4g}"), Column("unit", "unit", "left"),
    Column("low", "low", show=lambda v: f"{v:.4g}"), Column("high", "high", show=lambda v: f"{v:.4g}"),
    Column("source", "source", "left", prose=True),
    Column("confidence", "known by", "left", show=lambda v: CONFIDENCE.get(v, v)),
]  # fmt: skip


def quantity_cells(quantity: Quantity) -> list[Any]:
    q = quantity
    return [q.value, q.unit, q.low, q.high, q.source, q.confidence]


def remarks(estimate: Estimate) -> list[str]:
    """Whether it fits, the facts and choices behind it, its notes, and the keys of all sources used."""
    lines = [f"DOES NOT FIT: {reason}" for reason in estimate.misfit]
    facts = [f"{key} {_fact(value)}" for key, value in estimate.facts.items() if _is_plain(value)]
    if facts:
        lines.append("chosen: " + ", ".join(facts))
    lines += list(estimate.notes)
    keys = sorted({key.split(",")[0].strip() for q in estimate.sources().values() for key in q.source.split(";")})
    if keys:
        lines.append("sources: " + ", ".join(keys))
    return lines


def document(estimate: Estimate) -> dict[str, Any]:
    """Everything an estimate says, for JSON."""
    names = dict(enumerate(estimate.layer_names))
    layers: dict[int, dict[str, float]] = {}
    for metric, values in per_layer(estimate).items():
        for index, value in values.items():
            layers.setdefault(index, {})[metric] = value
    return {
        "target": estimate.target,
        "level": estimate.level,
        "fits": estimate.fits,
        "misfit": list(estimate.misfit),
        "totals": {metric: _interval(value) for metric, value in estimate.totals().items()},
        "by_component": {
            metric: {name: _interval(v) for name, v in estimate.by_component(metric).items()}
            for metric in estimate.metrics()
        },
        "by_layer": [{"layer": index, "module": names.get(index, ""), **row} for index, row in layers.items()],
        "facts": {key: _jsonable(value) for key, value in estimate.facts.items()},
        "notes": list(estimate.notes),
        "scope": estimate.scope,
        "left_out": {metric: list(why) for metric, why in estimate.left_out.items()},
        "constants": {
            name: {
                "value": q.value,
                "unit": q.unit,
                "low": q.low,
                "high": q.high,
                "source": q.source,
                "confidence": q.confidence,
                "note": q.note,
            }
            for name, q in estimate.sources().items()
        },
    }


def _spelled(metric: str, interval: Interval) -> list[str]:
    if interval.low == interval.high:
        return [numbers.metric_value(metric, interval.value, 4), "", ""]
    return [numbers.metric_value(metric, v) for v in (interval.value, interval.low, interval.high)]


def _interval(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, bool)) or (isinstance(value, str) and len(value) <= 80)


def _fact(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
