"""The tables of ``costmodel compare``: networks side by side, and why conventions give different figures."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel.graph.vocabulary import HEADS, KINDS
from costmodel.ledger.conventions import CONVENTIONS, PAPER_TERMS, convention
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.ledger.published import FIGURES, Figure
from costmodel.metrics import metric
from costmodel.views import numbers, odds
from costmodel.views.statements import hidden_multiplications, published
from costmodel.views.table import Column, Row, Table
from costmodel.views.text import paint, wrap
from costmodel.views.view import View
from costmodel.views.words import words

if TYPE_CHECKING:
    from costmodel.targets.comparison import Comparison
    from costmodel.targets.estimate import Estimate


def view(made: Comparison) -> View:
    """A comparison: what ``costmodel compare`` prints, and every figure in a row of its own."""
    show = numbers.count
    return View(
        lambda: tables(made, show),
        {
            "figure": lambda: figures(made, True), "odds": lambda: odds.flat(made.odds()),
            "convention": lambda: conventions(list(made.profiles), numbers.plain),
        },
        lambda: document(made),
        {"convention": lambda: conventions(list(made.profiles), show)},
    )  # fmt: skip


def preface(made: Comparison, color: bool) -> str:
    """The sentence about hidden multiplications of every network that has some."""
    said = [f"{p.network}: {text}" for p in made.profiles if (text := hidden_multiplications(p))]
    return "".join(paint(line, "warn", color) + "\n" for text in said for line in wrap(text))


def tables(made: Comparison, show: Any, apart: bool = False) -> list[Table]:
    """Multiplications by what they are for, operations by kind, with ``apart`` the conventions reconciled, and for each
    target the costs and which network is cheaper."""
    profiles = list(made.profiles)
    found = [multiplications(profiles, made.level, show), operations(profiles, made.level, show)]
    found += by_convention(profiles, show) if apart else []
    for row in map(list, made.estimates):
        found.append(costs(row))
        if (likely := odds.table(row)) is not None:
            found.append(likely)
    return found


def figures(made: Comparison, apart: bool) -> Table:
    """Every figure in a row of its own: network, target (none for counts), metric, unit, value, low, high; ``apart``
    adds what each convention counts."""
    rows = []
    for profile in made.profiles:
        ledger = profile.ledger(made.level)
        counted: dict[str, tuple[str, float]] = {kind: ("operations", n) for kind, n in ledger.by_kind().items()}
        counted["weight_bits"] = ("bit", ledger.weight_bits())
        if apart:
            counted |= {f"{c.name}, {c.unit}": (c.unit, c.count(profile).number) for c in CONVENTIONS}
        rows += [Row([profile.network, "", name, unit, *[value] * 3]) for name, (unit, value) in counted.items()]
    for estimate in (estimate for row in made.estimates for estimate in row):
        cells = [estimate.network, estimate.target]
        rows += [
            Row([*cells, name, metric(name).unit, q.value, q.low, q.high]) for name, q in estimate.totals().items()
        ]
        rows.append(Row([*cells, "fits", "", *[int(estimate.fits)] * 3]))
    names = ("network", "target", "metric", "unit", "value", "low", "high")
    return Table(
        "figures", "", [Column(name, name, "left" if i < 4 else "right") for i, name in enumerate(names)], rows
    )


def by_convention(profiles: list[Profile], show: Any) -> list[Table]:
    """Every convention, and its reconciliation for each network."""
    return [conventions(profiles, show), *(table for p in profiles for table in reconcile(p, show))]


def multiplications(profiles: list[Profile], level: Any, show: Any) -> Table:
    """Multiplications by what they are for, one column per network."""
    tables = [_by_tag(p.ledger(level)) for p in profiles]
    tags = list(dict.fromkeys(tag for table in tables for tag in table))
    tags.sort(key=lambda tag: -max(table.get(tag, 0) for table in tables))
    rows = [Row([tag, *(table.get(tag, 0) for table in tables)], label=words(tag)) for tag in tags]
    totals = Row(["total", *(sum(table.values()) for table in tables)], "bold")
    columns = [Column("tag", "tag", "left"), *(Column(p.network, p.network, show=show) for p in profiles)]
    return Table("multiplications", f"Multiplications, {level.replace('_', ' ')}", columns, rows, [totals])


def operations(profiles: list[Profile], level: Any, show: Any) -> Table:
    """Operations by kind, one column per network, with memory traffic below."""
    counts = [p.ledger(level).by_kind() for p in profiles]
    kinds = [kind for kind in KINDS if any(row.get(kind) for row in counts)]
    rows = [Row([kind, *(row.get(kind, 0) for row in counts)], label=HEADS.get(kind, kind)) for kind in kinds]
    columns = [Column("kind", "operation", "left"), *(Column(p.network, p.network, show=show) for p in profiles)]
    ledgers = [p.ledger(level) for p in profiles]
    footer = [
        Row(["weights", *(_Size(ledger.weight_bits()) for ledger in ledgers)]),
        Row(["activations moved", *(_Size(ledger.bits_moved("input", "output")) for ledger in ledgers)]),
    ]
    shown = [Column(c.key, c.title, c.align, partial(_size_or, c.show)) for c in columns]
    return Table("operations", "Operations and bits", shown, rows, footer)


def conventions(profiles: list[Profile], show: Any) -> Table:
    """Each convention's total for each network, and what it counts."""
    rows = [Row([c.name, *(c.count(p).total for p in profiles), c.unit, c.why]) for c in CONVENTIONS]
    columns = [
        Column("convention", "convention", "left"),
        *(Column(p.network, p.network, show=partial(_fraction, show)) for p in profiles),
        Column("unit", "unit", "left"), Column("why", "what it counts", "left", prose=True),
    ]  # fmt: skip
    return Table("conventions", "Conventions", columns, rows)


