"""What ``costmodel profile`` says of a network: its tables in order, and the whole answer as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costmodel.ledger.conventions import Tally
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.views import bill, counts, numbers
from costmodel.views.statements import caveats, hidden_multiplications, published
from costmodel.views.table import Column, Row, Table

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate


#: Version of what ``--format json`` says: it grows when a key goes or changes its meaning, not when one is added.
SCHEMA = 1


def document(profile: Profile, ledger: Ledger, estimates: list[Estimate], tally: Tally | None = None) -> dict[str, Any]:
    """The whole answer, for JSON."""
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
        "estimates": [bill.document(estimate, ledger) for estimate in estimates],
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


def tables(
    made: Profile,
    ledger: Ledger,
    estimates: Sequence[Estimate],
    tally: Tally | None,
    show: Any,
    *,
    by: str = "layer",
    depth: int | None = None,
    explain: bool = False,
    joined: bool = False,
) -> list[Table]:
    """The counts ``by`` layer, module, kind or tag, what the rewrites removed, the traffic, and each target.

    ``joined`` puts counts and costs of each layer into one table, for CSV.
    """
    if tally is not None:
        main = _by_convention(made, tally, show)
    elif by == "layer" and joined and estimates:
        return [bill.joined(ledger, estimates, depth)]
    elif by == "layer":
        main = counts.by_layer(ledger, show, depth)
    else:
        main = {"module": counts.by_module, "kind": counts.by_kind, "tag": counts.by_tag}[by](ledger, show)
    alerts = [text for text in (hidden_multiplications(made), *caveats(made)) if text]
    found = [replace(main, title=main.title or counts.title(made, ledger.level), alerts=alerts)]
    if tally is None:
        found += [counts.levels(made, show)] + ([counts.rewrites(made, show)] if made.rewrites else [])
        found.append(counts.traffic(ledger))
    for estimate in estimates:
        if by == "layer":
            found.append(bill.by_layer(estimate, ledger, depth))
        found.append(bill.totals(estimate))
        if explain:
            found += [bill.components(estimate), bill.constants(estimate)]
    return found


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
