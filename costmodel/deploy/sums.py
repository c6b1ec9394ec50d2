"""Sums of products on arrays: packed signs, signed sums, real sums; each counts the products that it really forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction
from costmodel.deploy.tally import Tally, count, executes


def out_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


# -- one bit by one bit --------------------------------------------------------------------------------------------


def pack_weights(signs: Array, groups: int) -> dict[str, Array]:
    """±1 filters ``[o, i, kh, kw]`` as words ``[groups, kh * kw * ceil(i / 64), o / groups]``, and set bits of taps."""
    from costmodel.deploy.kernels import WORD

    o, channels, kh, kw = signs.shape
    count = -(-channels // WORD)
    bits = np.zeros((o, kh * kw, count * WORD), np.uint8)
    bits[:, :, :channels] = (signs > 0).reshape(o, channels, kh * kw).swapaxes(1, 2)
    words = np.packbits(bits, axis=2, bitorder="little").view(np.uint64).reshape(groups, o // groups, -1)
    ones = bits.sum(2, dtype=np.int32).reshape(groups, o // groups, kh * kw)
    return {"words": np.ascontiguousarray(words.swapaxes(1, 2)), "ones": np.ascontiguousarray(ones.swapaxes(1, 2))}


@executes("xnor_sum")
def xnor_sum(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Sum of ±1 (or 0/1) by ±1 products: XNOR (AND) and popcount on words of 64 channels."""
    from costmodel.deploy.kernels import pack_signs, xnor_conv

    filters = flat_filters(i.arrays["signs"])
    groups = int(i.params.get("groups", 1))
    packed = i.arrays if "words" in i.arrays else pack_weights(filters, groups)
    maps = _flat_maps(i, np.ascontiguousarray(x[0]))
    kernel = (filters.shape[2], filters.shape[3])
    stride, padding, dilation = _pairs(i)
    h = out_size(maps.shape[2], kernel[0], stride[0], padding[0], dilation[0])
    w = out_size(maps.shape[3], kernel[1], stride[1], padding[1], dilation[1])
    outputs, channels = len(filters) // groups, filters.shape[1]
    result = np.empty((maps.shape[0], len(filters), h, w), np.int32)
    for group in range(groups):
        words = pack_signs(np.ascontiguousarray(maps[:, group * channels : (group + 1) * channels]))
        part = result[:, group * outputs : (group + 1) * outputs]
        xnor_conv(words, packed["words"][group], packed["ones"][group], channels, kernel, stride, padding, dilation,
                  bool(i.params["zero"]), part)  # fmt: skip
    products = result.size * channels * kernel[0] * kernel[1]
    count(tally, i, "and" if i.params["zero"] else "xnor", products)
    count(tally, i, "popcount", products)
    return _as_given(i, result, x[0])


def flat_filters(signs: Array) -> Array:
    """Filters of convolutions of one dimension, and matrices, as those of two dimensions."""
    return signs.reshape(*signs.shape[:2], *(1 for _ in range(4 - signs.ndim)), *signs.shape[2:])


def _flat_maps(i: Instruction, x: Array) -> Array:
    """Rows ``[n, c, l]`` as maps of height one, vectors ``[..., c]`` as maps of one element."""
    if not i.params["conv"]:
        return x.reshape(-1, x.shape[-1], 1, 1)
    return x[:, :, None] if x.ndim == 3 else x


def _as_given(i: Instruction, result: Array, x: Array) -> Array:
    """Maps ``[n, o, h, w]`` in the form of the operand ``x``."""
    if not i.params["conv"]:
        return result.reshape(*x.shape[:-1], result.shape[1])
    return result[:, :, 0] if x.ndim == 3 else result


# -- one bit by many -------------------------------------------------------------------------------------------------


