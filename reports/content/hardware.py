"""What networks cost on hardware: accuracy against cost, comparison with probabilities, where the energy goes."""

from __future__ import annotations

from itertools import combinations

from costmodel.reports.bibliography import cite
from costmodel.reports.content import cells
from costmodel.reports.content.answer import certainty
from costmodel.reports.content.blocks import Block, Figure, Heading, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Subject
from costmodel.reports.figures.data import Panel, Plot

from costmodel.cli import numbers
from costmodel.cli.odds import COSTS
from costmodel.cli.table import Row
from costmodel.cli.table import Table as Grid
from costmodel.plots import breakdown
from costmodel.plots.palette import metric as metric_of
from costmodel.plots.scatter import Design, scatter
from costmodel.targets.quantity import Interval
from costmodel.targets.uncertainty import probability_cheaper


def accuracy(subject: Subject) -> list[Block]:
    """Accuracy against cost on each target among the published networks of the same images, and every figure known."""
    blocks: list[Block] = []
    known = [(i, n) for i, n in enumerate(subject.networks) if n.best]
    panels, api = [], []
    for j, hardware in enumerate(subject.hardware):
        metric = next((m for m in ("energy_J", "latency_s") if any(m in e.metrics() for e in hardware.estimates)), "")
        designs = [
            Design(
                n.name,
                n.name,
                "this report",
                {"accuracy": Interval.exact(n.best.top1), metric: e.total(metric)},
                n.best.kind,
            )
            for (i, n) in known
            if n.best and metric in (e := hardware.estimates[i]).metrics()
        ]
        if not designs:
            continue
        marked = tuple(d.id for d in designs)
        api += [f"{subject.estimate_name(i, j)}.total({metric!r})" for i, _ in known]
        for rival in subject.rivals:
            bill = rival.estimates[j]
            if bill is not None and metric in bill.metrics():
                values = {"accuracy": Interval.exact(rival.top1), metric: bill.total(metric)}
                designs.append(Design(rival.name, rival.name, "published", values, "published"))
                api.append(f"costmodel.profile({rival.name!r}).estimate({hardware.given!r}).total({metric!r})")
        panels.append(Panel(scatter(designs, metric, "accuracy"), "trade-off", hardware.target.name, marked))
    if panels:
        data = ", ".join(dict.fromkeys(n.dataset for _, n in known if n.dataset))
        caption = (
            f"Top-1 accuracy on {literal(data)} against cost: the networks of this report among others of the zoo "
            "with published accuracy; the line is the front."
        )
        names = list(dict.fromkeys([*(n.name for _, n in known), *(r.name for r in subject.rivals)]))
        api += [f"accuracies({name!r})" for name in names]
        blocks.append(
            Figure(
                "fig-accuracy",
                caption,
                Plot(tuple(panels), min(len(panels), 3), 54.0 + 3.2 * len(known)),
                "Accuracy against cost, one panel a target",
                tuple(api),
            )
        )
    rows = [
        Row(
            [
                cells.text(n.name),
                cells.Cell(f"{a.top1:g} %", (a.top1,)),
                cells.Cell(a.kind),
                cells.text(a.conditions or "as published"),
                cells.Cell(cite(a.source)),
            ]
        )
        for n in subject.networks
        for a in n.accuracies
    ]
    if rows:
        heads = [
            cells.column("Network", "left"),
            cells.column("Top-1"),
            cells.column("Kind", "left"),
            cells.column("Conditions", "left", prose=True),
            cells.column("Source", "left", prose=True),
        ]
        blocks.append(
            Table(
                "tab-accuracy",
                "Accuracies known for these networks; measured and published are never mixed.",
                Grid("accuracy", "", heads, rows),
                tuple(f"accuracies({n.name!r})" for n in subject.networks if n.accuracies),
            )
        )
    blocks += [
        Paragraph(f"No accuracy is known for {literal(n.name)}, so it is not in the trade-off.", "note")
        for n in subject.networks
        if not n.accuracies
    ]
    return section("Accuracy against cost", blocks)


