"""What the controls of the explorer choose: designs, their trade-off as plot data, and the same in words and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dash import html

from costmodel.dashboard.catalogue import Catalogue, Item
from costmodel.dashboard.constraints import failure, parse
from costmodel.metrics import metric
from costmodel.views.numbers import show
from costmodel.views.plots.scatter import Design, ScatterInfo, scatter

#: The controls whose values choose what is shown, in the order of the callbacks' arguments.
CONTROLS = (
    "x",
    "y",
    "x-scale",
    "y-scale",
    "dataset",
    "evidence",
    "kind",
    "target",
    "family",
    "topology",
    "normaliser",
    "bits",
    "fit",
    "constraints",
    "colour",
    "bars",
    "theme",
)
#: Rows that the table shows at most.
ROWS = 400


def choose(catalogue: Catalogue, c: dict[str, Any]) -> list[Item]:
    """The items that pass the filters. Where accuracy is not asked for, a design appears once."""
    wanted = {name: set(c[name] or ()) for name in ("kind", "target", "family", "topology", "normaliser", "bits")}
    wants_accuracy = "accuracy" in (c["x"], c["y"])
    of_network = metric(c["x"]).of_network and metric(c["y"]).of_network
    found, seen = [], set()
    for item in catalogue.items:
        if item.dataset != c["dataset"] or any(v and item.attribute(n) not in v for n, v in wanted.items()):
            continue
        if (c["fit"] == "fits" and item.design.misfit) or (c["fit"] == "not" and not item.design.misfit):
            continue
        if wants_accuracy and c["evidence"] != "all" and item.design.evidence != c["evidence"]:
            continue
        key: Any = (item.network if of_network else item.design.id, item.conditions if wants_accuracy else "")
        if key in seen:
            continue
        seen.add(key)
        found.append(item)
    return found


def build(catalogue: Catalogue, c: dict[str, Any]) -> tuple[ScatterInfo, list[Item]]:
    """The plot data of a choice of controls. Raises :class:`CostmodelError` for constraints that are none."""
    bounds = parse(c["constraints"] or "")
    items = choose(catalogue, c)
    of_network = metric(c["x"]).of_network and metric(c["y"]).of_network
    designs = [
        replace(i.design, series=i.attribute(c["colour"]), label=i.network if of_network else i.design.label)
        for i in items
    ]

    def fails(design: Design) -> str:
        if design.misfit and c["fit"] != "not" and not of_network:
            return f"does not fit: {design.misfit}"
        return failure(design, bounds)

    return scatter(designs, c["x"], c["y"], fails), items


def say(info: ScatterInfo, items: Sequence[Item]) -> Any:
    """The figure in words: how many, the best, what is missing."""
    failing = sum(p.state == "failing" for p in info.points)
    words: list[Any] = [f"{len(info.points)} designs, {len(info.front)} on the front"]
    if failing:
        words.append(f", {failing} do not fit or fail a constraint")
    words.append(". ")
    best = info.best()
    if best is not None:
        words += [
            "Best that remains: ",
            html.Strong(best.label),
            f" ({info.y.title} {show(best.y.value, info.y.unit)}, {info.x.title} {show(best.x.value, info.x.unit)}). ",
        ]
    elif info.points:
        words.append("None meets every constraint. ")
    if info.left_out:
        lacking = dict.fromkeys(n for n in (info.y.name, info.x.name) for i in items if n not in i.design.metrics)
        known = " or ".join(metric(n).word for n in lacking)
        words.append(f"{info.left_out} are not shown, since their {known} is not known.")
    return words


def rows(info: ScatterInfo, items: Sequence[Item], brushed: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the table: the brushed designs, or the front where nothing is brushed."""
    conditions = {(i.design.id, i.design.evidence): (i.network, i.target, i.conditions) for i in items}
    chosen = set(brushed)
    shown = [p for p in info.points if p.id in chosen] if chosen else [info.points[i] for i in info.front]
    found = []
    for p in shown[:ROWS]:
        network, target, words = conditions[p.id, p.evidence]
        found.append(
            {
                "id": p.id,
                "network": network,
                "target": target,
                "state": p.state,
                "why": p.why,
                "y": show(p.y.value, info.y.unit),
                "x": show(p.x.value, info.x.unit),
                "accuracy": f"{p.evidence}{': ' + words if words else ''}" if p.evidence else "not known",
            }
        )
    return found


def brushed(info: ScatterInfo, selected: Any) -> list[str]:
    """Ids of the brushed designs that are shown: a filter may have taken away what was brushed before."""
    shown = {p.id for p in info.points}
    return [i for i in dict.fromkeys(ids_of(selected)) if i in shown]


def ids_of(selected: Any) -> list[str]:
    """Ids of the designs in a selection or a click, as the browser reports it; anything else is none."""
    points = selected.get("points", []) if isinstance(selected, dict) else []
    return [p["customdata"] for p in points if isinstance(p, dict) and isinstance(p.get("customdata"), str)]
