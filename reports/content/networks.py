"""What a network is made of: layers, traffic, rewrites, and what could not be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costmodel.graph.vocabulary import Kind
from costmodel.ledger.ledger import Role
from costmodel.metrics import leading
from costmodel.reports.content import answer, cells
from costmodel.reports.content.blocks import Block, Figure, Heading, Items, Paragraph, Table, literal, section
from costmodel.reports.content.places import NETWORK, Places, groups, places, span, total
from costmodel.reports.content.sentences import join
from costmodel.reports.content.subject import Hardware, Subject
from costmodel.reports.figures.data import Panel, Plot
from costmodel.views import numbers
from costmodel.views.plots import breakdown
from costmodel.views.statements import caveats
from costmodel.views.table import Column, Row
from costmodel.views.table import Table as Grid

ROLES: tuple[tuple[Role, str], ...] = (
    ("weight", "Weights"),
    ("parameter", "Parameters"),
    ("input", "Activations read"),
    ("output", "Activations written"),
)
OUTSIDE = cells.Cell("outside of layers")
#: Height of the panels of a figure over layers, in millimetres.
ROW = 19.0
#: How networks that share a table are told apart in the heads of its columns.
LETTERS = "ab"


def per_layer(subject: Subject) -> list[Block]:
    """Figure of every network, and a table of its layers; networks that are alike share the table."""
    blocks: list[Block] = []
    for group in groups([n.ledger for n in subject.networks]):
        nets = [subject.networks[i] for i in group]
        blocks.append(Heading(literal(join([n.name for n in nets])), 2))
        if not any(n.ledger.layers for n in nets):
            blocks.append(Paragraph("This network has no layers that execute anything.", "note"))
            continue
        found = _places(subject, group)
        blocks += [_figure(subject, group, k, found) for k, _ in enumerate(group)]
        blocks += _tables(subject, group, found)
    return section("Layer by layer", blocks)


def main_metric(hardware: Hardware, index: int) -> str:
    """The metric that layers differ in: energy where it is priced layer by layer, else time, else the first such."""
    estimate = hardware.estimates[index]
    layered = [m for m in estimate.metrics() if set(estimate.by_layer(m)) - {NETWORK}]
    return leading(layered)


def _busy(subject: Subject, index: int) -> set[int]:
    """Indices of the layers that do, cost or move something."""
    ledger = subject.networks[index].ledger
    busy = {i for i, row in ledger.by_layer().items() if any(row.values())} | {t.layer for t in ledger.traffic}
    for h in subject.hardware:
        if metric := main_metric(h, index):
            busy |= {i for i, v in h.estimates[index].by_layer(metric).items() if v.value}
    return busy


def _places(subject: Subject, group: tuple[int, ...]) -> Places:
    return places([subject.networks[i].ledger for i in group], [_busy(subject, i) for i in group])


def _priced(subject: Subject, index: int) -> list[tuple[int, Hardware, str]]:
    return [(j, h, m) for j, h in enumerate(subject.hardware) if (m := main_metric(h, index))]


def _figure(subject: Subject, group: tuple[int, ...], k: int, found: Places) -> Figure:
    """Operations and costs of one network over the layers; networks that are alike have the same axes."""
    index = group[k]
    network, name = subject.networks[index], subject.network_name(index)
    order = found.orders[k]

    drawn = {i: breakdown.operations(subject.networks[i].ledger) for i in group}
    panels = [Panel(drawn[index], "layers", "operations", order=order, limits=reach(list(drawn.values())))]
    api = [f"breakdown.operations({name}.{subject.level})"]
    for j, h, m in _priced(subject, index):
        costs = {i: breakdown.costs(h.estimates[i], m) for i in group if main_metric(h, i) == m}
        title = f"{h.given}: {numbers.metric_title(m)}"
        panels.append(Panel(costs[index], "layers", title, order=order, limits=reach(list(costs.values()))))
        api.append(f"breakdown.costs({subject.estimate_name(index, j)}, {m!r})")
    label = group[0]
    return Figure(
        f"fig-layers-{index}",
        f"{literal(network.name)}: operations and costs of its layers in execution order, numbered as in "
        f"[[ref:tab-layers-{label}]].",
        Plot(tuple(panels), 1, ROW),
        f"Stacked columns over the layers of {network.name}",
        tuple(api),
    )


def reach(infos: Sequence[breakdown.StackInfo]) -> tuple[float, float]:
    """From zero to the highest column of several figures."""
    return 0.0, max((sum(column) for i in infos for column in zip(*i.series.values(), strict=True)), default=0.0)


def _tables(subject: Subject, group: tuple[int, ...], found: Places) -> list[Block]:
    """One table of operations and costs for a network alone; for two a table of each, so that both fit side by side."""
    operations, work = _operations(subject, group, found)
    costs = _costs(subject, group, found)
    marks = [f"{letter}: {literal(subject.networks[i].name)}" for letter, i in zip(LETTERS, group, strict=False)]
    named = literal(subject.networks[group[0]].name) if len(group) == 1 else ", ".join(marks)
    notes = [
        "A name with several numbers stands for blocks that are alike (\N{MULTIPLICATION SIGN}: how many), added up."
    ]
    shared = (
        "Layers that run at the same time, as in a pipeline, share the latency of the network: their times need not "
    )
    shared += "add up to it."
    label = group[0]
    if len(group) == 1:
        heads, rows, footer = _joined(found, [*operations, *costs], shapes=True)
        api = (*work, *(e for column in costs for e in column.api))
        grid = Grid("layers", "", heads, rows, [footer], [*notes, *([shared] if costs else [])])
        return [
            Table(f"tab-layers-{label}", f"{named}: the layers of {subject.words}.", grid, tuple(dict.fromkeys(api)))
        ]
    heads, rows, footer = _joined(found, operations, shapes=True)
    grid = Grid("layers", "", heads, rows, [footer], notes)
    made: list[Block] = [Table(f"tab-layers-{label}", f"Operations of each layer. {named}.", grid, work)]
    if costs:
        heads, rows, _ = _joined(found, costs, shapes=False)
        api = tuple(dict.fromkeys(e for column in costs for e in column.api))
        grid = Grid("costs", "", heads, rows, [], [*notes, shared])
        made.append(Table(f"tab-costs-{label}", f"Cost of each layer. {named}.", grid, api))
    return made


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of numbers: a cell for every place, one for the total, and the expressions that give them."""

    title: str
    shown: list[cells.Cell]
    total: cells.Cell = cells.EMPTY
    api: tuple[str, ...] = ()


