"""``costmodel profile``: what a network does, layer by layer, and what that costs on hardware."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel.cli import options

if TYPE_CHECKING:
    from costmodel.ledger.conventions import Convention

HELP = "Count what a network does, layer by layer, and price it on hardware."
EXAMPLES = """\
examples:
  costmodel profile abbnn --target fpga
  costmodel profile reactnet18 --convention paper-abbnn
  costmodel profile my/net.py:build --model-args width=0.5 --input 1x3x32x32
  costmodel profile timm.models:resnet18 --input 1x3x224x224 --by kind
  costmodel profile abbnn --target fpga --fps 1000 --set clock=200e6 --explain
  costmodel profile abbnn --format json -o abbnn.json
  costmodel profile abbnn --target fpga --by layer --format latex -o table.tex --bibtex sources.bib

exit status: 0; 1 with --strict where something could not be counted; 2 for bad input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_network(parser)
    options.add_hardware(parser)
    group = parser.add_argument_group("the counts")
    options.add(group, "--level")
    how = (
        "how to count: strict (default), or as papers and tools do; `costmodel compare MODEL --conventions` lists them"
    )
    group.add_argument("--convention", metavar="NAME", default="strict", help=how)
    group.add_argument("--by", choices=("layer", "module", "kind", "tag"), help="every layer, or sums of them")
    group.add_argument(
        "--depth", type=options.COUNT, metavar="N", help="the tree of layers, N levels of it (default: 2)"
    )
    group.add_argument("--rewrites", action="store_true", help="what the exact rewrites of deployment removed, and why")
    kinds = "why the operands of each layer are binary, ternary, integers or real: the rule, or what was observed"
    group.add_argument("--kinds", action="store_true", help=kinds)
    options.add(group, "--exact")
    explain = "memory traffic, and every figure of each target with its constants, their sources and the assumptions"
    group.add_argument("--explain", action="store_true", help=explain)
    options.add(group, "--strict")
    options.add(options.add_output(parser), "--bibtex")


def run(args: argparse.Namespace) -> int:
    from costmodel import api
    from costmodel.store.cache import Pricing
    from costmodel.views import numbers
    from costmodel.views import profile as views
    from costmodel.views.output import emit
    from costmodel.views.progress import progress
    from costmodel.views.statements import incomplete

    chosen = _convention(args.convention)
    settings, targets = options.settings(args), options.targets(args)
    level: Any = args.level.replace("-", "_")
    request = options.request(args)
    estimates = []
    with progress() as announce:
        for target in targets:
            pricing = Pricing(request, target, level, settings)
            estimates.append(api.price(pricing, use_cache=not args.no_cache, announce=announce)[1])
        made = api.answer(request, use_cache=not args.no_cache, announce=announce)
    scale = settings.get("scale", "exact")
    if scale != "exact":
        from costmodel.ledger.scales import with_scale

        made = replace(made, deployed=with_scale(made.deployed, scale))
    ledger = made.ledger(level)
    asked = views.Asked(
        "layer" if args.depth else args.by, args.depth, args.rewrites, args.explain,
        chosen.count(made) if chosen is not None else None, args.format, numbers.exact if args.exact else numbers.count,
        args.kinds,
    )  # fmt: skip
    tables = views.tables(made, ledger, estimates, asked)
    if scale != "exact":
        said = f"Multiplications by constants that are left after the exact rewrites are replaced: {scale}."
        tables[0] = replace(tables[0], alerts=[said, *tables[0].alerts])
    emit(tables, args.format, args.output, partial(views.document, made, ledger, estimates, asked.tally))
    options.write_bibtex(args, estimates)
    return 1 if args.strict and incomplete(made) else 0


def _convention(name: str) -> Convention | None:
    """The convention of that name; None for the strict count, which is the ledger itself."""
    if name == "strict":
        return None
    from costmodel.ledger.conventions import convention

    return convention(name)
