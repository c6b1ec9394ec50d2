"""Sums and windows on packed and plain maps agree with PyTorch at every border, stride and size."""

from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel.deploy.elementwise import by_channel, cut, scale_add, scale_negative, shift_add, shift_negative
from costmodel.deploy.kernels import pack_signs
from costmodel.deploy.ops import OPS, shift
from costmodel.deploy.program import Instruction


@st.composite
def convolutions(draw):
    """Adversarial geometry: kernels larger than maps, paddings up to the kernel, odd strides, partial words."""
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    padding = (draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    size = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels = groups * draw(st.sampled_from([1, 2, 31, 63, 64, 65, 130]))
    filters = groups * draw(st.integers(1, 5))
    for n, k, p in zip(size, kernel, padding, strict=True):
        assume(n + 2 * p >= dilation * (k - 1) + 1)
    return kernel, stride, dilation, padding, size, groups, channels, filters, draw(st.integers(0, 2**31))


def instruction(op, geometry, shape=(), **more):
    _, stride, dilation, padding, _, groups, *_ = geometry
    params = {
        "conv": True,
        "stride": [stride] * 2,
        "dilation": [dilation] * 2,
        "padding": list(padding),
        "groups": groups,
    }
    arrays = more.pop("arrays", {})
    return Instruction(op, 1, (0,), shape, "m", 0, "conv", params | more, arrays)


def tensors(geometry, zero):
    kernel, _, _, _, size, groups, channels, filters, seed = geometry
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (2, channels, *size)).astype(np.int8)
    w = 2 * rng.integers(0, 2, (filters, channels // groups, *kernel)).astype(np.int8) - 1
    return (x if zero else 2 * x - 1), w.astype(np.int8), rng


def torch_conv(geometry, x, w):
    _, stride, dilation, padding, _, groups, *_ = geometry
    return F.conv2d(torch.tensor(x).double(), torch.tensor(w).double(), None, stride, padding, dilation, groups).numpy()


@settings(max_examples=150, deadline=None)
@given(convolutions(), st.booleans())
def test_packed_sums_equal_convolutions(geometry, zero):
    x, w, _ = tensors(geometry, zero)
    tally = Counter()
    got = OPS["xnor_sum"](instruction("xnor_sum", geometry, arrays={"signs": w}, zero=zero), [x], tally)
    expected = torch_conv(geometry, x, w)
    assert np.array_equal(got, expected)
    products = expected.size * w[0].size
    assert tally == {("m", 0, "conv", "and" if zero else "xnor"): products, ("m", 0, "conv", "popcount"): products}


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_signed_sums_equal_convolutions(geometry):
    x, w, rng = tensors(geometry, False)
    wide = rng.integers(-(2**40), 2**40, x.shape)
    got = OPS["signed_sum"](
        instruction("signed_sum", geometry, arrays={"signs": w}, products=[["signflip", 1, False]]), [wide], None
    )
    assert np.array_equal(got, torch_conv(geometry, wide, w))  # sums of 2^40 are exact in double precision


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_real_sums_equal_convolutions(geometry):
    x, w, rng = tensors(geometry, False)
    weight, maps = rng.standard_normal(w.shape), rng.standard_normal(x.shape)
    made = instruction("real_sum", geometry, arrays={"weight": weight}, products=[["mul", 1, False]], fraction=-1)
    np.testing.assert_allclose(OPS["real_sum"](made, [maps], None), torch_conv(geometry, maps, weight), atol=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(4, 11), st.integers(0, 2**31))
def test_pooling_equals_pytorch(kernel, stride, padding, size, seed):
    padding = min(padding, kernel // 2)
    x = np.random.default_rng(seed).integers(-100, 100, (2, 3, size, size))
    params = {"kernel": [kernel] * 2, "stride": [stride] * 2, "padding": [padding] * 2}
    t = torch.tensor(x).double()
    largest = F.max_pool2d(t, kernel, stride, padding)
    tally = Counter()
    got = OPS["max_pool"](Instruction("max_pool", 1, (0,), (), "m", 0, "max_pool", params), [x], tally)
    assert np.array_equal(got, largest)
    assert tally["m", 0, "max_pool", "compare"] == largest.numel() * (kernel**2 - 1)
    total = F.avg_pool2d(t, kernel, stride, padding) * kernel**2
    made = Instruction("pooled_sum", 1, (0,), (1, *total.shape[1:]), "m", 0, "avg_pool", params)
    np.testing.assert_allclose(OPS["pooled_sum"](made, [x], None), total, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**31))
def test_packing_keeps_every_sign_and_pads_with_zero_bits(channels, seed):
    signs = 2 * np.random.default_rng(seed).integers(0, 2, (2, channels, 3, 2)).astype(np.int8) - 1
    words = pack_signs(signs)
    bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little").reshape(2, 3, 2, -1)
    assert np.array_equal(bits[..., :channels].transpose(0, 3, 1, 2), signs > 0)
    assert not bits[..., channels:].any()


@settings(max_examples=100, deadline=None)
@given(st.integers(-(2**40), 2**40), st.integers(-30, 12))
def test_shifts_round_to_nearest(value, left):
    exact = value * 2.0**left
    for got in (shift(np.array([value]), np.array(left)), shift(np.array([value]), np.array([left]))):
        assert abs(got[0] - exact) <= 0.5 and (left < 0 or got[0] == exact)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_one_pass_kernels_equal_plain_arithmetic(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-(2**20), 2**20, (2, 5, 3, 4))
    factor, left, bias = (rng.integers(a, b, (1, 5, 1, 1)) for a, b in ((-3, 4), (-6, 5), (-100, 100)))
    scale = rng.standard_normal((1, 5, 1, 1))
    limits, rising = rng.integers(-(2**20), 2**20, (1, 5, 1, 1)), rng.integers(0, 2, (1, 5, 1, 1))
    assert np.array_equal(
        shift_add(*by_channel(x, factor, left, bias)).reshape(x.shape), shift(x * factor, left) + bias
    )
    expected = np.rint(x * scale).astype(np.int64) + bias
    assert np.array_equal(scale_add(*by_channel(x, scale, bias)).reshape(x.shape), expected)
    low = np.where(x >= 0, x, shift(x * factor, left))
    assert np.array_equal(shift_negative(*by_channel(x, factor, left)).reshape(x.shape), low)
    high = np.where(rising == 1, x >= limits, x <= limits)
    assert np.array_equal(cut(*by_channel(x, limits, rising), -1).reshape(x.shape), 2 * high.astype(int) - 1)
    low = np.where(x >= 0, x, np.rint(x * scale).astype(np.int64))
    assert np.array_equal(scale_negative(*by_channel(x, scale)).reshape(x.shape), low)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.sampled_from([np.int8, np.int32, np.int64]))
def test_largest_of_windows_of_integers_are_those_of_pytorch(geometry, kind):
    kernel, stride, dilation, padding, size, *_, seed = geometry
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))  # all that PyTorch takes
    assume(all(n + 2 * p >= dilation * (k - 1) + 1 for n, p, k in zip(size, padding, kernel, strict=True)))
    x = np.random.default_rng(seed).integers(-100, 100, (2, 3, *size)).astype(kind)
    expected = F.max_pool2d(torch.tensor(x.astype(np.float64)), kernel, stride, padding, dilation).numpy()
    assume(np.isfinite(expected).all())  # a window in the padding alone is refused when a network is assembled
    params = {"kernel": list(kernel), "stride": [stride] * 2, "padding": list(padding), "dilation": [dilation] * 2}
    tally = Counter()
    got = OPS["max_pool"](Instruction("max_pool", 1, (0,), (), "m", 0, "max_pool", params), [x], tally)
    assert got.dtype == kind and np.array_equal(got, expected)
    assert tally["m", 0, "max_pool", "compare"] == got.size * (kernel[0] * kernel[1] - 1)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(1, 3), st.integers(2, 9))
def test_depthwise_sums_are_those_of_pytorch(geometry, each, channels):
    kernel, stride, dilation, padding, size, *_, seed = geometry
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((2, channels, *size)), rng.standard_normal((channels * each, 1, *kernel))
    geometry = (kernel, stride, dilation, padding, size, channels)
    made = instruction("real_sum", geometry, arrays={"weight": weight}, fraction=-1, products=[])
    got = OPS["real_sum"](made, [x], None)
    assert got.shape[1] == channels * each
    expected = torch_conv(geometry, x, weight)
    assert np.allclose(got, expected, rtol=1e-12, atol=1e-12)
