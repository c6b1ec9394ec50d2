"""fvcore, run live: multiply-accumulates of every network of the zoo, and the cases of its own test-suite.

Source: facebookresearch/fvcore@3378afe, fvcore/nn/jit_handles.py and tests/test_flop_count.py. Its "flops" are
multiply-accumulates; batch norm is two per element in eval mode, adaptive average pooling one per element of its input.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.profile import profile
from costmodel.ledger.conventions import convention
from costmodel.zoo import build, entry, list_models
from tests.conformance.networks import Apply, counted, macs, noise
from tests.conformance.vision import NETWORKS

fvcore = pytest.importorskip("fvcore.nn")

PRODUCTS = ("conv", "linear", "matmul", "addmm", "mm", "bmm", "einsum")


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """fvcore warns about every operation that it ignores, and torch about fvcore's tracer."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def by_operator(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, int]:
    return dict(fvcore.FlopCountAnalysis(module.eval(), inputs).by_operator())


# -- the zoo ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list_models())
def test_multiply_accumulates_and_fvcores_total_are_equal(name: str) -> None:
    """Every network of the zoo at its own size, by fvcore and by us on the same input."""
    net, x = build(name).eval(), torch.rand(entry(name).input_shape)
    theirs, made = by_operator(net, (x,)), profile(net, x, name=name)
    assert macs(made) == sum(theirs.get(operator, 0) for operator in PRODUCTS)
    assert convention("fvcore").count(made).number == sum(theirs.values())


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("resnet18", {"conv": 1_813_561_344, "linear": 512_000, "batch_norm": 4_967_424,
                      "adaptive_avg_pool2d": 25_088}),
        ("abbnn-reactnet18", {"conv": 1_813_561_344, "linear": 512_000, "adaptive_avg_pool2d": 25_088}),
        ("bn-reactneta", {"conv": 4_827_734_016, "linear": 1_024_000, "batch_norm": 10_085_376,
                          "adaptive_avg_pool2d": 50_176}),
    ],
)  # fmt: skip
def test_split_of_the_official_networks(name: str, split: dict[str, int]) -> None:
    """What fvcore says about torchvision's ResNet-18 and about the official A&B ReActNet-18 and ReActNet-A."""
    net, x = build(name).eval(), torch.rand(1, 3, 224, 224)
    terms = convention("fvcore").count(profile(net, x)).by_term()
    names = {"batch norm": "batch_norm"}
    assert {names.get(term, term): int(value) for term, value in terms.items()} == split
    assert by_operator(net, (x,)) == split


# -- fvcore's own cases -----------------------------------------------------------------------------------------------


def product(equation: str) -> Apply:
    return Apply(lambda a, b: torch.einsum(equation, a, b))


#: name -> module, shapes of its inputs, multiply-accumulates
CASES: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...], int]] = {
    "conv2d": (nn.Conv2d(10, 3, 3, 1, 1), ((5, 10, 15, 15),), 303_750),
    "conv2d strided": (nn.Conv2d(10, 6, 3, 2, 1), ((2, 10, 20, 20),), 108_000),
    "conv2d in 4 groups": (nn.Conv2d(16, 8, 5, 1, 2, groups=4), ((5, 16, 15, 15),), 900_000),
    "conv2d depthwise": (nn.Conv2d(16, 8, 3, 1, 1, groups=8), ((5, 16, 15, 15),), 162_000),
    "conv1d": (nn.Conv1d(10, 3, 3, 1, 1), ((5, 10, 15),), 6_750),
    "conv3d": (nn.Conv3d(10, 3, 3, 1, 1), ((5, 10, 15, 15, 15),), 13_668_750),
    "transposed": (nn.ConvTranspose2d(10, 3, 3, 1, 1), ((5, 10, 15, 15),), 303_750),
    "transposed strided": (nn.ConvTranspose2d(10, 3, 3, 2, 1), ((5, 10, 15, 15),), 303_750),
    "transposed with output padding": (nn.ConvTranspose2d(10, 3, 3, 3, 1, 2), ((5, 10, 15, 15),), 303_750),
    "matmul": (Apply(torch.matmul), ((20, 10), (10, 100)), 20_000),
    "matmul of one batch": (Apply(torch.matmul), ((1, 20, 10), (1, 10, 100)), 20_000),
    "matmul of two batch dimensions": (Apply(torch.matmul), ((2, 2, 20, 10), (2, 2, 10, 100)), 80_000),
    "matmul broadcast over one": (Apply(torch.matmul), ((1, 20, 10), (10, 100)), 20_000),
    "matmul broadcast over two": (Apply(torch.matmul), ((2, 20, 10), (10, 100)), 40_000),
    "mm": (Apply(torch.mm), ((3, 4), (4, 5)), 60),
    "bmm": (Apply(torch.bmm), ((2, 5, 2), (2, 2, 12)), 240),
    "einsum nct,ncp->ntp": (product("nct,ncp->ntp"), ((1, 5, 2), (1, 5, 12)), 120),
    "einsum ntg,ncg->nct": (product("ntg,ncg->nct"), ((1, 2, 6), (1, 5, 6)), 60),
    "einsum nc,nchw->hw": (product("nc,nchw->hw"), ((3, 4), (3, 4, 2, 3)), 72),
    "linear of nn": (nn.Linear(8, 4), ((5, 8),), 160),
    "linear": (nn.Linear(10, 20), ((5, 10),), 1_000),
    "linear of three dimensions": (nn.Linear(10, 20), ((5, 5, 10),), 5_000),
}


