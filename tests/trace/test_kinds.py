"""The kind of a value follows from what makes it and, for weights, from all values of each channel.

The networks are small, and their operations are worked out by hand next to them.
"""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor, per_image
from costmodel.deploy.profile import profile
from costmodel.deploy.study import prepare, verify
from costmodel.ledger.rules import charge
from costmodel.trace import trace
from costmodel.trace.domains import classify, confirm
from costmodel.trace.grids import grid_of_rows
from costmodel.trace.values import sample


class Sum(nn.Module):
    """One sum of products of ``act(x)`` by ``quantise(w)``, whose dimension 0 are the channels."""

    def __init__(self, shape, function, quantise, act=torch.sign):
        super().__init__()
        self.w, self.function, self.quantise, self.act = nn.Parameter(torch.randn(shape)), function, quantise, act
        self.a, self.b = (nn.Parameter(torch.rand(shape[0], *(1 for _ in shape[1:])) + 0.5) for _ in range(2))

    def forward(self, x):
        return self.function(self.act(x), self.quantise(self, self.w))


def turned(x, w):
    """A transposed convolution in two groups, its weights [i, o / 2, k]; made of [o, i / 2, k]."""
    o, i, k = w.shape
    return F.conv_transpose1d(
        x, w.reshape(2, o // 2, i, k).transpose(1, 2).reshape(2 * i, o // 2, k), groups=2, stride=3
    )


#: name -> shape of the weights with the channels first, the sum, and an input.
SUMS = {
    "matrix": ((5, 24), F.linear, (1, 24)),
    "matrix of tokens": ((5, 24), lambda x, w: x @ w.t(), (1, 3, 24)),
    "rows": ((4, 6, 3), lambda x, w: F.conv1d(x, w, padding=1), (1, 6, 9)),
    "maps": ((6, 8, 3, 3), lambda x, w: F.conv2d(x, w, stride=2, padding=1), (1, 8, 7, 7)),
    "maps in groups": ((6, 4, 3, 3), lambda x, w: F.conv2d(x, w, groups=2), (1, 8, 6, 6)),
    "depthwise": ((8, 1, 3, 3), lambda x, w: F.conv2d(x, w, groups=8, padding=1), (1, 8, 6, 6)),
    "transposed": ((4, 5, 3), turned, (1, 10, 5)),
    "large": ((32, 40, 3, 3), F.conv2d, (1, 40, 5, 5)),
}


def step(bits):
    def quantise(net, w):
        size = w.abs().amax(tuple(range(1, w.dim())), keepdim=True) / (2 ** (bits - 1) - 1)
        return (w / size).round() * size

    return quantise


def two(net, w):
    return torch.sign(w) * net.a + net.b


def same_two(net, w):
    return torch.where(w > 0, 0.8, -0.3)


def three(net, w):
    return torch.where(w > 0.4, net.a, torch.where(w < -0.4, -net.b, torch.zeros(())))


def layer_of(made):
    return next(layer for layer in made.layers if layer.macs)


def executed(net, x):
    """Whether the deployed network gives what PyTorch gives, by the operations that stand in its ledger."""
    made, tally, rows = prepare(net, x), Counter(), Counter()
    images = np.random.default_rng(0).standard_normal((3, *x.shape[1:]))
    Executor(assemble(made.graph)).run(images, tally=tally)
    for row in charge(made.graph, "deployed").charges:
        rows[row.module, row.call, row.op, row.kind] += row.count
    assert +Counter(per_image(tally, 3)) == +rows
    assert verify(made, images).exact


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("name", SUMS)
def test_integers_with_a_step_of_each_channel_have_the_bits_of_their_levels(name, bits):
    torch.manual_seed(bits)
    shape, function, given = SUMS[name]
    net, x = Sum(shape, function, step(bits)).eval(), torch.randn(given)
    made = profile(net, x).deployed
    layer, outputs = layer_of(made), int(np.prod(layer_of(made).shape_out))
    assert (layer.b.kind, layer.b.bits, layer.b.asymmetric) == ("int", bits, False)
    assert made.total("mul") == outputs  # the step
    planes = bits if bits <= 4 else 0
    assert (made.total("and"), made.total("signflip")) == (planes * layer.macs, 0 if planes else layer.macs)
    assert made.weight_bits() == int(np.prod(shape)) * bits + shape[0] * 32
    executed(net, x)


@pytest.mark.parametrize("quantise", [two, same_two])
@pytest.mark.parametrize("name", SUMS)
def test_two_values_are_one_bit_and_a_second_product_of_each_result(name, quantise):
    torch.manual_seed(1)
    shape, function, given = SUMS[name]
    net, x = Sum(shape, function, quantise).eval(), torch.randn(given)
    made = profile(net, x).deployed
    layer = layer_of(made)
    results = layer.macs // layer.n_terms if name != "transposed" else int(np.prod(layer.shape_out))
    shared = shape[0] // (layer.window.groups if layer.window else 1)
    assert (layer.b.kind, layer.b.bits, layer.b.asymmetric) == ("binary", 1, True)
    assert made.total("xnor") == made.total("popcount") == layer.macs
    assert made.total("mul") == 2 * results
    assert made.total("add") == (layer.macs - results) // shared + results  # sums of windows, made once for all outputs
    several = shape[0] if quantise is two else 1
    assert made.weight_bits() == int(np.prod(shape)) + 2 * several * 32
    executed(net, x)


@pytest.mark.parametrize("name", ["matrix", "maps", "depthwise", "large"])
def test_three_values_around_zero_are_two_masks_and_a_second_product(name):
    torch.manual_seed(2)
    shape, function, given = SUMS[name]
    net, x = Sum(shape, function, three).eval(), torch.randn(given)
    made = profile(net, x).deployed
    layer, results = layer_of(made), int(np.prod(layer_of(made).shape_out))
    assert (layer.b.kind, layer.b.bits, layer.b.asymmetric) == ("ternary", 2, True)
    assert (made.total("and"), made.total("popcount"), made.total("xnor")) == (2 * layer.macs, 2 * layer.macs, 0)
    assert (made.total("mul"), made.total("add")) == (2 * results, results)
    executed(net, x)


def test_two_values_take_wide_operands_by_addition():
    net, x = Sum((5, 24), F.linear, two, nn.Identity()).eval(), torch.randn(1, 24)
    made = profile(net, x).deployed
    assert (made.total("signflip"), made.total("mul"), made.total("add")) == (120, 10, 23 + 5)
    executed(net, x)


def test_a_batch_norm_takes_the_size_and_leaves_two_products_of_each_result():
    net = nn.Sequential(Sum((6, 8, 3, 3), F.conv2d, two), nn.BatchNorm2d(6)).eval()
    made = profile(net, torch.randn(1, 8, 5, 5)).deployed
    assert made.total("mul") == 2 * 54


@pytest.mark.parametrize("rows", [4, 300])
def test_real_numbers_are_on_no_grid_however_few_they_are(rows):
    for seed in range(40):
        values = torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed))
        assert grid_of_rows(values).is_float
        assert classify(values.relu(), 0).is_float


