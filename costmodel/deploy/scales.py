r"""Move scales and biases to where they cost least.

Passes over ``affine`` nodes. All are exact because a sum of products is linear:

* *split*: the bias of an integer sum is a step behind it, where a threshold or a batch norm takes it up;
* *defer*: :math:`\sum w (c u) = c \sum w u`: the step size of a one-bit or narrow activation moves behind the sum,
  with the multiplication by it if the program has one;
* *merge*: :math:`b_2 + a_2 (b_1 + a_1 x) = (b_2 + a_2 b_1) + (a_2 a_1) x`: a chain is one scale and one bias;
* *fold*: the scale of a chain behind a convolution with real weights goes into those weights;
* *absorb*: a scale in front of a convolution with real weights goes into those weights. Scaling commutes with moving
  elements and with summing windows (pooling), so it passes through them; zero padding stays zero. A bias goes along
  where nothing is padded: :math:`W (a x + b) + c = (W a) x + (W b + c)`.

Precondition of the last two: the scale is one number, or differs only along the channels that the weights sum over or
make; one that differs by position stays where it is.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.deploy.account import rewrite_row
from costmodel.graph.affine import Step, along_channels, chain_class, scale_only
from costmodel.graph.attrs import Affine, Move, Product
from costmodel.graph.domain import FLOAT, FLOAT_BITS, POW2_BITS, Domain
from costmodel.graph.node import Graph, Node, substitute
from costmodel.graph.operands import Constant
from costmodel.graph.vocabulary import Rewrite

WHY_DEFER = "a scale that all terms of a sum share multiplies the sum instead"


def split_biases(graph: Graph) -> Graph:
    """Make the bias of every sum over narrow weights an addition of its own."""
    fresh = graph.free_id()
    nodes: list[Node] = []
    for node in graph.nodes:
        weight = node.attrs.weight if isinstance(node.attrs, Product) else None
        if "bias" not in node.consts or weight is None or weight.is_float:
            nodes.append(node)
            continue
        consts = dict(node.consts)
        step = Step("add", (along_channels(consts.pop("bias"), node.window),), "bias")
        nodes.append(replace(node, id=fresh, consts=consts))
        nodes.append(replace(node, op="affine", inputs=(fresh,), consts={}, window=None, attrs=Affine((step,)),
                             domain=FLOAT))  # fmt: skip
        fresh += 1
    return replace(graph, nodes=tuple(nodes))


def defer_activation_scales(graph: Graph) -> Graph:
    """Give every sum over scaled narrow activations that scale behind the sum.

    Where the program multiplies by that scale itself, the multiplication moves; real weights take the scale in.
    """
    table = {node.id: node for node in graph.nodes}
    users = graph.users()
    fresh = graph.free_id()
    names: dict[int, int] = {}
    moved: dict[int, int] = {}  # multiplication that went behind a sum -> what it multiplied
    nodes: list[Node] = []
    rows: list[Rewrite] = []
    for original in graph.nodes:
        node = substitute((original,), names)[0]
        attrs = node.attrs
        if not isinstance(attrs, Product):
            nodes.append(node)
            continue
        a, factors = attrs.a, [attrs.a] if node.row.weighted else [attrs.a, attrs.weight]
        scales = [f.scale for f in factors if f.kind != "float" and f.scale != "one"]
        if not scales:
            nodes.append(node)
            continue
        units = [f if f.is_float else f.with_scale("one") for f in (a, attrs.weight)]
        nodes.append(node.with_attrs(a=units[0], weight=attrs.weight if node.row.weighted else units[1]))
        if real_weights(node):
            continue
        written = _scale_before(original, table, users, graph.outputs) if node.row.weighted else None
        if written is not None:
            moved[written.id] = written.inputs[0]
            steps = written.of(Affine).steps
        else:
            kind = Domain("float", FLOAT_BITS, "real") if "real" in scales else Domain("pow2", POW2_BITS, "pow2")
            steps = (Step("mul", (Constant(-1, (), kind),), "act_scale"),)
        behind = replace(node, id=fresh, op="affine", inputs=(node.id,), consts={}, window=None, attrs=Affine(steps))
        nodes.append(behind)
        rows.append(rewrite_row("activation scale behind the sum", [written] if written else [], [behind], WHY_DEFER))
        names[node.id] = fresh
        fresh += 1
    final = tuple(names.get(i, i) for i in graph.outputs)
    kept = substitute((node for node in nodes if node.id not in moved), moved)
    rows = [row for row in rows if row.removed]
    return replace(graph, nodes=tuple(kept), outputs=final, rewrites=(*graph.rewrites, *rows))


def _scale_before(
    node: Node, table: dict[int, Node], users: dict[int, list[Node]], outputs: tuple[int, ...]
) -> Node | None:
    """The multiplication by one number that makes the operand of a sum, if nothing else reads what it makes."""
    current, pooled = table.get(node.inputs[0]), False
    while current is not None and len(users[current.id]) == 1 and current.id not in outputs:
        if isinstance(current.attrs, Affine):
            steps = current.attrs.steps
            alone = scale_only(steps) and not any(step.per_channel for step in steps)
            # the largest of scaled values is the scaled largest only for a positive scale
            rising = not pooled or all(c is not None and (c.literal or 0) > 0 for s in steps for c in s.constants)
            return current if alone and rising and current.inputs[0] in table else None
        pooled |= current.op == "max_pool"
        if not current.row.selects or not _all_of_it(current):
            return None
        current = table.get(current.inputs[0])
    return None


def merge_chains(graph: Graph) -> Graph:
    """One affine node for a chain of them."""
    users = graph.users()
    chains: dict[int, Node] = {}
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.attrs, Affine):
            inner = chains.get(node.inputs[0])
            alone = inner is not None and len(users[inner.id]) == 1 and inner.id not in graph.outputs
            if inner is not None and alone and inner.shape == node.shape and not node.attrs.turned:
                merged = replace(
                    node, inputs=inner.inputs, module=inner.module, call=inner.call,
                    attrs=Affine((*inner.of(Affine).steps, *node.attrs.steps), inner.of(Affine).turned),
                )  # fmt: skip
                row = rewrite_row("scales and biases merged", [inner, node], [merged],
                                  "a chain of scales and biases is one scale and one bias", inner.module)  # fmt: skip
                if row.removed:
                    rows.append(row)
                node = merged
            chains[node.id] = node
        nodes.append(node)
    return graph.with_nodes(nodes, rows)


def fold_into_weights(graph: Graph) -> Graph:
    """A scale behind real weights becomes part of them; its bias becomes the sum's bias."""
    table = {node.id: node for node in graph.nodes}
    users = graph.users()
    names: dict[int, int] = {}
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    index: dict[int, int] = {}
    for original in graph.nodes:
        node = substitute((original,), names)[0]
        steps = node.attrs.steps if isinstance(node.attrs, Affine) else None
        producer = _sum_before(node, steps, table, users, graph.outputs) if steps is not None else None
        axis = 1 if producer is not None and producer.op == "conv" else len(node.shape) - 1
        alone = producer is not None and real_weights(producer) and not producer.of(Product).post
        if producer is not None and alone and _along(node, axis):
            folded = producer.with_attrs(post=steps)
            why = "the scale goes into the real weights of the sum before it"
            row = rewrite_row("scale into weights", [producer, node], [folded], why, producer.module)
            if row.removed:
                rows.append(row)
            nodes[index[producer.id]] = table[producer.id] = folded
            names[node.id] = node.inputs[0]
            continue
        index[node.id] = len(nodes)
        nodes.append(node)
        table[node.id] = node
    outputs = tuple(names.get(i, i) for i in graph.outputs)
    return replace(graph, outputs=outputs).with_nodes(nodes, rows)


