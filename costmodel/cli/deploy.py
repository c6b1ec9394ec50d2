"""``costmodel deploy``: the deployed network, checked against PyTorch, run in fixed point, and written to a file."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from costmodel.cli import options
from costmodel.errors import CostmodelError
from costmodel.ledger.scales import FRACTION_BITS
from costmodel.views import counts, numbers
from costmodel.views.output import emit
from costmodel.views.progress import progress

if TYPE_CHECKING:
    from costmodel.trial import Images, Trial, Wanted
    from costmodel.views.table import Table

HELP = "Rewrite a network for deployment, prove it by running it, and write it to a compact file."
EXAMPLES = """\
examples:
  costmodel deploy abbnn-reactnet18-cifar10
  costmodel deploy abbnn --checkpoint abbnn.safetensors -o abbnn.deployed.safetensors
  costmodel deploy abbnn --scale csd3 --fraction-bits 12 --target asic-45nm-horowitz --target zcu102
  costmodel deploy abbnn --scale 'stages.*=csd2,stages.3*=lut' --target zcu102
  costmodel deploy abbnn --scale all --target all
  costmodel deploy abbnn-reactnet18-cifar10 --checkpoint best.safetensors --data cifar10 --fraction-bits all
  costmodel deploy abbnn.deployed.safetensors --data cifar10
  costmodel deploy abbnn-reactnet18-cifar10 --qonnx abbnn.onnx

-o writes the packed network. The last but one reads such a file and runs it without PyTorch.
exit status: 0; 1 with --strict where the deployed network is not exact; 2 for bad input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_network(parser, more=", or a deployed file")
    group = parser.add_argument_group("the number format")
    options.add(group, "--scale")
    bits = f"bits behind the point of the residual stream (default: {FRACTION_BITS}); all: compare 4 to 24"
    group.add_argument("--fraction-bits", type=_bits, default=FRACTION_BITS, metavar="N", help=bits)
    group = parser.add_argument_group("what it is judged on")
    options.add(group, "--data", "--data-dir")
    pixels = "0 to 1, or of mean 0 and deviation 1 (default: by network)"
    group.add_argument("--pixels", choices=("unit", "standardised"), help=pixels)
    group.add_argument("--images", type=options.COUNT, metavar="N", help="how many images (default: 8; of a file all)")
    group = parser.add_argument_group("the hardware")
    options.add(group, "--target", "--set", "--bits", "--fps", "--folding")
    group = options.add_output(parser)
    group.add_argument("--qonnx", metavar="FILE", help="write a QONNX graph; needs the extra `export`")
    options.add(group, "--strict")


def run(args: argparse.Namespace) -> int:
    from costmodel.views import deployment as views

    if not args.data:
        given = {"--data-dir": args.data_dir, "--pixels": args.pixels}
        options.refuse([flag for flag, value in given.items() if value], "is of a data set: give --data as well")
    path = Path(options.model(args))
    if path.suffix == ".safetensors" or path.is_file():
        from costmodel.trial import run_file

        _refuse_what_needs_a_network(args)
        ran = run_file(path, _wanted(args))
        emit([views.ran(ran.said, ran.notes)], args.format)
        return 0
    if "all" in (args.scale, args.fraction_bits) and (args.output or args.qonnx):
        flag = "--scale" if args.scale == "all" else "--fraction-bits"
        raise CostmodelError(f"{flag} all compares; choose one to write a file, such as --scale exact or pow2")
    settings = options.settings(args, all_scales=True)
    from costmodel import trial

    with progress() as announce:
        found = trial.attempt(options.request(args), announce, must_run=bool(args.output or args.qonnx))
        tables = [counts.levels(found.made.profile, numbers.plain)]
        if found.made.profile.rewrites:
            tables.append(counts.rewrites(found.made.profile, numbers.plain))
        if found.verdict is None:
            emit(tables, args.format, preface=views.preface(found.made.profile, found.refusal, found.weights))
            return int(args.strict)
        judged = trial.images(found.made, _wanted(args))
        if found.weights == trial.RANDOM:
            judged = replace(judged, labels=None)
        announce("running in fixed point")
        tables += [views.verdict_table(found.verdict), *_effects(args, found, judged)]
        if args.target:
            announce("pricing")
            ways = trial.scales("all") if args.scale == "all" else tuple(dict.fromkeys(("exact", args.scale)))
            settings.pop("scale", None)
            tables.append(views.prices(found.made, options.targets(args), ways, settings))
        bits = FRACTION_BITS if args.fraction_bits == "all" else args.fraction_bits
        written = trial.write(found, args.scale, bits, args.output, args.qonnx)
    emit(tables, args.format, preface=views.preface(found.made.profile, "", found.weights))
    if args.format == "table":
        for line in written:
            print(line)
    return int(args.strict and not found.verdict.exact)


def _refuse_what_needs_a_network(args: argparse.Namespace) -> None:
    """A file that was written is run as it is."""
    given = {
        "--scale": args.scale != "exact", "--fraction-bits": args.fraction_bits != FRACTION_BITS, "-o": args.output,
        "--qonnx": args.qonnx, "--target": args.target, "--checkpoint": args.checkpoint, "--input": args.input,
        "--model-args": args.model_args, "--trained": args.trained, "--strict": args.strict,
    }  # fmt: skip
    options.refuse(
        [flag for flag, value in given.items() if value], "does not act on a deployed file, which is run as it is"
    )


def _effects(args: argparse.Namespace, found: Trial, judged: Images) -> list[Table]:
    from costmodel import trial
    from costmodel.views import deployment as views

    every = args.fraction_bits == "all"
    effects = trial.effects(found.made, args.scale, FRACTION_BITS if every else args.fraction_bits, judged)
    labelled = judged.labels is not None
    title = f"In fixed point, against double precision, on {judged.about}"
    tables = [views.effects("effect", title, effects, found.made, labelled), views.flips(effects)]
    if every:
        swept = trial.sweep(found.made, args.scale, judged)
        title = f"Fraction bits, scale {swept[0].option}, {judged.about}"
        tables.append(views.effects("sweep", title, swept, found.made, labelled))
    return tables


def _wanted(args: argparse.Namespace) -> Wanted:
    from costmodel.trial import Wanted

    return Wanted(args.data, args.data_dir, args.pixels, args.images, args.seed)


def _bits(text: str) -> int | str:
    return "all" if text == "all" else options.whole(1, 40)(text)
