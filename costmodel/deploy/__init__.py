"""The exact rewrites that lead from what the Python does to what is deployed.

Each pass is a function ``Graph -> Graph``; each has its proof and its precondition, checked from the structure of the
graph, at the top of its file, and adds a row for every place at which it removed work. What a pass makes can be what
another one waits for (a scale that moves behind a sum stands in front of a threshold), so they run until none of them
finds anything.

``costmodel.deploy(network)``, which is :func:`costmodel.trial.deploy`, applies them to a network and proves them by
running it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from costmodel.deploy.absorb import absorb_into_thresholds
from costmodel.deploy.defer import apply_units, defer_activation_scales, settle_operands, split_readers
from costmodel.deploy.duplicates import share_duplicates
from costmodel.deploy.lift import lift_thresholds, sink_functions
from costmodel.deploy.norms import split_norms
from costmodel.deploy.offsets import move_offsets
from costmodel.deploy.scales import (
    absorb_into_next_weights,
    fold_into_weights,
    merge_chains,
    split_biases,
)
from costmodel.deploy.signs import drop_before_signs, drop_positive_factors
from costmodel.deploy.sink import sink_chains, sink_joined
from costmodel.deploy.spelled import drop_zeros, recognise_spellings
from costmodel.deploy.thresholds import to_thresholds
from costmodel.deploy.turns import undo_turns
from costmodel.graph.node import Graph
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.verb import callable_package

__all__ = ["FIRST", "LAST", "REPEATED", "deploy"]

callable_package(__name__, "costmodel.trial:deploy")

#: What names the forms that the others look for.
FIRST: tuple[Callable[[Graph], Graph], ...] = (
    share_duplicates,
    undo_turns,
    recognise_spellings,
    drop_zeros,
    split_biases,
    drop_positive_factors,
    to_thresholds,
    apply_units,
)
#: What runs until nothing changes: every one of them removes a node or moves one towards the output.
REPEATED: tuple[Callable[[Graph], Graph], ...] = (
    defer_activation_scales,
    merge_chains,
    move_offsets,
    drop_before_signs,
    split_norms,
    absorb_into_thresholds,
    sink_chains,
    sink_joined,
    lift_thresholds,
    sink_functions,
    split_readers,
)
#: What takes up into weights the chains that no threshold takes: once the others find nothing, and then all again.
LAST: tuple[Callable[[Graph], Graph], ...] = (fold_into_weights, absorb_into_next_weights)


def deploy(graph: Graph, threshold_bits: int = THRESHOLD_BITS) -> Graph:
    """Apply all exact rewrites; quantisers of up to ``threshold_bits`` bits become comparisons."""
    for rewrite in FIRST:
        graph = partial(rewrite, bits=threshold_bits)(graph) if rewrite is to_thresholds else rewrite(graph)
    for _ in range(len(graph.nodes) + 2):
        graph = _settled(graph)
        before = graph.nodes
        for rewrite in LAST:
            graph = rewrite(graph)
        if graph.nodes == before:
            return settle_operands(graph)
    raise RuntimeError(f"the rewrites of {graph.network} do not settle")


def _settled(graph: Graph) -> Graph:
    """The graph in which none of :data:`REPEATED` finds anything."""
    for _ in range(len(graph.nodes) + 2):
        before = graph.nodes
        for rewrite in REPEATED:
            graph = rewrite(graph)
        if graph.nodes == before:
            return graph
    raise RuntimeError(f"the rewrites of {graph.network} do not settle")
