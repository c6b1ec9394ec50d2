"""A design as tiles and tables: what it costs, what it does, what prices it, and why its rewrites are exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dash import html

from costmodel.dashboard.pages.common import plain_table
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import LEVELS, level_of
from costmodel.metrics import RESOURCES, Metric, headlines, metric
from costmodel.views.numbers import between, show
from costmodel.views.plots import breakdown

if TYPE_CHECKING:
    from costmodel.dashboard.catalogue import Catalogue
    from costmodel.ledger.ledger import Ledger, Profile
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.quantity import Interval

KNOWN_BY = {"P": "primary text", "T": "transcription", "A": "abstract", "C": "computed", "F": "fitted"}


def totals(estimate: Estimate) -> list[Any]:
    """Tiles of the totals with their intervals."""
    found: list[Any] = []
    if estimate.misfit:
        found.append(_tile("Does not fit", "; ".join(estimate.misfit), "", "whole warn"))
    for name in headlines():
        if estimate.has(name):
            v, m = estimate.total(name), metric(name)
            bounds = "" if v.low == v.high else between(v.low, v.high, m.unit)
            of = f"of the {estimate.scope}" if m.scoped and estimate.scope else ""
            used = f"utilisation_{name}"
            if name in RESOURCES and estimate.has(used):
                share = estimate.total(used).value
                capacity = f" of {show(v.value / share)}" if share else ""
                of = f"{100 * share:.3g} % of the device{capacity}"
            lacking = estimate.left_out.get(name, ())
            least = ("≤ " if m.maximised else "≥ ") if lacking else ""
            below = [html.Span(words, className="muted") for words in (bounds, of) if words]
            below += [html.Span(f"incomplete: {words}", className="badge") for words in lacking]
            found.append(_tile(m.title, least + show(v.value, m.unit), below, "warn" if lacking else ""))
    return found


def of_network(catalogue: Catalogue, network: str, level: str) -> list[Any]:
    """Tiles of what is the network's alone: its accuracy with the source, and its multiplications."""
    ledger = catalogue.profile(network).ledger(level_of(level))
    return [
        _accuracies(catalogue, network),
        _tile("Multiplications", f"{ledger.total('mul'):,}", LEVELS[level_of(level)]),
    ]


def _accuracies(catalogue: Catalogue, network: str) -> Any:
    found = catalogue.accuracies.get(network, ())
    values = ", ".join(f"{f.top1:.4g} %" for f in found) or "not known"
    said = [html.Span(f"{f.top1:.4g} % {f.evidence}: {f.conditions or f.effort}", className="muted") for f in found]
    return _tile("Top-1 accuracy", values, said, "wide")


def remarks(estimate: Estimate) -> list[Any]:
    """A tile of what the estimate assumes and leaves out; none where there is nothing to say."""
    said = [html.Li(note) for note in estimate.notes]
    if not said:
        return []
    label = html.Span("What these figures assume and leave out", className="label")
    return [html.Div([label, html.Ul(said)], className="tile whole notes")]


def accuracy_words(catalogue: Catalogue, network: str) -> str:
    """Every accuracy of a network, with where it comes from and after what training."""
    found = catalogue.accuracies.get(network, ())
    return "; ".join(f"{f.top1:.4g} % ({f.evidence}: {f.conditions or f.effort})" for f in found) or "not known"


def left_out_words(estimate: Estimate) -> str:
    notes = dict.fromkeys(note for why in estimate.left_out.values() for note in why)
    return "; ".join(notes) or "nothing known"


def _tile(title: str, value: str, below: Any = "", kind: str = "") -> Any:
    children = [html.Span(title, className="label"), html.Strong(value)]
    children += below if isinstance(below, list) else [html.Span(below, className="muted")]
    return html.Div(children, className=f"tile {kind}".strip())


def counted(profile: Profile, name: str) -> Any:
    """What a convention says of the network, term by term, and next to it the strict count."""
    chosen, strict = convention(name), convention("strict").count(profile)
    tally = chosen.count(profile)
    why = f"{chosen.why[:1].upper()}{chosen.why[1:]}"
    lines = [html.P([html.Strong(f"{float(tally.total):,.0f}"), f" {chosen.unit}: {chosen.title}. {why}."])]
    if name != "strict":
        lines.append(html.P(f"Strictly, {float(strict.total):,.0f} multiplications run.", className="muted"))
    rows = [(term, f"{float(v):,.0f}") for term, v in sorted(tally.by_term().items(), key=lambda t: -t[1])]
    return [*lines, plain_table(("term", chosen.unit), rows, f"{name}, from {chosen.source}")]