def _sum_before(
    node: Node, steps: tuple[Step, ...], table: dict[int, Node], users: dict[int, list[Node]], outputs: tuple[int, ...]
) -> Node | None:
    """The sum whose result a chain acts on, alone, seen through reshapes that leave the chain's channels in place."""
    constants = [c for step in steps for c in step.constants if c is not None]
    current = table.get(node.inputs[0])
    while current is not None and len(users[current.id]) == 1 and current.id not in outputs:
        if current.row.weighted:
            return current
        last = node.shape[-1:]
        along_last = all(c.numel == 1 or (c.shape[-1:] == last and c.numel == last[0]) for c in constants)
        source = table.get(current.inputs[0])
        if current.op != "view" or not along_last or source is None or source.shape[-1:] != last:
            return None
        current = source
    return None


def absorb_into_next_weights(graph: Graph) -> Graph:
    """A scale whose only way leads into real weights becomes part of those."""
    users = graph.users()
    names: dict[int, int] = {}
    absorbed: dict[int, tuple[Step, ...]] = {}
    table = graph.by_id()
    kinds: dict[int, Domain] = {}  # sum -> the few levels that its operand is left with
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        steps = node.attrs.steps if isinstance(node.attrs, Affine) else ()
        if steps and (chain_class(steps) != "one" or not scale_only(steps)):
            target = _real_sum_after(node, steps, users, graph.outputs)
            if target is not None and (scale_only(steps) or target not in absorbed):
                absorbed[target] = (*steps, *absorbed.get(target, ()))
                names[node.id] = node.inputs[0]
                levels = table[node.inputs[0]].domain
                if not levels.is_float and scale_only(steps) and _only_moved(node, target, users):
                    kinds[target] = levels.with_scale("one")
                why = "the scale goes into the real weights of the sum after it"
                rows.append(rewrite_row("scale into next weights", [node], [], why, node.module))
                continue
        nodes.append(node)
    for k, node in enumerate(nodes):
        if node.id in absorbed:
            attrs = node.of(Product)
            nodes[k] = node.with_attrs(pre=(*absorbed[node.id], *attrs.pre), a=kinds.get(node.id, attrs.a))
    return graph.with_nodes(substitute(nodes, names), rows)


