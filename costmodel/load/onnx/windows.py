"""Operators with windows: convolutions, pooling, resampling."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from costmodel.load.onnx.table import Call, integers, op, tensor

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _pads(
    call: Call, x: Tensor, kernel: list[int], stride: list[int], dilation: list[int]
) -> tuple[list[int], list[int]]:
    """Padding before and behind along each spatial dimension."""
    count = len(kernel)
    auto = call.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = call.get("pads") or [0] * (2 * count)
        return list(pads[:count]), list(pads[count:])
    if auto == "VALID":
        return [0] * count, [0] * count
    begin, end = [], []
    for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True):
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        small = total // 2
        begin.append(small if auto == "SAME_UPPER" else total - small)
        end.append(total - begin[-1])
    return begin, end


def _around(x: Tensor, begin: list[int], end: list[int], value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Padding that differs at the two ends is put on; the symmetric one is left to the window."""
    if begin == end:
        return x, begin
    order = [v for a, b in reversed(list(zip(begin, end, strict=True))) for v in (a, b)]
    return F.pad(x, order, value=value), [0] * len(begin)


@op("Conv", keep=(1, 2))
def _conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    count = weight.dim() - 2
    stride, dilation = call.get("strides") or [1] * count, call.get("dilations") or [1] * count
    begin, end = _pads(call, x, list(weight.shape[2:]), stride, dilation)
    x, padding = _around(x, begin, end)
    function = _CONV.get(count) or call.refuse(f"{count} spatial dimensions are not covered")
    return function(x, weight, bias, stride, padding, dilation, call.get("group", 1))


@op("ConvTranspose", keep=(1, 2))
def _conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    count = weight.dim() - 2
    stride, dilation = call.get("strides") or [1] * count, call.get("dilations") or [1] * count
    extra = call.get("output_padding") or [0] * count
    pads = call.get("pads") or [0] * (2 * count)
    begin, end = pads[:count], pads[count:]
    if call.get("output_shape") or call.get("auto_pad", "NOTSET") not in ("NOTSET", "", "VALID") or begin != end:
        call.refuse("an output shape, SAME padding or padding that differs at its ends is not covered")
    function = _TRANSPOSED.get(count) or call.refuse(f"{count} spatial dimensions are not covered")
    return function(x, weight, bias, stride, begin, extra, call.get("group", 1), dilation)


@op("MaxPool")
def _max_pool(call: Call, x: Tensor) -> Any:
    kernel = call.get("kernel_shape")
    count = len(kernel)
    stride, dilation = call.get("strides") or [1] * count, call.get("dilations") or [1] * count
    begin, end = _pads(call, x, kernel, stride, dilation)
    x, padding = _around(x, begin, end, float("-inf"))
    ceil = bool(call.get("ceil_mode", 0))
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        x, padding = F.pad(x, [v for p in reversed(padding) for v in (p, p)], value=float("-inf")), [0] * count
    pool: Any = _MAX[count]
    return pool(x, kernel, stride, padding, dilation, ceil, call.results > 1)


@op("AveragePool")
def _average_pool(call: Call, x: Tensor) -> Tensor:
    kernel = call.get("kernel_shape")
    count = len(kernel)
    stride, dilation = call.get("strides") or [1] * count, call.get("dilations") or [1] * count
    if set(dilation) != {1}:
        call.refuse("dilated windows are not covered")
    begin, end = _pads(call, x, kernel, stride, dilation)
    include = bool(call.get("count_include_pad", 0))
    if begin != end and not include:
        call.refuse("padding that differs at its ends and is not counted is not covered")
    x, padding = _around(x, begin, end)
    ceil = bool(call.get("ceil_mode", 0))
    if count == 1:
        return F.avg_pool1d(x, kernel, stride, padding, ceil, include)
    return (F.avg_pool2d if count == 2 else F.avg_pool3d)(x, kernel, stride, padding, ceil, include)


@op("GlobalAveragePool")
def _global_average(call: Call, x: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(x, 1) if x.dim() == 4 else x.mean(list(range(2, x.dim())), keepdim=True)


@op("GlobalMaxPool")
def _global_max(call: Call, x: Tensor) -> Tensor:
    return x.amax(list(range(2, x.dim())), keepdim=True)


@op("Resize", "Upsample", keep=(1, 2, 3))
def _resize(call: Call, x: Tensor, roi: Any = None, scales: Any = None, sizes: Any = None) -> Tensor:
    if call.op == "Upsample" or call.opset < 11:  # (x, scales)
        scales, roi = roi if roi is not None else call.get("scales"), None
    mode = call.get("mode", "nearest")
    given = sizes if sizes is not None else scales
    if given is None or tensor(given).numel() != x.dim():
        call.refuse("sizes or scales of all dimensions are needed")
    factors = [1.0] if sizes is not None else tensor(scales).tolist()
    wanted = integers(sizes) if sizes is not None else [int(n * s) for n, s in zip(x.shape, factors, strict=True)]
    if wanted[:2] != list(x.shape[:2]):
        call.refuse("it changes images or channels")
    place = call.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        return F.interpolate(x, wanted[2:], mode="nearest")
    kind = {
        ("linear", 1): "linear",
        ("linear", 2): "bilinear",
        ("linear", 3): "trilinear",
        ("cubic", 2): "bicubic",
    }.get((mode, x.dim() - 2))
    if kind is None:
        call.refuse(f"mode {mode} on {x.dim()} dimensions is not covered")
    return F.interpolate(x, wanted[2:], mode=kind, align_corners=place == "align_corners")


@op("GridSample")
def _grid_sample(call: Call, x: Tensor, grid: Tensor) -> Tensor:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(call.get("mode", "bilinear"), call.get("mode", "bilinear"))
    padding = call.get("padding_mode", "zeros")
    return F.grid_sample(x, grid, mode, padding, bool(call.get("align_corners", 0)))


@op("LpPool")
def _lp_pool(call: Call, x: Tensor) -> Tensor:
    kernel = call.get("kernel_shape")
    if call.get("pads") and any(call.get("pads")):
        call.refuse("padding is not covered")
    power = float(call.get("p", 2))
    function = F.lp_pool1d if len(kernel) == 1 else F.lp_pool2d
    return function(x, power, kernel[0] if len(kernel) == 1 else kernel, stride=call.get("strides"))
