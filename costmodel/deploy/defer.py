r"""A scale that all terms of a sum share multiplies the sum instead: :math:`\sum w (c u) = c \sum w u`.

Levels stay integers so: what a threshold gives stands for a size that is applied behind the sum, and a multiplication
of the program by one number moves there. In front of weights of few values a scale of real numbers moves likewise, if
something behind the sum takes it up or the sum has no more results than it had operands; real weights take it in.

Where several readers of a chain each take it up (a threshold, weights, a sum), each gets a chain of its own, of which
nothing is left then.

Precondition: the scale is one number, and between it and the sum elements only move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.deploy.layout import moves_channels
from costmodel.deploy.scales import all_of_it, real_sum_after, real_weights
from costmodel.deploy.sink import leads_to_thresholds, sunk
from costmodel.deploy.thresholds import size_constant, units_of
from costmodel.graph.affine import SCALE_CLASSES, Step, chain_class, scale_only
from costmodel.graph.attrs import Affine, Product
from costmodel.graph.domain import FLOAT, Domain
from costmodel.graph.node import Graph, Node, substitute
from costmodel.graph.vocabulary import Rewrite

WHY_SPLIT = "each of the readers takes the chain up, so that none of it is left"
WHY_REAL = "what is multiplied by a scale that cannot move is a real number"
WHY_DEFER = "a scale that all terms of a sum share multiplies the sum instead"
Users = Mapping[int, list[Node]]


def apply_units(graph: Graph) -> Graph:
    """Give every sum over levels that a threshold made the size that they stand for: in real weights, or behind."""
    units = units_of(graph)
    fresh = graph.free_id()
    names: dict[int, int] = {}
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for original in graph.nodes:
        node = substitute((original,), names)[0]
        scales = [domain.scale for _, domain in _levels(node) if domain.scale != "one"]
        if not scales or not all(node.inputs[k] in units for k, d in _levels(node) if d.scale != "one"):
            nodes.append(node)
            continue
        sizes = tuple(node.inputs[k] for k, domain in _levels(node) if domain.scale != "one")
        for k, domain in _levels(node):
            node = _with_factor(node, k, domain.with_scale("one"))
        steps = (Step("mul", (size_constant(sizes, "real" if "real" in scales else "pow2"),), "act_scale"),)
        if real_weights(node):
            nodes.append(node.with_attrs(pre=steps))
            continue
        nodes.append(node)
        nodes.append(_behind(node, fresh, steps))
        rows.append(rewrite_row("activation scale behind the sum", [], nodes[-1:], WHY_DEFER, node.module))
        names[node.id] = fresh
        fresh += 1
    final = tuple(names.get(i, i) for i in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=final, rewrites=(*graph.rewrites, *rows))


def _levels(node: Node) -> list[tuple[int, Domain]]:
    """The factors of a product that are few levels and come from the input, by their places among its inputs."""
    if not isinstance(node.attrs, Product):
        return []
    factors = [node.attrs.a] if node.row.weighted else [node.attrs.a, node.attrs.weight]
    return [(min(k, len(node.inputs) - 1), domain) for k, domain in enumerate(factors) if not domain.is_float]


def _with_factor(node: Node, place: int, domain: Domain) -> Node:
    if node.row.weighted:
        return node.with_attrs(a=domain)
    same = len(node.inputs) == 1  # a product of a value with itself
    node = node.with_attrs(a=domain) if place == 0 or same else node
    return node.with_attrs(weight=domain) if place == 1 or same else node


def _behind(node: Node, number: int, steps: tuple[Step, ...]) -> Node:
    return replace(node, id=number, op="affine", inputs=(node.id,), consts={}, window=None, attrs=Affine(steps))


def defer_activation_scales(graph: Graph) -> Graph:
    """Move every multiplication by one number in front of a sum behind it, one for each sum."""
    table = {node.id: node for node in graph.nodes}
    units = units_of(graph)
    users = graph.users()
    fresh = graph.free_id()
    names: dict[int, int] = {}
    moved: dict[int, int] = {}  # multiplication that went behind a sum -> what it multiplied
    nodes: list[Node] = []
    rows: list[Rewrite] = []
    for original in graph.nodes:
        node = substitute((original,), names)[0]
        found = _deferred(original, table, users, graph) if isinstance(node.attrs, Product) else None
        if found is None:
            nodes.append(node)
            continue
        place, written = found
        levels = dict(_levels(node))
        domain = levels.get(place, table[written.inputs[0]].domain)
        if place in levels or domain.kind in ("binary", "binary01", "ternary"):
            # What one more multiplication in front of it has for a scale goes behind the sum after this one.
            before = table[written.inputs[0]]
            left = "one" if before.id in units or before.domain.is_float else before.domain.scale
            node = _with_factor(node, place, domain.with_scale(left))
        moved[written.id] = written.inputs[0]
        behind = _behind(node, fresh, written.of(Affine).steps)
        nodes += [node, behind]
        rows.append(rewrite_row("activation scale behind the sum", [written, original], [node, behind], WHY_DEFER))
        names[node.id] = fresh
        fresh += 1
    if not moved:
        return graph
    final = tuple(names.get(i, i) for i in graph.outputs)
    kept = substitute((node for node in nodes if node.id not in moved), moved)
    rows = [row for row in rows if row.removed]
    return replace(graph, nodes=tuple(kept), outputs=final, rewrites=(*graph.rewrites, *rows))


def _deferred(node: Node, table: Mapping[int, Node], users: Users, graph: Graph) -> tuple[int, Node] | None:
    """The place of a factor of a sum and the multiplication in front of it that goes behind the sum."""
    if real_weights(node) or (not node.row.weighted and len(node.inputs) == 1):
        return None
    few = {k for k, domain in _levels(node) if domain.scale != "one"}
    for place in range(1 if node.row.weighted else len(node.inputs)):
        written = _scale_before(node, place, table, users, graph.outputs)
        if written is not None and (place in few or _pays(written, node, users, graph, table)):
            return place, written
    return None


def _pays(written: Node, node: Node, users: Users, graph: Graph, table: Mapping[int, Node]) -> bool:
    """Whether a scale of real numbers is better off behind a sum: taken up there, or of fewer elements."""
    kind = chain_class(written.of(Affine).steps)
    if kind == "one":
        return False
    readers = users[node.id] if node.id not in graph.outputs else []
    behind = readers[0].attrs if len(readers) == 1 else None
    if isinstance(behind, Affine) and SCALE_CLASSES.index(chain_class(behind.steps)) >= SCALE_CLASSES.index(kind):
        return True
    if leads_to_thresholds(node, users, graph, maxima=True):
        return True
    producer = table.get(written.inputs[0])
    folds = producer is not None and real_weights(producer) and users[producer.id] == [written]
    return not folds and node.numel <= written.numel


def _scale_before(
    node: Node, place: int, table: Mapping[int, Node], users: Users, outputs: tuple[int, ...]
) -> Node | None:
    """The multiplication by one number that makes a factor of a sum, if nothing else reads what it makes."""
    current, pooled = table.get(node.inputs[place]), False
    while current is not None and len(users[current.id]) == 1 and current.id not in outputs:
        if isinstance(current.attrs, Affine):
            steps = current.attrs.steps
            alone = scale_only(steps) and not any(step.per_channel for step in steps)
            # the largest of scaled values is the scaled largest only for a positive scale
            rising = not pooled or all(c is not None and (c.literal or 0) > 0 for s in steps for c in s.constants)
            return current if alone and rising and current.inputs[0] in table else None
        pooled |= current.op == "max_pool"
        if not current.row.selects or not all_of_it(current):
            return None
        current = table.get(current.inputs[0])
    return None


def split_readers(graph: Graph) -> Graph:
    """A chain of its own for each reader, where each of them takes it up."""
    users = graph.users()
    table = {node.id: node for node in graph.nodes}
    fresh = graph.free_id()
    nodes: list[Node] = []
    names: dict[tuple[int, int], int] = {}  # (reader, chain) -> its own copy
    rows: list[Rewrite] = []
    for node in graph.nodes:
        renamed = {source: names[node.id, source] for source in node.inputs if (node.id, source) in names}
        node = substitute((node,), renamed)[0]
        nodes.append(node)
        readers = users[node.id]
        if not isinstance(node.attrs, Affine) or len(readers) < 2 or node.id in graph.outputs or node.attrs.turned:
            continue
        if all(reader.op == "threshold" for reader in readers):  # which take it up together
            continue
        if not all(_takes(node, reader, users, graph, table) for reader in readers):
            continue
        copies = [node] * len(readers)
        rows.append(rewrite_row("a chain for each of its readers", [node], copies, WHY_SPLIT, node.module))
        for reader in readers[1:]:
            nodes.append(replace(node, id=fresh))
            names[reader.id, node.id] = fresh
            fresh += 1
    return replace(graph, nodes=tuple(nodes), rewrites=(*graph.rewrites, *rows)) if names else graph


def _takes(node: Node, reader: Node, users: Users, graph: Graph, table: Mapping[int, Node]) -> bool:
    """Whether a chain that this reader alone reads is taken up, so that nothing of it is left."""
    steps = node.of(Affine).steps
    alone = {**users, node.id: [reader]}
    if reader.op == "threshold":
        return True
    if isinstance(reader.attrs, Affine):
        return leads_to_thresholds(reader, users, graph, maxima=True)
    moved = reader.row.moves and not reader.consts
    if moved and leads_to_thresholds(reader, users, graph, sums=moves_channels(reader)):
        return True
    if real_sum_after(node, steps, alone, graph.outputs) is not None:
        return True
    chain = sunk(node, reader, table, alone, graph)
    if chain is not None and users[reader.id] and reader.id not in graph.outputs:
        around = {**table, chain.id: chain}
        return all(_takes(chain, behind, users, graph, around) for behind in users[reader.id])
    if not isinstance(reader.attrs, Product) or (not reader.row.weighted and len(set(reader.inputs)) < 2):
        return False
    places = [k for k, i in enumerate(reader.inputs) if i == node.id]
    if len(places) != 1 or _scale_before(reader, places[0], table, alone, graph.outputs) is None:
        return False
    source = table.get(node.inputs[0])
    few = source is not None and source.domain.kind in ("binary", "binary01", "ternary", "int")
    return few or (_pays(node, reader, alone, graph, table) and bool(users[reader.id]))


def settle_operands(graph: Graph) -> Graph:
    """What is multiplied by a scale that could not move is a real number, and no level any more."""
    units = units_of(graph)
    nodes, rows = [], []
    for original in graph.nodes:
        node = original
        for place, domain in _levels(node):
            if domain.scale != "one" and node.inputs[place] not in units:
                node = _with_factor(node, place, FLOAT)
        nodes.append(node)
        if node is not original:
            rows.append(rewrite_row("real numbers", [original], [node], WHY_REAL, node.module))
    return replace(graph, nodes=tuple(nodes), rewrites=(*graph.rewrites, *(row for row in rows if row.removed)))
