"""Networks for the tests of deployment: the zoo's with scrambled parameters, and one on a coarse grid of numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.study import Deployment, prepare
from costmodel.ledger.ledger import Ledger
from costmodel.zoo import build, entry


def scramble(net: nn.Module, seed: int = 0) -> nn.Module:
    """Parameters as training leaves them: no zeros and ones, signs of both kinds, statistics unlike the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in (*net.named_parameters(), *net.named_buffers()):
            noise = torch.randn(p.shape, generator=generator)
            if not p.is_floating_point():
                continue
            if name.endswith("running_var"):
                p.copy_(0.5 + torch.rand(p.shape, generator=generator))
            elif name.endswith("running_mean"):
                p.copy_(0.3 * noise)
            elif "exponent" in name:
                p.copy_(noise - 3)
            elif p.dim() >= 2 and p.shape[0] > 1 and "bias" not in name and "gain" not in name:
                p.copy_(noise * p.std().clamp(min=0.05))
            else:
                p.add_(0.2 * noise)
    return net.eval()


def zoo(name: str, seed: int = 0, **arguments: object) -> Deployment:
    """A network of the zoo with scrambled parameters, traced and rewritten."""
    torch.manual_seed(seed)
    net = scramble(build(name, **arguments), seed)
    shape = entry(name).input_shape
    return prepare(net, torch.randn(shape, generator=torch.Generator().manual_seed(seed)), name=name)


def images(deployment: Deployment, count: int, seed: int = 0) -> np.ndarray:
    shape = deployment.graph.inputs[0].shape
    return np.random.default_rng(seed).standard_normal((count, *shape[1:]))


def rows(ledger: Ledger) -> Counter[tuple[str, int, str, str]]:
    """Operations by (module, call, op, kind)."""
    table: Counter[tuple[str, int, str, str]] = Counter()
    for charge in ledger.charges:
        table[charge.module, charge.call, charge.op, charge.kind] += charge.count
    return table


def on_grid(shape: tuple[int, ...], generator: torch.Generator, step: float = 0.25, span: int = 4) -> Tensor:
    """Multiples of ``step`` from -span*step to span*step: sums of them are exact, and ties are frequent."""
    return step * torch.randint(-span, span + 1, shape, generator=generator).double()


class GridBlock(nn.Module):
    """Every kind of place that the rewrites touch, with dyadic numbers only, so that all arithmetic is exact.

    stem -> [mask, bias, sign -> scaled binary 3x3 -> alpha] + shortcut -> RPReLU, halved by stride 2 with a pooled
    binary 1x1 on the way around -> global pooling -> classifier.
    """

    def __init__(self, seed: int, channels: int = 6, stride: int = 2, zero_one: bool = False) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        c = channels
        self.stride, self.zero_one = stride, zero_one
        self.stem = nn.Parameter(on_grid((c, 2, 3, 3), g))
        self.weight = nn.Parameter(on_grid((2 * c, c, 3, 3), g) + 0.125)
        self.down = nn.Parameter(on_grid((2 * c, c, 1, 1), g) + 0.125)
        self.scale = nn.Parameter(0.25 * (1 + torch.randint(0, 12, (2 * c, 1, 1, 1), generator=g)).double())
        self.biases = nn.ParameterList([on_grid((1, n, 1, 1), g) for n in (c, 2 * c, 2 * c)])
        self.slope = nn.Parameter(torch.exp2(torch.randint(-3, 2, (2 * c,), generator=g).double()))
        fc = on_grid((3, 2 * c), g)
        fc[:, 0] = 0  # a row around no zero is a step times thirds or the like, which no float holds exactly
        self.fc = nn.Parameter(fc)

    def binarise(self, x: Tensor) -> Tensor:
        x = (x + self.biases[0] / 2) * 2
        return (x >= 0).double() if self.zero_one else torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.stem, padding=1)
        u = self.binarise(x)
        y = F.conv2d(u, self.scale * torch.where(self.weight >= 0, 1.0, -1.0), padding=1, stride=self.stride) * 0.25
        r = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        y = y + F.conv2d(r, torch.where(self.down >= 0, 1.0, -1.0).to(x.dtype))
        y = F.prelu(y + self.biases[1], self.slope) + self.biases[2]
        y = F.max_pool2d(y, 2)
        return y.mean((2, 3)) @ self.fc.t()
