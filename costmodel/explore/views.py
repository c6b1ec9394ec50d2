"""The tables of ``costmodel fold`` and ``costmodel explore``: designs, foldings, and the members of fronts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from costmodel.explore.budget import KNEE, best, knee
from costmodel.explore.cases import Case, cases
from costmodel.explore.certainty import certainty
from costmodel.explore.dataflow import Space
from costmodel.explore.evaluators import evaluator
from costmodel.explore.folding import Folded
from costmodel.explore.folding import count as short
from costmodel.explore.foldings import Design
from costmodel.explore.front import EVIDENCE, Front
from costmodel.explore.greedy import Comparison
from costmodel.explore.ledgers import encoded, ledger_of
from costmodel.explore.members import Member
from costmodel.explore.space import DesignSpace
from costmodel.metrics import RESOURCES, metric
from costmodel.views.frames import table
from costmodel.views.numbers import metric_title, metric_value
from costmodel.views.table import Column, Row, Table
from costmodel.views.view import View

#: What a folding is chosen by: the rate of a pipeline that stays full.
RATE = "steady_images_per_second"

MEMORIES = {"block": "block RAM", "distributed": "LUTs", "ultra": "UltraRAM", "auto": "-"}


def folded_view(best: Folded) -> View:
    """One folding: what ``costmodel fold`` prints."""
    return View(
        lambda: [totals(best), layers(best)],
        {"layer": lambda: layers(best), "design": lambda: _design(best)},
        lambda: document(best),
        {"design": lambda: totals(best)},
    )


def _design(best: Folded) -> Table:
    """Raw values of the rate, the initiation interval and each resource."""
    rows: list[list[Any]] = [
        [RATE, metric(RATE).unit, best.steady_images_per_second, None],
        ["interval", "cycles", best.interval, None],
    ]
    rows += [[name, metric(name).unit, best.resources[name], best.limits[name]] for name in RESOURCES]
    return table("design", ["metric", "unit", "value", "allowed"], rows)


def front_view(front: Front) -> View:
    """A front: every member, with the command that makes it again."""
    return View(
        lambda: [members(front, len(front))],
        {"member": lambda: table("front", front.columns(), front.rows())},
        lambda: {
            "name": front.name, "kind": front.kind, "label": front.label, "objectives": list(front.objectives),
            "priced": front.priced, "feasible": front.feasible, "guarantee": front.guarantee,
            "members": [msgspec.to_builtins(member) for member in front.members],
        },
        {"member": lambda: members(front, len(front))},
    )  # fmt: skip


def totals(best: Folded, asked: str = "") -> Table:
    """Rate, initiation interval, and each resource against what is allowed; ``asked`` says what it was chosen for."""
    rows = [
        Row((RATE, whole(best.steady_images_per_second), None, None), label=metric_title(RATE)),
        Row(("initiation interval, cycles", best.interval, None, None)),
    ]
    for name in RESOURCES:
        used, limit = best.resources[name], best.limits[name]
        if name != "uram" or limit or used:
            share = f"{used / limit:.0%}" if limit else None
            rows.append(Row((name, whole(used), whole(limit), share), label=metric_title(name)))
    columns = [
        Column("what", "", "left"),
        Column("value", "value"),
        Column("allowed", "allowed"),
        Column("share", "share"),
    ]
    title = ": ".join(filter(None, [f"{best.network} on {best.target}", asked]))
    return Table("design", title, columns, rows, notes=[best.guarantee])


def layers(best: Folded) -> Table:
    """PE, SIMD and memories of each layer."""
    columns = [Column("layer", "layer", "left"), Column("pe", "PE"), Column("simd", "SIMD")]
    columns += [Column("weights", "weights in", "left"), Column("window", "window in", "left")]
    rows = [
        Row((name, f["PE"], f["SIMD"], MEMORIES[str(f.get("weights", "auto"))], MEMORIES[str(f.get("window", "auto"))]))
        for name, f in best.folding.items()
    ]
    return Table("folding", "Folding", columns, rows)


def document(best: Folded) -> dict[str, Any]:
    """The design and its folding, for JSON."""
    found = {name: getattr(best, name) for name in ("network", "target", RATE, "interval", "resources", "limits")}
    found["fps"] = best.steady_images_per_second  # by the name of the option that asks for it
    return found | {"folding": best.folding, "finn": json.loads(best.json), "guarantee": best.guarantee}


def front(found: Space, designs: Sequence[Design], promise: str, limit: int | None = None) -> Table:
    """One design per row; at most ``limit``, at equal steps along the intervals."""
    names, notes = list(designs[0].resources), [promise]
    shown = designs
    if limit is not None and len(designs) > limit:
        shown = [designs[round(i * (len(designs) - 1) / max(limit - 1, 1))] for i in range(limit)]
        notes.append(f"{len(designs):,} designs, {limit} shown; all of them: --members {len(designs)}, or --format csv")
    rows = [Row((d.interval, whole(d.steady_images_per_second), *_resources(d, names))) for d in shown]
    columns = [Column("interval", "interval"), *(Column(n, metric_title(n)) for n in (RATE, *names))]
    return Table("front", f"{found.network} on {found.target.name}", columns, rows, notes=notes)


def _resources(design: Design, names: Sequence[str]) -> list[float | int]:
    return [whole(design.resources[name]) for name in names]


def greedy(found: Space, compared: Sequence[Comparison], max_wide: int | None) -> Table:
    """FINN's folding pass against the exact optima, one target per row."""
    rows = [
        Row((r.target, r.interval, *map(whole, (r.lut, r.best_lut, r.best_bram_lut)), f"{r.lut / r.best_lut - 1:+.1%}"))
        for r in compared
    ]
    columns = [Column("target", "target cycles"), Column("interval", "reached"), Column("lut", "FINN's pass, LUT")]
    columns += [Column("best", "least LUT"), Column("best_bram", "least LUT, no more BRAM"), Column("excess", "excess")]
    cap = f"weight streams up to {max_wide} bits in both" if max_wide else "no limit on widths"
    return Table("greedy", f"{found.network} on {found.target.name}: {cap}", columns, rows)


