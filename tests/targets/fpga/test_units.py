"""Building blocks of FPGA designs against synthesis, and the algebra that a search over foldings relies on."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.targets import load_target
from costmodel.targets.fpga import streams
from costmodel.targets.fpga.fit import nominal
from costmodel.targets.fpga.units import (
    SERIES7,
    Fabric,
    MatrixShape,
    block_rams,
    cycles,
    dsp_blocks,
    memory,
    multiplier,
    mvu,
    prelu,
    qprelu,
    shifter,
    totals,
)

LAWS = nominal(load_target("pynq-z2"))


def lut(parts):
    return totals(parts, LAWS).get("lut", 0)


def dsp(parts):
    return totals(parts, LAWS).get("dsp", 0)


# -- what synthesis says ----------------------------------------------------------------------------------------------


def test_the_published_units_of_32_bits():
    assert (lut(multiplier(1, 32, 32)), dsp(multiplier(1, 32, 32))) == (47, 4)
    assert (lut(multiplier(1, 32, 32, top=32)), dsp(multiplier(1, 32, 32, top=32))) == (0, 3)
    assert (lut(prelu(1, 32, fraction=10)), dsp(prelu(1, 32, fraction=10))) == (57, 4)
    assert (lut(shifter(1, 32, "shift_channel", amounts=4)), dsp(shifter(1, 32, "shift_channel", amounts=4))) == (32, 0)
    assert (lut(qprelu(1, 32)), dsp(qprelu(1, 32))) == (32, 0)


@pytest.mark.parametrize("fraction", range(1, 32))
def test_a_real_slope_costs_one_lut_a_fraction_bit_on_top_of_47(fraction):
    assert lut(prelu(1, 32, fraction)) == 47 + fraction


def test_the_three_prices_of_a_shift_are_in_order():
    wire, channel, variable = (
        lut(shifter(1, 32, "shift_const")),
        lut(shifter(1, 32, "shift_channel", amounts=4)),
        lut(shifter(1, 32, "shift_var")),
    )
    assert wire == 0 < channel < variable
    assert lut(shifter(1, 32, "shift_channel", amounts=1)) == 0
    assert 90 <= variable <= 115  # synthesis: 96 to 115


@pytest.mark.parametrize(
    ("a", "b", "blocks"), [(8, 8, 1), (16, 16, 1), (18, 18, 1), (24, 24, 2), (32, 16, 2), (32, 32, 4)]
)
def test_dsp_slices_as_synthesis_tiles_them(a, b, blocks):
    assert dsp_blocks(a, b) == dsp_blocks(b, a) == blocks


def test_dsp_slices_of_other_families():
    ice40, ecp5 = Fabric(16, 16, 16, 16), Fabric(18, 18, 18, 18)
    assert dsp_blocks(32, 32, ice40) == dsp_blocks(32, 32, ecp5) == 4
    assert totals(multiplier(1, 32, 32, fabric=ice40), LAWS)["lut"] == 48


# a whole matrix unit of 576 x 64 with a compressor tree, by synthesis; block RAMs of 18 kbit
SYNTHESISED = """pe,simd,lut,ff,bram18
1,32,168,104,3
2,32,202,121,4
4,32,331,163,4
8,32,588,246,8
8,16,390,225,8
8,64,999,283,16
16,32,1024,337,16
16,64,1830,382,32
4,96,740,225,12
"""


@pytest.mark.parametrize("row", list(csv.DictReader(io.StringIO(SYNTHESISED))), ids=lambda r: f"{r['pe']}x{r['simd']}")
def test_matrix_units_within_ten_percent_of_synthesis(row):
    pe, simd = int(row["pe"]), int(row["simd"])
    shape = MatrixShape(576, 64, 1, 1, 1, 10)
    parts = mvu(shape, pe, simd, "compressor")
    measured_as_memory = lut([p for p in parts if p.factors == ("lutram_lut_per_bit",)])  # not counted by synthesis
    found = totals(parts, LAWS)
    assert found["lut"] - measured_as_memory == pytest.approx(int(row["lut"]), rel=0.10)
    assert found["ff"] == pytest.approx(int(row["ff"]), rel=0.10)
    assert int(row["bram18"]) <= found["bram18"] <= int(row["bram18"]) + 1


def test_a_matrix_unit_that_no_law_has_seen():
    """1152 x 128, PE 8, SIMD 64: 1018 LUT and 8 block RAMs of 36 kbit."""
    parts = mvu(MatrixShape(1152, 128, 1, 1, 1, 11), 8, 64, "compressor")
    found = totals([p for p in parts if p.factors != ("lutram_lut_per_bit",)], LAWS)
    assert found["lut"] == pytest.approx(1018, rel=0.10)
    assert found["bram18"] == 16


# -- memories ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "width", "blocks"),
    [
        (416, 64, 2),
        (512, 32, 1),
        (512, 36, 1),
        (513, 36, 2),
        (2304, 32, 8),
        (18432, 32, 64),
        (32768, 4, 8),
        (8192, 1, 1),
    ],
)
def test_block_rams_by_the_shallowest_aspect_that_holds_the_depth(depth, width, blocks):
    assert block_rams(depth, width) == blocks


@given(st.integers(1, 200_000), st.integers(1, 300))
def test_block_rams_hold_every_bit(depth, width):
    assert block_rams(depth, width) * 18 * 1024 >= depth * width


@given(st.integers(1, 40_000), st.integers(1, 100), st.integers(1, 40_000))
def test_block_rams_never_fall_with_width(depth, width, more):
    assert block_rams(depth, width) <= block_rams(depth, width + more % 50)


def test_small_memories_are_made_of_luts():
    assert totals(memory("m", "w", 32, 16), LAWS) == {"bram18": 0, "lut": 16}
    assert totals(memory("m", "w", 64, 17), LAWS) == {"bram18": 1, "lut": 0}
    assert totals(memory("m", "w", 64, 17, 1, "distributed"), LAWS) == {"lut": 17}
    assert totals(memory("m", "w", 5000, 73, 1, "ultra"), LAWS) == {"uram": 4}
    no_lutram = Fabric(lutram_depth=0, srl_depth=0)
    assert totals(memory("m", "w", 32, 16, fabric=no_lutram), LAWS) == {"bram18": 1}


def test_threshold_memories_of_the_overlays_bit_for_bit():
    """lfcW1A1 uses 2314 LUTs as distributed RAM, all but ten of them for the 16-bit thresholds of its 144 PEs."""
    layers = [(832, 1024, 32, 64), (1024, 1024, 64, 32), (1024, 1024, 32, 64), (1024, 64, 16, 8)]
    used = 0
    for mw, mh, pe, simd in layers:
        parts = mvu(MatrixShape(mw, mh, 1, 1, 1, 16, 1), pe, simd, "hls")
        used += lut([p for p in parts if p.component == "threshold" and p.factors == ("lutram_lut_per_bit",)])
    assert used == 2304
    assert abs(used - 2314) <= 10


def test_weight_memories_of_the_overlays_block_for_block():
    """lfcW1A1 uses 208 block RAMs of 18 kbit for weights and six of 36 kbit to and from the host."""
    layers = [(832, 1024, 32, 64), (1024, 1024, 64, 32), (1024, 1024, 32, 64), (1024, 64, 16, 8)]
    weights = sum(totals(mvu(MatrixShape(a, b, 1, 1, 1, 16, 1), p, s, "hls"), LAWS)["bram18"] for a, b, p, s in layers)
    host = totals(streams.host_interface(64, 1024, "hls"), LAWS)["bram18"]
    assert (weights, host) == (208, 12)


# -- numbers and arrays are the same code -----------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([(27, 64), (576, 64), (1152, 128), (784, 1024), (9, 32)]),
    st.sampled_from([(1, 1), (2, 1), (8, 1), (2, 2), (8, 8), (16, 1), (3, 3)]),
    st.sampled_from(["hls", "compressor", "behavioural"]),
    st.integers(0, 3),
    st.sampled_from(["auto", "block", "distributed", "ultra"]),
)
def test_arrays_of_foldings_cost_what_each_folding_costs(size, bits, impl, thresholds, style):
    mw, mh = size
    shape = MatrixShape(mw, mh, 7, *bits, 16, thresholds)
    pe = np.array([p for p in range(1, mh + 1) if mh % p == 0] * 2)
    simd = np.array([1] * (len(pe) // 2) + [mw] * (len(pe) // 2))
    together = totals(mvu(shape, pe, simd, impl, SERIES7, style), LAWS)
    for i in range(len(pe)):
        alone = totals(mvu(shape, int(pe[i]), int(simd[i]), impl, SERIES7, style), LAWS)
        for name, value in alone.items():
            assert np.broadcast_to(together[name], pe.shape)[i] == pytest.approx(value, rel=1e-12), name


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 50))
def test_cycles_are_the_matrix_over_the_lanes(pe, simd, vectors):
    shape = MatrixShape(simd * 3, pe * 5, vectors)
    assert cycles(shape, pe, simd) == 15 * vectors
    assert cycles(shape, shape.mh, shape.mw) == vectors


@given(st.sampled_from([1, 2, 4, 8, 16, 32]), st.sampled_from([4, 8, 16, 32, 64]))
def test_more_lanes_never_take_fewer_luts(pe, simd):
    shape = MatrixShape(1152, 128, 1)
    for impl in ("hls", "compressor", "behavioural"):
        here = lut(mvu(shape, pe, simd, impl, SERIES7, "block"))
        assert lut(mvu(shape, 2 * pe, simd, impl, SERIES7, "block")) > here
        assert lut(mvu(shape, pe, 2 * simd, impl, SERIES7, "block")) >= here * 0.99  # the input buffer gets shallower


def test_equal_streams_need_no_converter():
    assert not any(totals(streams.width_converter(64, 64, "hls", 4096), LAWS).values())
    assert totals(streams.width_converter(64, 32, "hls", 4096), LAWS)["ff"] > 64


def test_deep_buffers_are_block_ram_and_shallow_ones_are_not():
    assert totals(streams.fifo(64, 128), LAWS)["bram18"] == 2
    assert totals(streams.fifo(32, 16), LAWS) == {"ff": 0, "lut": 32, "bram18": 0}
    assert totals(streams.fifo(32, 2), LAWS)["ff"] == 64
