"""``costmodel cache``: what the store of profiles holds, and emptying it."""

from __future__ import annotations

import argparse

from costmodel.cli import options
from costmodel.views import stored
from costmodel.views.output import emit

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
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    from costmodel.store import cache

    if args.clear:
        print(f"deleted {cache.clear()} answers from {cache.folder()}")
        return 0
    emit([stored.listing()], args.format, args.output)
    return 0