def test_one_channel_off_its_grid_makes_the_weights_real():
    w = torch.randn(64, 64, 3, 3)
    w = step(4)(None, w)
    assert confirm(w, sample(w), 0).kind == "int"
    w[37, 11, 1, 1] += 0.01
    assert confirm(w, sample(w), 0).is_float


def test_a_size_of_each_input_is_no_size_of_a_channel():
    net = Sum((5, 24), lambda x, w: F.linear(x, w), lambda net, w: torch.sign(w) * net.w[:1].abs())
    assert layer_of(profile(net.eval(), torch.randn(1, 24)).deployed).b.is_float


# -- few elements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_weights_of_few_elements_are_of_the_kind_of_their_quantiser(seed):
    """Rows of three signs are often all the same; the rule of the sign says what they are."""
    torch.manual_seed(seed)
    signs = Sum((2, 3), F.linear, lambda net, w: torch.sign(w) * net.a).eval()
    levels = Sum((2, 3), F.linear, lambda net, w: torch.clamp(torch.round(w * 3), -4, 3) * net.a).eval()
    ternary = Sum((2, 3), F.linear, lambda net, w: torch.clamp(torch.round(w), -1, 1)).eval()
    found = [layer_of(profile(net, torch.randn(1, 3)).deployed).b for net in (signs, levels, ternary)]
    assert [(domain.kind, domain.bits) for domain in found] == [("binary", 1), ("int", 3), ("ternary", 2)]


