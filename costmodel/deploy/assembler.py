"""The state of an assembly: instructions so far, the type of every value, and how they are converted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from costmodel.deploy.constants import Constants
from costmodel.deploy.program import REAL, Array, Instruction, Type
from costmodel.errors import CostmodelError
from costmodel.graph.node import Graph, Node
from costmodel.graph.operands import Constant, In


class CannotRunError(CostmodelError):
    """The network does something for which there is no executable form; its counts do not depend on that."""


#: Translates a node into instructions.
Builder: TypeAlias = "Callable[[Assembler, Node], Any]"
#: Operation -> its builder; ``move``, ``elementwise`` and ``plain`` are for operations that have none of their own.
BUILDERS: dict[str, Builder] = {}


def builds(*names: str) -> Callable[[Builder], Builder]:
    """Register the decorated function as the builder of these operations."""

    def register(builder: Builder) -> Builder:
        for name in names:
            assert name not in BUILDERS, name
            BUILDERS[name] = builder
        return builder

    return register


def builder_of(node: Node) -> Builder | None:
    """What builds a node, if it can be executed."""
    row = node.row
    if not row.executable:
        return None
    common = "move" if row.moves else "elementwise" if row.elementwise else "plain"
    return BUILDERS.get(node.op) or BUILDERS[common]


class Assembler:
    """Translates node by node, each by the builder of its operation."""

    def __init__(
        self,
        graph: Graph,
        fraction_bits: int | None,
        scale: str,
        constants: Constants | None = None,
    ) -> None:
        self.graph, self.fraction, self.scale = graph, fraction_bits, scale
        self.constants = constants or Constants(graph)
        self.nodes = graph.by_id()
        self.instructions: list[Instruction] = []
        self.types: dict[int, Type] = {leaf.id: REAL for leaf in graph.inputs}
        self.magnitude: dict[int, float] = {}  # size that the unit of a one-bit value stands for
        self.levels_of: dict[int, int] = {}  # largest magnitude of an integer sum
        self.notes: list[str] = []
        self._converted: dict[tuple[int, Type], int] = {}
        self._next = 1 + max([n.id for n in graph.nodes] + [leaf.id for leaf in graph.inputs], default=0)

    def build(self, node: Node) -> None:
        builder = builder_of(node)
        if builder is None:
            raise self.refuse(node, "there is no executable form of it")
        if self.fraction is not None and not node.row.on_grid:
            node = replace(node, inputs=tuple(self.real(i) for i in node.inputs))
        builder(self, node)

    # -- emission ----------------------------------------------------------------------------------------------------

    def emit(self, node: Node, op: str, inputs: tuple[int, ...], type: Type, arrays: dict[str, Array] | None = None,
             **params: Any) -> int:  # fmt: skip
        kept = {k: v for k, v in (arrays or {}).items() if v is not None}
        self.instructions.append(
            Instruction(op, node.id, inputs, node.shape, node.module, node.call, node.op, params, kept)
        )
        self.types[node.id] = type
        return node.id

    def fresh(self, op: str, source: int, type: Type, **params: Any) -> int:
        number = self._next
        self._next += 1
        shape = self.nodes[source].shape if source in self.nodes else ()
        self.instructions.append(Instruction(op, number, (source,), shape, params=params))
        self.types[number] = type
        return number

    def cast(self, value: int, type: Type) -> int:
        """``value`` in another type: free where it only moves the point, else rounded to the grid."""
        have = self.types[value]
        if have == type or (have.kind == type.kind == "real"):
            return value
        key = (value, type)
        if key not in self._converted:
            if type.kind == "real":
                made = self.fresh("to_real", value, REAL, fraction=have.fraction)
            elif have.kind == "real":
                made = self.fresh("to_int", value, type, fraction=type.fraction)
            else:
                made = self.fresh("move_point", value, type, left=type.fraction - have.fraction)
            self._converted[key] = made
        return self._converted[key]

    def real(self, value: int) -> int:
        return self.cast(value, REAL)

    @property
    def stream(self) -> Type:
        """Type of wide values."""
        return REAL if self.fraction is None else Type("int", self.fraction)

    def size(self, constant: Constant) -> float:
        """What a constant is that is the size of values in units."""
        return math.prod(self.magnitude.get(i, 1.0) for i in constant.sizes)

    def integer(self, value: int) -> bool:
        return self.types[value].kind != "real"

    def operands(self, given: tuple[Any, ...], rank: int) -> tuple[list[Any], dict[str, Array]]:
        """The operands of a call as plain data: ["in", k], ["const", name] or the value itself; and the constants."""
        arrays: dict[str, Array] = {}

        def code(argument: Any) -> Any:
            if isinstance(argument, In):
                return ["in", argument.position]
            if isinstance(argument, Constant):
                name = f"const{len(arrays)}"
                arrays[name] = self.constants.array(argument, max(rank, len(argument.shape)))
                return ["const", name]
            if isinstance(argument, tuple):
                return [code(a) for a in argument]
            return argument if isinstance(argument, (int, float, bool, str)) or argument is None else str(argument)

        return [code(a) for a in given], arrays

    def refuse(self, node: Node, reason: str) -> CannotRunError:
        where = node.module or "the network"
        return CannotRunError(
            f"{where}: {node.op} ({node.source or 'rewritten'}) cannot be executed: {reason}. Its cost "
            "is in the ledger; only running the deployed network needs it."
        )


def inherit(state: Assembler, node: Node) -> None:
    """One-bit values that are moved or compared keep the size that their unit stands for."""
    sizes = {state.magnitude.get(i) for i in node.inputs}
    if len(sizes) == 1:  # values of several sizes are multiplied by these where they are read
        size = sizes.pop()
        if size is not None:
            state.magnitude[node.id] = size
