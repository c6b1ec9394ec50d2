"""``costmodel models``: the networks of the zoo, with what they cost, how accurate they are, and who says so."""

from __future__ import annotations

import argparse
from functools import partial

from costmodel.cli import options
from costmodel.views import networks
from costmodel.views.output import emit
from costmodel.zoo import registry

HELP = "List the networks of the zoo: parameters, operations as deployed, published accuracy, source."
EXAMPLES = """\
examples:
  costmodel models
  costmodel models '*react*' 'quicknet*'
  costmodel models '*cifar10' --format csv
  costmodel models '*digits' '*cifar10' --accuracy
  costmodel models cnv-w1a1 --accuracies mine.csv      (with figures of your own)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="names, or shell patterns in quotes")
    parser.add_argument("--describe", action="store_true", help="say in words what each network is")
    parser.add_argument("--accuracy", action="store_true", help="every accuracy known: measured, published, or given")
    options.add(parser, "--accuracies")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    given = options.accuracies(args)
    names = registry.matching(args.patterns or ["*"])
    if args.accuracy or given:
        figures = networks.figures_of(names, given, own=not args.patterns)
        emit([networks.accuracies(figures)], args.format, args.output, partial(networks.accuracy_document, figures))
        return 0
    table = networks.describe(names) if args.describe else networks.overview(names)
    emit([table], args.format, args.output, partial(networks.document, names))
    return 0
