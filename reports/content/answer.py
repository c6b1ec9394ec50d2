"""The first page: the answer in a small table, and the larger one that it is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from costmodel.graph.vocabulary import Kind
from costmodel.ledger.conventions import convention
from costmodel.ledger.published import figures
from costmodel.metrics import headlines
from costmodel.reports.content import cells
from costmodel.reports.content.bibliography import cite
from costmodel.reports.content.blocks import Block, Items, Paragraph, Table, literal, section
from costmodel.reports.content.sentences import DECIDED, EACH, certainty, decisive
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
    said = [
        Paragraph(f"{literal(n.name)}: {literal(said)}", "note")
        for n in subject.networks
        if subject.level == "deployed" and (said := hidden_multiplications(n.profile))
    ]
    return [lead(subject), *said, *headline(subject)]


def lead(subject: Subject) -> Table:
    """The answer as a small table: multiplications, the decisive metric of each target, and which network needs least.

    Of more than :data:`EACH` networks the ends.
    """
    nets, many = subject.networks, len(subject.networks) > EACH
    rows: list[Row] = []
    api = [
        f"[n.{subject.level}.total('mul') for n in nets]",
        "[convention('paper-abbnn').count(n).total for n in nets]",
    ]

    def add(title: str, made: Sequence[cells.Cell | None], last: cells.Cell) -> None:
        if many:
            known = sorted((c.values[0], i) for i, c in enumerate(made) if c is not None and c.values)
            ends = [known[0], known[-1]] if known else []
            shown = [replace(c, text=f"{c.text} ({literal(nets[i].name)})") for _, i in ends if (c := made[i])]
            rows.append(Row([cells.Cell(title), *(shown or [cells.EMPTY] * 2)]))
        else:
            rows.append(Row([cells.Cell(title), *(c or cells.EMPTY for c in made), last]))

    strict = [n.ledger.total("mul") for n in nets]
    by_paper = [convention("paper-abbnn").count(n.profile).total for n in nets]
    add("**Multiplications, strict**", [cells.count(v) for v in strict], _fewer(subject, strict))
    add("… as the A&B BNN paper counts", [cells.count(v) for v in by_paper], _fewer(subject, by_paper))
    for j, hardware in enumerate(subject.hardware):
        metric = decisive(hardware)
        totals = [e.total(metric) if metric and metric in e.metrics() else None for e in hardware.estimates]
        if not any(totals):
            continue
        shown = [None if v is None else cells.interval(metric, v) for v in totals]
        last = shown[0][1] if len(nets) == 1 and shown[0] else _cheaper(hardware, metric)
        add(f"{title_of(metric)} on {literal(hardware.target.name)}", [pair and pair[0] for pair in shown], last)
        among = f"[e for e in t{j + 1} if {metric!r} in e.metrics()]"
        api.append(f"[e.total({metric!r}) for e in {among}]")
        if len(nets) > 1:
            api.append(f"[probability_cheaper(a, b, {metric!r}) for a, b in permutations({among}, 2)]")
    columns = [cells.column("", "left", prose=True)]
    columns += [cells.column(name) for name in ("Least", "Most")] if many else grid(nets, False)
    if not many:
        columns.append(cells.column("Interval" if len(nets) == 1 else "Which needs least", "left", prose=len(nets) > 1))
    notes = []
    if len(nets) > 1 and not many and subject.hardware:
        notes = ["In brackets how sure that is under the bounds of the constants that both share."]
    if not subject.hardware:
        notes = ["Counts are exact: they carry no interval."]
    return Table("tab-lead", "The answer.", Grid("lead", "", columns, rows, notes=notes), tuple(api), lead=True)


def _fewer(subject: Subject, values: Sequence[int | Fraction]) -> cells.Cell:
    """The network that has the least of a count, where one has."""
    least = [i for i, v in enumerate(values) if v == min(values)]
    alone = len(least) == 1 and len(values) > 1
    return cells.text(subject.networks[least[0]].name) if alone else cells.EMPTY


def _cheaper(hardware: Hardware, metric: str) -> cells.Cell:
    """The network that costs least, and with what probability less than the next, where they are told apart."""
    from costmodel.targets.uncertainty import probability_cheaper

    priced = sorted((e for e in hardware.estimates if metric in e.metrics()), key=lambda e: e.total(metric).value)
    if len(priced) < 2:
        return cells.EMPTY
    p = probability_cheaper(priced[0], priced[1], metric)
    if p < DECIDED:
        return cells.Cell("not told apart", (p,))
    return cells.Cell(f"{literal(priced[0].network)} ({certainty(p)})", (p,))


def headline(subject: Subject) -> list[Block]:
    """Operations by two rules, size, accuracy, and each target's totals, in the columns of :func:`grid`."""
    nets = subject.networks
    rows: list[Row] = []
    priced = bool(subject.hardware)

    def add(title: str, made: Sequence[cells.Cell], style: Style = "plain") -> None:
        if any(cell.text for cell in made):
            rows.append(Row([cells.Cell(title), *spread([(cell, cells.EMPTY) for cell in made], priced)], style))

    add("Multiplications, strict", [cells.count(n.ledger.total("mul")) for n in nets], "bold")
    by_paper = [convention("paper-abbnn").count(n.profile).total for n in nets]
    add("Multiplications, as the A&B BNN paper counts", list(map(cells.count, by_paper)))
    for title, kinds in OPERATIONS:
        add(title, [_nonzero(n.ledger.total(*kinds)) for n in nets])
    by_ops = [convention("ops64").count(n.profile).total for n in nets]
    add("OPs (real + one-bit products / 64)", list(map(cells.count, by_ops)))
    add("Weights and parameters", [cells.bits(n.ledger.weight_bits()) for n in nets])
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
    api = [f"[n.{subject.level}.total({', '.join(map(repr, kinds))}) for n in nets]" for kinds in counted]
    api += [f"[convention({c!r}).count(n).total for n in nets]" for c in ("paper-abbnn", "ops64")]
    api += [f"[n.{subject.level}.weight_bits() for n in nets]"]
    api += [subject.accuracies_of(net) for net in nets if net.best]
    api += [f"[e.totals() for e in t{j + 1}]" for j, _ in enumerate(subject.hardware)]
    notes = [f"Strict counts every multiplication that {subject.words} executes."]
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
    by_tag = [{tag: n for (kind, tag), n in net.ledger.by_kind_and_tag().items() if kind == "mul"} for net in nets]
    tags = sorted({t for table in by_tag for t in table}, key=lambda t: (-max(table.get(t, 0) for table in by_tag), t))
    from costmodel.views.words import words

    rows = [
        Row([cells.Cell(words(t)), cells.Cell(f"`{t}`"), *(_nonzero(table.get(t, 0)) for table in by_tag)])
        for t in tags
    ]
    totals = [cells.count(n.ledger.total("mul")) for n in nets]
    columns = [
        cells.column("What it is for", "left", prose=True),
        cells.column("Tag", "left"),
        *(cells.column(literal(n.name)) for n in nets),
    ]
    api = [f"[n.{subject.level}.{what} for n in nets]" for what in ("by_kind_and_tag()", "total('mul')")]
    footer = [Row([cells.Cell("Total"), cells.EMPTY, *totals], "bold")]
    table = Table(
        "tab-mul",
        f"Multiplications of {subject.words}, by what they are for.",
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
