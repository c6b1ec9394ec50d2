r"""See an operation in what it was spelled as.

* :math:`\max(x, 0) + a \min(x, 0) = \max(x, 0) - a \max(-x, 0) = \mathrm{prelu}_a(x)`, and so is
  :math:`\max(x, a x)` for :math:`0 \le a \le 1`;
* a choice by :math:`x > c` is :math:`\max(x, c)` where it takes :math:`x` above and :math:`c` below, :math:`\min(x, c)`
  the other way round, :math:`\mathrm{prelu}_a(x)` where it takes :math:`x` above zero and :math:`a x` below;
* a minimum and a maximum with numbers are a clamp, and what adds zero, as a zero point of 0, does nothing.

Precondition: both branches read the same ``x``; of a PReLU, nothing else reads them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.levels import number_of
from costmodel.graph.affine import literal_constant
from costmodel.graph.attrs import NONE, Add, Affine, Choose, Clamp, Compare
from costmodel.graph.node import Graph, Node, substitute
from costmodel.graph.operands import Constant, In
from costmodel.graph.vocabulary import Rewrite

WHY_PRELU = "max(x, 0) + a*min(x, 0) selects x or a*x by the sign of x"
WHY_ZERO = "x + 0 is x"
WHY_BOUND = "a choice between x and c by x > c is their maximum or minimum"


def recognise_spellings(graph: Graph) -> Graph:
    """Replace spelled-out PReLUs, rectifiers, minima and maxima by nodes of their own."""
    nodes = {node.id: node for node in graph.nodes}
    users = graph.users()
    rows: list[Rewrite] = []
    result: list[Node] = []
    for node in graph.nodes:
        match = _spelled_sum(node, nodes) or _spelled_maximum(node, nodes) or _spelled_slope(node, nodes)
        if match is not None:
            x, slope, parts = match
            if all(len(users[part.id]) == 1 and part.id not in graph.outputs for part in parts):
                made = replace(node, op="prelu", inputs=(x,), consts={"slope": slope}, tags=("prelu",), attrs=NONE)
                rows.append(rewrite_row("PReLU recognised", [*parts, node], [made], WHY_PRELU, node.module))
                nodes[node.id] = node = made
        elif (bounded := _spelled_bound(node, nodes)) is not None:
            row = rewrite_row("rectifier or bound recognised", [node], [bounded], WHY_BOUND, node.module)
            rows += [row] if row.removed else []
            nodes[node.id] = node = bounded
        if (both := _clamp_of_two(node, nodes, users, graph)) is not None:
            nodes[node.id] = node = both
        result.append(node)
    return graph.with_nodes(result, rows)


def drop_zeros(graph: Graph) -> Graph:
    """Leave out what adds a number that is known to be zero."""
    names: dict[int, int] = {}
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        steps = node.attrs.steps if isinstance(node.attrs, Affine) else ()
        kept = tuple(step for step in steps if not (step.fn in ("add", "sub") and number_of(step.constants[0]) == 0.0))
        if len(kept) < len(steps):
            made = [node.with_attrs(steps=kept)] if kept else []
            rows.append(rewrite_row("zero added", [node], made, WHY_ZERO, node.module))
            names.update({} if kept else {node.id: node.inputs[0]})
            nodes += made
            continue
        nodes.append(node)
    outputs = tuple(names.get(i, i) for i in graph.outputs)
    rows = [row for row in rows if row.removed]
    return replace(graph, outputs=outputs).with_nodes(substitute(nodes, names), rows)


def _clamp_of_two(node: Node, nodes: dict[int, Node], users: dict[int, list[Node]], graph: Graph) -> Node | None:
    """A minimum of a maximum, or the other way round, with two numbers."""
    inner = nodes.get(node.inputs[0]) if len(node.inputs) == 1 else None
    if inner is None or {node.op, inner.op} != {"minimum", "maximum"} or len(inner.inputs) != 1:
        return None
    others = [user for user in users[inner.id] if user.id != node.id]
    if any({reader.id for reader in users[user.id]} != {node.id} for user in others):
        return None  # else it is the comparison that the choice was spelled with
    bounds = {each.op: number_of(each.consts.get("bound")) for each in (node, inner)}
    low, high = bounds["maximum"], bounds["minimum"]
    if low is None or high is None or low > high or inner.id in graph.outputs:
        return None
    return replace(node, op="clamp", inputs=inner.inputs, consts={}, attrs=Clamp(low, high), tags=("clamp",))


def _spelled_sum(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    if node.op != "add" or len(node.inputs) != 2:
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


def _spelled_maximum(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    """max(x, a * x) with a number a in [0, 1]."""
    if node.op != "maximum" or len(node.inputs) != 2:
        return None
    for x, scaled in (node.inputs, node.inputs[::-1]):
        low = nodes.get(scaled)
        slope = _factor(low)
        if low is not None and low.inputs == (x,) and slope is not None and 0.0 <= (slope.literal or -1.0) <= 1.0:
            return x, slope, [low]
    return None


def _choice(node: Node, nodes: dict[int, Node]) -> tuple[int, Any, Any, Any, Node] | None:
    """x, the number it is compared with, what is taken above it and below, and the comparison."""
    if not isinstance(node.attrs, Choose) or (branches := node.attrs.branches) is None:
        return None
    place, above, below = branches
    condition = nodes.get(node.inputs[place])
    if condition is None or not isinstance(condition.attrs, Compare) or len(condition.inputs) != 1:
        return None
    fn, operands = condition.attrs.fn, condition.attrs.operands
    if operands is None or len(operands) != 2 or fn not in ("gt", "ge", "lt", "le"):
        return None
    exchanged = operands[0] != In(0)
    bound = operands[0] if exchanged else operands[1]
    if (fn in ("lt", "le")) != exchanged:
        above, below = below, above
    above, below = (node.inputs[a.position] if isinstance(a, In) else a for a in (above, below))
    return condition.inputs[0], bound, _named(above), _named(below), condition


def _named(operand: Any) -> Any:
    """An operand by what tells it apart: the number of a node stays itself, a constant is its value or its number."""
    if isinstance(operand, Constant):
        return ("number", operand.literal) if operand.literal is not None else ("constant", operand.id, operand.factor)
    return operand if isinstance(operand, int) and not isinstance(operand, bool) else ("number", operand)


def _spelled_slope(node: Node, nodes: dict[int, Node]) -> tuple[int, Constant, list[Node]] | None:
    """A choice of x above zero and a * x below."""
    choice = _choice(node, nodes)
    if choice is None:
        return None
    x, bound, above, below, condition = choice
    low = nodes.get(below) if isinstance(below, int) else None
    slope = _factor(low)
    if low is None or slope is None or above != x or low.inputs != (x,) or _number(bound) != 0.0:
        return None
    return x, slope, [condition, low]


def _spelled_bound(node: Node, nodes: dict[int, Node]) -> Node | None:
    """A choice of x and the number that it is compared with."""
    choice = _choice(node, nodes)
    if choice is None:
        return None
    x, bound, above, below, _ = choice
    name = ("number", _number(bound)) if _number(bound) is not None else _named(bound)
    for taken, other, op in ((above, below, "maximum"), (below, above, "minimum")):
        if taken != x or other != name or nodes.get(x, node).shape != node.shape:
            continue
        if _number(bound) == 0.0:
            form: dict[str, Any] = {"op": "relu", "attrs": NONE, "tags": ("relu",)}
            if op == "minimum":
                form = {"op": "clamp", "attrs": Clamp(None, 0.0), "tags": ("clamp",)}
            return replace(node, inputs=(x,), consts={}, **form)
        constant = bound if isinstance(bound, Constant) else literal_constant(float(bound))
        return replace(node, op=op, inputs=(x,), consts={"bound": constant}, attrs=NONE, tags=("other",))
    return None


def _number(bound: Any) -> float | None:
    if isinstance(bound, Constant):
        return bound.literal
    return float(bound) if isinstance(bound, (int, float)) else None
