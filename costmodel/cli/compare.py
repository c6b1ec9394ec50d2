"""``costmodel compare``: networks side by side, and why different conventions give one network different figures."""

from __future__ import annotations

import argparse
from functools import partial

from costmodel.api import compare
from costmodel.cli import options
from costmodel.views import comparison, numbers
from costmodel.views.output import emit
from costmodel.views.progress import progress
from costmodel.views.text import use_color

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
    options.add(options.add_output(parser), "--bibtex")


def run(args: argparse.Namespace) -> int:
    settings, targets = options.settings(args), options.targets(args)
    with progress() as announce:
        made = compare(
            *options.requests(args), targets=targets, level=args.level, use_cache=not args.no_cache, announce=announce,
            **settings,
        )  # fmt: skip
    if args.format == "csv":
        emit([comparison.figures(made, args.conventions)], args.format, args.output)
        options.write_bibtex(args, (e for row in made.estimates for e in row))
        return 0
    tables = comparison.tables(made, numbers.exact if args.exact else numbers.count, args.conventions)
    color = args.output is None and use_color()
    emit(tables, args.format, args.output, partial(comparison.document, made), comparison.preface(made, color))
    options.write_bibtex(args, (e for row in made.estimates for e in row))
    return 0
