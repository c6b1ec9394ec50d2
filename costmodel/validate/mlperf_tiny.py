"""The networks of the FPGA submissions to MLPerf Tiny v0.7, with the foldings that their build files state.

Layers and widths are those of the training files (``mlperf_tiny_v07``); activations are part of the matrices here, as
in the designs, so that only the matrices are written down. FINN's folding of keyword spotting follows from its folding
pass and the rate that the build asks for. hls4ml states a *reuse factor*: the cycles that a matrix takes for one
vector, so a fold of as many lanes as its products over that factor; a factor beyond the products means one lane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from costmodel.graph.domain import accumulator_bits, integer
from costmodel.graph.operands import Window
from costmodel.ledger.ledger import Layer, Ledger

#: PE and SIMD per layer.
Lanes = tuple[tuple[int, int], ...]

#: kws/KWS-W3A3/inference/*/build.py: target_fps=200000 at 10 ns, so FINN's pass folds for fewer than 500 cycles.
KWS_FOLDING: Lanes = ((32, 10), (32, 8), (32, 8), (1, 8))
#: ad/AD08/inference/hls4ml_config.yml: a reuse factor of 144, of 8 in the layer that narrows to 8 values.
AD08_FOLDING: Lanes = ((1, 32), (1, 36), (1, 72), (1, 4), (1, 36), (4, 8))
#: ic/RN07/inference/*: a reuse factor of 16384, at least the products of every matrix but two, which have one lane too.
RN07_FOLDING: Lanes = ((1, 1),) * 6
#: ic/RN07/inference/arty-a7-100t/*/hdf: the accelerator runs on the clock of the memory controller.
RN07_ARTY_HZ = 83_333_333.0


def kws() -> Ledger:
    """Keyword spotting: 490 values of 8 bits, three dense layers of 256, 12 results; weights and values of 3 bits."""
    sizes = (490, 256, 256, 256, 12)
    layers = [_dense(i, sizes[i], sizes[i + 1], 8 if i == 0 else 3, 3) for i in range(4)]
    return Ledger("KWS-W3A3", "deployed", tuple(layers), (), ())


def ad08() -> Ledger:
    """Anomaly detection: an autoencoder of 64, 72, 72, 8, 72, 72, 64 values, weights of 13 bits."""
    sizes = (64, 72, 72, 8, 72, 72, 64)
    layers = [_dense(i, sizes[i], sizes[i + 1], 8 if i == 0 else 7, 13) for i in range(6)]
    return Ledger("AD08", "deployed", tuple(layers), (), ())


def rn07() -> Ledger:
    """Image classification: five convolutions without shortcuts on 32 x 32 pixels and a classifier, 8-bit weights."""
    shapes = ((3, 32, 32, 1, 1), (32, 4, 32, 4, 1), (4, 32, 32, 4, 1), (32, 32, 32, 4, 4), (32, 32, 8, 4, 1))
    layers = [_conv(i, *shape, bits=8 if i == 0 else 9) for i, shape in enumerate(shapes)]
    return Ledger("RN07", "deployed", (*layers, _dense(5, 32 * 8 * 8, 10, 9, 8)), (), ())


NETWORKS: Mapping[str, Callable[[], Ledger]] = {"KWS-W3A3": kws, "AD08": ad08, "RN07": rn07}


def _dense(index: int, columns: int, rows: int, bits_a: int, bits_w: int) -> Layer:
    out = integer(accumulator_bits(columns, bits_a, bits_w))
    return Layer(
        index, f"dense{index}", 0, "linear", (index - 1,), (1, columns), (1, rows), integer(bits_a), out,
        integer(bits_w), (rows, columns), None, columns, rows * columns,
    )  # fmt: skip


def _conv(index: int, c_in: int, c_out: int, size: int, kernel: int, stride: int, *, bits: int) -> Layer:
    """A convolution of weights of 8 bits, padded to keep the size but for its stride."""
    terms, pixels = c_in * kernel**2, -(-size // stride)
    window = Window((kernel, kernel), (stride, stride), ((kernel - 1) // 2,) * 2, (1, 1))
    shape_out = (1, c_out, pixels, pixels)
    return Layer(
        index, f"conv{index}", 0, "conv", (index - 1,), (1, c_in, size, size), shape_out, integer(bits), integer(9),
        integer(8), (c_out, c_in, kernel, kernel), window, terms, terms * prod(shape_out),
    )  # fmt: skip
