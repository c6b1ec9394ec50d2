"""What stands in front of a threshold is a part of it, and only that: the passes by themselves, and their results."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.deploy import FIRST
from costmodel.deploy.absorb import absorb_into_thresholds, at_zero
from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor
from costmodel.deploy.study import Deployment, prepare
from costmodel.deploy.thresholds import to_thresholds, units_of
from costmodel.graph.attrs import Affine, Threshold
from costmodel.graph.node import Graph, Node
from costmodel.trace import trace
from tests.deploy.functions import Made, monotone, two_valued

Function = Callable[["Net", Tensor], object]


class Net(nn.Module):
    """A linear layer, ``run`` of its result, with parameters to use and signs for weights behind."""

    def __init__(self, run: Function, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.weight, self.norm = nn.Linear(6, 8), nn.Parameter(torch.randn(4, 8)), nn.BatchNorm1d(8)
        self.w = nn.Parameter((0.3 + torch.rand(8)) * torch.tensor([1.0, -1.0]).repeat(4))
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2.0)
        nn.init.normal_(self.norm.weight)
        self.run = run

    def forward(self, x: Tensor) -> object:
        return self.run(self, self.first(x))

    def sums(self, u: Tensor) -> Tensor:
        return F.linear(u, torch.where(self.weight >= 0, 1.0, -1.0).to(u.dtype))


def sign(x: Tensor) -> Tensor:
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def of(made: Made, net: Net, y: Tensor) -> Tensor:
    """A function of values [n, 8], with the parameters of the network in its channels."""
    return made.run(y, net.w.to(y.dtype)).to(y.dtype)


def deployed(run: Function, seed: int = 0) -> Deployment:
    return prepare(Net(run, seed).eval(), torch.randn(1, 6, generator=torch.Generator().manual_seed(seed)))


def same(made: Deployment, run: Function, seed: int = 0, near: float = 1e-9) -> None:
    """The deployed network gives what PyTorch gives."""
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64) * 2
    with torch.no_grad():
        wanted = Net(run, seed).eval().double()(x)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    found = Executor(assemble(made.graph)).run(x.numpy())
    assert len(found) == len(wanted)
    for got, want in zip(found, wanted, strict=True):
        assert np.allclose(got, want.numpy(), rtol=near, atol=near)


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op not in ("view", "permute", "cast", "slice")]


def thresholds(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op == "threshold"]


@pytest.mark.parametrize("seed", range(24))
def test_a_random_function_of_two_values_is_one_threshold(seed: int) -> None:
    draw = random.Random(seed)
    made = two_valued(draw, draw.randrange(0, 3))

    def run(net: Net, y: Tensor) -> Tensor:
        return net.sums(sign(of(made, net, y) - 0.2))

    found = deployed(run, seed)
    assert len(thresholds(found.graph)) <= 1, made.text  # none where it is constant
    assert set(ops(found.graph)) <= {"linear", "threshold"}, made.text
    same(found, run, seed)


@pytest.mark.parametrize("seed", range(16))
def test_what_several_thresholds_read_is_a_part_of_each(seed: int) -> None:
    draw = random.Random(100 + seed)
    shared, kept = monotone(draw, 2, joins=False), bool(seed % 2)
    one, two = draw.choice([0.1, -0.3]), draw.choice([0.25, -0.7])

    def run(net: Net, y: Tensor) -> object:
        g = of(shared, net, y)
        sums = net.sums(sign(g - one)), net.sums(sign(net.norm(g) + two))
        return (*sums, g) if kept else sums

    found = deployed(run, seed)
    assert len(thresholds(found.graph)) == 2
    if not kept:
        assert sorted(ops(found.graph)) == ["linear"] * 3 + ["threshold"] * 2, shared.text
    same(found, run, seed)


def passed(run: Function, *passes: Callable[[Graph], Graph]) -> Graph:
    graph = trace(Net(run).eval(), torch.randn(1, 6))
    for each in passes or (*FIRST, absorb_into_thresholds):
        graph = each(graph)
    return graph


def between(graph: Graph) -> list[str]:
    """What is left of operations element by element."""
    return [node.op for node in graph.nodes if node.row.elementwise and node.op != "cast"]


def test_a_scale_stays_where_something_else_reads_it() -> None:
    alone = passed(lambda net, y: net.sums(sign(F.max_pool1d((y * 0.3)[:, None], 2)[:, 0].repeat(1, 2) - 0.1)))
    assert thresholds(alone)
    for run in (
        lambda net, y: (net.sums(sign(net.norm(y))), net.norm(y)),
        lambda net, y: (net.sums(sign(net.norm(y))), torch.tanh(net.norm(y))),
        lambda net, y: net.sums(sign(net.norm(y))) + net.sums(net.norm(y)),
    ):
        kept = passed(run)
        (cut,) = thresholds(kept)
        chains = [node for node in kept.nodes if isinstance(node.attrs, Affine)]
        assert (chains and all(cut.inputs[0] != node.id for node in chains)) or cut.inputs[0] in {n.id for n in chains}
        assert between(kept)


def test_a_function_that_rises_and_falls_is_not_taken_up() -> None:
    graph = passed(lambda net, y: net.sums(sign(y.abs() - 0.4)))
    assert "abs" in between(graph)
    (cut,) = thresholds(graph)
    assert [part.op for part in cut.inner].count("abs") == 0


def test_of_two_readers_one_that_cannot_take_it_up_keeps_it() -> None:
    """A rising function of a magnitude is read by a threshold and by what needs the magnitude itself."""

    def run(net: Net, y: Tensor) -> object:
        g = torch.tanh(y * 0.5)
        return net.sums(sign(g - 0.1)), net.sums(sign(g.abs() - 0.2))

    found = deployed(run)
    same(found, run)
    assert len(thresholds(found.graph)) == 2


@pytest.mark.parametrize(
    ("run", "numbers"),
    [
        (lambda net, y: sign(y), 0),  # at zero for any scale
        (lambda net, y: sign(y * 3.0), 0),
        (lambda net, y: sign(y * net.w), 0),
        (lambda net, y: (y > 0).to(y.dtype), 0),
        (lambda net, y: sign(y + 0.25), 1),
        (lambda net, y: sign(y * 3.0 - 0.5), 1),
        (lambda net, y: (y > 0.5).to(y.dtype), 1),
        (lambda net, y: sign(torch.tanh(y) - 0.25), 1),
        (lambda net, y: sign(y + net.w), 8),
        (lambda net, y: sign(net.norm(y)), 8),
        (lambda net, y: sign(net.norm(y) * 0.5 + 0.25), 8),
        (lambda net, y: torch.round(y.clamp(0, 3)), 1),
        (lambda net, y: torch.round(net.norm(y).clamp(0, 3)), 8),
    ],
)
def test_a_threshold_is_as_many_numbers_as_its_function_has_channels(run, numbers: int) -> None:
    graph = passed(lambda net, y: net.sums(run(net, y)))
    (cut,) = thresholds(graph)
    attrs = cut.of(Threshold)
    assert attrs.channels == numbers
    assert (attrs.bits_in, attrs.domain.kind, attrs.domain.bits) == (32, "float", 32)
    assert attrs.levels == (4 if cut.domain.kind == "int" else 2)
    if attrs.levels == 2:
        assert at_zero(cut.inner) == (numbers == 0)


def test_the_numbers_of_a_threshold_of_integers_are_integers_of_their_width() -> None:
    graph = passed(lambda net, y: net.sums(sign(net.sums(sign(y)).repeat(1, 2) - 1.0)))
    real, whole = (node.of(Threshold) for node in thresholds(graph))
    assert (real.bits_in, real.domain.kind) == (32, "float")
    assert (whole.domain.kind, whole.domain.bits) == ("int", whole.bits_in)
    assert whole.bits_in == 5  # sums of eight signs: -8 to 8


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_quantisers_of_as_many_levels_as_the_bits_hold_are_comparisons(bits: int) -> None:
    for top, few in ((2**bits - 1, True), (2**bits, False)):
        if top < 2:
            continue
        graph = passed(
            lambda net, y, top=top: net.sums(torch.round(y.clamp(0, 1) * top)),
            lambda graph: to_thresholds(graph, bits),
        )
        assert bool(thresholds(graph)) == few
        assert ("round" in ops(graph)) != few
        if few:
            (cut,) = thresholds(graph)
            assert cut.of(Threshold).levels == top + 1
            assert cut.tags == ("quantize",)


def test_a_value_of_several_places_at_once_is_no_threshold_of_each() -> None:
    """What is decided once and read at many places is decided once; what meets a constant at each place is not one."""

    def run(net: Net, y: Tensor) -> Tensor:
        return net.sums(sign(y[:, :1] + net.w))

    graph = passed(run)
    for cut in thresholds(graph):
        (source,) = (value for value in (*graph.nodes, *graph.inputs) if value.id == cut.inputs[0])
        assert source.shape == cut.shape
    found = deployed(run)
    same(found, run)


def test_what_is_read_in_the_middle_of_a_function_stays() -> None:
    """A comparison that is an output as well as a part of a larger function."""

    def run(net: Net, y: Tensor) -> object:
        u = sign(y + 0.25)
        return net.sums(u * 2.0 - 1.0), net.sums((u + 1.0) * 0.5), u

    found = deployed(run)
    assert len(thresholds(found.graph)) == 1
    same(found, run)


@pytest.mark.parametrize("seed", range(8))
def test_two_values_under_other_names_are_no_second_comparison(seed: int) -> None:
    low, high = [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 0.0)][seed % 4]

    def run(net: Net, y: Tensor) -> object:
        u = sign(y + 0.25)
        return net.sums(u), net.sums(torch.where(u > 0, high, low).to(y.dtype))

    found = deployed(run, seed)
    assert len(thresholds(found.graph)) == 1
    assert found.profile.deployed.total("compare") == 8
    same(found, run, seed)


@pytest.mark.parametrize(
    "decide",
    [
        lambda y: y >= 0, lambda y: y > 0, lambda y: y <= 0, lambda y: y < 0, lambda y: -y >= 0,
        lambda y: 0.5 - y > 0.5, torch.signbit, lambda y: ~torch.signbit(y), lambda y: torch.signbit(-y + 1.0),
        lambda y: torch.round(y) > 0, lambda y: torch.round(y) < 0,
    ],
)  # fmt: skip
def test_ties_are_decided_as_written(decide: Callable[[Tensor], Tensor]) -> None:
    """At the number where a decision changes, and next to it on both sides."""

    class Alone(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(decide(x), 1.0, -1.0).to(x.dtype)

    made = prepare(Alone().eval(), torch.randn(1, 9))
    assert len(thresholds(made.graph)) == 1
    ties = torch.tensor([0.0, 1.0, 0.5, -0.5, -1.0], dtype=torch.float64)
    x = torch.cat([ties, torch.nextafter(ties, ties + 1), torch.nextafter(ties, ties - 1)])
    x = x.repeat(3)[None, :].reshape(5, 9)
    (got,) = Executor(assemble(made.graph)).run(x.numpy())
    assert np.array_equal(got, Alone()(x).numpy())


SIZES: dict[str, tuple[Function, int]] = {
    "behind a sum of products": (lambda net, y: net.sums(sign(y) * 0.75), 0),
    "in an addition": (lambda net, y: sign(y) * 0.75 + net.sums(sign(y) * 0.75).repeat(1, 2), 1),
    "as an output": (lambda net, y: (net.sums(sign(y) * 0.75), sign(y) * 0.75), 1),
    "as two outputs": (lambda net, y: (u := sign(y) * 0.75, u, net.sums(u)), 1),
    "for two readers": (lambda net, y: (torch.tanh(sign(y) * 0.75) + y, (sign(y) * 0.75).exp() * y), 1),
    "moved": (lambda net, y: (sign(y) * 0.75)[:, [3, 1, 2, 0]] + y[:, :4], 1),
    "side by side, of two sizes": (
        lambda net, y: net.sums(torch.cat([sign(y)[:, :4] * 0.75, sign(y)[:, 4:] * 0.5], 1)), 2,
    ),
    "levels in an addition": (lambda net, y: torch.round(y.clamp(0, 3)) * 0.75 + y, 1),
    "levels as an output": (lambda net, y: torch.round(y.clamp(0, 3)) * 0.75, 1),
    "levels behind a sum": (lambda net, y: net.sums(torch.round(y.clamp(0, 3)) * 0.75), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_the_size_that_levels_stand_for_is_applied_where_it_is_read(name: str) -> None:
    run, least = SIZES[name]
    found = deployed(run)
    same(found, run, near=1e-6)
    graph = passed(run, *FIRST[: FIRST.index(to_thresholds) + 1])
    steps = [step for node in graph.nodes if isinstance(node.attrs, Affine) for step in node.attrs.steps]
    sizes = [step for step in steps if step.tag == "act_scale" and step.constants[0].sizes]
    assert len(sizes) == least
    rows = [dict(row.removed) for row in graph.rewrites if row.name == "size of levels for other readers"]
    assert len(rows) == least and all(count < 0 for row in rows for count in row.values())
    names = units_of(graph)
    for node in graph.nodes:
        if node.id in names:
            assert node.id not in graph.outputs


def test_the_rows_of_a_rewrite_are_in_the_order_of_the_network() -> None:
    def run(net: Net, y: Tensor) -> Tensor:
        u = sign(F.max_pool1d((y * 0.3)[:, None], 1)[:, 0] - 0.1)
        v = net.sums(u).repeat(1, 2)
        return net.sums(sign(net.norm(v)))

    graph = passed(run)
    places = {node.module: index for index, node in enumerate(trace(Net(run).eval(), torch.randn(1, 6)).nodes)}
    rows = [row for row in graph.rewrites if "threshold" in row.name or "comparison" in row.name]
    assert len(rows) >= 2 and all(row.removed for row in rows)
    assert [places.get(row.module, -1) for row in rows] == sorted(places.get(row.module, -1) for row in rows)


def test_a_quantiser_is_named_by_what_it_was_made_of() -> None:
    names = {
        "batch norm into threshold": lambda net, y: sign(net.norm(y)),
        "mask layer and scale into threshold": lambda net, y: sign(y * 2.0 + 0.25),
        "sign idiom into comparison": lambda net, y: (y > 0.5).to(y.dtype) * 2 - 1,
        "quantiser into comparisons": lambda net, y: torch.round(y.clamp(0, 3)),
    }
    for name, run in names.items():
        graph = passed(lambda net, y, run=run: net.sums(run(net, y)), *FIRST[: FIRST.index(to_thresholds) + 1])
        found = [row.name for row in graph.rewrites]
        assert name in found or (name.startswith("sign") and "mask layer and scale into threshold" in found), found


def test_where_a_larger_function_is_no_quantiser_a_smaller_one_is_looked_for() -> None:
    """One value meets eight constants: what is read at one place is no quantiser, what was added is one of eight."""
    run: Function = lambda net, y: net.sums(torch.round((y[:, :1] + net.w).clamp(0, 3)))  # noqa: E731
    found = deployed(run)
    (cut,) = thresholds(found.graph)
    assert cut.of(Threshold).levels == 4
    (source,) = (node for node in found.graph.nodes if node.id == cut.inputs[0])
    assert isinstance(source.attrs, Affine)
    same(found, run)
