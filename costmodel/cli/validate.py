"""``costmodel validate``: estimates against measured and published figures, with baselines next to them."""

from __future__ import annotations

import argparse
from pathlib import Path

from costmodel.cli import options
from costmodel.errors import CostmodelError
from costmodel.views.output import emit
from costmodel.views.progress import progress

HELP = "Set estimates against measurements: errors, rank correlation, coverage of intervals, baselines."
EXAMPLES = """\
examples:
  costmodel validate
  costmodel validate arm --rows
  costmodel validate --format json -o validation.json
  costmodel validate arm fpga --figures figures/
  costmodel validate here --target ./this-machine.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kinds",
        nargs="*",
        metavar="KIND",
        help="counts, arm, cpu, fpga or asic (default: all of them); here: a target of this machine against it",
    )
    parser.add_argument("--rows", action="store_true", help="every row with its estimate, not only the scores")
    parser.add_argument("--figures", metavar="DIR", help="draw estimates against measurements into a folder")
    options.add(parser, "--target", "--network")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    if "here" in args.kinds:
        return _here(args)
    if args.target or args.network:
        raise CostmodelError("--target and --network: only `costmodel validate here` takes them")
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


def _here(args: argparse.Namespace) -> int:
    """A target that ``costmodel calibrate cpu`` made, against the machine."""
    from costmodel.cli.calibrate import one_thread

    if args.kinds != ["here"] or args.figures or len(args.target) != 1:
        raise CostmodelError(
            "validate here: give one --target, the file that `costmodel calibrate cpu` made, and no other kind"
        )
    one_thread()
    from costmodel.calibrate import here, machine
    from costmodel.calibrate import views as tables
    from costmodel.targets import load_target

    with progress() as announce:
        networks, layers = here.compare(load_target(args.target[0]), args.network, machine.ROUNDS, announce)
    shown = [tables.here(networks), tables.layers(layers if args.rows else layers[:12])]
    emit(shown, args.format, args.output)
    return 0
