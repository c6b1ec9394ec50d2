"""The designs of the explorer: networks on targets with all that is known of each, one item for every accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from costmodel.dashboard import results
from costmodel.dashboard.results import DesignRow, NetworkRow, TargetRow
from costmodel.targets.quantity import Interval
from costmodel.views.plots.scatter import Design

#: Attributes by which designs are filtered and coloured.
ATTRIBUTES = ("family", "topology", "normaliser", "bits", "kind", "target", "network", "scope", "evidence")


@dataclass(frozen=True, slots=True)
class Figure:
    """One top-1 accuracy in percent. ``effort`` is the training that it took, as far as it is known, ``conditions`` all
    that is known of it and who says so."""

    top1: float
    evidence: str
    effort: str
    conditions: str


@dataclass(frozen=True, slots=True)
class Item:
    """A design with what it is filtered by. One that has several accuracies is several items."""

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

    @property
    def scope(self) -> str:
        return self.design.scope

    @property
    def evidence(self) -> str:
        return self.design.evidence

    def attribute(self, name: str) -> str:
        return str(getattr(self, name))


def accuracies(networks: Iterable[NetworkRow]) -> dict[str, list[Figure]]:
    """Every accuracy that is known of networks: measured on the test set, published for the network as it is listed."""
    from costmodel.train.records import measured, of_record
    from costmodel.zoo import registry

    table: dict[str, list[Figure]] = {}
    for record in measured():
        if record.held_out == "test":
            figure = of_record(record)
            arguments = dict(record.options) | ({} if record.width == 1 else {"width": record.width})
            epochs = "+".join(map(str, record.epochs))
            table.setdefault(results.title(record.network, arguments), []).append(
                Figure(figure.top1, "measured", f"{epochs} epochs", figure.conditions)
            )
    for row in networks:
        if not row.arguments and row.model in registry.list_models():
            for p in registry.entry(row.model).published:
                words = f"{p.source}{': ' + p.note if p.note else ''}"
                table.setdefault(row.name, []).append(Figure(p.top1, "published", "", words))
    return table


def items_of(
    network: NetworkRow, target: TargetRow, row: DesignRow, figures: Iterable[Figure], own: bool = False
) -> list[Item]:
    """The items of one design: one for each accuracy, one where none is known. Their keys differ, their id does not."""
    metrics = {name: Interval(*values) for name, values in row.metrics.items()}
    metrics |= {name: Interval.exact(value) for name, value in network.metrics.items()}
    name = f"{network.name}@{target.name}"

    def item(key: str, known: Mapping[str, Interval], figure: Figure | None) -> Item:
        design = Design(
            name, f"{network.name} on {target.name}", target.kind, known,
            figure.evidence if figure else "", row.misfit, key, row.scope, figure.effort if figure else "",
            figure.conditions if figure else "", tuple(row.notes), row.left_out, own,
        )  # fmt: skip
        return Item(
            design, network.name, target.name, target.kind, network.family, network.topology, network.normaliser,
            network.bits, network.dataset, figure.conditions if figure else "",
        )  # fmt: skip

    found = [
        item(f"{name}#{i}", {**metrics, "accuracy": Interval.exact(figure.top1)}, figure)
        for i, figure in enumerate(figures, 1)
    ]
    return found or [item(name, metrics, None)]


def id_of(key: str) -> str:
    """The design (``network@target``) of a point's key."""
    head, _, tail = key.rpartition("@")
    return f"{head}@{tail.partition('#')[0]}"
