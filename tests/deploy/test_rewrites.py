"""Every rewrite leaves every output as it was: the graph is run before and after each pass, ties included."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from costmodel.deploy import FIRST, REPEATED
from costmodel.deploy.assemble import assemble
from costmodel.deploy.assembler import CannotRunError
from costmodel.deploy.executor import Executor
from costmodel.deploy.study import prepare, verify
from costmodel.deploy.tally import Tally
from costmodel.ledger.rules import charge
from costmodel.trace import trace
from tests.deploy.networks import GridBlock, images, on_grid, scramble, zoo
from tests.trace.idioms import ACTIVATIONS, WEIGHTS, ZERO_ONE, Layer


def run(graph, x, bits=None):
    return Executor(assemble(graph, bits)).run(x)[0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1, 2]), st.booleans())
def test_each_pass_is_exact_with_ties(seed, stride, zero_one):
    """All numbers are multiples of a power of two: every sum is exact, so equal means equal to the last bit."""
    net = GridBlock(seed, channels=6 if stride == 2 else 3, stride=stride, zero_one=zero_one).double()
    if stride == 1:
        net.down.data = net.down.data[:, :3]
    generator = torch.Generator().manual_seed(seed)
    graph = trace(net, on_grid((1, 2, 8, 8), generator), values=True)
    x = on_grid((3, 2, 8, 8), generator)
    with torch.no_grad():
        expected = net(x).numpy()
    assert np.array_equal(run(graph, x.numpy()), expected)
    for rewrite in (*FIRST, *REPEATED, *REPEATED):
        before = charge(graph, "deployed").by_kind()
        graph = rewrite(graph)
        assert np.array_equal(run(graph, x.numpy()), expected), rewrite.__name__
        assert charge(graph, "deployed").by_kind().get("mul", 0) <= before.get("mul", 0), rewrite.__name__


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_fixed_point_is_exact_where_the_grid_holds_every_value(seed):
    """Steps of 1/4, slopes down to 1/8, scales by 1/16: 24 bits behind the point hold every value of this network."""
    net = GridBlock(seed).double()
    generator = torch.Generator().manual_seed(seed)
    made = prepare(net, on_grid((1, 2, 8, 8), generator))
    x = on_grid((3, 2, 8, 8), generator)
    with torch.no_grad():
        assert np.array_equal(run(made.graph, x.numpy(), 24), net(x).numpy())


def test_ties_do_occur():
    net = GridBlock(1).double()
    generator = torch.Generator().manual_seed(1)
    made = prepare(net, on_grid((1, 2, 8, 8), generator))
    assert verify(made, on_grid((8, 2, 8, 8), generator).numpy()).ties > 20


@pytest.mark.parametrize("name", [*ACTIVATIONS, *ZERO_ONE])
def test_every_spelling_of_a_sign_becomes_its_threshold(name):
    torch.manual_seed(0)
    net = Layer(binarise={**ACTIVATIONS, **ZERO_ONE}[name]).eval()
    made = prepare(net, torch.randn(1, 3, 10, 10))
    assert sum(n.op == "threshold" for n in made.graph.nodes) == 1
    verdict = verify(made, images(made, 4))
    assert verdict.exact, verdict


@pytest.mark.parametrize("name", [w for w in WEIGHTS if w not in ("dorefa4",)])
def test_every_kind_of_weight_runs(name):
    torch.manual_seed(0)
    net = Layer(quantise=WEIGHTS[name][0]).eval()
    verdict = verify(made := prepare(net, torch.randn(1, 3, 10, 10)), images(made, 4))
    assert verdict.deviation <= 1e-5 * verdict.scale  # straight-through estimators leave residue on the magnitudes


def test_batch_norm_of_either_direction_becomes_a_threshold():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.bn = nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8)
            self.second = nn.Conv2d(8, 4, 3)

        def forward(self, x):
            return self.second(torch.sign(self.bn(self.first(x))))

    net = scramble(Net())
    net.bn.weight.data = torch.tensor([1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 0.1, -0.1])
    made = prepare(net, torch.randn(1, 2, 9, 9))
    program = assemble(made.graph)
    (cut,) = [i for i in program.instructions if i.op == "threshold"]
    assert cut.arrays["rising"].ravel().tolist() == [1, 0] * 4
    assert verify(made, images(made, 4)).exact
    assert any("torch.sign" in note for note in program.notes)


def test_a_channel_that_never_changes_is_constant():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.bn, self.second = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3)

        def forward(self, x):
            return self.second(torch.where(self.bn(self.first(x)) >= 0, 1.0, -1.0))

    net = scramble(Net())
    net.bn.weight.data = torch.tensor([0.0, 0.0, 1.0, 1.0])
    net.bn.bias.data = torch.tensor([0.5, -0.5, 0.1, 0.1])
    made = prepare(net, torch.randn(1, 2, 9, 9))
    for bits in (None, 8, 24):
        (cut,) = [i for i in assemble(made.graph, bits).instructions if i.op == "threshold"]
        x = np.zeros((1, 4, 1, 1)) if bits is None else np.zeros((1, 4, 1, 1), np.int64)
        high = x >= cut.arrays["limits"]
        assert high.ravel()[:2].tolist() == [True, False]
    assert verify(made, images(made, 4)).exact


def test_what_has_no_executable_form_is_said_with_its_place():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.fc = nn.Bilinear(6, 6, 6), nn.Linear(6, 2)

        def forward(self, x):
            return self.fc(self.mix(x, x))

    made = prepare(Net(), torch.randn(1, 6))
    with pytest.raises(CannotRunError, match=r"mix: unknown .*cannot be executed"):
        assemble(made.graph)
    assert made.profile.deployed.total("mul") > 0


def test_full_precision_networks_run_too():
    made = zoo("resnet18-cifar10")
    assert verify(made, images(made, 1)).exact


@pytest.mark.parametrize("channel", range(0, 64, 7))
def test_one_channel_of_another_size_is_not_overlooked(channel):
    """The tracer judges a large weight by a sample; the numbers that are deployed come from all of it."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(64, 64, 3, 3))
            self.size = torch.full((64, 1, 1, 1), 0.5, dtype=torch.float64)
            self.size[channel] = 2.0

        def forward(self, x):
            u = torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
            return torch.conv2d(u, self.size.to(x.dtype) * torch.where(self.weight >= 0, 1.0, -1.0).to(x.dtype))

    torch.manual_seed(0)
    made = prepare(Net(), torch.randn(1, 64, 4, 4))
    assert verify(made, images(made, 2)).exact
    assert np.array_equal(run(made.graph, images(made, 2), 8), run(made.graph, images(made, 2)))


