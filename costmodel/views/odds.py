"""With what probability one network costs less than another, under the same draws of the constants they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from costmodel.metrics import costs
from costmodel.views import numbers
from costmodel.views.table import Column, Row, Table

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.quantity import Interval


@dataclass(frozen=True, slots=True)
class Odds:
    """``cheaper`` costs less of ``metric`` than ``dearer`` with ``probability``, at least one half.

    ``saving`` is the share of the dearer one's total that it saves, with the 5 % and 95 % points.
    """

    metric: str
    cheaper: str
    dearer: str
    probability: float
    saving: Interval


def odds(estimates: list[Estimate]) -> list[Odds]:
    """Every pair of networks on one target, for each cost that both have; the likelier side first."""
    from costmodel.targets.uncertainty import probability_cheaper, saving

    found = []
    for metric in costs():
        for a, b in pairs(estimates, metric):
            p = probability_cheaper(a, b, metric)
            first, second = (a, b) if p >= 0.5 else (b, a)
            share = saving(first, second, metric)
            found.append(Odds(metric, first.network, second.network, max(p, 1 - p), share))
    return found


def pairs(estimates: Sequence[Estimate], metric: str) -> list[tuple[Estimate, Estimate]]:
    """The pairs that a metric may tell apart: both have a sum of it, and one of them more than nothing."""
    having = [e for e in estimates if metric in e.metrics() or metric in e.unused]
    return [(a, b) for a, b in combinations(having, 2) if not (metric in a.unused and metric in b.unused)]


def table(estimates: list[Estimate]) -> Table | None:
    """The odds as a table; None for a single network or where nothing is to be compared."""
    found = odds(estimates)
    if not found:
        return None
    target = estimates[0].target
    columns = [
        Column("metric", "of", "left", numbers.metric_title),
        Column("cheaper", "network", "left"),
        Column("dearer", "costs less than", "left"),
        Column("probability", "with probability", show=_percent),
        Column("saving", "saves", show=_share),
    ]
    rows = [Row([o.metric, o.cheaper, o.dearer, o.probability, o.saving]) for o in found]
    notes = ["Constants that both designs share are drawn once for both; 50 % says that they do not tell them apart."]
    return Table(f"odds_{target}", f"On {target}: which is cheaper", columns, rows, notes=notes)


def flat(found: Mapping[str, Sequence[Odds]]) -> Table:
    """The odds of each target as raw values: probabilities and shares from 0 to 1."""
    names = ("target", "metric", "cheaper", "dearer", "probability", "saving", "saving_low", "saving_high")
    rows = [
        Row([target, o.metric, o.cheaper, o.dearer, o.probability, o.saving.value, o.saving.low, o.saving.high])
        for target, each in found.items()
        for o in each
    ]
    return Table("odds", "", [Column(name, name, "left" if i < 4 else "right") for i, name in enumerate(names)], rows)


def _percent(probability: float) -> str:
    """Never certainty where it is only likely: a sample of a few thousand draws does not show one in a thousand."""
    if 0.999 < probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %" if probability < 0.999 else "100 %"


def _share(saving: Interval) -> str:
    """``12.3 % (8.0 to 15.1 %)``; nothing where nothing is saved for certain."""
    if saving.low == saving.high == 0:
        return ""
    return f"{100 * saving.value:.1f} % ({100 * saving.low:.1f} to {100 * saving.high:.1f} %)"
