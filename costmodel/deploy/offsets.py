r"""Levels around no zero, in front of a sum over weights of few levels: the sum is one of levels.

:math:`\sum w (a u + b) = a \sum w u + b \sum w`: the last sum is known offline. Next to zero padding it differs by
place, since what is padded has no bias.

Precondition: all that reads the chain are thresholds and such sums, or what moves all its elements, or takes maxima of
them, on the way to one; its scale is one number, its bias differs by input channel at most, and not where elements are
moved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from costmodel.deploy.absorb import fits_into
from costmodel.deploy.account import rewrite_row
from costmodel.deploy.monotone import rises
from costmodel.graph.affine import Step, literal_step
from costmodel.graph.attrs import Affine, Move, Product
from costmodel.graph.domain import FLOAT, accumulator
from costmodel.graph.node import Graph, GraphInput, Node
from costmodel.graph.operands import Constant, Summed
from costmodel.graph.vocabulary import Rewrite

WHY = "a sum of moved levels is the sum of the levels, and a constant"


@dataclass(frozen=True, slots=True)
class _Way:
    """From a chain to a sum, with what moves elements between them, in that order."""

    chain: Node
    between: tuple[Node, ...]
    reader: Node


def move_offsets(graph: Graph) -> Graph:
    """Give sums over weights of few levels the levels themselves to read."""
    table, users, fresh = graph.by_id(), graph.users(), graph.free_id()
    ways = _ways(graph, table, users)
    if not ways:
        return graph
    by_reader = {way.reader.id: way for way in ways}
    chains = {way.chain.id: way.chain for way in ways}
    moved = {node.id: way for way in ways for node in way.between}
    told = {number for number, chain in chains.items() if _compared(users[number], chain)}  # of which something stays
    nodes: list[Node] = []
    rows: list[Rewrite] = []
    for node in graph.nodes:
        if node.id in chains:
            if _compared(users[node.id], node):
                nodes.append(node)
            continue
        if node.id in moved:
            chain = moved[node.id].chain
            source = chain.inputs[0] if node.inputs[0] == chain.id else node.inputs[0]
            nodes.append(replace(node, inputs=(source,), domain=table[chain.inputs[0]].domain))
            continue
        if node.id not in by_reader:
            nodes.append(node)
            continue
        way = by_reader[node.id]
        chain, levels = way.chain, table[way.chain.inputs[0]]
        attrs = node.of(Product)
        exact = not attrs.weight.asymmetric and attrs.weight.kind != "pow2"
        out = accumulator(attrs.n_terms, levels.domain, attrs.weight) if exact else FLOAT
        units = levels.domain.with_scale("one") if _has_size(chain) else levels.domain
        source = way.between[-1].id if way.between else chain.inputs[0]
        read = replace(node, id=fresh, inputs=(source,), domain=out, attrs=replace(attrs, a=units))
        behind = replace(node, op="affine", inputs=(fresh,), consts={}, window=None, domain=FLOAT,
                         attrs=Affine((*_scales(chain), _bias(way, table))))  # fmt: skip
        nodes += [read, behind]
        fresh += 1
        before = [chain, node] if chain.id not in told else [node]
        told.add(chain.id)
        rows.append(rewrite_row("offset behind the sum", before, [read, behind], WHY))
    return graph.with_nodes(nodes, [row for row in rows if row.removed])


def _ways(graph: Graph, table: dict[int, Node | GraphInput], users: dict[int, list[Node]]) -> list[_Way]:
    """The ways to sums which can read the levels themselves, from chains that nothing else reads but thresholds."""
    found: dict[int, list[_Way]] = {}
    for reader in graph.nodes:
        if not isinstance(reader.attrs, Product) or not reader.inputs:
            continue
        between: list[Node] = []
        current = table[reader.inputs[0]]
        while isinstance(current, Node) and _passes(current) and current.id not in graph.outputs:
            if len(users[current.id]) != 1:
                break
            between.append(current)
            current = table[current.inputs[0]]
        if isinstance(current, Node) and isinstance(current.attrs, Affine):
            found.setdefault(current.id, []).append(_Way(current, tuple(reversed(between)), reader))
    return [
        way
        for number, ways in found.items()
        if number not in graph.outputs and _eligible(ways[0].chain, table)
        and len(ways) + len(_compared(users[number], ways[0].chain)) == len(users[number])
        and all(_takes(way) for way in ways)
        for way in ways
    ]  # fmt: skip


def _compared(readers: list[Node], chain: Node) -> list[Node]:
    """Those of the readers of a chain that take it up by themselves."""
    return [reader for reader in readers if reader.op == "threshold" and fits_into(chain, reader)]


def _passes(node: Node) -> bool:
    """Whether every element that a node makes is one that it reads."""
    filled = isinstance(node.attrs, Move) and node.attrs.fill is not None
    return node.row.selects and len(node.inputs) == 1 and not node.consts and not filled and not node.inner


def _eligible(node: Node, table: dict[int, Node | GraphInput]) -> bool:
    if not isinstance(node.attrs, Affine) or node.attrs.multiplier or node.attrs.turned:
        return False
    source, steps = table[node.inputs[0]], node.attrs.steps
    levels = source.domain
    few = levels.kind in ("binary", "binary01", "ternary", "int") and not levels.asymmetric and not levels.per_channel
    around_no_zero = node.domain.asymmetric or (node.domain.is_float and any(step.has_bias for step in steps))
    if not (isinstance(source, Node) and source.shape == node.shape and few and around_no_zero):
        return False
    plain = all(step.fn != "batch_norm" and not step.parts and None not in step.constants for step in steps)
    return plain and all(c is None or c.numel == 1 for s in steps if s.fn in ("mul", "div") for c in s.constants)


def _takes(way: _Way) -> bool:
    """Whether a reader is a sum over weights of few levels, and the bias differs along its channels alone."""
    reader, steps = way.reader, way.chain.of(Affine).steps
    attrs, window = reader.of(Product), reader.window
    if "weight" not in reader.consts or len(reader.inputs) != 1:
        return False
    if attrs.weight.is_float or attrs.exchanged or attrs.turn or (window is not None and window.transposed):
        return False
    maxima = [node.op == "max_pool" for node in way.between]
    if any(maxima) and not all(step.fn in ("add", "sub") or (step.fn != "rsub" and rises(step)) for step in steps):
        return False
    rank, axis = len(way.chain.shape), 1 if reader.op == "conv" else len(way.chain.shape) - 1
    constants = [c for step in steps if step.has_bias for c in step.constants if c is not None]
    places = [[rank - len(c.shape) + k for k, n in enumerate(c.shape) if n > 1] for c in constants]
    stays = all(maxima) and (axis == 1 or not maxima)
    return all(place == [] or (place == [axis] and stays) for place in places)


def _scales(chain: Node) -> tuple[Step, ...]:
    """What the chain multiplies by, alone."""
    steps = (literal_step(-1.0) if step.fn == "rsub" else step for step in chain.of(Affine).steps)
    return tuple(step for step in steps if not step.has_bias)


def _has_size(chain: Node) -> bool:
    """Whether the chain multiplies by the size of the levels that it reads, as it does behind thresholds."""
    constants = (c for step in chain.of(Affine).steps for c in step.constants)
    return any(c is not None and c.sizes for c in constants)


def _bias(way: _Way, table: dict[int, Node | GraphInput]) -> Step:
    node, steps = way.reader, way.chain.of(Affine).steps
    weight, read = node.consts["weight"], table[node.inputs[0]].shape
    summed = Summed(steps, read, node.window, node.of(Product).weight.scale != "one")
    outputs = node.shape[1] if node.op == "conv" else node.shape[-1]
    shape: tuple[int, ...] = ()
    if node.window is not None:
        sizes = zip(read[2:], node.shape[2:], strict=True)
        shape = tuple(_borders(*size, node, k) for k, size in enumerate(sizes))
    return Step("add", (Constant(weight.id, (outputs, *shape), FLOAT, path=weight.path, summed=summed),), "bias")


def _borders(size: int, out: int, node: Node, k: int) -> int:
    """How many places along a dimension of a map differ in which taps of a filter meet data."""
    window = node.window
    assert window is not None
    taps = range(0, window.kernel[k] * window.dilation[k], window.dilation[k])
    starts = (place * window.stride[k] - window.padding[k] for place in range(out))
    return len({tuple(0 <= start + tap < size for tap in taps) for start in starts})
