"""Compute once what the program computes twice.

Precondition: same op, same operands, same constants, same attributes; no node of a graph is random.
"""

from __future__ import annotations

from typing import Any

from costmodel.deploy.account import rewrite_row
from costmodel.ledger.ledger import Rewrite
from costmodel.trace.graph import Graph, Node, substitute

WHY = "the same operation on the same values gives the same result"


def share_duplicates(graph: Graph) -> Graph:
    """Keep the first of equal computations."""
    seen: dict[Any, int] = {}
    names: dict[int, int] = {}
    kept: list[Node] = []
    rows: list[Rewrite] = []
    for original in graph.nodes:
        node = substitute((original,), names)[0]
        key = _key(node)
        first = seen.get(key) if key is not None else None
        if first is not None and node.id not in graph.outputs:
            names[node.id] = first
            rows.append(rewrite_row("shared computation", [node], [], WHY))
        else:
            if key is not None:
                seen.setdefault(key, node.id)
            kept.append(node)
    return graph.with_nodes(kept, [row for row in rows if row.removed])


def _key(node: Node) -> Any:
    if node.op in ("unknown", "alias_write", "where") or node.attrs.get("args"):
        return None  # their arguments are not all in the key
    try:
        consts = tuple(sorted((name, c.id, c.literal) for name, c in node.consts.items()))
        attrs = tuple((k, repr(v)) for k, v in sorted(node.attrs.items()))
    except TypeError:
        return None
    return (node.op, node.inputs, node.shape, consts, attrs, node.window)
