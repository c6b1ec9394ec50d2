"""The graph of an inference computation: what runs, in execution order, with what kind of operands.

Nodes are in static single assignment form. Only work that depends on the network's input is a node; everything else
(weights and what is computed from weights alone) is a :class:`Constant`, evaluated once, offline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from costmodel.graph.attrs import NONE, Attrs
from costmodel.graph.domain import Domain
from costmodel.graph.operands import Constant, Origin, Window
from costmodel.graph.ops import OPS, Op, op
from costmodel.graph.vocabulary import Called, Caveat, Rewrite

if TYPE_CHECKING:
    import torch

A = TypeVar("A", bound=Attrs)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. ``inputs`` are ids of nodes or of graph inputs; ``consts`` its operands known offline.

    ``op`` is a name of the table (:mod:`costmodel.graph.ops`), whose row says of which class ``attrs`` is: what the op
    needs besides its operands. ``tags`` say why it is there (see :data:`costmodel.graph.vocabulary.TAGS`); ``domain``
    is that of its result. ``inner`` are the nodes that a threshold or a recoding stands for, the last of them its own.
    """

    id: int
    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    domain: Domain
    module: str = ""
    call: int = 0
    consts: Mapping[str, Constant] = field(default_factory=dict)
    attrs: Attrs = NONE
    tags: tuple[str, ...] = ()
    window: Window | None = None
    source: str = ""
    called: Called | None = None
    inner: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        row = OPS.get(self.op) or op(self.op)
        if type(self.attrs) is not row.attrs:
            raise TypeError(f"{self.op} takes {row.attrs.__name__}, not {type(self.attrs).__name__}")

    @property
    def name(self) -> str:
        """What its layer is called: the module, and the number of the call from the second on."""
        return self.module if self.call == 0 else f"{self.module}#{self.call + 1}"

    @property
    def row(self) -> Op:
        """The row of its operation: its traits."""
        return OPS[self.op]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def of(self, form: type[A]) -> A:
        """Its attributes, as those of an operation of this form; :class:`TypeError` for another one."""
        if not isinstance(self.attrs, form):
            raise TypeError(f"{self.op} has {type(self.attrs).__name__}, not {form.__name__}")
        return self.attrs

    def with_attrs(self, **changes: Any) -> Node:
        """The same node with some attributes changed; :class:`TypeError` for one that it does not have."""
        return replace(self, attrs=replace(self.attrs, **changes))


@dataclass(frozen=True, slots=True)
class GraphInput:
    """An input of the network (or, with ``foreign``, a tensor of unknown origin that is treated as an activation)."""

    id: int
    name: str
    shape: tuple[int, ...]
    domain: Domain
    foreign: bool = False


@dataclass(frozen=True, repr=False)
class Graph:
    """Inputs, nodes in execution order, and the ids of the outputs.

    ``duplicates`` names, for a node that repeats a computation, the first node that did it.
    ``values`` holds, if they were asked for, the tensors of the constants (by :attr:`Constant.id`) and nothing else.
    ``origins`` says of constants, by their id, where they are stored; one that is not named is stored by itself.
    ``skipped`` are products that are known before the input is, although formulas count them: with a state of zeros.
    """

    network: str
    inputs: tuple[GraphInput, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    parameters: int = 0
    caveats: tuple[Caveat, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    duplicates: Mapping[int, int] = field(default_factory=dict, repr=False)
    origins: Mapping[int, Origin] = field(default_factory=dict, repr=False)
    skipped: tuple[Node, ...] = ()
    values: Mapping[int, torch.Tensor] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        counts = {"nodes": self.nodes, "inputs": self.inputs, "outputs": self.outputs, "rewrites": self.rewrites}
        return f"<Graph of {self.network}: {', '.join(f'{len(of)} {what}' for what, of in counts.items())}>"

    def by_id(self) -> dict[int, Node | GraphInput]:
        table: dict[int, Node | GraphInput] = {leaf.id: leaf for leaf in self.inputs}
        table.update((node.id, node) for node in self.nodes)
        return table

    def free_id(self) -> int:
        """A number from which on none is taken."""
        taken = [leaf.id for leaf in self.inputs]
        taken += [part.id for node in self.nodes for part in (node, *node.inner)]
        return 1 + max(taken, default=0)

    def users(self) -> dict[int, list[Node]]:
        """The nodes that read each value; an output of the network counts as no user."""
        table: dict[int, list[Node]] = {leaf.id: [] for leaf in self.inputs}
        for node in self.nodes:
            table.setdefault(node.id, [])
            for source in dict.fromkeys(node.inputs):
                table.setdefault(source, []).append(node)
        return table

    def with_nodes(self, nodes: Iterable[Node], rewrites: Iterable[Rewrite] = ()) -> Graph:
        """This graph with other nodes; those that no output depends on are dropped."""
        kept = live(tuple(nodes), self.outputs)
        return replace(self, nodes=kept, rewrites=(*self.rewrites, *rewrites))


def live(nodes: tuple[Node, ...], outputs: tuple[int, ...]) -> tuple[Node, ...]:
    """The nodes that the outputs depend on, in their order."""
    needed = set(outputs)
    kept: list[Node] = []
    for node in reversed(nodes):
        if node.id in needed:
            kept.append(node)
            needed.update(node.inputs)
    return tuple(reversed(kept))


def substitute(nodes: Iterable[Node], names: Mapping[int, int]) -> list[Node]:
    """Read ``names[i]`` instead of ``i`` in every node."""
    if not names:
        return list(nodes)

    def final(i: int) -> int:
        while i in names:
            i = names[i]
        return i

    result = []
    for node in nodes:
        inputs = tuple(final(i) for i in node.inputs)
        result.append(node if inputs == node.inputs else replace(node, inputs=inputs))
    return result
