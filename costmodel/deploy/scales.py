r"""Move scales and biases to where they cost least.

Passes over ``affine`` nodes. All are exact because a sum of products is linear:

* *split*: the bias of an integer sum is a step behind it, where a threshold or a batch norm takes it up;
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
from costmodel.deploy.layout import axis_of, drops_ones, onto, order_of
from costmodel.graph.affine import (
    Part,
    Step,
    along_channels,
    bias_tags,
    chain_class,
    literal_step,
    scale_only,
    scale_tags,
)
from costmodel.graph.attrs import Affine, Move, Pool, Product
from costmodel.graph.domain import FLOAT, Domain
from costmodel.graph.node import Graph, Node, substitute
from costmodel.graph.vocabulary import Rewrite


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
    """A scale behind real weights becomes part of them; its bias becomes the sum's bias.

    Behind a mean of their results the scale goes into the weights all the same, since means are linear; the bias stays
    behind the mean, where it meets fewer elements, unless the sum adds one anyway.
    """
    table = {node.id: node for node in graph.nodes}
    users = graph.users()
    names: dict[int, int] = {}
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    index: dict[int, int] = {}
    for original in graph.nodes:
        node = substitute((original,), names)[0]
        steps = node.attrs.steps if isinstance(node.attrs, Affine) else None
        producer, terms = _sum_before(node, steps, table, users, graph.outputs) if steps is not None else (None, 1)
        if producer is None or steps is None or not real_weights(producer) or producer.of(Product).post:
            index[node.id] = len(nodes)
            nodes.append(node)
            table[node.id] = node
            continue
        left: tuple[Step, ...] = ()
        if terms:  # what is summed before the scale
            laid = tuple(onto(step, len(producer.shape)) for step in steps)
            part = (Part(laid, producer.shape),)
            if scale_only(steps):
                folded = laid
            elif terms > 1 and _adds_bias(producer):
                folded = (literal_step(float(terms)), *laid, literal_step(1.0 / terms))
            elif chain_class(steps) == "one":
                index[node.id] = len(nodes)
                nodes.append(node)
                table[node.id] = node
                continue
            else:
                folded = (Step("scale_of", (), scale_tags(steps), parts=part),)
                left = (Step("bias_of", (), bias_tags(steps), parts=(Part(steps, node.shape),)),)
        else:
            folded = tuple(_across(step, producer) for step in steps)
        made = producer.with_attrs(post=folded)
        nodes[index[producer.id]] = table[producer.id] = made
        rest = [replace(node, attrs=Affine(left))] if left else []
        why = "the scale goes into the real weights of the sum before it"
        row = rewrite_row("scale into weights", [producer, node], [made, *rest], why, producer.module)
        rows += [row] if row.removed else []
        if rest:
            index[node.id] = len(nodes)
            nodes += rest
            table[node.id] = rest[0]
        else:
            names[node.id] = node.inputs[0]
    outputs = tuple(names.get(i, i) for i in graph.outputs)
    return replace(graph, outputs=outputs).with_nodes(nodes, rows)


def _across(step: Step, node: Node) -> Step:
    """A step whose constants lie along one dimension, for the channels that a sum of products makes or sums over."""
    if node.op == "conv" or step.fn == "batch_norm" or step.parts:
        return onto(step, len(node.shape))
    return replace(step, constants=tuple(c and replace(c, shape=(c.numel,) * (c.numel > 1)) for c in step.constants))


def channels_of(producer: Node) -> int:
    """The dimension of the output channels of a sum of products."""
    return 1 if producer.op == "conv" else len(producer.shape) - 1


def _adds_bias(producer: Node) -> bool:
    """Whether a sum has a bias, so that another one needs no further addition."""
    return "bias" in producer.consts or any(step.has_bias for step in producer.of(Product).pre)


def _sum_before(
    node: Node, steps: tuple[Step, ...], table: dict[int, Node], users: dict[int, list[Node]], outputs: tuple[int, ...]
) -> tuple[Node | None, int]:
    """The sum whose channels a chain acts on alone, and how many of its results are added up before; 0 for none.

    Seen through dimensions that change places, through reshapes that leave the chain's channels in one dimension, and
    through means of channels of maps; 1 of it says that windows differ in size, so that a bias cannot go back.
    """
    laid = any(step.parts for step in steps)
    current, terms, axis = table.get(node.inputs[0]), 0, axis_of(steps, len(node.shape))
    while current is not None and len(users[current.id]) == 1 and current.id not in outputs:
        if current.row.weighted:
            fits = axis in (None, channels_of(current)) and (not terms or current.op == "conv")
            return (current, terms) if fits else (None, 0)
        source = table.get(current.inputs[0]) if len(current.inputs) == 1 else None
        if source is None or laid or terms:
            return None, 0
        order, last = order_of(current), len(current.shape) - 1
        if order:
            axis = None if axis is None else order[axis]
        elif isinstance(current.attrs, Pool) and axis in (None, 1) and _means(current, source):
            terms = _terms(current)
        elif axis == last and current.op == "view" and source.shape[-1:] == current.shape[-1:]:
            axis = len(source.shape) - 1
        elif not (axis in (None, 1) and drops_ones(current, source.shape)) and (
            axis is not None or current.op != "view"
        ):
            return None, 0
        current = source
    return None, 0


def _means(pool: Node, source: Node) -> bool:
    """Whether each channel is summed by itself."""
    if pool.op != "mean":
        return True
    axes = tuple(a % len(source.shape) for a in pool.of(Pool).axes)
    return bool(axes) and 0 not in axes and 1 not in axes


def _terms(pool: Node) -> int:
    attrs = pool.of(Pool)
    padded = pool.window is not None and any(pool.window.padding)
    equal = attrs.additions in (None, pool.numel * (attrs.count - 1))
    return attrs.count if equal and not padded else 1


def absorb_into_next_weights(graph: Graph) -> Graph:
    """A scale whose only way leads into real weights becomes part of those."""
    users = graph.users()
    names: dict[int, int] = {}
    absorbed: dict[int, tuple[Step, ...]] = {}
    table = graph.by_id()
    sums = {node.id: node for node in graph.nodes if node.row.weighted}
    kinds: dict[int, Domain] = {}  # sum -> the few levels that its operand is left with
    rows: list[Rewrite] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        steps = node.attrs.steps if isinstance(node.attrs, Affine) else ()
        if steps and (chain_class(steps) != "one" or not scale_only(steps)):
            target = real_sum_after(node, steps, users, graph.outputs)
            if target is not None and (scale_only(steps) or target not in absorbed):
                laid = tuple(_across(step, sums[target]) for step in steps)
                absorbed[target] = (*laid, *absorbed.get(target, ()))
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
            attrs, old = node.of(Product), node
            nodes[k] = node.with_attrs(pre=(*absorbed[node.id], *attrs.pre), a=kinds.get(node.id, attrs.a))
            row = rewrite_row("scale into next weights", [old], [nodes[k]], "what is left are levels", node.module)
            rows += [row] if row.removed else []
    return graph.with_nodes(substitute(nodes, names), rows)


def real_sum_after(
    node: Node, steps: tuple[Step, ...], users: dict[int, list[Node]], outputs: tuple[int, ...]
) -> int | None:
    """The sum over real weights to which a scale can go, if it can go nowhere else."""
    uniform = not any(step.per_channel for step in steps)
    summed = len(node.shape) - 1  # dimension over which a matrix sums
    unbiased, current, near = scale_only(steps), node, True
    turns: list[tuple[int, ...]] = []  # dimensions that change places before anything else
    while current.id not in outputs and len(users[current.id]) == 1:
        (user,) = users[current.id]
        if user.row.weighted and real_weights(user):
            if not (unbiased or (near and _takes_biases(node, user))):
                return None
            axis = 1 if user.op == "conv" else summed
            for order in reversed(turns):
                axis = order[axis]
            return user.id if uniform or _along(node, axis) else None
        turn = order_of(user) if len(user.shape) == len(node.shape) else None
        if turn and near:
            turns.append(turn)
            current = user
            continue
        near = near and drops_ones(user, current.shape)
        kept = uniform or user.row.keeps_channels or drops_ones(user, current.shape)
        if not user.row.linear or not kept or not all_of_it(user):
            return None
        summed = 1 if user.op == "gap" or drops_ones(user, current.shape) else summed
        current = user
    return None


def _only_moved(node: Node, target: int, users: dict[int, list[Node]]) -> bool:
    """Whether the elements of a node reach a sum as they are, whatever their order."""
    while (reader := users[node.id][0]).id != target:
        if not reader.row.selects:
            return False
        node = reader
    return True


def _takes_biases(node: Node, user: Node) -> bool:
    """Whether the bias of a chain can go through a sum: directly in front of it, no padding, and it saves something.

    A bias alone takes no more additions there than in front; one that comes with a scale saves its multiplications.
    """
    padded = user.window is not None and (any(user.window.padding) or user.window.transposed)
    attrs = user.of(Product)
    has_bias = "bias" in user.consts or any(step.has_bias for step in (*attrs.post, *attrs.pre))
    saves = has_bias or user.numel <= node.numel or chain_class(node.of(Affine).steps) != "one"
    return not padded and saves and not node.of(Affine).turned


def all_of_it(node: Node) -> bool:
    """Whether a scale of the operand is one of the whole result: nothing stands next to it but zeros."""
    alone = len(node.inputs) == 1 and not node.consts
    return alone and not (isinstance(node.attrs, Move) and node.attrs.fill)


def _along(node: Node, axis: int) -> bool:
    """Whether all constants of a chain are single numbers or differ along dimension ``axis`` only."""
    return axis_of(node.of(Affine).steps, len(node.shape)) in (axis, None)


def real_weights(node: Node) -> bool:
    """Whether the sum multiplies by real weights that are known offline."""
    return isinstance(node.attrs, Product) and node.attrs.weight.is_float and "weight" in node.consts
