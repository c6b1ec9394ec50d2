"""``costmodel fold``: the best folding of a network on an FPGA, exactly."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from costmodel import api
from costmodel.cli import options
from costmodel.errors import CostmodelError
from costmodel.metrics import RESOURCES
from costmodel.views.output import emit
from costmodel.views.progress import progress

if TYPE_CHECKING:
    from costmodel.explore.folding import Folded
    from costmodel.explore.foldings import Question

HELP = "Fold a network onto an FPGA: the cheapest design that meets a rate, or the fastest that fits."
EXAMPLES = """\
examples:
  costmodel fold cnv-w1a1 --target pynq-z2 --fps 1000
  costmodel fold cnv-w1a1 --target pynq-z2 --json cnv.json     (a folding file for FINN)
  costmodel fold cnv-w1a1 --target pynq-z2 --front             (every trade-off there is)
  costmodel fold cnv-w1a1 --target pynq-z2 --compare old.json  (what an existing folding gives away)
  costmodel profile cnv-w1a1 --target pynq-z2 --folding cnv.json

exit status: 0; 2 for bad input, and where no design meets the demands
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_network(parser)
    group = parser.add_argument_group("the hardware")
    options.add(group, "--target", "--set", "--bits", "--fps", "--level", "--scale")
    group.add_argument("--device", action="append", dest="target", help=argparse.SUPPRESS)  # as FINN calls it
    share = "share of the device that may be used (default: of each resource what leaves room to route)"
    group.add_argument("--fill", type=options.number(0, 1, above=True), metavar="SHARE", help=share)
    for name in RESOURCES:
        group.add_argument(f"--max-{name}", type=options.number(0), metavar="N", help=f"{name} that may be used")
    group = parser.add_argument_group("the folding")
    goal = "what to save: one resource, or the sum of the shares of the device (default: lut)"
    group.add_argument("--goal", choices=("lut", "bram18", "dsp", "share"), default="lut", help=goal)
    cap = "widest weight stream of a PE, as FINN's folding pass has it (36)"
    group.add_argument("--max-weight-bits", type=options.COUNT, metavar="N", help=cap)
    memories = "choose block RAM or LUTs for each memory, or place it by its size (default: free)"
    group.add_argument("--memories", choices=("free", "auto"), default="free", help=memories)
    ultra = "with --front or --compare: weights may lie in UltraRAM as well, as those of one design always may"
    group.add_argument("--ultra", action="store_true", help=ultra)
    fourth = "with --front: flip-flops as a fourth objective, certified to a factor 1 + E"
    group.add_argument("--epsilon", type=options.number(0, 10), metavar="E", help=fourth)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--front", action="store_true", help="print the whole front instead of one design")
    what.add_argument("--compare", metavar="FILE", help="set a FINN folding file against the best of the same interval")
    what.add_argument("--greedy", action="store_true", help="set FINN's folding pass against the best of each interval")
    options.add(parser, "--members")
    parser.add_argument("--json", metavar="FILE", help="write the folding as a file that FINN reads")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    _check(args)
    from costmodel.explore import foldings, greedy, views

    with progress() as announce:
        question = _question(args, announce)
        if not (args.front or args.greedy or args.compare):
            best = foldings.best(question)
        else:
            found = foldings.of(question)
    if args.front:
        designs, promise = foldings.front(found, question, args.epsilon or 0.0)
        limit = args.members if args.format == "table" and not args.output else None
        emit([views.front(found, designs, promise, limit)], args.format, args.output)
    elif args.greedy:
        compared = greedy.against(found, args.max_weight_bits)
        emit([views.greedy(found, compared, args.max_weight_bits)], args.format, args.output)
    elif args.compare:
        emit([views.comparison(found, foldings.against(found, args.compare))], args.format, args.output)
    else:
        _write(args.json, best)
        asked = f"the cheapest folding ({args.goal}) for {args.fps:g} images per second" if args.fps else ""
        tables = [views.totals(best, asked or "the fastest folding that fits"), views.layers(best)]
        emit(tables, args.format, args.output, lambda: views.document(best))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Options that would have no effect are refused."""
    if not args.target:
        raise CostmodelError("no target given: --target NAME, an FPGA of `costmodel targets`")
    if args.epsilon is not None and not args.front:
        options.refuse(["--epsilon"], "acts on a front: give --front as well")
    one = [flag for flag, given in (("--json", args.json), ("--goal", args.goal != "lut")) if given]
    if args.front or args.greedy or args.compare:
        options.refuse(one, "is for one design: give it without --front, --compare or --greedy")
    limits = ["--fps"] if args.fps is not None else []
    limits += ["--fill"] if args.fill is not None else []
    limits += [f"--max-{name}" for name in RESOURCES if getattr(args, f"max_{name}") is not None]
    if args.greedy or args.compare:
        options.refuse(limits, "does not act on --compare and --greedy, which take the limits from what is compared")


def _question(args: argparse.Namespace, announce: api.Announce) -> Question:
    from costmodel.explore.dataflow import Rules
    from costmodel.explore.verbs import question
    from costmodel.targets import load_target

    first, *others = options.targets(args)
    if others:
        raise CostmodelError(f"targets {first}, {', '.join(others)}: a folding is for one FPGA; give one")
    settings = options.pairs(args.options, "--set")
    settings |= {"bits": args.bits} if args.bits is not None else {}
    scale = settings.pop("scale", args.scale)
    load_target(first)  # before anything that takes time: the name may be wrong
    profile = api.answer(options.request(args), use_cache=not args.no_cache, announce=announce)
    announce(f"pricing the foldings of {profile.network}")
    ledger = profile.ledger(args.level)
    rules = Rules(args.max_weight_bits, args.memories == "free" and not args.greedy, args.ultra)
    given = {name: getattr(args, f"max_{name}") for name in RESOURCES}
    limits = {name: value for name, value in given.items() if value is not None}
    return question(ledger, first, rules, scale, args.fill, limits, args.fps, args.goal, settings)


def _write(path: str | None, best: Folded) -> None:
    if path:
        from costmodel.files import atomic_write

        atomic_write(Path(path), best.json)
        print(f"wrote {path}", file=sys.stderr)