def reconcile(profile: Profile, show: Any) -> list[Table]:
    """Strict, the paper's rule and the printed figure, reason by reason; then the products, class by class."""
    return [_multiplications_apart(profile, show), _products_apart(profile, show)]


def _multiplications_apart(profile: Profile, show: Any) -> Table:
    """One reason per row: what the strict count takes for it, what the paper's rule takes, and what was printed."""
    strict: dict[str, Fraction] = {}
    for tag, number in _by_tag(profile.deployed).items():
        group = _group(tag)
        strict[group] = strict.get(group, Fraction(0)) + number
    paper = {_TERM_GROUPS[term]: value for term, value in convention("paper-abbnn").count(profile).by_term().items()}
    figures = _figures(profile, "paper-abbnn")
    groups = sorted({**strict, **paper}, key=lambda g: -max(strict.get(g, 0), paper.get(g, 0)))
    rows = [
        Row([g, strict.get(g, Fraction(0)), paper.get(g, Fraction(0)), *([paper.get(g, Fraction(0))] * len(figures)),
             _GROUP_WHY[g]])
        for g in groups
    ]  # fmt: skip
    for index, figure in enumerate(figures):
        for why, value in figure.explain(profile)[1:]:
            columns = [value if i == index else None for i in range(len(figures))]
            rows += [Row(["deviation", None, None, *columns, why], "warn")] if value else []
    totals = [
        sum(strict.values(), Fraction(0)),
        sum(paper.values(), Fraction(0)),
        *(Fraction(f.exact) for f in figures),
    ]
    printed = "; ".join(f"printed as {f.printed} in {f.source}" for f in figures)
    fraction = partial(_fraction, show)
    heads = [Column("line", "tag", "left"), Column("strict", "strict", show=fraction)]
    heads += [
        Column("paper", "paper-abbnn", show=fraction),
        *(Column("published", "published", show=fraction) for _ in figures),
    ]
    heads.append(Column("why", "why they differ", "left", prose=True))
    return Table(f"multiplications_{profile.network}", f"{profile.network}: multiplications by each rule", heads, rows,
                 [Row(["total", *totals, printed], "bold")])  # fmt: skip


def _products_apart(profile: Profile, show: Any) -> Table:
    names = ("macs", "ops64", "larq", "qonnx-bops", "ace", "fvcore")
    classes: dict[str, dict[str, Fraction]] = {}
    layer_class = {i.layer: i.term for i in convention("macs").count(profile).items}
    macs: dict[str, int] = {}
    for name in names:
        for item in convention(name).count(profile).items:
            products = item.layer in layer_class and item.term not in ("batch norm", "adaptive average pooling")
            row = classes.setdefault(layer_class[item.layer] if products else item.term, {})
            row[name] = row.get(name, Fraction(0)) + item.value
            if name == "macs":
                macs[item.term] = macs.get(item.term, 0) + item.count
    rows = [Row([term, macs.get(term, 0), *(row.get(name, Fraction(0)) for name in names[1:])])
            for term, row in classes.items()]  # fmt: skip
    totals = [convention(name).count(profile).total for name in names]
    notes = published(profile, show, *names)
    columns = [Column("term", "products of", "left"), Column("macs", "macs", show=partial(_fraction, show))]
    columns += [Column(name, name, show=partial(_fraction, show)) for name in names[1:]]
    return Table(f"products_{profile.network}", f"{profile.network}: products by each convention", columns, rows,
                 [Row(["total", *totals], "bold")], notes)  # fmt: skip


