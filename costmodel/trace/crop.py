"""Convolutions on a crop of their input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

#: Output rows and columns of a convolution that are computed; the rest repeats them.
_CROP = 8


def cropped_convolution(
    x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Tensor:  # fmt: skip
    """A convolution whose result has the right shape and genuine values, most of which are repetitions."""
    convolution: Callable[..., Tensor] = torch.ops.aten.convolution.default
    spatial = x.dim() - 2
    # A wrong number of channels is left to torch as it stands, so that its message has the shapes of the user.
    if transposed or spatial < 1 or x.numel() == 0 or x.shape[1] != weight.shape[1] * groups:
        return convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    stride, padding, dilation = (list(v) * (spatial if len(v) == 1 else 1) for v in (stride, padding, dilation))
    out, window = [], []
    for i in range(spatial):
        reach = dilation[i] * (weight.shape[2 + i] - 1) + 1
        size = (x.shape[2 + i] + 2 * padding[i] - reach) // stride[i] + 1
        out.append(size)
        window.append(min(x.shape[2 + i], (_CROP - 1) * stride[i] + reach))
    if any(size < 1 for size in out) or all(size <= _CROP for size in out):
        return convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    crop = x[(slice(None), slice(None), *(slice(0, w) for w in window))]
    small = convolution(crop, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    repeats = [-(-size // have) for size, have in zip(out, small.shape[2:], strict=True)]
    tiled = small.repeat(1, 1, *repeats)
    return tiled[(slice(None), slice(None), *(slice(0, size) for size in out))].contiguous()