@pytest.mark.parametrize("case", CASES)
def test_a_single_product_costs_what_fvcore_says(case: str) -> None:
    module, shapes, expected = CASES[case]
    assert macs(counted(module, *shapes)) == expected
    assert sum(by_operator(module, noise(*shapes)).values()) == expected


def test_three_layers() -> None:
    """fvcore's ThreeNet: convolution 4,000, fully connected 72, pooling 2,000."""
    net = nn.Sequential(nn.Conv2d(2, 5, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3), nn.Linear(3, 1))
    made = counted(net, (4, 2, 10, 10))
    terms = {term: int(value) for term, value in convention("fvcore").count(made).by_term().items()}
    assert terms == {"conv": 4_000, "adaptive_avg_pool2d": 2_000, "linear": 72}
    by_module = {module: int(sum(row.values())) for module, row in convention("fvcore").count(made).by_module().items()}
    assert by_module == {"0": 4_000, "1": 2_000, "3": 60, "4": 12}


@pytest.mark.parametrize(("affine", "expected"), [(True, 32), (False, 16)])
def test_batch_norm_is_two_an_element_and_one_without_gain(affine: bool, expected: int) -> None:
    module = nn.BatchNorm2d(2, affine=affine)
    assert convention("fvcore").count(counted(module, (2, 2, 2, 2))).number == expected
    assert by_operator(module, noise((2, 2, 2, 2))) == {"batch_norm": expected}


def test_batch_norm_of_vectors_without_gain() -> None:
    module = nn.BatchNorm1d(10, affine=False)
    assert convention("fvcore").count(counted(module, (10, 10))).number == 100
    assert by_operator(module, noise((10, 10))) == {"batch_norm": 100}


class _Identity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.relu(x @ x.t())

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def test_a_custom_function_is_seen_through_where_fvcore_needs_a_handler() -> None:
    module = Apply(_Identity.apply)
    assert macs(counted(module, (4, 5))) == 4 * 4 * 5
    theirs = fvcore.FlopCountAnalysis(module, noise((4, 5)))
    assert theirs.total() == 0
    assert theirs.set_op_handle("prim::PythonOp._Identity", lambda *_: 42).total() == 42


# -- norms, resampling, attention, einsum: what it has handlers for next to products -----------------------------------


def apply(function: Callable[..., Tensor]) -> Apply:
    return Apply(function)


def attention(*, fused: bool) -> Apply:
    def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v

    return Apply(F.scaled_dot_product_attention if fused else plain)


class Heads(nn.Module):
    def __init__(self, weights: bool) -> None:
        super().__init__()
        self.inner, self.weights = nn.MultiheadAttention(16, 4, batch_first=True), weights

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, x, x, need_weights=self.weights)[0]


MAP = ((1, 3, 6, 5),)

