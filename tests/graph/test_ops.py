"""What the table says of every operation holds: a network of it is traced, charged, executed, exported and priced."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import costmodel
from costmodel.deploy import deploy
from costmodel.deploy.assemble import assemble
from costmodel.deploy.assembler import CannotRunError, builder_of
from costmodel.deploy.executor import Executor
from costmodel.deploy.qonnx import to_model
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.graph.attrs import NONE, Affine, Attrs, Stated
from costmodel.graph.charge import RULES, rows
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Graph, Node
from costmodel.graph.ops import OPS, op
from costmodel.graph.vocabulary import KINDS, TAGS
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.ledger.rules import charge
from costmodel.targets import estimate
from costmodel.targets.arm.operators import operators
from costmodel.targets.fpga.design import Widths, stages
from costmodel.trace import trace
from costmodel.trace.custom import CUSTOM

WEIGHT = torch.randn(8, 8)
FILTERS = torch.randn(8, 8, 3, 3)
TABLE = torch.randn(16, 8)
SIGNS = torch.sign(torch.randn(8, 8, 3, 3))


def conv(x: Tensor) -> Tensor:
    return F.conv2d(x, FILTERS, padding=1)


#: Operation -> a function of a map [1, 8, 4, 4] that runs it. Those behind "deployed" are there after the rewrites.
WRITTEN: dict[str, Callable[[Tensor], Tensor]] = {
    "conv": conv,
    "linear": lambda x: F.linear(x, torch.randn(5, 4)),
    "matmul": lambda x: x @ x.transpose(2, 3).relu(),
    "affine": lambda x: x * 0.3 + 1.0,
    "add": lambda x: x + x.abs(),
    "mul": lambda x: x * x.abs(),
    "square": lambda x: x * x,
    "prelu": lambda x: F.prelu(x, torch.tensor([0.3])),
    "relu": lambda x: x.relu(),
    "clamp": lambda x: x.clamp(-1.0, 2.0),
    "minimum": lambda x: torch.minimum(x, x.abs() * 0.5),
    "maximum": lambda x: torch.maximum(x, x.abs() * 0.5),
    "abs": lambda x: x.abs(),
    "round": lambda x: x.round(),
    "sign": lambda x: x.sign(),
    "compare": lambda x: (x > 0.5).float(),
    "where": lambda x: torch.where(x > 0, x, x.exp()),
    "logical": lambda x: ((x > 0) & (x < 1)).float(),
    "special": lambda x: x.tanh(),
    "max_pool": lambda x: F.max_pool2d(x, 2),
    "avg_pool": lambda x: F.avg_pool2d(x, 2),
    "gap": lambda x: F.adaptive_avg_pool2d(x, 1),
    "mean": lambda x: x.mean(3),
    "reduce": lambda x: x.amax(1),
    "variance": lambda x: x.var(1),
    "norm": lambda x: F.layer_norm(x, (4,)),
    "softmax": lambda x: x.softmax(1),
    "view": lambda x: x.flatten(1),
    "permute": lambda x: x.permute(0, 2, 1, 3),
    "slice": lambda x: x[:, :4],
    "expand": lambda x: x.repeat(1, 2, 1, 1),
    "pad": lambda x: F.pad(x, (1, 1, 1, 1)),
    "concat": lambda x: torch.cat([x, x.relu()], 1),
    "stack": lambda x: torch.stack([x, x.relu()], 1),
    "cast": lambda x: x.to(torch.float32 if x.dtype == torch.float64 else torch.float64).relu(),
    "gather": lambda x: x.index_select(1, torch.tensor([3, 1])),
    "alias_write": lambda x: _written_through_a_view(x),
    "embedding": lambda x: TABLE[(x[:, 0, 0] > 0).long()],
    "resample": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "stated": lambda x: x.cumsum(1),
    "registered": lambda x: doubled(x),
    "unknown": lambda x: torch.lgamma(x),
}
DEPLOYED: dict[str, Callable[[Tensor], Tensor]] = {
    "threshold": lambda x: F.conv2d(x.sign(), SIGNS),
    "recode": lambda x: F.conv2d((F.max_pool2d(x.sign(), 2) > 0).to(x.dtype), SIGNS, padding=1),
}


@torch.library.custom_op("costmodel_tests::doubled", mutates_args=())
def doubled(x: Tensor) -> Tensor:
    return 2.0 * x


@pytest.fixture(autouse=True)
def own_operation() -> Iterator[None]:
    costmodel.register_op(
        "costmodel_tests::doubled", lambda call: [("add", "other", call.result.numel, 32, 32, 32)],
        run=lambda x: x + x,
    )  # fmt: skip
    yield
    CUSTOM.clear()


def _written_through_a_view(x: Tensor) -> Tensor:
    y = x.relu()
    y[:, 1:3] *= 0.3
    return y * 1.5


class Net(nn.Module):
    """The function behind a convolution, so that there is a matrix to fold and a weight to look up."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 8, 1, bias=False)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.first(x))


@functools.cache
def graph_of(name: str) -> Graph:
    torch.manual_seed(0)
    function = WRITTEN.get(name) or DEPLOYED[name]
    graph = trace(Net(function), torch.randn(1, 8, 4, 4), values=True)
    return deploy(graph) if name in DEPLOYED else graph


