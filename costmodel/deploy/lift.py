r"""Thresholds and what they take up meet across a move.

A threshold in front of a move: :math:`[x_{\pi(i)} \ge T_i]` for the moved is :math:`[x_j \ge T_{\pi^{-1}(j)}]`.

Each element is compared once, before or behind. In front of a reshape or a concatenation the threshold meets what made
the elements, and takes up scales, biases and rectifiers that another layout hid from it; its own constants are laid as
the elements were.

A function of each element passes a move as well, towards the thresholds behind it: one that is the same for all, and a
PReLU, whose slopes are laid as the elements are.

Precondition: nothing but thresholds reads what the move makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costmodel.deploy.absorb import fits_into, threshold_attrs
from costmodel.deploy.layout import MADE, axis_of, carried, laid_back
from costmodel.graph.affine import Laid, Part, Step, scale_tags
from costmodel.graph.attrs import Affine, Call, Clamp, Move, Norm, Threshold
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Graph, GraphInput, Node
from costmodel.graph.operands import Constant


def lift_thresholds(graph: Graph) -> Graph:
    """Put thresholds in front of reshapes and concatenations behind which they stand."""
    table = graph.by_id()
    users = graph.users()
    fresh = graph.free_id()
    lifted: dict[int, list[Node]] = {}  # threshold -> those in front, and the move of what they give
    for move in graph.nodes:
        readers = users[move.id]
        if not readers or move.id in graph.outputs or not _movable(move) or not _gains(move, table, users):
            continue
        made: dict[int, list[Node]] = {}
        for reader in readers:
            parts = _in_front(move, reader, table, fresh)
            if parts is None:
                break
            made[reader.id] = parts
            fresh += len(parts)
        else:
            lifted.update(made)
    if not lifted:
        return graph
    return graph.with_nodes(part for node in graph.nodes for part in lifted.get(node.id, [node]))


def sink_functions(graph: Graph) -> Graph:
    """Put functions behind the moves that lead to thresholds alone, one for each of these moves: they take all up."""
    table = graph.by_id()
    users = graph.users()
    fresh = graph.free_id()
    swapped: dict[int, list[Node]] = {}
    for function in graph.nodes:
        readers = users[function.id]
        moves = [reader for reader in readers if reader.row.moves and not reader.row.joins]
        if not moves or function.id in graph.outputs or not _is_function(function, table):
            continue
        if not all(_taken(function, reader, table, users, graph.outputs) for reader in readers):
            continue
        carried_along = [_carried(function, move) for move in moves]
        if None in carried_along:
            continue
        source = table[function.inputs[0]].domain
        swapped[function.id] = [function] if len(moves) < len(readers) else []
        for move, consts in zip(moves, carried_along, strict=True):
            behind = replace(function, id=move.id, inputs=(fresh,), shape=move.shape, consts=consts or {})
            swapped[move.id] = [replace(move, id=fresh, inputs=function.inputs, domain=source), behind]
            fresh += 1
    if not swapped:
        return graph
    return graph.with_nodes(part for node in graph.nodes for part in swapped.get(node.id, [node]))


def _carried(function: Node, move: Node) -> dict[str, Constant] | None:
    """The constants of a function behind a move; None where it cannot be told how they lie there."""
    found = {name: carried(constant, function, move) for name, constant in function.consts.items()}
    kept = {name: constant for name, constant in found.items() if constant is not None}
    return kept if len(kept) == len(found) else None


def _is_function(node: Node, table: Mapping[int, Node | GraphInput]) -> bool:
    """Whether a node is one function of each element, the same for all but for the slopes of a PReLU."""
    monotone = (node.row.monotone and not node.consts) or node.op == "prelu"
    if not (monotone and node.row.elementwise) or len(node.inputs) != 1 or node.op == "cast":
        return False
    source = table[node.inputs[0]]
    return not isinstance(node.attrs, Affine) and not source.domain.is_one_bit and source.shape == node.shape


def _taken(
    function: Node, reader: Node, table: Mapping[int, Node | GraphInput], users: Mapping[int, list[Node]],
    outputs: tuple[int, ...],
) -> bool:  # fmt: skip
    """Whether thresholds take up a function in front of this reader, wherever its elements are moved to."""
    if reader.op == "threshold":
        return fits_into(function, replace(reader, inputs=(function.id,)))
    behind = users[reader.id]
    if not behind or reader.id in outputs or not reader.row.selects or not reader.row.moves or reader.consts:
        return False
    if reader.row.joins:
        return _lifted(reader, table, users) is not None and all(
            _taken(function, r, table, users, outputs) for r in behind
        )
    filled = isinstance(reader.attrs, Move) and reader.attrs.fill is not None
    if len(reader.inputs) != 1 or filled or reader.numel > function.numel or reader.op == "recode":
        return False
    return all(_taken(function, r, table, users, outputs) for r in behind)


def _lifted(move: Node, table: Mapping[int, Node | GraphInput], users: Mapping[int, list[Node]]) -> list[Node] | None:
    """The thresholds that come to stand in front of a move, where nothing else is behind it and behind moves there."""
    found: list[Node] = []
    for reader in users[move.id] if _movable(move) else ():
        thresholds = [reader] if reader.op == "threshold" else _lifted(reader, table, users) or []
        parts = [_in_front(move, threshold, table, 0) for threshold in thresholds]
        if not parts:
            return None
        for part in parts:
            if part is None:
                return None
            found += part[:-1]
    return found or None


def _movable(move: Node) -> bool:
    attrs = move.attrs
    if not isinstance(attrs, Move) or move.consts or attrs.operands or attrs.fill is not None:
        return False
    return move.op in ("view", "concat")


def _gains(move: Node, table: Mapping[int, Node | GraphInput], users: Mapping[int, list[Node]]) -> bool:
    """Whether a threshold in front of the move meets something that it takes up, and that nothing else needs."""
    return all(reader.op == "threshold" for reader in users[move.id]) and _meets(move, table, users)


def _meets(move: Node, table: Mapping[int, Node | GraphInput], users: Mapping[int, list[Node]]) -> bool:
    for i in move.inputs:
        maker = table[i]
        if not isinstance(maker, Node):
            continue
        if _movable(maker) and users[i] == [move] and _meets(maker, table, users):
            return True
        moved = isinstance(maker.attrs, Norm) and (maker.attrs.gain or maker.attrs.shift)
        takes = (maker.row.monotone or maker.op == "prelu" or moved) and len(maker.inputs) == 1
        if takes and all(user.id == move.id or user.op == "threshold" for user in users[i]):
            return True
    return False


def _in_front(move: Node, threshold: Node, table: Mapping[int, Node | GraphInput], fresh: int) -> list[Node] | None:
    """One threshold for each operand of the move, then the move under the name of the threshold."""
    if move.inputs.count(move.inputs[0]) != 1 or len(set(move.inputs)) != len(move.inputs):
        return None
    parts: list[Node] = []
    start = 0
    axis = _joined_axis(move)
    for i in move.inputs:
        source = table[i]
        if source.domain.is_one_bit:
            return None
        if move.op == "view":
            back = Laid("view", (None,), 0, source.shape)
        else:
            if axis is None:
                return None
            back = Laid("narrow", (None, axis, start, source.shape[axis]), 0, source.shape)
            start += source.shape[axis]
        inner = [_laid(node, back, threshold.shape) for node in threshold.inner]
        kept = tuple(node for node in inner if node is not None)
        if len(kept) < len(inner):
            return None
        attrs = threshold_attrs(source, kept, threshold.of(Threshold).levels)
        number = fresh + len(parts)
        parts.append(replace(threshold, id=number, inputs=(i,), shape=source.shape, inner=kept, attrs=attrs))
    behind = replace(move, id=threshold.id, inputs=tuple(part.id for part in parts), domain=threshold.domain)
    return [*parts, behind]


def _joined_axis(move: Node) -> int | None:
    arguments = move.of(Move).arguments
    axis = arguments[1] if len(arguments) > 1 else 0
    return axis % len(move.shape) if isinstance(axis, int) and axis % len(move.shape) else None


def _laid(node: Node, back: Laid, shape: tuple[int, ...]) -> Node | None:
    """A part of a threshold on the operand of a move, its constants laid back; None where they cannot be."""
    attrs = node.attrs
    if isinstance(attrs, Affine):
        if axis_of(attrs.steps, len(shape)) is not None:
            count = max(c.numel for step in attrs.steps for c in step.constants if c is not None)
            made = Constant(MADE, (count,), FLOAT)
            step = Step("laid", (made,), scale_tags(attrs.steps), parts=(Part(attrs.steps, shape),), laid=back)
            attrs = replace(attrs, steps=(step,))
        return replace(node, attrs=attrs, shape=back.shape)
    operands: list[object] = []
    consts = {}
    for name, constant in node.consts.items():
        if constant.numel > 1 and node.op != "prelu":
            return None
        consts[name] = laid_back(constant, node, back)
    operands += (attrs.operands or ()) if isinstance(attrs, Call) else ()
    operands += [attrs.low, attrs.high] if isinstance(attrs, Clamp) else []
    if any(isinstance(c, Constant) and c.numel > 1 for c in operands):
        return None
    return replace(node, shape=back.shape, consts=consts)
