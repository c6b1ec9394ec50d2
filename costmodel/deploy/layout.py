r"""How a chain of scales and biases lies on a tensor, and how it lies behind a move of that tensor's elements.

Element by element, :math:`a x_i + b` with constants that differ by place: where the elements move, the constants move
with them. A chain that differs by channel alone stays so behind what keeps the channels; on any other move it becomes
one step that is laid as the elements are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from costmodel.graph.affine import Laid, Part, Step, bias_tags, scale_tags
from costmodel.graph.attrs import Call, Move, Pool, Reduce
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Node
from costmodel.graph.operands import Constant, In

#: The number of a constant that is made of several.
MADE = -4


def axis_of(steps: Sequence[Step], rank: int) -> int | None:
    """The one dimension along which the constants of a chain differ: None for none, -1 for several."""
    found: set[int] = set()
    for step in steps:
        if step.parts:
            axis = _axis_of_parts(step, rank)
            found |= set() if axis is None else {axis}
            continue
        for constant in step.constants:
            if constant is None or constant.numel == 1:
                continue
            if step.fn == "batch_norm":
                found.add(1)
                continue
            found.update(rank - len(constant.shape) + k for k, size in enumerate(constant.shape) if size > 1)
    if not found:
        return None
    return found.pop() if len(found) == 1 else -1


def _axis_of_parts(step: Step, rank: int) -> int | None:
    inner = {axis_of(part.steps, len(part.shape)) for part in step.parts}
    if step.laid is None:
        return inner.pop()
    if inner == {None} and len(step.parts) == 1:
        return None
    along = _moves_channels(step.laid)
    return 1 if along and inner <= {None, 1} else -1


def _moves_channels(laid: Laid) -> bool:
    """Whether a move acts on the channels alone, dimension 1, each of them as a whole."""
    arguments = laid.arguments
    match laid.fn:
        case "take" | "slice" | "narrow" | "cat" | "concat":
            return len(arguments) > 1 and arguments[1] == 1
        case "split" | "split_with_sizes" | "chunk" | "unsafe_split" | "unsafe_chunk":
            return len(arguments) > 2 and arguments[2] == 1
        case "flip":
            return len(arguments) > 1 and tuple(arguments[1]) == (1,)
    return False


def moves_channels(node: Node) -> bool:
    """Whether a node moves the channels alone, each of them as a whole, or joins them."""
    step = lay(node, [Part((), node.shape)])
    return step is not None and step.laid is not None and _moves_channels(step.laid)


def relaid(steps: tuple[Step, ...], node: Node, reader: Node) -> tuple[Step, ...] | None:
    """The chain of ``node`` for the shape of the reader's result, or None where it does not lie on that."""
    axis = axis_of(steps, len(node.shape))
    if axis is None:
        return steps
    if axis != 1 or not (reader.row.keeps_channels or reader.row.pool or _keeps_one(node, reader)):
        return None
    if len(reader.shape) < 2 or reader.shape[1] != node.shape[1]:
        return None
    return tuple(onto(step, len(reader.shape)) for step in steps)


def _keeps_one(node: Node, reader: Node) -> bool:
    """Whether a reader leaves dimension 1 in its place: a sum over later ones, or a view that only drops those."""
    if isinstance(reader.attrs, (Pool, Reduce)):
        axes = tuple(a % len(node.shape) for a in reader.attrs.axes)
        return bool(axes) and 0 not in axes and 1 not in axes
    return drops_ones(reader, node.shape)


def order_of(reader: Node) -> tuple[int, ...] | None:
    """The dimensions of the operand in the order of the result, where a move only exchanges dimensions."""
    attrs = reader.attrs
    if not isinstance(attrs, Move) or reader.consts or attrs.operands:
        return None
    rank, arguments = len(reader.shape), attrs.arguments
    match attrs.fn:
        case "permute":
            return tuple(d % rank for d in arguments[1])
        case "transpose":
            order = list(range(rank))
            a, b = (d % rank for d in arguments[1:3])
            order[a], order[b] = order[b], order[a]
            return tuple(order)
    return None


