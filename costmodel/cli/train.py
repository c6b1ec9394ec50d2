"""``costmodel train``: train networks of the zoo, in slices of time if need be, and record what they reach."""

from __future__ import annotations

import argparse

from costmodel.cli import options
from costmodel.views.output import emit

HELP = "Train a network, resume it, and record its accuracy."

EXAMPLES = """\
examples:
  costmodel train abbnn --data digits                                  a minute on one core, no data to fetch
  costmodel train abbnn --data cifar10 --data-dir DIR --minutes 9      the published recipe, in slices of 9 minutes
  costmodel train abbnn bireal18 --data cifar10 --seed 0 1 2 --parallel 3
  costmodel train resnet18 --data cifar10 --recipe teacher -o runs
  costmodel train abbnn --data cifar10 --recipe beyond --teacher runs/resnet18-cifar10-teacher-s0/final.safetensors
  costmodel train net.py:build --data mnist --recipe one-step          a network of your own
  costmodel train --plan cifar10-table --minutes 9                     all cells of a table, one command again and again
  costmodel train --plan beyond --width 0.125 --epochs 1               the same plan at a small size

Give the same command again to go on where it stopped. The exit status is 0 when all runs are done, 3 when time was up
before that.
"""

#: Exit status when the time limit came before the end: the same command goes on.
PAUSED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "a network of the zoo or a family such as abbnn (see: costmodel models), or path/to/net.py:factory"
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[], help=what)
    options.add(parser, "--model", "--model-args", "--input", "--data", "--data-dir")
    parser.add_argument("--download", action="store_true", help="fetch a missing data set from its official address")
    parser.add_argument("--recipe", help="a recipe by name, or FILE.yaml (default: by data set and network)")
    parser.add_argument("--recipes", action="store_true", help="list the recipes and exit")
    parser.add_argument("--plan", help="a list of runs by name, or FILE.yaml; with --width and --epochs for all")
    parser.add_argument("--width", type=options.POSITIVE, metavar="W", help="factor on all channels (default: 1)")
    parser.add_argument("--epochs", metavar="N[,N]", help="epochs of every phase, or of each")
    options.add(parser, "--seed", nargs="+", default=None)
    parser.add_argument("--option", metavar="NAME=VALUE", action="append", dest="model_args", help=argparse.SUPPRESS)
    parser.add_argument("--teacher", metavar="FILE", help="final.safetensors of the network to learn from")
    parser.add_argument(
        "--validation", action="store_true", help="hold images out of the training set; spare the test set"
    )
    options.add(parser, "--output", default="runs")
    parser.add_argument("--restart", action="store_true", help="throw away what earlier runs left in their folders")
    parser.add_argument("--minutes", type=options.number(0), metavar="N", help="stop cleanly after this time")
    parser.add_argument(
        "--parallel", type=options.COUNT, default=1, metavar="N", help="runs under way at a time (default: 1)"
    )
    where = "where it trains (default: auto)"
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help=where)
    threads = "threads on a CPU (default: 1 for digits, else all cores)"
    parser.add_argument("--threads", type=options.COUNT, metavar="N", help=threads)
    parser.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU, at some speed")
    evaluate = "epochs between two evaluations"
    parser.add_argument("--evaluate-every", type=options.COUNT, default=1, metavar="N", help=evaluate)
    save = "epochs between two checkpoints"
    parser.add_argument("--save-every", type=options.COUNT, default=1, metavar="N", help=save)
    parser.add_argument("--curves", action="store_true", help="draw curves.svg into the folder of each run")
    options.add(parser, "--quiet")


def run(args: argparse.Namespace) -> int:
    if args.recipes:
        from costmodel.views import recipes

        emit([recipes.listing()], "table")
        return 0
    from costmodel.train import command

    args.models = list(dict.fromkeys([*args.models, *args.named]))
    args.arguments = options.arguments(args, args.models)
    return command.run(args, PAUSED)
