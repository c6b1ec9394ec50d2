"""Why the estimates can be believed, and how far: scores against measurements, and the constants behind the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costmodel.metrics import leading
from costmodel.reports.content import cells
from costmodel.reports.content.bibliography import cite
from costmodel.reports.content.blocks import Block, Figure, Heading, Paragraph, Table, literal, section
from costmodel.reports.content.subject import Hardware, Subject
from costmodel.reports.figures.data import Panel, Plot
from costmodel.targets.quantity import Quantity
from costmodel.validate import Report
from costmodel.validate.figures import scatters
from costmodel.validate.views import number
from costmodel.views.bill import CONFIDENCE
from costmodel.views.hardware import options
from costmodel.views.table import Row
from costmodel.views.table import Table as Grid

SPLITS = {
    "calibration": "constants fitted to these rows",
    "hold-out": "**hold-out**",
    "leave-one-out": "constants fitted anew, to the others",
    "exact": "published figures, exact",
    "all": "all rows",
}
NAMES = {"counts": "Operation counts", "arm": "Arm", "cpu": "CPU", "fpga": "FPGA", "asic": "ASIC"}
#: A constant matters where it prices, or makes uncertain, at least this share of a metric of an estimate.
MATTERS = 0.001


def validation(subject: Subject, every_row: bool = False) -> list[Block]:
    """Scores on the kinds of targets used; with ``every_row`` also each estimate next to its measurement."""
    blocks: list[Block] = [
        Paragraph(
            "Estimates set against measurements and published figures. Hold-out rows are figures that no constant "
            "has seen. Mean error is the mean absolute relative error; rank is Spearman's correlation; in interval "
            "is the share of measurements that lie in the estimate's interval."
        )
    ]
    for kind, report in subject.validation.items():
        if not report.results:
            blocks.append(Paragraph(f"There are no measurements for {literal(kind)}.", "note"))
            continue
        blocks += [
            Heading(NAMES.get(kind, kind), 2),
            *_scores(kind, report),
            *_agreement(kind, report),
        ]
        if every_row:
            blocks += _rows(kind, report)
    return section("Validation", blocks if subject.validation else ())


def _scores(kind: str, report: Report) -> list[Block]:
    rows = []
    for s in report.summaries():
        own = s.estimator == "costmodel"
        rows.append(
            Row(
                [
                    cells.text(s.group),
                    cells.Cell(SPLITS.get(s.split, s.split)) if own else cells.text(f"baseline: {s.estimator}"),
                    cells.count(s.rows),
                    cells.percent(s.mape),
                    cells.percent(s.worst),
                    cells.Cell(f"{s.rank:.3f}", (s.rank,)) if s.rank is not None else cells.EMPTY,
                    cells.percent(s.coverage, 0) if s.coverage is not None else cells.EMPTY,
                ]
            )
        )
    heads = [
        cells.column("Measurements", "left", prose=True),
        cells.column("Which", "left", prose=True),
        cells.column("n"),
        cells.column("Mean error"),
        cells.column("Worst"),
        cells.column("Rank"),
        cells.column("In interval"),
    ]
    return [
        Table(
            f"tab-scores-{kind}",
            "Errors of the estimates.",
            Grid("scores", "", heads, rows),
            (f"validate([{kind!r}]).summaries()",),
        )
    ]


def _agreement(kind: str, report: Report) -> list[Block]:
    found = [s for s in scatters(report) if len(s.points) > 2 and any(p[4] == "hold-out" for p in s.points)][:2]
    if not found or kind == "counts":
        return []
    panels = tuple(Panel(s, "agreement", s.group) for s in found)
    return [
        Figure(
            f"fig-validation-{kind}",
            "Estimate against measurement, of the first groups with hold-out rows; the band is 10 % wide on each side.",
            Plot(panels, min(len(panels), 2), 54.0),
            "Points around the diagonal",
            (f"validate([{kind!r}]).results",),
        )
    ]


def _rows(kind: str, report: Report) -> list[Block]:
    rows = [
        Row(
            [
                cells.text(r.row.model),
                cells.text(f"{r.row.metric}, {r.row.target}"),
                cells.Cell(r.row.split),
                cells.Cell(number(r.row.value), (r.row.value,)),
                cells.Cell(number(r.estimate.value), (r.estimate.value,)),
                cells.Cell(f"{100 * r.error:+.1f} %".replace("-", "−"), (r.error,)),
                cells.Cell(cite(r.row.source)),
            ]
        )
        for r in report.results
    ]
    heads = [
        cells.column("What", "left", prose=True),
        cells.column("Of", "left", prose=True),
        cells.column("Row", "left"),
        cells.column("Measured"),
        cells.column("Estimate"),
        cells.column("Error"),
        cells.column("Source", "left", prose=True),
    ]
    blocks: list[Block] = [
        Table(
            f"tab-rows-{kind}",
            "Every row that is estimated.",
            Grid("rows", "", heads, rows),
            (f"validate([{kind!r}]).results", f"validate([{kind!r}]).to_dict()"),
        )
    ]
    if report.skipped:
        skipped = [
            Row([cells.text(s.row.model), cells.text(f"{s.row.metric}, {s.row.target}"), cells.text(s.why)])
            for s in report.skipped
        ]
        heads = [
            cells.column("What", "left", prose=True),
            cells.column("Of", "left", prose=True),
            cells.column("Not estimated, because", "left", prose=True),
        ]
        blocks.append(
            Table(
                f"tab-skipped-{kind}",
                "Rows that are not estimated.",
                Grid("skipped", "", heads, skipped),
                (f"validate([{kind!r}]).skipped",),
            )
        )
    return blocks


def constants(subject: Subject) -> list[Block]:
    """Every constant that mattered, with value, interval and source."""
    blocks: list[Block] = [
        Paragraph(
            f"Constants that price, or make uncertain, at least {100 * MATTERS:g} % of a metric of one of the "
            "networks. Shares are of the first network, of the metric that the caption names."
        )
    ]
    for j, hardware in enumerate(subject.hardware):
        blocks += _constants_of(subject, j, hardware)
    return section("Constants", blocks if subject.hardware else ())


def _constants_of(subject: Subject, j: int, hardware: Hardware) -> list[Block]:
    if not hardware.estimates:
        return []
    first = hardware.estimates[0]
    metrics = first.metrics()
    main = leading(m for m in metrics if first.explain(m))
    weight = {name: (part, variance) for name, part, variance in first.explain(main)} if main else {}
    matters: dict[str, Quantity] = {}
    used: set[str] = set()
    for estimate in hardware.estimates:
        used |= set(estimate.sources())
        for metric in estimate.metrics():
            for name, part, variance in estimate.explain(metric):
                if abs(part) >= MATTERS or variance >= MATTERS:
                    matters[name] = estimate.constants[name]
    ordered = sorted(matters, key=lambda n: (-weight.get(n, (0.0, 0.0))[1], -abs(weight.get(n, (0.0, 0.0))[0]), n))
    api = [f"{subject.estimate_name(i, j)}.sources()" for i, _ in enumerate(hardware.estimates)]
    if main:
        api.append(f"{subject.estimate_name(0, j)}.explain({main!r})")
    title = literal(hardware.target.title or hardware.target.name)
    caption = f"Constants of {title}, by the share of the variance of `{main}`."
    table = _table(f"tab-constants-{j}", caption, {n: matters[n] for n in ordered}, weight, api)
    left = len(used) - len(matters)
    more = [Paragraph(f"{left} more constants of this target priced less than that.", "note")] if left > 0 else []
    return [Heading(literal(f"{hardware.given}: {hardware.target.title}"), 2), table, *more]


def all_constants(subject: Subject) -> list[Block]:
    """Every constant of every target, whether something was priced with it or not."""
    blocks: list[Block] = []
    for j, hardware in enumerate(subject.hardware):
        target = hardware.target
        blocks.append(Heading(literal(f"{target.name}: {target.title}"), 2))
        if target.description:
            blocks.append(Paragraph(literal(" ".join(target.description.split()))))
        listed = options(target)
        rows = [Row([cells.text(text) for text in listed.texts(row)]) for row in listed.rows]
        if rows:
            heads = [
                cells.column("Option", "left"),
                cells.column("Default"),
                cells.column("Unit", "left"),
                cells.column("Values", "left", prose=True),
                cells.column("What it is", "left", prose=True),
            ]
            blocks.append(
                Table(
                    f"tab-choices-{j}",
                    f"Options of {literal(target.name)}: what `--set` takes.",
                    Grid("choices", "", heads, rows),
                    (f"options_of(load_target({hardware.given!r}))",),
                )
            )
        blocks.append(
            _table(
                f"tab-constants-{j}",
                f"All constants of {literal(target.name)}.",
                target.constants,
                {},
                [f"load_target({hardware.given!r}).constants"],
            )
        )
    return section("Constants", blocks)


def _table(
    label: str,
    caption: str,
    constants: Mapping[str, Quantity],
    weight: Mapping[str, tuple[float, float]],
    api: Sequence[str],
) -> Table:
    rows = []
    for name, q in constants.items():
        shares = [cells.percent(v) for v in weight.get(name, ())] or [cells.EMPTY, cells.EMPTY]
        unit, (value, *bounds) = cells.constants(q.unit, (q.value, q.low, q.high))
        if q.low == q.high:
            bounds = [cells.EMPTY, cells.EMPTY]
        source = cite(q.source) + (f" ({CONFIDENCE[q.confidence]})" if q.confidence in CONFIDENCE else "")
        rows.append(
            Row(
                [
                    cells.text(name),
                    value,
                    cells.text(unit),
                    *bounds,
                    *(shares if weight else ()),
                    cells.Cell(source),
                ]
            )
        )
    heads = [
        cells.column("Constant", "left", prose=True),
        cells.column("Value"),
        cells.column("Unit", "left"),
        cells.column("Low"),
        cells.column("High"),
        *((cells.column("Prices"), cells.column("Variance")) if weight else ()),
        cells.column("Source (known by)", "left", prose=True),
    ]
    return Table(label, caption, Grid("constants", "", heads, rows), tuple(api))
