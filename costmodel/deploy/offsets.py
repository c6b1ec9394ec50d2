r"""Levels around no zero, in front of a sum over weights of few levels: the sum is one of levels.

:math:`\sum w (a u + b) = a \sum w u + b \sum w`: the last sum is known offline. Next to zero padding it differs by
place, since what is padded has no bias.

Precondition: all that reads the chain are such sums; its scale is one number, its bias differs by input channel at
most.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.graph.affine import Step, literal_step
from costmodel.graph.attrs import Affine, Product
from costmodel.graph.domain import FLOAT, accumulator
from costmodel.graph.node import Graph, GraphInput, Node
from costmodel.graph.operands import Constant, Summed
from costmodel.graph.vocabulary import Rewrite

WHY = "a sum of moved levels is the sum of the levels, and a constant"


def move_offsets(graph: Graph) -> Graph:
    """Give sums over weights of few levels the levels themselves to read."""
    table, users, fresh = graph.by_id(), graph.users(), graph.free_id()
    chains = {n.id: n for n in graph.nodes if _eligible(n, table, users[n.id]) and n.id not in graph.outputs}
    nodes: list[Node] = []
    rows: list[Rewrite] = []
    for node in graph.nodes:
        chain = chains.get(node.inputs[0]) if node.inputs else None
        if node.id in chains:
            continue
        if chain is None:
            nodes.append(node)
            continue
        levels = table[chain.inputs[0]]
        assert isinstance(levels, Node)
        attrs = node.of(Product)
        exact = not attrs.weight.asymmetric and attrs.weight.kind != "pow2"
        out = accumulator(attrs.n_terms, levels.domain, attrs.weight) if exact else FLOAT
        units = levels.domain.with_scale("one") if _has_size(chain) else levels.domain
        read = replace(node, id=fresh, inputs=chain.inputs, domain=out, attrs=replace(attrs, a=units))
        behind = replace(node, op="affine", inputs=(fresh,), consts={}, window=None, domain=FLOAT,
                         attrs=Affine((*_scales(chain), _bias(node, chain))))  # fmt: skip
        nodes += [read, behind]
        fresh += 1
        first = users[chain.id][0] is node
        rows.append(rewrite_row("offset behind the sum", [chain, node] if first else [node], [read, behind], WHY))
    return graph.with_nodes(nodes, [row for row in rows if row.removed]) if chains else graph


def _eligible(node: Node, table: dict[int, Node | GraphInput], readers: list[Node]) -> bool:
    if not isinstance(node.attrs, Affine) or node.attrs.multiplier or node.attrs.turned or not readers:
        return False
    source, steps = table[node.inputs[0]], node.attrs.steps
    levels = source.domain
    few = levels.kind in ("binary", "binary01", "ternary", "int") and not levels.asymmetric and not levels.per_channel
    if not (isinstance(source, Node) and source.shape == node.shape and few and node.domain.asymmetric):
        return False
    plain = all(step.fn != "batch_norm" and not step.parts and None not in step.constants for step in steps)
    uniform = plain and all(c is None or c.numel == 1 for s in steps if s.fn in ("mul", "div") for c in s.constants)
    return uniform and all(_takes(reader, node) for reader in readers)


def _takes(reader: Node, chain: Node) -> bool:
    """Whether a reader is a sum over weights of few levels, and the bias differs along its channels alone."""
    attrs, window = reader.attrs, reader.window
    if not isinstance(attrs, Product) or "weight" not in reader.consts or reader.inputs != (chain.id,):
        return False
    if attrs.weight.is_float or attrs.exchanged or attrs.turn or (window is not None and window.transposed):
        return False
    rank, axis = len(chain.shape), 1 if reader.op == "conv" else len(chain.shape) - 1
    constants = [c for step in chain.of(Affine).steps if step.has_bias for c in step.constants if c is not None]
    places = [[rank - len(c.shape) + k for k, n in enumerate(c.shape) if n > 1] for c in constants]
    return all(place in ([], [axis]) for place in places)


def _scales(chain: Node) -> tuple[Step, ...]:
    """What the chain multiplies by, alone."""
    steps = (literal_step(-1.0) if step.fn == "rsub" else step for step in chain.of(Affine).steps)
    return tuple(step for step in steps if not step.has_bias)


def _has_size(chain: Node) -> bool:
    """Whether the chain multiplies by the size of the levels that it reads, as it does behind thresholds."""
    constants = (c for step in chain.of(Affine).steps for c in step.constants)
    return any(c is not None and c.sizes for c in constants)


def _bias(node: Node, chain: Node) -> Step:
    weight, steps = node.consts["weight"], chain.of(Affine).steps
    summed = Summed(steps, chain.shape, node.window, node.of(Product).weight.scale != "one")
    outputs = node.shape[1] if node.op == "conv" else node.shape[-1]
    shape: tuple[int, ...] = ()
    if node.window is not None:
        sizes = zip(chain.shape[2:], node.shape[2:], strict=True)
        shape = tuple(_borders(*size, node, k) for k, size in enumerate(sizes))
    return Step("add", (Constant(weight.id, (outputs, *shape), FLOAT, path=weight.path, summed=summed),), "bias")


def _borders(size: int, out: int, node: Node, k: int) -> int:
    """How many places along a dimension of a map differ in which taps of a filter meet data."""
    window = node.window
    assert window is not None
    taps = range(0, window.kernel[k] * window.dilation[k], window.dilation[k])
    starts = (place * window.stride[k] - window.padding[k] for place in range(out))
    return len({tuple(0 <= start + tap < size for tap in taps) for start in starts})
