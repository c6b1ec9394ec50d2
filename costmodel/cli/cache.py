"""``costmodel cache``: what the store of profiles holds, and emptying it."""

from __future__ import annotations

import argparse
import time

from costmodel.cli.common import add_output_arguments, emit
from costmodel.views.table import Column, Row, Table

HELP = "Show or clear the store of profiles and estimates, from which a second run of the same network is answered."
EXAMPLES = """\
examples:
  costmodel cache
  costmodel cache --clear

The store is $COSTMODEL_CACHE, else $XDG_CACHE_HOME/costmodel, else the platform's folder for caches. It never holds
more than 256 MiB; what was not used for longest is dropped first. Nothing in it is served after a change in the
network's source, its weights, its input, the target, this package, PyTorch or Python.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clear", action="store_true", help="delete every stored answer")
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from costmodel.store import cache
    from costmodel.views.numbers import bits

    if args.clear:
        print(f"deleted {cache.clear()} answers from {cache.folder()}")
        return 0
    items = cache.stored()
    rows = [Row([item.name or "(unreadable)", item.size, item.used, item.path.name[:12]]) for item in items]
    columns = [
        Column("name", "answer", "left"), Column("bytes", "size", show=lambda v: bits(8 * v)),
        Column("used", "last used", show=_when), Column("key", "key", "left"),
    ]  # fmt: skip
    total = bits(8 * sum(item.size for item in items))
    emit([Table("cache", "", columns, rows, notes=[f"{len(items)} answers, {total}, in {cache.folder()}"])], args)
    return 0


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