@executes("signed_sum")
def signed_sum(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Sum of wide activations, each added or subtracted as its weight says."""
    signs = i.arrays["signs"]
    if x[0].dtype.kind == "f":
        result = correlate(i, x[0], signs.astype(np.float64))
    else:
        result = _add_or_subtract(i, x[0], signs)
    _count_products(tally, i, result.size * signs[0].size, result.size)
    return result


def _add_or_subtract(i: Instruction, x: Array, signs: Array) -> Array:
    from costmodel.deploy.kernels import add_or_subtract

    filters, maps = flat_filters(signs), _flat_maps(i, x)
    groups, (o, channels, *kernel) = int(i.params.get("groups", 1)), filters.shape
    columns = _columns(i, maps, tuple(kernel))  # [n, h, w, c, kh, kw]
    n, h, w = columns.shape[:3]
    result = np.empty((n, o, h, w), np.int64)
    for group in range(groups):
        part = columns[:, :, :, group * channels : (group + 1) * channels].reshape(n * h * w, -1)
        mask = -(filters[group * o // groups : (group + 1) * o // groups].reshape(o // groups, -1) < 0).astype(np.int64)
        sums = add_or_subtract(np.ascontiguousarray(part, dtype=np.int64), np.ascontiguousarray(mask.T))
        result[:, group * o // groups : (group + 1) * o // groups] = sums.reshape(n, h, w, -1).transpose(0, 3, 1, 2)
    return _as_given(i, result, x)


# -- real ------------------------------------------------------------------------------------------------------------


@executes("real_sum")
def real_sum(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Sum of real products in double precision, rounded once to the grid of its result if that is integer."""
    weight, value = i.arrays["weight"].astype(np.float64), x[0].astype(np.float64)
    if i.params.get("transposed"):
        result = _scatter(i, value, weight)
        products = value.size // weight.shape[1] // int(i.params["groups"]) * weight.size
        results = len(value) * int(i.params["results"])  # a stride beyond the kernel leaves places without a sum
    else:
        result = correlate(i, value, weight)
        products = result.size * weight[0].size
        results = result.size
    _count_products(tally, i, products, results)
    if (shared := i.params.get("second")) is not None:  # weights around no zero: see graph/charge.py
        count(tally, i, "add", results + (products // shared - results // shared if shared else 0))
        count(tally, i, "mul", results)
    if "bias" in i.arrays:
        bias = i.arrays["bias"]
        if i.params["conv"] and bias.ndim == 1:
            bias = bias.reshape(-1, *(1 for _ in weight.shape[2:]))
        result = result + bias
        count(tally, i, "add", result.size)
    fraction = i.params["fraction"]
    return result if fraction < 0 else np.rint(result * 2.0**fraction).astype(np.int64)


@executes("matmul_real")
def matmul_real(i: Instruction, x: list[Array], tally: Tally | None) -> Array:
    """Product of two matrices that both depend on the input."""
    first, second = x[0], x[-1].swapaxes(-1, -2) if i.params["turned"] else x[-1]
    result = np.asarray(first @ second)
    _count_products(tally, i, result.size * first.shape[-1], result.size)
    return result


def _count_products(tally: Tally | None, i: Instruction, products: int, outputs: int) -> None:
    """Narrow integers are counted as the bit planes that hardware would take them apart into."""
    for kind, operations, less_one in i.params["products"]:
        count(tally, i, kind, products * operations - (outputs if less_one else 0))


def _geometry(i: Instruction, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Stride, padding and dilation of ``rank`` spatial dimensions."""
    stride, padding, dilation = (list(i.params.get(k, ())) for k in ("stride", "padding", "dilation"))
    missing = rank - len(stride)
    return [1] * missing + stride, [0] * missing + padding, [1] * missing + dilation


def _pairs(i: Instruction) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a, b in _geometry(i, 2))


def _columns(i: Instruction, x: Array, kernel: tuple[int, ...]) -> Array:
    """Windows ``[n, *out, c, *kernel]`` of zero-padded maps ``[n, c, *in]`` (a view)."""
    rank = len(kernel)
    stride, padding, dilation = _geometry(i, rank)
    if any(padding):
        x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(2, x.ndim)))
    steps: list[Any] = [slice(None, None, s) for s in (*stride, *dilation)]
    view = view[(slice(None), slice(None), *steps)]
    return view.transpose(0, *range(2, 2 + rank), 1, *range(2 + rank, 2 + 2 * rank))


def correlate(i: Instruction, x: Array, weight: Array) -> Array:
    if not i.params["conv"]:
        return np.asarray(x @ weight.T)
    o, channels, *kernel = weight.shape
    groups = int(i.params.get("groups", 1))
    if channels == 1 and groups > 1 and len(kernel) == 2:
        return _depthwise(i, x, weight[:, 0])
    columns = _columns(i, x, tuple(kernel))
    rows = columns.shape[: 1 + len(kernel)]
    parts = []
    for group in range(groups):
        part = columns[(*(slice(None) for _ in rows), slice(group * channels, (group + 1) * channels))]
        filters = weight[group * o // groups : (group + 1) * o // groups].reshape(o // groups, -1)
        parts.append((part.reshape(math.prod(rows), -1) @ filters.T).reshape(*rows, -1))
    result = parts[0] if groups == 1 else np.concatenate(parts, -1)
    return np.ascontiguousarray(np.moveaxis(result, -1, 1))


def _depthwise(i: Instruction, x: Array, weight: Array) -> Array:
    from costmodel.deploy.kernels import depthwise

    stride, padding, dilation = _pairs(i)
    sizes = [out_size(n, k, s, p, d) for n, k, s, p, d in
             zip(x.shape[2:], weight.shape[1:], stride, padding, dilation, strict=True)]  # fmt: skip
    out = np.empty((len(x), len(weight), *sizes))
    depthwise(np.ascontiguousarray(x), np.ascontiguousarray(weight), stride, padding, dilation, out)
    return out


def _scatter(i: Instruction, x: Array, weight: Array) -> Array:
    """Transposed convolution: every element of ``[n, c, *in]`` adds its multiple of a filter to the map."""
    o, channels, *kernel = weight.shape
    groups, out = int(i.params["groups"]), i.shape[2:]
    stride, padding, dilation = _geometry(i, len(kernel))
    sizes = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(x.shape[2:], stride, dilation, kernel, strict=True)]
    sizes = [max(n, size + 2 * p) for n, size, p in zip(sizes, out, padding, strict=True)]
    canvas = np.zeros((x.shape[0], o, *sizes))
    for group in range(groups):
        maps = x[:, group * channels : (group + 1) * channels]
        own = slice(group * o // groups, (group + 1) * o // groups)
        for tap in np.ndindex(*kernel):
            spread = np.tensordot(maps, weight[(own, slice(None), *tap)], (1, 1))  # [n, *in, o]
            at: list[Any] = [slice(t * d, t * d + (n - 1) * s + 1, s)
                             for t, d, n, s in zip(tap, dilation, x.shape[2:], stride, strict=True)]  # fmt: skip
            canvas[(slice(None), own, *at)] += np.moveaxis(spread, -1, 1)
    return canvas[(slice(None), slice(None), *(slice(p, p + size) for p, size in zip(padding, out, strict=True)))]
