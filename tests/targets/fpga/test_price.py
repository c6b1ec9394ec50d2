"""FPGA estimates of whole networks: intervals, foldings, fit, time and energy."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import geometric_mean

import pytest

import costmodel
from costmodel.errors import CostmodelError
from costmodel.graph.domain import BINARY, FLOAT, Domain, integer
from costmodel.graph.operands import Window
from costmodel.ledger.ledger import Charge, Layer, Ledger, Traffic
from costmodel.targets import estimate, list_targets, load_target
from costmodel.targets.fpga.alike import alike
from costmodel.targets.fpga.design import Widths, stages
from costmodel.targets.fpga.finn import read_folding, write_folding
from costmodel.targets.fpga.fit import clock_reached
from costmodel.targets.fpga.folding import Fold
from costmodel.targets.fpga.job import capacity
from costmodel.targets.fpga.latency import latency
from costmodel.targets.fpga.pipeline import (
    Style,
    design_groups,
    link_groups,
    stage_groups,
    stream_width,
)
from costmodel.targets.fpga.units import MatrixShape
from costmodel.targets.quantity import Interval
from tests.near import near
from tests.targets.hand import Net, small_net

WIDTHS = Widths(16, 8, 8)


def network(*layers, charges=(), traffic=()):
    return Ledger("hand-made", "deployed", tuple(layers), tuple(charges), tuple(traffic))


def conv(index, inputs, cin, cout, size, k=3, stride=1, pad=0, a=BINARY, b=BINARY, groups=1):
    out = (size + 2 * pad - k) // stride + 1
    terms = cin // groups * k * k
    return Layer(
        index, f"conv{index}", 0, "conv", inputs, (1, cin, size, size), (1, cout, out, out), a, integer(12), b,
        (cout, cin // groups, k, k), Window((k, k), (stride, stride), (pad, pad), (1, 1), groups), terms,
        terms * cout * out * out,
    )  # fmt: skip


def sign(index, source):
    return Layer(index, f"sign{index}", 0, "threshold", (source.index,), source.shape_out, source.shape_out, source.out,
                 BINARY)  # fmt: skip


def dense(index, inputs, mw, mh, a=BINARY, b=BINARY):
    return Layer(index, f"fc{index}", 0, "linear", inputs, (1, mw), (1, mh), a, integer(12), b, (mh, mw), None, mw,
                 mw * mh)  # fmt: skip


def small():
    c0 = conv(0, (-1,), 8, 16, 10)
    s0 = sign(1, c0)
    c1 = conv(2, (1,), 16, 32, 8)
    compare = Charge(1, "sign1", 0, "threshold", "compare", "binarize", 16 * 64, 12, 12)
    return network(c0, s0, c1, charges=(compare,))


def options(**given):
    return {"mode": "dataflow", **given}


# -- the pipeline -----------------------------------------------------------------------------------------------------


def test_a_sign_behind_a_convolution_becomes_its_threshold():
    design = stages(small(), WIDTHS, byte_accumulators=False)
    assert [s.op for s in design] == ["conv", "conv"]
    assert design[0].matrix == MatrixShape(72, 16, 64, 1, 1, 8, 1)
    assert design[0].bits_out == 1
    assert design[1].inputs == (0,)
    assert design[1].matrix.n_thresholds == 0


def test_a_sign_that_others_read_past_stays_a_unit_of_its_own():
    ledger = small()
    skip = Layer(3, "add", 0, "add", (0, 2), (1, 16, 8, 8), (1, 16, 8, 8), integer(12), integer(12))
    design = stages(network(*ledger.layers, skip), WIDTHS, byte_accumulators=False)
    assert [s.op for s in design] == ["conv", "threshold", "conv", "add"]


def test_the_interval_is_that_of_the_slowest_layer_exactly():
    folding = {"MVAU_0": {"PE": 2, "SIMD": 8}, "MVAU_1": {"PE": 4, "SIMD": 16}}
    found = estimate(small(), "pynq-z2", **options(folding=folding))
    assert found.facts["interval_cycles"] == max(16 // 2 * 72 // 8 * 64, 32 // 4 * 144 // 16 * 36)
    assert found.derived["steady_images_per_second"].value == 1e8 / found.facts["interval_cycles"]
    assert [line.coefficient for line in found.lines if line.metric == "cycles"] == [4608, 2592]


def test_one_image_takes_at_least_its_slowest_layer_and_at_most_all_in_turn():
    design = stages(small(), WIDTHS, byte_accumulators=False)
    folding = {0: Fold(2, 8), 1: Fold(4, 16)}
    first = latency(design, folding, 4608, Style())
    assert 4608 < first <= 4608 + 2592 + 10 * 10 * 8 // 64 + 1


def test_energy_is_what_is_drawn_all_the_time_and_what_clocked_logic_takes():
    power = load_target("pynq-z2").value("board_power")
    for batch in (1, 10**6):
        bill = estimate(small(), "pynq-z2", **options(batch=batch))
        parts = bill.by_component("energy_J")
        seconds = 1 / bill.derived["images_per_second"].value
        assert parts["board"].value == near(power * seconds)
        assert 0 < parts["dynamic"].value < 0.3 * parts["board"].value
        assert sum(part.value for part in parts.values()) == near(bill.total("energy_J").value)
    assert any("of the board" in note for note in bill.notes)


def test_power_rises_with_clock_activity_and_lanes():
    def watts(folding="4x8,4x16", **given):
        bill = estimate(small(), "pynq-z2", **options(folding=folding, **given))
        return bill.total("energy_J").value * bill.derived["images_per_second"].value

    assert watts(clock=5e7) < watts() < watts(clock=1.5e8)
    assert watts(activity=0) < watts() < watts(activity=2)
    assert watts() < watts("16x72,32x144")


def test_a_chip_without_a_measured_board_has_the_energy_of_the_chip():
    bill = estimate(small(), "zcu104", **options())
    assert {"static", "processor", "dynamic"} == set(bill.by_component("energy_J"))
    assert any("of the chip" in note for note in bill.notes)
    assert "hbm" in estimate(small(), "alveo-u50", **options()).by_component("energy_J")
    known = load_target("ecp5-25f")
    assert {"static", "dynamic"} == set(estimate(small(), known, **options()).by_component("energy_J"))
    powerless = {n: q for n, q in known.constants.items() if not n.endswith(("_energy", "_power_per_lut"))}
    bill = estimate(small(), replace(known, constants=powerless), **options())
    assert "energy_J" not in bill.metrics()
    assert any("no energy" in note for note in bill.notes)


def test_logic_of_ecp5_takes_what_its_registers_take_over_those_of_the_7_series():
    """mW at 10 and 100 MHz and registers of the chains that were measured: two boards, and three of the 7 series."""

    def femtojoules(*chains):
        return [(high - low) / 90e6 / registers * 1e12 for low, high, registers in chains]

    ours = femtojoules((61.5, 557.9, 24288), (176.9, 2102.1, 83640))
    theirs = femtojoules((210.1, 2796.1, 41600), (207.0, 1527.5, 29200), (149.4, 764.3, 28800))
    ratio = geometric_mean(ours) / geometric_mean(theirs)
    ecp5, series7 = load_target("ecp5-25f"), load_target("pynq-z2")
    for name in ("lut_energy", "ff_energy", "memory_energy", "dsp_energy"):
        assert ecp5.value(name) == near(ratio * series7.value(name), rel=0.01)
        assert ecp5.constant(name).low == near(min(ours) / max(theirs) * series7.constant(name).low, rel=0.05)
        assert ecp5.constant(name).high == near(max(ours) / min(theirs) * series7.constant(name).high, rel=0.01)
    static = {name: load_target(name).constant("static_power_per_lut") for name in ("ecp5-25f", "ecp5-85f")}
    assert static["ecp5-25f"].value * 24288 == near(77e-3 * 1.1 + 16e-3 * 2.5, rel=0.01)
    assert static["ecp5-25f"].high * 24288 == near(0.147, rel=0.01)
    assert static["ecp5-85f"].high * 83640 == near(0.202, rel=0.01)


def test_real_layers_use_dsp_slices_and_binary_ones_none():
    real = conv(0, (-1,), 4, 8, 6, a=FLOAT, b=FLOAT)
    priced = estimate(network(real), "pynq-z2", **options(impl="compressor", folding={"MVAU_0": {"PE": 2, "SIMD": 3}}))
    assert priced.total("dsp").value == 6
    binary = estimate(small(), "pynq-z2", **options(impl="compressor"))
    assert "dsp" not in binary.metrics()


def test_a_power_of_two_weight_shifts_and_does_not_multiply():
    pow2 = conv(0, (-1,), 4, 8, 6, a=FLOAT, b=Domain("pow2", 7))
    priced = estimate(network(pow2), "pynq-z2", **options(impl="compressor", folding={"MVAU_0": {"PE": 2, "SIMD": 3}}))
    assert "dsp" not in priced.metrics()
    assert priced.by_kind("lut")["shift_var"].value > 0


def test_the_three_prices_of_a_shift_by_channel():
    """As wide as the channels: wire. Folded: a multiplexer. In an engine: a barrel shifter."""
    base = conv(0, (-1,), 8, 64, 10)

    def with_shift(kind):
        shape = base.shape_out
        scale = Layer(1, "scale", 0, "affine", (0,), shape, shape, integer(12), FLOAT)
        charge = Charge(1, "scale", 0, "affine", kind, "act_scale", 64 * 64, 32, 0)
        return network(base, scale, charges=(charge,))

    def shift_luts(kind, **given):
        priced = estimate(with_shift(kind), "pynq-z2", **given)
        return priced.by_component("lut").get("shift", None)

    wide = options(folding={"MVAU_0": {"PE": 64, "SIMD": 72}})
    narrow = options(folding={"MVAU_0": {"PE": 8, "SIMD": 8}})
    assert shift_luts("shift_const", **wide) is None
    assert shift_luts("shift_channel", **wide) is None
    folded = shift_luts("shift_channel", **narrow)
    assert folded is not None
    assert folded.value > 0
    assert shift_luts("shift_const", mode="engine") is None
    per_operator = shift_luts("shift_channel", mode="engine").value
    assert per_operator > 0


def test_a_residual_branch_is_held_back_for_as_long_as_the_convolution_takes():
    c0 = conv(0, (-1,), 64, 64, 32, pad=1)
    c1 = conv(1, (0,), 64, 64, 32, pad=1, a=integer(12))
    add = Layer(2, "add", 0, "add", (1, 0), c1.shape_out, c1.shape_out, integer(12), integer(12))
    charge = Charge(2, "add", 0, "add", "add", "residual", 64 * 32 * 32, 12, 12, 12)
    folding = {f"MVAU_{i}": {"PE": 8, "SIMD": 32} for i in range(2)}
    priced = estimate(network(c0, c1, add, charges=(charge,)), "zcu102", **options(folding=folding))
    held = [line for line in priced.lines if line.kind == "residual" and line.metric == "bram18"]
    assert sum(line.coefficient for line in held) * 18 * 1024 >= 3 * 32 * 64 * 12  # three rows under the kernel


def test_unknown_work_is_said_and_never_free_of_mention():
    base = conv(0, (-1,), 8, 16, 10)
    strange = Layer(1, "x", 0, "unknown", (0,), base.shape_out, base.shape_out, integer(12), FLOAT)
    charge = Charge(1, "x", 0, "unknown", "unknown", "other", 1024, 32, 32)
    priced = estimate(network(base, strange, charges=(charge,)), "pynq-z2", **options())
    assert any("NOT PRICED: 1024" in note for note in priced.notes)


def test_parameters_of_element_wise_layers_take_memory():
    base = conv(0, (-1,), 8, 512, 10)
    shape = base.shape_out
    scale = Layer(1, "scale", 0, "affine", (0,), shape, shape, integer(12), FLOAT)
    charge = Charge(1, "scale", 0, "affine", "mul", "bn_scale", 512 * 64, 32, 32)
    stored = Traffic(1, "scale", "scale", "parameter", 512, 32)
    with_memory = estimate(network(base, scale, charges=(charge,), traffic=(stored,)), "pynq-z2", **options())
    assert with_memory.by_component("bram18").get("parameters") or with_memory.by_component("lut").get("parameters")


# -- foldings ---------------------------------------------------------------------------------------------------------


def test_a_folding_file_survives_writing_and_reading():
    design = stages(small(), WIDTHS, byte_accumulators=False)
    folding = {0: Fold(2, 8, "block", "distributed", 64), 1: Fold(4, 16)}
    assert read_folding(json.loads(write_folding(folding, design)), design).folds == folding


def test_the_folding_file_of_the_published_cnv_is_read_as_it_is(tmp_path):
    file = tmp_path / "folding.json"
    units = [(16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (5, 1)]
    data = {"Defaults": {}, "Thresholding_Batch_0": {"PE": 1, "ram_style": "distributed"}}
    for i, (pe, simd) in enumerate(units):
        data[f"ConvolutionInputGenerator_{i}"] = {"SIMD": simd, "ram_style": "distributed"}
        data[f"StreamingFCLayer_Batch_{i}"] = {"PE": pe, "SIMD": simd, "ram_style": "auto"}
    data["LabelSelect_Batch_0"] = {"PE": 1}
    file.write_text(json.dumps(data))
    ledger = costmodel.profile("cnv-w1a1").deployed
    priced = estimate(ledger, "pynq-z2", folding=str(file), batch=1)
    assert priced.facts["interval_cycles"] == 32768
    assert priced.fits
    assert priced.derived["images_per_second"].value == near(661.473, rel=0.10)  # MLPerf Tiny v0.7
    assert priced.total("energy_J").value == near(2530.45e-6, rel=0.10)


def test_a_folding_in_one_line_is_that_of_a_file():
    ledger = costmodel.profile("cnv-w1a1").deployed
    line = ",".join(f"{pe}x{simd}" for pe, simd in estimate(ledger, "pynq-z2").facts["folding"].values())
    given = estimate(ledger, "pynq-z2", folding=line)
    chosen = estimate(ledger, "pynq-z2", folding=given.facts["finn_folding"])
    assert given.facts == chosen.facts
    assert given.totals() == chosen.totals()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("1x1", "names 1 matrix units"),
        ("1x1,0x1", "PE=0"),
        ("1x1,1x", "cannot read the folding"),
        ({"MVAU_0": {"PE": 1, "SIMD": 1}}, "names 1 matrix units"),
        ({"MVAU_0": {"PE": 0, "SIMD": 1}, "MVAU_1": {}}, "PE=0"),
        ({"MVAU_0": {"PE": 1, "SIMD": 1.5}, "MVAU_1": {}}, "SIMD=1.5"),
        ({"MVAU_0": {"PE": 1, "SIMD": 1000}, "MVAU_1": {}}, "only 72 columns"),
        ({"MVAU_0": {"PE": 1, "ram_style": "tape"}, "MVAU_1": {}}, "tape"),
    ],
)
def test_a_folding_that_does_not_match_is_refused_with_the_reason(given, complaint):
    with pytest.raises(CostmodelError, match=complaint):
        estimate(small(), "pynq-z2", **options(folding=given))


def test_a_folding_file_that_is_missing_or_broken_is_refused(tmp_path):
    with pytest.raises(CostmodelError, match="cannot read the folding"):
        estimate(small(), "pynq-z2", folding=str(tmp_path / "none.json"))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(CostmodelError, match="not a JSON file"):
        estimate(small(), "pynq-z2", folding=str(broken))


def test_stages_that_are_alike_cost_what_each_costs_by_itself():
    design = stages(small_net(), WIDTHS, True, True)
    folding = {stage.index: Fold(2, 4) for stage in design if stage.matrix is not None}
    kinds = alike(design)
    assert len(set(kinds.units)) < len(design)
    groups = design_groups(design, folding, 5000, Style())
    alone = []
    for stage, waiting in zip(design, kinds.waiting, strict=True):
        fold = folding.get(stage.index)
        entering = [64 if i < 0 else stream_width(design[i], folding, 5000, Style()) for i in stage.inputs]
        alone += stage_groups(stage, fold, 5000, Style())
        alone += link_groups(design, stage, fold, entering, 5000, Style(), waiting)
    assert [group for _, group in groups[:-1]] == alone


def test_a_higher_rate_never_takes_less_of_the_matrix_units():
    ledger = small()
    slow = estimate(ledger, "zcu102", **options(fps=1000))
    fast = estimate(ledger, "zcu102", **options(fps=100_000))
    assert fast.facts["interval_cycles"] <= 2000 <= 200_000
    assert slow.derived["steady_images_per_second"].value >= 1000
    assert fast.derived["steady_images_per_second"].value >= 100_000
    assert fast.total("lut").value > slow.total("lut").value


# -- fit --------------------------------------------------------------------------------------------------------------


def test_ultraram_beyond_what_is_easily_usable_is_taken_where_nothing_else_fits():
    net = Net(1, 512, 14, 14)
    for _ in range(9):  # 2.4 Mbit of weights each, of the 11 Mbit of block RAM and 15 Mbit of LUTs that the device has
        net.conv(net.elementwise("threshold", len(net.layers) - 1, out=BINARY), 512, weight=BINARY)
    device = load_target("zcu104")
    scarce = replace(device.constants["usable_uram"], value=0.02, low=0.02)
    tight = replace(device, constants={**device.constants, "usable_uram": scarce})
    priced = estimate(net.ledger(), tight, **options())
    assert priced.fits
    assert 0.02 < priced.derived["utilisation_uram"].value <= 1


def test_what_does_not_fit_says_what_runs_out_and_which_device_has_it():
    large = dense(0, (-1,), 4096, 4096)
    priced = estimate(network(large), "pynq-z2", **options())
    assert not priced.fits
    assert any("bram18" in reason and "pynq-z2 has 280" in reason for reason in priced.misfit)
    named = [reason for reason in priced.misfit if "smallest device" in reason]
    other = named[0].rsplit(" ", 1)[1]
    assert estimate(network(large), other, **options(folding=priced.facts["finn_folding"])).fits
    huge = dense(0, (-1,), 16384, 16384)
    assert (
        "no listed device of this kind of logic has as much" in estimate(network(huge), "pynq-z2", **options()).misfit
    )


def test_a_folding_that_does_not_fit_is_answered_with_one_that_does():
    large = conv(0, (-1,), 64, 256, 16, pad=1)
    everything = estimate(network(large), "pynq-z2", **options(folding={"MVAU_0": {"PE": 256, "SIMD": 576}}))
    assert any("fastest pipeline that pynq-z2 holds" in reason for reason in everything.misfit)


def test_a_rate_beyond_the_widest_folding_is_refused_in_words():
    priced = estimate(small(), "pynq-z2", **options(fps=1e9))
    assert any("images per second need a result every" in reason for reason in priced.misfit)


def test_what_does_not_fit_as_a_pipeline_runs_on_an_engine_that_fits():
    huge = dense(0, (-1,), 16384, 16384)
    priced = estimate(network(huge), "pynq-z2")
    assert priced.facts["mode"] == "engine"
    assert priced.fits
    assert "the weights of a pipeline are 268.4 Mbit" in priced.facts["why_no_pipeline"]
    # every weight comes over the port once per image: 64 bits per cycle
    assert priced.facts["interval_cycles"] >= 16384 * 16384 // 64
    moved = priced.derived["memory_bandwidth_B_per_s"].value / priced.derived["steady_images_per_second"].value
    assert moved == near(16384 * 16384 / 8, rel=0.01)


@pytest.mark.parametrize("name", sorted(list_targets("fpga")))
def test_every_device_prices_a_small_network(name):
    priced = estimate(small(), name)
    assert priced.total("lut").value > 0
    assert priced.total("ff").low <= priced.total("ff").value <= priced.total("ff").high
    assert 0 < priced.derived["steady_images_per_second"].value < 1e9
    assert {source.split(" of ")[0] for source in priced.sources()} <= set(load_target(name).constants)


def test_one_image_is_less_certain_than_many_and_its_doubt_is_that_of_the_network():
    one, many = (estimate(small(), "pynq-z2", **options(batch=batch)) for batch in (1, 1000))

    def width(interval):
        return (interval.high - interval.low) / interval.value

    assert width(many.derived["images_per_second"]) < width(one.derived["images_per_second"])
    assert (
        one.derived["steady_images_per_second"].low
        < one.derived["steady_images_per_second"].high
        == one.derived["steady_images_per_second"].value
    )
    assert one.derived["images_per_second"].low == near(1 / one.total("latency_s").high)
    assert "latency_error of hand-made" in one.sources()
    cycles = many.facts["latency_cycles"] + 999 * many.facts["interval_cycles"]
    board = load_target("pynq-z2")
    seconds = (cycles / many.facts["clock_Hz"] + board.value("call_time")) / 1000
    assert many.by_component("energy_J")["board"].value == near(board.value("board_power") * seconds)


def test_utilisation_is_the_total_over_what_the_device_has():
    priced = estimate(small(), "pynq-z2", **options())
    for name in ("lut", "ff", "bram18"):
        if name in priced.metrics():
            share = priced.derived[f"utilisation_{name}"]
            assert share.value == near(priced.total(name).value / capacity(load_target("pynq-z2"))[name])


def test_weights_move_to_ultraram_before_a_design_is_given_up():
    wide = dense(0, (-1,), 4096, 4096)
    device = load_target("zcu104")
    folding = {"MVAU_0": {"PE": 16, "SIMD": 64}}
    without = replace(
        device, constants={**device.constants, "device_uram": replace(device.constants["device_uram"], value=0)}
    )
    in_luts = estimate(network(wide), without, **options(folding=folding))
    with_uram = estimate(network(wide), device, **options(folding=folding))
    assert with_uram.total("uram").value > 0
    assert with_uram.total("lut").value < in_luts.total("lut").value


def test_the_trunk_of_a_clock_tree_is_driven_in_every_cycle_whatever_the_design():
    target = load_target("ice40-up5k")
    found = estimate(small(), target, **options())
    lines = {line.kind: line for line in found.lines if line.metric == "energy_J" and line.component == "dynamic"}
    assert lines["clock"].factors == ("clock_energy",)
    cycles = (found.facts["latency_cycles"] + 999 * found.facts["interval_cycles"]) / 1000
    assert lines["clock"].coefficient == cycles
    assert found.scope == "chip"
    assert "clock" not in {line.kind for line in estimate(small(), "pynq-z2", **options()).lines}


def test_weights_beyond_the_block_ram_are_in_luts_as_far_as_they_must():
    """1 Mbit and more of weights in 16 memories; as much of it as 280 blocks do not hold takes a LUT for 64 bits."""
    folding = {"MVAU_0": {"PE": 16, "SIMD": 64}}
    device = load_target("pynq-z2")
    ledger = network(dense(0, (-1,), 2048, 2048))
    found = estimate(ledger, device, **options(folding=folding))
    assert found.fits
    assert not any("in LUTs" in note for note in found.notes)
    small = replace(device.constants["device_bram18"], value=200)
    less = estimate(ledger, replace(device, constants={**device.constants, "device_bram18": small}),
                    **options(folding=folding))  # fmt: skip
    assert 200 - 2048 * 64 / 18432 < less.total("bram18").value <= 200
    assert less.total("lut").value > found.total("lut").value
    assert any("their memories are in LUTs" in note for note in less.notes)
    said = {"MVAU_0": {"PE": 16, "SIMD": 64, "ram_style": "block"}}
    told = estimate(ledger, replace(device, constants={**device.constants, "device_bram18": small}),
                    **options(folding=said))  # fmt: skip
    assert told.total("bram18").value == found.total("bram18").value
    assert not told.fits


def test_a_rate_that_neither_pipeline_nor_engine_reaches_names_the_fastest_pipeline():
    ledger = network(conv(0, (-1,), 64, 64, 34))  # 1024 vectors: at 100 MHz all lanes at once give 97 656 per second
    found = estimate(ledger, "pynq-z2", fps=97_000)
    assert not found.fits
    assert any("97000 images per second need a result every 1,030 cycles" in reason for reason in found.misfit)
    best = estimate(ledger, "pynq-z2")
    rate = best.derived["steady_images_per_second"].value
    assert any(f"{rate:,.0f} a second" in reason for reason in found.misfit)


def test_the_cycles_of_a_pipeline_are_those_of_its_slowest_unit():
    found = estimate(small(), "pynq-z2")
    assert found.total("cycles").value == found.facts["interval_cycles"]
    assert max(v.value for v in found.by_layer("cycles").values()) == found.facts["interval_cycles"]


def test_a_folding_wider_than_its_matrix_is_refused():
    for unit, said in (({"PE": 17, "SIMD": 1}, "only 16 rows"), ({"PE": 1, "SIMD": 73}, "only 72 columns")):
        folding = {"MVAU_0": unit, "MVAU_1": {"PE": 1, "SIMD": 1}}
        with pytest.raises(CostmodelError, match=said):
            estimate(small(), "pynq-z2", folding=folding)


def test_a_field_that_a_fabric_does_not_have_is_refused():
    device = load_target("pynq-z2")
    typo = replace(device, structure={**device.structure, "fabric": {"dsp_wid": 3}})
    with pytest.raises(CostmodelError, match=r"dsp_wid.*Did you mean dsp_wide"):
        estimate(small(), typo)


def test_a_network_without_a_matrix_is_refused():
    lone = Layer(0, "relu", 0, "relu", (-1,), (1, 8, 4, 4), (1, 8, 4, 4), FLOAT, FLOAT)
    with pytest.raises(CostmodelError, match="nothing to fold"):
        estimate(network(lone), "pynq-z2")


# -- the engine -------------------------------------------------------------------------------------------------------


def chain(*kinds):
    """A small matrix with element-wise layers behind it, of the given kinds and as many operations each."""
    base = conv(0, (-1,), 8, 64, 66, k=1)
    shape = base.shape_out
    layers = [base]
    charges = []
    for i, kind in enumerate(kinds, start=1):
        layers.append(Layer(i, f"e{i}", 0, "affine", (i - 1,), shape, shape, FLOAT, FLOAT))
        charges.append(Charge(i, f"e{i}", 0, "affine", kind, "other", 64 * 66 * 66, 32, 32))
    return network(*layers, charges=charges)


def test_layers_of_one_pass_share_the_operators_of_a_kind_and_kinds_overlap():
    def cycles(*kinds):  # eight layers of a kind, so that the operators are what takes longest
        return estimate(chain(*kinds * 8), "zcu102", mode="engine").facts["interval_cycles"]

    one, same = cycles("add"), cycles("add", "add")
    different, wire = cycles("add", "compare"), cycles("add", "shift_const")
    assert same == 2 * one
    assert different == wire == one


def test_latency_of_an_engine_is_the_sum_of_its_passes():
    priced = estimate(chain("add", "mul"), "zcu102", mode="engine")
    seconds = sum(line.coefficient for line in priced.lines if line.metric == "latency_s" and line.layer >= 0)
    spent = sum(line.coefficient for line in priced.lines if line.metric == "cycles")
    assert seconds == near(priced.facts["interval_cycles"] / priced.facts["clock_Hz"])
    assert spent == priced.facts["interval_cycles"] == priced.facts["latency_cycles"]


def test_a_second_port_helps_only_where_memory_is_waited_for():
    huge = network(dense(0, (-1,), 16384, 16384))
    one = estimate(huge, "pynq-z2", mode="engine")
    two = estimate(huge, "pynq-z2", mode="engine", ports=2)
    assert one.facts["cycles_waiting_for_memory"] > 0
    assert two.facts["interval_cycles"] < one.facts["interval_cycles"]
    with pytest.raises(CostmodelError, match="pynq-z2 has 4"):
        estimate(huge, "pynq-z2", mode="engine", ports=5)


# -- what a fabric reaches --------------------------------------------------------------------------------------------


def test_a_clock_that_no_published_design_reaches_is_refused_with_the_limit():
    for name in ("arty-a7-100t", "pynq-z2"):
        with pytest.raises(CostmodelError, match=r"clock=.*at most 2e"):
            estimate(small(), name, clock=5e8)
    assert any("is not assured" in note for note in estimate(small(), "pynq-z2", clock=1.9e8).notes)
    assert not any(note.startswith("clock:") for note in estimate(small(), "pynq-z2", clock=1e8).notes)


def test_a_fuller_device_reaches_a_lower_clock():
    target = load_target("pynq-z2")
    reached = [clock_reached(target, {"lut": Interval.exact(share)}) for share in (0.2, 0.5, 0.7, 0.9, 1.0)]
    values = [interval.value for interval in reached]
    assert values == sorted(values, reverse=True)
    assert values[0] == values[1] > values[2] > values[3] == values[4]
    assert all(interval.low <= interval.value <= interval.high for interval in reached)


def test_dsp_slices_of_loop_bounds_are_uncertain_and_those_of_products_are_not():
    real = network(conv(0, (-1,), 4, 8, 7, a=FLOAT, b=FLOAT))
    bill = estimate(real, "zcu104", **options(folding="2x3"))
    control, products = (bill.by_component("dsp")[name] for name in ("control", "compute"))
    assert control.low == 0 < control.value < control.high
    assert products.low == products.value == products.high == 6


def test_an_engine_that_nothing_holds_is_a_misfit():
    tiny = load_target("ice40-up5k")
    scarce = {
        name: replace(tiny.constants[name], value=1.0, low=1.0, high=1.0) for name in ("device_lut", "device_dsp")
    }
    bill = estimate(chain("mul"), replace(tiny, constants={**tiny.constants, **scarce}), mode="engine")
    assert any("the smallest engine needs" in reason for reason in bill.misfit)


@pytest.mark.parametrize("kind", ["mul", "special"])
def test_wider_numbers_never_make_a_faster_engine(kind):
    rates = [
        estimate(chain(kind), "pynq-z2", mode="engine", real_bits=bits).derived["steady_images_per_second"].value
        for bits in (8, 16, 18, 19, 20, 24, 32)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 20 * rates[-1]


def test_wider_numbers_never_make_a_faster_pipeline():
    """Its search is cut short at the interval of the stem, where what fits is hard to find."""
    network = costmodel.profile("reactnet18").deployed
    bills = [estimate(network, "zcu102", mode="dataflow", real_bits=bits) for bits in (24, 28, 30, 32)]
    intervals = [bill.facts["interval_cycles"] for bill in bills]
    assert intervals == sorted(intervals)


def test_no_pipeline_gives_results_faster_than_its_images_come_in():
    wide = estimate(network(conv(0, (-1,), 8, 8, 32, k=1)), "pynq-z2", **options(folding="8x8"))
    words = 8 * 32 * 32 / 64  # one bit each
    overhead = load_target("pynq-z2").value("port_cycles_per_word")
    assert wide.facts["interval_cycles"] == max(32 * 32, -(-words * overhead // 1))
    dense_net = estimate(network(dense(0, (-1,), 4096, 8)), "pynq-z2", **options(folding="8x4096"))
    assert dense_net.facts["interval_cycles"] == -(-(4096 / 64) * overhead // 1)
    assert dense_net.facts["slowest_layer"] == "port to the host"
