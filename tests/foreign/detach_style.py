"""Style: modules that build their weights in ``forward``, straight-through estimators out of ``detach``.

Latent weights are one flat column that is viewed as a kernel, drawn from [0, 0.001); activations carry the piecewise
polynomial whose slope is the gradient; the value of the step is put on top of it without one.
"""

import itertools

import torch
import torch.nn as nn
import torch.nn.functional as F


class Shift(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(1, n, 1, 1))

    def forward(self, x, divide=1):
        return x + self.b.expand_as(x) / divide


class PolySign(nn.Module):
    def forward(self, x):
        below, negative, inside = ((x < t).type(torch.float32) for t in (-1, 0, 1))
        soft = -1 * below + (x * x + 2 * x) * (1 - below)
        soft = soft * negative + (2 * x - x * x) * (1 - negative)
        soft = soft * inside + 1 * (1 - inside)
        hard = torch.sign(x)
        return hard.detach() - soft.detach() + soft


class RoundThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, e):
        return torch.round(e)

    @staticmethod
    def backward(ctx, g):
        return g


class PowerSlope(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.log_slope = nn.Parameter(-3 * torch.ones(n))

    def forward(self, x):
        slope = torch.pow(torch.tensor(2).to(x.device), RoundThrough.apply(self.log_slope))
        return F.prelu(x, slope)


class FlatBinConv(nn.Module):
    def __init__(self, n_in, n_out, k, stride=1, standard=False):
        super().__init__()
        self.stride, self.pad, self.shape = stride, k // 2, (n_out, n_in, k, k)
        self.weights = nn.Parameter(torch.rand(n_in * n_out * k * k, 1) * 0.001)
        self.standard = standard
        if standard:
            self.gain = nn.Parameter(torch.ones(n_out, 1, 1, 1))
            self.fan = (n_in * k * k) ** -0.5

    def forward(self, x):
        w = self.weights.view(self.shape)
        if self.standard:
            sd, mu = torch.std_mean(w, dim=[1, 2, 3], keepdim=True, unbiased=False)
            w = self.fan * (w - mu) / (sd + 1e-5)
        size = torch.mean(torch.mean(torch.mean(abs(w), 3, keepdim=True), 2, keepdim=True), 1, keepdim=True).detach()
        soft = torch.clamp(w, -1.0, 1.0)
        wb = (size * torch.sign(w)).detach() - soft.detach() + soft
        if self.standard:
            wb = self.gain * wb
        return F.conv2d(x, wb, stride=self.stride, padding=self.pad)


class StdConv(nn.Conv2d):
    def __init__(self, n_in, n_out, k, stride=1, padding=0):
        super().__init__(n_in, n_out, k, stride, padding, bias=False)
        self.gain = nn.Parameter(torch.ones(n_out, 1, 1, 1))

    def forward(self, x):
        sd, mu = torch.std_mean(self.weight, dim=[1, 2, 3], keepdim=True, unbiased=False)
        w = self.weight[0].numel() ** -0.5 * (self.weight - mu) / (sd + 1e-5)
        return F.conv2d(x, self.gain * w, None, self.stride, self.padding)


class AddBitBlock(nn.Module):
    """A&B on ResNet."""

    def __init__(self, n_in, n_out, beta, stride=1):
        super().__init__()
        self.beta, self.stride = beta, stride
        self.before = Shift(n_in)
        self.act = PolySign()
        self.conv = FlatBinConv(n_in, n_out, 3, stride, standard=True)
        self.after1, self.prelu, self.after2 = Shift(n_out), PowerSlope(n_out), Shift(n_out)
        self.down = None
        if stride != 1:
            self.down = nn.Sequential(nn.AvgPool2d(2, stride), FlatBinConv(n_in, n_out, 1, standard=True))

    def forward(self, x):
        res = x
        out = self.before(x, self.beta)
        out = self.conv(self.act(out * self.beta))
        if self.down is not None:
            res = self.down(x)
        out = out * 0.25 + res
        return self.after2(self.prelu(self.after1(out)))


class NormBlock(nn.Module):
    """Bi-Real, or ReActNet where ``react``, on ResNet."""

    def __init__(self, n_in, n_out, react, stride=1):
        super().__init__()
        self.react, self.act = react, PolySign()
        self.conv, self.bn = FlatBinConv(n_in, n_out, 3, stride), nn.BatchNorm2d(n_out)
        if react:
            self.m0, self.m1, self.m2, self.prelu = Shift(n_in), Shift(n_out), Shift(n_out), nn.PReLU(n_out)
        self.down = None
        if stride != 1:
            one = nn.Conv2d(n_in, n_out, 1, bias=False)
            self.down = nn.Sequential(nn.AvgPool2d(2, stride), one, nn.BatchNorm2d(n_out))

    def forward(self, x):
        out = self.m0(x) if self.react else x
        out = self.bn(self.conv(self.act(out)))
        out += x if self.down is None else self.down(x)
        return self.m2(self.prelu(self.m1(out))) if self.react else out


class MobileBlock(nn.Module):
    """ReActNet-A's pair, A&B where ``betas`` are given, else with batch normalisation."""

    def __init__(self, n_in, n_out, stride, betas=None):
        super().__init__()
        self.n_in, self.n_out, self.stride, self.betas = n_in, n_out, stride, betas
        ab = betas is not None
        slope = PowerSlope if ab else nn.PReLU
        self.act = PolySign()
        self.move11, self.move12, self.move13 = Shift(n_in), Shift(n_in), Shift(n_in)
        self.move21, self.move22, self.move23 = Shift(n_in), Shift(n_out), Shift(n_out)
        self.conv3, self.prelu1, self.prelu2 = FlatBinConv(n_in, n_in, 3, stride, ab), slope(n_in), slope(n_out)
        self.bn3 = None if ab else nn.BatchNorm2d(n_in)
        self.conv1a = FlatBinConv(n_in, n_in, 1, 1, ab)
        self.bn1a = None if ab else nn.BatchNorm2d(n_in)
        if n_in != n_out:
            self.conv1b = FlatBinConv(n_in, n_in, 1, 1, ab)
            self.bn1b = None if ab else nn.BatchNorm2d(n_in)
        # As in the published file, a pooling that widening blocks of stride one own and never call.
        if n_in != n_out:
            self.pooling = nn.AvgPool2d(2, 2)

    def finish(self, y, bn):
        return bn(y) if bn is not None else y * 0.25

    def forward(self, x):
        b1, b2 = self.betas or (1, 1)
        out = self.move11(x, b1)
        out = self.conv3(self.act(out * b1 if self.betas else out))
        short = self.pooling(x) if self.stride == 2 else x
        mid = self.move13(self.prelu1(self.move12(short + self.finish(out, self.bn3))))
        out = self.move21(mid, b2)
        out = self.act(out * b2 if self.betas else out)
        if self.n_in == self.n_out:
            out = self.finish(self.conv1a(out), self.bn1a) + mid
        else:
            left = self.finish(self.conv1a(out), self.bn1a)
            right = self.finish(self.conv1b(out), self.bn1b)
            out = torch.cat([left + mid, right + mid], dim=1)
        return self.move23(self.prelu2(self.move22(out)))


class ResNetLike(nn.Module):
    def __init__(self, layers, kind, classes, small):
        super().__init__()
        k, s = (3, 1) if small else (7, 2)
        if kind == "ab":
            self.conv1, self.bn1 = StdConv(3, 64, k, s, k // 2), None
        else:
            self.conv1, self.bn1 = nn.Conv2d(3, 64, k, s, k // 2, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        n, blocks, var = 64, [], 1.0
        for width, count in zip((64, 128, 256, 512), layers, strict=True):
            for i in range(count):
                stride = 2 if i == 0 and width > 64 else 1
                beta = 1.0 / var**0.5
                var = 1.0 if stride == 2 else var
                var += 0.0625 if i else 0.0
                block = (
                    AddBitBlock(n, width, beta, stride) if kind == "ab" else NormBlock(n, width, kind == "re", stride)
                )
                blocks.append(block)
                n = width
        self.blocks = nn.Sequential(*blocks)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(512, classes)

    def forward(self, x):
        x = self.conv1(x)
        x = x if self.bn1 is None else self.bn1(x)
        x = self.avgpool(self.blocks(self.maxpool(x)))
        return self.fc(x.view(x.size(0), -1))


class MobileNetLike(nn.Module):
    CHANNELS = (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)

    def __init__(self, ab, classes, small):
        super().__init__()
        s = 1 if small else 2
        if ab:
            self.feature = nn.ModuleList([StdConv(3, 32, 3, s, 1)])
        else:
            self.feature = nn.ModuleList([nn.Sequential(nn.Conv2d(3, 32, 3, s, 1, bias=False), nn.BatchNorm2d(32))])
        var = 1.0
        for before, after in itertools.pairwise(self.CHANNELS):
            stride = 2 if before != after and after != 64 else 1
            betas = (var**-0.5, (var + 0.0625) ** -0.5) if ab else None
            self.feature.append(MobileBlock(before, after, stride, betas))
            var = 1.0 if stride == 2 else var + 0.125
        self.pool1, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(1024, classes)

    def forward(self, x):
        for layer in self.feature:
            x = layer(x)
        x = self.pool1(x)
        return self.fc(x.view(x.size(0), -1))


FACTORIES = {
    "abbnn-reactnet18": lambda classes=1000, small=False: ResNetLike((4, 4, 4, 4), "ab", classes, small),
    "abbnn-reactnet34": lambda classes=1000, small=False: ResNetLike((6, 8, 12, 6), "ab", classes, small),
    "abbnn-reactneta": lambda classes=1000, small=False: MobileNetLike(True, classes, small),
    "bn-reactnet18": lambda classes=1000, small=False: ResNetLike((4, 4, 4, 4), "re", classes, small),
    "bn-bireal18": lambda classes=1000, small=False: ResNetLike((4, 4, 4, 4), "bi", classes, small),
    "bn-reactneta": lambda classes=1000, small=False: MobileNetLike(False, classes, small),
}
