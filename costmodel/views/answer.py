"""The first answer: what a network needs and what it costs on a target, in some twenty lines, and what to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from costmodel.graph.domain import FLOAT_BITS
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.metrics import costs as cost_names
from costmodel.metrics import headlines
from costmodel.views import numbers
from costmodel.views.lines import NETWORK, per_layer
from costmodel.views.statements import caveats, hidden_multiplications
from costmodel.views.table import Column, Row, Table
from costmodel.views.words import title, words

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.quantity import Interval

#: Of the headline metrics so many are in every table of targets, with the intervals of those that are costs; a narrow
#: terminal does without the others, the last first, and without the intervals next to the resources.
ALWAYS = 3
INTERVAL_SPARE = 6
#: Parts of an estimate's time in words.
PARTS = {
    "array": "the array", "host_memory": "memory outside of the chip", "dram": "memory outside of the chip",
    "compute": "computing", "memory": "memory", "operators": "the element-wise operators", "calls": "calls of kernels",
    "overhead": "overhead of the runtime", "pipeline": "the pipeline",
}  # fmt: skip
#: Caveats that are said at once; more are left to --explain.
CAVEATS = 3
COLUMNS = (Column("what", "", "left"), Column("value", ""), Column("note", "", "left", prose=True))
INTERVALS = (Column("what", "", "left"), Column("value", ""), Column("interval", "", "left", prose=True), COLUMNS[-1])


def first(profile: Profile, ledger: Ledger, estimates: Sequence[Estimate]) -> list[Table]:
    """What is needed, what each target makes of it, the sentence about hidden multiplications, and what to ask next."""
    tables = [needs(profile, ledger)]
    if len(estimates) > 1:
        tables.append(targets(estimates))
    tables += [costs(estimate) for estimate in estimates if len(estimates) == 1]
    assumed = sum(len(estimate.notes) for estimate in estimates)
    more = ["--by layer", "--depth N", *(["--rewrites"] if profile.rewrites else [])]
    if estimates:
        more.append(f"--explain (sources{f', {assumed} assumption' + 's' * (assumed > 1) if assumed else ''})")
    else:
        more.append("--target NAME (costmodel targets)")
    statement = hidden_multiplications(profile)
    notes = [f"More: {', '.join(more)}."]
    return [*tables, Table("next", "", [], [], alerts=[statement] if statement else [], notes=notes)]


def needs(profile: Profile, ledger: Ledger) -> Table:
    """Operations of one input, how much of them is binary, and the weights; what could not be counted comes first."""
    kinds = ledger.by_kind()
    unknown = [charge for charge in ledger.unknown() if charge.count]
    rows = []
    if unknown:
        names = ", ".join(dict.fromkeys(charge.op for charge in unknown))
        rows.append(Row(["NOT COUNTED", sum(c.count for c in unknown), f"results of {names}"], "bad"))
    adds, signs = kinds.get("add", 0), kinds.get("signflip", 0)
    rows += [
        Row(["multiplications", kinds.get("mul", 0), _mostly(ledger)], "bold"),
        *_binary(ledger, kinds),
        Row(["additions", adds + signs, f"{signs:,} on wide inputs, by one-bit weights" if signs else ""]),
        *_shifts(kinds),
    ]
    for kind, name in (
        ("compare", "comparisons"),
        ("lut", "table look-ups"),
        ("special", "functions (exp, root, ...)"),
    ):
        if kinds.get(kind):
            rows.append(Row([name, kinds[kind], ""]))
    whole = FLOAT_BITS * profile.parameters
    stored = ledger.weight_bits()
    note = f"{100 * stored / whole:.1f}% of the {numbers.bits(whole)} of float32" if whole else ""
    rows.append(Row(["weights", numbers.bits(stored), note]))
    said = caveats(profile)
    alerts = said[:CAVEATS]
    if len(said) > CAVEATS:
        alerts.append(f"and {len(said) - CAVEATS} more caveats (--explain)")
    columns = [COLUMNS[0], Column("value", "", show=lambda v: f"{v:,}" if isinstance(v, int) else v), COLUMNS[2]]
    return Table("needs", title(profile, ledger.level), columns, rows, alerts=alerts)


def costs(estimate: Estimate) -> Table:
    """Whether it fits and why not, the figures with their intervals, and what decides them."""
    totals = estimate.totals()
    rows = []
    for metric in headlines():
        if metric not in totals or metric in estimate.unused:
            continue
        q = totals[metric]
        spread = q.low != q.high
        value = numbers.metric_value(metric, q.value, 3 if spread else 4)
        interval = _between(metric, q) if spread else ""
        used = totals.get(f"utilisation_{metric}")
        share = f"{100 * used.value:.0f}% of the device" if used is not None else ""
        rows.append(Row([numbers.metric_title(metric), value, interval, share]))
    missing = [note.removeprefix("no energy: ") for note in estimate.notes if note.startswith("no energy: ")]
    decided = bottleneck(estimate)
    verdict = "fits" if estimate.fits else f"DOES NOT FIT, because {'; '.join(estimate.misfit)}"
    notes = [f"Energy not known: {why}." for why in missing] + ([f"Bottleneck: {decided}."] if decided else [])
    notes += [
        f"{note[0].upper()}{note[1:]}." for note in estimate.notes if note.startswith(("numbers ", "kind_bits: "))
    ]
    return Table(f"cost_{estimate.target}", f"On {estimate.target}: {verdict}", INTERVALS, rows, notes=notes)


def targets(estimates: Sequence[Estimate]) -> Table:
    """One target per row."""
    totals = [estimate.totals() for estimate in estimates]
    metrics = [
        m for m in headlines() if any(m in row and m not in e.unused for e, row in zip(estimates, totals, strict=True))
    ]
    between = [m for m in metrics[:ALWAYS] if m in cost_names()]
    columns = [Column("target", "target", "left"), Column("fits", "fits", "left", prose=True)]
    for place, metric in enumerate(metrics):
        spare = 0 if place < ALWAYS else len(metrics) - place + 1  # the bottleneck goes before the last of them
        columns.append(Column(metric, numbers.metric_title(metric), spare=spare))
        if metric in between:
            columns.append(Column(f"{metric}_interval", "interval", "left", spare=INTERVAL_SPARE))
    columns.append(Column("bottleneck", "bottleneck", "left", prose=True, spare=1))
    rows = []
    for estimate, row in zip(estimates, totals, strict=True):
        cells = [estimate.target, "yes" if estimate.fits else "no: " + "; ".join(estimate.misfit)]
        for metric in metrics:
            q = row.get(metric)
            cells.append("" if q is None else numbers.metric_value(metric, q.value))
            if metric in between:
                cells.append("" if q is None or q.low == q.high else _between(metric, q))
        rows.append(Row([*cells, bottleneck(estimate)], "plain" if estimate.fits else "bad"))
    return Table("targets", f"{estimates[0].network} on {len(estimates)} targets", columns, rows)


def _between(metric: str, q: Interval) -> str:
    """An interval, its unit said once where both ends have the same: 29.1 to 34.1 mJ."""
    low, high = numbers.metric_value(metric, q.low), numbers.metric_value(metric, q.high)
    (start, _, unit), (_, _, other) = low.partition(" "), high.partition(" ")
    return f"{start if unit == other else low} to {high}"


def bottleneck(estimate: Estimate) -> str:
    """What decides the time: the slowest unit of a pipeline, else the part and the layer that take most of it."""
    slowest = estimate.facts.get("slowest_layer")
    if slowest:
        return f"{slowest}: one image in {estimate.facts['interval_cycles']:,} cycles, and all other units wait for it"
    if "latency_s" not in estimate.metrics():
        return ""
    parts = {name: q.value for name, q in estimate.by_component("latency_s").items()}
    layers = {i: value for i, value in per_layer(estimate)["latency_s"].items() if i != NETWORK}
    whole = sum(parts.values())
    if not whole:
        return ""
    (name, most), *_ = sorted(parts.items(), key=lambda part: -part[1])
    text = f"{PARTS.get(name, name.replace('_', ' '))}, {100 * most / whole:.0f}% of the time"
    if layers:
        layer = max(layers, key=layers.__getitem__)
        title = estimate.layer_names[layer] if layer < len(estimate.layer_names) else ""
        text += f"; slowest layer {title}, {100 * layers[layer] / whole:.0f}%" if title else ""
    return text


def _mostly(ledger: Ledger) -> str:
    """What most of the multiplications are for."""
    tags = {tag: count for (kind, tag), count in ledger.by_kind_and_tag().items() if kind == "mul" and count}
    if not tags:
        return "multiplication-free"
    tag = max(tags, key=tags.__getitem__)
    return f"{100 * tags[tag] / sum(tags.values()):.1f}% {words(tag)}"


def _binary(ledger: Ledger, kinds: dict[str, int]) -> list[Row]:
    """XNOR and AND with their popcounts, and the share of products that are made of them, of several where a factor has
    several bits."""
    macs = sum(layer.macs for layer in ledger.layers)
    xnor, both = kinds.get("xnor", 0), kinds.get("and", 0)
    by_layer = ledger.by_layer()
    done = {layer.index: by_layer[layer.index].get("xnor", 0) + by_layer[layer.index].get("and", 0)
            for layer in ledger.layers}  # fmt: skip
    binary = sum(min(layer.macs, done[layer.index]) for layer in ledger.layers)
    several = any(0 < layer.macs < done[layer.index] for layer in ledger.layers)
    made = "binary, or sums of binary ones" if several else "binary"
    share = f"{100 * binary / macs:.1f}% of {macs:,} products are {made}" if macs else ""
    if macs and not xnor + both:
        share = f"none of {macs:,} products is binary"
    rows = [Row(["XNOR and popcount", xnor, share])]
    return rows + ([Row(["AND and popcount", both, "of bits 0 and 1"])] if both else [])


def _shifts(kinds: dict[str, int]) -> list[Row]:
    """Shifts by how their amount is known, which decides what they cost."""
    parts = {"by a constant": "shift_const", "by channel": "shift_channel", "by a computed amount": "shift_var"}
    found = {name: kinds[kind] for name, kind in parts.items() if kinds.get(kind)}
    if not found:
        return []
    return [Row(["shifts", sum(found.values()), ", ".join(f"{count:,} {name}" for name, count in found.items())])]
