"""``costmodel train``: train networks of the zoo, in slices of time if need be, and record what they reach."""

from __future__ import annotations

import argparse

from costmodel.cli.common import parse_pairs

HELP = "train a network, resume it, and record its accuracy"

EXAMPLES = """\
examples:
  costmodel train abbnn --data digits                                  a minute on one core, no data to fetch
  costmodel train abbnn --data cifar10 --data-dir DIR --minutes 9      the published recipe, in slices of 9 minutes
  costmodel train abbnn bireal18 --data cifar10 --seed 0 1 2 --parallel 3
  costmodel train resnet18 --data cifar10 --recipe teacher --out runs
  costmodel train abbnn --data cifar10 --recipe beyond --teacher runs/resnet18-cifar10-teacher-s0/final.safetensors
  costmodel train --model net.py:build --data mnist --recipe one-step  a network of your own
  costmodel train --plan cifar10-table --minutes 9                     all cells of a table, one command again and again
  costmodel train --plan beyond --width 0.125 --epochs 1               the same plan at a small size

Give the same command again to go on where it stopped. The exit status is 0 when all runs are done, 3 when time was up
before that.
"""

#: Exit status when the time limit came before the end: the same command goes on.
PAUSED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="*", help="a network of the zoo, or a family such as abbnn (see: costmodel models)"
    )
    group = parser.add_argument_group("a network of your own")
    where = "path/to/net.py:factory or package.module:factory, instead of names of the zoo"
    group.add_argument("--model", metavar="MODEL", dest="own", help=where)
    arguments = "arguments of the factory: '{\"width\": 0.5}' or width=0.5 (repeatable)"
    group.add_argument("--model-args", metavar="ARGS", action="append", default=[], help=arguments)
    group.add_argument("--input", metavar="SHAPE", action="append", default=[], help="1x1x28x28: checked with the data")
    parser.add_argument(
        "--data", metavar="SET", help="cifar10, cifar100, mnist, fashion-mnist, digits, or imagenet:DIR"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data sets (default: $COSTMODEL_DATA)")
    parser.add_argument("--download", action="store_true", help="fetch a missing data set from its official address")
    parser.add_argument("--recipe", help="a recipe by name, or FILE.yaml (default: by data set and network)")
    parser.add_argument("--recipes", action="store_true", help="list the recipes and exit")
    parser.add_argument("--plan", help="a list of runs by name, or FILE.yaml; with --width and --epochs for all")
    parser.add_argument("--width", type=float, help="factor on all channels (default: 1)")
    parser.add_argument("--epochs", metavar="N[,N]", help="epochs of every phase, or of each")
    parser.add_argument("--seed", type=int, nargs="+", help="one run a seed (default: 0)")
    parser.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="an axis of the network")
    parser.add_argument("--teacher", metavar="FILE", help="final.safetensors of the network to learn from")
    parser.add_argument(
        "--validation", action="store_true", help="hold images out of the training set; spare the test set"
    )
    parser.add_argument("--out", metavar="DIR", default="runs", help="folder of the runs (default: runs)")
    parser.add_argument("--restart", action="store_true", help="throw away what earlier runs left in their folders")
    parser.add_argument("--minutes", type=float, help="stop cleanly after this time")
    parser.add_argument("--parallel", type=int, default=1, help="runs under way at a time (default: 1)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, help="threads on a CPU (default: 1 for digits, else all cores)")
    parser.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU, at some speed")
    parser.add_argument("--evaluate-every", type=int, default=1, metavar="N", help="epochs between two evaluations")
    parser.add_argument("--save-every", type=int, default=1, metavar="N", help="epochs between two checkpoints")
    parser.add_argument("--curves", action="store_true", help="draw curves.svg into the folder of each run")
    parser.add_argument("--quiet", action="store_true", help="print results only")


def run(args: argparse.Namespace) -> int:
    if args.recipes:
        return _list_recipes()
    args.model_args = parse_pairs(args.model_args, "--model-args")
    from costmodel.train import command

    return command.run(args, PAUSED)


def _list_recipes() -> int:
    from costmodel.train.recipes import load_recipe, names

    for name in names():
        recipe = load_recipe(name)
        epochs = "+".join(str(phase.epochs) for phase in recipe.phases)
        print(f"{name:16} {epochs:>9} epochs  {' '.join(recipe.about.split())}")
    return 0
