"""Building blocks of FPGA designs against synthesis, and the algebra that a search over foldings relies on."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.targets import load_target
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.job import Structure, make_fabric, nominal
from costmodel.targets.fpga.units import (
    SERIES7,
    Fabric,
    MatrixShape,
    accumulators,
    block_rams,
    cycles,
    dsp_blocks,
    input_buffer,
    lanes,
    loader,
    loop_bound,
    memory,
    multiplier,
    multiplier_luts,
    mvu,
    prelu,
    product_bits,
    qprelu,
    shifter,
    threshold_memory,
    totals,
)
from tests.near import near

LAWS = nominal(load_target("pynq-z2"))


def lut(parts):
    return totals(parts, LAWS).get("lut", 0)


def dsp(parts):
    return totals(parts, LAWS).get("dsp", 0)


# -- what synthesis says ----------------------------------------------------------------------------------------------


def test_the_published_units_of_32_bits():
    assert (lut(multiplier(1, 32, 32)), dsp(multiplier(1, 32, 32))) == (47, 4)
    assert (lut(multiplier(1, 32, 32, top=32)), dsp(multiplier(1, 32, 32, top=32))) == (0, 3)
    assert (lut(multiplier(1, 50, 50)), dsp(multiplier(1, 50, 50))) == (83, dsp_blocks(50, 50))
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
    assert found["lut"] - measured_as_memory == near(int(row["lut"]), rel=0.10)
    assert found["ff"] == near(int(row["ff"]), rel=0.10)
    assert int(row["bram18"]) <= found["bram18"] <= int(row["bram18"]) + 1


def test_a_matrix_unit_that_no_law_has_seen():
    """1152 x 128, PE 8, SIMD 64: 1018 LUT and 8 block RAMs of 36 kbit."""
    parts = mvu(MatrixShape(1152, 128, 1, 1, 1, 11), 8, 64, "compressor")
    found = totals([p for p in parts if p.factors != ("lutram_lut_per_bit",)], LAWS)
    assert found["lut"] == near(1018, rel=0.10)
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


@pytest.mark.parametrize(("depth", "width"), SERIES7.ram)
def test_each_aspect_of_a_block_ram_is_filled_to_the_last_bit_and_no_further(depth, width):
    assert block_rams(depth, width) == 1
    assert block_rams(depth, width + 1) == 2
    assert depth * width in (16384, 18432)  # without and with the parity bits (UG473)


@pytest.mark.parametrize(("a", "b", "expected"), [(3, 2, 1.0 * 3 * 2), (8, 4, 1.0 * 8 * 4), (4, 8, 1.0 * 4 * 8)])
def test_multipliers_of_luts_are_quadratic_with_a_linear_saving(a, b, expected):
    constants = {"multiplier_lut_per_bit2": 1.0, "multiplier_lut_saved_per_bit": 0.25, "narrow": 2.0}
    assert totals(multiplier_luts("multiply", 7, a, b, "narrow"), constants)["lut"] == 7 * (
        expected - 0.25 * (a + b) / 2
    )


@pytest.mark.parametrize(("a", "b", "bits"), [(1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 2, 3)])
def test_the_narrowest_multipliers_are_a_lut_for_each_bit_of_the_product(a, b, bits):
    constants = {"narrow": 2.0}
    parts = multiplier_luts("multiply", 7, a, b, "narrow")
    assert totals(parts, constants) == {"lut": 7 * 2.0 * product_bits(a, b)}
    assert product_bits(a, b) == bits


@given(st.integers(1, 40_000), st.integers(1, 100), st.integers(1, 40_000))
def test_block_rams_never_fall_with_width(depth, width, more):
    assert block_rams(depth, width) <= block_rams(depth, width + more % 50)


def test_small_memories_are_made_of_luts():
    assert totals(memory("m", "w", 32, 16), LAWS) == {"bram18": 0, "lut": 16, "memory_bits": 16}
    assert totals(memory("m", "w", 64, 17), LAWS) == {"bram18": 1, "lut": 0, "memory_bits": 17}
    assert totals(memory("m", "w", 64, 17, 1, "distributed"), LAWS) == {"lut": 17, "memory_bits": 17}
    assert totals(memory("m", "w", 5000, 73, 2, "ultra"), LAWS) == {"uram": 8, "memory_bits": 146}
    no_lutram = Fabric(lutram_depth=0, srl_depth=0)
    assert totals(memory("m", "w", 32, 16, fabric=no_lutram), LAWS) == {"bram18": 1, "memory_bits": 16}


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
            assert np.broadcast_to(together[name], pe.shape)[i] == near(value, rel=1e-12), name


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
    assert parts_of(streams.fifo(32, 16)) == {
        **NO_STREAM, ("lut", "lutram_lut_per_bit"): 32, ("ff", "fifo_ff_per_bit"): 32,
        ("lut", "fifo_lut_base"): 1, ("ff", "fifo_ff_base"): 1,
    }  # fmt: skip
    assert parts_of(streams.fifo(32, 2)) == {
        **NO_STREAM, ("ff", "register_ff_per_bit"): 64, ("lut", "mux2_lut_per_bit"): 32,
        ("lut", "stream_lut_base"): 1, ("ff", "stream_ff_base"): 1,
    }  # fmt: skip


#: All that a buffer may consist of.
NO_STREAM = dict.fromkeys(
    [
        *(("ff", f"{name}_ff_{what}") for name, what in (("register", "per_bit"), ("fifo", "per_bit"))),
        *((m, f"{name}_{m}_base") for name in ("stream", "fifo") for m in ("lut", "ff")),
        ("lut", "mux2_lut_per_bit"), ("lut", "lutram_lut_per_bit"), ("bram18", "bram_decomposition"),
    ],
    0,
)  # fmt: skip


@pytest.mark.parametrize(("before", "after", "selected"), [(8, 64, 0), (64, 8, 56), (24, 36, 0), (36, 24, 12)])
def test_only_a_converter_to_narrower_words_takes_a_multiplexer(before, after, selected):
    for impl, base in (("hls", "unit_hls"), ("behavioural", "converter"), ("compressor", "converter")):
        parts = parts_of(streams.width_converter(before, after, impl))
        assert parts[("lut", "mux2_lut_per_bit")] == selected
        assert parts[("ff", "register_ff_per_bit")] == max(before, after)
        assert parts[("lut", f"{base}_lut_base")] == parts[("ff", f"{base}_ff_base")] == 1


@pytest.mark.parametrize("by", ["finn", "finn-hls"])
def test_what_finn_makes_has_fixed_shares_by_kind_of_unit(by):
    """Products, rows and multiplexers are those of any high-level synthesis; the fixed shares are their own."""
    window, shape = streams.WindowShape(32, 16, 1, 3), MatrixShape(72, 32, 100, n_thresholds=1)
    suffix = by.replace("-", "_")
    for make, laws in (
        (lambda impl: streams.window(window, 8, impl), ("lutram_lut_per_bit", f"window_{suffix}", f"window_{suffix}")),
        (
            lambda impl: streams.width_converter(24, 8, impl),
            ("mux2_lut_per_bit", f"converter_{suffix}", f"converter_{suffix}"),
        ),
        (lambda impl: streams.pool(8, 16, 1, 16, "or", impl), ("mux2_lut_per_bit", "pool_finn", "unit_finn")),
        (lambda impl: mvu(shape, 4, 8, impl), ("popcount_hls_lut_per_lane", "unit_finn", "unit_finn")),
    ):
        path, logic, registers = laws
        own, overlay = parts_of(make(by)), parts_of(make("hls"))
        assert own.get(("lut", path)) == overlay.get(("lut", path))
        assert own[("lut", f"{logic}_lut_base")] == own[("ff", f"{registers}_ff_base")] == 1
        assert not {("lut", "unit_hls_lut_base"), ("ff", "unit_hls_ff_base")} & own.keys()
        assert overlay[("lut", "unit_hls_lut_base")] == overlay[("ff", "unit_hls_ff_base")] == 1


def test_thresholds_of_finn_are_constants_of_its_program_and_those_of_the_overlays_are_loaded():
    shape = MatrixShape(72, 32, 100, bits_a=2, bits_w=1, n_thresholds=3)
    own, overlay = parts_of(mvu(shape, 4, 8, "finn")), parts_of(mvu(shape, 4, 8, "hls"))
    assert own[("lut", "mvu_finn_lut_per_threshold_bit")] == 4 * 3 * 16 == overlay[("lut", "compare_lut_per_bit")]
    assert own[("lut", "mvu_finn_lut_per_buffer_bit")] == 2 * 72 == overlay[("lut", "mux_lut_per_bit")]
    assert ("lut", "mux2_lut_per_bit") not in own
    assert overlay[("lut", "mux2_lut_per_bit")] > 0
    # both keep many thresholds in block RAM
    deep = MatrixShape(72, 4096, 100, n_thresholds=1)
    of_thresholds = [units.threshold_memory(deep, 1, by) for by in ("finn", "hls")]
    assert [[p.coefficient for p in parts if p.metric == "bram18"] for parts in of_thresholds] == [[4], [4]]


def test_the_shell_of_finn_grows_with_the_bus():
    parts = parts_of(streams.host_interface(128, 2, "finn"))
    for metric in ("lut", "ff"):
        assert parts[(metric, f"shell_finn_{metric}_base")] == 1
        assert parts[(metric, f"shell_finn_{metric}_per_bit")] == 128
        assert parts_of(streams.host_interface(128, 2, "hls"))[(metric, f"unit_hls_{metric}_base")] == 6


def test_a_maximum_is_a_comparison_and_a_choice():
    assert parts_of(streams.pool(8, 16, 4, 16, "compare", "hls"))[("lut", "max_lut_per_bit")] == 64
    assert LAWS["max_lut_per_bit"] > LAWS["compare_lut_per_bit"] + 0.5


def test_a_window_of_text_holds_a_word_of_each_row_and_chooses_among_rows():
    shape = streams.WindowShape(32, 16, 1, 3)
    parts = parts_of(streams.window(shape, 16, "behavioural"))
    assert parts[("ff", "register_ff_per_bit")] == 3 * 16
    assert parts[("lut", "mux4_lut_per_bit")] == 16
    assert ("lut", "mux4_lut_per_bit") not in parts_of(streams.window(shape, 16, "hls"))


@pytest.mark.parametrize(
    ("depth", "luts"), [(2, 0), (3, 8), (32, 8), (33, 16), (64, 16), (65, 24), (128, 32), (129, 0)]
)
def test_a_shift_register_of_luts_holds_32_words_in_each_and_1024_bits_in_all(depth, luts):
    parts = parts_of(streams.fifo(8, depth))
    assert parts[("lut", "lutram_lut_per_bit")] == luts
    assert (parts[("bram18", "bram_decomposition")] > 0) == (depth > 128)


# -- each part by hand: one constant at a time is one, all others are nothing -----------------------------------------


def parts_of(parts):
    """Coefficients by metric and constant; a part without a constant stands under its metric alone."""
    found = {}
    for part in parts:
        key = (part.metric, *part.factors)
        found[key] = found.get(key, 0) + part.coefficient
    return found


@pytest.mark.parametrize("trips", range(1, 300))
def test_a_loop_bound_is_multiplied_unless_at_most_two_bits_of_it_are_set(trips):
    blocks = 2 if trips.bit_count() > 2 else 0
    assert parts_of(loop_bound(trips, "hls")) == {("dsp", "loop_bound_dsp"): blocks}
    assert loop_bound(trips, "compressor") == ()


def test_lanes_of_one_bit_count_the_ones_of_simd_products_for_each_row():
    shape = MatrixShape(mw=96, mh=40, vectors=5)
    assert parts_of(lanes(shape, 4, 8, "hls", SERIES7)) == {
        ("ff", "mvu_hls_ff_per_weight_bit"): 32,
        ("ff", "mvu_hls_ff_per_product_bit"): 32,
        ("lut", "popcount_hls_lut_per_lane"): 32,
        ("lut", "popcount_hls_lut_base"): 4,
    }


@pytest.mark.parametrize(
    ("bits_a", "bits_w", "pow2", "extra"),
    [
        (4, 1, False, {("lut", "tree_hls_lut_per_bit"): 32 * 5 + 32 * 4}),
        (1, 3, False, {("lut", "tree_hls_lut_per_bit"): 32 * 4 + 32 * 3}),
        (8, 7, True, {("lut", "tree_hls_lut_per_bit"): 32 * 15, ("lut", "barrel_lut_per_bit_stage"): 32 * 8 * 3}),
        (4, 3, False, {("lut", "tree_hls_lut_per_bit"): 32 * 7, ("lut", "multiplier_lut_per_bit2"): 32 * 12,
                       ("lut", "multiplier_lut_saved_per_bit"): -32 * 7 / 2}),
    ],
)  # fmt: skip
def test_wider_lanes_add_their_products_in_a_tree(bits_a, bits_w, pow2, extra):
    shape = MatrixShape(96, 40, 5, bits_a, bits_w, pow2=pow2)
    product = product_bits(bits_a, bits_w)
    assert parts_of(lanes(shape, 4, 8, "hls", SERIES7)) == {
        ("ff", "mvu_hls_ff_per_weight_bit"): 32 * bits_w,
        ("ff", "mvu_hls_ff_per_product_bit"): 32 * product,
        ("carry", "carry_per_adder_bit"): 32 * (product + 1),
        **extra,
    }


def test_products_of_wide_operands_are_in_dsp_slices():
    shape = MatrixShape(96, 40, 5, 5, 8)
    assert parts_of(lanes(shape, 4, 8, "hls", SERIES7))[("dsp",)] == 32
    narrow = MatrixShape(96, 40, 5, 4, 8)
    assert ("dsp",) not in parts_of(lanes(narrow, 4, 8, "hls", SERIES7))


def test_each_row_has_an_accumulator_and_a_comparison_for_each_threshold():
    shape = MatrixShape(96, 40, 5, bits_acc=11, n_thresholds=3)
    assert parts_of(accumulators(shape, 4, "compressor")) == {
        ("lut", "accumulator_lut_per_bit"): 44,
        ("ff", "mvu_compressor_ff_per_acc_bit"): 44,
        ("carry", "carry_per_adder_bit"): 44 + 132,
        ("lut", "compare_lut_per_bit"): 132,
        ("lut", "compare_const_lut_per_bit"): 0,
        ("lut", "level_lut_per_threshold"): 12,
        ("ff", "mvu_compressor_ff_per_threshold_bit"): 132,
    }


@pytest.mark.parametrize(
    ("pe", "impl", "kept"),
    [
        (4, "hls", {("ff", "register_ff_per_bit"): 16 + 192, ("lut", "mux_lut_per_bit"): 192}),
        (40, "hls", {("ff", "register_ff_per_bit"): 16, ("lut", "mux_lut_per_bit"): 0}),
        (4, "compressor", {("ff", "register_ff_per_bit"): 16, ("lut", "lutram_lut_per_bit"): 16}),
        (40, "compressor", {("ff", "register_ff_per_bit"): 16, ("lut", "lutram_lut_per_bit"): 0}),
    ],
)
def test_a_vector_is_kept_while_more_than_one_fold_of_rows_reads_it(pe, impl, kept):
    shape = MatrixShape(96, 40, 5, bits_a=2)
    assert parts_of(input_buffer(shape, pe, 8, impl)) == kept
    deep = MatrixShape(96, 40, 5, bits_a=2, depthwise=True)
    assert parts_of(input_buffer(deep, pe, 8, impl)) == {("ff", "register_ff_per_bit"): 16}


def test_memories_that_the_host_fills_have_an_address_and_a_write_enable():
    # 96/8 x 40/4 = 120 words of weights: 7 bits of address; 10 words of thresholds: 4 bits.
    shape = MatrixShape(96, 40, 5, n_thresholds=3)
    assert parts_of(loader(shape, 4, 8)) == {("lut", "mux2_lut_per_bit"): 4 * (7 + 1 + 3 * (4 + 1))}


def test_thresholds_are_stored_for_each_row_and_level():
    shape = MatrixShape(96, 40, 5, bits_acc=11, n_thresholds=3)
    assert totals(threshold_memory(shape, 4, "hls"), LAWS)["lut"] == LAWS["lutram_lut_per_bit"] * 4 * 3 * 11
    assert threshold_memory(MatrixShape(96, 40, 5, n_thresholds=0), 4, "hls") == ()


@pytest.mark.parametrize(
    ("pe", "impl", "fixed"),
    [(40, "compressor", True), (40, "behavioural", True), (40, "hls", False), (20, "compressor", False)],
)
def test_a_threshold_of_its_own_row_is_a_constant_unless_the_host_loads_it(pe, impl, fixed):
    shape = MatrixShape(96, 40, 5, bits_acc=11)
    parts, stored = parts_of(accumulators(shape, pe, impl)), totals(threshold_memory(shape, pe, impl), LAWS)
    assert parts[("lut", "compare_const_lut_per_bit")] == (pe * 11 if fixed else 0)
    assert parts[("lut", "compare_lut_per_bit")] == (0 if fixed else pe * 11)
    assert (stored["lut"] == 0) is fixed


def test_memories_of_weights_that_block_ram_does_not_hold_are_in_luts():
    shape = MatrixShape(576, 64, 1)  # 72 words of 32 bits in each of 16 memories
    all_blocks, some = (totals(mvu(shape, 16, 32, "hls", in_luts=n), LAWS) for n in (0, 5))
    assert some["bram18"] == all_blocks["bram18"] * 11 / 16
    assert some["lut"] - all_blocks["lut"] == 5 * 32 * 2
    assert some["memory_bits"] == all_blocks["memory_bits"]


@pytest.mark.parametrize(
    ("bits", "amounts", "law", "coefficient"),
    [
        (16, 2, "mux4_lut_per_bit", 48),
        (16, 4, "mux4_lut_per_bit", 48),
        (16, 5, "barrel_lut_per_bit_stage", 48 * 3),
        (16, 16, "barrel_lut_per_bit_stage", 48 * 4),
        (16, 32, "barrel_lut_per_bit_stage", 48 * 4),
        (1, 32, "mux4_lut_per_bit", 3),
    ],
)
def test_a_shifter_has_a_stage_for_each_bit_of_the_amount_that_matters(bits, amounts, law, coefficient):
    assert parts_of(shifter(3, bits, "shift_channel", amounts)) == {("lut", law): coefficient}


@pytest.mark.parametrize(
    ("top", "blocks", "stitch"), [(None, 4, 64 - 17), (40, 4, 40 - 17), (33, 4, 33 - 17), (32, 3, 0), (100, 4, 64 - 17)]
)
def test_what_of_a_wide_product_is_needed_decides_its_slices(top, blocks, stitch):
    parts = parts_of(multiplier(5, 32, 32, top))
    assert parts[("dsp",)] == 5 * blocks
    assert parts.get(("lut", "stitch_lut_per_bit"), 0) == 5 * stitch


@pytest.mark.parametrize(
    ("target", "bits", "luts", "blocks"),
    [("ecp5-25f", 8, 18, 1), ("ecp5-25f", 16, 34, 1), ("ice40-up5k", 8, 8, 1), ("ice40-up5k", 16, 16, 1),
     ("pynq-z2", 8, 8, 1), ("pynq-z2", 16, 16, 1), ("pynq-z2", 32, 51, 4)],
)  # fmt: skip
def test_a_rounded_product_takes_an_adder_where_the_multiplier_has_none(target, bits, luts, blocks):
    """As synthesised: a select, and where no block adds half of the last place, an adder of the result and two bits."""
    known = load_target(target)
    fabric = make_fabric(known.structure_as(Structure), known)
    found = totals(prelu(1, bits, 4, fabric, rounded=True), nominal(known))
    assert (found["lut"], found["dsp"]) == (luts, blocks)
    cut = totals(prelu(1, bits, 4, fabric), nominal(known))
    assert found["lut"] - cut["lut"] == (bits + 2 if target == "ecp5-25f" else 0)


def test_upper_halves_that_are_not_needed_are_not_multiplied():
    """32 x 32 on blocks of 18 bits without adders: nothing below bit 36 needs the product of the upper halves."""
    ecp5 = Fabric(18, 18, 18, 18, dsp_adds=0)
    blocks = {
        top: totals(multiplier(1, 32, 32, top, fabric=ecp5), {"stitch_lut_per_bit": 1})["dsp"]
        for top in (32, 36, 37, 64)
    }
    assert blocks == {32: 3, 36: 3, 37: 4, 64: 4}
