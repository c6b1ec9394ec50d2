r"""See a PReLU in what it was spelled as.

:math:`\max(x, 0) + a \min(x, 0) = \max(x, 0) - a \max(-x, 0) = \mathrm{prelu}_a(x)`, and ``where(x > 0, x, a x)`` is
the same by definition.
Precondition: both branches read the same ``x`` and nothing else reads them.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.graph.attrs import NONE, Add, Affine, Choose, Clamp, Compare
from costmodel.graph.node import Graph, Node
from costmodel.graph.operands import Constant
from costmodel.graph.vocabulary import Rewrite

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
                made = replace(node, op="prelu", inputs=(x,), consts={"slope": slope}, tags=("prelu",), attrs=NONE)
                rows.append(rewrite_row("PReLU recognised", [*parts, node], [made], WHY, node.module))
                nodes[node.id] = node = made
        result.append(node)
    return graph.with_nodes(result, rows)


def _spelled_sum(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    if len(node.inputs) != 2:
        return None
    subtract = node.of(Add).subtract
    for first, second in (node.inputs,) if subtract else (node.inputs, node.inputs[::-1]):
        high, low = nodes.get(first), nodes.get(second)
        slope = _factor(low)
        if high is None or low is None or high.op != "relu" or slope is None:
            continue
        cut = nodes.get(low.inputs[0])
        if cut is None:
            continue
        parts = _negative_part(cut, nodes, negated=subtract)
        if parts and parts[0].inputs == high.inputs:
            return high.inputs[0], slope, [high, *parts, low]
    return None


def _negative_part(node: Node, nodes: dict[int, Node], negated: bool) -> list[Node]:
    """The nodes that compute min(x, 0), or its negative relu(-x); the first of them reads x."""
    if not negated:
        return [node] if node.attrs == Clamp(None, 0.0) else []
    minus = nodes.get(node.inputs[0])
    constant = _factor(minus)
    if node.op != "relu" or minus is None or constant is None:
        return []
    return [minus, node] if constant.literal == -1 else []


def _factor(node: Node | None) -> Constant | None:
    """The constant that a node multiplies by, if it does nothing else."""
    if node is None or not isinstance(node.attrs, Affine) or len(node.attrs.steps) != 1:
        return None
    (step,) = node.attrs.steps
    return step.constants[0] if step.fn == "mul" else None


def _spelled_where(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    """where(x > 0, x, a * x), whose inputs are the condition, x and the scaled x in this order."""
    if not isinstance(node.attrs, Choose) or node.attrs.fn != "where" or len(node.inputs) != 3:
        return None
    condition, x, low = nodes.get(node.inputs[0]), node.inputs[1], nodes.get(node.inputs[2])
    slope = _factor(low)
    if condition is None or low is None or slope is None or not isinstance(condition.attrs, Compare):
        return None
    above = condition.attrs.fn in ("gt", "ge") and condition.attrs.bound == 0
    return (x, slope, [condition, low]) if above and condition.inputs == low.inputs == (x,) else None
