"""Steps with a straight-through gradient: sign, scaled sign of a weight, rounding.

``sign`` here is the hardware's: sign(0) = +1, so that one bit holds it. (``torch.sign`` gives 0 there, a third value.)
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.autograd import Function

Gradient = Literal["sigmoid", "quadratic", "clip"]


def _apply(function: type[Function], *args: Any) -> Tensor:
    return cast(Tensor, cast(Any, function).apply(*args))


def hard_sign(x: Tensor) -> Tensor:
    """+1 where x >= 0, else -1, in the type of ``x``."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


class _SigmoidSign(Function):
    """Sign whose gradient is that of 2 sigmoid(3x): 6 s (1 - s), 1.5 at zero, area 2 as the step's (A&B BNN)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return hard_sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(3 * x)
        return grads[0] * (6 * s * (1 - s))


class _QuadraticSign(Function):
    """Sign whose gradient is 2 - 2|x| within [-1, 1] and 0 outside (Bi-Real Net)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return hard_sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = (2 - 2 * x.abs()).clamp_(min=0)
        return grads[0] * slope


class _ClipSign(Function):
    """Sign whose gradient is 1 within [-limit, limit] and 0 outside (BinaryNet)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limit = limit
        return hard_sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grads[0] * (x.abs() <= ctx.limit), None


def sign(x: Tensor, gradient: Gradient, limit: float = 1.0) -> Tensor:
    """sign(x) with sign(0) = +1 and the chosen straight-through gradient; ``limit`` is for ``clip``."""
    if gradient == "sigmoid":
        return _apply(_SigmoidSign, x)
    if gradient == "quadratic":
        return _apply(_QuadraticSign, x)
    return _apply(_ClipSign, x, limit)


class _ScaledSign(Function):
    """scale * sign(w) over output channels; see :func:`scaled_sign`."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, scale: Tensor, slope: Tensor | None) -> Tensor:
        ctx.save_for_backward(w, slope)
        # copysign is an order of magnitude faster than where; adding zero makes -0.0 a +0.0.
        return torch.copysign(scale.abs(), (w + 0.0).mul_(hard_sign(scale)))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        w, slope = ctx.saved_tensors
        grad_w = grad_scale = None
        if ctx.needs_input_grad[0]:
            grad_w = grads[0] * (w.abs() <= 1)
            if slope is not None:
                grad_w = grad_w * slope
        if ctx.needs_input_grad[1]:
            dims = tuple(range(1, w.dim()))
            grad_scale = torch.copysign(grads[0].new_ones(()), w + 0.0).mul_(grads[0]).sum(dims, keepdim=True)
        return grad_w, grad_scale, None


def scaled_sign(w: Tensor, scale: Tensor, slope: Tensor | None = None) -> Tensor:
    """Binary weights ``scale * sign(w)`` of shape ``[O, ...]`` with one ``scale`` per output channel, ``[O, 1, ...]``.

    Gradients: to ``w`` the incoming one times ``slope`` within [-1, 1] and 0 outside; to ``scale`` the exact one.
    """
    return _apply(_ScaledSign, w, scale, slope)


class _Round(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


def round_ste(x: Tensor) -> Tensor:
    """Round half to even, with the gradient of the identity."""
    return _apply(_Round, x)
