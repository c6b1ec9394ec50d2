"""What networks cost on hardware: accuracy against cost, comparison with probabilities, where the energy goes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

from costmodel.metrics import costs, headlines, leading
from costmodel.reports.content import cells
from costmodel.reports.content.answer import BESIDE, grid, spread, title_of
from costmodel.reports.content.bibliography import cite
from costmodel.reports.content.blocks import Block, Figure, Items, Paragraph, Table, literal, section
from costmodel.reports.content.sentences import certainty, decisive, join
from costmodel.reports.content.subject import Subject
from costmodel.reports.figures.data import Panel, Plot
from costmodel.targets.quantity import Interval
from costmodel.targets.uncertainty import probability_cheaper
from costmodel.views import numbers
from costmodel.views.plots import breakdown
from costmodel.views.plots.scatter import Design, ScatterInfo, scatter
from costmodel.views.table import Row
from costmodel.views.table import Table as Grid

#: Up to so many networks each is set against each.
PAIRS = 3
#: How the literature writes the names of data sets.
DATA = {"imagenet": "ImageNet", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "mnist": "MNIST"}


def accuracy(subject: Subject) -> list[Block]:
    """Accuracy against cost on each target among the published networks of the same images, and every figure known."""
    blocks: list[Block] = []
    known = [(i, n) for i, n in enumerate(subject.networks) if n.best]
    panels, api = [], []
    for j, hardware in enumerate(subject.hardware):
        metric = decisive(hardware)
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
        api.append(f"[e.total({metric!r}) for e in t{j + 1}]")
        fuller = []
        for rival in subject.rivals:
            bill = rival.estimates[j]
            if bill is not None and metric in bill.metrics():
                values = {"accuracy": Interval.exact(rival.top1), metric: bill.total(metric)}
                designs.append(Design(rival.name, rival.name, "published", values, "published"))
                fuller.append(rival.name)
        if fuller:
            without = "".join(f" if name != {r.name!r}" for r in subject.rivals if r.name not in fuller)
            level = "" if subject.level == "deployed" else f", level={subject.level!r}"
            cost = f"costmodel.profile(name).estimate({hardware.given!r}{level}).total({metric!r})"
            api.append(f"[{cost} for name in others{without}]")
        panels.append(Panel(scatter(designs, metric, "accuracy"), "trade-off", hardware.target.name, marked))
    if panels:
        known_tops = [p.y.value for panel in panels if isinstance(panel.info, ScatterInfo) for p in panel.info.points]
        if min(known_tops) < max(known_tops):
            panels = [replace(panel, limits=(min(known_tops), max(known_tops))) for panel in panels]
        data = join(list(dict.fromkeys(DATA.get(n.dataset, n.dataset) for _, n in known if n.dataset)))
        caption = (
            f"Top-1 accuracy on {literal(data)} against cost: the networks of this report among others of the zoo "
            "with published accuracy; the line is the front."
        )
        api += [subject.accuracies_of(n) for _, n in known]
        api += ["[accuracies(name) for name in others]"] if subject.rivals else []
        blocks.append(
            Figure(
                "fig-accuracy",
                caption,
                Plot(tuple(panels), min(len(panels), 3), 54.0 + 3.2 * len(known)),
                "Accuracy against cost, one panel per target",
                tuple(api),
            )
        )
    rows = [
        Row(
            [
                cells.text(n.name),
                cells.Cell(f"{a.top1:.4g} %", (a.top1,)),
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
                tuple(subject.accuracies_of(n) for n in subject.networks if n.accuracies),
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
                api.append(f"[e.total({metric!r}) for e in t{j + 1}]")
    if panels:
        blocks.append(
            Figure(
                "fig-compare",
                "Estimates with the intervals that follow from the constants' bounds.",
                Plot(tuple(panels), 2, 11.5 + 4.5 * len(subject.networks)),
                "Points with intervals, one panel per metric and target",
                tuple(api),
            )
        )
    if panels and len(subject.networks) > BESIDE:
        blocks.append(_totals(subject))
    rows, odds_api = [], []
    many = len(subject.networks) > PAIRS
    for j, hardware in enumerate(subject.hardware):
        for metric in [decisive(hardware)] if many else costs():
            having = [i for i, e in enumerate(hardware.estimates) if metric in e.metrics()]
            if len(having) < 2:
                continue
            among = (
                f"t{j + 1}"
                if len(having) == len(subject.networks)
                else f"[e for e in t{j + 1} if {metric!r} in e.metrics()]"
            )
            odds_api.append(f"[probability_cheaper(a, b, {metric!r}) for a, b in permutations({among}, 2)]")
            ranked = sorted(having, key=lambda i: hardware.estimates[i].total(metric).value)
            for a, b in pairwise(ranked) if many else combinations(having, 2):
                ea, eb = hardware.estimates[a], hardware.estimates[b]
                p = probability_cheaper(ea, eb, metric)
                first, second, q = (a, b, p) if p >= 0.5 else (b, a, probability_cheaper(eb, ea, metric))
                shown = certainty(q) if q > 0.5 else "50 %: no difference"
                rows.append(
                    Row(
                        [
                            cells.text(hardware.given),
                            cells.Cell(title_of(metric)),
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
        said = "Which network is cheaper." + (" In the order of cost, each against the next." if many else "")
        notes = [
            "Constants that both designs share are drawn once for both. 50 % says that they do not tell the designs "
            "apart. The probability covers the constants' bounds, not the structure of the model."
        ]
        blocks.append(Table("tab-odds", said, Grid("odds", "", heads, rows, notes=notes), tuple(odds_api)))
    return section("Comparison", blocks)


def _totals(subject: Subject) -> Table:
    """Totals that have intervals, one network below the other, where they do not fit next to each other."""
    rows: list[Row] = []
    for hardware in subject.hardware:
        totals = [(e.network, e.totals()) for e in hardware.estimates]
        for metric in headlines():
            found = [(name, t[metric]) for name, t in totals if metric in t]
            if found:
                rows.append(
                    Row([cells.Cell(f"{title_of(metric)} on {literal(hardware.given)}"), *[cells.EMPTY] * 2], "title")
                )
                rows += [Row([cells.text(f"  {name}"), *cells.interval(metric, v)]) for name, v in found]
    columns = [cells.column("Network", "left", prose=True), cells.column("Estimate"), cells.column("Interval", "left")]
    api = tuple(f"[e.totals() for e in t{j + 1}]" for j, _ in enumerate(subject.hardware))
    caption = "Estimates with the intervals that follow from the constants' bounds."
    return Table("tab-totals", caption, Grid("totals", "", columns, rows), api)


def energy(subject: Subject) -> list[Block]:
    """Which part of the hardware the energy goes to; of a target that prices none, what else it splits."""
    nets = subject.networks
    blocks: list[Block] = []
    panels, api, rows = [], [], []
    for j, hardware in enumerate(subject.hardware):
        metrics = {m for e in hardware.estimates for m in e.metrics()}
        shared = [
            m for m in metrics if any(m in e.metrics() and len(e.by_component(m)) > 1 for e in hardware.estimates)
        ]
        metric = leading(shared or metrics)
        if not metric:
            continue
        split = [e.by_component(metric) if e.has(metric) else {} for e in hardware.estimates]
        bounds = [v for parts in split if len(parts) > 1 for v in parts.values()]
        limits = (min((v.low for v in bounds), default=0.0), max((v.high for v in bounds), default=0.0))
        for estimate, parts in zip(hardware.estimates, split, strict=True):
            if len(parts) > 1:  # one bar shows no split
                title = f"{hardware.given}: {estimate.network}"
                panels.append(Panel(breakdown.split(estimate, metric), "intervals", title, limits=limits))
        having = "" if all(e.has(metric) for e in hardware.estimates) else f" if e.has({metric!r})"
        api.append(f"[e.by_component({metric!r}) for e in t{j + 1}{having}]")
        title = f"{title_of(metric)} on {literal(hardware.given)}: {literal(hardware.target.title)}"
        rows.append(Row([cells.Cell(title), *spread([(cells.EMPTY, cells.EMPTY)] * len(nets))], "title"))
        found = dict.fromkeys(name for parts in split for name in parts)
        for component in sorted(found, key=lambda name: -max(p[name].value for p in split if name in p)):
            pairs = [
                cells.interval(metric, parts[component]) if component in parts else (cells.EMPTY, cells.EMPTY)
                for parts in split
            ]
            rows.append(Row([cells.text(f"  {component}"), *spread(pairs)]))
    if panels:
        most = max(len(p.info.labels) for p in panels if isinstance(p.info, breakdown.IntervalInfo))
        caption = "Energy of one image by component, with intervals, where the target tells components apart."
        plot = Plot(tuple(panels), 2, 12.0 + 4.0 * most)
        blocks.append(Figure("fig-energy", caption, plot, "Points with intervals by component", tuple(api)))
    if rows:
        columns = [cells.column("Component", "left", prose=True), *grid(nets)]
        table = Grid("energy", "", columns, rows)
        blocks.append(Table("tab-energy", "Energy of one image by component.", table, tuple(api)))
    said = _assumptions(subject)
    if said:
        blocks += [Paragraph("What the estimates take for granted:"), Items(tuple(said))]
    return section("Where the energy goes", blocks)


def _assumptions(subject: Subject) -> list[str]:
    """The notes of the estimates; one that is not said of all networks names those that it is said of."""
    said = []
    for hardware in subject.hardware:
        whose: dict[str, list[str]] = {}
        for e in hardware.estimates:
            for note in dict.fromkeys(e.notes):
                whose.setdefault(note, []).append(e.network)
        for note, networks in whose.items():
            of = f", {literal(', '.join(networks))}" if len(networks) < len(hardware.estimates) else ""
            said.append(f"{literal(hardware.given)}{of}: {literal(note.rstrip('.'))}.")
    return said
