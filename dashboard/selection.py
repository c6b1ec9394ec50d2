"""What the controls of the explorer choose: designs, their trade-off as plot data, and the same in rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.constraints import failure, parse
from costmodel.dashboard.items import Item
from costmodel.metrics import metric
from costmodel.views.numbers import between, show
from costmodel.views.plots.marks import state_of
from costmodel.views.plots.scatter import Design, ScatterInfo, scatter

#: Filters by attribute.
FILTERS = ("kind", "target", "network", "family", "topology", "normaliser", "bits")
#: The controls whose values choose what is shown, in the order of the callbacks' arguments.
CONTROLS = (
    "x",
    "y",
    "x-scale",
    "y-scale",
    "dataset",
    "evidence",
    *FILTERS,
    "scope",
    "incomplete",
    "fit",
    "constraints",
    "x-sweeps",
    "colour",
    "bars",
    "theme",
)
#: Rows that the table shows at most.
ROWS = 400
#: The scope that most designs have.
MOST = "most"
SCOPES = ("chip core", "chip", "chip + DRAM", "board")


@dataclass(frozen=True)
class Hidden:
    """A reason for which designs are not in the figure, and how many by target."""

    why: str
    targets: dict[str, int]

    @property
    def count(self) -> int:
        return sum(self.targets.values())


def choose(catalogue: Catalogue, c: dict[str, Any]) -> list[Item]:
    """The items that pass the filters. Where accuracy is not asked for, a design appears once."""
    wanted = {name: set(c.get(name) or ()) for name in FILTERS}
    wanted = {name: values for name, values in wanted.items() if values}
    wants_accuracy = "accuracy" in (c["x"], c["y"])
    of_network = _of_network(c)
    found, seen = [], set()
    for item in [*catalogue.items, *catalogue.explorations.items(c.get("x-sweeps") or ())]:
        if item.dataset != c["dataset"] or any(item.attribute(n) not in v for n, v in wanted.items()):
            continue
        if (c["fit"] == "fits" and item.design.misfit) or (c["fit"] == "not" and not item.design.misfit):
            continue
        if wants_accuracy and c["evidence"] != "all" and item.design.evidence != c["evidence"]:
            continue
        number = item.design.key.rpartition("#")[2] if wants_accuracy else ""
        key = (item.network if of_network else item.design.id, number)
        if key in seen:
            continue
        seen.add(key)
        found.append(item)
    return found


def scope_of(items: Iterable[Item], c: dict[str, Any]) -> str:
    """The one scope whose designs are compared: that which was chosen, else that of most that have both metrics; empty
    where neither axis is a matter of scope. Figures of a chip's core and of a board are no rivals."""
    if not (metric(c["x"]).scoped or metric(c["y"]).scoped):
        return ""
    if c.get("scope") in SCOPES:
        return str(c["scope"])
    known = Counter(i.design.scope for i in items if c["x"] in i.design.metrics and c["y"] in i.design.metrics)
    return min(known, key=lambda s: (-known[s], s), default="")


def build(catalogue: Catalogue, c: dict[str, Any]) -> tuple[ScatterInfo, list[Item]]:
    """The plot data of a choice of controls. Raises :class:`CostmodelError` for constraints that are none."""
    bounds = parse(c["constraints"] or "")
    items = choose(catalogue, c)
    scope = scope_of(items, c)
    if scope:
        items = [i for i in items if i.design.scope == scope]
    of_network = _of_network(c)
    designs = [
        replace(i.design, series=i.attribute(c["colour"]), label=i.network if of_network else i.design.label)
        for i in items
    ]

    def fails(design: Design) -> str:
        if design.misfit and c["fit"] != "not" and not of_network:
            return f"does not fit: {design.misfit}"
        return failure(design, bounds)

    return scatter(designs, c["x"], c["y"], fails, incomplete=c.get("incomplete") == "on"), items


