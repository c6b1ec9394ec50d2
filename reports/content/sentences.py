"""The answer in three sentences: how much it multiplies, what it costs on the hardware, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.ledger.conventions import convention
from costmodel.metrics import leading
from costmodel.reports.content.blocks import literal
from costmodel.reports.content.subject import Hardware, Network, Subject
from costmodel.views import numbers

#: From this probability on, one of two is said to be the cheaper.
DECIDED = 0.6
#: Up to so many networks the sentences name each; of more, those at the ends.
EACH = 2


def sentences(subject: Subject) -> list[str]:
    """Three sentences that can be read on their own."""
    return [_multiplies(subject.networks), _costs(subject), _sure(subject)]


def certainty(probability: float) -> str:
    """A probability in per cent; never certainty where the sample cannot show it."""
    if probability >= 0.9995:
        return "over 99.9 %"
    return f"{100 * probability:.1f} %"


def join(parts: Sequence[str], word: str = "and") -> str:
    """Parts of a sentence: ``a, b and c``."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _multiplies(networks: Sequence[Network]) -> str:
    if not networks:
        return "No network was asked for."
    by_strict = sorted(networks, key=lambda n: n.profile.deployed.total("mul"))
    if len(networks) > EACH:
        ends = [f"**{n.profile.deployed.total('mul'):,}** ({literal(n.name)})" for n in (by_strict[0], by_strict[-1])]
        return f"The {len(networks)} networks execute from {ends[0]} to {ends[1]} multiplications per image."
    parts = []
    for n in networks:
        strict = n.profile.deployed.total("mul")
        paper = int(convention("paper-abbnn").count(n.profile).total)
        parts.append(
            f"{literal(n.name)} executes **{strict:,}** multiplications per image ({paper:,} by the rule of the A&B "
            "BNN paper)"
        )
    return join(parts) + "."


def _costs(subject: Subject) -> str:
    parts = []
    for h in subject.hardware:
        if len(h.estimates) > EACH:
            metric = decisive(h)
            if not metric:
                continue
            priced = sorted((e.total(metric).value, e.network) for e in h.estimates if metric in e.metrics())
            ends = [f"{numbers.metric_value(metric, v)} ({literal(name)})" for v, name in (priced[0], priced[-1])]
            parts.append(f"from {ends[0]} to {ends[1]} on {literal(h.target.name)}")
            continue
        costs = []
        for e in h.estimates:
            totals = e.totals()
            shown = [numbers.metric_value(m, totals[m].value) for m in ("latency_s", "energy_J") if m in totals]
            if shown:
                name = f" ({literal(e.network)})" if len(h.estimates) > 1 else ""
                costs.append(" and ".join(shown) + name)
        if costs:
            parts.append(f"{join(costs, 'or')} on {literal(h.target.name)}")
    return f"An image costs {'; '.join(parts)}." if parts else "No hardware was asked for, so nothing is priced."


def _sure(subject: Subject) -> str:
    if not subject.hardware:
        return "Counts are exact: they carry no interval."
    return (len(subject.networks) > 1 and _cheaper(subject)) or _bounds(subject)


def _cheaper(subject: Subject) -> str:
    """Which network needs least of the decisive metric on which target, with what probability; else nothing."""
    from costmodel.targets.uncertainty import probability_cheaper

    won: dict[tuple[str, str], list[str]] = {}
    undecided = []
    for h in subject.hardware:
        metric = decisive(h)
        priced = sorted((e for e in h.estimates if metric in e.metrics()), key=lambda e: e.total(metric).value)
        if len(priced) < 2:
            continue
        p = probability_cheaper(priced[0], priced[1], metric)
        if p < DECIDED:
            undecided.append(literal(h.target.name))
            continue
        what = "energy" if metric == "energy_J" else "time"
        place = f"{literal(h.target.name)} (probability {certainty(p)})"
        won.setdefault((priced[0].network, what), []).append(place)
    many = len(subject.networks) > 2
    parts = [
        f"{literal(name)} needs {'the least' if many else 'less'} {what} on {join(places)}"
        for (name, what), places in won.items()
    ]
    if undecided:
        start = "the" if won else "The"
        least = "the least" if many else "less"
        parts.append(f"{start} bounds of the constants do not tell which needs {least} on {join(undecided)}")
    return "; ".join(parts) + "." if parts else ""


def _bounds(subject: Subject) -> str:
    spans = []
    for h in subject.hardware:
        metric = decisive(h)
        for e in h.estimates[:1]:
            v = e.total(metric) if metric in e.metrics() else None
            if v and v.value:
                low, high = (numbers.metric_value(metric, x) for x in (v.low, v.high))
                spans.append(f"{low} to {high} on {literal(h.target.name)}")
    return f"The bounds of the constants leave {join(spans)}." if spans else "The estimates carry no interval."


def decisive(hardware: Hardware) -> str:
    """The metric that an answer is about: energy where a target prices it, else time."""
    return leading(m for e in hardware.estimates for m in e.metrics())