def comparison(subject: Subject) -> list[Block] | None:
    """Which network is cheaper, with what probability; None for a single network."""
    if len(subject.networks) < 2:
        return None
    blocks: list[Block] = []
    panels, api = [], []
    for j, hardware in enumerate(subject.hardware):
        found = [(e.network, e) for e in hardware.estimates]
        for metric in ("latency_s", "energy_J"):
            if any(metric in e.metrics() for e in hardware.estimates):
                panels.append(
                    Panel(
                        breakdown.side_by_side(found, metric),
                        "intervals",
                        f"{hardware.given}: {numbers.metric_title(metric)}",
                    )
                )
                api += [f"{subject.estimate_name(i, j)}.total({metric!r})" for i, _ in enumerate(found)]
    if panels:
        blocks.append(
            Figure(
                "fig-compare",
                "Estimates with the intervals that follow from the constants' bounds.",
                Plot(tuple(panels), 2, 16.0 + 5.0 * len(subject.networks)),
                "Points with intervals, one panel a metric and target",
                tuple(api),
            )
        )
    rows, odds_api = [], []
    for j, hardware in enumerate(subject.hardware):
        for metric in COSTS:
            for a, b in combinations(range(len(subject.networks)), 2):
                ea, eb = hardware.estimates[a], hardware.estimates[b]
                if metric not in ea.metrics() or metric not in eb.metrics():
                    continue
                p = probability_cheaper(ea, eb, metric)
                first, second, q = (a, b, p) if p >= 0.5 else (b, a, probability_cheaper(eb, ea, metric))
                names = subject.estimate_name(first, j), subject.estimate_name(second, j)
                odds_api.append(f"probability_cheaper({names[0]}, {names[1]}, {metric!r})")
                shown = certainty(q) if q > 0.5 else "50 %: no difference"
                rows.append(
                    Row(
                        [
                            cells.text(hardware.given),
                            cells.Cell(numbers.metric_title(metric)),
                            cells.text(subject.networks[first].name),
                            cells.text(subject.networks[second].name),
                            cells.Cell(shown, (q,)),
                        ]
                    )
                )
    if rows:
        heads = [
            cells.column("Target", "left"),
            cells.column("Of", "left"),
            cells.column("Network", "left", prose=True),
            cells.column("costs less than", "left", prose=True),
            cells.column("with probability"),
        ]
        notes = [
            "Constants that both designs share are drawn once for both. 50 % says that they do not tell the designs "
            "apart. The probability covers the constants' bounds, not the structure of the model."
        ]
        blocks.append(
            Table("tab-odds", "Which network is cheaper.", Grid("odds", "", heads, rows, notes=notes), tuple(odds_api))
        )
    return section("Comparison", blocks)


def energy(subject: Subject) -> list[Block]:
    """Which part of the hardware the energy goes to; of a target that prices none, the first metric it has."""
    blocks: list[Block] = []
    panels, api, rows = [], [], []
    for j, hardware in enumerate(subject.hardware):
        for i, estimate in enumerate(hardware.estimates):
            metric = "energy_J" if "energy_J" in estimate.metrics() else next(iter(estimate.metrics()), "")
            if not metric:
                continue
            name = subject.estimate_name(i, j)
            if len(estimate.by_component(metric)) > 1:  # one bar shows no split
                title = f"{hardware.given}: {estimate.network}"
                panels.append(Panel(breakdown.split(estimate, metric), "intervals", title))
            api.append(f"{name}.by_component({metric!r})")
            for component, interval in sorted(estimate.by_component(metric).items(), key=lambda item: -item[1].value):
                rows.append(
                    Row(
                        [
                            cells.text(hardware.given),
                            cells.text(estimate.network),
                            cells.Cell(metric_of(metric).title),
                            cells.text(component),
                            cells.cost(metric, interval),
                        ]
                    )
                )
    if panels:
        most = max(len(p.info.labels) for p in panels if isinstance(p.info, breakdown.IntervalInfo))
        caption = "Energy of one image by component, with intervals, where the target tells components apart."
        plot = Plot(tuple(panels), 2, 15.0 + 4.0 * most)
        blocks.append(Figure("fig-energy", caption, plot, "Points with intervals by component", tuple(api)))
    if rows:
        heads = [
            cells.column("Target", "left"),
            cells.column("Network", "left", prose=True),
            cells.column("Metric", "left"),
            cells.column("Component", "left"),
            cells.column("Estimate (interval)"),
        ]
        blocks.append(
            Table("tab-energy", "Energy of one image by component.", Grid("energy", "", heads, rows), tuple(api))
        )
    for hardware in subject.hardware:
        notes = dict.fromkeys(n for e in hardware.estimates for n in e.notes)
        if notes:
            blocks.append(Heading(literal(hardware.target.name), 2))
            blocks += [Paragraph(literal(n[:1].upper() + n[1:]) + ".", "note") for n in notes]
    return section("Where the energy goes", blocks)
