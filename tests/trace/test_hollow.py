"""What is not computed looks to the program as if it were, and decides nothing."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import costmodel
from costmodel.deploy import deploy
from costmodel.ledger.rules import charge
from costmodel.trace.hollow import FIRST, layouts, made
from costmodel.trace.lower import lower
from costmodel.trace.operator import operator
from costmodel.trace.path import recorded
from costmodel.trace.simplify import simplify
from tests.generated.faults import sound

aten = torch.ops.aten
X, HALF, COLUMN = torch.randn(2, 6, 9, 7), torch.randn(2, 6, 9, 7).bfloat16(), torch.randn(6, 1, 1)
WEIGHT, A, B, ROWS = torch.randn(4, 3, 3, 2), torch.randn(5, 7), torch.randn(7, 3), torch.randn(3, 8, 16)
LINE, BATCH, CHANNELS = torch.randn(2, 6, 20), torch.randn(4, 5, 7), [torch.rand(6) for _ in range(4)]
IMAGE = torch.randn(1, 16, 8, 8)
NO_PADDING = (False, (0, 0), 1)

RULED = [
    (aten.relu.default, X), (aten.gelu.default, X), (aten.clamp.default, X, -1, 1), (aten.tanh.default, HALF),
    (aten.add.Tensor, X, COLUMN), (aten.add.Tensor, COLUMN, X), (aten.add.Tensor, X, 0.5), (aten.add.Tensor, HALF, X),
    (aten.add.Tensor, HALF, torch.tensor(2.0)), (aten.mul.Tensor, torch.randn(1, 6, 1, 1), COLUMN),
    (aten.gt.Scalar, X, 0), (aten.ge.Tensor, X, COLUMN), (aten.where.self, X > 0, X, COLUMN),
    (aten.copysign.Tensor, COLUMN, X), (aten._prelu_kernel.default, X, COLUMN), (aten.pow.Tensor_Scalar, X, 2),
    (aten.clone.default, X), (aten._to_copy.default, X), (aten._to_copy.default, X > 0),
    (aten.convolution.default, X, WEIGHT, torch.randn(4), (2, 1), (1, 0), (1, 2), False, (0, 0), 2),
    (aten.convolution.default, X, WEIGHT, None, (1,), (2,), (1,), False, (0,), 2),
    (aten.convolution.default, LINE, torch.randn(3, 6, 5), None, (3,), (2,), (1,), False, (0,), 1),
    (aten.native_batch_norm.default, X, *CHANNELS, False, 0.1, 1e-5),
    (aten.native_batch_norm.default, LINE, None, None, *CHANNELS[:2], False, 0.1, 1e-5),
    (aten.native_layer_norm.default, ROWS, (8, 16), torch.rand(8, 16), None, 1e-5),
    (aten.native_layer_norm.default, ROWS, (16,), None, None, 1e-5),
    (aten._softmax.default, ROWS, -1, False), (aten._softmax.default, ROWS, 0, False),
    (aten.mm.default, A, B), (aten.mm.default, B.t(), A.t()), (aten.bmm.default, BATCH, torch.randn(4, 7, 3)),
    (aten.addmm.default, torch.randn(2), A, torch.randn(2, 7).t()),
    (aten.baddbmm.default, torch.randn(5, 3), BATCH, torch.randn(4, 7, 3)),
    (aten.mean.dim, X, (2, 3), True), (aten.mean.default, X), (aten.sum.dim_IntList, X, (-1,)), (aten.amax.default, X),
    (aten.amin.default, X, (0, 3)), (aten.linalg_vector_norm.default, X, 2, (1, 2), True),
    (aten.max_pool2d_with_indices.default, X, (3, 3), (2, 2), (1, 1)),
    (aten.max_pool2d_with_indices.default, X[0], (2,), (), (0, 0), (2, 1)),
    (aten.avg_pool2d.default, X, (3, 2), (2, 2), (1, 1), False, False), (aten.avg_pool2d.default, X, (2, 2)),
]  # fmt: skip
#: Forms that no rule covers, and operands that do not fit.
LEFT = [
    (aten.add.Tensor, torch.randn(6, 1), torch.randn(7)), (aten.relu.default, X.transpose(1, 2)),
    (aten.relu.default, X.contiguous(memory_format=torch.channels_last)), (aten.bernoulli.default, X.sigmoid()),
    (aten.add.Tensor, torch.ones(3, dtype=torch.int64), 1), (aten.cumsum.default, X, 1),
    (aten.convolution.default, X, torch.randn(6, 2, 3, 3), None, (2, 2), (0, 0), (1, 1), True, (0, 0), 1),
    (aten.native_batch_norm.default, X, *CHANNELS, True, 0.1, 1e-5),
    (aten.max_pool2d_with_indices.default, X, (2, 2), (2, 2), (0, 0), (1, 1), True),
    (aten.add.Tensor, torch.randn(2, 3), torch.randn(4)),
    (aten.convolution.default, X, torch.randn(4, 6, 3, 3), torch.randn(5), (1, 1), (0, 0), (1, 1), *NO_PADDING),
    (aten.convolution.default, X, torch.randn(4, 6, 30, 3), None, (1, 1), (0, 0), (1, 1), *NO_PADDING),
    (aten.convolution.default, X, torch.randn(4, 5, 3, 3), None, (1, 1), (0, 0), (1, 1), *NO_PADDING),
    (aten.mm.default, A, A), (aten.mean.dim, X, (7,)), (aten._softmax.default, ROWS, 5, False),
    (aten.native_layer_norm.default, ROWS, (4,), None, None, 1e-5),
    (aten.avg_pool2d.default, X, (2, 2), (2, 2), (2, 2)),
]  # fmt: skip


def ruled(func, *args):
    op = operator(func)
    return layouts(func, op.packet, op.bind(args, {}))


@pytest.mark.parametrize("call", RULED, ids=lambda call: str(call[0]))
def test_a_rule_gives_the_layout_that_torch_gives(call):
    found, results = ruled(*call), call[0](*call[1:])
    results = results if isinstance(results, tuple) else (results,)
    assert [(layout.shape, layout.dtype, made(layout).stride()) for layout in found] == [
        (tuple(t.shape), t.dtype, t.stride()) for t in results
    ]


@pytest.mark.parametrize("call", LEFT, ids=lambda call: str(call[0]))
def test_what_no_rule_covers_and_what_does_not_fit_is_left_to_torch(call):
    assert ruled(*call) is None


def test_what_is_written_in_place_is_its_first_argument():
    assert ruled(aten.mul_.Tensor, X, COLUMN) == (FIRST,)
    assert ruled(aten.relu_.default, X) == (FIRST,)
    assert ruled(aten.add_.Tensor, torch.randn(7), X) is None  # torch says that it does not fit
    assert ruled(aten.mul_.Tensor, HALF, X) is None


class Magnitudes(nn.Module):
    """Weights of one bit whose scale Python reads."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(32, 16, 3, 3))

    def forward(self, x):
        scale = self.weight.abs().mean().item()
        return F.conv2d(x, scale * torch.where(self.weight >= 0, 1.0, -1.0), padding=1)


