"""The first page: the answer in three sentences, and the table that it is read from."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.graph.vocabulary import Kind
from costmodel.ledger.conventions import convention
from costmodel.ledger.published import figures
from costmodel.metrics import headlines
from costmodel.reports.content import cells
from costmodel.reports.content.bibliography import cite
from costmodel.reports.content.blocks import Block, Items, Paragraph, Table, literal, section
from costmodel.reports.content.sentences import sentences
from costmodel.reports.content.subject import Hardware, Network, Subject
from costmodel.views import numbers
from costmodel.views.statements import hidden_multiplications
from costmodel.views.table import Column, Row, Style
from costmodel.views.table import Table as Grid

#: Up to so many networks a table of costs has a column of intervals next to that of values.
BESIDE = 2
OPERATIONS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    ("Additions", ("add",)),
    ("XNOR or AND of one bit", ("xnor", "and")),
    ("Sign flips (± a real value)", ("signflip",)),
    ("Shifts", ("shift_const", "shift_channel", "shift_var")),
    ("Comparisons", ("compare",)),
    ("Unknown work", ("unknown",)),
)


def answer(subject: Subject) -> list[Block]:
    """The first page below the title."""
    blocks: list[Block] = [Paragraph(" ".join(sentences(subject)), "answer")]
    blocks += [
        Paragraph(f"{literal(n.name)}: {literal(said)}", "note")
        for n in subject.networks
        if (said := hidden_multiplications(n.profile))
    ]
    return [*blocks, *headline(subject)]


def headline(subject: Subject) -> list[Block]:
    """Operations by two rules, size, accuracy, and each target's totals, in the columns of :func:`grid`."""
    nets = subject.networks
    rows: list[Row] = []
    priced = bool(subject.hardware)

    def add(title: str, made: Sequence[cells.Cell], style: Style = "plain") -> None:
        if any(cell.text for cell in made):
            rows.append(Row([cells.Cell(title), *spread([(cell, cells.EMPTY) for cell in made], priced)], style))

    add("Multiplications, strict", [cells.count(n.profile.deployed.total("mul")) for n in nets], "bold")
    by_paper = [convention("paper-abbnn").count(n.profile).total for n in nets]
    add("Multiplications, as the A&B BNN paper counts", list(map(cells.count, by_paper)))
    for title, kinds in OPERATIONS:
        add(title, [_nonzero(n.profile.deployed.total(*kinds)) for n in nets])
    by_ops = [convention("ops64").count(n.profile).total for n in nets]
    add("OPs (real + one-bit products / 64)", list(map(cells.count, by_ops)))
    add("Weights and parameters", [cells.bits(n.profile.deployed.weight_bits()) for n in nets])
    add("Top-1 accuracy, best known", [_accuracy(n) for n in nets])
    for hardware in subject.hardware:
        rows.append(Row([_place(hardware), *spread([(cells.EMPTY, cells.EMPTY)] * len(nets))], "title"))
        for metric in headlines():
            totals = [e.totals() for e in hardware.estimates]
            if any(metric in t for t in totals):
                pairs = [cells.interval(metric, t[metric]) if metric in t else (cells.EMPTY,) * 2 for t in totals]
                rows.append(Row([cells.Cell(f"  {title_of(metric)}"), *spread(pairs)]))
        add("  Fits", [cells.Cell("yes" if e.fits else "**no**") for e in hardware.estimates])
    counted = [("mul",), *(kinds for _, kinds in OPERATIONS)]
    api = [f"[n.deployed.total({', '.join(map(repr, kinds))}) for n in nets]" for kinds in counted]
    api += [f"[convention({c!r}).count(n).total for n in nets]" for c in ("paper-abbnn", "ops64")]
    api += ["[n.deployed.weight_bits() for n in nets]"]
    api += [subject.accuracies_of(net) for net in nets if net.best]
    api += [f"[e.totals() for e in t{j + 1}]" for j, _ in enumerate(subject.hardware)]
    notes = ["Strict counts every multiplication that deployed inference executes."]
    if priced and len(nets) > BESIDE:
        notes[0] += " [[ref:tab-totals]] has the intervals."
    elif priced:
        notes[0] += " Intervals follow from the bounds of the constants."
    misfits = [
        f"{literal(e.network)} does not fit {literal(h.given)}: {literal('; '.join(e.misfit))}."
        for h in subject.hardware
        for e in h.estimates
        if e.misfit
    ]
    columns = [cells.column("", "left", prose=True), *grid(nets, priced)]
    table = Table(
        "tab-headline",
        "Operations, accuracy and cost at a glance.",
        Grid("headline", "", columns, rows, notes=notes),
        tuple(api),
    )
    blocks: list[Block] = [table, *(Paragraph(text, "warning") for text in misfits)]
    return blocks


