"""The tables of ``costmodel models``: the zoo, what its networks cost, how accurate they are, and who says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec

from costmodel.train import records
from costmodel.views import numbers
from costmodel.views.table import Column, Row, Table
from costmodel.zoo import counts, registry


def overview(names: list[str]) -> Table:
    """One network per row, operations of one inference as deployed."""
    known = counts.read()
    rows = []
    for name in names:
        entry, c = registry.entry(name), known.get(name)
        cells = [c.parameters, c.mul, c.bit_macs, c.add, c.shift, c.weight_bits] if c else [None] * 6
        best = entry.published[0] if entry.published else None
        shape = numbers.shape(entry.input_shape)
        rows.append(Row([name, ", ".join(entry.aliases), shape, *cells, best.top1 if best else None,
                         best.source if best else entry.source]))  # fmt: skip
    columns = [
        Column("name", "network", "left"), Column("aliases", "short name", "left", spare=2),
        Column("input", "input", spare=5),
        Column("parameters", "parameters", show=numbers.count, spare=6), Column("mul", "mul", show=numbers.count),
        Column("bit_macs", "1-bit MAC", show=numbers.count), Column("add", "add", show=numbers.count, spare=4),
        Column("shift", "shift", show=numbers.count, spare=3),
        Column("weight_bits", "weights", show=lambda v: numbers.bits(v) if v else ""),
        Column("top1", "top-1", show=lambda v: f"{v:.2f}" if v else ""),
        Column("source", "source of the accuracy, or of the network", "left", prose=True, spare=1),
    ]  # fmt: skip
    return Table("models", "", columns, rows, notes=[f"{len(rows)} networks; counts of one inference as deployed"])


def describe(names: list[str]) -> Table:
    """What each network is, in words."""
    rows = [Row([name, registry.entry(name).description]) for name in names]
    return Table(
        "models", "", [Column("name", "network", "left"), Column("description", "what it is", "left", prose=True)], rows
    )


def figures_of(names: list[str], given: Sequence[records.Accuracy] = (), own: bool = True) -> list[records.Accuracy]:
    """With ``own`` the figures given for networks that are not of the zoo, then every figure of those that are."""
    found = [figure for figure in given if own and figure.key != figure.network]
    return found + [figure for name in names for figure in records.accuracies(name, given=given)]


def accuracies(figures: Sequence[records.Accuracy]) -> Table:
    """One figure per row: what was measured here, what others publish and what the user gives, never mixed into one."""
    rows = [Row([f.network, f.width, f.top1, f.data, f.kind, f.epochs, f.conditions, f.source]) for f in figures]
    columns = [
        Column("network", "network", "left"), Column("width", "width", show=lambda v: f"{v:g}"),
        Column("top1", "top-1 %", show=lambda v: f"{v:.2f}"), Column("data", "data set", "left"),
        Column("kind", "kind", "left"), Column("epochs", "epochs", spare=1),
        Column("conditions", "conditions", "left", prose=True), Column("source", "source", "left"),
    ]  # fmt: skip
    return Table("accuracy", "", columns, rows, notes=[f"{len(rows)} figures; accuracy in percent on the test images"])


def accuracy_document(figures: Sequence[records.Accuracy]) -> list[dict[str, Any]]:
    """The same figures for JSON; a measured one with its whole record."""
    whole = {(r.network, r.width, r.accuracy): r for r in records.measured()}
    answer = []
    for figure in figures:
        record = whole.get((figure.network, figure.width, figure.top1)) if figure.kind == "measured" else None
        answer.append({**dataclasses.asdict(figure), "record": msgspec.to_builtins(record)})
    return answer


def document(names: list[str]) -> list[dict[str, Any]]:
    """Everything the registry and the table of counts say, for JSON."""
    known = counts.read()
    answer = []
    for name in names:
        e, c = registry.entry(name), known.get(name)
        answer.append(
            {
                "name": name,
                "aliases": list(e.aliases),
                "family": e.family,
                "topology": e.topology,
                "block": e.block,
                "normaliser": e.normaliser,
                "dataset": e.dataset,
                "input": list(e.input_shape),
                "classes": e.classes,
                "description": e.description,
                "source": e.source,
                "published": [{"top1": p.top1, "source": p.source, "note": p.note} for p in e.published],
                "counts": {field: getattr(c, field) for field in counts.FIELDS} if c else None,
            }
        )
    return answer
