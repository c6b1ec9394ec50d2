r"""Where dimensions are exchanged and exchanged back, what lies between acts on the elements as they lie.

:math:`\pi^{-1} \circ f \circ \pi = f` for a function of each element, its constants laid as the elements were. Networks
that were written channels last have norms and rectifiers between two such moves; on the way they would hide scales
from the weights and thresholds that take them up.

Precondition: functions of each element alone lie between, whose operands were all moved in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from costmodel.deploy.layout import MADE, axis_of, laid_back, order_of
from costmodel.graph.affine import Laid, Part, Step, bias_tags, scale_tags
from costmodel.graph.attrs import Affine, Move
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Graph, GraphInput, Node, substitute
from costmodel.graph.operands import Constant

Order = tuple[int, ...]


@dataclass(frozen=True)
class _Region:
    """What lies behind moves of one order: ``members`` by id, those moves among them, and the moves back."""

    order: Order
    members: frozenset[int]
    back: tuple[Node, ...]


def undo_turns(graph: Graph) -> Graph:
    """Leave out every exchange of dimensions that is undone, and what only it made necessary."""
    regions = [region for region in _regions(graph) if region.back]
    if not regions:
        return graph
    users, fresh = graph.users(), graph.free_id()
    of = {number: region for region in regions for number in region.members}
    undone = {node.id for region in regions for node in region.back}
    plain: dict[int, int] = {}  # value of a region -> the same elements as they lie, or what is moved back to that
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.id in undone:
            plain[node.id] = plain[node.inputs[0]]
            continue
        region = of.get(node.id)
        if region is None:
            nodes.append(substitute((node,), {i: plain[i] for i in node.inputs if i in undone})[0])
            continue
        elsewhere = (u for u in users[node.id] if of.get(u.id) is not region and u not in region.back)
        wanted = node.id in graph.outputs or any(elsewhere)
        if isinstance(node.attrs, Move) and order_of(node) == region.order:
            (source,) = node.inputs
            plain[node.id] = plain[source] if source in undone else source
            turned = replace(node, inputs=(plain[node.id],))
        else:
            plain[node.id] = fresh
            nodes.append(
                replace(_as_it_lies(node, region.order), id=fresh, inputs=tuple(plain[i] for i in node.inputs))
            )
            turned = replace(
                node, op="permute", inputs=(fresh,), consts={}, tags=(), inner=(),
                attrs=Move("permute", (None, region.order)),
            )  # fmt: skip
            fresh += 1
        if wanted:
            nodes.append(turned)
    outputs = tuple(plain[i] if i in undone else i for i in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


def _regions(graph: Graph) -> Iterator[_Region]:
    """Connected values behind moves of the same order, with the moves that lead back from them."""
    table = graph.by_id()
    order: dict[int, Order] = {}
    root: dict[int, int] = {}
    back: dict[int, list[Node]] = {}
    for node in graph.nodes:
        turn = order_of(node)
        before = [order.get(i) for i in node.inputs]
        if turn and before[0] and turn == _inverse(before[0]):
            back.setdefault(node.inputs[0], []).append(node)
        elif turn and turn[0] == 0 and turn != tuple(sorted(turn)):
            order[node.id], root[node.id] = turn, node.id
        elif before and before[0] and all(each == before[0] for each in before) and _acts_by_element(node, table):
            order[node.id] = before[0]
            first, *others = {_root(root, i) for i in node.inputs}
            root[node.id] = first
            root.update(dict.fromkeys(others, first))
    members: dict[int, set[int]] = {}
    for number in order:
        members.setdefault(_root(root, number), set()).add(number)
    for head, numbers in members.items():
        yield _Region(order[head], frozenset(numbers), tuple(n for i in sorted(numbers) for n in back.get(i, ())))


def _root(root: Mapping[int, int], number: int) -> int:
    while root[number] != number:
        number = root[number]
    return number


def _inverse(order: Order) -> Order:
    return tuple(order.index(k) for k in range(len(order)))


def _acts_by_element(node: Node, table: Mapping[int, Node | GraphInput]) -> bool:
    """Whether a node is a function of each element whose constants can be laid otherwise."""
    if not node.row.elementwise or node.inner or node.domain.per_channel or node.domain.asymmetric:
        return False
    if any(table[i].shape != node.shape for i in node.inputs):
        return False
    if isinstance(node.attrs, Affine):
        attrs = node.attrs
        sized = any(step.tag == "weight_scale" and step.per_channel for step in attrs.steps)
        return not (sized or attrs.turned or attrs.multiplier)
    found = [] if node.op == "prelu" else list(node.consts.values())
    found += [c for field in fields(node.attrs) for c in _constants(getattr(node.attrs, field.name))]
    return all(constant.numel == 1 for constant in found)


def _constants(value: object) -> Iterator[Constant]:
    if isinstance(value, Constant):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _constants(each)


def _as_it_lies(node: Node, order: Order) -> Node:
    """A function of elements that were moved, for the elements as they were before."""
    inverse = _inverse(order)
    shape = tuple(node.shape[k] for k in inverse)
    back = Laid("permute", (None, inverse), 0, shape)
    if isinstance(node.attrs, Affine):
        return replace(node, shape=shape, attrs=replace(node.attrs, steps=_laid(node.attrs.steps, node, order, back)))
    return replace(node, shape=shape, consts={name: laid_back(c, node, back) for name, c in node.consts.items()})


def _laid(steps: tuple[Step, ...], node: Node, order: Order, back: Laid) -> tuple[Step, ...]:
    """A chain for the elements as they were: along one dimension its constants keep their steps."""
    axis = axis_of(steps, len(node.shape))
    if axis is None:
        return steps
    if axis == -1 or any(step.fn == "batch_norm" or step.parts for step in steps):
        numbers = max(c.numel for step in steps for c in step.constants if c is not None)
        tag = scale_tags(steps) if any(step.scale_class != "one" for step in steps) else bias_tags(steps)
        made = (Constant(MADE, (numbers,), FLOAT),)
        return (Step("laid", made, tag, parts=(Part(steps, node.shape),), laid=back),)
    behind = len(order) - 1 - order[axis]

    def along(constant: Constant | None) -> Constant | None:
        if constant is None or constant.numel == 1:
            return constant
        return replace(constant, shape=(constant.numel, *(1 for _ in range(behind))))

    return tuple(replace(step, constants=tuple(map(along, step.constants))) for step in steps)
