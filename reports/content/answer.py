"""The answer in three sentences, and the table that it is read from."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.reports.bibliography import cite
from costmodel.reports.content import cells
from costmodel.reports.content.blocks import Block, Items, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Hardware, Network, Subject

from costmodel.cli import numbers
from costmodel.cli.statements import hidden_multiplications
from costmodel.cli.table import Row
from costmodel.cli.table import Table as Grid
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Kind
from costmodel.ledger.published import figures

#: The metrics of the headline, in this order, where an estimate has them.
SHOWN = (
    "latency_s",
    "throughput_fps",
    "inferences_per_s",
    "energy_J",
    "area_mm2",
    "lut",
    "bram18",
    "dsp",
    "tops_per_watt",
)
OPERATIONS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    ("Additions", ("add",)),
    ("XNOR or AND of one bit", ("xnor", "and")),
    ("Sign flips (± a real value)", ("signflip",)),
    ("Shifts", ("shift_const", "shift_channel", "shift_var")),
    ("Comparisons", ("compare",)),
    ("Unknown work", ("unknown",)),
)


def sentences(subject: Subject) -> list[str]:
    """Three sentences: how much it multiplies, what it costs on the hardware, and how sure that is."""
    return [_multiplies(subject.networks), _costs(subject), _sure(subject)]


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
    """One column a network: operations by two rules, size, accuracy, and each target's totals."""
    nets = subject.networks
    rows: list[Row] = []

    def add(title: str, make: Callable[[int, Network], cells.Cell], style: str = "plain") -> None:
        made = [make(i, n) for i, n in enumerate(nets)]
        if any(str(cell) for cell in made):
            rows.append(Row([cells.Cell(title), *made], style))  # type: ignore[arg-type]

    add("Multiplications, strict", lambda i, n: cells.count(n.profile.deployed.total("mul")), "bold")
    add(
        "Multiplications, as the A&B BNN paper counts",
        lambda i, n: cells.count(convention("paper-abbnn").count(n.profile).total),
    )
    for title, kinds in OPERATIONS:
        add(title, lambda i, n, k=kinds: _nonzero(n.profile.deployed.total(*k)))  # type: ignore[misc]
    add("OPs (real + one-bit products / 64)", lambda i, n: cells.count(convention("ops64").count(n.profile).total))
    add("Weights and parameters", lambda i, n: cells.bits(n.profile.deployed.weight_bits()))
    add("Top-1 accuracy, best known", lambda i, n: _accuracy(n))
    for hardware in subject.hardware:
        rows.append(
            Row(
                [
                    cells.Cell(f"On {literal(hardware.given)}: {literal(hardware.target.title)}"),
                    *[cells.EMPTY] * len(nets),
                ],
                "title",
            )
        )
        for metric in SHOWN:
            if any(metric in e.totals() for e in hardware.estimates):
                add(f"  {_title(metric)}", lambda i, n, h=hardware, m=metric: _total(h, i, m))  # type: ignore[misc]
        add("  Fits", lambda i, n, h=hardware: cells.Cell("yes" if h.estimates[i].fits else "**no**"))  # type: ignore[misc]
    columns = [cells.column("", "left", prose=True), *(cells.column(literal(n.name)) for n in nets)]
    names = [subject.network_name(i) for i in range(len(nets))]
    api = [f"{n}.deployed.total()" for n in names]
    api += [
        f"{n}.deployed.total({', '.join(map(repr, k))})" for n in names for k in (("mul",), *(k for _, k in OPERATIONS))
    ]
    api += [f"convention({c!r}).count({n}).total" for n in names for c in ("paper-abbnn", "ops64")]
    api += [f"{n}.deployed.weight_bits()" for n in names]
    api += [f"accuracies({net.name!r})" for net in nets if net.best]
    api += [
        f"{subject.estimate_name(i, j)}.totals()" for j, _ in enumerate(subject.hardware) for i, _ in enumerate(nets)
    ]
    notes = [
        "Strict counts every multiplication that deployed inference executes. In parentheses: the interval that "
        "follows from the constants' bounds."
    ]
    misfits = [
        f"{literal(e.network)} does not fit {literal(h.given)}: {literal('; '.join(e.misfit))}."
        for h in subject.hardware
        for e in h.estimates
        if e.misfit
    ]
    table = Table(
        "tab-headline",
        "Operations, accuracy and cost at a glance.",
        Grid("headline", "", columns, rows, notes=notes),
        tuple(api),
    )
    blocks: list[Block] = [table, *(Paragraph(text, "warning") for text in misfits)]
    return blocks