def dorefa(net, w):
    share = torch.tanh(w) / (2 * torch.tanh(w).abs().max()) + 0.5
    return 2 * torch.round(share * 15) / 15 - 1


def by_mean(net, w):
    middle = w.mean(1, keepdim=True)
    return (w - middle).sign() * w.std(1, keepdim=True) + middle


QUANTISERS = {
    "DoReFa": (dorefa, "int4*real"),
    "a share of the largest": (step(4), "int4*real"),
    "a share of the largest of all": (
        lambda net, w: (w / (w.abs().max() / 3)).round() * w.abs().max() / 3,
        "int3*real",
    ),
    "a learned step": (lambda net, w: torch.clamp(torch.round(w / 0.1), -8, 7) * 0.1, "int4*real"),
    "two sizes": (lambda net, w: torch.where(w > 0.5, 1.2, torch.where(w < -0.5, -0.7, 0.0)), "ternary*real+offset"),
    "a masked sign": (lambda net, w: w.sign() * (w.abs() > 0.7).float() * w.abs().mean(), "ternary*real"),
    "around the mean": (by_mean, "binary*real+offset"),
    "fake quantisation": (
        lambda net, w: torch.fake_quantize_per_channel_affine(
            w, net.a.flatten(), torch.zeros(len(w), dtype=torch.int32), 0, -4, 3
        ),
        "int3*real",
    ),
    "odd halves": (lambda net, w: (torch.clamp(torch.round(w / 0.1), -8, 7) + 0.5) * 0.1, "int4*real"),
    "halves of which fewer are below zero": (
        lambda net, w: (torch.clamp(torch.round(w / 0.1), -2, 13) + 0.5) * 0.1,
        "int4*real+offset",
    ),
    "between multiples of the step": (
        lambda net, w: (torch.clamp(torch.round(w / 0.1), -8, 7) + 0.31) * 0.1,
        "int4*real+offset",
    ),
    "far from zero": (
        lambda net, w: (torch.clamp(torch.round(w / 0.1), -8, 7) + 100) * 0.1,
        "int4*real+offset",
    ),
    "a copied sign": (lambda net, w: torch.copysign(w.abs().mean(1, keepdim=True), w), "binary*real"),
}


@pytest.mark.parametrize("shape", [(3, 2), (6, 40)])
@pytest.mark.parametrize("name", QUANTISERS)
def test_the_kind_of_weights_does_not_depend_on_their_draw(name, shape):
    function, expected = QUANTISERS[name]
    found = set()
    for seed in range(10):
        torch.manual_seed(seed)
        graph = trace(Sum(shape, F.linear, function).eval(), torch.randn(1, shape[1]))
        (layer,) = (node for node in graph.nodes if node.op == "linear")
        found.add(str(layer.attrs.weight).replace("/channel", ""))
    assert found == {expected}


@pytest.mark.parametrize("seed", range(30))
def test_integers_behind_a_sum_are_as_wide_as_the_sum_allows(seed):
    torch.manual_seed(seed)
    first, second = torch.randn(4, 9).sign(), torch.randn(3, 4).sign()

    class Net(nn.Module):
        def forward(self, x):
            return F.linear(F.relu(F.linear(x.sign(), first)), second)

    layer = next(one for one in profile(Net().eval(), torch.randn(1, 9)).deployed.layers if one.shape_b == (3, 4))
    assert (layer.a.kind, layer.a.bits, layer.a.signed) == ("int", 4, False)  # 0 ... 9


