"""``costmodel explore``: the designs of a space that are worth having."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from costmodel.cli.common import emit
from costmodel.errors import CostmodelError
from costmodel.views.table import FORMATS, Column, Row, Table

if TYPE_CHECKING:
    from costmodel.explore.cases import Case
    from costmodel.explore.front import Front
    from costmodel.explore.space import DesignSpace

HELP = "Price every design of a space of networks, targets and choices, and keep the Pareto front."
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
  costmodel explore SPACE.yaml -o results --resume --engine dask --workers 8
  costmodel explore SPACE.yaml -o results --keep-points 1e7     (then: costmodel dashboard --sweep results)
  costmodel explore SPACE.yaml --search 20000 --seed 1

exit status: 0; 2 for bad input, and where no design meets the constraints; finished parts are kept
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("space", metavar="SPACE", help="a YAML file")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for the parts and the fronts")
    parser.add_argument("--count", action="store_true", help="say how many designs the space has, and price none")
    parser.add_argument("--resume", action="store_true", help="keep the parts that are there and price the rest")
    cloud = "keep up to N priced designs beside the fronts, evenly spread, for `costmodel dashboard --sweep DIR`"
    parser.add_argument("--keep-points", type=float, default=0, metavar="N", help=cloud)
    group = parser.add_argument_group("where it runs")
    engines = "worker processes, a Dask cluster, Ray tasks, or this process alone (default: local)"
    group.add_argument("--engine", choices=("local", "dask", "ray", "serial"), default="local", help=engines)
    group.add_argument("--workers", type=int, metavar="N", help="default: one a core")
    group.add_argument("--address", metavar="HOST:PORT", help="a running Dask scheduler or Ray cluster")
    group = parser.add_argument_group("search instead of enumeration")
    search = "evolutionary search over foldings with N evaluations, reported against the exact front"
    group.add_argument("--search", type=int, metavar="N", help=search)
    group.add_argument("--seed", type=int, default=0, help="of the search (default: 0)")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument(
        "--rows", type=int, default=20, metavar="N", help="members to print of each front (default: 20)"
    )
    sure = "say which members are certain and which only probable, and in how many draws of the constants each is best"
    parser.add_argument("--certainty", action="store_true", help=sure)
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    from costmodel.explore.space import read_space

    space = read_space(args.space)
    if args.workers is not None and args.workers < 1:
        raise CostmodelError(f"--workers {args.workers}: expected at least 1")
    if not 0 <= args.keep_points < 1e12:
        raise CostmodelError(f"--keep-points {args.keep_points:g}: expected a number of designs, such as 1e7")
    if args.count:
        return _print([_count(space)], args)
    if args.search is not None:
        from costmodel.explore.search import compare

        return _print([compare(space, args.search, args.seed)], args)
    if not args.output:
        raise CostmodelError("a sweep needs a folder for its results: give -o DIR, or --count to see its size first")
    fronts = _sweep(space, args)
    for front in fronts:
        for path in front.write(args.output):
            print(f"wrote {path}", file=sys.stderr)
    return _print([_table(front, args.rows, space.level if args.certainty else None) for front in fronts], args)


def _sweep(space: DesignSpace, args: argparse.Namespace) -> list[Front]:
    from costmodel.explore.cases import cases
    from costmodel.explore.front import front_of
    from costmodel.explore.sweep import Progress, sweep

    shown = 0.0

    def show(state: Progress) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown > (0.2 if sys.stderr.isatty() else 5.0) or state.done == state.total:
            shown = now
            end = "\r" if sys.stderr.isatty() and state.done < state.total else "\n"
            print(f"\x1b[K{state}" if sys.stderr.isatty() else state, end=end, file=sys.stderr, flush=True)

    groups = sweep(
        space, args.output, engine=args.engine, workers=args.workers, resume=args.resume, address=args.address,
        keep_points=int(args.keep_points), progress=None if args.quiet else show,
    )  # fmt: skip
    given = {(group.kind, group.label) for group in groups}
    for kind, label in dict.fromkeys((c.entry.kind, space.label(c.network.name, c.entry.target)) for c in cases(space)):
        if (kind, label) not in given:
            print(
                f"costmodel: nothing of {' '.join(filter(None, [kind, label]))} can be judged or fits", file=sys.stderr
            )
    return [front_of(space, group) for group in groups]


def _print(tables: list[Table], args: argparse.Namespace) -> int:
    emit(tables, argparse.Namespace(format=args.format, output=None))
    return 0


def _count(space: DesignSpace) -> Table:
    from costmodel.explore.cases import cases
    from costmodel.explore.evaluators import evaluator
    from costmodel.explore.folding import count

    rows, total = [], 0
    for case in cases(space):
        designs = case.designs
        if case.entry.search == "exact":
            designs = evaluator(case, space.level).count(0, case.designs)
        total += designs
        rows.append(Row((case.network.name, case.entry.target, case.entry.search, count(designs))))
    columns = [Column("network", "network", "left"), Column("target", "target", "left")]
    columns += [Column("search", "search", "left"), Column("designs", "designs")]
    seconds = sum(_seconds(case) for case in cases(space))
    note = f"{count(total)} designs, {len(space.networks)} ledgers, about {max(seconds, 1):.0f} s on one core"
    return Table("count", f"{space.name}: {len(rows)} cases", columns, rows, notes=[note])


def _seconds(case: Case) -> float:
    """About how long a case takes, by what such cases took."""
    if case.entry.search == "exact" and case.entry.kind == "fpga":
        return 0.2 + 0.1 * len(case.clocks)
    return case.designs * {"grid": 0.005, "samples": 2e-7, "exact": 0.01}[case.entry.search]


def _table(front: Front, limit: int, certain_at: str | None = None) -> Table:
    columns = [Column("network", "network", "left"), Column("target", "target", "left")]
    columns += [Column(name, name) for name in front.objectives]
    columns.append(Column("settings", "settings", "left"))
    shown = front.members if len(front) <= limit else _spread(front, limit)
    rows = [
        [m.network, m.target, *(float(f"{m.metrics[name]:.5g}") for name in front.objectives),
         ", ".join(f"{k}={_short(v)}" for k, v in m.settings.items())] for m in shown
    ]  # fmt: skip
    members = "1 member" if len(front) == 1 else f"{len(front)} members"
    notes = [f"{members}{'' if len(shown) == len(front) else f', {len(shown)} shown'}; {front.guarantee}"]
    if certain_at is not None:
        from costmodel.explore.certainty import certainty

        found = certainty(front, certain_at)
        place = {member.id: i for i, member in enumerate(front.members)}
        columns += [Column("member", "member", "left"), Column("share", "on the front")]
        for row, member in zip(rows, shown, strict=True):
            i = place[member.id]
            row += ["certain" if found.certain[i] else "probable", f"{found.share[i]:.0%}"]  # type: ignore[index]
        notes.append(
            f"certain, whatever the constants are within their bounds: {int(found.certain.sum())}; the last column is "
            "the share of joint draws of all constants in which no other member is better"
        )
    title = " ".join(filter(None, [f"{front.name}: {front.kind}", front.label]))
    return Table(f"{front.kind}{front.label}", title, columns, [Row(tuple(row)) for row in rows], notes=notes)


def _spread(front: Front, limit: int) -> list[Any]:
    """Members at equal steps along the first objective."""
    order = sorted(front.members, key=lambda m: m.metrics[front.objectives[0]])
    return [order[round(i * (len(order) - 1) / max(limit - 1, 1))] for i in range(limit)]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