def hidden(catalogue: Catalogue, c: dict[str, Any]) -> list[Hidden]:
    """Designs that pass the filters and are not in the figure, by reason, the most frequent first."""
    items = choose(catalogue, c)
    scope = scope_of(items, c)
    found: dict[str, Counter[str]] = {}
    for item in items:
        lacking = [n for n in dict.fromkeys((c["y"], c["x"])) if n not in item.design.metrics]
        if lacking:
            word = metric(lacking[0]).word
            plural = lacking[0] != "accuracy" and word.endswith("s")
            why = f"{word} {'are' if plural else 'is'} not known"
        elif scope and item.design.scope != scope:
            why = f"energy is that of the {item.design.scope}, and that of the {scope} is shown"
        else:
            continue
        found.setdefault(why, Counter())[item.target] += 1
    made = [Hidden(why, dict(targets.most_common())) for why, targets in found.items()]
    return sorted(made, key=lambda h: -h.count)


def rows(info: ScatterInfo, items: Sequence[Item], brushed: Sequence[str], every: bool = False) -> list[dict[str, Any]]:
    """Rows of the table: the brushed designs; where nothing is brushed the front, or ``every`` design that is shown.

    ``x`` and ``y`` are numbers, next to each its text with bounds.
    """
    of = {i.design.key: i for i in items}
    found = []
    for p in _listed(info, brushed, every)[:ROWS]:
        item = of[p.key]
        lacking = [note for notes in (p.open_y, p.open_x) for note in notes]
        found.append(
            {
                "id": p.id,
                "key": p.key,
                "network": item.network + (" (yours)" if p.design.own else ""),
                "target": item.target,
                "choices": ", ".join(item.choices) or "default",
                "state": state_of(p),
                "certainty": ("certain" if p.certain else "probable") if p.state == "front" else "",
                "why": p.why,
                "y": p.y.value,
                "x": p.x.value,
                "y_text": _text(p.y.value, p.y.low, p.y.high, info.y.unit, bool(p.open_y), info.y.maximised),
                "x_text": _text(p.x.value, p.x.low, p.x.high, info.x.unit, bool(p.open_x), info.x.maximised),
                "scope": p.design.scope or "energy not known",
                "training": p.design.effort,
                "accuracy": f"{p.evidence}{': ' + item.conditions if item.conditions else ''}"
                if p.evidence
                else "not known",
                "left out": "; ".join(dict.fromkeys(lacking)),
                "notes": "; ".join(p.design.notes),
            }
        )
    return found


def listed_keys(info: ScatterInfo, brushed: Sequence[str], every: bool) -> list[str]:
    """Keys of the points that the table lists, without a limit: what is downloaded is what is listed."""
    return [p.key for p in _listed(info, brushed, every)]


def _listed(info: ScatterInfo, brushed: Sequence[str], every: bool) -> list[Any]:
    chosen = set(brushed)
    if chosen:
        return [p for p in info.points if p.key in chosen or p.id in chosen]
    return list(info.points) if every else [info.points[i] for i in info.front]


def brushed(info: ScatterInfo, selected: Any) -> list[str]:
    """Keys of the brushed points that are shown: a filter may have taken away what was brushed before."""
    given = set(ids_of(selected))
    return [p.key for p in info.points if p.key in given or p.id in given]


def ids_of(selected: Any) -> list[str]:
    """Keys of the points in a selection or a click, as the browser reports it; anything else is none."""
    if isinstance(selected, list):
        return [str(key) for key in selected]
    points = selected.get("points", []) if isinstance(selected, dict) else []
    return [p["customdata"] for p in points if isinstance(p, dict) and isinstance(p.get("customdata"), str)]


def _of_network(c: dict[str, Any]) -> bool:
    return metric(c["x"]).of_network and metric(c["y"]).of_network


def _text(value: float, low: float, high: float, unit: str, bound: bool, maximised: bool) -> str:
    least = ("≤ " if maximised else "≥ ") if bound else ""
    return least + show(value, unit) + ("" if low == high else f" ({between(low, high, unit)})")