MEANS = {
    "mean": (lambda s: s.mean((2, 3)), "int5"),  # 16 signs: 17 levels
    "global pool": (lambda s: F.adaptive_avg_pool2d(s, 1), "int5"),
    "pool": (lambda s: F.avg_pool2d(s, 2), "int3"),
    "sum": (lambda s: s.sum((2, 3)), "int5"),
    "two signs": (lambda s: s + s.flip(1), "ternary"),
    "two masks": (lambda s: (s > 0).float() * (s.flip(1) > 0).float(), "binary01"),
    "a masked sign": (lambda s: s * (s.flip(1) > 0).float(), "ternary"),
    "a larger sign": (lambda s: torch.maximum(s, s.flip(1)), "binary"),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", MEANS)
def test_what_is_made_of_signs_has_as_many_levels_as_there_are(name, seed):
    function, expected = MEANS[name]
    torch.manual_seed(seed)

    class Net(nn.Module):
        def forward(self, x):
            return function(x.sign())

    graph = trace(Net().eval(), torch.randn(1, 2, 4, 4))
    found = next(node.domain for node in graph.nodes if node.id == graph.outputs[0])
    assert f"{found.kind}{found.bits if found.kind == 'int' else ''}" == expected


# -- memory ----------------------------------------------------------------------------------------------------------


def filled(x, size, part):
    memory = torch.empty(size)
    memory[part] = x
    return memory


WRITTEN = {
    "circular maps": lambda s: F.pad(s, (1, 2, 1, 1), mode="circular"),
    "circular rows": lambda s: F.pad(s.flatten(2), (3, 3), mode="circular"),
    "halves": lambda s: filled(s[:, :2], s.shape, (slice(None), slice(0, 2))),
    "filled with signs": lambda s: torch.empty_like(s).copy_(s),
    "filled with a number": lambda s: torch.empty_like(s).fill_(-1.0).where(s > 0, s),
    "stacked by hand": lambda s: filled(s, (2, *s.shape), 1),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_values_are_those_that_were_written_never_those_that_memory_held(name):
    class Net(nn.Module):
        def forward(self, x):
            return WRITTEN[name](x.sign())

    found = set()
    for held in (0.0, 1.0, 0.3, float("nan")):
        junk = [torch.full((size,), held) for size in (64, 96, 128, 144, 168, 192) for _ in range(20)]
        del junk
        graph = trace(Net().eval(), torch.randn(1, 4, 4, 4))
        found |= {str(node.domain) for node in graph.nodes if node.id == graph.outputs[0]}
    assert found == {"binary"}


# -- spellings -------------------------------------------------------------------------------------------------------

PRODUCTS = {
    "linear": lambda s, w: F.linear(s, w),
    "sum over the last": lambda s, w: (s.unsqueeze(-2) * w).sum(-1),
    "weights first": lambda s, w: (w * s[:, :, None]).sum(dim=2 + 1),
    "kept": lambda s, w: (s.unsqueeze(2) * w).sum(-1, keepdim=True).squeeze(-1),
    "matmul": lambda s, w: s @ w.t(),
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("act", [torch.sign, torch.tanh])
def test_a_product_and_a_sum_are_a_matrix(name, act):
    torch.manual_seed(3)
    net, x = Sum((8, 16), PRODUCTS[name], lambda net, w: w.sign() * net.a, act).eval(), torch.randn(1, 6, 16)
    made = profile(net, x).deployed
    products = 6 * 8 * 16
    assert made.total("xnor" if act is torch.sign else "signflip") == products
    assert (made.total("mul"), made.total("add")) == (48, 0)
    executed(net, x)


def test_signs_by_signs_are_xnor_wherever_they_meet():
    signs = torch.randn(8).sign()

    class Net(nn.Module):
        def forward(self, x):
            return x.sign() * signs

    made = profile(Net().eval(), torch.randn(1, 8))
    assert (made.as_written.total("xnor"), made.as_written.total("signflip")) == (8, 0)


# -- the path --------------------------------------------------------------------------------------------------------


class Path(nn.Module):
    def __init__(self, decide):
        super().__init__()
        self.a, self.b, self.decide = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), decide

    def forward(self, x):
        y = self.a(x)
        return self.b(y) if self.decide(y) else y


READS = {
    "a branch": lambda y: y[:, 0].mean() > 0,
    "item": lambda y: y[:, 1].sum().item() > 0,
    "a list": lambda y: sum(y[0, :, 20, 20].tolist()) > 0,
    "numpy": lambda y: y.numpy()[0, 1, 9:].mean() > 0,
    "how many": lambda y: len(y[y > 1.2]) % 2 == 0,
}


@pytest.mark.parametrize("name", READS)
def test_the_path_is_that_of_the_model(name):
    found = []
    for seed in range(6):
        torch.manual_seed(seed)
        net, x = Path(READS[name]).eval(), torch.randn(1, 3, 24, 24)
        with torch.no_grad():
            taken = bool(READS[name](net.a(x)))
        made = profile(net, x)
        found.append(taken)
        assert sum(layer.macs for layer in made.as_written.layers) == 576 * 4 * (27 + taken * 36)
    assert len(set(found)) == 2, "the draws take both paths"


def test_the_caveat_names_the_value_that_decides():
    caveats = profile(Path(READS["a branch"]).eval(), torch.randn(1, 3, 24, 24)).caveats
    (branch,) = (caveat for caveat in caveats if caveat.kind == "branch")
    assert "the result of gt of mean" in branch.message


def test_one_binarisation_written_twice_is_computed_twice():
    class Net(nn.Module):
        def forward(self, x):
            first, second = (x.sign().detach() + x - x.detach() for _ in range(2))
            return first.sum(1), second.sum(1)

    assert profile(Net().eval(), torch.randn(1, 8)).as_written.total("compare") == 16


# -- activations around no zero --------------------------------------------------------------------------------------


class Moved(nn.Module):
    """Signs, of another size and around another middle."""

    def __init__(self, channels):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.8)), nn.Parameter(torch.randn(channels))

    def forward(self, x):
        b = self.b if x.dim() < 4 else self.b[:, None, None]
        return torch.sign(x - b) * self.a + b


