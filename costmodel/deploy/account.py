"""What a rewrite removed, in operations by kind."""

from __future__ import annotations

from collections.abc import Iterable

from costmodel.graph.charge import rows
from costmodel.graph.node import Node
from costmodel.graph.vocabulary import Kind, Rewrite


def rewrite_row(name: str, before: Iterable[Node], after: Iterable[Node], why: str, module: str = "") -> Rewrite:
    """Operations of ``before`` less those of ``after``; kinds that did not change are left out."""
    before, after = list(before), list(after)
    counts: dict[Kind, int] = {}
    for nodes, sign in ((before, 1), (after, -1)):
        for node in nodes:
            for row in rows(node):
                counts[row.kind] = counts.get(row.kind, 0) + sign * row.number
    removed = tuple((kind, count) for kind, count in counts.items() if count)
    return Rewrite(name, module or (before[-1].module if before else ""), removed, why)
