"""What a design spends, and where: by layer, by component, by kind of operation; and what prices it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costmodel.metrics import metric as metric_of

if TYPE_CHECKING:
    from costmodel.ledger.ledger import Ledger, Profile
    from costmodel.targets.estimate import Estimate

#: Name of the row of what no layer alone is responsible for.
WHOLE = "(whole network)"


@dataclass(frozen=True)
class StackInfo:
    """Bars of one category each, stacked from series: ``series[name][i]`` is what ``name`` adds to category i.

    ``layers[i]`` is the index in the ledger of the layer that is category i; -1 is the network as a whole.
    """

    title: str
    unit: str
    categories: tuple[str, ...]
    series: Mapping[str, tuple[float, ...]]
    layers: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        return not any(any(values) for values in self.series.values())

    def total(self) -> float:
        return float(sum(sum(values) for values in self.series.values()))


@dataclass(frozen=True)
class IntervalInfo:
    """One value with bounds a label."""

    title: str
    unit: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ConstantRow:
    """A constant of the target, what share of a metric it prices, and what share of the variance it causes."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    priced: float
    variance: float
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class RewriteRow:
    """A kind of exact rewrite: at how many places, what it removed in all, and why that is exact."""

    name: str
    places: int
    removed: Mapping[str, int]
    why: str


def operations(ledger: Ledger) -> StackInfo:
    """Operations of each layer, by kind; layers that do none are left out."""
    table = ledger.by_layer()
    names = {layer.index: layer.name for layer in ledger.layers}
    return _stack("Operations by layer", "", {i: row for i, row in table.items() if row}, names)


def traffic(ledger: Ledger) -> StackInfo:
    """Bits that each layer reads and writes, by role."""
    names = {layer.index: layer.name for layer in ledger.layers}
    table: dict[int, dict[str, float]] = {}
    for t in ledger.traffic:
        row = table.setdefault(t.layer, {})
        row[t.role] = row.get(t.role, 0) + t.total_bits
    return _stack("Bits moved by layer", "bit", dict(sorted(table.items())), names)


def costs(estimate: Estimate, metric: str) -> StackInfo:
    """A metric of an estimate by layer and component; empty where there is no figure of it."""
    table: dict[int, dict[str, float]] = {}
    for line in estimate.lines_of(metric) if estimate.has(metric) else ():
        row = table.setdefault(line.layer, {})
        row[line.component] = row.get(line.component, 0.0) + estimate.cost(line)
    m = metric_of(metric)
    return _stack(f"{m.title} by layer", m.unit, dict(sorted(table.items())), dict(enumerate(estimate.layer_names)))


def split(estimate: Estimate, metric: str) -> IntervalInfo:
    """A metric by component of the hardware, the largest first, with intervals."""
    parts = sorted(estimate.by_component(metric).items(), key=lambda item: -item[1].value)
    m = metric_of(metric)
    return IntervalInfo(
        f"{m.title} by component", m.unit, tuple(name for name, _ in parts), tuple(v.value for _, v in parts),
        tuple(v.low for _, v in parts), tuple(v.high for _, v in parts),
    )  # fmt: skip


def by_block(info: StackInfo, depth: int = 2) -> StackInfo:
    """The bars of neighbouring layers of one module added up: ``stages.0`` for ``stages.0.conv`` and ``stages.0.norm``.

    A block stands for the layer that adds most to it in ``layers``.
    """
    blocks: list[str] = []
    of: list[int] = []
    most: list[tuple[float, int]] = []
    sizes = [sum(values) for values in zip(*info.series.values(), strict=True)] or [0.0] * len(info.categories)
    for name, layer, size in zip(info.categories, info.layers, sizes, strict=True):
        parts = name.split(".")
        block = name if name == WHOLE else ".".join(parts[:depth] if len(parts) > depth else parts[:-1] or parts)
        if not blocks or blocks[-1] != block:
            blocks.append(block)
            most.append((size, layer))
        elif size > most[-1][0]:
            most[-1] = (size, layer)
        of.append(len(blocks) - 1)
    series = {}
    for name, values in info.series.items():
        sums = [0.0] * len(blocks)
        for place, value in zip(of, values, strict=True):
            sums[place] += value
        series[name] = tuple(sums)
    return StackInfo(info.title, info.unit, tuple(blocks), series, tuple(layer for _, layer in most))


def side_by_side(estimates: Sequence[tuple[str, Estimate]], metric: str) -> IntervalInfo:
    """The total of a metric for each labelled estimate that has it."""
    found = [(label, e.total(metric)) for label, e in estimates if e.has(metric)]
    m = metric_of(metric)
    return IntervalInfo(
        m.title, m.unit, tuple(label for label, _ in found), tuple(v.value for _, v in found),
        tuple(v.low for _, v in found), tuple(v.high for _, v in found),
    )  # fmt: skip


def constants(estimate: Estimate, metric: str, limit: int = 12) -> list[ConstantRow]:
    """The constants that decide a metric, the largest cause of its uncertainty first."""
    rows = []
    for name, priced, variance in estimate.explain(metric)[:limit]:
        q = estimate.constants[name]
        rows.append(ConstantRow(name, q.value, q.unit, q.low, q.high, priced, variance, q.source, q.confidence))
    return rows


def rewrites(profile: Profile) -> list[RewriteRow]:
    """The exact rewrites by kind, what removed most multiplications first."""
    places: dict[str, int] = {}
    why: dict[str, str] = {}
    for rewrite in profile.rewrites:
        places[rewrite.name] = places.get(rewrite.name, 0) + 1
        why.setdefault(rewrite.name, rewrite.why)
    rows = [RewriteRow(n, places[n], removed, why[n]) for n, removed in profile.rewrites_by_name().items()]
    return sorted(rows, key=lambda row: (-row.removed.get("mul", 0), -sum(row.removed.values()), row.name))


def _stack(title: str, unit: str, rows: Mapping[int, Mapping[str, float]], labels: Mapping[int, str]) -> StackInfo:
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    names.sort(key=lambda name: -sum(row.get(name, 0) for row in rows.values()))
    series = {name: tuple(row.get(name, 0) for row in rows.values()) for name in names}
    return StackInfo(title, unit, tuple(labels.get(i, WHOLE) for i in rows), series, tuple(rows))
