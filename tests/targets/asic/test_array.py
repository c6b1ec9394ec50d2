"""Tiles, cycles and traffic of the processing array."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.targets.asic.array import Array, Product, tile

products = st.builds(
    lambda channels, positions, depth, taps, acc: Product(
        1, channels, positions, depth * taps, taps, channels * depth * taps, depth * positions, 1, acc
    ),
    st.integers(1, 300), st.integers(1, 3000), st.integers(1, 600), st.sampled_from([1, 4, 9, 49]), st.integers(1, 24),
)  # fmt: skip
arrays = st.builds(Array, st.integers(1, 64), st.integers(1, 1024), st.integers(1, 32))


@given(products, arrays, st.sampled_from(["output", "weight"]))
def test_the_array_never_does_more_work_a_cycle_than_it_has_lanes(product: Product, array: Array, flow: str) -> None:
    tiling = tile(product, array, flow, 64)  # type: ignore[arg-type]
    work = product.channels * product.positions * product.terms
    assert work <= tiling.compute_cycles * array.lanes
    assert tiling.cycles >= tiling.compute_cycles
    assert tiling.cycles * 64 >= tiling.weight_reads
    assert tiling.cycles * 64 >= tiling.input_reads


@given(products, arrays)
def test_a_wide_port_never_stalls_and_what_stays_is_read_once(product: Product, array: Array) -> None:
    output, weight = (tile(product, array, flow, 2**60) for flow in ("output", "weight"))  # type: ignore[arg-type]
    assert output.cycles == output.compute_cycles
    assert weight.weight_reads == product.weight_bits
    assert output.partial_sums == 0
    assert output.weight_reads == product.weight_bits * math.ceil(product.positions / array.pixels)
    assert weight.partial_sums == 2 * product.outputs * product.bits_acc * (weight.term_tiles - 1)


def test_a_layer_that_fills_the_array_takes_the_exact_cycles() -> None:
    product = Product(1, 64, 900, 1024, 4, 65536, 256 * 1024, 1, 12)
    tiling = tile(product, Array(64, 1024, 1), "weight", 2**20)
    assert (tiling.channel_tiles, tiling.term_tiles, tiling.position_tiles) == (1, 1, 900)
    assert tiling.compute_cycles == 900
    assert tiling.partial_sums == 0


def test_an_array_of_one_kernel_size_leaves_taps_idle() -> None:
    array = Array(1, 784, 1, window=49)
    large = Product(1, 1, 100, 49 * 16, 49, 784, 1600, 1, 11)
    small = Product(1, 1, 100, 9 * 16, 9, 144, 1600, 1, 9)
    assert tile(large, array, "weight", 2**20).compute_cycles == tile(small, array, "weight", 2**20).compute_cycles
    deeper = Product(1, 1, 100, 9 * 32, 9, 288, 3200, 1, 10)
    assert tile(deeper, array, "weight", 2**20).compute_cycles == 200


def test_without_a_window_buffer_every_tap_reads_its_input() -> None:
    product = Product(1, 32, 100, 9 * 64, 9, 32 * 576, 6400, 1, 11)
    buffered = tile(product, Array(32, 64, 1), "output", 2**20)
    plain = tile(product, Array(32, 64, 1), "output", 2**20, window_buffer=False)
    assert plain.input_reads == 9 * buffered.input_reads


@pytest.mark.parametrize("flow", ["output", "weight"])
def test_arrays_of_configurations_agree_with_single_ones(flow: str) -> None:
    product = Product(1, 96, 784, 576, 9, 96 * 576, 64 * 900, 1, 11)
    outputs, terms, pixels = np.array([1, 8, 64, 100]), np.array([64, 100, 576, 1000]), np.array([1, 4, 7, 16])
    many = tile(product, Array(outputs, terms, pixels), flow, 512)  # type: ignore[arg-type]
    for i in range(4):
        one = tile(product, Array(int(outputs[i]), int(terms[i]), int(pixels[i])), flow, 512)  # type: ignore[arg-type]
        for name in ("cycles", "compute_cycles", "weight_reads", "input_reads", "partial_sums", "register_bits"):
            each = getattr(many, name)
            assert (each[i] if np.ndim(each) else each) == getattr(one, name), name