def test_one_odd_weight_among_signs_makes_the_sum_real():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.sign(torch.randn(64, 64, 3, 3)))
            self.weight.data[5, 7, 1, 1] = 0.3

        def forward(self, x):
            return torch.conv2d(torch.where(x >= 0, 1.0, -1.0).to(x.dtype), self.weight)

    torch.manual_seed(0)
    made = prepare(Net(), torch.randn(1, 64, 4, 4), trained=True)
    assert made.profile.deployed.total("xnor") == 0
    assert verify(made, images(made, 2)).exact


def test_weights_that_are_not_what_they_were_traced_as_are_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(64, 64, 3, 3))

        def forward(self, x):
            return torch.conv2d(torch.where(x >= 0, 1.0, -1.0).to(x.dtype), torch.sign(self.weight))

    torch.manual_seed(0)
    made = prepare(Net(), torch.randn(1, 64, 4, 4))
    (conv,) = (node for node in made.graph.nodes if node.op == "conv")
    made.graph.values[conv.consts["weight"].id][5, 7, 1, 1] = 0.3
    with pytest.raises(CannotRunError, match="one magnitude per channel"):
        assemble(made.graph)


@pytest.mark.parametrize("scatter", ["slice_scatter", "select_scatter"])
def test_a_scale_of_a_part_is_no_scale_of_the_whole(scatter):
    """The multiplications of the part stay; the weights behind it are shared with the rest of the map."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 8, 1, bias=False)

        def forward(self, x):
            y = x.relu()
            if scatter == "slice_scatter":
                return self.conv(torch.slice_scatter(y, y[:, :, :2] * 0.3, 2, 0, 2))
            return self.conv(torch.select_scatter(y, y[:, :, 1] * 0.3, 2, 1))

    torch.manual_seed(0)
    made = prepare(Net(), torch.randn(1, 4, 8, 8))
    scaled = 4 * 8 * (2 if scatter == "slice_scatter" else 1)
    assert made.profile.deployed.by_kind()["mul"] == scaled + 8 * 4 * 64


def test_a_value_that_meets_several_constants_is_no_threshold():
    """Five values against a table of five rows are 25 comparisons, each with a number of its own."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.randn(1, 5, 5))

        def forward(self, x):
            return (x.tanh() > self.table).to(x.dtype)

    torch.manual_seed(0)
    made = prepare(Net(), torch.randn(1, 5))
    x, tally = np.random.default_rng(0).normal(size=(1, 5)), Tally()
    Executor(assemble(made.graph)).run(x, tally=tally)
    assert made.profile.deployed.by_kind()["compare"] == 25
    assert sum(count for (*_, kind), count in tally.items() if kind == "compare") == 25
    assert verify(made, x).exact
