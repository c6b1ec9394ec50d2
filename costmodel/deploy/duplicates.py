"""Compute once what the program computes twice.

Precondition: the same operation on the same values with the same arguments, as value numbering over the recording found
(:mod:`costmodel.trace.simplify`); random operations never share a number.
"""

from __future__ import annotations

from costmodel.deploy.account import rewrite_row
from costmodel.graph.node import Graph, live, substitute

WHY = "the same operation on the same values gives the same result"


def share_duplicates(graph: Graph) -> Graph:
    """Read the first of equal computations instead of the others, which then die."""
    names = {repeat: first for repeat, first in graph.duplicates.items() if repeat not in graph.outputs}
    kept = live(tuple(substitute(graph.nodes, names)), graph.outputs)
    alive = {node.id for node in kept}
    rows = [rewrite_row("shared computation", [node], [], WHY) for node in graph.nodes if node.id not in alive]
    return graph.with_nodes(kept, [row for row in rows if row.removed])
