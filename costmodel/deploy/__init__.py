"""The exact rewrites that lead from what the Python does to what is deployed, in one order.

Each pass is a function ``Graph -> Graph``; each has its proof and its precondition at the top of its file and adds a
row for every place at which it removed work.
"""

from __future__ import annotations

from collections.abc import Callable

from costmodel.deploy.duplicates import share_duplicates
from costmodel.deploy.prelu import recognise_prelu
from costmodel.deploy.scales import (
    absorb_into_next_weights,
    defer_activation_scales,
    drop_before_signs,
    fold_into_weights,
    merge_chains,
    split_biases,
)
from costmodel.deploy.thresholds import to_thresholds
from costmodel.graph.node import Graph

__all__ = ["PASSES", "deploy"]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    share_duplicates,
    recognise_prelu,
    split_biases,
    to_thresholds,
    defer_activation_scales,
    merge_chains,
    drop_before_signs,
    fold_into_weights,
    absorb_into_next_weights,
)


def deploy(graph: Graph) -> Graph:
    """Apply all exact rewrites."""
    for rewrite in PASSES:
        graph = rewrite(graph)
    return graph
