"""Fronts that ``costmodel explore`` found: what each holds, its plots and members, and how the best are made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from costmodel.explore.front import Front, Member
from costmodel.metrics import maximised
from costmodel.reports.content import cells
from costmodel.reports.content.answer import title_of
from costmodel.reports.content.blocks import Block, Figure, Items, Paragraph, Table, literal, section
from costmodel.reports.content.sentences import join
from costmodel.reports.content.subject import Subject
from costmodel.reports.figures.data import Panel, Plot
from costmodel.targets.quantity import Interval
from costmodel.views import numbers
from costmodel.views.plots.scatter import Design, scatter
from costmodel.views.table import Column, Row
from costmodel.views.table import Table as Grid

#: Members that a table lists, spread over the front; all are in the file.
LISTED = 40
#: Members from which a figure shows more than the table.
DRAWN = 3


def sentences(subject: Subject) -> list[str]:
    """How many designs there are, how many are Pareto-optimal, and what the best of them reach."""
    fronts = [front for _, front in subject.fronts]
    priced, kept = sum(f.priced for f in fronts), sum(map(len, fronts))
    where = f" on {len(fronts)} fronts" if len(fronts) > 1 else ""
    number = f"**{kept:,}** {'is' if kept == 1 else 'are'} Pareto-optimal{where}"
    said = [f"Of {cells.many(priced)} designs, {number}: no other is as good in every objective and better in one."]
    objectives = list(dict.fromkeys(o for f in fronts for o in f.objectives))
    best = []
    for objective in objectives:
        having = [f.best(objective) for f in fronts if objective in f.objectives and len(f)]
        if having:
            pick = max if maximised(objective) else min
            member = pick(having, key=lambda m: m.metrics[objective])
            value = numbers.metric_value(objective, member.metrics[objective])
            best.append(
                f"{numbers.metric_title(objective)} {value} ({literal(member.network)} on {literal(member.target)})"
            )
    return [*said, f"The best of each objective: {join(best)}."] if best else said


def fronts(subject: Subject) -> list[Block]:
    """A table of all fronts, then one section a front."""
    blocks: list[Block] = [_overview(subject)] if len(subject.fronts) > 1 else []
    return blocks + [b for i, (_, front) in enumerate(subject.fronts) for b in _front(i, front, not blocks)]


def name_of(front: Front) -> str:
    """What a front is of: FPGA designs of one network, or of all that compete."""
    kind = {"arm": "Arm", "fpga": "FPGA", "asic": "ASIC", "cpu": "CPU"}.get(front.kind, front.kind)
    return f"{kind} designs" + (f", {literal(front.label)}" if front.label else "")


def _overview(subject: Subject) -> Table:
    made = [front for _, front in subject.fronts]
    objectives = list(dict.fromkeys(o for f in made for o in f.objectives))
    columns = [cells.column("Front", "left", prose=True), cells.column("Designs"), cells.column("Pareto-optimal")]
    rows = [[cells.Cell(name_of(f)), cells.Cell(cells.many(f.priced), (f.priced,)), cells.count(len(f))] for f in made]
    for o in objectives:
        columns.append(cells.column(f"Best\n{numbers.metric_title(o)}"))
        for row, f in zip(rows, made, strict=True):
            value = f.best(o).metrics[o] if o in f.objectives and len(f) else None
            row.append(cells.EMPTY if value is None else cells.Cell(numbers.metric_value(o, value), (value,)))
    columns.append(cells.column("How complete", "left", prose=True))
    for row, f in zip(rows, made, strict=True):
        row.append(cells.text(f.guarantee))
    return Table(
        "tab-fronts",
        "The fronts: designs of each, those that are Pareto-optimal, and the best of each objective.",
        Grid("fronts", "", columns, [Row(row) for row in rows]),
        (
            "[f.priced for f in fronts]",
            "[len(f) for f in fronts]",
            "[[f.best(o).metrics[o] for o in f.objectives if len(f)] for f in fronts]",
            "[f.guarantee for f in fronts]",
        ),
    )


def _front(index: int, front: Front, alone: bool) -> list[Block]:
    if not len(front):
        return section(name_of(front))
    blocks: list[Block] = []
    if len(front) >= DRAWN and len(front.objectives) > 1:
        blocks.append(_figure(index, front))
    blocks.append(_members(index, front))
    if alone:
        blocks.append(Paragraph(f"{literal(front.guarantee[:1].upper() + front.guarantee[1:])}.", "note"))
    best: dict[str, list[str]] = {}
    for o in front.objectives:
        best.setdefault(front.best(o).command, []).append(numbers.metric_title(o))
    blocks += [
        Paragraph("The best design of each objective is made again by:"),
        Items(tuple(f"{join(titles)}: `{literal(command)}`" for command, titles in best.items())),
    ]
    return section(name_of(front)[:1].upper() + name_of(front)[1:], blocks)


def _figure(index: int, front: Front) -> Figure:
    named = _named(front)
    designs = [
        Design(str(m.id), name, name, {o: Interval.exact(m.metrics[o]) for o in front.objectives})
        for m, name in zip(front.members, named, strict=True)
    ]
    pairs = list(pairwise(front.objectives))[:4]
    panels = tuple(Panel(scatter(designs, x, y), "trade-off", "") for x, y in pairs)
    return Figure(
        f"fig-front-{index}",
        f"{name_of(front)}: in the planes of two objectives; the line is the front of that plane alone.",
        Plot(panels, min(len(panels), 2), 56.0),
        "Designs in the plane of two objectives",
        (f"f{index + 1}.members",),
    )


def _named(front: Front) -> list[str]:
    """What tells members apart in a figure: the network, and the target where the front has several."""
    several = len({m.target for m in front.members}) > 1
    return [f"{m.network} on {m.target}" if several else m.network for m in front.members]


def _members(index: int, front: Front) -> Table:
    """The members, or so many of them, by the first objective; what all have in common is said in the caption."""
    order = sorted(front.members, key=lambda m: tuple(m.metrics[o] for o in front.objectives))
    step = max(1, -(-len(order) // LISTED))
    listed = order[::step]
    common, columns, made = _descriptions(front.members, listed)
    rows: list[list[cells.Cell]] = [[cells.Cell(f"{i}"), *words] for i, words in enumerate(made, 1)]
    heads = [cells.column("No."), *columns]
    for o in front.objectives:
        unit, amounts = cells.amounts(o, [m.metrics[o] for m in listed], digits=4)
        heads.append(cells.column(title_of(o) + (f" [{unit}]" if unit else "")))
        for row, cell in zip(rows, amounts, strict=True):
            row.append(cell)
    which = (
        f"all {len(order):,}" if step == 1 and len(order) > 1 else "the only one" if step == 1 else f"every {step}th"
    )
    caption = f"{name_of(front)}, by {numbers.metric_title(front.objectives[0])}: {which}." + (
        f" All: {literal(', '.join(common))}." if common else ""
    )
    return Table(
        f"tab-front-{index}", caption, Grid("front", "", heads, [Row(row) for row in rows]), (f"f{index + 1}.members",)
    )


def _descriptions(
    members: Sequence[Member], listed: Sequence[Member]
) -> tuple[list[str], list[Column], list[list[cells.Cell]]]:
    """What all members share, and columns of network, target and settings for what they do not."""
    shown: list[list[cells.Cell]] = [[] for _ in listed]
    common, columns = [], []
    for title, of in (
        ("Network", lambda m: m.network),
        ("Target", lambda m: m.target),
        ("Settings", _settings),
        ("PE×SIMD", lambda m: _folding(m.folding)),
    ):
        if len({of(m) for m in members}) == 1:
            common += [of(members[0])] if of(members[0]) else []
            continue
        columns.append(cells.column(title, "left", prose=True))
        for row, m in zip(shown, listed, strict=True):
            row.append(cells.text(of(m)))
    return common, columns, shown


def _settings(member: Member) -> str:
    """The options of a design, each in the unit that the target states: clock 150 MHz."""
    units = _units(member.target)
    said = []
    for name, value in member.settings.items():
        unit = units.get(name, "1")
        if isinstance(value, (int, float)) and not isinstance(value, bool) and unit != "1":
            shown, (cell,) = cells.constants(unit, [float(value)])
            said.append(f"{name} {cell.text} {shown}")
        else:
            said.append(f"{name} {cells.plain(value)}")
    return ", ".join(said)


@lru_cache
def _units(target: str) -> dict[str, str]:
    from costmodel.errors import CostmodelError
    from costmodel.targets import load_target, options_of

    try:
        return {name: option.unit for name, option in options_of(load_target(target)).items()}
    except CostmodelError:  # a file that is no longer there
        return {}


def _folding(folding: Mapping[str, Any] | None) -> str:
    """The matrix units of a folding in their order, each as PE×SIMD."""
    units = [unit for unit in (folding or {}).values() if isinstance(unit, Mapping) and "PE" in unit and "SIMD" in unit]
    return " ".join(f"{unit['PE']}×{unit['SIMD']}" for unit in units)
