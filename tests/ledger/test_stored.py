"""A weight that is used twice is stored once; what is folded differently into two uses is stored twice."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import costmodel
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Traffic, stored_bits
from costmodel.ledger.scales import with_scale


class Of(nn.Module):
    """A function of this module and its input, with parts of its own."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def loop(times, step):
    def forward(self, x):
        for k in range(times):
            x = step(self, x, k)
        return x

    return forward


def norms(count):
    made = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(count))
    for norm in made:
        norm.running_mean.normal_()
    return made


def binary(self, x):
    w = self.w
    return F.conv2d(x.sign(), w.sign() * w.abs().mean((1, 2, 3), keepdim=True), padding=1)


def weight(*shape):
    return nn.Parameter(torch.randn(shape))


MAP, VECTOR = (1, 8, 6, 6), (1, 16)
CONV = {"c": nn.Conv2d(8, 8, 1, bias=False)}
SQUARE = nn.Linear(16, 16)

#: network, shape of its input, numbers of 32 bits stored as written and deployed
SHARED = {
    "a layer that runs 16 times": (
        Of(loop(16, lambda s, x, k: F.relu(s.f(x))), f=SQUARE), VECTOR, 272, 272,
    ),
    "one layer under two names": (
        Of(lambda s, x: s.g(F.relu(s.f(x))), f=SQUARE, g=SQUARE), VECTOR, 272, 272,
    ),
    "transposed in one use": (
        Of(lambda s, x: F.relu(x @ s.w) @ s.w.t(), w=weight(16, 16)), VECTOR, 256, 256,
    ),
    "a part and the whole": (
        Of(lambda s, x: x @ s.w + (x @ s.w[:, :1]), w=weight(16, 16)), VECTOR, 256, 256,
    ),
    "two parts": (
        Of(lambda s, x: F.relu(x @ s.w[:, :8]) @ s.w[:8, 8:], w=weight(16, 16)), VECTOR, 192, 192,
    ),
    # 576 signs are 18 words; 8 sizes; 8 gains and 8 biases, deployed one scale and one bias; signs at zero
    "signs that are made anew at each use": (
        Of(loop(4, lambda s, x, k: x + s.b[0](binary(s, x))), b=norms(1), w=weight(8, 8, 3, 3)), MAP, 42, 34,
    ),
    "one binary layer between norms of its own": (
        Of(loop(3, lambda s, x, k: s.b[k](binary(s, x))), b=norms(3), w=weight(8, 8, 3, 3)), MAP, 18 + 8 + 48, None,
    ),
    # a real layer takes each norm into other weights
    "one real layer between norms of its own": (
        Of(loop(3, lambda s, x, k: F.relu(s.b[k](s.c(x)))), b=norms(3), **CONV), MAP, 64 + 48, 3 * (64 + 8),
    ),
    "one real layer between the same norm": (
        Of(loop(3, lambda s, x, k: F.relu(s.b[0](s.c(x)))), b=norms(1), **CONV), MAP, 64 + 16, 64 + 8,
    ),
    "equal values in two parameters": (
        Of(lambda s, x: x @ s.a @ s.b, a=(same := weight(16, 16)), b=nn.Parameter(same.detach().clone())),
        VECTOR, 512, 512,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SHARED)
def test_tensors_are_stored_once(case):
    net, shape, written, deployed = SHARED[case]
    made = costmodel.profile(net.eval(), torch.randn(shape))
    assert made.as_written.weight_bits() == 32 * written
    if deployed is not None:
        assert made.deployed.weight_bits() == 32 * deployed
    assert made.deployed.weight_bits() <= made.deployed.bits_moved("weight", "parameter")


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.LSTM(6, 8), (20, 1, 6)), (nn.GRU(6, 8, 2, bidirectional=True), (9, 1, 6)),
     (nn.RNN(6, 8, bias=False), (7, 1, 6)), (nn.MultiheadAttention(8, 2), None),
     (nn.TransformerEncoderLayer(8, 2, 16), (5, 1, 8))],
)  # fmt: skip
def test_layers_of_pytorch_store_their_parameters(layer, shape):
    net = Of(lambda s, x: s.m(x, x, x)[0] if shape is None else s.m(x), m=layer)
    made = costmodel.profile(net.eval(), torch.randn(shape or (5, 1, 8)))
    parameters = 32 * sum(p.numel() for p in layer.parameters())
    assert made.as_written.weight_bits() == made.deployed.weight_bits() == parameters