def constants_table(estimate: Estimate, name: str) -> Any:
    rows = [
        (
            r.name,
            show(r.value, _unit(r.unit)),
            between(r.low, r.high, _unit(r.unit)) if r.low < r.high else "exact",
            f"{100 * r.priced:.1f} %",
            f"{100 * r.variance:.1f} %",
            r.source,
            KNOWN_BY.get(r.confidence, r.confidence),
        )
        for r in breakdown.constants(estimate, name)
    ]
    head = ("constant", "value", "interval", "prices", "causes of the variance", "source", "known by")
    return plain_table(head, rows, f"Constants behind {metric(name).word}, the widest cause first")


def rewrites_table(profile: Profile) -> Any:
    rows = [
        (
            r.name,
            r.places,
            ", ".join(f"{'−' if n > 0 else '+'}{show(abs(n))} {kind}" for kind, n in r.removed.items()) or "none",
            r.why,
        )
        for r in breakdown.rewrites(profile)
    ]
    before, after = profile.as_written.total("mul"), profile.deployed.total("mul")
    caption = f"Multiplications: {before:,} as written, {after:,} as deployed"
    return plain_table(("rewrite", "places", "operations", "why it is exact"), rows, caption)


def interval(v: Interval, m: Metric) -> str:
    """A value, and its bounds where it has any."""
    return show(v.value, m.unit) + ("" if v.low == v.high else f" ({between(v.low, v.high, m.unit)})")


def folding_table(estimate: Estimate) -> Any:
    """Cycles and folding of a pipeline, or the shape of the engine or array that layers share."""
    facts = estimate.facts
    folding = facts.get("folding")
    if not isinstance(folding, Mapping) or not folding:
        shown = [
            (k.removesuffix("_Hz").removesuffix("_hz").replace("_", " "), _fact(v, k))
            for k, v in facts.items()
            if isinstance(v, (str, int, float, bool, Mapping))
        ]
        return plain_table(("fact", "value"), shown, "Choices and exact results of the model")
    names = estimate.layer_names
    cycles = {names[line.layer]: int(line.coefficient) for line in estimate.lines if line.metric == "cycles"}
    every = int(facts.get("interval_cycles", 0))
    rows = [
        (
            layer,
            f"{pe} × {simd}",
            f"{pe * simd:,}",
            f"{cycles.get(layer, 0):,}",
            f"{100 * cycles.get(layer, 0) / every:.0f} %" if every else "",
        )
        for layer, (pe, simd) in folding.items()
    ]
    caption = f"A result every {every:,} cycles; the slowest unit is {facts.get('slowest_layer', 'not known')}"
    return plain_table(("unit", "PE × SIMD", "lanes", "cycles per image", "of the interval"), rows, caption)


def layer_detail(ledger: Ledger, estimate: Estimate | None, index: int) -> Any:
    """Everything known about one layer."""
    layer = next((entry for entry in ledger.layers if entry.index == index), None)
    if layer is None:
        return html.P("This layer is not part of this level.", className="muted")

    def times(shape: Any) -> str:
        return "×".join(map(str, shape)) or "none"

    rows: list[tuple[str, Any]] = [
        ("operation", layer.op),
        ("input", f"{times(layer.shape_in)}, {layer.a}"),
        ("output", f"{times(layer.shape_out)}, {layer.out}"),
    ]
    if layer.b is not None:
        rows.append(("weight", f"{times(layer.shape_b)}, {layer.b}"))
    if layer.macs:
        rows.append(("multiply-accumulates", f"{layer.macs:,}"))
    rows += [(f"{c.kind} ({c.tag})", f"{c.count:,}") for c in ledger.charges if c.layer == index]
    rows += [(f"{t.role} {t.tensor}", f"{t.total_bits:,} bit") for t in ledger.traffic if t.layer == index]
    if estimate is not None:
        for name, v in estimate.by_layer().get(index, {}).items():
            m = metric(name)
            rows.append((m.title, interval(v, m)))
    return plain_table(("", layer.name), rows, f"Layer {layer.name}")


def _fact(value: Any, name: str = "") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and name.lower().endswith("_hz"):
        return show(value, "Hz")
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    if isinstance(value, (int, float)):
        return f"{value:,.0f}"
    if isinstance(value, Mapping):
        more = f", and {len(value) - 8} more" if len(value) > 8 else ""
        return ", ".join(f"{k} {_fact(v)}" for k, v in list(value.items())[:8]) + more
    return str(value)


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit
