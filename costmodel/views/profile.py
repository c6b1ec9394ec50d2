"""What ``costmodel profile`` says of a network: its tables in order, and the whole answer as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from costmodel.ledger.ledger import Ledger, Profile
from costmodel.views import answer, numbers
from costmodel.views.statements import caveats, hidden_multiplications, published
from costmodel.views.table import Column, Row, Table
from costmodel.views.words import title

if TYPE_CHECKING:
    from costmodel.ledger.conventions import Tally
    from costmodel.targets.estimate import Estimate


#: Version of what ``--format json`` says: it grows when a key goes or changes its meaning, not when one is added.
SCHEMA = 1
#: Levels of the tree of modules that are shown where no number is asked for.
DEPTH = 2


@dataclass(frozen=True)
class Asked:
    """What of a profile is wanted: ``by`` layer, module, kind or tag, levels of the tree, the rewrites, every constant,
    why the operands of each layer are of their ``kinds``.

    ``format`` decides what is left out: CSV has every layer. ``show`` writes a number of operations.
    """

    by: str | None = None
    depth: int | None = None
    rewrites: bool = False
    explain: bool = False
    tally: Tally | None = None
    format: str = "table"
    show: Callable[[Any], str] = numbers.count
    kinds: bool = False

    @property
    def nothing_more(self) -> bool:
        """Whether the first answer is all that is wanted."""
        wanted = self.by or self.depth or self.rewrites or self.explain or self.tally or self.kinds
        return not wanted and self.format != "csv"


def document(profile: Profile, ledger: Ledger, estimates: list[Estimate], tally: Tally | None = None) -> dict[str, Any]:
    """The whole answer, for JSON."""
    from costmodel.views import bill

    by_layer = ledger.by_layer()
    answer: dict[str, Any] = {
        "schema": SCHEMA,
        "network": profile.network,
        "inputs": [list(shape) for shape in profile.input_shapes],
        "parameters": profile.parameters,
        "level": ledger.level,
        "totals": {"as_written": profile.as_written.by_kind(), "deployed": profile.deployed.by_kind()},
        "by_tag": [{"kind": k, "tag": t, "count": n} for (k, t), n in ledger.by_kind_and_tag().items()],
        "weight_bits": ledger.weight_bits(),
        "bits_moved": {role: ledger.bits_moved(role) for role in ("weight", "parameter", "input", "output")},
        "layers": [
            {
                "index": layer.index,
                "module": layer.module,
                "call": layer.call,
                "op": layer.op,
                "output": list(layer.shape_out),
                "operands": [str(layer.a), str(layer.b)] if layer.b else [str(layer.a)],
                "macs": layer.macs,
                "counts": by_layer[layer.index],
            }
            for layer in ledger.layers
        ],
        "rewrites": [
            {"name": r.name, "module": r.module, "removed": dict(r.removed), "why": r.why} for r in profile.rewrites
        ],
        "caveats": [{"kind": c.kind, "module": c.module, "message": c.message} for c in profile.caveats],
        "statement": hidden_multiplications(profile),
        "estimates": [bill.document(estimate) for estimate in estimates],
        "provenance": profile.provenance,
    }
    if tally is not None:
        answer["convention"] = {
            "name": tally.convention.name,
            "unit": tally.convention.unit,
            "total": tally.number,
            "terms": {term: float(value) for term, value in tally.by_term().items()},
            "published": published(profile, numbers.exact, tally.convention.name),
        }
    return answer


def tables(made: Profile, ledger: Ledger, estimates: Sequence[Estimate], asked: Asked) -> list[Table]:
    """The first answer where nothing more is asked for, else what is: layers, kinds, rewrites, explanations."""
    if asked.nothing_more:
        return answer.first(made, ledger, estimates)
    from costmodel.views import bill, counts

    whole = asked.format == "csv"  # programs get every layer
    depth = asked.depth or (None if whole else DEPTH)
    if asked.tally is not None:
        found = [_by_convention(made, asked.tally, asked.show)]
    elif whole and estimates and asked.by in (None, "layer"):
        return [bill.joined(ledger, estimates, depth)]
    elif asked.by == "layer" or (whole and asked.by is None):
        found = [counts.by_layer(ledger, asked.show, depth, fold=not whole)]
        found += [bill.by_layer(estimate, ledger, depth, fold=not whole) for estimate in estimates]
    elif asked.by is not None:
        found = [
            {"module": counts.by_module, "kind": counts.by_kind, "tag": counts.by_tag}[asked.by](ledger, asked.show)
        ]
    else:
        found = []
    if asked.rewrites:
        found += [counts.levels(made, asked.show), counts.rewrites(made, asked.show)]
    if asked.kinds:
        found.append(counts.kinds(ledger))
    if asked.explain:
        found.append(counts.traffic(ledger))
        for estimate in estimates:
            found += [bill.totals(estimate), bill.components(estimate), bill.constants(estimate)]
    alerts = [text for text in (hidden_multiplications(made), *caveats(made)) if text]
    if asked.tally is not None:
        return [replace(found[0], alerts=alerts), *found[1:]]
    if found[0].title:  # it says what it is, and not of which network
        return [Table("profile", title(made, ledger.level), [], [], alerts=alerts), *found]
    return [replace(found[0], title=title(made, ledger.level), alerts=alerts), *found[1:]]


def _by_convention(made: Profile, tally: Tally, show: Any) -> Table:
    totals = tally.by_term()
    terms = list(totals)
    rows = [
        Row([module or "(network)", *(values.get(term, 0) for term in terms), sum(values.values())])
        for module, values in tally.by_module().items()
    ]
    columns = [Column("module", "module", "left"), *(Column(t, t, show=_weighted(show)) for t in terms)]
    columns.append(Column("value", tally.convention.unit, show=_weighted(show)))
    footer = Row(["total", *(totals[term] for term in terms), tally.total], "bold")
    chosen = tally.convention
    title = f"{made.network}   {chosen.name}: {chosen.title}"
    notes = [chosen.why, f"source: {chosen.source}", *published(made, show, chosen.name)]
    return Table("convention", title, columns, rows, [footer], notes)


def _weighted(show: Any) -> Any:
    return lambda value: show(int(value)) if value == int(value) else numbers.engineering(float(value))
