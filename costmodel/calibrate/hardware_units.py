"""What carries out each instruction in hardware, added to a :class:`~costmodel.calibrate.hardware.Network`.

A rule takes the instruction, the streams of its operands, the only instruction that reads its result if there is only
one, and the foldings; it returns which value it made and its stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from costmodel.calibrate.hardware import Network, Stream, bits_of, literal
from costmodel.deploy.program import Array, Instruction
from costmodel.errors import CostmodelError

#: Rows of an image that a queue next to a convolution holds: those that its windows keep, and one on the way.
QUEUED = 4

Folds = Mapping[str, tuple[int, int]]
Made = tuple[int, Stream]


def unit(net: Network, i: Instruction, given: Sequence[Stream], following: Instruction | None, folds: Folds) -> Made:
    """Add what carries ``i`` out. Raises :class:`CostmodelError` where nothing does."""
    if i.op == "xnor_sum":
        return _binary(net, i, given[0], following, folds)
    if i.op in ("real_sum", "signed_sum"):
        return i.out, _wide(net, i, given[0], folds)
    if i.op == "add" and not i.params["subtract"]:
        return i.out, _added(net, *given)
    if i.op == "threshold":
        return i.out, _decided(net, i, given[0])
    if i.op == "pooled_sum" or (i.op == "max_pool" and given[0].signs):
        return i.out, _pooled(net, i, given[0])
    if i.op == "affine_int" and i.params["mode"] in ("one", "pow2"):
        return i.out, _affine(net, i, given[0])
    if i.op == "prelu_int" and i.params["mode"] == "pow2":
        return _bent(net, i, given[0], following)
    if i.op in ("to_real", "to_int", "move"):
        return i.out, given[0]
    raise CostmodelError(f"{i.module or i.op}: no unit carries out {i.op} {i.params.get('mode', '')}".rstrip())


def _channels(i: Instruction, name: str, channels: int, absent: int = 0) -> Array:
    """A constant of each channel. Raises :class:`CostmodelError` where it differs within one."""
    array = np.asarray(i.arrays.get(name, absent))
    if array.size not in (1, channels):
        raise CostmodelError(f"{i.module}: {name} differs within a channel")
    return np.broadcast_to(array.reshape(-1), (channels,)).astype(np.int64)


# -- sums of products -------------------------------------------------------------------------------------------------


def _matrix(array: Array, pe: int, simd: int = 1) -> Array:
    """Filters [o, i, kh, kw] or rows [o, i], tap by tap, in the order in which ``pe`` rows take ``simd`` columns."""
    rows = array.reshape(*array.shape[:2], -1).swapaxes(1, 2).reshape(len(array), -1)
    mh, mw = rows.shape
    if mh % pe or mw % simd:
        raise CostmodelError(f"{mh} x {mw}: {pe} rows and {simd} columns at a time do not divide it")
    return rows.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3)


def _geometry(i: Instruction, weights: Array) -> tuple[int, int]:
    """Side of the kernel and of the map of results. Raises :class:`CostmodelError` for groups."""
    if weights.ndim == 2:
        return 1, 1
    if i.params.get("groups", 1) != 1 or weights.shape[2] != weights.shape[3]:
        raise CostmodelError(f"{i.module}: no unit for groups or kernels that are not square")
    return weights.shape[2], i.shape[-1]


def _binary(net: Network, i: Instruction, source: Stream, following: Instruction | None, folds: Folds) -> Made:
    """Windows and a matrix unit. Its popcounts leave it as signs where only thresholds read them and no window reaches
    over the border, else as sums: what is outside of the image counts as 0, and came as -1."""
    signs = i.arrays["signs"]
    kernel, side = _geometry(i, signs)
    pe, simd = folds[i.module]
    mh, mw, size = len(signs), signs[0].size, source.rows
    if i.params["conv"]:
        source = net.windows(source, i, kernel)
    source = net.regrouped(source, simd)
    decided = (
        following is not None and following.op == "threshold" and not (i.params["conv"] and max(i.params["padding"]))
    )
    count = bits_of(0, mw + 1)
    numbers = {"MW": mw, "MH": mh, "PE": pe, "SIMD": simd, "ACC": count, "SIGNS": int(decided)}
    literals = {"WEIGHTS": literal((_matrix(signs, pe, simd) > 0).reshape(-1), 1)}
    made = net.named(source, lanes=pe, channels=mh, rows=side, cols=side, low=0, high=mw, signs=decided, late=True)
    if decided:
        assert following is not None
        sums = _limits(following, mh)
        literals["LIMITS"] = literal(np.clip(-((-sums - mw) // 2), 0, mw + 1), count)
    net.unit("matrix_unit", numbers, mh // pe * (mw // simd) * side * side, {"in": source}, {"out": made}, **literals)
    if decided:
        assert following is not None
        return following.out, made
    places, kinds = _outside(i, signs, kernel, side, size)
    bits, index = bits_of(-mw, mw), max(1, (len(kinds) - 1).bit_length())
    numbers = {"PIXELS": len(places), "KINDS": len(kinds), "D": index, "C": count, "S": bits}
    rows = (np.stack(kinds) - mw).reshape(len(kinds), mh // pe, pe)
    spare = (1 << (mh // pe - 1).bit_length()) - mh // pe
    padded = np.concatenate([rows, np.zeros((len(kinds), spare, pe), np.int64)], 1)
    literals = {"PLACES": literal(places, index), "CONSTANTS": literal(padded, bits)}
    return i.out, net.mapped("count_to_sum", made, numbers, literals, low=-mw, high=mw)


def _outside(i: Instruction, signs: Array, kernel: int, side: int, size: int) -> tuple[list[int], list[Array]]:
    """The kind of each of ``side`` x ``side`` results, and for each kind the sums of the weights that stand outside of
    the image, of ``size`` x ``size`` pixels."""
    if not i.params["conv"]:
        return [0], [np.zeros(len(signs), np.int64)]
    (stride, *_), (padding, *_) = i.params["stride"], i.params["padding"]
    found: dict[tuple[bool, ...], int] = {}
    places: list[int] = []
    kinds: list[Array] = []
    for y in range(side):
        for x in range(side):
            taps = tuple(
                not (0 <= y * stride + ky - padding < size and 0 <= x * stride + kx - padding < size)
                for ky in range(kernel)
                for kx in range(kernel)
            )
            if taps not in found:
                found[taps] = len(kinds)
                flat = signs.reshape(*signs.shape[:2], -1).astype(np.int64)
                kinds.append(flat[:, :, np.array(taps)].sum((1, 2)))
            places.append(found[taps])
    return places, kinds


def _wide(net: Network, i: Instruction, source: Stream, folds: Folds) -> Stream:
    """Sums of wide values by weights of few bits, or by signs, one column at a time."""
    weight = np.asarray(i.arrays["signs" if i.op == "signed_sum" else "weight"], float)
    kernel, side = _geometry(i, weight)
    pe, _ = folds[i.module]
    if i.params["conv"]:
        source = net.windows(source, i, kernel)
    source = net.regrouped(source, 1)
    given = np.asarray(i.arrays.get("bias", 0.0))
    fraction = 0 if i.op == "signed_sum" else max(_grid(weight), _grid(given) - source.fraction)
    whole = np.rint(weight * 2.0**fraction).astype(np.int64)
    cut = source.fraction + fraction - (source.fraction if i.op == "signed_sum" else i.params["fraction"])
    mh, mw = len(weight), weight[0].size
    scaled = np.rint(given * 2.0 ** (fraction + source.fraction)).astype(np.int64)
    bias = np.broadcast_to(scaled.reshape(-1), (mh,))
    rows = whole.reshape(mh, -1)
    high = int((np.maximum(rows, 0).sum(1) * source.high - np.minimum(rows, 0).sum(1) * -source.low + bias).max())
    low = int((np.maximum(rows, 0).sum(1) * source.low + np.minimum(rows, 0).sum(1) * source.high + bias).min())
    single = i.op == "signed_sum"
    bits = 1 if single else bits_of(int(whole.min()), int(whole.max()))
    acc = bits_of(low - (1 << cut), high + (1 << cut)) + 1
    made = net.named(source, lanes=pe, channels=mh, rows=side, cols=side, fraction=source.fraction + fraction - cut,
                     low=-(1 << (acc - cut - 1)), high=(1 << (acc - cut - 1)) - 1)  # fmt: skip
    numbers = {"MW": mw, "MH": mh, "PE": pe, "X": source.bits, "B": bits, "ACC": acc, "F": cut}
    order = _matrix(whole, pe)
    net.unit("sum_unit", numbers, mh // pe * mw * side * side, {"in": source}, {"out": made},
             WEIGHTS=literal((order > 0) if single else order, bits), BIAS=literal(bias, acc))  # fmt: skip
    return made


def _grid(numbers: Array) -> int:
    """Fraction bits of weights. Raises :class:`CostmodelError` for real ones."""
    for fraction in range(41):
        if np.array_equal(np.rint(numbers * 2.0**fraction), numbers * 2.0**fraction):
            return fraction
    raise CostmodelError("weights of real sums are to be numbers of few bits: see streaming.in_format")


# -- maps -------------------------------------------------------------------------------------------------------------


def _decided(net: Network, i: Instruction, source: Stream) -> Stream:
    limits = np.clip(_limits(i, source.channels), source.low, source.high + 1)
    bits = max(source.bits, bits_of(0, int(limits.max())))
    numbers = {"W": source.bits, "V": bits}
    return net.mapped("threshold_map", source, numbers, {"LIMITS": literal(limits, bits)}, signs=True)


def _limits(i: Instruction, channels: int) -> Array:
    if i.params["zero"] or (i.arrays["rising"] < 0).any():
        raise CostmodelError(f"{i.module}: no unit for thresholds that fall or decide between 0 and 1")
    return _channels(i, "limits", channels)


def _affine(net: Network, i: Instruction, source: Stream) -> Stream:
    """A multiplication by powers of two, a constant, or both."""
    if i.params["mode"] == "pow2":
        left = _channels(i, "left", source.channels)
        if (_channels(i, "factor", source.channels) != 1).any():
            raise CostmodelError(f"{i.module}: no unit for factors below zero")
        most = max(0, int(left.max()))
        low, high = min(_shifted(source.low, left), -1), max(_shifted(source.high, left), 0)
        index = max(1, int(most - left.min()).bit_length())
        numbers = {"W": source.bits, "LEFT": most, "A": index, "Y": bits_of(low, high), "ROUND": int(left.min() < 0)}
        literals = {"AMOUNTS": literal(most - left, index)}
        source = net.mapped("shift_map", source, numbers, literals, low=low, high=high)
    bias = _channels(i, "bias", source.channels)
    if not bias.any():
        return source
    low, high = source.low + int(bias.min()), source.high + int(bias.max())
    bits = bits_of(low, high)
    numbers = {"W": source.bits, "Y": bits}
    return net.mapped("bias_map", source, numbers, {"BIAS": literal(bias, bits)}, low=low, high=high)


def _shifted(value: int, left: Array) -> int:
    """The end of an interval after the shift that takes it furthest."""
    ends = [value << int(k) if k >= 0 else (value + (1 << (-int(k) - 1))) >> -int(k) for k in left]
    return max(ends) if value > 0 else min(ends)


def _bent(net: Network, i: Instruction, source: Stream, following: Instruction | None) -> Made:
    """A rectifier of powers of two, with the constant that is added to its result."""
    right, out = -_channels(i, "left", source.channels), i.out
    if (_channels(i, "factor", source.channels) != 1).any() or right.min() < 0:
        raise CostmodelError(f"{i.module}: no unit for negative slopes below zero or above one")
    bias = np.zeros(source.channels, np.int64)
    if following is not None and following.op == "affine_int" and following.params["mode"] == "one":
        bias, out = _channels(following, "bias", source.channels), following.out
    low = min(_shifted(min(source.low, -1), -right), 0) + int(bias.min())
    high = source.high + int(bias.max())
    bits, index = bits_of(low, high), max(1, int(right.max()).bit_length())
    numbers = {"W": source.bits, "A": index, "Y": bits}
    literals = {"AMOUNTS": literal(right, index), "BIAS": literal(bias, bits)}
    return out, net.mapped("qprelu_map", source, numbers, literals, low=low, high=high)


def _added(net: Network, a: Stream, b: Stream) -> Stream:
    """Two streams, each behind a queue that holds what comes of one while the other is still being made."""
    if a.lanes != b.lanes:
        lanes = min(a.lanes, b.lanes)
        a, b = net.regrouped(a, lanes), net.regrouped(b, lanes)
    a, b = (s if s.late else net.queue(s, QUEUED * s.cols * s.folds) for s in (a, b))
    low, high = a.low + b.low, a.high + b.high
    made = net.named(a, low=low, high=high, late=False)
    numbers = {"PE": a.lanes, "A": a.bits, "B": b.bits, "Y": bits_of(low, high)}
    net.unit("add_streams", numbers, made.words, {"a": a, "b": b}, {"out": made})
    return made


def _pooled(net: Network, i: Instruction, source: Stream) -> Stream:
    """Sums, or maxima of signs, over squares of pixels that do not overlap."""
    kernel = i.params["kernel"][0]
    if set(i.params["kernel"]) != {kernel} or set(i.params["stride"]) != {kernel} or any(i.params["padding"]):
        raise CostmodelError(f"{i.module}: no unit for pools that overlap or have borders")
    rows, cols = source.rows // kernel, source.cols // kernel
    numbers = {"PE": source.lanes, "FOLDS": source.folds, "ROWS": source.rows, "COLS": source.cols, "K": kernel}
    if source.signs:
        made = net.named(source, rows=rows, cols=cols)
        net.unit("or_pool", numbers, source.words, {"in": source}, {"out": made})
        return made
    low, high = source.low * kernel**2, source.high * kernel**2
    made = net.named(source, rows=rows, cols=cols, low=low, high=high)
    numbers |= {"W": source.bits, "Y": made.bits}
    net.unit("sum_pool", numbers, source.words, {"in": source}, {"out": made})
    return made
