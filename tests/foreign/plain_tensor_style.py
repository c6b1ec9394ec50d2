"""Style: one module, a dictionary of tensors and a loop over a plan; no layer modules at all.

Convolutions are ``F.conv2d`` on computed weights, batch normalisation is written out with ``rsqrt``, PReLU is
``maximum`` and ``minimum``, signs are comparisons cast to numbers, and sums are formed in place.
"""

import torch
import torch.nn.functional as F
from torch import nn


def pm_one(t):
    return (t >= 0).to(t.dtype) * 2 - 1


class Net(nn.Module):
    def __init__(self, plan, ab, react, classes, stem, pool):
        super().__init__()
        self.plan, self.ab, self.react, self.stem_stride, self.pool = plan, ab, react, stem[2], pool
        self.p = nn.ParameterDict()
        n, k, _ = stem
        self.conv_tensors("stem", 3, n, k, binary=False)
        for name, n_in, n_out, kernel, stride, halves, _ in plan:
            width = n_out // halves
            for h in range(halves):
                self.conv_tensors(f"{name}_c{h}", n_in, width, kernel, binary=True)
            if stride == 2 and kernel == 3 and n_in != n_out:
                self.conv_tensors(f"{name}_d", n_in, n_out, 1, binary=ab)
            if react:
                self.p[f"{name}_b0"] = nn.Parameter(torch.zeros(n_in))
                self.p[f"{name}_b1"] = nn.Parameter(torch.zeros(n_out))
                self.p[f"{name}_b2"] = nn.Parameter(torch.zeros(n_out))
                self.p[f"{name}_s"] = nn.Parameter(torch.full((n_out,), -3.0 if ab else 0.25))
        last = plan[-1][2]
        self.p["fc_w"] = nn.Parameter(torch.randn(classes, last) * last**-0.5)
        self.p["fc_b"] = nn.Parameter(torch.zeros(classes))

    def conv_tensors(self, name, n_in, n_out, k, binary):
        self.p[name + "_w"] = nn.Parameter(torch.randn(n_out, n_in * k * k) * (n_in * k * k) ** -0.5)
        if self.ab:
            self.p[name + "_g"] = nn.Parameter(torch.ones(n_out))
        else:
            self.p[name + "_gamma"] = nn.Parameter(torch.ones(n_out))
            self.p[name + "_beta"] = nn.Parameter(torch.zeros(n_out))
            self.register_buffer(name + "_mu", torch.zeros(n_out))
            self.register_buffer(name + "_var", torch.ones(n_out))

    def conv(self, x, name, k, stride, binary):
        rows = self.p[name + "_w"]
        if self.ab:
            rows = rows - rows.mean(1, keepdim=True)
            rows = rows / (rows.pow(2).mean(1, keepdim=True).sqrt() + 1e-5) * rows.shape[1] ** -0.5
        if binary:
            rows = rows.abs().mean(1, keepdim=True) * pm_one(rows)
        if self.ab:
            rows = rows * self.p[name + "_g"].unsqueeze(1)
        kernel = rows.view(rows.shape[0], x.shape[1], k, k)
        y = F.conv2d(x, kernel, stride=stride, padding=(k - 1) // 2)
        if self.ab:
            return y
        y -= getattr(self, name + "_mu").view(1, -1, 1, 1)
        y *= torch.rsqrt(getattr(self, name + "_var") + 1e-5).view(1, -1, 1, 1)
        y *= self.p[name + "_gamma"].view(1, -1, 1, 1)
        y += self.p[name + "_beta"].view(1, -1, 1, 1)
        return y

    def leak(self, x, name):
        slope = self.p[name + "_s"]
        if self.ab:
            slope = torch.ldexp(torch.ones_like(slope), slope.round())
        zero = torch.zeros((), dtype=x.dtype)
        return torch.maximum(x, zero) + slope.view(-1, 1, 1) * torch.minimum(x, zero)

    def forward(self, x):
        x = self.conv(x, "stem", 3 if self.p["stem_w"].shape[1] == 27 else 7, self.stem_stride, binary=False)
        if self.pool:
            x = F.max_pool2d(x, 3, 2, 1)
        for name, n_in, n_out, kernel, stride, halves, beta in self.plan:
            u = x
            if self.react:
                u = u + (self.p[name + "_b0"] / (beta if self.ab else 1.0)).reshape(-1, 1, 1)
            if self.ab:
                u = u * beta
            u = pm_one(u)
            short = x
            if stride == 2:
                short = F.avg_pool2d(x, 2)
                if n_in != n_out:
                    short = self.conv(short, name + "_d", 1, 1, binary=self.ab)
            parts = []
            for h in range(halves):
                y = self.conv(u, f"{name}_c{h}", kernel, stride, binary=True)
                if self.ab:
                    y.mul_(0.25)
                y.add_(short)
                parts.append(y)
            x = parts[0] if halves == 1 else torch.cat(parts, 1)
            if self.react:
                x.add_(self.p[name + "_b1"].view(1, -1, 1, 1))
                x = self.leak(x, name)
                x.add_(self.p[name + "_b2"].view(1, -1, 1, 1))
        return F.linear(x.mean((2, 3)), self.p["fc_w"], self.p["fc_b"])


def residual_plan(counts):
    plan, n, spread = [], 64, 1.0
    for s, count in enumerate(counts):
        for b in range(count):
            out = 64 * 2**s
            down = s > 0 and b == 0
            plan.append((f"s{s}b{b}", n, out, 3, 2 if down else 1, 1, 1 / spread**0.5))
            spread = 1.0 if down else spread + (0.25**2 if b else 0)
            n = out
    return plan


def mobile_plan():
    plan, n, spread = [], 32, 1.0
    widths = [64, 128, 128, 256, 256] + [512] * 6 + [1024, 1024]
    for i, out in enumerate(widths):
        down = out > n and i > 0
        plan.append((f"b{i}x", n, n, 3, 2 if down else 1, 1, 1 / spread**0.5))
        plan.append((f"b{i}y", n, out, 1, 1, out // n, 1 / (spread + 0.25**2) ** 0.5))
        spread = 1.0 if down else spread + 2 * 0.25**2
        n = out
    return plan


def resnet(counts, ab, react, classes, small):
    return Net(residual_plan(counts), ab, react, classes, (64, 3, 1) if small else (64, 7, 2), not small)


FACTORIES = {
    "abbnn-reactnet18": lambda classes=1000, small=False: resnet((4, 4, 4, 4), True, True, classes, small),
    "abbnn-reactnet34": lambda classes=1000, small=False: resnet((6, 8, 12, 6), True, True, classes, small),
    "abbnn-reactneta": lambda classes=1000, small=False: Net(
        mobile_plan(), True, True, classes, (32, 3, 1 if small else 2), False
    ),
    "bn-reactnet18": lambda classes=1000, small=False: resnet((4, 4, 4, 4), False, True, classes, small),
    "bn-bireal18": lambda classes=1000, small=False: resnet((4, 4, 4, 4), False, False, classes, small),
    "bn-reactneta": lambda classes=1000, small=False: Net(
        mobile_plan(), False, True, classes, (32, 3, 1 if small else 2), False
    ),
}
