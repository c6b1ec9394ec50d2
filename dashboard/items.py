"""The designs of the explorer: networks on targets with all that is known of each, one item for every accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from costmodel.dashboard.results import DesignRow, NetworkRow, TargetRow
from costmodel.dashboard.state import write_design
from costmodel.targets.quantity import Interval
from costmodel.views.plots.scatter import Design

if TYPE_CHECKING:
    from costmodel.train.records import Accuracy


@dataclass(frozen=True, slots=True)
class Figure:
    """One top-1 accuracy in percent. ``effort`` is the training that it took, as far as it is known, ``conditions`` all
    that is known of it and who says so."""

    top1: float
    evidence: str
    effort: str
    conditions: str


#: In the key of a member of a sweep, which one it is: ``network@target;member=FOLDER:NUMBER``.
MEMBER = ";member="
#: Origin of designs that are priced with the choices that a target makes by itself.
DEFAULTS = "default choices"


@dataclass(frozen=True, slots=True)
class Explored:
    """A member of a sweep: the sweep's name, ``folder:number``, and the choices that make it, ``name=value`` each."""

    sweep: str
    ref: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A design with what it is filtered by. One that has several accuracies is several items. ``origin`` is where its
    choices come from, ``choices`` what differs from the target's own."""

    design: Design
    network: str
    target: str
    kind: str
    family: str
    topology: str
    normaliser: str
    bits: str
    dataset: str
    conditions: str
    origin: str = DEFAULTS
    choices: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        return self.design.scope

    @property
    def evidence(self) -> str:
        return self.design.evidence

    def attribute(self, name: str) -> str:
        return str(getattr(self, name))


def accuracies(networks: Iterable[NetworkRow], given: Sequence[Accuracy] = ()) -> dict[str, list[Figure]]:
    """Every accuracy that is known of networks on their own data set: ``given`` by the user, measured on the test set,
    published for the network as it is listed. A figure is of just the arguments that it names."""
    from costmodel.train.records import accuracies as figures_of
    from costmodel.train.records import width_of

    found: dict[str, list[Figure]] = {}
    for row in networks:
        width, options = width_of(row.arguments)
        known = figures_of(row.model, width, options, given)
        found[row.name] = [_figure(f) for f in known if not f.data or f.data == row.dataset]
    return found


def _figure(f: Accuracy) -> Figure:
    effort = f"{f.epochs} epochs" if f.epochs else ""
    if f.kind == "measured" and f.source.startswith("costmodel"):
        return Figure(f.top1, f.kind, effort, f.conditions)
    return Figure(f.top1, f.kind, effort, ": ".join(filter(None, (f.source, f.conditions))))


def items_of(
    network: NetworkRow, target: TargetRow, row: DesignRow, figures: Iterable[Figure], own: bool = False,
    explored: Explored | None = None,
) -> list[Item]:  # fmt: skip
    """The items of one design: one for each accuracy, one where none is known. Their keys differ, their id does not."""
    metrics = {name: Interval(*values) for name, values in row.metrics.items()}
    metrics |= _exact(tuple(network.metrics.items()))
    choices = explored.choices if explored else ()
    name, label = write_design(network.name, target.name, choices), f"{network.name} on {target.name}"
    head, origin = name, DEFAULTS
    if explored:
        origin = explored.sweep
        head = f"{network.name}@{target.name}{MEMBER}{explored.ref}"
        label += f", {explored.sweep} {explored.ref.partition(':')[2]}"

    def item(key: str, known: Mapping[str, Interval], figure: Figure | None) -> Item:
        design = Design(
            name, label, target.kind, known,
            figure.evidence if figure else "", row.misfit, key, row.scope, figure.effort if figure else "",
            figure.conditions if figure else "", tuple(row.notes), row.left_out, own,
        )  # fmt: skip
        return Item(
            design, network.name, target.name, target.kind, network.family, network.topology, network.normaliser,
            network.bits, network.dataset, figure.conditions if figure else "", origin, choices,
        )  # fmt: skip

    found = [
        item(f"{head}#{i}", {**metrics, "accuracy": Interval.exact(figure.top1)}, figure)
        for i, figure in enumerate(figures, 1)
    ]
    return found or [item(head, metrics, None)]


@lru_cache(maxsize=512)
def _exact(metrics: tuple[tuple[str, float], ...]) -> dict[str, Interval]:
    """What is the network's alone, the same objects for all targets."""
    return {name: Interval.exact(value) for name, value in metrics}


def id_of(key: str) -> str:
    """The design (``network@target``, and which member of a sweep it is) of a point's key."""
    head, _, tail = key.rpartition("@")
    return f"{head}@{tail.partition('#')[0]}"
