"""``costmodel report``: a document about networks on hardware, for a design review or a paper's appendix."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from costmodel.cli.common import add_cache_argument, parse_pairs, progress
from costmodel.errors import CostmodelError

if TYPE_CHECKING:
    from costmodel.reports.content.compose import Kind

HELP = "Write a report: the answer, its tables and figures, every constant with its source, and how to make it again."
EXAMPLES = """\
examples:
  costmodel report --model abbnn --target fpga -o report.pdf
  costmodel report --model abbnn --model reactnet18 --target fpga --target arm --target asic -o report.pdf
  costmodel report --model abbnn --target fpga -o tables.tex           (booktabs, for pasting)
  costmodel report --kind front --front results -o front.html            (a folder of costmodel explore)
  costmodel report --kind validation -o validation.pdf --paper letter --date 2026-01-31

The same input and --date give the same bytes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = "a name of `costmodel models`, path/to/file.py:factory, or package.module:factory (repeatable)"
    parser.add_argument("--model", metavar="MODEL", action="append", default=[], help=where)
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        action="append",
        default=[],
        help="input of networks that are not of the zoo: 1x3x224x224 (repeatable)",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="[MODEL=]FILE",
        action="append",
        default=[],
        help="weights of a trained network; with MODEL= where several are given (repeatable)",
    )
    parser.add_argument(
        "--target",
        metavar="TARGET",
        action="append",
        default=[],
        help="a name of `costmodel targets`, or a YAML file (repeatable)",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="options",
        help="a choice that all targets have (repeatable)",
    )
    parser.add_argument(
        "--front",
        metavar="PATH",
        action="append",
        default=[],
        help="a front of `costmodel explore`, or the folder of its results (repeatable)",
    )
    parser.add_argument(
        "--kind", choices=("model", "compare", "front", "target", "validation"), help="default: by what is given"
    )
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="FILE", required=True, help="written whole or not at all")
    group.add_argument("--format", choices=("pdf", "html", "md", "latex"), help="default: by the name of FILE")
    group.add_argument("--paper", choices=("a4", "letter"), default="a4", help="default: a4")
    group.add_argument("--date", metavar="YYYY-MM-DD", help="date of the report (default: SOURCE_DATE_EPOCH, or today)")
    group.add_argument("--no-rivals", action="store_true", help="leave other published networks out of the trade-off")
    add_cache_argument(group)


def run(args: argparse.Namespace) -> int:
    from costmodel.reports import make

    format = make.format_of(args.output, args.format)
    make.check(args.output, format)
    day, kind = _day(args.date), _kind(args)
    from costmodel.collector import without_collector
    from costmodel.reports.content.compose import document
    from costmodel.reports.content.subject import gather

    with progress() as announce, without_collector():
        subject = gather(
            args.model,
            args.target,
            inputs=args.input,
            checkpoints=_checkpoints(args.checkpoint, args.model),
            options=parse_pairs(args.options, "--set"),
            command=_command(args, kind, format, day),
            fronts=args.front,
            rivals=not args.no_rivals,
            kinds=("counts", "arm", "fpga", "asic") if kind == "validation" and not args.target else (),
            use_cache=not args.no_cache,
            announce=announce,
        )
        announce("drawing and typesetting")
        path = make.write(document(subject, kind, day), args.output, format, args.paper)
    print(f"wrote {path}", file=sys.stderr)
    return 0


def _kind(args: argparse.Namespace) -> Kind:
    """What was asked for, else what the arguments are about; with all that this kind needs given."""
    kind = args.kind
    if kind is None:
        kind = "front" if args.front else ("compare" if len(args.model) > 1 else "model") if args.model else "target"
    needs = {
        "model": ("--model", args.model),
        "compare": ("--model", args.model[1:]),
        "front": ("--front", args.front),
        "target": ("--target", args.target),
        "validation": ("", [True]),
    }
    flag, given = needs[kind]
    if not given:
        more = " twice or more" if kind == "compare" else ""
        asked = f"--kind {kind}" if args.kind else "a report"
        raise CostmodelError(f"{asked} needs {flag}{more}; see: costmodel report --help")
    return kind  # type: ignore[no-any-return]


def _checkpoints(given: list[str], models: list[str]) -> dict[str, str]:
    """The file of weights for each model that has one."""
    found: dict[str, str] = {}
    for text in given:
        model, equals, path = text.partition("=")
        if not (equals and model in models):
            if len(models) != 1:
                raise CostmodelError(
                    f"--checkpoint {text}: say for which of the {len(models)} models, as MODEL=FILE with MODEL as given"
                )
            model, path = models[0], text
        if model in found:
            raise CostmodelError(f"--checkpoint: {model} is given two files, {found[model]} and {path}")
        found[model] = path
    return found


def _day(text: str | None) -> str:
    """The date of the report as ISO 8601."""
    if text is not None:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError as error:
            raise CostmodelError(f"--date {text!r}: expected YYYY-MM-DD, such as 2026-01-31") from error
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CostmodelError(f"SOURCE_DATE_EPOCH={epoch!r}: expected seconds since 1970, such as 1767225600") from error
    return moment.date().isoformat()


def _command(args: argparse.Namespace, kind: str, format: str, day: str) -> str:
    """The command that gives these bytes; the name of the file does not go into them."""
    words = ["costmodel", "report", "--kind", kind]
    for flag, values in (
        ("--model", args.model),
        ("--input", args.input),
        ("--checkpoint", args.checkpoint),
        ("--target", args.target),
        ("--set", args.options),
        ("--front", args.front),
    ):
        words += [word for value in values for word in (flag, value)]
    words += ["--no-rivals"] if args.no_rivals else []
    words += ["--paper", args.paper] if format == "pdf" else []
    ending = {"latex": "tex"}.get(format, format)
    return shlex.join([*words, "--format", format, "--date", day, "-o", f"report.{ending}"])