def comparison(found: Space, designs: Mapping[str, Design]) -> Table:
    """A given folding next to the best of the same rate and of the same size."""
    names = ("lut", "bram18", "dsp")
    rows = [
        Row((name, d.interval, whole(d.steady_images_per_second), *map(round, _resources(d, names))))
        for name, d in designs.items()
    ]
    columns = [Column("design", "", "left"), Column("interval", "interval")]
    columns += [Column(n, metric_title(n)) for n in (RATE, *names)]
    return Table("compare", f"{found.network} on {found.target.name}", columns, rows)


def whole(value: float) -> float | int:
    """What is worth printing of a count or a rate."""
    if value != value:  # a mean over nothing
        return value
    return round(value, 2) if value < 100 and value != round(value) else round(value)


def count(space: DesignSpace) -> Table:
    """How many designs each case has, and about how long they take."""
    rows, total = [], 0
    for case in cases(space):
        designs = case.designs
        if case.entry.search == "exact":
            designs = evaluator(case, encoded(ledger_of(case.network, space.level))).count(0, case.designs)
        total += designs
        rows.append(Row((case.network.name, case.entry.target, case.entry.search, short(designs))))
    columns = [Column("network", "network", "left"), Column("target", "target", "left")]
    columns += [Column("search", "search", "left"), Column("designs", "designs")]
    seconds = sum(_seconds(case) for case in cases(space))
    note = f"{short(total)} designs, {len(space.networks)} ledgers, about {max(seconds, 1):.0f} s on one core"
    return Table("count", f"{space.name}: {len(rows)} cases", columns, rows, notes=[note])


def _seconds(case: Case) -> float:
    """About how long a case takes, by what such cases took."""
    if case.entry.search == "exact" and case.entry.kind == "fpga":
        return 0.2 + 0.1 * len(case.clocks)
    return case.designs * {"grid": 0.005, "samples": 2e-7, "exact": 0.01}[case.entry.search]


