r"""See a PReLU in what it was spelled as.

:math:`\max(x, 0) + a \min(x, 0) = \max(x, 0) - a \max(-x, 0) = \mathrm{prelu}_a(x)`, and ``where(x > 0, x, a x)`` is
the same by definition.
Precondition: both branches read the same ``x`` and nothing else reads them.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.graph.affine import Step
from costmodel.graph.node import Constant, Graph, Node, Rewrite

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
    if len(node.inputs) != 2:
        return None
    subtract = bool(node.attrs.get("subtract"))
    for first, second in (node.inputs,) if subtract else (node.inputs, node.inputs[::-1]):
        high, low = nodes.get(first), nodes.get(second)
        if high is None or low is None or high.op != "relu" or low.op != "affine" or len(low.attrs["steps"]) != 1:
            continue
        step: Step = low.attrs["steps"][0]
        cut = nodes.get(low.inputs[0])
        slope = step.constants[0]
        if step.fn != "mul" or cut is None or slope is None:
            continue
        parts = _negative_part(cut, nodes, negated=subtract)
        if parts and parts[0].inputs == high.inputs:
            return high.inputs[0], slope, [high, *parts, low]
    return None


def _negative_part(node: Node, nodes: dict[int, Node], negated: bool) -> list[Node]:
    """The nodes that compute min(x, 0), or its negative relu(-x); the first of them reads x."""
    if not negated:
        cut = node.op == "clamp" and node.attrs.get("max") == 0 and node.attrs.get("min") is None
        return [node] if cut else []
    minus = nodes.get(node.inputs[0])
    if node.op != "relu" or minus is None or minus.op != "affine":
        return []
    steps = minus.attrs["steps"]
    constant = steps[0].constants[0] if len(steps) == 1 and steps[0].fn == "mul" else None
    return [minus, node] if constant is not None and constant.literal == -1 else []


def _spelled_where(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    """where(x > 0, x, a * x), whose inputs are the condition, x and the scaled x in this order."""
    if node.op != "where" or len(node.inputs) != 3 or not node.source.startswith("aten.where"):
        return None
    condition, x, low = nodes.get(node.inputs[0]), node.inputs[1], nodes.get(node.inputs[2])
    if condition is None or low is None or condition.op != "compare" or low.op != "affine":
        return None
    step: Step = low.attrs["steps"][0]
    above = any(f"aten.{name}." in condition.attrs["fn"] for name in ("gt", "ge"))
    at_zero = above and condition.attrs.get("bound") == 0 and condition.inputs == (x,) and low.inputs == (x,)
    slope = step.constants[0] if len(low.attrs["steps"]) == 1 and step.fn == "mul" else None
    return (x, slope, [condition, low]) if at_zero and slope is not None else None
