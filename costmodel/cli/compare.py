"""``costmodel compare``: networks side by side, and why different conventions give one network different figures."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel import api
from costmodel.cli import options
from costmodel.ledger.scales import with_scale
from costmodel.store.cache import Pricing
from costmodel.views import comparison, numbers, odds
from costmodel.views.output import emit
from costmodel.views.progress import progress
from costmodel.views.text import use_color

if TYPE_CHECKING:
    from costmodel.ledger.ledger import Profile
    from costmodel.targets.estimate import Estimate

HELP = "Set networks side by side, and say line by line why counting conventions disagree."
EXAMPLES = """\
examples:
  costmodel compare abbnn reactnet18 bireal18
  costmodel compare reactnet18 --conventions
  costmodel compare abbnn reactnet18 --target fpga --target arm
  costmodel compare abbnn-digits bn-digits --checkpoint abbnn-digits=abbnn-digits --trained
  costmodel compare quicknet my/net.py:build --input 1x3x224x224 --format markdown
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_network(parser)
    options.add_hardware(parser)
    group = parser.add_argument_group("the counts")
    group.add_argument("--conventions", action="store_true", help="reconcile all counting conventions, line by line")
    options.add(group, "--level", "--exact")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    settings, targets = options.settings(args), options.targets(args)
    level: Any = args.level.replace("-", "_")
    scale = settings.get("scale", "exact")
    profiles: list[Profile] = []
    estimates: list[list[Estimate]] = [[] for _ in targets]
    with progress() as announce:
        for request in options.requests(args):
            for target, row in zip(targets, estimates, strict=True):
                pricing = Pricing(request, target, level, settings)
                row.append(api.price(pricing, use_cache=not args.no_cache, announce=announce)[1])
            made = api.answer(request, use_cache=not args.no_cache, announce=announce)
            profiles.append(replace(made, deployed=with_scale(made.deployed, scale)))
    show = numbers.exact if args.exact else numbers.count
    if args.format == "csv":
        emit([comparison.figures(profiles, level, estimates, args.conventions)], args.format, args.output)
        return 0
    tables = comparison.tables(profiles, level, show)
    if args.conventions:
        tables += comparison.by_convention(profiles, show)
    for row in estimates:
        tables.append(comparison.costs(row))
        if (likely := odds.table(row)) is not None:
            tables.append(likely)
    color = args.output is None and use_color()
    document = partial(comparison.document, profiles, level, estimates)
    emit(tables, args.format, args.output, document, comparison.preface(profiles, color))
    return 0
