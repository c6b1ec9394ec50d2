"""The graph of an inference computation: what runs, in execution order, with what kind of operands.

Nodes are in static single assignment form. Only work that depends on the network's input is a node; everything else
(weights and what is computed from weights alone) is a :class:`Constant`, evaluated once, offline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from costmodel.graph.domain import Domain
from costmodel.graph.vocabulary import Kind

if TYPE_CHECKING:
    import torch

#: Ops that only rename, reorder or copy elements: no arithmetic.
MOVES = frozenset({"view", "permute", "slice", "expand", "pad", "concat", "stack", "cast", "alias_write", "gather"})
#: Ops that act on each element alone, with operands that are constant or differ by channel.
POINTWISE = frozenset(
    {
        "batch_norm", "scale", "bias", "affine", "sign", "compare", "where", "prelu", "relu", "clamp", "round", "abs",
        "neg", "cast", "logical", "special", "minimum", "maximum", "mul", "add", "square", "threshold", "floor_div",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a sliding window; for ``linear`` and ``matmul`` kernel, stride and dilation are all one."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One exact transformation at one place: the operations it removed (positive) or added (negative), and why."""

    name: str
    module: str
    removed: tuple[tuple[Kind, int], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something that the tracer could not see through; never silent."""

    kind: Literal["unknown_op", "foreign", "branch", "alias_write", "uncalled", "data_swap", "nondeterministic", "note"]
    module: str
    message: str


@dataclass(frozen=True, slots=True)
class Constant:
    """An operand that does not depend on the input.

    ``id`` is its value in the recording (-1 for a literal), ``domain`` what its values are known to be, ``literal`` the
    number itself if it was written in the program, ``factor`` what the recorded value is multiplied by. ``shape``
    leaves out dimensions along which the values only repeat.
    """

    id: int
    shape: tuple[int, ...]
    domain: Domain
    literal: float | None = None
    path: str = ""
    factor: float = 1.0

    @property
    def numel(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True, slots=True)
class In:
    """An argument in ``attrs["operands"]`` that is the node's input of this position."""

    position: int


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. ``inputs`` are ids of nodes or of graph inputs; ``consts`` its operands known offline.

    ``tags`` say why it is there (see :data:`costmodel.ledger.TAGS`); ``attrs`` hold what the op needs besides its
    operands (window, reduced size, function name). ``domain`` is that of its result.
    """

    id: int
    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    domain: Domain
    module: str = ""
    call: int = 0
    consts: Mapping[str, Constant] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    window: Window | None = None
    source: str = ""

    @property
    def numel(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count

    def with_attrs(self, **attrs: Any) -> Node:
        return replace(self, attrs={**self.attrs, **attrs})


@dataclass(frozen=True, slots=True)
class GraphInput:
    """An input of the network (or, with ``foreign``, a tensor of unknown origin that is treated as an activation)."""

    id: int
    name: str
    shape: tuple[int, ...]
    domain: Domain
    foreign: bool = False


@dataclass(frozen=True)
class Graph:
    """Inputs, nodes in execution order, and the ids of the outputs.

    ``duplicates`` names, for a node that repeats a computation, the first node that did it.
    ``values`` holds, if they were asked for, the tensors of the constants (by :attr:`Constant.id`) and nothing else.
    ``samples`` holds aligned samples of observed values (by node id), for checks that need evidence.
    """

    network: str
    inputs: tuple[GraphInput, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    parameters: int = 0
    caveats: tuple[Caveat, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    duplicates: Mapping[int, int] = field(default_factory=dict, repr=False)
    samples: Mapping[int, torch.Tensor] = field(default_factory=dict, repr=False)
    values: Mapping[int, torch.Tensor] = field(default_factory=dict, repr=False)

    def by_id(self) -> dict[int, Node | GraphInput]:
        table: dict[int, Node | GraphInput] = {leaf.id: leaf for leaf in self.inputs}
        table.update((node.id, node) for node in self.nodes)
        return table

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