KINDS: tuple[tuple[str, tuple[Kind, ...]], ...] = (("Mul", ("mul",)), ("Add", ("add",)), ("One-bit", ("xnor", "and")))


def _operations(subject: Subject, group: tuple[int, ...], found: Places) -> tuple[list[_Column], tuple[str, ...]]:
    """Multiplications, additions and products of one bit of each network; in one column where all have the same."""
    made, api = [], []
    ledgers = [subject.networks[i].ledger for i in group]
    tables = [ledger.by_layer() for ledger in ledgers]
    for title, kinds in KINDS:
        columns = []
        for k, ledger in enumerate(ledgers):
            parts = [total(place.layers[k], tables[k], kinds) for place in found.rows]
            columns.append(_Column(title, [_count(sum(p), p) for p in parts], _count(ledger.total(*kinds))))
        if len(columns) > 1 and all(c.shown == columns[0].shown for c in columns):
            made.append(columns[0])
        else:
            made += [replace(c, title=_head(title, k, group)) for k, c in enumerate(columns)]
    for i in group:
        name = subject.network_name(i)
        api += [f"{name}.{subject.level}.by_layer()"]
        api += [f"{name}.{subject.level}.total({', '.join(map(repr, kinds))})" for _, kinds in KINDS]
    return made, tuple(api)


def _costs(subject: Subject, group: tuple[int, ...], found: Places) -> list[_Column]:
    """The main metric of each target, of each network."""
    made = []
    for j, hardware in enumerate(subject.hardware):
        metrics = [main_metric(hardware, i) for i in group]
        for metric in dict.fromkeys(m for m in metrics if m):
            having = [k for k, m in enumerate(metrics) if m == metric]
            tables = {k: hardware.estimates[group[k]].by_layer(metric) for k in having}
            parts = {
                k: [[tables[k][i].value for i in place.layers[k] if i in tables[k]] for place in found.rows]
                for k in having
            }
            sums = [sum(values) for k in having for values in parts[k]]
            unit, shown = cells.amounts(metric, sums)
            for at, k in enumerate(having):
                column = shown[at * len(found.rows) : (at + 1) * len(found.rows)]
                filled = [
                    replace(cell, values=tuple(p)) if cell.text else cell
                    for cell, p in zip(column, parts[k], strict=True)
                ]
                title = "\n".join([answer.title_of(metric), *([f"[{unit}]"] if unit else []), literal(hardware.given)])
                api = (f"{subject.estimate_name(group[k], j)}.by_layer({metric!r})",)
                made.append(_Column(_head(title, k, group), filled, api=api))
    return made


def _head(title: str, k: int, group: tuple[int, ...]) -> str:
    return f"{title} {LETTERS[k]}" if len(group) > 1 else title


