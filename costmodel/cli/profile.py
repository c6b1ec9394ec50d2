"""``costmodel profile``: what a network does, layer by layer, and what that costs on hardware."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel import api
from costmodel.cli.common import (
    add_model_arguments,
    add_output_arguments,
    add_target_arguments,
    emit,
    parse_pairs,
    progress,
    target_options,
)
from costmodel.ledger.conventions import Tally, convention, list_conventions
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.ledger.scales import SCALE_OPTIONS, with_scale
from costmodel.store.cache import Pricing
from costmodel.views import bill, counts, numbers
from costmodel.views.statements import caveats, hidden_multiplications, published
from costmodel.views.table import Column, Row, Table

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate

HELP = "Count what a network does, layer by layer, and price it on hardware."
EXAMPLES = """\
examples:
  costmodel profile --model abbnn --target fpga
  costmodel profile --model reactnet18 --convention paper-abbnn
  costmodel profile --model my/net.py:build --model-args width=0.5 --input 1x3x32x32
  costmodel profile --model timm.models:resnet18 --input 1x3x224x224 --by kind
  costmodel profile --model abbnn --target fpga --fps 1000 --set clock=200e6 --explain
  costmodel profile --model abbnn --format json -o abbnn.json

exit status: 0; 1 with --strict where something could not be counted; 2 for bad input
"""

#: Caveats after which the counts are not the whole truth.
INCOMPLETE = ("unknown_op", "foreign", "branch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    add_target_arguments(parser)
    group = parser.add_argument_group("the counts")
    level = "after the exact rewrites of deployment (default), or as the Python is written"
    group.add_argument("--level", choices=("deployed", "as-written"), default="deployed", help=level)
    ways = "what multiplies by the scale of binary weights: an exact multiplication (default), or what takes its place"
    group.add_argument("--scale", choices=SCALE_OPTIONS, default="exact", help=ways)
    how = f"how to count: {', '.join(list_conventions())} (default: strict)"
    group.add_argument("--convention", metavar="NAME", default="strict", help=how)
    group.add_argument("--by", choices=("layer", "module", "kind", "tag"), default="layer", help="default: layer")
    group.add_argument("--depth", type=_positive, metavar="N", help="show the tree of modules down to N levels")
    group.add_argument("--exact", action="store_true", help="all digits: 118,013,952 and not 118.0M")
    group.add_argument("--explain", action="store_true", help="the constants behind each estimate, with their sources")
    group.add_argument("--strict", action="store_true", help="exit with status 1 where something could not be counted")
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    chosen = convention(args.convention)
    options = target_options(args)
    scale = options.setdefault("scale", args.scale)
    if scale == "exact":
        del options["scale"]
    level: Any = args.level.replace("-", "_")
    request = api.make_request(
        args.model, args.input or None, arguments=parse_pairs(args.model_args, "--model-args"),
        checkpoint=args.checkpoint, trained=args.trained,
    )  # fmt: skip
    estimates = []
    with progress() as announce:
        for target in args.target:
            pricing = Pricing(request, target, level, options)
            estimates.append(api.price(pricing, use_cache=not args.no_cache, announce=announce)[1])
        made = api.answer(request, use_cache=not args.no_cache, announce=announce)
    made = replace(made, deployed=with_scale(made.deployed, scale))
    ledger = made.ledger(level)
    show = numbers.exact if args.exact else numbers.count
    tally = None if args.convention == "strict" else chosen.count(made)
    tables = _tables(made, ledger, estimates, tally, args, show)
    if scale != "exact":
        said = f"Multiplications by constants that are left after the exact rewrites are replaced: {scale}."
        tables[0] = replace(tables[0], alerts=[said, *tables[0].alerts])
    emit(tables, args, partial(document, made, ledger, estimates, tally))
    return 1 if args.strict and incomplete(made) else 0


#: Version of what ``--format json`` says: it grows when a key goes or changes its meaning, not when one is added.
SCHEMA = 1


def incomplete(profile: Profile) -> bool:
    """Whether anything in the network could not be counted."""
    return bool(profile.deployed.unknown() or profile.as_written.unknown()) or any(
        caveat.kind in INCOMPLETE for caveat in profile.caveats
    )


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


def _tables(
    made: Profile, ledger: Ledger, estimates: list[Estimate], tally: Tally | None, args: argparse.Namespace, show: Any
) -> list[Table]:
    if tally is not None:
        main = _by_convention(made, tally, show)
    elif args.by == "layer" and args.format == "csv" and estimates:
        return [bill.joined(ledger, estimates, args.depth)]
    elif args.by == "layer":
        main = counts.by_layer(ledger, show, args.depth)
    else:
        main = {"module": counts.by_module, "kind": counts.by_kind, "tag": counts.by_tag}[args.by](ledger, show)
    alerts = [text for text in (hidden_multiplications(made), *caveats(made)) if text]
    tables = [replace(main, title=main.title or counts.title(made, ledger.level), alerts=alerts)]
    if tally is None:
        tables += [counts.levels(made, show)] + ([counts.rewrites(made, show)] if made.rewrites else [])
        tables.append(counts.traffic(ledger))
    for estimate in estimates:
        if args.by == "layer":
            tables.append(bill.by_layer(estimate, ledger, args.depth))
        tables.append(bill.totals(estimate))
        if args.explain:
            tables += [bill.components(estimate), bill.constants(estimate)]
    return tables


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


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
