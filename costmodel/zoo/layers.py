"""The layers of the binary families: convolutions with binary weights, masks, biases and slopes.

Parameter names are the same whether the weights are binary or real, so that the first step of two-step training
(real weights) and the second (binary weights) exchange checkpoints.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from costmodel.zoo.ste import Gradient, hard_sign, round_ste, scaled_sign, sign

ScaleMode = Literal["real", "pow2", "tied"]
SlopeMode = Literal["pow2", "fixed", "real"]

#: Added to a filter's standard deviation before dividing by it.
EPS = 1e-5


class BinaryActivation(nn.Module):
    """x -> sign(x) in {-1, +1}, sign(0) = +1."""

    def __init__(self, gradient: Gradient = "sigmoid", limit: float = 1.0) -> None:
        super().__init__()
        self.gradient, self.limit = gradient, limit

    def forward(self, x: Tensor) -> Tensor:
        return sign(x, self.gradient, self.limit)

    def extra_repr(self) -> str:
        return f"gradient={self.gradient}"


class LearnableBias(nn.Module):
    """x + bias, one bias per channel; inside a mask of factor ``beta`` the bias is divided by it. ``dimensions``: of
    what a channel holds."""

    def __init__(self, channels: int, beta: float = 1.0, dimensions: int = 2) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, *(1,) * dimensions))
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.bias if self.beta == 1.0 else self.bias / self.beta)


class Mask(nn.Module):
    """x -> beta * x with a constant beta > 0.

    Before a sign it changes the gradient and not the result: sign(beta x) = sign(x).
    """

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        return x * self.beta

    def extra_repr(self) -> str:
        return f"beta={self.beta:.4f}"


class QuantizedPReLU(nn.Module):
    """x for x > 0, else 2^round(exponent) x with one learned exponent per channel (round half to even, identity STE).

    d/d exponent = ln 2 * 2^round(exponent) * sum of min(x, 0) * incoming gradient.
    """

    def __init__(self, channels: int, exponent: float = -3.0) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.full((channels,), exponent))

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, torch.exp2(round_ste(self.exponent)))


def slope_layer(mode: SlopeMode, channels: int) -> nn.Module:
    """The leaky part of an activation: learned powers of two, 2^-3 for all, or a real PReLU."""
    if mode == "pow2":
        return QuantizedPReLU(channels)
    return nn.LeakyReLU(2.0**-3) if mode == "fixed" else nn.PReLU(channels)


class RPReLU(nn.Module):
    """slope(x + b1) + b2 with one slope and two biases per channel (ReActNet)."""

    def __init__(self, channels: int, mode: SlopeMode) -> None:
        super().__init__()
        self.shift_in = LearnableBias(channels)
        self.slope = slope_layer(mode, channels)
        self.shift_out = LearnableBias(channels)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.shift_out(self.slope(self.shift_in(x))))


class StreamScale(nn.Module):
    """The one real scale of a residual stream, shared by every convolution that writes into it (``scale="tied"``)."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.ones(()))


def standardize(weight: Tensor) -> Tensor:
    """Scaled weight standardisation: each filter to mean 0 and variance 1/fan_in. [O, I, k, k] -> the same."""
    fan_in = weight[0].numel()
    centred: Tensor = weight - weight.mean((1, 2, 3), keepdim=True)
    # The norm of the centred filter is several times faster than torch.std_mean on a CPU.
    std = cast(Tensor, torch.linalg.vector_norm(centred, dim=(1, 2, 3), keepdim=True)) * fan_in**-0.5
    scaled: Tensor = centred * (fan_in**-0.5 / (std + EPS))
    return scaled