class Caught(nn.Module):
    """Goes another way where its first one fails."""

    def forward(self, x):
        y = F.relu(x * 2)
        try:
            return y[..., : int(y.sum()) * 0 + 4] * 3
        except:  # noqa: E722
            return y


class Places(nn.Module):
    """Takes from a table what an activation points to."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, x):
        return self.table(x.clamp(0, 8).round().long())


class Learned(nn.Module):
    """A quantiser whose step is a parameter, which no rule bounds."""

    def __init__(self):
        super().__init__()
        self.step, self.weight = nn.Parameter(torch.tensor(0.37)), nn.Parameter(torch.randn(64, 16, 3, 3))

    def forward(self, x):
        x = torch.round((x / self.step).clamp(0, 3)) * self.step
        w = torch.round((self.weight / self.weight.abs().amax()).clamp(-1, 1) * 3) / 3
        return F.conv2d(x, w)


def account(model, x, look):
    recording, parameters = recorded(model, x, trained=False, seed=0, look=look)
    graph = lower(simplify(recording), "net", parameters)
    return charge(graph, "as_written").by_kind(), charge(deploy(graph), "deployed").by_kind()


@pytest.mark.parametrize(
    "model, x",
    [(Magnitudes(), IMAGE), (Caught(), X), (Places(), torch.rand(2, 5)), (Learned(), IMAGE)],
    ids=lambda value: type(value).__name__,
)
def test_what_is_asked_for_is_computed(model, x):
    made = costmodel.profile(model, x)
    assert (made.as_written.by_kind(), made.deployed.by_kind()) == account(model, x, "full")
    assert made.deployed.total("unknown") == 0


def test_whether_activations_and_weights_are_computed_does_not_matter():
    for net in sound(40):
        made = costmodel.profile(net.build(), net.inputs())
        assert (made.as_written.by_kind(), made.deployed.by_kind()) == account(net.build(), net.inputs(), "crops")


def test_weights_are_not_computed_where_rules_decide_their_kind():
    recording, _ = recorded(costmodel.build_model("abbnn-reactneta"), torch.randn(1, 3, 64, 64), trained=False, seed=0,
                            look="kinds")  # fmt: skip
    large = [v for v in recording.values if v.seen and not v.leaf and math.prod(v.shape) > 4096]
    assert {v.fn for v in large} <= {"select", "t", "detach"}  # views of parameters


class Scaled(nn.Module):
    """Binary weights times a tensor of another shape, which no channel of them shares."""

    def __init__(self, shape, turned=False):
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.randn(64, 64, 3, 3)), nn.Parameter(torch.rand(shape) + 0.5)
        self.turned = turned

    def forward(self, x):
        weight = torch.where(self.weight >= 0, 1.0, -1.0) * self.scale
        return F.conv2d(x, weight.transpose(0, 1) if self.turned else weight, padding=1)


@pytest.mark.parametrize("shape", [(64, 1, 1, 1), (1, 64, 1, 1), (64, 64, 3, 3), (3, 3), (1,), (64, 64, 1, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_the_shape_of_a_scale_decides_whether_it_is_one(shape, turned):
    x = torch.randn(1, 64, 8, 8)
    made = costmodel.profile(Scaled(shape, turned), x)
    assert (made.as_written.by_kind(), made.deployed.by_kind()) == account(Scaled(shape, turned), x, "crops")
    free = made.deployed.total("mul") <= 64 * 8 * 8
    assert free == (shape == (1,) or (shape == (64, 1, 1, 1) and not turned) or (shape == (1, 64, 1, 1) and turned))


def test_the_scale_of_a_channel_that_a_sample_misses_is_a_scale():
    class Periodic(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(32, 32, 3, 3))

        def forward(self, x):
            scale = 2.0 ** -torch.arange(32).remainder(3).view(-1, 1, 1, 1)
            return F.conv2d(x, torch.where(self.weight >= 0, 1.0, -1.0) * scale)

    made = costmodel.profile(Periodic(), torch.randn(1, 32, 6, 6))
    assert made.deployed.total("shift_channel") == 32 * 4 * 4