def _real_sum_after(
    node: Node, steps: tuple[Step, ...], users: dict[int, list[Node]], outputs: tuple[int, ...]
) -> int | None:
    """The sum over real weights to which a scale can go, if it can go nowhere else."""
    uniform = not any(step.per_channel for step in steps)
    summed = len(node.shape) - 1  # dimension over which a matrix sums
    unbiased, current = scale_only(steps), node
    while current.id not in outputs and len(users[current.id]) == 1:
        (user,) = users[current.id]
        if user.row.weighted and real_weights(user):
            if not (unbiased or _takes_biases(node, current, user)):
                return None
            return user.id if uniform or _along(node, 1 if user.op == "conv" else summed) else None
        if not user.row.linear or not (uniform or user.row.keeps_channels) or not _all_of_it(user):
            return None
        summed = 1 if user.op == "gap" else summed
        current = user
    return None


def _only_moved(node: Node, target: int, users: dict[int, list[Node]]) -> bool:
    """Whether the elements of a node reach a sum as they are, whatever their order."""
    while (reader := users[node.id][0]).id != target:
        if not reader.row.selects:
            return False
        node = reader
    return True


def _takes_biases(node: Node, current: Node, user: Node) -> bool:
    """Whether the bias of a chain can go through a sum: directly in front of it, no padding, and no more additions."""
    padded = user.window is not None and (any(user.window.padding) or user.window.transposed)
    attrs = user.of(Product)
    has_bias = "bias" in user.consts or any(step.has_bias for step in (*attrs.post, *attrs.pre))
    fewer = has_bias or user.numel <= node.numel
    return current is node and not padded and fewer and not node.of(Affine).turned


def _all_of_it(node: Node) -> bool:
    """Whether a scale of the operand is one of the whole result: nothing stands next to it but zeros."""
    alone = len(node.inputs) == 1 and not node.consts
    return alone and not (isinstance(node.attrs, Move) and node.attrs.fill)


def _along(node: Node, axis: int) -> bool:
    """Whether all constants of a chain are single numbers or differ along dimension ``axis`` only."""
    rank = len(node.shape)
    for step in node.of(Affine).steps:
        for constant in step.constants:
            if constant is None or constant.numel == 1:
                continue
            varies = [rank - len(constant.shape) + k for k, size in enumerate(constant.shape) if size > 1]
            if step.fn == "batch_norm":
                varies = [1]
            if varies != [axis]:
                return False
    return True


def real_weights(node: Node) -> bool:
    """Whether the sum multiplies by real weights that are known offline."""
    return isinstance(node.attrs, Product) and node.attrs.weight.is_float and "weight" in node.consts
