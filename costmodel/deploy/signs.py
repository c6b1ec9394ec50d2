r"""What a sign does not see: :math:`\mathrm{sign}(c x) = \mathrm{sign}(x)` for every :math:`c > 0`.

* *drop*: a positive scale in front of a comparison with zero is not applied, wherever its elements were moved before;
* *factors*: neither is a positive factor or divisor computed from the input, such as a standard deviation or a mean of
  magnitudes. Where a divisor is zero the quotient is no number in PyTorch, and the sign of the dividend here.

Precondition: nothing but such comparisons reads the product, and no output of the network is among it.
"""

from __future__ import annotations

from collections.abc import Mapping

from costmodel.deploy.absorb import at_zero
from costmodel.deploy.account import rewrite_row
from costmodel.deploy.monotone import rises
from costmodel.graph.attrs import Affine, Call, Clamp, Compare, Gate, Move, Pool, Reduce, Threshold, Variance
from costmodel.graph.functions import FUNCTIONS
from costmodel.graph.node import Graph, GraphInput, Node, substitute
from costmodel.graph.operands import In
from costmodel.graph.vocabulary import Rewrite

WHY_SIGN = "the sign of a positive multiple is the sign"


def drop_before_signs(graph: Graph) -> Graph:
    """A positive scale that only a comparison with zero reads, moved elements or not, changes nothing."""
    users = graph.users()
    names: dict[int, int] = {}
    rows: list[Rewrite] = []
    for node in graph.nodes:
        if not isinstance(node.attrs, Affine) or not all(
            step.fn in ("mul", "div") and rises(step) for step in node.attrs.steps
        ):
            continue
        readers, current = users[node.id], node
        while len(readers) == 1 and readers[0].row.moves and current.id not in graph.outputs:
            current = readers[0]
            readers = users[current.id]
        signs = all(_is_sign(reader) for reader in readers)
        if readers and signs and current.id not in graph.outputs:
            names[node.id] = node.inputs[0]
            rows.append(rewrite_row("scale before a sign", [node], [], WHY_SIGN, node.module))
    return graph.with_nodes(substitute((n for n in graph.nodes if n.id not in names), names), rows)


def _is_sign(node: Node) -> bool:
    """Whether a threshold is one comparison with zero."""
    return isinstance(node.attrs, Threshold) and node.attrs.levels == 2 and at_zero(node.inner)


def drop_positive_factors(graph: Graph) -> Graph:
    """sign(x / s) and sign(x * s) are sign(x) for a positive s, even one that is computed from the input."""
    table = graph.by_id()
    users = graph.users()
    names: dict[int, int] = {}
    rows: list[Rewrite] = []
    for node in graph.nodes:
        readers = users[node.id]
        if node.id in graph.outputs or not readers or not all(_asks_sign(reader) for reader in readers):
            continue
        kept = _other_than_positive(node, table)
        if kept is not None and table[kept].shape == node.shape:
            names[node.id] = kept
            rows.append(rewrite_row("positive factor before a sign", [node], [], WHY_SIGN, node.module))
    return graph.with_nodes(substitute((n for n in graph.nodes if n.id not in names), names), rows)


def _asks_sign(node: Node) -> bool:
    """Whether all that a node reads of its operand is its sign."""
    if node.op == "sign":
        return True
    return isinstance(node.attrs, Compare) and node.attrs.bound == 0 and len(node.inputs) == 1


def _other_than_positive(node: Node, table: Mapping[int, Node | GraphInput]) -> int | None:
    """The operand of a product or quotient whose other operand is positive."""
    match node.attrs:
        case Call(fn="div", operands=(In() as x, In() as divisor)):
            a, b = node.inputs[x.position], node.inputs[divisor.position]
            return a if _is_positive(table[b], table) or _is_nonnegative(table[b], table) else None
        case Gate() if node.op == "mul" and len(node.inputs) == 2:
            for a, b in (node.inputs, node.inputs[::-1]):
                if _is_positive(table[b], table):
                    return a
    return None


def _is_positive(node: Node | GraphInput, table: Mapping[int, Node | GraphInput]) -> bool:
    """Whether a value is greater than zero by the operation that makes it, wherever it is a number to divide by."""
    if not isinstance(node, Node):
        return False
    match node.attrs:
        case Variance():
            return True
        case Call(fn=fn) if node.op == "special":
            return fn in FUNCTIONS and FUNCTIONS[fn].positive
        case Affine(steps=steps):
            literal = all(step.fn in ("mul", "div", "add") and rises(step) for step in steps)
            added = any(step.fn == "add" for step in steps)
            source = table[node.inputs[0]]
            return literal and (_is_positive(source, table) or (added and _is_nonnegative(source, table)))
        case Clamp(low=low):
            return isinstance(low, (int, float)) and low > 0
    if node.row.moves and len(node.inputs) == 1 and not node.consts:
        padded = isinstance(node.attrs, Move) and node.attrs.fill is not None
        return not padded and _is_positive(table[node.inputs[0]], table)
    return False


def _is_nonnegative(node: Node | GraphInput, table: Mapping[int, Node | GraphInput]) -> bool:
    """Whether a value is not below zero by the operation that makes it."""
    if not isinstance(node, Node):
        return False
    if node.op in ("abs", "relu") or _is_positive(node, table):
        return True
    source = table[node.inputs[0]] if len(node.inputs) == 1 else None
    match node.attrs:
        case Affine(steps=steps):
            literal = all(step.fn in ("mul", "div", "add") and rises(step) for step in steps)
            return literal and source is not None and _is_nonnegative(source, table)
        case Clamp(low=low):
            return isinstance(low, (int, float)) and low >= 0
        case Reduce(fn=fn):
            return fn in ("sum", "mean", "amax", "max", "amin", "min") and _of(source, table)
    if isinstance(node.attrs, Pool) or node.row.pool or (node.row.moves and not node.consts):
        return _of(source, table)
    return False


def _of(source: Node | GraphInput | None, table: Mapping[int, Node | GraphInput]) -> bool:
    return source is not None and _is_nonnegative(source, table)
