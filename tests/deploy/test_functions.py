"""What PyTorch has a function for, and the executor a form, gives the same numbers in both."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.deploy.study import prepare, verify
from tests.deploy.networks import images


class Net(nn.Module):
    """A function behind a convolution, with parameters of several shapes."""

    def __init__(self, function: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.first, self.bn = function, nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.w, self.v, self.u = (nn.Parameter(torch.randn(s)) for s in ((8, 8, 3, 3), (8, 1, 1), (8,)))
        self.lin = nn.Parameter(torch.randn(8, 8))
        self.u.data = self.u.data.abs() + 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, self.first(x))


FUNCTIONS: dict[str, Callable[[Net, Tensor], Tensor]] = {
    "addcmul": lambda n, y: torch.addcmul(y, y, n.v.expand_as(y[0])[None], value=0.5),
    "addcdiv": lambda n, y: torch.addcdiv(y, y, n.u[:, None, None] + 1, value=0.5),
    "lerp by a number": lambda n, y: torch.lerp(y, y.abs(), 0.3),
    "lerp by parameters": lambda n, y: torch.lerp(y, y.abs(), n.u[:, None, None] * 0.2),
    "a difference with alpha": lambda n, y: torch.sub(y, y.abs(), alpha=0.7),
    "a sum with alpha": lambda n, y: torch.add(y, n.v, alpha=2.5),
    "rsub": lambda n, y: torch.rsub(y, n.v, alpha=2),
    "baddbmm": lambda n, y: torch.baddbmm(y[0], y[0], y[0].transpose(1, 2), beta=0.5, alpha=2)[None],
    "addmm": lambda n, y: torch.addmm(n.u, y.mean((2, 3)), n.lin, beta=0.5, alpha=2),
    "linear": lambda n, y: F.linear(y.mean((2, 3)), n.lin, n.u),
    "celu": lambda n, y: F.celu(y, alpha=0.7),
    "elu": lambda n, y: F.elu(y, alpha=0.7),
    "selu": lambda n, y: F.selu(y),
    "softplus": lambda n, y: F.softplus(y, beta=2, threshold=1),
    "tanhshrink": lambda n, y: F.tanhshrink(y),
    "threshold": lambda n, y: F.threshold(y, 0.2, -1.0),
    "logsigmoid": lambda n, y: F.logsigmoid(y),
    "hardswish": lambda n, y: F.hardswish(y),
    "mish": lambda n, y: F.mish(y),
    "gelu tanh": lambda n, y: F.gelu(y, approximate="tanh"),
    "prelu1": lambda n, y: F.prelu(y, n.u[:1] * 0.3),
    "leaky neg": lambda n, y: F.leaky_relu(y, -0.3),
    "hardtanh": lambda n, y: F.hardtanh(y, -0.3, 0.8),
    "relu6": lambda n, y: F.relu6(y),
    "round dec": lambda n, y: torch.round(y, decimals=1),
    "frac": lambda n, y: torch.frac(y),
    "trunc": lambda n, y: torch.trunc(y * 3),
    "square by pow": lambda n, y: y**2,
    "cube": lambda n, y: y**3,
    "root by pow": lambda n, y: y.abs() ** 0.5,
    "inverse by pow": lambda n, y: (y.abs() + 1) ** (-1),
    "powers of two": lambda n, y: 2.0**y,
    "powers by parameters": lambda n, y: (y.abs() + 0.1) ** n.u[:, None, None],
    "rsqrt": lambda n, y: torch.rsqrt(y.abs() + 0.1),
    "reciprocal": lambda n, y: torch.reciprocal(y.abs() + 0.5),
    "rdiv": lambda n, y: 1 / (y.abs() + 0.5),
    "exp": lambda n, y: torch.exp(y),
    "log1p": lambda n, y: torch.log1p(y.abs()),
    "erf": lambda n, y: torch.erf(y),
    "sgn": lambda n, y: torch.sgn(y),
    "heaviside": lambda n, y: torch.heaviside(y, torch.tensor(0.5)),
    "signbit": lambda n, y: torch.signbit(y).float(),
    "clamp t": lambda n, y: torch.clamp(y, -n.u[:, None, None], n.u[:, None, None]),
    "clamp mixed": lambda n, y: torch.clamp(y, min=-0.2),
    "max dim": lambda n, y: y.max(1)[0],
    "mean": lambda n, y: y.mean(1),
    "amin": lambda n, y: y.amin((2, 3)),
    "sum keep": lambda n, y: y.sum(1, keepdim=True),
    "count_nonzero": lambda n, y: (y > 0).sum(1).float(),
    "softmax": lambda n, y: y.softmax(1),
    "logsoftmax": lambda n, y: y.log_softmax(1),
    "softmin": lambda n, y: F.softmin(y, 1),
    "lrn": lambda n, y: F.local_response_norm(y, 3),
    "ln": lambda n, y: F.layer_norm(y, [6]),
    "gn": lambda n, y: F.group_norm(y, 2),
    "in": lambda n, y: F.instance_norm(y),
    "bn": lambda n, y: n.bn(y),
    "rms": lambda n, y: F.rms_norm(y, [6]),
    "avgpool pad": lambda n, y: F.avg_pool2d(y, 3, 2, 1),
    "avgpool noinc": lambda n, y: F.avg_pool2d(y, 3, 2, 1, count_include_pad=False),
    "avgpool div": lambda n, y: F.avg_pool2d(y, 3, 2, 1, divisor_override=7),
    "avgpool ceil": lambda n, y: F.avg_pool2d(y, 3, 2, ceil_mode=True),
    "lppool": lambda n, y: F.lp_pool2d(y, 2, 2),
    "maxpool ceil": lambda n, y: F.max_pool2d(y, 3, 2, 1, ceil_mode=True),
    "maxpool dil": lambda n, y: F.max_pool2d(y, 2, 1, dilation=2),
    "nearest": lambda n, y: F.interpolate(y, size=9),
    "pixelsh": lambda n, y: F.pixel_shuffle(y, 2),
    "unpixel": lambda n, y: F.pixel_unshuffle(y, 2),
    "pad c": lambda n, y: F.pad(y, (1, 2, 0, 1), value=0.3),
    "pad r": lambda n, y: F.pad(y, (1, 2, 2, 1), mode="reflect"),
    "pad neg": lambda n, y: F.pad(y, (-1, 2, 2, -1)),
    "roll": lambda n, y: y.roll(2, 3),
    "flip": lambda n, y: y.flip(2),
    "repeat": lambda n, y: y.repeat(1, 2, 1, 1),
    "rep_int": lambda n, y: y.repeat_interleave(2, 1),
    "index": lambda n, y: y[:, [3, 1, 1]],
    "index_select": lambda n, y: y.index_select(1, torch.tensor([2, 0])),
    "masked_fill": lambda n, y: y.masked_fill(y > 0, 0.5),
    "where3": lambda n, y: torch.where(y > 0.1, y * 2, n.v),
    "diff": lambda n, y: y.diff(dim=1),
    "outer": lambda n, y: torch.einsum("bchw,bdhw->bcd", y, y),
    "split": lambda n, y: torch.cat(y.split([3, 5], 1)[::-1], 1),
    "chunkmul": lambda n, y: (lambda a, b: a * b.sigmoid())(*y.chunk(2, 1)),
    "movedim": lambda n, y: y.movedim(1, 3),
    "strided": lambda n, y: y[:, :, ::2, 1::2],
    "channel_shuffle": lambda n, y: F.channel_shuffle(y, 4),
    "convT": lambda n, y: F.conv_transpose2d(y, n.w, n.u, stride=2, padding=1, output_padding=1),
    "conv g": lambda n, y: F.conv2d(y, n.w[:, :4], n.u, groups=2, dilation=2),
    "conv same": lambda n, y: F.conv2d(y, n.w, n.u, padding="same"),
    "conv1d": lambda n, y: F.conv1d(y.flatten(2), n.w[..., 0], n.u, stride=2),
    "mha": lambda n, y: F.scaled_dot_product_attention(
        y.flatten(2).transpose(1, 2), y.flatten(2).transpose(1, 2), y.flatten(2).transpose(1, 2), is_causal=True
    ),
    "sdpa scale": lambda n, y: F.scaled_dot_product_attention(y, y, y, scale=0.3),
    "histless": lambda n, y: torch.isfinite(y).float(),
    "gt chain": lambda n, y: ((y > 0.1) & (y < 0.5)).float(),
    "xor": lambda n, y: ((y > 0.1) ^ (y.flip(1) > 0.2)).float(),
    "not": lambda n, y: (~(y > 0.1)).float(),
    "maximum": lambda n, y: torch.maximum(y, y.flip(1)),
    "dist": lambda n, y: (y - n.v).pow(2).sum(1),
    "square": lambda n, y: y.square(),
    "not a number": lambda n, y: torch.where(torch.isnan(y), 0.0, y),
    "infinite": lambda n, y: torch.where(torch.isinf(y), 1.0, y),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_executed_as_pytorch_has_it(name: str) -> None:
    torch.manual_seed(0)
    net = Net(FUNCTIONS[name])
    net.bn.running_mean.normal_()
    made = prepare(net.eval(), torch.randn(1, 4, 6, 6))
    verdict = verify(made, images(made, 2))
    assert verdict.exact, verdict
