"""What handlers read from a recorded operation's arguments."""

from __future__ import annotations

import math
from typing import Any

from costmodel.graph.node import In
from costmodel.trace.lower import Lowering
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

    def code(argument: Any) -> Any:
        if isinstance(argument, tuple):
            return tuple(code(a) for a in argument)
        operand = state.operand(argument) if isinstance(argument, Ref) else argument
        return In(inputs.index(operand)) if isinstance(argument, Ref) and isinstance(operand, int) else operand

    return tuple(code(a) for a in value.args)
