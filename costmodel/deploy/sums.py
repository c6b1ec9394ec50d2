"""Sums of products on arrays: packed signs, signed sums, real sums; each counts the products that it really forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction


def _count(tally: Any, i: Instruction, kind: str, operations: int) -> None:
    if tally is not None and operations:
        tally[i.module, i.call, i.node_op, kind] += operations


def _pair(i: Instruction, name: str, default: int) -> tuple[int, int]:
    values = i.params.get(name, [default, default])
    return int(values[0]), int(values[1])


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


def xnor_sum(i: Instruction, x: list[Array], tally: Any) -> Array:
    """Sum of ±1 (or 0/1) by ±1 products: XNOR (AND) and popcount on words of 64 channels."""
    from costmodel.deploy.kernels import pack_signs, xnor_conv

    signs = i.arrays["signs"]
    filters = signs if signs.ndim == 4 else signs.reshape(*signs.shape, 1, 1)
    groups = int(i.params.get("groups", 1))
    packed = i.arrays if "words" in i.arrays else pack_weights(filters, groups)
    value = np.ascontiguousarray(x[0])
    maps = value if i.params["conv"] else value.reshape(-1, value.shape[-1], 1, 1)
    kernel, stride = (filters.shape[2], filters.shape[3]), _pair(i, "stride", 1)
    padding, dilation = _pair(i, "padding", 0), _pair(i, "dilation", 1)
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
    _count(tally, i, "and" if i.params["zero"] else "xnor", products)
    _count(tally, i, "popcount", products)
    return result if i.params["conv"] else result.reshape(*value.shape[:-1], len(filters))


# -- one bit by many -------------------------------------------------------------------------------------------------


def signed_sum(i: Instruction, x: list[Array], tally: Any) -> Array:
    """Sum of wide activations, each added or subtracted as its weight says."""
    signs = i.arrays["signs"]
    if x[0].dtype.kind == "f":
        result = _correlate(i, x[0], signs.astype(np.float64))
    else:
        result = _add_or_subtract(i, x[0], signs)
    _count_products(tally, i, result.size, signs[0].size)
    return result


def _add_or_subtract(i: Instruction, x: Array, signs: Array) -> Array:
    from costmodel.deploy.kernels import add_or_subtract

    filters = signs if signs.ndim == 4 else signs.reshape(*signs.shape, 1, 1)
    maps = x if i.params["conv"] else x.reshape(-1, x.shape[-1], 1, 1)
    groups, (o, channels, *kernel) = int(i.params.get("groups", 1)), filters.shape
    columns = _columns(i, maps, (kernel[0], kernel[1]))  # [n, h, w, c, kh, kw]
    n, h, w = columns.shape[:3]
    result = np.empty((n, o, h, w), np.int64)
    for group in range(groups):
        part = columns[:, :, :, group * channels : (group + 1) * channels].reshape(n * h * w, -1)
        mask = -(filters[group * o // groups : (group + 1) * o // groups].reshape(o // groups, -1) < 0).astype(np.int64)
        sums = add_or_subtract(np.ascontiguousarray(part, dtype=np.int64), np.ascontiguousarray(mask.T))
        result[:, group * o // groups : (group + 1) * o // groups] = sums.reshape(n, h, w, -1).transpose(0, 3, 1, 2)
    return result if i.params["conv"] else result.reshape(*x.shape[:-1], o)


# -- real ------------------------------------------------------------------------------------------------------------


def real_sum(i: Instruction, x: list[Array], tally: Any) -> Array:
    """Sum of real products in double precision, rounded once to the grid of its result if that is integer."""
    weight = i.arrays["weight"].astype(np.float64)
    result = _correlate(i, x[0].astype(np.float64), weight)
    terms = weight[0].size
    _count_products(tally, i, result.size, terms)
    if "bias" in i.arrays:
        bias = i.arrays["bias"]
        if i.params["conv"] and bias.ndim == 1:
            bias = bias.reshape(-1, 1, 1)
        result = result + bias
        _count(tally, i, "add", result.size)
    fraction = i.params["fraction"]
    return result if fraction < 0 else np.rint(result * 2.0**fraction).astype(np.int64)


def _count_products(tally: Any, i: Instruction, outputs: int, terms: int) -> None:
    """Narrow integers are counted as the bit planes that hardware would take them apart into."""
    for kind, operations, less_one in i.params["products"]:
        _count(tally, i, kind, outputs * terms * operations - (outputs if less_one else 0))


def _columns(i: Instruction, x: Array, kernel: tuple[int, int]) -> Array:
    """Windows ``[n, h_out, w_out, c, kh, kw]`` of zero-padded maps (a view)."""
    stride, padding, dilation = _pair(i, "stride", 1), _pair(i, "padding", 0), _pair(i, "dilation", 1)
    if any(padding):
        x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, (2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]].transpose(0, 2, 3, 1, 4, 5)


def _correlate(i: Instruction, x: Array, weight: Array) -> Array:
    if not i.params["conv"]:
        return np.asarray(x @ weight.T)
    o, channels, kh, kw = weight.shape
    groups = int(i.params.get("groups", 1))
    columns = _columns(i, x, (kh, kw))
    n, h, w = columns.shape[:3]
    parts = []
    for group in range(groups):
        part = columns[:, :, :, group * channels : (group + 1) * channels].reshape(n * h * w, -1)
        filters = weight[group * o // groups : (group + 1) * o // groups].reshape(o // groups, -1)
        parts.append((part @ filters.T).reshape(n, h, w, -1))
    result = parts[0] if groups == 1 else np.concatenate(parts, 3)
    return np.ascontiguousarray(result.transpose(0, 3, 1, 2))