def drops_ones(reader: Node, shape: tuple[int, ...]) -> bool:
    """Whether a reader is a view that leaves out, or puts in, nothing but dimensions of size one behind dimension 1."""
    return reader.op == "view" and reader.shape[:2] == shape[:2] and math.prod(shape[2:]) == 1


def onto(step: Step, rank: int) -> Step:
    """A step whose constants lie along dimension 1, for a tensor of ``rank`` dimensions."""
    if step.fn == "batch_norm" or step.parts:
        return step

    def laid(constant: Constant | None) -> Constant | None:
        if constant is None or constant.numel == 1:
            return constant
        return replace(constant, shape=over_channels(constant, rank))

    return replace(step, constants=tuple(laid(c) for c in step.constants))


def lay(node: Node, parts: Sequence[Part]) -> Step | None:
    """The step behind a move of what ``parts`` act on, in the order of its inputs; None where it cannot be told."""
    if node.consts or not node.row.moves:
        return None
    if node.op == "gather":
        taken = places_of(node)
        if taken is None:
            return None
        move = Laid("take", (None, taken[0]), 0, node.shape, taken[1])
    elif isinstance(node.attrs, Move) and node.row.executable:
        attrs = node.attrs
        if attrs.operands or attrs.fill is not None:
            return None
        move = Laid(attrs.fn, attrs.arguments, attrs.output, node.shape)
    else:
        return None
    steps = [step for part in parts for step in part.steps]
    numbers = [max((c.numel for s in part.steps for c in s.constants if c is not None), default=1) for part in parts]
    count = min(math.prod(node.shape), sum(numbers))
    tag = scale_tags(steps) if any(step.scale_class != "one" for step in steps) else bias_tags(steps)
    return Step("laid", (Constant(MADE, (count,), FLOAT),), tag, parts=tuple(parts), laid=move)


def carried(constant: Constant, node: Node, reader: Node) -> Constant | None:
    """A constant that ``node`` multiplies by, for what a move makes of its operand; None where it cannot be told."""
    if constant.numel == 1:
        return constant
    step = lay(reader, [factor_of(constant, node)])
    return None if step is None else laid_factor(constant, step, reader.shape)


def laid_back(constant: Constant, node: Node, back: Laid) -> Constant:
    """A constant that ``node`` multiplies by, for the elements that it acts on as they were before a move."""
    if constant.numel == 1:
        return constant
    step = Step("laid", (constant,), "const_mul", parts=(factor_of(constant, node),), laid=back)
    return laid_factor(constant, step, back.shape)


def factor_of(constant: Constant, node: Node) -> Part:
    """A chain that multiplies what ``node`` acts on by one of its constants."""
    if len(constant.shape) == 1 and node.source.startswith("aten.prelu"):  # whose slopes lie along dimension 1
        constant = replace(constant, shape=over_channels(constant, len(node.shape)))
    return Part((Step("mul", (constant,), "const_mul"),), node.shape)


def laid_factor(constant: Constant, step: Step, shape: tuple[int, ...]) -> Constant:
    """The constant that is the scale of a laid step on a tensor of this shape."""
    axis = axis_of((step,), len(shape))
    spread = shape if axis != 1 else (shape[1], *(1 for _ in shape[2:]))
    return replace(constant, shape=spread, factor=1.0, scale_of=(step,))


def over_channels(constant: Constant, rank: int) -> tuple[int, ...]:
    """The shape of a vector that lies along dimension 1 of a tensor."""
    return (constant.numel, *(1 for _ in range(rank - 2)))


def places_of(node: Node) -> tuple[int, Constant] | None:
    """The dimension along which a node takes elements, and their places, if these are known offline."""
    fn, operands = node.of(Call).fn, node.of(Call).operands or ((), ())
    axis, places = 0, None
    if fn == "index_select":
        axis, places = operands[1], operands[2]
    elif fn == "index" and isinstance(operands[1], tuple):
        given = [(k, place) for k, place in enumerate(operands[1]) if place is not None]
        axis, places = given[0] if len(given) == 1 else (0, None)
    if not isinstance(places, Constant) or len(places.shape) > 1 or not axis or operands[0] != In(0):
        return None
    return axis, places
