"""``costmodel targets``: the hardware that networks can be priced on, and where each of its constants comes from."""

from __future__ import annotations

import argparse
from functools import partial

from costmodel.cli import options
from costmodel.errors import CostmodelError
from costmodel.views import hardware
from costmodel.views.output import emit

HELP = "List hardware targets, or show every constant of one with its interval and its source."
EXAMPLES = """\
examples:
  costmodel targets
  costmodel targets fpga
  costmodel targets fpga --format markdown -o fpga.md
  costmodel targets ./my-device.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", default=[], help="a target, or the path of a YAML file")
    options.add(parser, "--target")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    names = list(dict.fromkeys([*args.names, *args.target]))
    if not names or "all" in names:
        emit([hardware.listing()], args.format, args.output)
        return 0
    if len(names) > 1:
        raise CostmodelError(f"targets {', '.join(names)}: give one, or none to list all")
    from costmodel.targets import load_target

    target = load_target(names[0])
    document = partial(hardware.document, target)
    emit(hardware.tables(target), args.format, args.output, document, hardware.preface(target, args.output is None))
    return 0
