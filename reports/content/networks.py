"""What a network is made of: layers, traffic, rewrites, and what could not be counted."""

from __future__ import annotations

from costmodel.ledger.ledger import Role
from costmodel.metrics import leading
from costmodel.reports.content import answer, cells
from costmodel.reports.content.blocks import Block, Figure, Heading, Items, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Hardware, Subject
from costmodel.reports.figures.data import Panel, Plot
from costmodel.views import numbers
from costmodel.views.plots import breakdown
from costmodel.views.statements import caveats
from costmodel.views.table import Row
from costmodel.views.table import Table as Grid

ROLES: tuple[tuple[Role, str], ...] = (
    ("weight", "Weights"),
    ("parameter", "Parameters"),
    ("input", "Activations read"),
    ("output", "Activations written"),
)
NETWORK = -1
OUTSIDE = cells.Cell("outside of layers")


def per_layer(subject: Subject) -> list[Block]:
    """Figure and table of every layer of every network."""
    blocks: list[Block] = []
    for i, _ in enumerate(subject.networks):
        blocks += _layers_of(subject, i)
    return section("Layer by layer", blocks)


def main_metric(hardware: Hardware, index: int) -> str:
    """The metric that layers differ in: energy where it is priced layer by layer, else time, else the first such."""
    estimate = hardware.estimates[index]
    layered = [m for m in estimate.metrics() if set(estimate.by_layer(m)) - {NETWORK}]
    return leading(layered)


def _shown(subject: Subject, index: int) -> tuple[int, ...]:
    """Indices of the layers that do, cost or move something, in execution order: what tables and figures number."""
    ledger = subject.networks[index].profile.deployed
    busy = {i for i, row in ledger.by_layer().items() if any(row.values())} | {t.layer for t in ledger.traffic}
    for h in subject.hardware:
        if metric := main_metric(h, index):
            busy |= {i for i, v in h.estimates[index].by_layer(metric).items() if v.value}
    whole = (NETWORK,) if NETWORK in busy else ()
    return (*(layer.index for layer in ledger.layers if layer.index in busy), *whole)


def _layers_of(subject: Subject, index: int) -> list[Block]:
    network = subject.networks[index]
    ledger, name = network.profile.deployed, subject.network_name(index)
    blocks: list[Block] = [Heading(literal(network.name), 2)]
    if not ledger.layers:
        return [*blocks, Paragraph("This network has no layers that execute anything.", "note")]
    priced = [(j, h, m) for j, h in enumerate(subject.hardware) if (m := main_metric(h, index))]
    order = _shown(subject, index)
    panels = [Panel(breakdown.operations(ledger), "layers", "operations", order=order)]
    panels += [
        Panel(breakdown.costs(h.estimates[index], m), "layers", f"{h.given}: {numbers.metric_title(m)}", order=order)
        for _, h, m in priced
    ]
    api = [f"breakdown.operations({name}.deployed)"]
    api += [f"breakdown.costs({subject.estimate_name(index, j)}, {m!r})" for j, _, m in priced]
    figure = Figure(
        f"fig-layers-{index}",
        f"{literal(network.name)}: operations and costs of its layers in execution order, numbered as in "
        f"[[ref:tab-layers-{index}]].",
        Plot(tuple(panels), 1, 22.0),
        f"Stacked columns over the layers of {network.name}",
        tuple(api),
    )
    return [*blocks, figure, _layer_table(subject, index, order, priced)]


def _layer_table(
    subject: Subject, index: int, order: tuple[int, ...], priced: list[tuple[int, Hardware, str]]
) -> Table:
    network = subject.networks[index]
    ledger, name = network.profile.deployed, subject.network_name(index)
    table = ledger.by_layer()
    layers = {layer.index: layer for layer in ledger.layers}
    columns = []
    for _, h, m in priced:
        by = h.estimates[index].by_layer(m)
        columns.append(cells.amounts(m, [by[i].value if i in by else None for i in order]))
    rows = []
    for at, i in enumerate(order):
        row = table.get(i, {})
        what = [cells.text(layers[i].name), cells.Cell(layers[i].op)] if i in layers else [OUTSIDE, cells.EMPTY]
        shape = cells.Cell(numbers.shape(layers[i].shape_out)) if i in layers else cells.EMPTY
        one_bit = tuple(row[k] for k in ("xnor", "and") if k in row)
        counts = [_count(row.get("mul", 0)), _count(row.get("add", 0)), _count(sum(one_bit), one_bit)]
        rows.append(Row([cells.Cell(str(at + 1)), *what, shape, *counts, *(column[at] for _, column in columns)]))
    total = [_count(ledger.total("mul")), _count(ledger.total("add")), _count(ledger.total("xnor", "and"))]
    blank = [cells.EMPTY] * len(priced)
    footer = Row([cells.EMPTY, cells.Cell("Total"), cells.EMPTY, cells.EMPTY, *total, *blank], "bold")
    heads = [
        cells.column("No."),
        cells.column("Layer", "left", prose=True),
        cells.column("Operation", "left"),
        cells.column("Output"),
        cells.column("Mul"),
        cells.column("Add"),
        cells.column("One-bit"),
    ]
    for (unit, _), (_, h, m) in zip(columns, priced, strict=True):
        heads.append(cells.column("\n".join([answer.title_of(m), *([f"[{unit}]"] if unit else []), literal(h.given)])))
    api = [
        f"{name}.deployed.by_layer()",
        *(f"{name}.deployed.total({kinds})" for kinds in ("'mul'", "'add'", "'xnor', 'and'")),
        *(f"{subject.estimate_name(index, j)}.by_layer({m!r})" for j, _, m in priced),
    ]
    notes = [
        "Layers that execute nothing, cost nothing and move nothing are left out. Layers that run at the same time, as "
        "in a pipeline, share the latency of the network: their times need not add up to it."
    ]
    return Table(
        f"tab-layers-{index}",
        f"{literal(network.name)}: every layer of deployed inference.",
        Grid("layers", "", heads, rows, [footer], notes),
        tuple(api),
    )


def traffic(subject: Subject) -> list[Block]:
    """Bits read and written, by role and by layer."""
    nets = subject.networks
    rows = [
        Row([cells.Cell(title), *(cells.bits(n.profile.deployed.bits_moved(role)) for n in nets)])
        for role, title in ROLES
    ]
    footer = [Row([cells.Cell("Total"), *(cells.bits(n.profile.deployed.bits_moved()) for n in nets)], "bold")]
    columns = [cells.column("", "left", prose=True), *(cells.column(literal(n.name)) for n in nets)]
    api = [f"[n.deployed.bits_moved({a}) for n in nets]" for a in ("", *(repr(r) for r, _ in ROLES))]
    table = Table(
        "tab-traffic",
        "Bits that deployed inference moves for one image, each tensor at its own width.",
        Grid("traffic", "", columns, rows, footer),
        tuple(api),
    )
    panels = tuple(
        Panel(breakdown.traffic(n.profile.deployed), "layers", n.name, order=_shown(subject, i))
        for i, n in enumerate(nets)
        if n.profile.deployed.traffic
    )
    figure = Figure(
        "fig-traffic",
        "Bits moved by each layer in execution order, numbered as in the tables of layers.",
        Plot(panels, 1, 24.0),
        "Stacked columns of bits moved over the layers",
        tuple(f"breakdown.traffic({subject.network_name(i)}.deployed)" for i, _ in enumerate(nets)),
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
