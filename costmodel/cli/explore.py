"""``costmodel explore``: the Pareto-optimal designs of a space."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from costmodel.cli import options
from costmodel.errors import CostmodelError
from costmodel.views.output import emit

if TYPE_CHECKING:
    from costmodel.explore.front import Front
    from costmodel.explore.space import DesignSpace

HELP = "Price every design of a space of networks, targets and options, and keep the Pareto front."
EXAMPLES = """\
a space (SPACE.yaml):
  networks: [cnv-w1a1, {model: abbnn-reactnet18-cifar10}]
  targets:
    - {target: pynq-z2, clock: [100e6, 150e6]}               (every folding, exactly)
    - {target: zcu104, folding: {samples: 1e6, seed: 1}}     (random foldings)
    - {target: asic-7nm-asap7, outputs: [16, 32, 64]}        (every setting)
    - {target: xne, mapping: exact}                          (every dataflow of every layer)
    - {target: raspberry-pi-4b, threads: [1, 4]}
  objectives: [seconds_per_image, energy_J, lut, bram18, area_mm2]
  constraints: {seconds_per_image: {max: 0.01}}

examples:
  costmodel explore SPACE.yaml --count
  costmodel explore SPACE.yaml -o results
  costmodel explore SPACE.yaml -o results --within "lut <= 40k, fps >= 500" --best energy
  costmodel explore SPACE.yaml -o results --resume --engine dask --workers 8
  costmodel explore SPACE.yaml -o results --keep-points 1e7     (then: costmodel dashboard --sweep results)
  costmodel explore SPACE.yaml -o found --search 20000 --seed 1      (a space that is too large to count off)

exit status: 0; 2 for bad input, and where no design meets the constraints; finished parts are kept
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("space", metavar="SPACE", help="a YAML file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--count", action="store_true", help="say how many designs the space has, and price none")
    search = "evolutionary search with N evaluations; without -o over foldings, against the exact front"
    what.add_argument("--search", type=options.COUNT, metavar="N", help=search)
    options.add(parser, "--seed", "--accuracies")
    parser.add_argument("--resume", action="store_true", help="keep the parts that are there and price the rest")
    cloud = "keep up to N priced designs next to the fronts, evenly spread, for `costmodel dashboard --sweep DIR`"
    parser.add_argument("--keep-points", type=options.whole(0, 10**12), default=0, metavar="N", help=cloud)
    group = parser.add_argument_group("what is asked")
    bounds = "more constraints, such as 'lut <= 40k, fps >= 500, accuracy >= 80' (repeatable)"
    group.add_argument("--within", action="append", default=[], metavar="BUDGET", help=bounds)
    wanted = "print the best design of each front by METRIC (several: energy,lut), or the knee: the best of all at once"
    group.add_argument("--best", metavar="METRIC", help=wanted)
    group = parser.add_argument_group("where it runs")
    engines = "worker processes, a Dask cluster, Ray tasks, or this process alone (default: local)"
    group.add_argument("--engine", choices=("local", "dask", "ray", "serial"), default="local", help=engines)
    group.add_argument("--workers", type=options.COUNT, metavar="N", help="default: one per core")
    place = "a running Dask scheduler, its scheduler file, or a Ray cluster; workers need nothing but this package"
    group.add_argument("--address", metavar="HOST:PORT", help=place)
    group = options.add_output(parser)
    options.add(group, "--members")
    sure = "say which members are certain and which only probable, and in how many draws of the constants each is best"
    group.add_argument("--certainty", action="store_true", help=sure)
    options.add(group, "--quiet")


