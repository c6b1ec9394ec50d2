"""What handlers read from a recorded operation's arguments."""

from __future__ import annotations

import math
from typing import Any

from costmodel.graph.operands import In
from costmodel.trace.lowering import Lowering
from costmodel.trace.simplify import base_name
from costmodel.trace.values import Ref, Value


def node_of(state: Lowering, argument: Any) -> int:
    operand = state.operand(argument)
    if not isinstance(operand, int):
        raise TypeError("expected a value that depends on the input")
    return operand


def numel(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def online_inputs(state: Lowering, value: Value) -> tuple[int, ...]:
    numbers = (state.simplified.canonical[i] for i in value.inputs)
    return tuple(dict.fromkeys(state.names[i] for i in numbers if state.simplified.online[i]))


def operands_of(state: Lowering, value: Value) -> tuple[Any, ...]:
    """The arguments in their order: a position among the node's inputs (:class:`In`), a constant, or a plain value."""
    inputs = online_inputs(state, value)
    return tuple(operand_of(state, argument, inputs) for argument in value.args)


def operand_of(state: Lowering, argument: Any, inputs: tuple[int, ...]) -> Any:
    """One argument of a node with these inputs, as :func:`operands_of` gives all."""
    if isinstance(argument, tuple):
        return tuple(operand_of(state, a, inputs) for a in argument)
    if not isinstance(argument, Ref):
        return argument
    operand = state.operand(argument)
    return In(inputs.index(operand)) if isinstance(operand, int) else operand


def function_of(value: Value) -> str:
    """ATen's name of what was called, without overload, output and the underscore of work in place."""
    return base_name(value.op).split(":")[0].split(".")[1]


def plain(argument: Any) -> Any:
    """An argument as plain data: tensors are None, types and layouts text."""
    if isinstance(argument, Ref):
        return None
    if isinstance(argument, tuple):
        return tuple(plain(a) for a in argument)
    return argument if isinstance(argument, (int, float, bool, str)) or argument is None else str(argument)
