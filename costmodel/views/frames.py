"""Flat tables for programs: raw values in SI units, with their unit and their interval, a thing per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from costmodel.ledger.ledger import Charge, Ledger, Profile, Traffic
from costmodel.metrics import metric as row_of
from costmodel.views import counts, numbers
from costmodel.views.lines import NETWORK
from costmodel.views.table import Column, Row, Table
from costmodel.views.tree import ROOT

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.quantity import Interval

VALUES = ("value", "low", "high")


def table(key: str, names: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> Table:
    """Rows under columns that are named by their keys; text is on the left."""
    texts = [any(isinstance(row[i], str) for row in rows) for i in range(len(names))]
    columns = [Column(name, name, "left" if text else "right") for name, text in zip(names, texts, strict=True)]
    return Table(key, title, columns, [Row(row) for row in rows])


def layers(ledger: Ledger) -> Table:
    """One row per layer that computes anything: geometry, operands, parameters, products, and operations by kind."""
    return _layers(ledger, (), {})


def costs(estimate: Estimate) -> Table:
    """One row per layer: what :func:`layers` says, and each metric with its interval (``energy_J``, ``energy_J_low``,
    ``energy_J_high``). Index -1 is what belongs to no single layer."""
    names = [name for metric in estimate.metrics() for name in (metric, f"{metric}_low", f"{metric}_high")]
    found = {
        index: {
            name: value
            for metric, q in row.items()
            for name, value in zip((metric, f"{metric}_low", f"{metric}_high"), _values(q), strict=True)
        }
        for index, row in estimate.by_layer().items()
    }
    if estimate.ledger is not None:
        return _layers(estimate.ledger, names, found)
    modules = dict(enumerate(estimate.layer_names))
    rows = [[i, modules.get(i, ROOT), *(row.get(name, 0.0) for name in names)] for i, row in found.items()]
    return table("layers", ["layer", "module", *names], rows)


def _layers(ledger: Ledger, names: Sequence[str], more: Mapping[int, Mapping[str, float]]) -> Table:
    kinds = counts.kinds_of(ledger)
    operations, stored = ledger.by_layer(), counts.parameters(ledger)
    head = ("layer", "module", "op", "input", "output", "kernel", "stride", "operands", "parameters", "macs")
    titles = [f"{kind}_operations" if kind in names else kind for kind in kinds]  # lut is a resource of FPGAs, too
    rows: list[list[Any]] = []
    for layer in ledger.layers:
        if not operations[layer.index] and layer.index not in more:
            continue
        own, priced = operations[layer.index], more.get(layer.index, {})
        rows.append([
            layer.index, layer.name, layer.op, numbers.shape(layer.shape_in), numbers.shape(layer.shape_out),
            *counts.window(layer), counts.operands(layer), stored.get(layer.index, 0), layer.macs,
            *(own.get(kind, 0) for kind in kinds), *(priced.get(name, 0.0) for name in names),
        ])  # fmt: skip
    if NETWORK in more:
        rest = [NETWORK, ROOT, *([""] * 6), 0, 0, *([0] * len(kinds))]
        rows.append([*rest, *(more[NETWORK].get(name, 0.0) for name in names)])
    return table("layers", [*head, *titles, *names], rows)


def charges(ledger: Ledger) -> Table:
    """One row per charge: operations of one kind at one pair of widths."""
    names = [field.name for field in fields(Charge)]
    return table("charges", names, [[getattr(c, name) for name in names] for c in ledger.charges])


def traffic(ledger: Ledger) -> Table:
    """One row per tensor that a layer reads or writes."""
    names = [field.name for field in fields(Traffic)]
    rows = [[*(getattr(t, name) for name in names), t.total_bits] for t in ledger.traffic]
    return table("traffic", [*names, "total_bits"], rows)


def levels(profile: Profile) -> Table:
    """Operations by kind as written and deployed, and what the rewrites took away."""
    made = counts.levels(profile, numbers.plain)
    return table("levels", [c.key for c in made.columns], [row.values for row in made.rows])


def rewrites(profile: Profile) -> Table:
    """One row per place and kind of operation at which an exact rewrite removed work."""
    rows = [[r.name, r.module, kind, count, r.why] for r in profile.rewrites for kind, count in r.removed]
    return table("rewrites", ["rewrite", "module", "kind", "removed", "why"], rows)


def totals(estimate: Estimate) -> Table:
    """One row per metric: its unit, value and interval."""
    rows = [[name, row_of(name).unit, *_values(q)] for name, q in estimate.totals().items()]
    return table("totals", ["metric", "unit", *VALUES], rows)


def components(estimate: Estimate) -> Table:
    """One row per metric and part of the hardware."""
    rows = [
        [metric, part, row_of(metric).unit, *_values(q)]
        for metric in estimate.metrics()
        for part, q in estimate.by_component(metric).items()
    ]
    return table("components", ["metric", "component", "unit", *VALUES], rows)


def constants(estimate: Estimate) -> Table:
    """One row per constant used, with its unit, bounds, source and confidence."""
    rows = [
        [name, q.unit, q.value, q.low, q.high, q.source, q.confidence, q.note] for name, q in estimate.sources().items()
    ]
    return table("constants", ["constant", "unit", *VALUES, "source", "confidence", "note"], rows)


def lines(estimate: Estimate) -> Table:
    """One row per line of the bill, with its nominal value: coefficient times constants."""
    names = dict(enumerate(estimate.layer_names))
    rows = [
        [line.layer, names.get(line.layer, ""), line.metric, row_of(line.metric).unit, line.component, line.kind,
         estimate.cost(line), line.coefficient, " * ".join(line.factors)] for line in estimate.lines
    ]  # fmt: skip
    head = ["layer", "module", "metric", "unit", "component", "kind", "value", "coefficient", "constants"]
    return table("lines", head, rows)


def _values(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high