ADAPTIVE = {
    "a middle of all": lambda x: torch.sign(x - 0.13) * 0.8 + 0.13,
    "zero and one": lambda x: (x > 0.4).float() * 1.5 + 0.7,
    "sum first": lambda x: 0.8 * (torch.sign(x) + 0.37),
    "a middle of each channel": Moved(8),
}


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("quantise", [torch.sign, two])
@pytest.mark.parametrize("name", ADAPTIVE)
def test_levels_around_no_zero_are_levels_and_a_constant_behind_the_sum(name, quantise, padding):
    torch.manual_seed(4)
    weights = quantise if quantise is two else lambda net, w: torch.sign(w)
    act = ADAPTIVE[name]
    net = Sum((6, 8, 3, 3), lambda x, w: F.conv2d(x, w, padding=padding), weights, act).eval()
    x = torch.randn(1, 8, 6, 6)
    made, second = profile(net, x).deployed, quantise is two
    results = 6 * (4 + 2 * padding) ** 2
    assert made.total("xnor") + made.total("and") == made.total("popcount") == results * 72
    assert made.total("mul") == results * (1 + second)
    executed(net, x)


class Levels(nn.Module):
    """Sixteen levels from a number on: a literal, a parameter, a buffer, or one of each channel."""

    def __init__(self, low, step=0.2):
        super().__init__()
        self.low, self.step = low, step
        if low == "a buffer":
            self.register_buffer("beta", torch.tensor(-0.31))
        elif isinstance(low, str):
            self.beta = nn.Parameter(torch.tensor(-0.31) if low == "a parameter" else torch.randn(8, 1, 1))
        if step == "a parameter":
            self.step = nn.Parameter(torch.tensor(0.2))

    def forward(self, x):
        low = self.beta if isinstance(self.low, str) else self.low
        return torch.clamp((x - low) / self.step, 0, 15).round() * self.step + low


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("step", [0.2, "a parameter"])
@pytest.mark.parametrize("low", [-0.3, -0.31, "a parameter", "a buffer", "of each channel"])
def test_levels_from_a_number_on_are_real_as_written_and_levels_and_a_constant_deployed(low, step, padding):
    torch.manual_seed(4)
    function, quantise = (lambda x, w: F.conv2d(x, w, padding=padding)), (lambda net, w: torch.sign(w))
    net = Sum((6, 8, 3, 3), function, quantise, Levels(low, step)).eval()
    x = torch.randn(1, 8, 6, 6)
    found = profile(net, x)
    results = 6 * (4 + 2 * padding) ** 2
    assert found.as_written.total("and") == 0
    assert found.as_written.total("signflip") == results * 72
    assert found.deployed.total("and") == 4 * results * 72
    assert found.deployed.total("mul") == results
    executed(net, x)


