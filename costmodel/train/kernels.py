"""The element-wise layers of binary networks, rewritten for training on a CPU: same values and gradients, fewer passes.

PyTorch's `where` with scalars, and the backward pass of its PReLU, take some fifteen times as long as a multiplication
there; they are not vectorised. On a GPU the compiled step fuses these layers and nothing is replaced.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from costmodel.zoo import layers
from costmodel.zoo.ste import round_ste


def _plus_minus_one(x: Tensor) -> Tensor:
    return torch.ge(x, 0, out=torch.empty_like(x)).mul_(2).sub_(1)


class _SigmoidSign(Function):
    """Sign with the gradient 6 s (1 - s), s = sigmoid(3x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _plus_minus_one(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return cast(Tensor, torch.ops.aten.sigmoid_backward(grads[0], (3 * x).sigmoid_())).mul_(6)


class _QuadraticSign(Function):
    """Sign with the gradient 2 - 2|x| within [-1, 1]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _plus_minus_one(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return cast(Tensor, x.abs().mul_(-2).add_(2).clamp_(min=0).mul_(grads[0]))


class _ClipSign(Function):
    """Sign with the gradient 1 within [-limit, limit]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limit = limit
        return _plus_minus_one(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        inside = x.abs()
        return torch.le(inside, ctx.limit, out=inside).mul_(grads[0]), None


def _clip_sign(x: Tensor, limit: float = 1.0) -> Tensor:
    return cast(Tensor, _ClipSign.apply(x, limit))  # type: ignore[no-untyped-call]


class FastBinaryActivation(layers.BinaryActivation):
    def forward(self, x: Tensor) -> Tensor:
        if self.gradient == "sigmoid":
            return cast(Tensor, _SigmoidSign.apply(x))  # type: ignore[no-untyped-call]
        if self.gradient == "quadratic":
            return cast(Tensor, _QuadraticSign.apply(x))  # type: ignore[no-untyped-call]
        return _clip_sign(x, self.limit)


class _BoundedSign(Function):
    """Factor times the sign of weights that never leave [-1, 1]: no gradient is cut there. Made in the type that the
    product is made in, a power of two times a sign being exact in each."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, factor: float, dtype: torch.dtype) -> Tensor:
        ctx.factor, ctx.dtype = factor, weight.dtype
        return torch.ge(weight, 0, out=torch.empty_like(weight, dtype=dtype)).mul_(2 * factor).sub_(factor)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        gradient = grads[0].to(ctx.dtype)
        return (gradient if ctx.factor == 1.0 else gradient * ctx.factor), None, None


def _signs(layer: FastSignLinear | FastSignConv2d, x: Tensor) -> Tensor:
    """Weights of a layer of signs, bounded or not."""
    weight = layers.centre(layer.weight) if layer.centred else layer.weight
    if layer.bounded or layer.centred:  # no gradient is cut
        autocast = torch.is_autocast_enabled(x.device.type)
        dtype = torch.get_autocast_dtype(x.device.type) if autocast else layer.weight.dtype
        return cast(Tensor, _BoundedSign.apply(weight, layer.factor, dtype))  # type: ignore[no-untyped-call]
    signs = _clip_sign(weight)
    return signs if layer.factor == 1.0 else signs * layer.factor


class FastSignLinear(layers.SignLinear):
    bounded = False

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, _signs(self, x))


class FastSignConv2d(layers.SignConv2d):
    bounded = False

    def forward(self, x: Tensor) -> Tensor:
        return layers.conv_like(self, x, _signs(self, x))


def leaky(x: Tensor, slope: Tensor) -> Tensor:
    """x where positive, else slope x, one slope per channel: ``[n, c, h, w], [c] -> [n, c, h, w]``.

    As relu(x) - slope relu(-x): the gradient of relu is vectorised, that of PReLU is not.
    """
    return torch.relu(x) - slope.view(1, -1, 1, 1) * torch.relu(-x)


class FastQuantizedPReLU(layers.QuantizedPReLU):
    def forward(self, x: Tensor) -> Tensor:
        return leaky(x, torch.exp2(round_ste(self.exponent)))


class FastPReLU(nn.PReLU):
    def forward(self, x: Tensor) -> Tensor:
        return leaky(x, self.weight) if x.ndim == 4 else super().forward(x)


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    layers.BinaryActivation: FastBinaryActivation,
    layers.SignConv2d: FastSignConv2d,
    layers.SignLinear: FastSignLinear,
    layers.QuantizedPReLU: FastQuantizedPReLU,
    nn.PReLU: FastPReLU,
}


def use_fast_layers(model: nn.Module, bounded: bool = False) -> None:
    """Give the layers of ``model`` their fast forward, in place. Parameters and their names stay. ``bounded``: the
    training keeps all latent weights within [-1, 1]."""
    for module in model.modules():
        replacement = REPLACEMENTS.get(type(module))
        if replacement is not None:
            module.__class__ = replacement
            if isinstance(module, FastSignLinear | FastSignConv2d):
                module.bounded = bounded
