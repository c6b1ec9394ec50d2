"""Mappings of a network onto an accelerator chip: each sum of products chooses what stays in the array.

Layers run one after the other, so energy and time are sums over them, and the exact front of all mappings is the
pruned sum of the layers' choices. Sums are taken in the order of the layers on every path (one mapping, many mappings
from tables, the exact front), so they agree to the last bit; and as the rounded sum of floating-point numbers is
monotone, what is pruned early would have been dominated in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.explore import _evaluate
from costmodel.explore.tables import Choices
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Ledger
from costmodel.targets.spec import Target

Floats = NDArray[np.float64]

METRICS = ("energy_J", "latency_s")


@dataclass(frozen=True)
class LayerTables:
    """Two metrics that add up over layers, for layers that have two choices each.

    ``products`` are the ledger's sums of products; ``layers`` those of them whose choices differ in price. ``values``
    [layers, choices, 2] are the metrics of these, ``fixed`` [2] those of all the rest. ``leakage`` is what the chip
    leaks, in W, and ``area`` its mm²: both are the same for every mapping.
    """

    choice_names: tuple[str, ...]
    products: tuple[int, ...]
    layers: tuple[int, ...]
    values: Floats
    fixed: Floats
    leakage: float = 0.0
    area: float | None = None

    @property
    def sizes(self) -> list[int]:
        return [self.values.shape[1]] * self.values.shape[0]

    def evaluate(self, choices: Choices) -> Floats:
        """Energy without leakage and time [n, 2] of mappings [n, layers]."""
        out = np.empty((len(choices), 2))
        _evaluate.sums(choices, self.values.reshape(-1, 2), np.uint64(self.values.shape[1]), self.fixed, out)
        return out

    def price(self, choices: Sequence[int]) -> list[float]:
        """The same [2] of one mapping, layer by layer: the scalar path."""
        totals = [0.0, 0.0]
        for layer, choice in enumerate(choices):
            for j in range(2):
                totals[j] += float(self.values[layer, choice, j])
        return [total + float(fixed) for total, fixed in zip(totals, self.fixed, strict=True)]

    def energy(self, metrics: Floats) -> Floats:
        """Energy with leakage [n] of mappings with these metrics [n, 2]."""
        total: Floats = metrics[:, 0] + self.leakage * metrics[:, 1]
        return total

    def letters(self, choices: Sequence[int]) -> str:
        """The choices [layers] as the option ``mapping`` of the chip: a letter for each sum of products."""
        chosen = dict(zip(self.layers, choices, strict=True))
        return "".join(self.choice_names[chosen.get(layer, 0)][0] for layer in self.products)


def layer_tables(ledger: Ledger, target: Target, settings: Mapping[str, Any]) -> LayerTables:
    """Tables of all mappings at one setting of a chip: what stays in the array is the ``output`` or the ``weight``."""
    from costmodel.targets.asic import price as asic

    names = ("output", "weight")
    values = np.zeros((len(ledger.layers), len(names), len(METRICS)))
    fixed = np.zeros(len(METRICS))
    leakage, area = 0.0, None
    for column, name in enumerate(names):
        bill = asic.price(ledger, target, {**settings, "dataflow": name, "mapping": ""})
        for line in bill.lines:
            if line.component == "leakage":
                continue
            if line.metric in METRICS:
                where = METRICS.index(line.metric)
                if line.layer >= 0:
                    values[line.layer, column, where] += bill.cost(line)
                elif column == 0:
                    fixed[where] += bill.cost(line)
        if column == 0:
            seconds = bill.total("latency_s").value
            leaked = sum(bill.cost(line) for line in bill.lines if line.component == "leakage")
            leakage = leaked / seconds if seconds else 0.0
            area = bill.total("area_mm2").value if "area_mm2" in bill.metrics() else None
    differ = np.flatnonzero(np.any(values[:, 0] != values[:, 1], axis=1))
    fixed += values[np.setdiff1d(np.arange(len(values)), differ), 0].sum(axis=0)
    products = tuple(layer.index for layer in ledger.layers if OPS[layer.op].product)
    return LayerTables(names, products, tuple(differ.tolist()), values[differ], fixed, leakage, area)


@dataclass(frozen=True)
class MappingFront:
    """Non-dominated ``metrics`` [n, 2], by rising time, with the choices [n, layers] behind them."""

    metrics: Floats
    choices: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.metrics)


def compose(tables: LayerTables) -> MappingFront:
    """The exact front of energy without leakage and time over every mapping.

    Leakage is energy that grows with time, so the front with it lies within this one.
    """
    sums: Floats = np.zeros((1, 2))
    steps: list[tuple[NDArray[np.int64], NDArray[np.uint16]]] = []
    for choices in tables.values:
        grown = np.concatenate([sums + choice for choice in choices])
        keep = _front(grown)
        count = len(sums)
        steps.append((keep % count, (keep // count).astype(np.uint16)))
        sums = grown[keep]
    found = np.zeros((len(sums), len(tables.values)), dtype=np.uint16)
    at = np.arange(len(sums))
    for layer in range(len(steps) - 1, -1, -1):
        before, choice = steps[layer]
        found[:, layer] = choice[at]
        at = before[at]
    metrics = sums + tables.fixed
    keep = _front(metrics)
    return MappingFront(metrics[keep], found[keep])


def _front(points: Floats) -> NDArray[np.int64]:
    """Positions of the non-dominated points [n, 2], by rising second objective; of equal ones the first."""
    order = np.lexsort((points[:, 0], points[:, 1]))
    energy = points[order, 0]
    least = np.minimum.accumulate(energy)
    keep = np.ones(len(order), dtype=np.bool_)
    keep[1:] = energy[1:] < least[:-1]
    kept: NDArray[np.int64] = order[keep]
    return kept