def conv_like(layer: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    """The convolution of ``layer`` with other weights and without bias."""
    return F.conv2d(x, weight, None, layer.stride, cast(Any, layer.padding), layer.dilation, layer.groups)


class StandardizedConv2d(nn.Conv2d):
    """A real convolution with scaled weight standardisation and one learned gain per filter."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding, bias=False)
        self.gain = nn.Parameter(torch.ones(c_out, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return conv_like(self, x, self.gain * standardize(self.weight))


class BinaryConv2d(nn.Conv2d):
    """A convolution whose weights are ``s_c sign(w)``, two values per filter. Zero padding follows the
    sign of the input.

    ``standardized``
        Standardise the filters first and give each a learned gain (BN-free and A&B); else use them as they are (BN).
    ``scale``
        ``real``: s = gain * mean|w|. ``pow2``: that value rounded to a power of two (in its logarithm, identity STE).
        ``tied``: rounded to a power of two times the quotient of the scales of the stream it writes into and, where
        its input is real, of the stream it reads. Dividing every stream by its scale then leaves only powers of two.
    """

    gain: nn.Parameter | None

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        *,
        standardized: bool,
        scale: ScaleMode = "real",
        writes: StreamScale | None = None,
        reads: StreamScale | None = None,
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding, bias=False)
        if standardized:
            self.gain = nn.Parameter(torch.ones(c_out, 1, 1, 1))
        else:
            self.register_parameter("gain", None)
        self.scale_mode: ScaleMode = scale
        # In a tuple, so that the shared scales are not registered once more under this layer's name.
        self._streams = (writes, reads)

    def channel_scale(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Mean magnitude of each (standardised) filter, and the scale s of each, both [O, 1, 1, 1]."""
        magnitude = weight.detach().abs().mean((1, 2, 3), keepdim=True)
        free = magnitude if self.gain is None else magnitude * self.gain
        if self.scale_mode == "real":
            return magnitude, free
        unit = free.new_ones(())
        writes, reads = self._streams
        if self.scale_mode == "tied" and writes is not None:
            unit = writes.value if reads is None else writes.value / reads.value
        exponent = round_ste(torch.log2((free / unit.detach()).abs().clamp(min=2.0**-30)))
        return magnitude, hard_sign(free.detach()) * unit.abs() * torch.exp2(exponent)

    def binary_weight(self) -> Tensor:
        """The weights that the convolution uses, [O, I, k, k]."""
        weight = self.weight if self.gain is None else standardize(self.weight)
        magnitude, scale = self.channel_scale(weight)
        # The latent weight stands for magnitude * sign(w); what multiplies that is the slope of its gradient.
        slope = None if self.gain is None and self.scale_mode == "real" else (scale / magnitude).detach()
        return scaled_sign(weight, scale, slope)

    def forward(self, x: Tensor) -> Tensor:
        return conv_like(self, x, self.binary_weight())


class SignConv2d(nn.Conv2d):
    """A convolution whose weights are ``factor * sign(w)`` with one constant factor per layer (BNN).

    ``centred``: see :func:`signs`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        factor: float = 1.0,
        centred: bool = False,
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding, bias=False)
        self.factor, self.centred = factor, centred

    def forward(self, x: Tensor) -> Tensor:
        return conv_like(self, x, signs(self))


class SignLinear(nn.Linear):
    """A dense layer without bias whose weights are ``factor * sign(w)`` with one constant factor. ``centred``: see
    :func:`signs`."""

    def __init__(self, c_in: int, c_out: int, factor: float = 1.0, centred: bool = False) -> None:
        super().__init__(c_in, c_out, bias=False)
        self.factor, self.centred = factor, centred

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, signs(self))


def centre(weight: Tensor) -> Tensor:
    """Each output unit's weights less their mean, ``[out, ...] -> [out, ...]``: what of weight standardisation reaches
    a sign. Without a normaliser it keeps the sums around zero when the inputs are not."""
    return weight - weight.mean(tuple(range(1, weight.dim())), keepdim=True)


def signs(layer: SignConv2d | SignLinear) -> Tensor:
    """The weights that a layer of signs uses: of its latent weights, or of these less their mean per output unit, whose
    gradient is then not cut at ±1."""
    weight = sign(centre(layer.weight), "clip", math.inf) if layer.centred else sign(layer.weight, "clip")
    return weight if layer.factor == 1.0 else weight * layer.factor
