"""A front that ``costmodel explore`` found: its plot, its members, and how each is made again."""

from __future__ import annotations

from itertools import pairwise

from costmodel.reports.content import cells
from costmodel.reports.content.blocks import Block, Figure, Items, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Subject
from costmodel.reports.figures.data import Panel, Plot

from costmodel.cli import numbers
from costmodel.cli.table import Row
from costmodel.cli.table import Table as Grid
from costmodel.explore.front import Front
from costmodel.plots.scatter import Design, scatter
from costmodel.targets.quantity import Interval

#: Members that a table lists, spread over the front; all are in the file.
LISTED = 60


def fronts(subject: Subject) -> list[Block]:
    """One section a front."""
    return [block for i, (path, front) in enumerate(subject.fronts) for block in _front(i, path, front)]


def sentences(subject: Subject) -> list[str]:
    """What each front holds, and how sure it is that nothing is missing."""
    said = []
    for path, front in subject.fronts:
        best = [
            f"{numbers.metric_title(o)} {numbers.metric_value(o, front.best(o).metrics[o])}"
            for o in front.objectives
            if len(front)
        ]
        said.append(
            f"{literal(front.name)} has **{len(front):,}** non-dominated {front.kind} designs of {front.priced:,} "
            f"priced (`{path}`). The best of each objective: {literal(', '.join(best) or 'none')}. "
            f"{literal(front.guarantee[:1].upper() + front.guarantee[1:])}."
        )
    return said


def _front(index: int, path: str, front: Front) -> list[Block]:
    title = f"{literal(front.name)}: {front.kind} designs" + (f", {literal(front.label)}" if front.label else "")
    if not len(front):
        return section(title)
    designs = [
        Design(
            str(m.id),
            f"{m.network} on {m.target}",
            f"{m.network} on {m.target}",
            {o: Interval.exact(m.metrics[o]) for o in front.objectives},
        )
        for m in front.members
    ]
    pairs = list(pairwise(front.objectives))[:4]
    panels = tuple(Panel(scatter(designs, x, y), "trade-off", "") for x, y in pairs)
    columns = [
        cells.column("Design"),
        cells.column("Network", "left", prose=True),
        cells.column("Target", "left", prose=True),
        cells.column("Settings", "left", prose=True),
        *(cells.column(numbers.metric_title(o)) for o in front.objectives),
    ]
    order = sorted(front.members, key=lambda m: tuple(m.metrics[o] for o in front.objectives))
    step = max(1, -(-len(order) // LISTED))
    rows = [
        Row(
            [
                cells.Cell(str(m.id), (m.id,)),
                cells.text(m.network),
                cells.text(m.target),
                cells.text(", ".join(f"{k} {v}" for k, v in m.settings.items())),
                *(cells.Cell(numbers.metric_value(o, m.metrics[o]), (m.metrics[o],)) for o in front.objectives),
            ]
        )
        for m in order[::step]
    ]
    listed = "all of them" if step == 1 else f"every {step}th of them"
    api = (f"f{index + 1}.members",)
    best = dict.fromkeys((front.best(o).id, front.best(o).command) for o in front.objectives)
    return section(
        title,
        Figure(
            f"fig-front-{index}",
            "The designs in the planes of two objectives; the line is the front of that plane alone.",
            Plot(panels, min(len(panels), 2), 66.0),
            "Designs in the plane of two objectives",
            api,
        )
        if panels
        else None,
        Table(
            f"tab-front-{index}",
            f"Designs of the front, by {numbers.metric_title(front.objectives[0])}: {listed}.",
            Grid("front", "", columns, rows),
            api,
        ),
        Paragraph("The best design of each objective is made again by:"),
        Items(tuple(f"design {number}: `{literal(command)}`" for number, command in best)),
    )