def _joined(found: Places, columns: list[_Column], *, shapes: bool) -> tuple[list[Column], list[Row], Row]:
    """Heads, rows and the total of a table; a row without any number is left out."""
    rows = []
    for at, place in enumerate(found.rows):
        values = [column.shown[at] for column in columns]
        if any(cell.text for cell in values):
            several = cells.Cell(f"\N{MULTIPLICATION SIGN}{len(place.numbers)}" if len(place.numbers) > 1 else "")
            what = [cells.Cell(span(place.numbers)), cells.text(place.name) if place.op else OUTSIDE, several]
            shape = [cells.Cell(place.op), cells.Cell(numbers.shape(place.shape) if place.op else "")]
            rows.append(Row([*what, *(shape if shapes else ()), *values]))
    heads = [cells.column("No.", "left"), cells.column("Layer", "left", prose=True), cells.column("")]
    heads += [cells.column("Operation", "left"), cells.column("Output")] if shapes else []
    blank = [cells.EMPTY] * (len(heads) - 2)
    footer = Row([cells.EMPTY, cells.Cell("Total"), *blank, *(column.total for column in columns)], "bold")
    return [*heads, *(cells.column(column.title) for column in columns)], rows, footer


def traffic(subject: Subject) -> list[Block]:
    """Bits read and written, by role and by layer."""
    nets = subject.networks
    rows = [Row([cells.Cell(title), *(cells.bits(n.ledger.bits_moved(role)) for n in nets)]) for role, title in ROLES]
    footer = [Row([cells.Cell("Total"), *(cells.bits(n.ledger.bits_moved()) for n in nets)], "bold")]
    columns = [cells.column("", "left", prose=True), *(cells.column(literal(n.name)) for n in nets)]
    api = [f"[n.{subject.level}.bits_moved({a}) for n in nets]" for a in ("", *(repr(r) for r, _ in ROLES))]
    table = Table(
        "tab-traffic",
        f"Bits that {subject.words} moves for one image, each tensor at its own width.",
        Grid("traffic", "", columns, rows, footer),
        tuple(api),
    )
    panels = []
    for group in groups([n.ledger for n in nets]):
        drawn = [breakdown.traffic(nets[i].ledger) for i in group]
        for i, info, order in zip(group, drawn, _places(subject, group).orders, strict=True):
            if nets[i].ledger.traffic:
                panels.append(Panel(info, "layers", nets[i].name, order=order, limits=reach(drawn)))
    figure = Figure(
        "fig-traffic",
        "Bits moved by each layer in execution order, numbered as in the tables of layers; networks that are alike "
        "have the same axis.",
        Plot(tuple(panels), 1, ROW),
        "Stacked columns of bits moved over the layers",
        tuple(f"breakdown.traffic({subject.network_name(i)}.{subject.level})" for i, _ in enumerate(nets)),
    )
    note = Paragraph(
        "Every operand is counted once per layer, as if nothing stayed in place between layers; what a target "
        "keeps on chip is in its bill. [[ref:tab-traffic]] has the sums."
    )
    return section("Memory traffic", note, table, figure if panels else None)


def rewrites(subject: Subject) -> list[Block]:
    """The exact rewrites of each network, and what each removed."""
    blocks: list[Block] = [
        Paragraph(
            "From the network as it is written to the network as it is deployed: each rewrite is exact, so no "
            "accuracy is traded. Negative numbers are operations that a rewrite adds."
        )
    ]
    for i, network in enumerate(subject.networks):
        found = breakdown.rewrites(network.profile)
        if not found:
            blocks.append(Paragraph(f"{literal(network.name)}: no rewrite applies.", "note"))
            continue
        kinds = list(dict.fromkeys(k for r in found for k, n in r.removed.items() if n))
        rows = [
            Row(
                [
                    cells.text(r.name),
                    cells.count(r.places),
                    *(_signed(r.removed.get(k, 0)) for k in kinds),
                    cells.text(r.why),
                ]
            )
            for r in found
        ]
        heads = [
            cells.column("Rewrite", "left", prose=True),
            cells.column("Places"),
            *(cells.column(k) for k in kinds),
            cells.column("Why it is exact", "left", prose=True),
        ]
        blocks.append(
            Table(
                f"tab-rewrites-{i}",
                f"{literal(network.name)}: operations that each kind of rewrite removed.",
                Grid("rewrites", "", heads, rows),
                (f"breakdown.rewrites({subject.network_name(i)})",),
            )
        )
        saved = network.profile.as_written.total("mul") - network.profile.deployed.total("mul")
        blocks.append(
            Paragraph(
                f"{literal(network.name)}: {network.profile.as_written.total('mul'):,} multiplications as "
                f"written, {network.profile.deployed.total('mul'):,} deployed ({saved:,} fewer)."
            )
        )
    said = [f"{literal(n.name)}: {literal(text)}" for n in subject.networks for text in caveats(n.profile)]
    if said:
        blocks += [Paragraph("What the tracer could not see through:", "warning"), Items(tuple(said))]
    return section("Rewrites", blocks)


def _count(value: int, parts: tuple[int, ...] | None = None) -> cells.Cell:
    return cells.Cell(numbers.exact(value), (value,) if parts is None else parts) if value else cells.EMPTY


def _signed(value: int) -> cells.Cell:
    return cells.Cell(f"{value:,}".replace("-", "−"), (value,)) if value else cells.EMPTY