def grid(networks: Sequence[Network], intervals: bool = True) -> list[Column]:
    """The columns of networks in a table of costs, with a column of intervals next to each while there is room."""
    columns = []
    for n in networks:
        columns.append(cells.column(literal(n.name)))
        if intervals and len(networks) <= BESIDE:
            columns.append(cells.column("Interval", "left"))
    return columns


def spread(pairs: Sequence[tuple[cells.Cell, cells.Cell]], intervals: bool = True) -> list[cells.Cell]:
    """Values and their intervals as cells of the columns of :func:`grid`."""
    if intervals and len(pairs) <= BESIDE:
        return [cell for pair in pairs for cell in pair]
    return [value for value, _ in pairs]


def multiplications(subject: Subject) -> list[Block]:
    """Which multiplications are left and why, and how printed figures differ."""
    nets = subject.networks
    by_tag = [
        {tag: n for (kind, tag), n in net.profile.deployed.by_kind_and_tag().items() if kind == "mul"} for net in nets
    ]
    tags = sorted({t for table in by_tag for t in table}, key=lambda t: (-max(table.get(t, 0) for table in by_tag), t))
    from costmodel.views.words import words

    rows = [
        Row([cells.Cell(words(t)), cells.Cell(f"`{t}`"), *(_nonzero(table.get(t, 0)) for table in by_tag)])
        for t in tags
    ]
    totals = [cells.count(n.profile.deployed.total("mul")) for n in nets]
    columns = [
        cells.column("Because of", "left", prose=True),
        cells.column("Tag", "left"),
        *(cells.column(literal(n.name)) for n in nets),
    ]
    api = ["[n.deployed.by_kind_and_tag() for n in nets]", "[n.deployed.total('mul') for n in nets]"]
    footer = [Row([cells.Cell("Total"), cells.EMPTY, *totals], "bold")]
    table = Table(
        "tab-mul",
        "Multiplications of deployed inference, by what they are for.",
        Grid("multiplications", "", columns, rows, footer),
        tuple(api),
    )
    return section(
        "Multiplications", [table] if tags else Paragraph("None of the networks multiplies."), _printed(subject)
    )


def _printed(subject: Subject) -> list[Block]:
    said = []
    for net in subject.networks:
        for figure in figures(net.name):
            terms = [f"{int(v):,} ({literal(why)})" for why, v in figure.explain(net.profile) if v]
            total = "; ".join(terms) or "0 by the same rule"
            said.append(
                f"{literal(net.name)}: printed as **{literal(figure.printed)}** in {cite(figure.source)}, "
                f"which is {total}."
            )
    return [Paragraph("What was printed about these networks, term by term:"), Items(tuple(said))] if said else []


def _accuracy(network: Network) -> cells.Cell:
    best = network.best
    if best is None:
        return cells.EMPTY
    return cells.Cell(f"{best.top1:.4g} % ({best.kind})", (best.top1,))


def _nonzero(value: int) -> cells.Cell:
    return cells.count(value) if value else cells.EMPTY


def title_of(metric: str) -> str:
    """The name of a metric as a row or column begins with it."""
    title = numbers.metric_title(metric)
    return title[:1].upper() + title[1:]


def _place(hardware: Hardware) -> cells.Cell:
    return cells.Cell(f"On {literal(hardware.given)}: {literal(hardware.target.title)}")
