"""What one pass in front of thresholds takes up and what it leaves, on graphs that are laid by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from costmodel.deploy.absorb import absorb_into_thresholds, at_zero, constants_of, fits_into, source_of, threshold_attrs
from costmodel.graph.affine import Step, literal_constant
from costmodel.graph.attrs import NONE, Add, Affine, Attrs, Call, Clamp, Compare, Move, Pool, Product, Round, Threshold
from costmodel.graph.domain import BINARY, FLOAT, Domain, integer
from costmodel.graph.node import Graph, GraphInput, Node
from costmodel.graph.operands import Constant, In

SHAPE = (1, 8)
CHANNELS = Constant(70, (8,), Domain("float", 32, "real", per_channel=True))


def node(id: int, op: str, *inputs: int, attrs: Attrs = NONE, domain: Domain = FLOAT, **fields: object) -> Node:
    return Node(id, op, inputs, **{"shape": SHAPE, "module": f"m{id}", **fields}, domain=domain, attrs=attrs)  # type: ignore[arg-type]


def scale(id: int, source: int, constant: float | Constant = 3.0, fn: str = "mul", **fields: object) -> Node:
    number = literal_constant(constant) if isinstance(constant, float) else constant
    return node(id, "affine", source, attrs=Affine((Step(fn, (number,), "mask_scale"),)), **fields)  # type: ignore[arg-type]


def special(id: int, source: int, fn: str = "tanh") -> Node:
    return node(id, "special", source, attrs=Call(fn, (In(0),)))


def cut(id: int, source: int, *inner: Node, named: int | None = None, levels: int = 2) -> Node:
    """A threshold of ``source``: of the sign of it, which it reads as ``named``, or of the last of ``inner``."""
    read = inner[-1].id if inner else source if named is None else named
    parts = (*inner, node(id, "sign", read, domain=BINARY))
    attrs = threshold_attrs(GraphInput(source, "x", SHAPE, FLOAT), parts, levels)
    return node(id, "threshold", source, attrs=attrs, domain=BINARY, tags=("binarize",), inner=parts)


def product(id: int, source: int) -> Node:
    return node(id, "linear", source, attrs=Product(BINARY, FLOAT, 8, 64, (8, 8)))


def graph(*nodes: Node, outputs: tuple[int, ...] = (), inputs: tuple[GraphInput, ...] = ()) -> Graph:
    first = GraphInput(0, "x", SHAPE, FLOAT)
    return Graph("net", inputs or (first,), nodes, outputs or (nodes[-1].id,))


def inner_ops(graph: Graph, id: int) -> list[str]:
    return [part.op for part in named(graph, id).inner]


def named(graph: Graph, id: int) -> Node:
    return next(n for n in graph.nodes if n.id == id)


#: What stays in front of a threshold (node 20, read by the product 30) of what node 3 gives, and why.
STAYS: dict[str, tuple[Node, ...]] = {
    "not element by element": (node(10, "avg_pool", 3, attrs=Pool(2)), cut(20, 10)),
    "of two operands": (node(10, "add", 3, 0, attrs=Add()), cut(20, 10)),
    "reads one value twice": (node(10, "add", 3, 3, attrs=Add()), cut(20, 10)),
    "of two values under other names": (cut(9, 3), scale(10, 9), cut(20, 10)),
    "laid out to another shape": (node(9, "slice", 3, shape=(1, 1), attrs=Move("slice")), scale(10, 9), cut(20, 10)),
    "read by another function, too": (scale(10, 3), special(11, 10), cut(20, 10), node(21, "add", 11, 3, attrs=Add())),
    "rises and falls": (node(10, "abs", 3), cut(20, 10)),
    "nobody reads it": (scale(10, 3), cut(20, 3)),
}


@pytest.mark.parametrize("why", STAYS)
def test_what_stays_hides_nothing_before_or_behind_it(why: str) -> None:
    parts = STAYS[why]
    alone = graph(product(3, 0), *parts, product(30, 20), node(31, "add", 30, parts[-1].id, attrs=Add()))
    assert absorb_into_thresholds(alone) is alone
    around = graph(
        scale(1, 0), cut(2, 1), product(3, 2), *parts, product(30, 20), scale(31, 30), cut(32, 31), product(33, 32),
        node(34, "add", 33, parts[-1].id, attrs=Add()),
    )  # fmt: skip
    made = absorb_into_thresholds(around)
    assert [n.id for n in made.nodes if n.id in (1, 31)] == []
    assert inner_ops(made, 2) == inner_ops(made, 32) == ["affine", "sign"]
    assert [row.module for row in made.rewrites] == ["m1", "m31"]
    kept = {n.id: n for n in made.nodes}
    for part in parts:
        assert kept.get(part.id, part) == part


def test_an_output_of_the_network_stays() -> None:
    both = graph(scale(1, 0), cut(2, 1), product(3, 2), outputs=(1, 3))
    assert absorb_into_thresholds(both) is both
    assert absorb_into_thresholds(replace(both, outputs=(3,))).nodes[0].id == 2


def chain(last: int) -> list[Node]:
    return [
        scale(1, 0, CHANNELS), special(2, 1), node(3, "cast", 2, attrs=Move("_to_copy")), scale(4, 3, 0.5, "add"),
        node(5, "clamp", 4, attrs=Clamp(-1.0, 1.0)), cut(last, 5),
    ]  # fmt: skip


def test_one_pass_takes_up_a_whole_chain_and_says_so_in_the_order_of_the_network() -> None:
    made = absorb_into_thresholds(graph(*chain(6), product(7, 6)))
    assert [n.id for n in made.nodes] == [6, 7]
    taken = named(made, 6)
    assert taken.inputs == (0,) and source_of(taken.inner) == 0
    assert [part.id for part in taken.inner] == [1, 2, 3, 4, 5, 6]
    assert [part.inputs for part in taken.inner] == [(0,), (1,), (2,), (3,), (4,), (5,)]
    assert taken.of(Threshold).channels == 8
    assert [(row.name, row.module, dict(row.removed)) for row in made.rewrites] == [
        ("scale or bias into threshold", "m1", {"mul": 8}),
        ("scale or bias into threshold", "m2", {"special": 8}),  # a cast costs nothing, and is not said
        ("scale or bias into threshold", "m4", {"add": 8}),
        ("scale or bias into threshold", "m5", {"compare": 16}),
    ]
    assert absorb_into_thresholds(made) is made


def test_all_thresholds_that_read_a_chain_take_it_up() -> None:
    made = absorb_into_thresholds(
        graph(scale(1, 0), cut(2, 1), scale(3, 1, 0.5, "add"), cut(4, 3), product(5, 2), product(6, 4),
              node(7, "add", 5, 6, attrs=Add()))
    )  # fmt: skip
    assert [n.id for n in made.nodes] == [2, 4, 5, 6, 7]
    assert [part.id for part in named(made, 2).inner] == [1, 2]
    assert [part.id for part in named(made, 4).inner] == [1, 3, 4]
    assert named(made, 2).inputs == named(made, 4).inputs == (0,)
    assert [row.module for row in made.rewrites] == ["m1", "m3"]


@pytest.mark.parametrize("other", [2, 7])
def test_what_another_reads_stays_while_what_is_behind_it_is_taken_up(other: int) -> None:
    """Whether the other reader stands before or behind, and was named before or after."""
    behind = [scale(3, 1, 0.5, "add"), cut(4, 3)]
    both = [special(other, 1), *behind] if other < 3 else [*behind, special(other, 1)]
    made = absorb_into_thresholds(graph(scale(1, 0), *both, product(5, 4), node(6, "add", 5, other, attrs=Add())))
    assert sorted(n.id for n in made.nodes) == sorted([1, other, 4, 5, 6])
    assert [row.module for row in made.rewrites] == ["m3"]
    assert named(made, 4).inputs == (1,)
    assert [part.id for part in named(made, 4).inner] == [3, 4]


def test_of_two_thresholds_one_that_would_change_twice_keeps_what_both_read() -> None:
    """A rectifier in front of a sign changes once; in front of a sign of the distance from one it changes twice."""
    twice = cut(4, 1, node(40, "abs", 1), scale(41, 40, -1.0, "add"))
    made = graph(scale(1, 0), cut(2, 1), twice, product(5, 2), product(6, 4), node(7, "add", 5, 6, attrs=Add()))
    assert not fits_into(made.nodes[0], twice)
    assert fits_into(made.nodes[0], made.nodes[1])
    assert absorb_into_thresholds(made) is made


def test_a_threshold_that_reads_its_source_under_another_name_reads_what_is_taken_up() -> None:
    renamed = cut(2, 1, named=90)
    assert source_of(renamed.inner) == 90
    made = absorb_into_thresholds(graph(scale(1, 0), renamed, product(3, 2)))
    taken = named(made, 2)
    assert [(part.id, part.inputs) for part in taken.inner] == [(1, (0,)), (2, (1,))]
    assert source_of(taken.inner) == 0 and taken.inputs == (0,)


def test_the_levels_of_a_quantiser_are_kept() -> None:
    few = (node(60, "clamp", 1, attrs=Clamp(0.0, 3.0)), node(2, "round", 60, attrs=Round("round"), domain=integer(2)))
    quantiser = node(
        2, "threshold", 1, domain=integer(2, signed=False), tags=("quantize",), inner=few,
        attrs=threshold_attrs(GraphInput(1, "x", SHAPE, FLOAT), few, 4),
    )  # fmt: skip
    made = absorb_into_thresholds(graph(scale(1, 0), quantiser, product(3, 2)))
    assert named(made, 2).of(Threshold) == Threshold(32, 1, FLOAT, levels=4)
    assert [part.id for part in named(made, 2).inner] == [1, 60, 2]


@pytest.mark.parametrize(
    ("source", "bits", "kind"), [(FLOAT, 32, "float"), (Domain("float", 16), 16, "float"), (integer(5), 5, "int"),
                                 (integer(7, "real"), 7, "int")],
)  # fmt: skip
def test_limits_are_as_wide_as_what_they_are_compared_with(source: Domain, bits: int, kind: str) -> None:
    x = GraphInput(0, "x", SHAPE, source)
    made = absorb_into_thresholds(graph(scale(1, 0, CHANNELS, "add"), cut(2, 1), product(3, 2), inputs=(x,)))
    attrs = named(made, 2).of(Threshold)
    assert (attrs.bits_in, attrs.domain.bits, attrs.domain.kind, attrs.channels) == (bits, bits, kind, 8)


@pytest.mark.parametrize(
    ("before", "limits"),
    [
        ([], 0),
        ([scale(1, 0)], 0),
        ([scale(1, 0, CHANNELS)], 0),  # at zero, whatever the scale
        ([node(1, "cast", 0, attrs=Move("_to_copy"))], 0),
        ([node(1, "cast", 0, attrs=Move("_to_copy")), scale(2, 1, CHANNELS)], 0),
        ([scale(1, 0, 0.5, "add")], 1),
        ([scale(1, 0, CHANNELS, "add")], 8),
        ([scale(1, 0, CHANNELS), scale(2, 1, 0.5, "sub")], 8),
        ([scale(1, 0, 0.5, "add"), scale(2, 1)], 1),
        ([special(1, 0)], 1),
        ([scale(1, 0), special(2, 1)], 1),
        ([node(1, "prelu", 0, consts={"slope": CHANNELS})], 8),
    ],
)
def test_as_many_limits_are_stored_as_the_constants_have_channels(before: list[Node], limits: int) -> None:
    last = before[-1].id if before else 0
    inner = (*before, node(9, "sign", last, domain=BINARY))
    assert threshold_attrs(GraphInput(0, "x", SHAPE, FLOAT), inner).channels == limits
    assert at_zero(inner) == (limits == 0)
    assert threshold_attrs(GraphInput(0, "x", SHAPE, FLOAT), inner, 4).channels == max(limits, max(
        (c.numel for part in inner for c in constants_of(part)), default=1))  # fmt: skip


@pytest.mark.parametrize("bound", [0.0, 0.5, None])
def test_a_comparison_is_at_zero_where_its_bound_is(bound: float | None) -> None:
    assert at_zero((scale(1, 0), node(2, "compare", 1, attrs=Compare("ge", bound=bound)))) == (bound == 0.0)


def test_what_decides_nothing_is_not_at_zero() -> None:
    assert not at_zero((scale(1, 0),))
    assert not at_zero(())


def test_the_constants_of_a_node_are_its_operands_and_those_of_its_steps() -> None:
    other, absent = replace(CHANNELS, id=71), None
    both = Affine((Step("mul", (CHANNELS,), "bn_scale"), Step("batch_norm", (other, absent, CHANNELS, other), "bn")))
    assert constants_of(node(1, "affine", 0, attrs=both)) == [CHANNELS, other, CHANNELS, other]
    assert constants_of(node(1, "prelu", 0, consts={"slope": other})) == [other]
    assert constants_of(node(1, "relu", 0)) == []


Make = Callable[[int, int], Node]


@pytest.mark.parametrize("made", [scale, special, lambda i, s: node(i, "relu", s)])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_any_number_of_thresholds_and_of_what_is_in_front_of_them(made: Make, length: int) -> None:
    """Behind each other: threshold, sum of products, ``length`` functions, threshold, …"""
    nodes: list[Node] = []
    last, id = 0, 1
    for _ in range(3):
        for _ in range(length):
            nodes.append(made(id, last))
            last, id = id, id + 1
        nodes += [cut(id, last), product(id + 1, id)]
        last, id = id + 1, id + 2
    done = absorb_into_thresholds(graph(*nodes))
    assert [n.op for n in done.nodes] == ["threshold", "linear"] * 3
    assert all(len(n.inner) == length + 1 for n in done.nodes if n.op == "threshold")
    assert len(done.rewrites) == 3 * length
