"""``costmodel fold``: the best folding of a network on an FPGA, exactly."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel import api
from costmodel.cli.common import (
    add_model_arguments,
    add_output_arguments,
    emit,
    parse_pairs,
    progress,
)
from costmodel.errors import CostmodelError
from costmodel.views.table import Column, Row, Table

if TYPE_CHECKING:
    from costmodel.explore.dataflow import Space
    from costmodel.explore.folding import Folded

HELP = "Fold a network onto an FPGA: the cheapest design that meets a rate, or the fastest that fits."
EXAMPLES = """\
examples:
  costmodel fold --model cnv-w1a1 --device pynq-z2 --fps 1000
  costmodel fold --model cnv-w1a1 --device pynq-z2 --json cnv.json     (a folding file for FINN)
  costmodel fold --model cnv-w1a1 --device pynq-z2 --front             (every trade-off there is)
  costmodel fold --model cnv-w1a1 --device pynq-z2 --compare old.json  (what an existing folding gives away)
  costmodel profile --model cnv-w1a1 --target pynq-z2 --folding cnv.json

exit status: 0; 2 for bad input, and where no design meets the demands
"""
RESOURCES = ("lut", "bram18", "dsp", "ff", "uram")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    group = parser.add_argument_group("the hardware")
    group.add_argument(
        "--device", metavar="TARGET", required=True, help="an FPGA of `costmodel targets`, or a YAML file"
    )
    level = "after the exact rewrites of deployment (default), or as the Python is written"
    group.add_argument("--level", choices=("deployed", "as-written"), default="deployed", help=level)
    a_choice = "a choice of the target, such as clock=200e6 (repeatable; see `costmodel targets NAME`)"
    group.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], dest="options", help=a_choice)
    share = "share of the device that may be used (default: of each resource what leaves room to route)"
    group.add_argument("--fill", type=float, metavar="SHARE", help=share)
    for name in RESOURCES:
        group.add_argument(f"--max-{name}", type=float, metavar="N", help=f"{name} that may be used")
    group = parser.add_argument_group("the folding")
    group.add_argument("--fps", type=float, metavar="RATE", help="images a second to reach (default: as many as fit)")
    goal = "what to save: one resource, or the sum of the shares of the device (default: lut)"
    group.add_argument("--goal", choices=("lut", "bram18", "dsp", "share"), default="lut", help=goal)
    cap = "widest weight stream of a PE, as FINN's folding pass has it (36)"
    group.add_argument("--max-weight-bits", type=int, metavar="N", help=cap)
    memories = "choose block RAM or LUTs for each memory, or place it by its size (default: free)"
    group.add_argument("--memories", choices=("free", "auto"), default="free", help=memories)
    ultra = "weights may lie in UltraRAM as well; without this only where nothing else meets the demands"
    group.add_argument("--ultra", action="store_true", help=ultra)
    fourth = "with --front: flip-flops as a fourth objective, certified to a factor 1 + E"
    group.add_argument("--epsilon", type=float, default=0.0, metavar="E", help=fourth)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--front", action="store_true", help="print the whole front instead of one design")
    what.add_argument("--compare", metavar="FILE", help="set a FINN folding file against the best of the same interval")
    what.add_argument("--greedy", action="store_true", help="set FINN's folding pass against the best of each interval")
    parser.add_argument("--json", metavar="FILE", help="write the folding as a file that FINN reads")
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from costmodel.explore import folding
    from costmodel.explore.dataflow import Rules, space

    request = api.make_request(
        args.model, args.input or None, arguments=parse_pairs(args.model_args, "--model-args"),
        checkpoint=args.checkpoint, trained=args.trained,
    )  # fmt: skip
    free = args.memories == "free" and not args.greedy
    with progress() as announce:
        profile = api.answer(request, use_cache=not args.no_cache, announce=announce)
        announce(f"pricing the foldings of {profile.network}")
        options = {"mode": "dataflow", **parse_pairs(args.options, "--set"), "level": args.level.replace("-", "_")}
        found = space(profile, args.device, Rules(args.max_weight_bits, free, args.ultra), **options)
    given = {name: getattr(args, f"max_{name}") for name in RESOURCES if getattr(args, f"max_{name}") is not None}
    allowed = folding.limits(found, args.fill, given)
    if args.front:
        return _front(found, allowed, args)
    if args.greedy:
        return _greedy(found, args)
    if args.compare:
        return _compare(found, profile, args)
    try:
        best = folding.best(found, allowed, args.fps, args.goal)
    except CostmodelError:
        fast_enough = args.fps is None or found.clock / found.design.intervals[0] >= args.fps
        if args.ultra or not allowed["uram"] or not fast_enough:
            raise
        found = space(profile, args.device, Rules(args.max_weight_bits, free, ultra=True), **options)
        best = folding.best(found, allowed, args.fps, args.goal)
    if args.json:
        from costmodel.files import atomic_write

        atomic_write(Path(args.json), best.json)
        print(f"wrote {args.json}", file=sys.stderr)
    emit([_totals(best, args), _layers(best)], args, lambda: _document(best))
    return 0


def _totals(best: Folded, args: argparse.Namespace) -> Table:
    rows = [
        Row(("images a second", _whole(best.fps), None, None)),
        Row(("initiation interval, cycles", best.interval, None, None)),
    ]
    rows += [
        Row(
            (
                name,
                _whole(best.resources[name]),
                _whole(best.limits[name]),
                f"{best.resources[name] / best.limits[name]:.0%}",
            )
        )
        if best.limits[name]
        else Row((name, _whole(best.resources[name]), 0, None))
        for name in RESOURCES
        if name != "uram" or best.limits[name] or best.resources[name]
    ]
    title = f"{best.network} on {best.target}: " + (
        f"the cheapest folding ({args.goal}) for {args.fps:g} images a second"
        if args.fps
        else "the fastest folding that fits"
    )
    columns = [
        Column("what", "", "left"),
        Column("value", "value"),
        Column("allowed", "allowed"),
        Column("share", "share"),
    ]
    return Table("design", title, columns, rows, notes=[best.guarantee])


def _whole(value: float) -> float | int:
    """What is worth printing of a count or a rate."""
    return round(value, 2) if value < 100 and value != round(value) else round(value)


def _layers(best: Folded) -> Table:
    columns = [Column("layer", "layer", "left"), Column("pe", "PE"), Column("simd", "SIMD")]
    columns += [Column("weights", "weights in", "left"), Column("window", "window in", "left")]
    words = {"block": "block RAM", "distributed": "LUTs", "ultra": "UltraRAM", "auto": "-"}
    rows = [
        Row((name, f["PE"], f["SIMD"], words[str(f.get("weights", "auto"))], words[str(f.get("window", "auto"))]))
        for name, f in best.folding.items()
    ]
    return Table("folding", "Folding", columns, rows)


def _document(best: Folded) -> dict[str, Any]:
    import json

    document = {name: getattr(best, name) for name in ("network", "target", "fps", "interval", "resources", "limits")}
    return document | {"folding": best.folding, "finn": json.loads(best.json), "guarantee": best.guarantee}


def _front(found: Space, allowed: dict[str, float], args: argparse.Namespace) -> int:
    import numpy as np

    from costmodel.explore import compose, folding
    from costmodel.explore.choices import RESOLUTION

    limited = args.fill is not None or args.fps is not None or any(
        getattr(args, f"max_{name}") is not None for name in RESOURCES
    )  # fmt: skip
    if limited or found.rules.ultra:
        objectives = folding.within(found, allowed, args.epsilon)
    else:
        objectives = compose.Objectives(epsilon=args.epsilon)
    points = compose.compose(found.design, objectives)
    names: tuple[str, ...] = ("bram18", "lut", "ff") if args.epsilon else ("bram18", "dsp", "lut")
    if found.rules.ultra:
        names = (*names, "uram")
    rows = []
    for row in np.column_stack([points.rows, points.uram]) if found.rules.ultra else points.rows:
        cost = {n: v / RESOLUTION if n in ("lut", "ff") else int(v) for n, v in zip(names, row[1:], strict=True)}
        slow = args.fps is not None and found.clock / row[0] < args.fps
        if not slow and (not limited or all(cost[name] <= allowed[name] for name in names)):
            rows.append(Row((int(row[0]), _whole(found.clock / row[0]), *(_whole(cost[name]) for name in names))))
    if not rows:
        folding.best(found, allowed, args.fps, args.goal)  # says what the nearest design misses
    columns = [Column("interval", "interval"), Column("fps", "images/s"), *(Column(n, n) for n in names)]
    notes = [folding.guarantee(found, args.epsilon, points.left_out)]
    emit([Table("front", f"{found.network} on {found.target.name}", columns, rows, notes=notes)], args)
    return 0


def _greedy(found: Space, args: argparse.Namespace) -> int:
    from costmodel.explore.greedy import against

    rows = [
        Row(
            (r.target, r.interval, *map(_whole, (r.lut, r.best_lut, r.best_bram_lut)), f"{r.lut / r.best_lut - 1:+.1%}")
        )
        for r in against(found, args.max_weight_bits)
    ]
    columns = [Column("target", "target cycles"), Column("interval", "reached"), Column("lut", "FINN's pass, LUT")]
    columns += [Column("best", "least LUT"), Column("best_bram", "least LUT, no more BRAM"), Column("excess", "excess")]
    cap = f"weight streams up to {args.max_weight_bits} bits in both" if args.max_weight_bits else "no limit on widths"
    emit([Table("greedy", f"{found.network} on {found.target.name}: {cap}", columns, rows)], args)
    return 0


def _compare(found: Space, profile: Any, args: argparse.Namespace) -> int:
    import numpy as np

    from costmodel.explore import compose
    from costmodel.explore.choices import RESOLUTION
    from costmodel.targets.fpga.folding import read_folding

    choices = found.choices_of(read_folding(args.compare, found.stages))
    interval, cost = found.design.price(choices)
    points = compose.compose(found.design, compose.Objectives(max_bram=int(cost[1]), max_dsp=int(cost[2])))
    able = points.rows[points.rows[:, 0] <= interval]
    if not len(able):
        raise CostmodelError(f"{args.compare}: this folding lies outside the space; try --memories auto")
    best = able[np.argmin(able[:, 3])]
    fast = points.rows[points.rows[:, 3] <= cost[0]]
    designs = {
        args.compare: [interval, cost[1], cost[2], cost[0]],
        "least LUT, as fast, no more BRAM or DSP": best,
        "fastest, no more of anything": fast[0],
    }
    rows = [
        Row((name, int(t), _whole(found.clock / t), round(lut / RESOLUTION), int(bram), int(dsp)))
        for name, (t, bram, dsp, lut) in designs.items()
    ]
    columns = [Column("design", "", "left"), Column("interval", "interval"), Column("fps", "images/s")]
    columns += [Column(n, n) for n in ("lut", "bram18", "dsp")]
    emit([Table("compare", f"{found.network} on {found.target.name}", columns, rows)], args)
    return 0
