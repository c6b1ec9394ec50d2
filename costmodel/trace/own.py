"""From a recorded call of a user's own operation to a node that costs what was registered for it."""

from __future__ import annotations

from typing import Any

from costmodel.errors import CostmodelError
from costmodel.graph.attrs import Registered
from costmodel.graph.vocabulary import Caveat
from costmodel.trace.arguments import online_inputs, operands_of
from costmodel.trace.custom import CUSTOM, Call, Operand, rows_of
from costmodel.trace.lowering import Lowering
from costmodel.trace.values import Ref, Value


def own_operation(state: Lowering, value: Value, known: bool) -> None:
    """Emit a call as the node that was registered for it; ``known`` says that it has a rule already.

    Only the first of several results that are used is charged.
    """
    own = CUSTOM[value.operator.packet]
    if known:
        raise CostmodelError(f"{own.name} was registered ({own.where}), and it has a rule already: leave it to that")
    values = state.simplified.recording.values
    others = (i for i in range(value.id - value.output, value.id) if values[i].args is value.args)
    rows = () if any(i in state.names for i in others) else rows_of(own, _described(state, value))
    attrs = Registered(own.name, operands_of(state, value), rows, value.output)
    state.emit(value, "registered", online_inputs(state, value), attrs=attrs, tags=("other",))
    message = f"{own.name} is counted as registered by the user ({own.where})"
    if all(caveat.message != message for caveat in state.caveats):
        state.caveats.append(Caveat("registered", value.module, message))


def _described(state: Lowering, value: Value) -> Call:
    def described(argument: Any) -> Any:
        if isinstance(argument, tuple):
            return tuple(described(a) for a in argument)
        if not isinstance(argument, Ref):
            return argument
        operand = state.operand(argument)
        if isinstance(operand, int):
            return Operand(state.shape(argument), state.domain_of(operand))
        assert operand is not None
        return Operand(state.shape(argument), operand.domain, constant=True)

    arguments = {name: described(argument) for name, argument in value.args.items()}
    return Call(arguments, Operand(value.shape, state.kind_of(value)))