def shuffled(u):
    b, c, h, w = u.shape
    return u.view(b, 2, 4, h, w).transpose(1, 2).reshape(b, c, h, w)


WAYS = {
    "a shuffle of channels": lambda u, w: F.conv2d(shuffled(u), w),
    "a border of copies": lambda u, w: F.conv2d(F.pad(u, (1, 1, 1, 1), mode="replicate"), w),
    "a transposition": lambda u, w: F.conv2d(u.transpose(2, 3), w),
    "a maximum": lambda u, w: F.conv2d(F.max_pool2d(u, 2, padding=1), w),
    "two sums": lambda u, w: F.conv2d(u, w) + F.conv2d(u.flip(3), w),
    "a sum and a sign": lambda u, w: F.conv2d(u, w) + F.conv2d(u.sign(), w),
    "a mean behind the sum": lambda u, w: F.conv2d(u, w).mean((2, 3)),
}


@pytest.mark.parametrize("name", WAYS)
def test_levels_that_move_on_the_way_to_a_sum_stay_levels(name):
    torch.manual_seed(4)
    net = Sum((6, 8, 3, 3), WAYS[name], lambda net, w: torch.sign(w), Levels(-0.31)).eval()
    x = torch.randn(1, 8, 6, 6)
    found = profile(net, x)
    assert found.as_written.total("signflip") > 0
    assert found.deployed.total("signflip") == 0
    assert found.deployed.total("and") == 4 * found.as_written.total("signflip")
    assert found.deployed.total("mul") <= found.as_written.total("mul")
    executed(net, x)


@pytest.mark.parametrize("name", ["a border of zeros", "a maximum of a step of unknown sign"])
def test_levels_that_meet_others_on_the_way_are_real_numbers(name):
    torch.manual_seed(4)
    way = {
        "a border of zeros": lambda u, w: F.conv2d(F.pad(u, (1, 1, 1, 1)), w),
        "a maximum of a step of unknown sign": WAYS["a maximum"],
    }[name]
    step = "a parameter" if "unknown" in name else 0.2
    net = Sum((6, 8, 3, 3), way, lambda net, w: torch.sign(w), Levels(-0.31, step)).eval()
    x = torch.randn(1, 8, 6, 6)
    assert profile(net, x).deployed.total("and") == 0
    executed(net, x)


def test_the_constants_behind_a_padded_sum_differ_only_next_to_its_borders():
    act = ADAPTIVE["a middle of all"]
    sizes = []
    for padding in (0, 1):
        net = Sum((6, 8, 3, 3), lambda x, w, p=padding: F.conv2d(x, w, padding=p), lambda net, w: w.sign(), act).eval()
        sizes.append(profile(net, torch.randn(1, 8, 6, 6)).deployed.weight_bits())
    assert sizes[1] - sizes[0] == 6 * (9 - 1) * 32


def test_a_filter_of_zeros_stays_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 20))

        def forward(self, x):
            few = torch.clamp(torch.round(self.w * torch.tensor([[1.0], [0.0], [1.0], [1.0]])), -1, 1)
            return F.linear(x.sign(), few * 0.7)

    executed(Net().eval(), torch.randn(1, 20))


@pytest.mark.parametrize("size", [1 / 9, 0.25, 1.0])
@pytest.mark.parametrize("groups", [1, 4])
def test_a_filter_of_equal_weights_is_a_sum_and_one_product(size, groups):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("box", torch.full((4, 4 // groups, 3, 3), size))

        def forward(self, x):
            return F.conv2d(x, self.box, groups=groups, padding=1)

    net, x = Net().eval(), torch.randn(1, 4, 5, 5)
    made = profile(net, x).deployed
    assert made.total("signflip") == 100 * 36 // groups
    assert (made.total("mul"), made.total("shift_const")) == (100 * (size == 1 / 9), 100 * (size == 0.25))
    executed(net, x)
