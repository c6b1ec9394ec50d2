"""Binary networks as many hands write them: every operation is accounted for, at both levels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.trace.hand import Cases, Net, product, total, xnor

cases = Cases()


class SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (x.abs() < 1)


class BinConv(nn.Conv2d):
    """Sign weights with the mean magnitude of each filter, straight-through by detach."""

    scaled, activate = True, True

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight
        size = w.abs().mean((1, 2, 3), keepdim=True).detach() if self.scaled else 1.0
        hard = size * torch.sign(w)
        soft = w.clamp(-1, 1)
        u = SignSTE.apply(x) if self.activate else x
        return F.conv2d(u, hard.detach() - soft.detach() + soft, self.bias, self.stride, self.padding, 1, self.groups)


class PlainConv(BinConv):
    scaled = False


class RealConv(BinConv):
    activate = False


# stem 3 -> 8, 3x3 on 8x8 with padding 1: 8 * 3 * 9 * 64 = 13 824 products, 512 results
STEM = product(13824, 512, bias=False)


def stem() -> nn.Conv2d:
    return nn.Conv2d(3, 8, 3, padding=1, bias=False)


# binary 8 -> 8, 3x3 on 8x8: 8 * 8 * 9 * 64 = 36 864 products, 512 results


@cases(
    "Bi-Real: sign, convolution with a scale, norm, shortcut", (1, 3, 8, 8),
    # stem | sign | sum, scale | norm | shortcut
    written=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512}, {"mul": 512, "add": 512}, {"add": 512}),
    deployed=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512, "add": 512}, {"add": 512}),
)  # fmt: skip
def bireal() -> nn.Module:
    parts = {"stem": stem(), "conv": BinConv(8, 8, 3, padding=1, bias=False), "bn": nn.BatchNorm2d(8)}

    def run(m: Any, x: Tensor) -> Tensor:
        r = m.stem(x)
        return m.bn(m.conv(r)) + r

    return Net(run, **parts)


class LearnableBias(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.expand_as(x)


@cases(
    "ReActNet: shifted sign, norm, shortcut, RPReLU", (1, 3, 8, 8),
    # stem | shift, sign | sum, scale, norm | shortcut | shift, slope, shift
    written=total(STEM, {"add": 512, "compare": 512}, xnor(36864), {"mul": 1024, "add": 512}, {"add": 512},
                  {"add": 1024, "mul": 512}),
    # the shift is the threshold, the scale is in the norm's
    deployed=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512, "add": 512}, {"add": 512},
                   {"add": 1024, "mul": 512}),
)  # fmt: skip
def reactnet() -> nn.Module:
    parts = {"stem": stem(), "move": LearnableBias(8), "conv": BinConv(8, 8, 3, padding=1, bias=False),
             "bn": nn.BatchNorm2d(8), "pre": LearnableBias(8), "act": nn.PReLU(8),
             "post": LearnableBias(8)}  # fmt: skip

    def run(m: Any, x: Tensor) -> Tensor:
        r = m.stem(x)
        return m.post(m.act(m.pre(m.bn(m.conv(m.move(r))) + r)))

    return Net(run, **parts)


@cases(
    "XNOR-Net: norm, sign, the map K of mean magnitudes", (1, 3, 8, 8),
    # stem | norm | sign | sum, scale | abs, mean over 8 channels (7 adds, /8), 3x3 box filter, K times the result
    written=total(STEM, {"mul": 512, "add": 512}, {"compare": 512}, xnor(36864), {"mul": 512},
                  {"signflip": 512, "add": 448, "shift_const": 64}, {"signflip": 64 * 9, "mul": 64}, {"mul": 512}),
    # the norm has two readers, so it stays, in the stem's weights; the mean's 1/8 is in the box filter's one size
    deployed=total(STEM, {"add": 512}, {"compare": 512}, xnor(36864), {"mul": 512},
                   {"signflip": 512, "add": 448}, {"signflip": 64 * 9, "mul": 64}, {"mul": 512}),
)  # fmt: skip
def xnornet() -> nn.Module:
    parts = {"stem": stem(), "bn": nn.BatchNorm2d(8), "conv": BinConv(8, 8, 3, padding=1, bias=False)}

    def run(m: Any, x: Tensor) -> Tensor:
        a = m.bn(m.stem(x))
        box = torch.full((1, 1, 3, 3), 1 / 9)
        k = F.conv2d(a.abs().mean(1, keepdim=True), box, padding=1)
        return m.conv(a) * k

    return Net(run, **parts)


@cases(
    "IR-Net: balanced weights, a power of two per filter", (1, 3, 8, 8),
    written=total(STEM, {"compare": 512}, xnor(36864), {"shift_channel": 512}, {"mul": 512, "add": 512}),
    deployed=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512, "add": 512}),
)  # fmt: skip
def irnet() -> nn.Module:
    class Conv(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            w = self.weight * torch.linspace(0.2, 3.0, self.out_channels).view(-1, 1, 1, 1)
            w = w - w.mean((1, 2, 3), keepdim=True)
            size = 2 ** (w.abs().mean((1, 2, 3)).log2().round())
            return F.conv2d(SignSTE.apply(x), SignSTE.apply(w) * size.view(-1, 1, 1, 1), None, 1, 1)

    return nn.Sequential(stem(), Conv(8, 8, 3), nn.BatchNorm2d(8))


@cases(
    "XNOR-Net++: one learned scale over channels and positions", (1, 3, 8, 8),
    written=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512}),
)  # fmt: skip
def xnornet_plus() -> nn.Module:
    parts = {"stem": stem(), "conv": PlainConv(8, 8, 3, padding=1, bias=False),
             "a": nn.Parameter(torch.rand(8, 1, 1)), "b": nn.Parameter(torch.rand(1, 8, 1)),
             "c": nn.Parameter(torch.rand(1, 1, 8))}  # fmt: skip
    return Net(lambda m, x: m.conv(m.stem(x)) * (m.a * m.b * m.c), **parts)


@cases(
    "BinaryConnect: real activations on binary weights", (1, 3, 8, 8),
    written=total(STEM, {"compare": 512}, {"signflip": 36864}, {"mul": 512, "add": 512}),
)  # fmt: skip
def binaryconnect() -> nn.Module:
    class Conv(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            kept = self.weight.data.clone()
            self.weight.data = torch.where(self.weight.data >= 0, 1.0, -1.0)
            y = super().forward(x)
            self.weight.data = kept
            return y

    return nn.Sequential(stem(), nn.ReLU(), Conv(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))


@cases(
    "BNext: sign of a hard tanh with temperature, squeeze and excite, element by element", (1, 3, 8, 8),
    # stem | divide, clamp, sign | sum, norm | pool: 63 adds and 1/64 per channel | 8 -> 2 -> 8 | relu, sigmoid | gate
    # (the convolution takes the sign once more)
    written=total(STEM, {"mul": 512, "compare": 1024 + 512 + 512}, xnor(36864), {"mul": 512, "add": 512},
                  {"add": 8 * 63, "shift_const": 8}, product(16, 2), {"compare": 2}, product(16, 8), {"special": 8},
                  {"mul": 512}, {"add": 512}),
    # 1/64 goes into the weights of the excitation
    deployed=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512, "add": 512}, {"add": 8 * 63}, product(16, 2),
                   {"compare": 2}, product(16, 8), {"special": 8}, {"mul": 512}, {"add": 512}),
)  # fmt: skip
def bnext() -> nn.Module:
    parts = {"stem": stem(), "conv": PlainConv(8, 8, 3, padding=1, bias=False), "bn": nn.BatchNorm2d(8),
             "down": nn.Conv2d(8, 2, 1), "up": nn.Conv2d(2, 8, 1)}  # fmt: skip

    def run(m: Any, x: Tensor) -> Tensor:
        r = m.stem(x)
        soft = F.hardtanh(r / 0.7)
        y = m.bn(m.conv(torch.sign(soft).detach() - soft.detach() + soft))
        g = torch.sigmoid(m.up(F.relu(m.down(F.adaptive_avg_pool2d(r, 1)))))
        return y * g + r

    return Net(run, **parts)


@cases(
    "larq in torch: magnitude-aware sign after the norm, no bias", (1, 3, 8, 8),
    # stem, norm, sign, sum, scale, pool of the result (3 comparisons each of 128), norm, sign, classifier of 128 -> 5
    written=total(STEM, {"mul": 512, "add": 512, "compare": 512}, xnor(36864), {"mul": 512}, {"compare": 384},
                  {"mul": 128, "add": 128, "compare": 128, "lut": 128}, xnor(128 * 5), {"mul": 5}),
    # norms and scales are thresholds: the scale goes behind the pool, and there into the threshold
    deployed=total(STEM, {"compare": 512}, xnor(36864), {"compare": 384}, {"compare": 128},
                   xnor(128 * 5), {"mul": 5}),
)  # fmt: skip
def larq() -> nn.Module:
    head = nn.Linear(128, 5, bias=False)

    def run(m: Any, x: Tensor) -> Tensor:
        y = F.max_pool2d(m.conv(m.bn1(m.stem(x))), 2)
        u = torch.where(m.bn2(y) >= 0, 1.0, -1.0)
        w = m.head.weight
        return F.linear(u.flatten(1), torch.where(w >= 0, 1.0, -1.0) * w.abs().mean(1, keepdim=True))

    return Net(run, stem=stem(), bn1=nn.BatchNorm2d(8), bn2=nn.BatchNorm2d(8), head=head,
               conv=BinConv(8, 8, 3, padding=1, bias=False))  # fmt: skip


@cases(
    "BinaryBERT-like: binary projections, binary attention maps of a real softmax", (1, 6, 16),
    # 3 projections and 1 output of 6 x 16 x 16 on signs, one sign for each | scores of signs 2 x 6 x 6 x 8 |
    # / sqrt(8) | softmax of 12 rows of 6 | {0, 1} of the map | map @ values
    written=total({"compare": 96}, xnor(3 * 1536), {"mul": 3 * 96}, {"compare": 192}, xnor(576), {"mul": 72},
                  {"compare": 60, "special": 84, "add": 132, "mul": 72}, {"compare": 72}, {"signflip": 576},
                  {"compare": 96}, xnor(1536), {"mul": 96}),
    # the positive scales of queries and keys do not reach beyond their signs; that of the values is needed
    deployed=total({"compare": 96}, xnor(3 * 1536), {"mul": 96}, {"compare": 192}, xnor(576), {"mul": 72},
                   {"compare": 60, "special": 84, "add": 132, "mul": 72}, {"compare": 72}, {"signflip": 576},
                   {"compare": 96}, xnor(1536), {"mul": 96}),
)  # fmt: skip
def binarybert() -> nn.Module:
    class BinLinear(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            w = self.weight
            return F.linear(x, torch.sign(w) * w.abs().mean(1, keepdim=True))

    def run(m: Any, x: Tensor) -> Tensor:
        u = SignSTE.apply(x)
        q, k, v = (part(u).view(1, 6, 2, 8).transpose(1, 2) for part in (m.q, m.k, m.v))
        scores = SignSTE.apply(q) @ SignSTE.apply(k).transpose(-1, -2) / 8**0.5
        chosen = (scores.softmax(-1) > 0.17).float()
        context = (chosen @ v).transpose(1, 2).reshape(1, 6, 16)
        return m.o(SignSTE.apply(context))

    return Net(run, **{name: BinLinear(16, 16, bias=False) for name in "qkvo"})


@cases(
    "BiT: elastic binary activations, round and clamp with a learned step", (1, 6, 16),
    # (x - shift) / step, round, clamp to 0 and 1 | times the step | binary weights with a scale
    written=total({"add": 96, "mul": 96}, {"add": 96}, {"compare": 192}, {"mul": 96},
                  {"and": 1536, "popcount": 1536}, {"mul": 96}),
    deployed=total({"compare": 96}, {"and": 1536, "popcount": 1536}, {"mul": 96}),
)  # fmt: skip
def elastic() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        u = ((x - m.shift) / m.step).round().clamp(0, 1) * m.step
        w = m.linear.weight
        return F.linear(u, torch.sign(w) * w.abs().mean())

    return Net(run, linear=nn.Linear(16, 16, bias=False), step=nn.Parameter(torch.tensor(0.8)),
               shift=nn.Parameter(torch.tensor(0.05)))  # fmt: skip


@cases(
    "brevitas-like: 4-bit activations and weights of a learned step", (1, 3, 8, 8),
    # stem | clamp to 0 ... 1, times 15, round, / 15 | 4 x 4 bit planes | the weights' step
    written=total(STEM, {"compare": 1024, "mul": 512, "add": 512}, {"mul": 512},
                  {"and": 16 * 36864, "popcount": 16 * 36864}, {"mul": 512}),
    # 16 levels are 15 comparisons; the activations' step joins the weights'
    deployed=total(STEM, {"compare": 15 * 512}, {"and": 16 * 36864, "popcount": 16 * 36864}, {"mul": 512}),
)  # fmt: skip
def dorefa4() -> nn.Module:
    class Conv(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            step = self.weight.abs().max() / 7
            w = torch.clamp(torch.round(self.weight / step), -7, 7) * step
            return F.conv2d(torch.round(x.clamp(0, 1) * 15) / 15, w, None, 1, 1)

    return nn.Sequential(stem(), Conv(8, 8, 3))


@cases(
    "DoReFa: 1-bit weights, 8-bit activations", (1, 3, 8, 8),
    written=total(STEM, {"compare": 1024, "mul": 512, "add": 512}, {"mul": 512}, {"signflip": 36864}, {"mul": 512}),
    deployed=total(STEM, {"compare": 1024, "mul": 512, "add": 512}, {"signflip": 36864}, {"mul": 512}),
)  # fmt: skip
def dorefa8() -> nn.Module:
    class Conv(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            w = torch.sign(self.weight) * self.weight.abs().mean()
            return F.conv2d(torch.round(x.clamp(0, 1) * 255) / 255, w, None, 1, 1)

    return nn.Sequential(stem(), Conv(8, 8, 3))


@cases(
    "ternary weights on binary activations", (1, 3, 8, 8),
    written=total(STEM, {"compare": 512}, {"xnor": 36864, "and": 36864, "popcount": 36864}, {"mul": 512}),
)  # fmt: skip
def ternary() -> nn.Module:
    class Conv(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            w = self.weight
            kept = (w.abs() > 0.7 * w.abs().mean()).float()
            size = (w.abs() * kept).sum() / kept.sum()
            return F.conv2d(torch.sign(x), torch.sign(w) * kept * size, None, 1, 1)

    return nn.Sequential(stem(), Conv(8, 8, 3))


@cases(
    "power-of-two weights shift each by their own amount", (1, 3, 8, 8),
    written=total(STEM, {"compare": 512}, {"shift_var": 36864, "add": 36864 - 512}),
)  # fmt: skip
def shifts() -> nn.Module:
    class Conv(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            w = torch.sign(self.weight) * 2 ** torch.round(torch.log2(self.weight.abs() + 1e-8))
            return F.conv2d(F.relu(x), w, None, 1, 1)

    return nn.Sequential(stem(), Conv(8, 8, 3))


@cases(
    "grouped binary convolution with shuffled channels", (1, 3, 8, 8),
    written=total(STEM, {"compare": 512}, xnor(8 * 4 * 9 * 64), {"add": 512}),
)  # fmt: skip
def grouped() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        r = m.stem(x)
        y = m.conv(r)
        return y.view(1, 2, 4, 8, 8).transpose(1, 2).reshape(1, 8, 8, 8) + r

    return Net(run, stem=stem(), conv=PlainConv(8, 8, 3, padding=1, groups=2, bias=False))


@cases(
    "a gate of signs on a real branch flips, a mask selects", (1, 3, 8, 8),
    # stem | sign, flip | comparison, selection
    written=total(STEM, {"compare": 512, "signflip": 512}, {"compare": 512, "and": 512}, {"add": 512}),
)  # fmt: skip
def gates() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        r = m.stem(x)
        return r * torch.sign(r.flip(2)) + r * (r.flip(3) > 0)

    return Net(run, stem=stem())


@cases(
    "dense blocks: every layer reads all before it", (1, 3, 8, 8),
    # 8 -> 8 and 16 -> 8 channels
    written=total(STEM, {"compare": 512}, xnor(36864), {"compare": 1024}, xnor(2 * 36864)),
)  # fmt: skip
def dense() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        parts = [m.stem(x)]
        for layer in (m.a, m.b):
            parts.append(layer(torch.cat(parts, 1)))
        return torch.cat(parts, 1)

    return Net(run, stem=stem(), a=PlainConv(8, 8, 3, padding=1, bias=False),
               b=PlainConv(16, 8, 3, padding=1, bias=False))  # fmt: skip


@cases(
    "A&B: shifted sign, scaled signs, power-of-two slopes and shortcut scale", (1, 3, 8, 8),
    # stem | scale, shift, sign | sum, scale | * 1/4 | shortcut | shift, slope, shift
    written=total(STEM, {"mul": 512, "add": 512, "compare": 512}, xnor(36864), {"mul": 512}, {"shift_const": 512},
                  {"add": 512}, {"add": 1024, "shift_channel": 512}),
    deployed=total(STEM, {"compare": 512}, xnor(36864), {"mul": 512}, {"add": 512},
                   {"add": 1024, "shift_channel": 512}),
)  # fmt: skip
def abbnn() -> nn.Module:
    parts = {"stem": stem(), "conv": BinConv(8, 8, 3, padding=1, bias=False), "pre": LearnableBias(8),
             "post": LearnableBias(8), "b0": nn.Parameter(torch.randn(8, 1, 1)),
             "k": nn.Parameter(torch.linspace(-4, -1, 8))}  # fmt: skip

    def run(m: Any, x: Tensor) -> Tensor:
        r = m.stem(x)
        z = m.conv(0.94 * (r + m.b0 / 0.94)) * 0.25 + r
        return m.post(F.prelu(m.pre(z), 2 ** m.k.round()))

    return Net(run, **parts)


@pytest.mark.parametrize("name", cases)
def test_operations_are_those_worked_out_by_hand(name: str) -> None:
    cases.check(name)
