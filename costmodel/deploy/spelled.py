r"""See an operation in what it was spelled as.

* :math:`\max(x, 0) + a \min(x, 0) = \max(x, 0) - a \max(-x, 0) = \mathrm{prelu}_a(x)`, and so is
  :math:`\max(x, a x)` for :math:`0 \le a \le 1`;
* a choice by :math:`x > c` is :math:`\max(x, c)` where it takes :math:`x` above and :math:`c` below, :math:`\min(x, c)`
  the other way round, :math:`\mathrm{prelu}_a(x)` where it takes :math:`x` above zero and :math:`a x` below;
* :math:`x + |x| = 2 \max(x, 0)`, and for a positive number :math:`c`, :math:`|x| - |x - c|` is twice
  :math:`\mathrm{clamp}(x, 0, c)` less :math:`c` (PACT, arXiv:1805.06085), and :math:`\max(x, 0) - \max(x - c, 0)` that
  clamp itself;
* a minimum and a maximum with numbers are a clamp, and what adds zero, as a zero point of 0, does nothing.

Precondition: both branches read the same ``x``; of a PReLU, nothing else reads them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.levels import number_of
from costmodel.graph.affine import Step, literal_constant, literal_step
from costmodel.graph.attrs import NONE, Add, Affine, Choose, Clamp, Compare
from costmodel.graph.domain import FLOAT, Domain
from costmodel.graph.node import Graph, Node, substitute
from costmodel.graph.operands import Constant, In
from costmodel.graph.vocabulary import Rewrite

WHY_PRELU = "max(x, 0) + a*min(x, 0) selects x or a*x by the sign of x"
WHY_ZERO = "x + 0 is x"
WHY_MAGNITUDE = "x + |x| is twice the rectified x, and |x| - |x - c| twice x clamped between 0 and c, less c"
WHY_BOUND = "a choice between x and c by x > c is their maximum or minimum"


def recognise_spellings(graph: Graph) -> Graph:
    """Replace spelled-out PReLUs, rectifiers, minima and maxima by nodes of their own."""
    nodes = {node.id: node for node in graph.nodes}
    users = graph.users()
    rows: list[Rewrite] = []
    result: list[Node] = []
    fresh = graph.free_id()
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
        elif (found := _spelled_by_magnitudes(node, nodes)) is not None:
            cut, steps, parts = found
            if all(len(users[part.id]) == 1 and part.id not in graph.outputs for part in parts):
                forms = [replace(cut, id=node.id)]
                if steps:
                    chain = replace(node, op="affine", inputs=(fresh,), tags=(), attrs=Affine(steps))
                    forms, fresh = [replace(cut, id=fresh), chain], fresh + 1
                name, why = "rectifier or bound recognised", WHY_MAGNITUDE
                rows.append(rewrite_row(name, [*parts, node], forms, why, node.module))
                nodes.update((each.id, each) for each in forms)
                result += forms[:-1]
                node = forms[-1]
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


def _spelled_by_magnitudes(node: Node, nodes: dict[int, Node]) -> tuple[Node, tuple[Step, ...], list[Node]] | None:
    """The rectifier or clamp that a sum with magnitudes is, the chain behind it, and what both replace."""
    if node.op != "add" or len(node.inputs) != 2:
        return None
    subtract = node.of(Add).subtract
    first, second = (nodes.get(i) for i in node.inputs)
    for x, size in (node.inputs, node.inputs[::-1]) if not subtract else ():
        magnitude = nodes.get(size)
        if magnitude is not None and magnitude.op == "abs" and magnitude.inputs == (x,):
            made = replace(node, op="relu", inputs=(x,), attrs=NONE, tags=("relu",), domain=_kept(nodes.get(x), 0.0))
            return made, (literal_step(2.0),), [magnitude]
    if not subtract or first is None or second is None or first.op != second.op or first.op not in ("abs", "relu"):
        return None
    (x, ahead), (moved, behind) = (_without_bias(nodes.get(each.inputs[0]), each.inputs[0]) for each in (first, second))
    gap = ahead - behind
    if x != moved or gap <= 0.0:
        return None
    kind = _kept(nodes.get(first.inputs[0]), gap)
    made = replace(node, op="clamp", inputs=first.inputs, attrs=Clamp(0.0, gap), tags=("clamp",), domain=kind)
    steps = (literal_step(2.0), Step("sub", (literal_constant(gap),), "bias")) if first.op == "abs" else ()
    return made, steps, [first, second]


def _kept(x: Node | None, bound: float) -> Domain:
    """What a value is between zero and a number: integers between integers, else real numbers."""
    whole = x is not None and x.domain.kind == "int" and x.domain.scale == "one" and float(bound).is_integer()
    return x.domain if x is not None and whole and not x.domain.asymmetric else FLOAT


def _without_bias(node: Node | None, name: int) -> tuple[Any, float]:
    """A value before numbers were added to it last, and their sum."""
    total = 0.0
    if node is None or not isinstance(node.attrs, Affine) or node.attrs != Affine(node.attrs.steps):
        return name, total
    steps = list(node.attrs.steps)
    while steps and steps[-1].fn in ("add", "sub") and (number := number_of(steps[-1].constants[0])) is not None:
        total += -number if steps.pop().fn == "sub" else number
    return (node.inputs, tuple(steps)) if steps else node.inputs[0], total


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
    """A choice of x, or of x that is bounded on the other side, and the number that it is compared with."""
    choice = _choice(node, nodes)
    if choice is None:
        return None
    x, bound, above, below, _ = choice
    name = ("number", _number(bound)) if _number(bound) is not None else _named(bound)
    for taken, other, op in ((above, below, "maximum"), (below, above, "minimum")):
        if other != name or not (taken == x or _keeps(nodes.get(taken), x, _number(bound))):
            continue
        if nodes.get(taken, node).shape != node.shape:
            continue
        if _number(bound) == 0.0:
            form: dict[str, Any] = {"op": "relu", "attrs": NONE, "tags": ("relu",)}
            if op == "minimum":
                form = {"op": "clamp", "attrs": Clamp(None, 0.0), "tags": ("clamp",)}
            return replace(node, inputs=(taken,), consts={}, **form)
        constant = bound if isinstance(bound, Constant) else literal_constant(float(bound))
        return replace(node, op=op, inputs=(taken,), consts={"bound": constant}, attrs=NONE, tags=("other",))
    return None


def _keeps(node: Node | None, x: Any, number: float | None) -> bool:
    """Whether a node is ``x`` between bounds that leave a number as it is."""
    if node is None or number is None or node.inputs != (x,):
        return False
    low, high = None, None
    if node.op == "relu":
        low = 0.0
    elif node.op in ("minimum", "maximum"):
        own = number_of(node.consts.get("bound"))
        if own is None:
            return False
        low, high = (own, None) if node.op == "maximum" else (None, own)
    elif isinstance(node.attrs, Clamp):
        low, high = node.attrs.low, node.attrs.high
        if not all(b is None or isinstance(b, (int, float)) for b in (low, high)):
            return False
    else:
        return False
    return (low is None or low <= number) and (high is None or number <= high)


def _number(bound: Any) -> float | None:
    if isinstance(bound, Constant):
        return bound.literal
    return float(bound) if isinstance(bound, (int, float)) else None