def costs(estimates: list[Estimate]) -> Table:
    """Totals on one target, one column per network, with intervals below each other."""
    names = list(dict.fromkeys(name for e in estimates for name in e.totals()))
    rows = [Row([name, *(_interval(e, name) for e in estimates)], label=numbers.metric_title(name)) for name in names]
    rows.append(Row(["fits", *("yes" if e.fits else "no: " + "; ".join(e.misfit) for e in estimates)]))
    columns = [Column("metric", "", "left"), *(Column(e.network, e.network) for e in estimates)]
    target = estimates[0].target
    return Table(f"cost_{target}", f"On {target}: value and interval", columns, rows)


def document(made: Comparison) -> dict[str, Any]:
    """Everything compared, for JSON."""
    level = made.level
    return {
        "level": level,
        "networks": [
            {
                "network": p.network,
                "multiplications_by_tag": _by_tag(p.ledger(level)),
                "operations": p.ledger(level).by_kind(),
                "conventions": {c.name: c.count(p).number for c in CONVENTIONS},
                "published": [
                    {"printed": f.printed, "exact": f.exact, "source": f.source, "convention": f.convention,
                     "terms": [{"why": why, "value": int(v)} for why, v in f.explain(p)]}
                    for f in _figures(p)
                ],
                "statement": hidden_multiplications(p),
            }
            for p in made.profiles
        ],
        "estimates": {
            row[0].target: {
                e.network: {m: {"value": v.value, "low": v.low, "high": v.high} for m, v in e.totals().items()}
                for e in row
            }
            for row in made.estimates
        },
        "cheaper": {target: [asdict(o) for o in found] for target, found in made.odds().items()},
    }  # fmt: skip


def _group(tag: str) -> str:
    """The reason, common to strict and to the paper, that a multiplication of this tag falls under."""
    parts = tag.split("+")
    for part in ("bn_scale", "weight_scale"):  # a merged chain belongs to batch norm first
        if part in parts:
            return words(part)
    return words(parts[-1])


#: What ``paper-abbnn`` calls a reason -> what the tags call it.
_TERM_GROUPS = {term: words(tag) for tag, term in PAPER_TERMS.items()}


_WHY = {
    "stem_conv": "outside of the blocks: the paper leaves it out",
    "fp_linear": "outside of the blocks: the paper leaves it out",
    "gap": "outside of the blocks: the paper leaves it out",
    "weight_scale": "a real number per channel on the outputs of binary convolutions: the paper leaves it out",
    "bn_scale": "strict: what is left after thresholds and folding, together with the scale of the weights; the paper: "
                "one per element behind every binary convolution",
    "prelu": "a real slope multiplies; a power of two shifts",
    "fp_conv": "as they run",
    "const_mul": "strict: merged with the scale of the weights or into thresholds; the paper: one per element",
    "avgpool": "strict: a division by 4 is a shift; the paper: one per output, unless nothing else multiplies",
}  # fmt: skip


class _Reasons(dict[str, str]):
    def __missing__(self, group: str) -> str:
        return "not in the networks of the paper"


_GROUP_WHY = _Reasons({words(tag): why for tag, why in _WHY.items()})


def _by_tag(ledger: Ledger) -> dict[str, int]:
    return {tag: n for (kind, tag), n in ledger.by_kind_and_tag().items() if kind == "mul"}


def _figures(profile: Profile, *conventions: str) -> list[Figure]:
    return [f for f in FIGURES if f.model == profile.network and (not conventions or f.convention in conventions)]


class _Size(int):
    """A number of bits, to be shown as bytes."""


def _size_or(show: Any, value: Any) -> str:
    return numbers.bits(value) if isinstance(value, _Size) else str(show(value))


def _fraction(show: Any, value: Fraction | None) -> str:
    if value is None:
        return ""
    if value < 0:
        return "−" + _fraction(show, -value)
    if value == 0:
        return "0"
    return str(show(int(value))) if value == int(value) else numbers.engineering(float(value))


def _interval(estimate: Estimate, name: str) -> str:
    if not estimate.has(name):
        return ""
    q = estimate.total(name)
    text = numbers.metric_value(name, q.value)
    if q.low == q.high:
        return text
    return f"{text} ({numbers.metric_value(name, q.low)} – {numbers.metric_value(name, q.high)})"