def multiplications(subject: Subject) -> list[Block]:
    """Which multiplications are left and why, and how printed figures differ."""
    nets = subject.networks
    by_tag = [
        {tag: n for (kind, tag), n in net.profile.deployed.by_kind_and_tag().items() if kind == "mul"} for net in nets
    ]
    tags = sorted({t for table in by_tag for t in table}, key=lambda t: (-max(table.get(t, 0) for table in by_tag), t))
    from costmodel.cli.compare import words

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
    names = [subject.network_name(i) for i, _ in enumerate(nets)]
    api = [f"{n}.deployed.by_kind_and_tag()" for n in names] + [f"{n}.deployed.total('mul')" for n in names]
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


def _multiplies(networks: tuple[Network, ...]) -> str:
    if not networks:
        return "No network was asked for."
    parts = []
    for n in networks:
        strict = n.profile.deployed.total("mul")
        paper = convention("paper-abbnn").count(n.profile).total
        parts.append(
            f"{literal(n.name)} executes **{strict:,}** multiplications an image ({int(paper):,} as the A&B BNN paper "
            "counts)"
        )
    return _join(parts) + "."


def _costs(subject: Subject) -> str:
    parts = []
    for h in subject.hardware:
        costs = []
        for e in h.estimates:
            totals = e.totals()
            figures_ = [numbers.metric_value(m, totals[m].value) for m in ("latency_s", "energy_J") if m in totals]
            costs.append(f"{literal(e.network)} {' and '.join(figures_)}")
        parts.append(f"on {literal(h.target.name)} {_join(costs)}")
    return f"An image costs {'; '.join(parts)}." if parts else "No hardware was asked for, so nothing is priced."


def _sure(subject: Subject) -> str:
    from costmodel.targets.uncertainty import probability_cheaper

    if len(subject.networks) > 1 and subject.hardware:
        parts = []
        for h in subject.hardware:
            a, b = h.estimates[:2]
            metric = next((m for m in ("energy_J", "latency_s") if m in a.metrics() and m in b.metrics()), "")
            if metric:
                p = probability_cheaper(a, b, metric)
                first, p = (a, p) if p >= 0.5 else (b, 1 - p)
                what = "energy" if metric == "energy_J" else "time"
                parts.append(
                    f"{certainty(p)} on {literal(h.target.name)} ({literal(first.network)})"
                    if p > 0.5
                    else f"undecided on {literal(h.target.name)}"
                )
        if parts:
            return f"The probability that the cheaper of the first two needs less {what} is {_join(parts)}."
    spans = []
    for h in subject.hardware:
        for e in h.estimates[:1]:
            metric = "energy_J" if "energy_J" in e.metrics() else "latency_s"
            v = e.total(metric)
            if v.value:
                spans.append(
                    f"{numbers.metric_value(metric, v.low)} to {numbers.metric_value(metric, v.high)} on "
                    f"{literal(h.target.name)}"
                )
    if spans:
        return f"The bounds of the constants leave {_join(spans)}."
    return "Counts are exact: they carry no interval."


def certainty(probability: float) -> str:
    """A probability in per cent; never certainty where the sample cannot show it."""
    if probability >= 0.9995:
        return "over 99.9 %"
    return f"{100 * probability:.1f} %"


def _accuracy(network: Network) -> cells.Cell:
    best = network.best
    if best is None:
        return cells.EMPTY
    return cells.Cell(f"{best.top1:g} % ({best.kind})", (best.top1,))


def _total(hardware: Hardware, index: int, metric: str) -> cells.Cell:
    totals = hardware.estimates[index].totals()
    return cells.cost(metric, totals[metric]) if metric in totals else cells.EMPTY


def _nonzero(value: int) -> cells.Cell:
    return cells.count(value) if value else cells.EMPTY


def _title(metric: str) -> str:
    title = numbers.metric_title(metric)
    return title[:1].upper() + title[1:]


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
