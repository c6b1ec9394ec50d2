"""What rules read from a recorded operation's arguments."""

from __future__ import annotations

import math
from typing import Any

from costmodel.graph.operands import In
from costmodel.trace.lowering import Lowering
from costmodel.trace.rules import UncoveredError
from costmodel.trace.values import Ref, Value


def node_of(state: Lowering, argument: Any) -> int:
    """The node that holds an argument; :class:`UncoveredError` for one that does not depend on the input."""
    operand = state.operand(argument)
    if not isinstance(operand, int):
        raise UncoveredError("its rule does not cover a constant in the place of an activation")
    return operand


def numel(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def online_inputs(state: Lowering, value: Value) -> tuple[int, ...]:
    numbers = (state.simplified.canonical[i] for i in value.inputs)
    return tuple(dict.fromkeys(state.names[i] for i in numbers if state.simplified.online[i]))


def operands_of(state: Lowering, value: Value) -> tuple[Any, ...]:
    """The arguments in their order: a position among the node's inputs (:class:`In`), a constant, or a plain value."""
    inputs = online_inputs(state, value)
    return tuple(operand_of(state, argument, inputs) for argument in value.args.values())


def operand_of(state: Lowering, argument: Any, inputs: tuple[int, ...]) -> Any:
    """One argument of a node with these inputs, as :func:`operands_of` gives all."""
    if isinstance(argument, tuple):
        return tuple(operand_of(state, a, inputs) for a in argument)
    if not isinstance(argument, Ref):
        return argument
    operand = state.operand(argument)
    return In(inputs.index(operand)) if isinstance(operand, int) else operand


def plain(argument: Any) -> Any:
    """An argument as plain data: tensors are None, types and layouts text."""
    if isinstance(argument, Ref):
        return None
    if isinstance(argument, tuple):
        return tuple(plain(a) for a in argument)
    return argument if isinstance(argument, (int, float, bool, str)) or argument is None else str(argument)


def axes_of(dim: Any, rank: int) -> tuple[int, ...]:
    """The dimensions that a reduction goes over, counted from the front; () for all."""
    given = dim if isinstance(dim, tuple) else () if dim is None else (dim,)
    axes = tuple(d % rank for d in given) if rank else ()
    return () if len(axes) == rank else axes