def nodes_of(name: str) -> list[Node]:
    return [node for node in graph_of(name).nodes if node.op == name]


every_operation = pytest.mark.parametrize("name", OPS)


def test_there_is_a_network_for_every_operation() -> None:
    assert sorted([*WRITTEN, *DEPLOYED]) == sorted(OPS)
    assert all(nodes_of(name) for name in OPS)


@every_operation
def test_it_is_charged_or_moves(name: str) -> None:
    assert (name in RULES) == (not OPS[name].moves)
    charged = [row for node in nodes_of(name) for row in rows(node)]
    assert bool(sum(row.number for row in charged)) == (not OPS[name].moves)
    assert {row.kind for row in charged} <= set(KINDS)
    assert {part for row in charged for part in row.tag.split("+")} <= set(TAGS)


@every_operation
def test_it_is_executed_as_it_is_counted_or_refused_by_name(name: str) -> None:
    graph = graph_of(name)
    assert all((builder_of(node) is not None) == OPS[name].executable for node in nodes_of(name))
    if not OPS[name].executable:
        with pytest.raises(CannotRunError, match=name):
            assemble(graph)
        return
    tally: dict[object, int] = {}
    Executor(assemble(graph)).run(np.random.default_rng(0).normal(size=(1, 8, 4, 4)), tally=(counted := _Counter()))
    for (_, _, operation, kind), count in counted.items():
        tally[operation, kind] = tally.get((operation, kind), 0) + count
    wanted: dict[object, int] = {}
    for each in charge(graph, "deployed").charges:
        wanted[each.op, each.kind] = wanted.get((each.op, each.kind), 0) + each.count
    assert tally == wanted


class _Counter(dict):  # type: ignore[type-arg]
    def __missing__(self, key: object) -> int:
        return 0


@every_operation
def test_it_is_exported_or_refused(name: str) -> None:
    pytest.importorskip("onnx")
    if not OPS[name].executable:
        assert not OPS[name].exportable
        return
    program = assemble(graph_of(name))
    if OPS[name].exportable:
        assert to_model(program, standard=True).graph.node
    else:
        with pytest.raises(CostmodelError):
            to_model(program, standard=True)


def priced(ledger: Ledger, target: str) -> tuple[object, ...]:
    """What a target says of a ledger: the totals, and in words what is not in them."""
    made = estimate(Profile("", ((1, 8, 4, 4),), 0, ledger, ledger), target)
    assert not made.misfit
    return {name: total.value for name, total in made.totals().items()}, made.notes


@every_operation
@pytest.mark.parametrize("target", ["asic", "fpga"])
def test_what_it_is_charged_is_priced_or_said_not_to_be(name: str, target: str) -> None:
    """Without its charges the network costs something else. Matrix units are priced by their shape."""
    if OPS[name].moves:
        return
    ledger = charge(graph_of(name), "deployed")
    own = {layer.index for layer in ledger.layers if layer.op == name}
    design = stages(ledger, Widths(16, 8, 8), True) if target == "fpga" else ()
    if own <= {index for stage in design if stage.matrix is not None for index in stage.layers}:
        return
    rest = replace(ledger, charges=tuple(c for c in ledger.charges if c.op != name))
    assert priced(ledger, target) != priced(rest, target)


@every_operation
def test_its_layer_is_an_operator_of_a_runtime_or_a_part_of_one(name: str) -> None:
    """But for what makes bits of bits, which costs nothing next to packing them."""
    ledger = charge(graph_of(name), "deployed")
    found = operators(ledger)
    taken = {index for each in found for index in (each.layer.index, *each.fused)}
    bits = {layer.index for layer in ledger.layers if layer.out.is_one_bit}
    free = {layer.index for layer in ledger.layers if layer.index in bits and bits.issuperset(layer.inputs)}
    assert taken | free >= {layer.index for layer in ledger.layers if layer.op == name}


@every_operation
def test_its_attributes_are_typed_and_no_other_ones_are_taken(name: str) -> None:
    form = OPS[name].attrs
    assert dataclasses.is_dataclass(form) and issubclass(form, Attrs)
    assert form.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(type(node.attrs) is form for node in nodes_of(name))
    other = Stated("f", ()) if form is not Stated else NONE
    with pytest.raises(TypeError, match=form.__name__):
        Node(0, name, (), (1,), FLOAT, attrs=other)


def test_a_name_that_is_not_in_the_table_makes_no_node() -> None:
    with pytest.raises(UnknownNameError, match="conv"):
        Node(0, "conv2", (), (1,), FLOAT)
    with pytest.raises(UnknownNameError, match="affine"):
        op("afine")


def test_attributes_that_an_operation_does_not_have_are_an_error() -> None:
    node = Node(0, "affine", (0,), (1,), FLOAT, attrs=Affine(()))
    assert node.with_attrs(unit=2.0).of(Affine).unit == 2.0
    with pytest.raises(TypeError):
        node.with_attrs(units=2.0)
    with pytest.raises(TypeError, match="Stated"):
        node.of(Stated)
