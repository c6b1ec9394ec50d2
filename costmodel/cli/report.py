"""``costmodel report``: a document about networks on hardware, for a design review or a paper's appendix."""

from __future__ import annotations

import argparse
import sys

from costmodel.cli import options
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.views.progress import progress

HELP = "Write a report: the answer, its tables and figures, every constant with its source, and how to make it again."
EXAMPLES = """\
examples:
  costmodel report abbnn --target fpga -o report.pdf
  costmodel report abbnn reactnet18 --target fpga --target arm --target asic -o report.pdf
  costmodel report abbnn --target fpga -o tables.tex             (booktabs, for pasting)
  costmodel report --sweep results -o front.html                 (a folder of costmodel explore)
  costmodel report --kind validation -o validation.pdf --paper letter --date 2026-01-31

The same input and --date give the same bytes.
"""
KINDS = ("network", "compare", "front", "target", "validation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_network(parser)
    options.add_hardware(parser)
    group = parser.add_argument_group("the report")
    options.add(group, "--level", "--sweep", "--accuracies")
    group.add_argument("--kind", choices=KINDS, help="default: by what is given")
    group.add_argument("--no-rivals", action="store_true", help="leave other published networks out of the trade-off")
    group = parser.add_argument_group("output")
    options.add(group, "--output", required=True)
    options.add(group, "--format", choices=("pdf", "html", "markdown", "latex"), default=None)
    group.add_argument("--paper", choices=("a4", "letter"), default="a4", help="of a PDF (default: a4)")
    group.add_argument("--date", metavar="YYYY-MM-DD", help="date of the report (default: SOURCE_DATE_EPOCH, or today)")


def run(args: argparse.Namespace) -> int:
    from costmodel.reports import make

    make.check(args.output, make.format_of(args.output, args.format))  # before the renderers are imported
    networks, settings = list(dict.fromkeys([*args.models, *args.named])), options.settings(args)
    from costmodel.reports.verb import report

    with progress() as announce:
        path = report(
            args.output, networks, options.targets(args), kind=args.kind, sweeps=args.sweep, format=args.format,
            paper=args.paper, date=args.date, inputs=args.input, checkpoints=options.checkpoints(args, networks),
            arguments=options.arguments(args, networks), trained=args.trained, seed=args.seed,
            meta=args.meta, threshold_bits=args.threshold_bits, argv=options.words(args.model_argv, "--model-argv"),
            level=args.level, rivals=not args.no_rivals, accuracies=args.accuracies, use_cache=not args.no_cache,
            announce=announce, given=_given(args), **settings,
        )  # fmt: skip
    print(f"wrote {path}", file=sys.stderr)
    return 0


def _given(args: argparse.Namespace) -> dict[str, list[str]]:
    """What else was given that decides the report, by flag."""
    given = {
        "--model-args": args.model_args, "--input": args.input, "--checkpoint": args.checkpoint,
        "--target": args.target, "--set": args.options, "--sweep": args.sweep,
        "--accuracies": args.accuracies,
    }  # fmt: skip
    flags = (("--bits", args.bits), ("--fps", args.fps), ("--folding", args.folding))
    given |= {flag: [str(value)] for flag, value in flags if value}
    given |= {"--scale": [args.scale]} if args.scale != "exact" else {}
    given |= {"--seed": [str(args.seed)]} if args.seed else {}
    given |= {"--model-argv": [args.model_argv]} if args.model_argv else {}
    given |= {flag: [""] for flag, on in (("--trained", args.trained), ("--meta", args.meta)) if on}
    changed = args.threshold_bits != THRESHOLD_BITS
    given |= {"--threshold-bits": [str(args.threshold_bits)]} if changed else {}
    given |= {"--level": [args.level]} if args.level != "deployed" else {}
    return given