#: name -> module, shapes of its inputs
OTHERS: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...]]] = {
    "layer norm": (nn.LayerNorm(8), ((2, 5, 8),)),
    "layer norm of maps": (nn.LayerNorm([3, 6, 5]), MAP),
    "layer norm without gain": (nn.LayerNorm(8, elementwise_affine=False), ((2, 5, 8),)),
    "layer norm without shift": (nn.LayerNorm(8, bias=False), ((2, 5, 8),)),
    "group norm": (nn.GroupNorm(2, 8), ((2, 8, 5, 5),)),
    "group norm without gain": (nn.GroupNorm(4, 8, affine=False), ((2, 8, 5),)),
    "instance norm": (nn.InstanceNorm2d(8), ((2, 8, 5, 5),)),
    "instance norm with gain": (nn.InstanceNorm1d(8, affine=True), ((2, 8, 5),)),
    "instance norm with statistics": (nn.InstanceNorm2d(8, affine=True, track_running_stats=True), ((2, 8, 5, 5),)),
    "batch norm of the batch": (nn.BatchNorm2d(8, track_running_stats=False), ((2, 8, 5, 5),)),
    "RMS norm": (nn.RMSNorm(8), ((2, 5, 8),)),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), MAP),
    "bilinear to a size": (apply(lambda x: F.interpolate(x, (7, 9), mode="bilinear", align_corners=True)), MAP),
    "bilinear against aliasing": (apply(lambda x: F.interpolate(x, (3, 3), mode="bilinear", antialias=True)), MAP),
    "bicubic": (apply(lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")), MAP),
    "nearest": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=3), nn.Conv2d(4, 4, 3)), MAP),
    "nearest of rows": (apply(lambda x: F.interpolate(x, scale_factor=2)), ((1, 3, 5),)),
    "grid sampling": (apply(lambda x, g: F.grid_sample(x, g, align_corners=False)), ((1, 3, 6, 6), (1, 4, 4, 2))),
    "adaptive pooling": (nn.AdaptiveAvgPool2d((3, 2)), MAP),
    "adaptive pooling twice": (nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.AdaptiveAvgPool2d(1)), MAP),
    "a mean that is no pooling": (apply(lambda x: x.mean((2, 3))), MAP),
    "pooling of a whole map": (nn.AvgPool2d((6, 5)), MAP),
    "attention by hand": (attention(fused=False), ((1, 2, 4, 8),) * 3),
    "attention": (attention(fused=True), ((1, 2, 4, 8),) * 3),
    "attention with heads": (Heads(False), ((1, 5, 16),)),
    "attention with heads and weights": (Heads(True), ((1, 5, 16),)),
    "encoder layer": (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), ((1, 5, 16),)),
    "decoder layer": (nn.TransformerDecoderLayer(16, 4, 32, batch_first=True), ((1, 5, 16), (1, 6, 16))),
    "baddbmm": (apply(lambda a, b, c: torch.baddbmm(a, b, c)), ((2, 3, 5), (2, 3, 4), (2, 4, 5))),
    "recurrent": (nn.LSTM(4, 6), ((5, 1, 4),)),
    "bilinear layer": (nn.Bilinear(3, 4, 5), ((2, 3), (2, 4))),
    "einsum of heads": (product("bhid,bhjd->bhij"), ((2, 3, 4, 5), (2, 3, 6, 5))),
    "einsum of many numbers": (product("bhid,bhjd->bhij"), ((1, 7, 11, 13), (1, 7, 19, 13))),
    "outer product": (product("a,b->ab"), ((4,), (5,))),
    "element by element": (product("ab,ab->ab"), ((4, 5), (4, 5))),
    "a scale per channel": (product("bchw,c->bchw"), ((2, 3, 4, 5), (3,))),
    "sum and outer product": (product("ab,c->ac"), ((4, 5), (6,))),
    "three operands": (Apply(lambda a, b, c: torch.einsum("bi,oij,bj->bo", a, b, c)), ((2, 3), (4, 3, 5), (2, 5))),
    "one operand": (Apply(lambda a: torch.einsum("ab->a", a)), ((4, 5),)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_fvcore_counts_beside_products(case: str) -> None:
    module, shapes = OTHERS[case]
    made = profile(module.eval(), noise(*shapes))
    assert convention("fvcore").count(made).number == sum(by_operator(module, noise(*shapes)).values())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.__name__)
def test_networks_beyond_convolutions(network: type[nn.Module]) -> None:
    net, x = network().eval(), torch.rand(network.shape)
    assert convention("fvcore").count(profile(net, x)).number == sum(by_operator(net, (x,)).values())


# -- structure: tests/test_jit_model_analysis.py ----------------------------------------------------------------------


class Shared(nn.Module):
    """One linear layer under two names, called three times; another that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(10, 10)
        self.again = self.first
        self.unused = nn.Linear(10, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.first(self.first(x)))


def test_repeated_calls_of_shared_modules_count_every_time_and_unused_ones_never() -> None:
    made, theirs = counted(Shared(), (1, 10)), by_operator(Shared(), noise((1, 10)))
    assert macs(made) == sum(theirs.values()) == 300
    assert [layer.macs for layer in made.as_written.layers if layer.macs] == [100, 100, 100]
    assert not any("unused" in layer.module for layer in made.as_written.layers)


class OtherName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Shared()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner.first(x) + nn.functional.linear(x, self.inner.unused.weight)


def test_modules_called_past_their_forward_count() -> None:
    made, theirs = counted(OtherName(), (1, 10)), by_operator(OtherName(), noise((1, 10)))
    assert macs(made) == sum(theirs.values()) == 200


def test_parallel_wrappers_add_nothing() -> None:
    assert macs(counted(nn.DataParallel(Shared()), (1, 10))) == 300
