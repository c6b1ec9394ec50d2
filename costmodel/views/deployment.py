"""The tables of ``costmodel deploy``: the verdict, what every way of multiplying does to the numbers, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel.metrics import costs
from costmodel.views import numbers
from costmodel.views.statements import caveats, hidden_multiplications
from costmodel.views.table import Column, Row, Table
from costmodel.views.text import paint, use_color, wrap
from costmodel.views.words import title

if TYPE_CHECKING:
    from costmodel.deploy.study import Deployment, Effect, Verdict
    from costmodel.ledger.ledger import Profile


def verdict_table(verdict: Verdict) -> Table:
    """The deployed network against PyTorch."""
    from costmodel.deploy.study import ROUNDING

    near = ROUNDING[verdict.precision]
    rows = [
        Row(["largest difference of two outputs", f"{verdict.deviation:.2e}"]),
        Row(["largest output", f"{verdict.scale:.3g}"]),
        Row(["same first class", f"{100 * verdict.agreement:.1f} %"]),
        Row([f"decisions within {near:.0e} of their threshold", f"{verdict.ties:,} of {verdict.decisions:,}"]),
        Row(["verdict", _verdict(verdict)], "good" if verdict.exact else "bad"),
    ]  # fmt: skip
    if verdict.settled is not None:
        rows.insert(1, Row(["the same, with binary sums in exact arithmetic", f"{verdict.settled:.2e}"]))
    columns = [
        Column("what", f"on {verdict.images} random inputs, {verdict.precision} precision", "left"),
        Column("value", ""),
    ]
    notes = []
    if verdict.by_rounding:
        notes.append("Some integer sums are exactly zero. PyTorch adds up real numbers and gets ±1e-17 by the order of "
                     "its terms; the deployed network takes zero as +1, and so does PyTorch once its binary sums are "
                     "exact: then the outputs are equal.")  # fmt: skip
    if verdict.by_sign_of_zero:
        notes.append(f"PyTorch takes the sign of exactly zero {verdict.zeros:,} times, which gives 0: a third value, "
                     "which one bit cannot hold. The deployed network takes zero as +1; with that, PyTorch's outputs "
                     "are equal. Train with a sign that knows no zero, such as where(x >= 0, 1, -1).")  # fmt: skip
    return Table("verdict", "The deployed network against PyTorch", columns, rows, notes=notes)


def _verdict(verdict: Verdict) -> str:
    if verdict.exact:
        return f"exact but for rounding in {verdict.precision} precision"
    return "DIFFERENT where torch.sign(0) is 0" if verdict.by_sign_of_zero else "DIFFERENT"


def effects(key: str, title: str, found: Sequence[Effect], made: Deployment, labelled: bool) -> Table:
    """One row an option or a format: what is left to multiply, and what the numbers become."""
    from costmodel.deploy.multipliers import replace_multipliers
    from costmodel.deploy.streams import multiplications_left

    left = {}
    for option in dict.fromkeys(e.option for e in found):
        graph = replace_multipliers(made.graph, option)
        left[option] = sum(node.numel for node in multiplications_left(graph))
    rows = []
    for e in found:
        row = [e.option, e.fraction_bits, left[e.option], 100 * e.flipped, 100 * e.error, 100 * e.agreement,
               e.stream_bits]  # fmt: skip
        rows.append(Row(row + ([100 * (e.accuracy or 0.0)] if labelled else [])))
    columns = [
        Column("option", "scale", "left"), Column("bits", "fraction bits"), Column("left", "multiplications left"),
        Column("flips", "signs flipped %", show=_percent), Column("error", "logit error %", show=_percent),
        Column("agreement", "same class %", show=_percent), Column("stream", "stream bits"),
    ]  # fmt: skip
    notes = []
    if labelled:
        columns.append(Column("accuracy", "top-1 %", show=_percent))
        notes.append(f"top-1 of the network in double precision: {100 * (found[0].exact_accuracy or 0.0):.2f} %")
    notes.append("Multiplications left are those of one inference, without sums over real weights (stem, classifier).")
    if "lut" in left:
        entries = sum(place.table_entries for place in made.profile.deployed.scales)
        width = next(e.stream_bits for e in found if e.option == "lut")
        notes.append(f"lut: its tables have {entries:,} entries of {width} bits.")
        if left["lut"]:
            notes.append("lut: what multiplies a wide number and not the integer sum of signs has no table.")
    notes += _without(left)
    return Table(key, title, columns, rows, notes=notes)


def _without(left: dict[str, int]) -> list[str]:
    """Which options leave nothing to multiply, and which of these change nothing."""
    lines = []
    if "exact" in left:
        strictly = (
            f"Strictly, {left['exact']:,} multiplications remain" if left["exact"] else "No multiplication remains"
        )
        lines.append(f"{strictly} next to those in sums over real weights (stem, classifier).")
    if left.get("tied") == 0 != left.get("exact", 1):
        lines.append("tied removes them exactly: these scales are equal up to powers of two within their streams, so "
                     "that every one is a shift, and no result changes but by the rounding of the format.")  # fmt: skip
    elif left.get("tied"):
        lines.append("tied would remove them exactly, but not from these scales, which are not equal up to powers of "
                     "two within their streams: train so (--model-args scale=tied in the zoo).")  # fmt: skip
    rounding = [option for option in ("pow2", "csd2", "csd3") if left.get("exact") and left.get(option) == 0]
    if rounding:
        lines.append(f"{', '.join(rounding)} remove them by rounding the scales: the results change as shown.")
    return lines


def flips(found: Sequence[Effect]) -> Table:
    """The share of the decisions of every threshold that differ, one column per option."""
    first = found[0]
    rows = []
    for k, (module, _, decisions) in enumerate(first.flips):
        shares = [100 * e.flips[k][1] / max(1, e.flips[k][2]) for e in found]
        rows.append(Row([module or "(network)", decisions, *shares]))
    columns = [Column("module", "threshold", "left"), Column("decisions", "decisions")]
    columns += [Column(e.option, e.option, show=_percent) for e in found]
    return Table("flips", f"Signs that differ in % of each layer's, {first.fraction_bits} fraction bits", columns, rows)


def ran(said: Mapping[str, str], notes: Sequence[str]) -> Table:
    """What a deployed file is, and what came out of it."""
    columns = [Column("what", "deployed network", "left"), Column("value", "", "left", prose=True)]
    return Table("file", "", columns, [Row([name, text]) for name, text in said.items()], notes=notes)


def preface(profile: Profile, refusal: str = "", weights: str = "") -> str:
    """The network, what it hides, what its weights are, why it cannot run, and what the tracer could not see."""
    color = use_color()
    said = [
        (weights, "warn"),
        (hidden_multiplications(profile), "warn"),
        (refusal, "bad"),
        *((text, "bad") for text in caveats(profile)),
    ]
    lines = [paint(title(profile, "deployed"), "title", color)]
    lines += [paint(line, style, color) for text, style in said if text for line in wrap(text)]
    return "\n".join(lines) + "\n"


def prices(made: Deployment, names: Sequence[str], options: Sequence[str], settings: Mapping[str, Any]) -> Table:
    """One inference on each target under each option. An FPGA keeps the kind of design that it has under the first."""
    from costmodel.targets import estimate

    priced: list[tuple[str, str, dict[str, float], bool]] = []
    notes = ["tied is priced as the network would be if it were trained so."] if "tied" in options else []
    for name in names:
        design: dict[str, Any] = dict(settings)
        found = []
        for option in options:
            answer = estimate(made.profile, name, scale=option, **design)
            if "mode" in answer.facts:
                design.setdefault("mode", answer.facts["mode"])
            totals = {m: answer.total(m).value for m in costs() if answer.has(m)}
            found.append(totals)
            priced.append((name, option, totals, answer.fits))
        if len(found) > 1 and all(totals == found[0] for totals in found):
            notes.append(f"{name}: its kernels apply a scale on the way out, whatever it is, at no extra cost.")
        if design.get("mode") == "engine" and "lut" in options:
            notes.append(f"{name}: the network runs on an engine with multipliers, which holds no tables.")
    metrics = [m for m in costs() if any(totals.get(m) for _, _, totals, _ in priced)]
    rows = [
        Row([name, option, *map(totals.get, metrics), "yes" if fits else "no"]) for name, option, totals, fits in priced
    ]
    columns = [Column("target", "target", "left"), Column("option", "scale", "left")]
    columns += [Column(m, numbers.metric_title(m), show=partial(numbers.metric_value, m, digits=4)) for m in metrics]
    columns.append(Column("fits", "fits"))
    if "lut" in options:
        notes.append("lut: its tables are in the memories that are priced.")
    title = "One inference on each target, by what replaces the multiplications"
    return Table("prices", title, columns, rows, notes=notes)


def _percent(value: Any) -> str:
    return "0" if value == 0 else f"{value:.4f}" if abs(value) < 0.1 else f"{value:.2f}"
