"""Networks in nobody's style: odd sizes, strides, dilations, groups, several inputs and outputs, sequences and volumes,
weights and activations of few bits, sizes of one-bit values that travel. Each is a class without arguments, with the
shapes of its inputs in ``shapes``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sign(x: Tensor) -> Tensor:
    return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))


def scaled(w: Tensor) -> Tensor:
    return sign(w) * w.abs().mean(tuple(range(1, w.dim())), keepdim=True)


class Scaled(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, scaled(self.weight), self.bias, self.stride, self.padding, self.dilation, self.groups)


class Plain(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, sign(self.weight), self.bias, self.stride, self.padding, self.dilation, self.groups)


class Matrix(nn.Linear):
    def forward(self, x):
        return F.linear(x, sign(self.weight), self.bias)


def stem(channels: int, kernel: int = 3, **more) -> nn.Conv2d:
    return nn.Conv2d(3, channels, kernel, padding=kernel // 2, **more)


class OddSizes(nn.Module):
    """Strides and kernels that differ by dimension, dilation, groups, depthwise; biases before thresholds."""

    shapes = ((1, 3, 37, 29),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn = stem(12, 5, stride=2, bias=False), nn.BatchNorm2d(12)
        self.c1, self.b1 = Scaled(12, 18, (3, 5), (2, 1), (1, 2), groups=3, bias=False), nn.BatchNorm2d(18)
        self.c2, self.b2 = Scaled(18, 24, 3, padding=2, dilation=2), nn.BatchNorm2d(24)
        self.c3, self.fc = Scaled(24, 24, 3, 3, 1, groups=24), nn.Linear(24, 7)

    def forward(self, x):
        x = F.hardtanh(self.b1(self.c1(sign(self.bn(self.stem(x))))))
        return self.fc(self.c3(sign(F.relu(self.b2(self.c2(sign(x)))) - 0.5)).mean((2, 3)))


class Dense(nn.Module):
    """Concatenation, with max and average pooling around it."""

    shapes = ((1, 3, 32, 32),)

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(stem(16, stride=2), nn.BatchNorm2d(16), nn.MaxPool2d(3, 2, 1))
        self.norms = nn.ModuleList(nn.BatchNorm2d(16 + 8 * k) for k in range(3))
        self.convs = nn.ModuleList(Scaled(16 + 8 * k, 8, 3, padding=1, bias=False) for k in range(3))
        self.mix = nn.Sequential(nn.BatchNorm2d(40), nn.ReLU(), nn.Conv2d(40, 24, 1), nn.AvgPool2d(2))
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = torch.cat([x, conv(sign(norm(x)))], 1)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(self.mix(x), 1), 1))


class TwoInputs(nn.Module):
    shapes = ((1, 3, 16, 16), (1, 5))

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.bn = stem(16), Scaled(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.first, self.second, self.fc = nn.Linear(5, 16), Matrix(16, 16), nn.Linear(32, 4)

    def forward(self, a, b):
        a = self.stem(a)
        a = (self.bn(self.conv(sign(a))) + a).mean((2, 3))
        return self.fc(torch.cat([a, self.second(sign(self.first(b)))], 1))


class Rows(nn.Module):
    """Convolutions of one dimension, one of them longer than a word has bits."""

    shapes = ((1, 2, 101),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.bn2 = nn.Conv1d(2, 24, 7, 2, 3), nn.BatchNorm1d(24), nn.BatchNorm1d(32)
        self.w = nn.ParameterList(torch.randn(s) for s in ((32, 24, 5), (32, 32, 3), (8, 32, 71)))
        self.fc = nn.Linear(8, 6)

    def forward(self, x):
        x = F.conv1d(sign(self.bn(self.stem(x))), scaled(self.w[0]), padding=2, stride=2)
        x = F.conv1d(sign(F.max_pool1d(self.bn2(x), 2)), sign(self.w[1]), padding=2, dilation=2)
        return self.fc(F.relu(F.conv1d(sign(x - 0.5), sign(self.w[2]), padding=35)).mean(2))


class Perceptron(nn.Module):
    """Binary matrices with biases, then a logarithm of a softmax."""

    shapes = ((1, 50),)

    def __init__(self):
        super().__init__()
        self.l1, self.b1 = nn.Linear(50, 100), nn.BatchNorm1d(100)
        self.l2, self.b2 = Matrix(100, 77), nn.BatchNorm1d(77)
        self.l3, self.b3, self.l4 = Matrix(77, 33, bias=False), nn.BatchNorm1d(33), Matrix(33, 10)

    def forward(self, x):
        x = sign(self.b2(self.l2(sign(self.b1(self.l1(x))))))
        return F.log_softmax(self.l4(sign(torch.tanh(self.b3(self.l3(x))))), 1)


class NothingBinary(nn.Module):
    shapes = ((1, 3, 33, 33),)

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            stem(8, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, groups=8), nn.Hardswish(),
            nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), nn.Conv2d(8, 16, 3, padding=1), nn.SiLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True), nn.GELU(), nn.ELU(), nn.Softplus(), nn.LeakyReLU(0.1),
        )  # fmt: skip
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        return self.fc(self.body(x).mean([-1, -2]))


class Ternary(nn.Module):
    shapes = ((1, 3, 20, 20),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.bn2, self.fc = stem(16), nn.BatchNorm2d(16), nn.BatchNorm2d(24), nn.Linear(24, 10)
        self.w = nn.ParameterList(torch.randn(s) for s in ((24, 16, 3, 3), (24, 24, 3, 3)))

    def forward(self, x):
        def ternary(w):
            mask = (w.abs() > 0.7 * w.abs().mean((1, 2, 3), keepdim=True)).to(w.dtype)
            size = (w.abs() * mask).sum((1, 2, 3), keepdim=True) / mask.sum((1, 2, 3), keepdim=True)
            return size * torch.sign(w) * mask

        x = F.conv2d(sign(self.bn(self.stem(x))), ternary(self.w[0]), padding=1, stride=2)
        return self.fc(F.conv2d(F.relu(self.bn2(x)), ternary(self.w[1]), padding=1).mean((2, 3)))


class DoReFa(nn.Module):
    """Activations of two bits on weights of one."""

    shapes = ((1, 3, 24, 24),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.fc = stem(16), nn.BatchNorm2d(16), nn.Linear(32, 10)
        self.c1, self.b1 = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.c2, self.b2 = nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32)

    def forward(self, x):
        def few(x):
            return torch.round(torch.clamp(x, 0, 1) * 3) / 3

        for norm, conv in ((self.bn, self.c1), (self.b1, self.c2)):
            x = self.stem(x) if norm is self.bn else x
            w = torch.sign(conv.weight) * conv.weight.abs().mean()
            x = F.conv2d(few(norm(x)), w, None, conv.stride, conv.padding)
        return self.fc(F.relu(self.b2(x)).mean((2, 3)))


class InputScale(nn.Module):
    """XNOR-Net's map of input sizes: a mean over channels, and a product of two values of the input."""

    shapes = ((1, 3, 16, 16),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.conv = stem(16), nn.BatchNorm2d(16), Scaled(16, 16, 3, padding=1, bias=False)
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        x = self.bn(self.stem(x))
        box = torch.full((1, 1, 3, 3), 1 / 9, dtype=x.dtype)
        return self.fc((self.conv(sign(x)) * F.conv2d(x.abs().mean(1, keepdim=True), box, padding=1)).mean((2, 3)))


class Gate(nn.Module):
    """A gate with so few hidden values that one of them alone can be positive."""

    shapes = ((1, 3, 16, 16),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.conv = stem(16), nn.BatchNorm2d(16), Plain(16, 16, 3, padding=1, bias=False)
        self.f1, self.f2, self.p, self.fc = nn.Linear(16, 4), nn.Linear(4, 16), nn.PReLU(16), nn.Linear(16, 4)

    def forward(self, x):
        x = self.bn(self.stem(x))
        gate = torch.sigmoid(self.f2(F.relu(self.f1(x.mean((2, 3))))))
        return self.fc((self.p(self.conv(sign(x)) * gate[:, :, None, None]) + x).mean((2, 3)))


class Borders(nn.Module):
    """Padding with ones, minus ones, fractions and reflections; windows that reach beyond the map or are dilated."""

    shapes = ((1, 3, 15, 13),)

    def __init__(self):
        super().__init__()
        self.stem, self.c1 = nn.Conv2d(3, 8, 3, padding="same"), Plain(8, 16, 3, 2, bias=False)
        self.c2, self.bn, self.fc = Scaled(16, 16, 3), nn.BatchNorm2d(16), nn.Linear(16, 4)
        self.p, self.q = nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d(2, 1, dilation=2)

    def forward(self, x):
        x = F.pad(self.stem(x), (1, 0, 2, 0), value=0.7)
        x = self.bn(self.c1(F.pad(sign(x), (0, 1, 0, 1), value=1.0)))
        x = self.p(self.c2(F.pad(0.3 * sign(x), (1, 1, 1, 1), value=-0.3)))
        x = self.q(self.c2(F.pad(sign(F.pad(x, (1, 1, 1, 1), mode="reflect")), (0, 2, 0, 2))))
        return self.fc(x.amax((2, 3)) - x.sum((2, 3)))


class Shuffle(nn.Module):
    """Channels and pixels in another order, by views, by name and by an index."""

    shapes = ((1, 3, 16, 16),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.fc = stem(16), nn.BatchNorm2d(32), nn.Linear(32, 4)
        self.c1, self.c2 = Scaled(16, 32, 1, groups=4, bias=False), Scaled(16, 16, 3, padding=1, groups=16)
        self.register_buffer("order", torch.randperm(32))

    def forward(self, x):
        y = self.bn(self.c1(sign(self.stem(x))))
        n, c, h, w = y.shape
        y = y.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)[:, self.order]
        a, b = F.channel_shuffle(y, 2).chunk(2, 1)
        y = torch.cat((a.roll(1, 2), self.c2(sign(b))), 1)
        return self.fc(F.pixel_shuffle(F.pixel_unshuffle(y, 2), 2).flip(3)[:, :, 1:].mean((2, 3)))


class TwoOutputs(nn.Module):
    """A map and a vector; nearest-neighbour and transposed convolutions on the way up."""

    shapes = ((1, 3, 18, 14),)

    def __init__(self):
        super().__init__()
        self.stem, self.down, self.b = stem(8), Scaled(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.up, self.out, self.fc = Scaled(16, 8, 3, padding=1, bias=False), nn.Conv2d(13, 3, 1), nn.Linear(16, 2)
        self.t, self.w = nn.ConvTranspose2d(6, 5, 3, 2, 1, 1, groups=1), nn.Parameter(torch.randn(8, 3, 4, 3))

    def forward(self, x):
        s = self.stem(x)
        d = self.b(self.down(sign(s)))
        u = sign(self.up(sign(F.interpolate(d, size=(11, 5), mode="nearest"))))
        w = sign(self.w) * self.w.abs().mean((0, 2, 3), keepdim=True)
        t = self.t(F.conv_transpose2d(u, w, padding=1, groups=2, stride=(1, 2)))
        return self.out(torch.cat([s, F.interpolate(t, size=(18, 14))], 1)), (sign(d), self.fc(d.mean((2, 3))), d, d)


class Volume(nn.Module):
    shapes = ((1, 1, 6, 9, 7),)

    def __init__(self):
        super().__init__()
        self.stem, self.bn, self.fc = nn.Conv3d(1, 6, 3, padding=1), nn.BatchNorm3d(6), nn.Linear(8, 2)
        self.w = nn.Parameter(torch.randn(8, 6, 3, 3, 3))

    def forward(self, x):
        x = F.conv3d(sign(self.bn(self.stem(x))), scaled(self.w), stride=(1, 2, 1), padding=1)
        return self.fc(F.avg_pool3d(F.max_pool3d(x, 2), 2).mean((2, 3, 4)))


class Attention(nn.Module):
    """Attention over binary projections, layer and group norms, a learned first element of the sequence."""

    shapes = ((1, 7, 16),)

    def __init__(self):
        super().__init__()
        self.first, self.n, self.g = nn.Parameter(torch.randn(1, 1, 16)), nn.LayerNorm(16), nn.GroupNorm(2, 8)
        self.q, self.k, self.v, self.up = (Matrix(16, 16) for _ in range(4))
        self.m, self.fc = nn.MultiheadAttention(16, 4, batch_first=True), nn.Linear(16, 3)

    def forward(self, x):
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1)
        u = sign(self.n(x))
        a = F.softmax(sign(self.q(u)) @ (0.3 * sign(self.k(u))).transpose(-1, -2) / 4, -1) @ self.v(u)
        x = self.g(x + a)
        x = x + self.m(x, x, x, need_weights=False)[0]
        return self.fc((x + self.up(sign(x)))[:, 0])


class Positions(nn.Module):
    """Scales that differ by position, with as many positions as channels, before and behind sums over real weights."""

    shapes = ((1, 3, 12, 12),)

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.mix = stem(12), Plain(12, 12, 3, padding=1, bias=False), nn.Conv2d(12, 12, 1)
        self.p, self.q = nn.Parameter(torch.randn(1, 1, 12, 12)), nn.Parameter(torch.randn(12, 1, 12))
        self.bn, self.l, self.fc = nn.BatchNorm1d(12), nn.Linear(12, 12), nn.Linear(12, 2)

    def forward(self, x):
        x = self.conv(sign(self.stem(x) * self.p)) * self.p
        x = self.mix(self.conv(sign(x * self.q + 0.1)) * self.q) * self.p[..., :1]
        return self.fc((self.bn(self.l(x.mean(3))) * self.q[:, 0, :1]).mean(1))


class Sizes(nn.Module):
    """One-bit values of some size that are added, joined, moved, padded, compared and returned."""

    shapes = ((1, 3, 10, 10),)

    def __init__(self):
        super().__init__()
        self.stem, self.c1, self.c2 = stem(8), Scaled(8, 8, 3, padding=1), Plain(32, 8, 3, bias=False)
        self.c3, self.fc = Plain(16, 8, 3, padding=1, bias=False), nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x)
        u = 0.3 * sign(x)
        v = u.flip(3) + x
        w = F.max_pool2d(u, 3, 1, 1) * 1.5 + v
        a = torch.cat([0.25 * sign(w), w, u, F.pad(u, (1, 1, 0, 0))[..., 2:]], 1)
        b = torch.cat([0.3 * sign(a[:, :16]), 0.3 * sign(a[:, 16:])], 1)
        z = self.c2(sign(a)) + self.c2(F.pad(b, (1, 1, 1, 1)))[:, :, 1:-1, 1:-1]
        half = 0.37 * (x > 0).to(x.dtype)
        y = self.c1(half) + half
        t = torch.cat([(x > 0).to(x.dtype), sign(-x)], 1)
        y = y + self.c3(torch.cat([0.3 * sign(x), 0.7 * sign(x - 0.1)], 1)) + self.c3(t)
        return self.fc(z.mean((2, 3)) + y.mean((2, 3))), u


class TwoSides(nn.Module):
    """A sign that changes twice, a sign of a sign, and signs of falling functions."""

    shapes = ((1, 3, 10, 10),)

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.bn = stem(8), Plain(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        y = 3 - self.conv(sign(-self.bn(-self.stem(x)))).abs()
        return self.fc(torch.add(self.conv(sign(-sign(y))).clamp(-5, 5), y, alpha=-2).mean((2, 3)))


class RealByBinary(nn.Module):
    """BinaryConnect: real activations on binary weights, a kernel of more taps than a word has bits."""

    shapes = ((1, 3, 21, 21),)

    def __init__(self):
        super().__init__()
        self.c1, self.b1 = Plain(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.c2, self.b2, self.fc = Plain(8, 8, 9, padding=4), nn.BatchNorm2d(8), Matrix(8, 10)

    def forward(self, x):
        x = F.relu(self.b1(self.c1(x)))
        x = F.leaky_relu(self.b2(self.c2(x)), 0.1) + self.c2(sign(x - 0.3))
        return self.fc(x.amax((-1, -2)))


class Repeated(nn.Module):
    """One convolution that runs three times, between norms of its own each time."""

    shapes = ((1, 1, 14, 14),)

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.fc = nn.Conv2d(1, 10, 3, padding=1), Plain(10, 10, 3, padding=1), nn.Linear(490, 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(10) for _ in range(3))

    def forward(self, x):
        x = self.stem(x)
        for norm in self.norms:
            x = x + norm(self.conv(torch.sign(x)))
        return self.fc(F.avg_pool2d(x, 2).flatten(1))


class LearnedSteps(nn.Module):
    """Activations of one bit with a learned step, a learned scale of either sign, shifts behind a convolution."""

    shapes = ((1, 3, 18, 18),)

    def __init__(self):
        super().__init__()
        self.stem, self.c1, self.c2 = stem(8), Plain(8, 20, 3, padding=1), Plain(20, 20, 3, padding=1, bias=False)
        self.alpha, self.step = nn.Parameter(torch.randn(1, 20, 1, 1)), nn.Parameter(torch.tensor(0.37))
        self.bn, self.fc = nn.BatchNorm2d(20), nn.Linear(20, 4)

    def forward(self, x):
        u = torch.clamp(torch.round(self.stem(x) / self.step), 0, 1) * self.step
        y = self.c1(u) * self.alpha
        y = self.bn(self.c2(torch.sign(0.2 - y)) * -0.5) * 2.0 ** torch.round(self.alpha) + torch.minimum(
            y, torch.full_like(y, 1.5)
        )
        return self.fc(F.hardswish(y).mean((2, 3)))


STRANGERS = [
    OddSizes, Dense, TwoInputs, Rows, Perceptron, NothingBinary, Ternary, DoReFa, InputScale, Gate, Borders, Shuffle,
    TwoOutputs, Volume, Attention, Positions, Sizes, TwoSides, RealByBinary, Repeated, LearnedSteps,
]  # fmt: skip
