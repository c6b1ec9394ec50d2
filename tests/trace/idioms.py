"""One binary layer spelled in many ways. Every spelling of the activation must cost the same, and so must every one of
the weights; see test_domains.py and test_equivalence.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


def sign_detached(x: Tensor) -> Tensor:
    return torch.sign(x).detach() - x.detach() + x


def sign_clamped(x: Tensor) -> Tensor:
    soft = torch.clamp(x, -1.0, 1.0)
    return (torch.sign(soft) - soft).detach() + soft


def sign_tanh(x: Tensor) -> Tensor:
    soft = torch.tanh(x)
    return torch.sign(soft).detach() + soft - soft.detach()


def sign_polynomial(x: Tensor) -> Tensor:
    low, mid, high = (x < -1).float(), (x < 0).float(), (x < 1).float()
    first = -low + (x * x + 2 * x) * (1 - low)
    second = first * mid + (-x * x + 2 * x) * (1 - mid)
    third = second * high + (1 - high)
    return torch.sign(x).detach() - third.detach() + third


def mask_assignment(x: Tensor) -> Tensor:
    y = torch.ones_like(x)
    y[x < 0] = -1.0
    return y


def masked_fill(x: Tensor) -> Tensor:
    return torch.ones_like(x).masked_fill(x < 0, -1.0)


#: ±1 from one comparison
ACTIVATIONS = {
    "sign": torch.sign,
    "function": SignSTE.apply,
    "detach": sign_detached,
    "clamp": sign_clamped,
    "tanh": sign_tanh,
    "polynomial": sign_polynomial,
    "where": lambda x: torch.where(x >= 0, 1.0, -1.0),
    "where_tensors": lambda x: torch.where(x > 0, torch.ones_like(x), -torch.ones_like(x)),
    "compare_times_two": lambda x: (x >= 0).to(x.dtype) * 2 - 1,
    "heaviside": lambda x: torch.heaviside(x, torch.ones(1)) * 2 - 1,
    "sign_of_shifted": lambda x: torch.sign(torch.sign(x) + 0.1),
    "mask_assignment": mask_assignment,
    "masked_fill": masked_fill,
    "two_minus": lambda x: 1 - 2 * (x < 0).float(),
    "positive_scale": lambda x: torch.sign(0.37 * x),
}

#: {0, 1} from one comparison
ZERO_ONE = {
    "compare": lambda x: (x >= 0).float(),
    "heaviside": lambda x: torch.heaviside(x, torch.zeros(1)),
    "half_sign": lambda x: 0.5 * torch.sign(x) + 0.5,
    "clamped_sign": lambda x: torch.sign(x).clamp(min=0),
}


class Conv(nn.Module):
    """3 x 3, 8 to 16 channels, on 10 x 10 maps; ``quantise`` makes the weights from the latent ones."""

    def __init__(self, quantise) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.randn(16, 8, 3, 3) * 0.1)
        self.quantise = quantise

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.quantise(self.latent), padding=1)


def _mean(w: Tensor) -> Tensor:
    return w.abs().mean((1, 2, 3), keepdim=True)


def xnor(w: Tensor) -> Tensor:
    return torch.sign(w) * _mean(w)


def xnor_detached(w: Tensor) -> Tensor:
    clipped = torch.clamp(w, -1.0, 1.0)
    return (_mean(w).detach() * torch.sign(w)).detach() - clipped.detach() + clipped


def per_tensor(w: Tensor) -> Tensor:
    return torch.sign(w) * w.abs().mean()


def ir_net(w: Tensor) -> Tensor:
    # the power of two differs by channel, as it does after training
    spread = torch.linspace(0.25, 4.0, w.size(0)).view(-1, 1, 1, 1)
    power = 2 ** torch.round(torch.log2((w * spread).abs().mean((1, 2, 3), keepdim=True)))
    return torch.sign(w) * power


def plain(w: Tensor) -> Tensor:
    return SignSTE.apply(w)


def ternary(w: Tensor) -> Tensor:
    return torch.sign(w) * (w.abs() > 0.7 * w.abs().mean()).float()


def power_of_two(w: Tensor) -> Tensor:
    return torch.sign(w) * 2 ** torch.round(torch.log2(w.abs() + 1e-6))


def dorefa(bits: int):
    def quantise(w: Tensor) -> Tensor:
        unit = torch.tanh(w) / (2 * torch.tanh(w).abs().max()) + 0.5
        return 2 * torch.round(unit * (2**bits - 1)) / (2**bits - 1) - 1

    return quantise


#: quantiser -> (kind, scale, per channel)
WEIGHTS = {
    "xnor": (xnor, ("binary", "real", True)),
    "xnor_detached": (xnor_detached, ("binary", "real", True)),
    "per_tensor": (per_tensor, ("binary", "real", False)),
    "ir_net": (ir_net, ("binary", "pow2", True)),
    "plain": (plain, ("binary", "one", False)),
    "ternary": (ternary, ("ternary", "one", False)),
    "power_of_two": (power_of_two, ("pow2", None, None)),
    "dorefa4": (dorefa(4), ("int", "real", False)),
    "real": (lambda w: w, ("float", None, None)),
}


class Layer(nn.Module):
    """A stem that makes an activation, a binarisation, a convolution."""

    def __init__(self, binarise=torch.sign, quantise=plain) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.binarise = binarise
        self.conv = Conv(quantise)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.binarise(self.stem(x)))


INPUT = (1, 3, 10, 10)
STEM_MACS = 8 * 3 * 9 * 100
MACS = 16 * 8 * 9 * 100
