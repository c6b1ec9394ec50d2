r"""A one-bit value is one comparison, however it was computed.

Let :math:`u = g(x)` element by element, with :math:`g` taking two values and monotone in each channel. Then there is a
threshold :math:`T_c` and a direction :math:`d_c` such that :math:`u = hi` exactly where :math:`d_c (x - T_c) \ge 0`:
take :math:`T_c` to be the point at which :math:`g` changes. In particular

* :math:`\mathrm{sign}(\beta(x + b/\beta)) = \mathrm{sign}(x + b/\beta)` for :math:`\beta > 0`: the mask layer of A&B
  BNN costs nothing, its bias is the threshold :math:`T_c = -b_c/\beta`;
* batch norm before a sign is :math:`T_c = \mu_c - b_c \sqrt{\sigma_c^2 + \epsilon} / \gamma_c`, with the direction of
  the sign of :math:`\gamma_c`;
* ``where(x >= 0, 1, -1)``, ``(x >= 0) * 2 - 1``, ``heaviside`` and clamped signs are :math:`T = 0`.

A quantiser of :math:`L` equally spaced levels is the sum of :math:`L - 1` such functions, :math:`[x \ge T_k]` for the
point from which on it is at least its level :math:`k`: rounding half to even, floors and clamps are all in these
points. That is at most as many comparisons as ``2^bits - 1`` for the bits asked for, four by default; wider ones stay
as they were written, where a scale, a rounding and a clamp are cheaper than their comparisons.

Precondition: one source, all operations element by element, nothing inside is read from outside, and the structure of
the computation lets it change at most once (:mod:`costmodel.deploy.monotone`). The largest such computation is taken;
what changes more often, as the sign of a magnitude less a constant does, stays as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costmodel.deploy.absorb import source_of, threshold_attrs
from costmodel.deploy.account import rewrite_row
from costmodel.deploy.monotone import form_of, levels_of
from costmodel.graph.affine import Step
from costmodel.graph.attrs import NONE, Affine
from costmodel.graph.domain import FLOAT_BITS, POW2_BITS, Domain, Scale
from costmodel.graph.node import Graph, GraphInput, Node, substitute
from costmodel.graph.operands import Constant
from costmodel.graph.vocabulary import THRESHOLD_BITS, Rewrite

WHY = "a function of one value with two results is a comparison with a threshold; positive scales and biases move it"
WHY_LEVELS = "a quantiser of L levels is L - 1 comparisons; rounding, clamps, scales and biases are in their thresholds"
_FEW = ("binary", "binary01", "ternary", "int")
WHY_SIZE = "what adds levels to other values needs the size that they stand for"


def provenance_of(seed: int, trained: bool, threshold_bits: int) -> dict[str, str]:
    """What was chosen when a network was traced and rewritten, where it is not the default."""
    made = {"seed": str(seed), "trained": str(trained)}
    return made if threshold_bits == THRESHOLD_BITS else {**made, "threshold_bits": str(threshold_bits)}


def to_thresholds(graph: Graph, bits: int = THRESHOLD_BITS) -> Graph:
    """Replace every one-bit cone, and every quantiser of up to ``bits`` bits, by a ``threshold`` node."""
    nodes = {node.id: node for node in graph.nodes}
    table = graph.by_id()
    position = {node.id: index for index, node in enumerate(graph.nodes)}
    users = graph.users()
    replaced: dict[int, Node] = {}
    inside: set[int] = set()
    rows: list[Rewrite] = []
    for root in reversed(graph.nodes):
        if root.id in inside or root.domain.kind not in _FEW or not root.row.elementwise:
            continue
        if root.domain.asymmetric or (root.domain.per_channel and root.domain.scale != "one"):
            continue  # these stay a chain; what it acts on is looked at on its own
        cones = _cones(root, nodes, position, users, graph.outputs)
        one_bit = root.domain.is_one_bit
        source, cone = _largest(table, cones) if one_bit else _quantiser(table, cones, 1 << bits)
        if source is None:
            continue
        inside.update(node.id for node in cone)
        node = _threshold(root, table[source], cone)
        replaced[root.id] = node
        why = WHY if one_bit else WHY_LEVELS
        row = rewrite_row(_name(cone) if one_bit else "quantiser into comparisons", cone, [node], why, root.module)
        if row.removed:
            rows.append(row)
    kept: list[Node] = []
    for node in graph.nodes:
        if node.id in replaced:
            kept.append(replaced[node.id])
        elif node.id not in inside:
            kept.append(node)
    result = graph.with_nodes(kept, reversed(rows))
    return _restore_scales(result)


def _name(cone: list[Node]) -> str:
    steps = [step for node in cone if isinstance(node.attrs, Affine) for step in node.attrs.steps]
    if any(step.fn == "batch_norm" for step in steps):
        return "batch norm into threshold"
    if steps:
        return "mask layer and scale into threshold"
    return "sign idiom into comparison"


def _cones(
    root: Node, nodes: dict[int, Node], position: dict[int, int], users: dict[int, list[Node]], outputs: tuple[int, ...]
) -> list[tuple[int, list[Node]]]:
    """The element-by-element computations of ``root`` from one source, with that source, smaller ones first."""
    inside: dict[int, Node] = {}
    frontier = {root.id}
    found: list[tuple[int, list[Node]]] = []
    while frontier:
        latest = max(frontier, key=lambda i: position.get(i, -1))
        node = nodes.get(latest)
        closed = latest == root.id or (
            latest not in outputs and all(user.id in inside for user in users.get(latest, ()))
        )
        if node is None or not node.row.elementwise or not closed or node.shape != root.shape:
            break
        inside[latest] = node
        frontier.discard(latest)
        frontier.update(node.inputs)
        if len(frontier) == 1:
            found.append((next(iter(frontier)), sorted(inside.values(), key=lambda n: position[n.id])))
    return found


def _largest(
    table: Mapping[int, Node | GraphInput], cones: list[tuple[int, list[Node]]]
) -> tuple[int | None, list[Node]]:
    """The largest of the computations that changes once, and its source."""
    for source, cone in reversed(cones):
        if table[source].shape != cone[-1].shape:  # each of its values meets several constants
            continue
        form = form_of(cone, source)
        if _recodes(table[source]) or (form is not None and form.decision >= 0):
            return source, cone
    return None, []


def _quantiser(
    table: Mapping[int, Node | GraphInput], cones: list[tuple[int, list[Node]]], most: int
) -> tuple[int | None, list[Node]]:
    """The largest of the computations that gives at most ``most`` levels that integers can stand for."""
    for source, cone in reversed(cones):
        if table[source].shape != cone[-1].shape or table[source].domain.is_one_bit:
            continue
        levels = levels_of(cone, source)
        if levels is None or not 2 < levels.count <= most or levels.units is None:
            continue
        if (levels.units[0] == 1.0) == (cone[-1].domain.scale == "one"):
            return source, cone
    return None, []


def _recodes(source: Node | GraphInput) -> bool:
    """Whether the source has two values, so that its function is another name for them."""
    return source.domain.is_one_bit and isinstance(source, Node)


def _threshold(root: Node, source: Node | GraphInput, cone: list[Node]) -> Node:
    if root.domain.is_one_bit and _recodes(source):
        return replace(root, op="recode", inputs=(source.id,), consts={}, tags=(), attrs=NONE, inner=tuple(cone))
    return replace(
        root, op="threshold", inputs=(source.id,), consts={}, inner=tuple(cone),
        tags=("binarize" if root.domain.is_one_bit else "quantize",),
        attrs=threshold_attrs(source, tuple(cone), _count(root, cone)),
    )  # fmt: skip


def _count(root: Node, cone: list[Node]) -> int:
    levels = None if root.domain.is_one_bit else levels_of(cone, source_of(tuple(cone)))
    return 2 if levels is None else levels.count


def _restore_scales(graph: Graph) -> Graph:
    """A threshold gives ±1, {0, 1} or few integers, and so does what moves or compares such values.

    Sums of products apply the size that they stand for afterwards; other users, such as a residual addition, get it by
    an explicit scale here.
    """
    users = graph.users()
    fresh = graph.free_id()
    names: dict[tuple[int, int], int] = {}  # (user, unit values) -> scaled values
    units = units_of(graph)
    outputs = dict.fromkeys(graph.outputs)
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        renamed = {source: names[node.id, source] for source in node.inputs if (node.id, source) in names}
        nodes.append(substitute((node,), renamed)[0])
        if node.id not in units:
            continue
        needing = [user for user in users[node.id] if not user.row.product and not _gives_units(user, units)]
        if needing or node.id in outputs:
            step = Step("mul", (_size_of(node),), "act_scale")
            nodes.append(replace(node, id=fresh, op="affine", inputs=(node.id,), attrs=Affine((step,)), tags=(),
                                 window=None, consts={}, inner=()))  # fmt: skip
            rows.append(rewrite_row("size of levels for other readers", [], nodes[-1:], WHY_SIZE, node.module))
            names.update({(user.id, node.id): fresh for user in needing})
            if node.id in outputs:
                outputs[node.id] = fresh
            fresh += 1
    final = tuple(outputs[i] or i for i in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=final, rewrites=(*graph.rewrites, *rows))


def units_of(graph: Graph) -> set[int]:
    """The values that are given as integers and stand for some other size."""
    units: set[int] = set()
    for node in graph.nodes:
        if _gives_units(node, units) and node.domain.scale != "one":
            units.add(node.id)
    return units


def _gives_units(node: Node, units: set[int]) -> bool:
    """Whether its few values come as integers, whatever size these stand for."""
    if node.inner:
        return True
    alike = len(node.inputs) == 1 or node.domain.is_one_bit  # levels that lie side by side may differ in size
    return node.row.selects and node.domain.kind in _FEW and alike and units.issuperset(node.inputs)


def _size_of(node: Node) -> Constant:
    return size_constant((node.id,), node.domain.scale)


def size_constant(nodes: tuple[int, ...], scale: Scale) -> Constant:
    """The size that the values of these nodes stand for, of which ``scale`` is known."""
    kind = Domain("pow2", POW2_BITS, "pow2") if scale == "pow2" else Domain("float", FLOAT_BITS, "real")
    return Constant(-1, (), kind, sizes=nodes)
