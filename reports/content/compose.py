"""Which sections a report of each kind has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from costmodel.reports.content import answer, closing, evidence, hardware, networks
from costmodel.reports.content.bibliography import number
from costmodel.reports.content.blocks import (
    Bibliography,
    Block,
    Document,
    Heading,
    Paragraph,
    below,
    check,
    literal,
)
from costmodel.reports.content.sentences import join
from costmodel.reports.content.subject import Subject

Kind = Literal["network", "compare", "front", "target", "validation"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def document(subject: Subject, kind: Kind, date: str) -> Document:
    """The report of one kind. ``date`` is ISO 8601. Raises :class:`CostmodelError` where a reference leads nowhere."""
    title, blocks = _KINDS[kind](subject)
    behind = below(evidence.constants(subject)) if kind in ("network", "compare") and subject.hardware else []
    behind += below(closing.reproduction(subject))
    behind += below(closing.provenance(subject, [*blocks, *behind]))
    blocks += [Heading("Appendix"), *behind, Heading("References"), Bibliography()]
    words = [n.name for n in subject.networks] + [h.target.name for h in subject.hardware]
    made = Document(title, _SUBTITLES[kind], date, tuple(blocks), ("costmodel", "binary neural networks", *words))
    made = number(made, closing.own_sources(subject))
    check(made)
    return made


def _network(subject: Subject) -> tuple[str, list[Block]]:
    blocks = [*answer.answer(subject), *answer.multiplications(subject), *hardware.accuracy(subject)]
    blocks += hardware.comparison(subject) or []
    blocks += networks.per_layer(subject) + hardware.energy(subject) + networks.traffic(subject)
    blocks += networks.rewrites(subject) + (evidence.validation(subject) if subject.hardware else [])
    return _names(subject), blocks


def _compare(subject: Subject) -> tuple[str, list[Block]]:
    return _network(subject)


def _front(subject: Subject) -> tuple[str, list[Block]]:
    from costmodel.reports.content import fronts  # needs what explores, which the other kinds do not

    said: list[Block] = [Paragraph(" ".join(fronts.sentences(subject)), "answer")]
    names = list(dict.fromkeys(front.name for _, front in subject.fronts if front.name != "space"))  # of space.yaml
    title = " ".join(["Design spaces" if len(names) > 1 else "Design space", literal(join(names))]).strip()
    return title, said + fronts.fronts(subject) + (evidence.validation(subject) if subject.validation else [])


def _target(subject: Subject) -> tuple[str, list[Block]]:
    said = [
        f"{literal(h.target.title or h.target.name)} is priced from {len(h.target.constants)} constants, each "
        "with a source."
        for h in subject.hardware
    ]
    title = ", ".join(h.target.name for h in subject.hardware)
    blocks: list[Block] = [Paragraph(" ".join(said), "answer")]
    return title, blocks + evidence.validation(subject) + evidence.all_constants(subject)


def _validation(subject: Subject) -> tuple[str, list[Block]]:
    parts = []
    for kind, report in subject.validation.items():
        name = evidence.NAMES.get(kind, kind)
        errors = [s for s in report.summaries() if s.estimator == "costmodel" and s.split == "hold-out"]
        if errors:
            worst = max(errors, key=lambda s: s.mape)
            rows = sum(s.rows for s in errors)
            groups = f"{len(errors)} groups" if len(errors) > 1 else "one group"
            parts.append(
                f"{name}: {rows} hold-out figures in {groups} are met with a mean error of at most "
                f"{100 * worst.mape:.1f} % a group ({literal(worst.group)})."
            )
        else:
            parts.append(f"{name}: {len(report.results)} published figures are compared, none of them a hold-out.")
    said: list[Block] = [Paragraph(" ".join(parts), "answer")]
    return "Estimates against measurements", said + evidence.validation(subject, every_row=True)


def _names(subject: Subject) -> str:
    names = join([n.name for n in subject.networks])
    places = join([h.target.name for h in subject.hardware])
    return f"{names} on {places}" if places else names


_KINDS: dict[str, Callable[[Subject], tuple[str, list[Block]]]] = {
    "network": _network,
    "compare": _compare,
    "front": _front,
    "target": _target,
    "validation": _validation,
}
_SUBTITLES = {
    "network": "What it costs: operations, bits moved, hardware",
    "compare": "What they cost: operations, bits moved, hardware",
    "front": "Pareto-optimal designs",
    "target": "The constants of the hardware model",
    "validation": "How far the cost model can be believed",
}
