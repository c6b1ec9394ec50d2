"""``costmodel validate``: estimates against measured and published figures, with baselines next to them."""

from __future__ import annotations

import argparse
from pathlib import Path

from costmodel.cli import options
from costmodel.views.output import emit
from costmodel.views.progress import progress

HELP = "Set estimates against measurements: errors, rank correlation, coverage of intervals, baselines."
EXAMPLES = """\
examples:
  costmodel validate
  costmodel validate arm --rows
  costmodel validate --format json -o validation.json
  costmodel validate arm fpga --figures figures/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="counts, arm, fpga or asic (default: all of them)")
    parser.add_argument("--rows", action="store_true", help="every row with its estimate, not only the scores")
    parser.add_argument("--figures", metavar="DIR", help="draw estimates against measurements into a folder")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    from costmodel.validate import KINDS, validate, views

    if args.figures:
        from costmodel.validate.figures import draw, folder_for

        figures = folder_for(Path(args.figures))  # before anything that takes time
    with progress() as announce:
        report = validate(args.kinds or KINDS, announce)
    tables = [views.every_row(report)] if args.rows and args.format == "csv" else views.tables(report, args.rows)
    emit(tables, args.format, args.output, report.to_dict)
    if args.figures:
        for path in draw(report, figures):
            print(f"wrote {path}")
    return 0
