r"""See a PReLU in what it was spelled as.

:math:`\max(x, 0) + a \min(x, 0) = \mathrm{prelu}_a(x)`, and ``where(x > 0, x, a x)`` is the same by definition.
Precondition: both branches read the same ``x`` and nothing else reads them.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.ledger.ledger import Rewrite
from costmodel.trace.affine import Step
from costmodel.trace.graph import Constant, Graph, Node

WHY = "max(x, 0) + a*min(x, 0) selects x or a*x by the sign of x"


def recognise_prelu(graph: Graph) -> Graph:
    """Replace spelled-out PReLUs by ``prelu`` nodes."""
    nodes = {node.id: node for node in graph.nodes}
    users = graph.users()
    rows: list[Rewrite] = []
    result: list[Node] = []
    for node in graph.nodes:
        match = _spelled_sum(node, nodes) if node.op == "add" else _spelled_where(node, nodes)
        if match is not None:
            x, slope, parts = match
            if all(len(users[part.id]) == 1 and part.id not in graph.outputs for part in parts):
                made = replace(node, op="prelu", inputs=(x,), consts={"slope": slope}, tags=("prelu",), attrs={})
                rows.append(rewrite_row("PReLU recognised", [*parts, node], [made], WHY, node.module))
                nodes[node.id] = node = made
        result.append(node)
    return graph.with_nodes(result, rows)


def _spelled_sum(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    if node.attrs.get("subtract") or len(node.inputs) != 2:
        return None
    for first, second in (node.inputs, node.inputs[::-1]):
        high, low = nodes.get(first), nodes.get(second)
        if high is None or low is None or high.op != "relu" or low.op != "affine" or len(low.attrs["steps"]) != 1:
            continue
        step: Step = low.attrs["steps"][0]
        cut = nodes.get(low.inputs[0])
        if step.fn == "mul" and cut is not None and _is_negative_part(cut) and cut.inputs == high.inputs:
            slope = step.constants[0]
            assert slope is not None
            return high.inputs[0], slope, [high, cut, low]
    return None


def _is_negative_part(node: Node) -> bool:
    return node.op == "clamp" and node.attrs.get("max") == 0 and node.attrs.get("min") is None


def _spelled_where(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    """where(x > 0, x, a * x), whose inputs are the condition, x and the scaled x in this order."""
    if node.op != "where" or len(node.inputs) != 3 or not node.source.startswith("aten.where"):
        return None
    condition, x, low = nodes.get(node.inputs[0]), node.inputs[1], nodes.get(node.inputs[2])
    if condition is None or low is None or condition.op != "compare" or low.op != "affine":
        return None
    step: Step = low.attrs["steps"][0]
    above = any(f"aten.{name}." in condition.attrs["fn"] for name in ("gt", "ge"))
    if above and condition.attrs.get("bound") == 0 and condition.inputs == (x,) and low.inputs == (x,):
        if len(low.attrs["steps"]) == 1 and step.fn == "mul" and step.constants[0] is not None:
            return x, step.constants[0], [condition, low]
    return None
