"""Style: stock layers whose tensors are parametrized, ``torch.where`` signs, nested Sequential and ModuleDict.

The binary and the standardised weights, and the power-of-two slopes, are ``torch.nn.utils.parametrize`` chains on plain
``nn.Conv2d`` and ``nn.PReLU``; the steps are ``autograd.Function``s with a clipped gradient.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn.utils import parametrize


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.where(x.abs() <= 1, g, torch.zeros_like(g))


class Nearest(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return g


class Standard(nn.Module):
    """Zero mean and 1/fan-in variance per filter."""

    def forward(self, w):
        flat = w.flatten(1)
        centred = flat - flat.mean(1, keepdim=True)
        deviation = centred.square().mean(1, keepdim=True).sqrt()
        return (centred / ((deviation + 1e-5) * flat.shape[1] ** 0.5)).reshape(w.shape)


class Gain(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.g = nn.Parameter(torch.ones(n))

    def forward(self, w):
        return torch.einsum("o,oihw->oihw", self.g, w)


class TwoValues(nn.Module):
    def forward(self, w):
        with torch.no_grad():
            size = w.abs().mean(dim=(1, 2, 3), keepdim=True)
        return Step.apply(w) * size


class TwoToThe(nn.Module):
    """The stored tensor is an exponent."""

    def forward(self, e):
        return 2.0 ** Nearest.apply(e)


class Sign(nn.Module):
    def forward(self, x):
        return Step.apply(x)


class Affine(nn.Module):
    """x * factor + bias with a constant factor."""

    def __init__(self, n, factor=1.0):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n))
        self.factor = factor

    def forward(self, x):
        return (x + (self.bias / self.factor)[:, None, None]) * self.factor


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x.mul(self.factor)


class Sum(nn.ModuleDict):
    """The sum of all branches on the same input."""

    def forward(self, x):
        return torch.stack([branch(x) for branch in self.values()]).sum(0) if len(self) > 2 else self.two(x)

    def two(self, x):
        first, second = self.values()
        return torch.add(first(x), second(x))


class Side(nn.ModuleDict):
    """The channels of all branches on the same input, one behind the other."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.values()], dim=-3)


def conv(n_in, n_out, k, stride=1, *, two_values, standard):
    layer = nn.Conv2d(n_in, n_out, k, stride, padding=k // 2, bias=False)
    if standard:
        parametrize.register_parametrization(layer, "weight", Standard())
    if two_values:
        parametrize.register_parametrization(layer, "weight", TwoValues())
    if standard:
        parametrize.register_parametrization(layer, "weight", Gain(n_out))
    return layer


def slope(n, shifts):
    layer = nn.PReLU(n)
    if shifts:
        layer.weight.data.fill_(-3.0)
        parametrize.register_parametrization(layer, "weight", TwoToThe())
    return layer


def norm(n, ab):
    return Times(2.0**-2) if ab else nn.BatchNorm2d(n)


def activation(n, ab):
    return nn.Sequential(OrderedDict(lower=Affine(n), leak=slope(n, ab), raise_=Affine(n)))


def main_path(n_in, n_out, k, stride, ab, react, beta):
    layers = OrderedDict()
    if react:
        layers["mask"] = Affine(n_in, beta)
    layers["sign"] = Sign()
    layers["conv"] = conv(n_in, n_out, k, stride, two_values=True, standard=ab)
    layers["norm"] = norm(n_out, ab)
    return nn.Sequential(layers)


def way_down(n_in, n_out, ab):
    one = conv(n_in, n_out, 1, two_values=ab, standard=ab)
    return nn.Sequential(nn.AvgPool2d(2), one, *([] if ab else [nn.BatchNorm2d(n_out)]))


def stem(n, k, stride, ab, pool):
    layers = OrderedDict(conv=conv(3, n, k, stride, two_values=False, standard=ab))
    if not ab:
        layers["norm"] = nn.BatchNorm2d(n)
    if pool:
        layers["pool"] = nn.MaxPool2d(3, 2, 1)
    return nn.Sequential(layers)


def head(n, classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, classes))


def residual_net(counts, ab, react, classes, small):
    net = OrderedDict(stem=stem(64, 3 if small else 7, 1 if small else 2, ab, not small))
    n, steps = 64, 0
    for s, count in enumerate(counts):
        width = 64 << s
        for b in range(count):
            down = b == 0 and s > 0
            beta = (1 + steps / 16) ** -0.5
            steps = 0 if down else steps + (b > 0)
            around = way_down(n, width, ab) if down else nn.Identity()
            path = main_path(n, width, 3, 1 + down, ab, react, beta)
            block = OrderedDict(sum=Sum(OrderedDict(path=path, around=around)))
            if react:
                block["act"] = activation(width, ab)
            net[f"stage{s}_{b}"] = nn.Sequential(block)
            n = width
    net["head"] = head(512, classes)
    return nn.Sequential(net)


def mobile_net(ab, classes, small):
    net = OrderedDict(stem=stem(32, 3, 1 if small else 2, ab, False))
    n, steps = 32, 0
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for i, (width, stride) in enumerate(plan):
        b1, b2 = ((1 + (steps + j) / 16) ** -0.5 for j in (0, 1))
        steps = 0 if stride == 2 else steps + 2
        around = nn.AvgPool2d(2) if stride == 2 else nn.Identity()
        spatial = Sum(OrderedDict(path=main_path(n, n, 3, stride, ab, True, b1), around=around))
        points = Side()
        # Each half has its own sign of the same masked input; they share the bias.
        mask = Affine(n, b2)
        for half in range(width // n):
            path = nn.Sequential(mask, Sign(), conv(n, n, 1, two_values=True, standard=ab), norm(n, ab))
            points[f"half{half}"] = Sum(OrderedDict(path=path, around=nn.Identity()))
        net[f"block{i}"] = nn.Sequential(spatial, activation(n, ab), points, activation(width, ab))
        n = width
    net["head"] = head(1024, classes)
    return nn.Sequential(net)


FACTORIES = {
    "abbnn-reactnet18": lambda classes=1000, small=False: residual_net((4, 4, 4, 4), True, True, classes, small),
    "abbnn-reactnet34": lambda classes=1000, small=False: residual_net((6, 8, 12, 6), True, True, classes, small),
    "abbnn-reactneta": lambda classes=1000, small=False: mobile_net(True, classes, small),
    "bn-reactnet18": lambda classes=1000, small=False: residual_net((4, 4, 4, 4), False, True, classes, small),
    "bn-bireal18": lambda classes=1000, small=False: residual_net((4, 4, 4, 4), False, False, classes, small),
    "bn-reactneta": lambda classes=1000, small=False: mobile_net(False, classes, small),
}