def members(front: Front, limit: int, certain_at: str | None = None) -> Table:
    """At most ``limit`` members of a front; ``certain_at`` a level says which of them are certain."""
    shown = front.members if len(front) <= limit else _spread(front, limit)
    columns, rows = _columns(front), [_cells(front, m) for m in shown]
    count = "1 member" if len(front) == 1 else f"{len(front)} members"
    notes = [f"{count}{'' if len(shown) == len(front) else f', {len(shown)} shown'}; {front.guarantee}"]
    if len(front) > 2 and len(front.objectives) > 1:
        middle = front.members[knee(front)]
        figures = ", ".join(
            f"{metric_title(n)} {metric_value(n, middle.metrics[n], digits=4)}" for n in front.objectives
        )
        notes.append(
            f"the knee, nearest to the best of all objectives at once: {middle.network} on {middle.target}, {figures}"
        )
    if certain_at is not None:
        found = certainty(front, certain_at)
        place = {member.id: i for i, member in enumerate(front.members)}
        columns += [Column("member", "member", "left"), Column("share", "on the front")]
        for row, member in zip(rows, shown, strict=True):
            i = place[member.id]
            row += ["certain" if found.certain[i] else "probable", f"{found.share[i]:.0%}"]  # type: ignore[index]
        notes.append(
            f"certain, whatever the constants are within their bounds: {int(found.certain.sum())}; the last column is "
            "the share of joint draws of all constants in which no other member is better"
        )
    return Table(f"{front.kind}{front.label}", _title(front), columns, [Row(tuple(row)) for row in rows], notes=notes)


def answers(front: Front, names: Sequence[str]) -> Table:
    """The member of a front that is best in each of some objectives, or the ``knee``, with the command of each."""
    columns = [Column("best", "best", "left"), *_columns(front)]
    found = {name if name == KNEE else metric_title(name): best(front, name) for name in names}
    rows = [Row((name, *_cells(front, member))) for name, member in found.items()]
    notes = [front.guarantee, *(f"{name}: {member.command}" for name, member in found.items())]
    return Table(f"best{front.kind}{front.label}", _title(front), columns, rows, notes=notes)


def answers_document(asked: Sequence[tuple[Front, Sequence[str]]]) -> list[dict[str, Any]]:
    """The same for JSON: of each front, the member behind each answer."""
    import dataclasses

    return [
        {"front": _title(front), "guarantee": front.guarantee,
         "best": {name: dataclasses.asdict(best(front, name)) for name in names}}
        for front, names in asked
    ]  # fmt: skip


def _title(front: Front) -> str:
    return " ".join(filter(None, [f"{front.name}: {front.kind}", front.label]))


def _columns(front: Front) -> list[Column]:
    columns = [Column("network", "network", "left"), Column("target", "target", "left")]
    columns += [Column(n, metric_title(n), show=partial(metric_value, n, digits=4)) for n in front.objectives]
    if "accuracy" in front.objectives:
        columns += [Column("data", "data set", "left"), Column("accuracy_kind", "accuracy", "left")]
        columns += [Column("epochs", "epochs", spare=1), Column("accuracy_source", "its source", "left", spare=2)]
    columns.append(Column("settings", "settings", "left"))
    if any(member.folding for member in front.members):
        columns.append(Column("folding", "PE x SIMD", "left", prose=True))
    return columns


def _cells(front: Front, member: Member) -> list[Any]:
    cells = [member.network, member.target, *(float(f"{member.metrics[name]:.5g}") for name in front.objectives)]
    if "accuracy" in front.objectives:
        cells += [member.evidence.get(name, "") for name in EVIDENCE]
    cells.append(", ".join(f"{k}={_short(v)}" for k, v in member.settings.items()))
    if any(each.folding for each in front.members):
        cells.append(" ".join(f"{fold['PE']}x{fold['SIMD']}" for fold in (member.folding or {}).values()))
    return cells


def _spread(front: Front, limit: int) -> list[Any]:
    """Members at equal steps along the first objective."""
    order = sorted(front.members, key=lambda m: m.metrics[front.objectives[0]])
    return [order[round(i * (len(order) - 1) / max(limit - 1, 1))] for i in range(limit)]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