def test_tied_embeddings_are_one_table():
    net = Of(lambda s, i: F.linear(s.e(i), s.e.weight), e=nn.Embedding(50, 16))
    made = costmodel.profile(net, torch.randint(0, 50, (1, 4)))
    assert made.deployed.weight_bits() == 32 * 800


def test_tables_in_the_place_of_one_scale_are_one_table():
    net = Of(loop(3, lambda s, x, k: x + binary(s, x)), w=weight(8, 8, 3, 3))
    table = with_scale(costmodel.profile(net.eval(), torch.randn(MAP)).deployed, "lut")
    rows = [t for t in table.traffic if t.tensor == "table"]
    assert len(rows) == 3 and len({row.stored for row in rows}) == 1
    assert stored_bits(rows) == rows[0].total_bits


def test_parts_add_up_to_no_more_than_the_whole():
    rows = [
        Traffic(k, "", "w", "weight", count, 8, 0, part) for k, (count, part) in enumerate([(6, 1), (6, 2), (6, 1)])
    ]
    assert stored_bits(rows) == 96
    assert stored_bits([*rows, Traffic(9, "", "w", "weight", 10, 8, 0)]) == 96
    assert stored_bits([*rows, Traffic(9, "", "w", "weight", 16, 8, 0)]) == 128
    assert stored_bits(rows, lambda bits: 2 * bits) == 192


@pytest.mark.parametrize("target", ["asic", "arm"])
def test_hardware_holds_shared_weights_once(target):
    many = costmodel.profile(Of(loop(16, lambda s, x, k: F.relu(s.f(x))), f=nn.Linear(256, 256)), torch.randn(1, 256))
    once = costmodel.profile(nn.Sequential(nn.Linear(256, 256), nn.ReLU()), torch.randn(1, 256))
    fact = {"asic": "weight_bits", "arm": "weight_bytes"}[target]
    assert many.estimate(target).facts[fact] == once.estimate(target).facts[fact]


def test_weights_that_fit_once_are_fetched_once():
    net = Of(loop(16, lambda s, x, k: F.relu(s.f(x))), f=nn.Linear(256, 256))
    made = costmodel.profile(net, torch.randn(1, 256))
    size = -(-made.estimate("asic").facts["weight_bits"] // 8)
    just, ample = (made.estimate("asic", weight_sram=room) for room in (size, 64 * size))
    assert just.facts["weights_on_chip"] and ample.facts["weights_on_chip"]
    assert not made.estimate("asic", weight_sram=size - 1024).facts["weights_on_chip"]


@pytest.mark.parametrize(
    ("layer", "shape", "first"),
    [(nn.LSTM(6, 8), (5, 1, 6), 4 * 8 * 8), (nn.GRU(6, 8, 2), (5, 1, 6), 2 * 3 * 8 * 8),
     (nn.RNNCell(6, 8), (1, 6), 8 * 8)],
)  # fmt: skip
def test_the_first_step_counts_by_formula_and_is_not_computed(layer, shape, first):
    made = costmodel.profile(layer, torch.randn(shape))
    computed = sum(layer.macs for layer in made.as_written.layers)
    assert convention("macs").count(made).number == computed + first
    assert convention("flops").count(made).number == 2 * (computed + first)
    assert sum(layer.macs for layer in made.deployed.layers) == computed
    assert any(f"{first:,} products" in caveat.message for caveat in made.caveats)


def test_a_state_that_is_given_counts_at_every_step():
    net, state = nn.LSTM(6, 8), torch.randn(1, 1, 8)
    made = costmodel.profile(net, (torch.randn(5, 1, 6), (state, state)))
    assert convention("macs").count(made).number == 5 * 4 * 8 * (6 + 8)
    assert not made.as_written.skipped