def run(args: argparse.Namespace) -> int:
    _check(args)
    from costmodel.explore import budget, views
    from costmodel.explore.layers import whole
    from costmodel.explore.space import read_space

    space = read_space(args.space, args.accuracies)
    wanted = budget.best_names(args.best) if args.best else []
    space = budget.narrowed(space, budget.within(",".join(args.within)) if args.within else {}, wanted)
    if args.search is None or not args.output:
        space = whole(space)
    if args.count:
        emit([views.count(space)], args.format)
        return 0
    if args.search is not None and not args.output:
        from costmodel.explore.search import compare

        emit([compare(space, args.search, args.seed)], args.format)
        return 0
    fronts = _sweep(space, args) if args.search is None else _searched(space, args)
    for front in fronts:
        for path in front.write(args.output):
            print(f"wrote {path}", file=sys.stderr)
    if wanted:
        asked = [(front, _judged(front, wanted)) for front in fronts]
        document = partial(views.answers_document, asked)
        emit([views.answers(front, names) for front, names in asked if names], args.format, None, document)
        return 0
    certain_at = space.level if args.certainty else None
    emit([views.members(front, args.members, certain_at) for front in fronts], args.format)
    return 0


def _judged(front: Front, wanted: list[str]) -> list[str]:
    """Of what is asked to be best, what a front is judged by: a chip has no LUTs."""
    return [name for name in wanted if name == "knee" or name in front.objectives]


def _check(args: argparse.Namespace) -> None:
    """Options that would have no effect are refused, and a sweep needs a folder."""
    sweeps = {"--keep-points": args.keep_points, "--workers": args.workers, "--address": args.address}
    if args.count:
        given = {
            "-o": args.output,
            "--resume": args.resume,
            "--certainty": args.certainty,
            "--best": args.best,
            **sweeps,
        }
        options.refuse(
            [flag for flag, value in given.items() if value], "acts on a sweep or a search: --count makes none"
        )
    elif args.search is not None:
        options.refuse([flag for flag, value in sweeps.items() if value], "acts on a sweep: --search makes none")
        given = {"--resume": args.resume, "--certainty": args.certainty, "--best": args.best}
        if not args.output:
            options.refuse(
                [flag for flag, value in given.items() if value], "acts on a search with a folder: give -o DIR"
            )
    elif not args.output:
        raise CostmodelError("a sweep needs a folder for its results: give -o DIR, or --count to see its size first")
    if args.search is None and args.seed:
        options.refuse(["--seed"], "is of --search; that of sampled foldings stands in the space")
    if args.address and args.engine not in ("dask", "ray"):
        options.refuse(["--address"], "is of a cluster: give --engine dask or ray as well")


def _searched(space: DesignSpace, args: argparse.Namespace) -> Sequence[Front]:
    from costmodel.explore.evolve import search

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\x1b[K{done}/{total} designs", end="\r", file=sys.stderr, flush=True)

    progress = None if args.quiet else show
    return search(space, args.output, args.search, args.seed, resume=args.resume, progress=progress)


def _sweep(space: DesignSpace, args: argparse.Namespace) -> Sequence[Front]:
    from costmodel.explore.cases import cases
    from costmodel.explore.sweep import Progress
    from costmodel.explore.verbs import explore

    shown = 0.0

    def show(state: Progress) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown > (0.2 if sys.stderr.isatty() else 5.0) or state.done == state.total:
            shown = now
            end = "\r" if sys.stderr.isatty() and state.done < state.total else "\n"
            print(f"\x1b[K{state}" if sys.stderr.isatty() else state, end=end, file=sys.stderr, flush=True)

    fronts = explore(
        space, args.output, engine=args.engine, workers=args.workers, resume=args.resume, address=args.address,
        keep_points=args.keep_points, progress=None if args.quiet else show,
        again=lambda n: print(f"{n} parts are damaged or of other inputs, and are priced again", file=sys.stderr),
    )  # fmt: skip
    given = {(front.kind, front.label) for front in fronts}
    for kind, label in dict.fromkeys(space.front_of(c.network, c.entry) for c in cases(space)):
        if (kind, label) not in given:
            print(
                f"costmodel: nothing of {' '.join(filter(None, [kind, label]))} can be judged or fits", file=sys.stderr
            )
    return fronts
