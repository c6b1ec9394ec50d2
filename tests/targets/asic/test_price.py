"""Pricing on chips: what the bill says, how it answers to choices, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.graph.domain import FLOAT, integer
from costmodel.ledger.ledger import Charge, Layer, Ledger, Traffic
from costmodel.targets import estimate, list_targets, load_target
from costmodel.targets.asic.memory import sram_cost
from costmodel.targets.asic.units import column
from costmodel.targets.estimate import Estimate
from costmodel.validate.asic_networks import binareye, single
from tests.near import near
from tests.targets.hand import small_net

TECHNOLOGIES = [name for name in list_targets("asic") if name.startswith("asic-")]
NETWORK = binareye(64, 10)


def elementwise(kind: str, count: int = 1000, bits_a: int = 32, bits_b: int = 32, bits_acc: int = 0) -> Ledger:
    """A network of one operation on single elements."""
    layer = Layer(0, "m", 0, "affine", (-1,), (1, count), (1, count), FLOAT, FLOAT)
    charge = Charge(0, "m", 0, "affine", kind, "other", count, bits_a, bits_b, bits_acc)  # type: ignore[arg-type]
    traffic = (Traffic(0, "m", "v0", "input", count, 32), Traffic(0, "m", "v1", "output", count, 32))
    return Ledger("one", "deployed", (layer,), (charge,), traffic)


def compute(ledger: Ledger, target: str = "asic-45nm", **options: object) -> float:
    return estimate(ledger, target, **options).by_component("energy_J").get("compute", _ZERO).value


_ZERO = type("Zero", (), {"value": 0.0})()


@pytest.mark.parametrize("name", list_targets("asic"))
def test_every_target_prices_a_binary_network_completely(name: str) -> None:
    bill = estimate(NETWORK, name)
    for metric in ("energy_J", "latency_s", "area_mm2", "tops_per_watt", "power_W"):
        interval = bill.total(metric)
        assert 0 < interval.low <= interval.value <= interval.high < math.inf, metric
    parts = bill.by_component("energy_J")
    assert {"compute", "register", "sram"} <= parts.keys()
    assert sum(part.value for part in parts.values()) == near(bill.total("energy_J").value)
    assert bill.facts["unpriced"] == {}
    for quantity in bill.sources().values():
        assert quantity.source
        assert quantity.low <= quantity.value <= quantity.high


@pytest.mark.parametrize(
    ("kind", "unit", "width", "bits"),
    [("add", "add", 16, (32, 32)), ("mul", "mul", 16, (32, 32)), ("compare", "compare", 12, (12, 12)),
     ("shift_var", "shift", 16, (32, 5)), ("shift_channel", "shift", 16, (32, 0)), ("lut", "mux", 16, (32, 0))],
)  # fmt: skip
def test_an_operation_costs_its_unit_times_the_system_factor(
    kind: str, unit: str, width: int, bits: tuple[int, int]
) -> None:
    target = load_target("asic-45nm")
    expected = 1000 * column(target, "nangate45").quantity(unit, width).value * target.value("system_factor")
    assert compute(elementwise(kind, 1000, *bits)) == near(expected)


def test_a_constant_shift_is_wire_and_a_channel_shift_is_so_only_where_it_is_wired() -> None:
    assert compute(elementwise("shift_const")) == 0
    assert compute(elementwise("shift_channel")) == compute(elementwise("shift_var")) > 0
    assert compute(elementwise("shift_channel"), channel_shift="wire") == 0
    bill = estimate(elementwise("shift_const"), "asic-45nm")
    assert bill.facts["wired_shifts"] == 1000
    assert "shift_const" in bill.by_kind("energy_J")


def test_a_sign_flip_with_an_accumulator_adds_and_one_without_does_not() -> None:
    flip, accumulate = elementwise("signflip", bits_b=1), elementwise("signflip", bits_b=1, bits_acc=32)
    assert compute(accumulate) == near(compute(flip) + compute(elementwise("add")))


def test_a_product_of_two_widths_costs_as_much_as_the_square_of_the_same_area() -> None:
    assert compute(elementwise("mul", bits_a=8, bits_b=18)) == near(compute(elementwise("mul", bits_a=12, bits_b=12)))


@pytest.mark.parametrize("kind", ["special", "unknown"])
def test_work_without_a_published_cost_is_said_and_never_silent(kind: str) -> None:
    bill = estimate(elementwise(kind), "asic-45nm")
    assert bill.facts["unpriced"] == {kind: 1000}
    assert any("1,000" in note and kind in note for note in bill.notes)


@pytest.mark.parametrize("target", ["asic-45nm-horowitz", "asic-7nm-jouppi", "asic-40nm-aladdin"])
def test_floating_point_costs_what_the_table_says(target: str) -> None:
    names = {"asic-45nm-horowitz": "horowitz45", "asic-7nm-jouppi": "jouppi7", "asic-40nm-aladdin": "aladdin40"}
    spec = load_target(target)
    row = column(spec, names[target]).quantity("fmul", 32)
    assert compute(elementwise("mul"), target, real_format="fp32") == near(
        1000 * row.value * spec.value("system_factor")
    )


def test_narrow_numbers_cost_less_to_compute_and_to_move() -> None:
    energies = [
        estimate(elementwise("mul"), "asic-45nm", real_format=each).total("energy_J").value
        for each in ("int8", "int16", "int32")
    ]
    assert energies == sorted(energies)
    moved = [
        estimate(elementwise("mul"), "asic-45nm", real_format=each).by_component("energy_J")["dram"].value
        for each in ("int8", "int32")
    ]
    assert moved[1] == near(4 * moved[0])


def test_a_lower_voltage_lowers_logic_with_its_square_and_memory_not_at_all() -> None:
    high, low = (
        estimate(NETWORK, "asic-45nm", voltage=v, dataflow="weight").by_component("energy_J") for v in (1.0, 0.8)
    )
    assert low["compute"].value / high["compute"].value == near(0.64)
    assert low["sram"].value == high["sram"].value
    assert low["dram"].value == high["dram"].value


def test_another_node_scales_logic_and_leaves_memory_to_its_own_table() -> None:
    home, scaled = (estimate(NETWORK, "asic-45nm", dataflow="weight", node=node) for node in (0, 22))
    parts, shrunk = home.by_component("energy_J"), scaled.by_component("energy_J")
    assert shrunk["compute"].value < parts["compute"].value / 2
    assert shrunk["sram"].value == parts["sram"].value
    assert any("sram_45_lop_w256" in note for note in scaled.notes)
    assert scaled.total("area_mm2").value < home.total("area_mm2").value
    spread = scaled.total("energy_J").high / scaled.total("energy_J").low
    assert spread > home.total("energy_J").high / home.total("energy_J").low
    other = estimate(NETWORK, "asic-45nm", node=22, dataflow="weight", sram_table="sram_22_lop_w256")
    assert other.by_component("energy_J")["sram"].value < shrunk["sram"].value


def test_multipliers_are_built_only_where_multiplications_remain() -> None:
    binary = estimate(NETWORK, "asic-45nm")
    assert "mul" not in binary.by_kind("area_mm2")
    assert "mul" in estimate(elementwise("mul"), "asic-45nm").by_kind("area_mm2")
    assert "shift" not in estimate(elementwise("shift_const"), "asic-45nm").by_kind("area_mm2")
    assert "shift" in estimate(elementwise("shift_var"), "asic-45nm").by_kind("area_mm2")


def test_twice_the_lanes_are_at_least_as_fast_and_larger() -> None:
    small, large = (estimate(NETWORK, "asic-45nm", outputs=n) for n in (16, 32))
    assert large.total("latency_s").value <= small.total("latency_s").value
    assert large.total("area_mm2").value > small.total("area_mm2").value


def test_leakage_is_power_times_time() -> None:
    fast, slow = (estimate(NETWORK, "asic-45nm", clock=f) for f in (500e6, 250e6))
    ratio = slow.by_component("energy_J")["leakage"].value / fast.by_component("energy_J")["leakage"].value
    assert ratio == near(slow.total("latency_s").value / fast.total("latency_s").value)
    assert "leakage" not in estimate(NETWORK, "asic-45nm", leakage=False).by_component("energy_J")


def test_weights_that_fit_are_not_fetched_and_those_that_do_not_are_fetched_once() -> None:
    resident = estimate(NETWORK, "asic-45nm", weight_sram=2**20)
    streamed = estimate(NETWORK, "asic-45nm", weight_sram=1024)
    assert resident.facts["weights_on_chip"]
    assert not streamed.facts["weights_on_chip"]
    fetched = sum(
        line.coefficient for line in streamed.lines if line.component == "dram" and line.kind in ("weight", "parameter")
    )
    assert fetched == resident.facts["weight_bits"]
    assert "weight" not in {line.kind for line in resident.lines if line.component == "dram"}


def test_the_best_dataflow_is_never_worse_than_either() -> None:
    for size, kernel in ((34, 3), (9, 3), (8, 1)):
        ledger = single(128, size, kernel)
        products = {}
        for flow in ("best", "output", "weight"):
            bill = estimate(ledger, "asic-45nm", dataflow=flow, leakage=False, dram="none")
            products[flow] = bill.facts["dataflow"]["conv0"], _moving(bill) * bill.facts["cycles"]
        assert products["best"][1] <= min(products["output"][1], products["weight"][1]) * (1 + 1e-9)


def test_a_mapping_gives_each_layer_its_own_dataflow() -> None:
    flows = {flow: estimate(NETWORK, "asic-45nm", dataflow=flow, leakage=False) for flow in ("output", "weight")}
    layers = list(flows["output"].facts["dataflow"])
    letters = "".join("ow"[i % 2] for i in range(len(layers)))
    mixed = estimate(NETWORK, "asic-45nm", mapping=letters, dataflow="weight", leakage=False)
    assert mixed.facts["dataflow"] == {n: ("output", "weight")[i % 2] for i, n in enumerate(layers)}
    for index, cost in mixed.by_layer("energy_J").items():
        name = mixed.layer_names[index] if index >= 0 else ""
        one = flows[mixed.facts["dataflow"].get(name, "output")]
        assert cost.value == one.by_layer("energy_J")[index].value
    uniform = estimate(NETWORK, "asic-45nm", mapping="o" * len(layers), leakage=False)
    assert uniform.lines == flows["output"].lines


def _moving(bill: Estimate) -> float:
    return sum(bill.cost(line) for line in bill.lines if line.layer == 0 and line.component in ("sram", "register"))


def test_two_columns_of_one_node_are_both_there_and_not_averaged() -> None:
    energies = {name: compute(elementwise("mul"), name) for name in ("asic-45nm-nangate", "asic-45nm-horowitz")}
    assert energies["asic-45nm-nangate"] > 3 * energies["asic-45nm-horowitz"]


def test_energy_counts_every_layer_and_the_whole() -> None:
    bill = estimate(NETWORK, "asic-45nm")
    by_layer = bill.by_layer("energy_J")
    assert set(by_layer) <= {-1, *(layer.index for layer in NETWORK.layers)}
    assert sum(part.value for part in by_layer.values()) == near(bill.total("energy_J").value)


def test_operations_per_watt_is_two_operations_a_product_over_the_energy() -> None:
    bill = estimate(NETWORK, "asic-45nm")
    macs = sum(layer.macs for layer in NETWORK.layers)
    assert bill.facts["operations"] == 2 * macs
    assert bill.total("tops_per_watt").value == near(2e-12 * macs / bill.total("energy_J").value)
    assert bill.total("power_W").value == near(bill.total("energy_J").value / bill.total("latency_s").value)


def test_a_supply_known_within_bounds_widens_the_energy_of_logic() -> None:
    chip = load_target("binareye")
    known = replace(chip, constants={**chip.constants, "vdd": replace(chip.constants["vdd"], low=0.73, high=0.73)})
    wide, narrow = estimate(NETWORK, chip).total("energy_J"), estimate(NETWORK, known).total("energy_J")
    assert wide.value == narrow.value
    assert wide.high - wide.low > narrow.high - narrow.low


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"node": 5.0}, "Choose the voltage as well"),
        ({"node": 5.0, "voltage": 0.7}, "7 nm to 130 nm"),
        ({"node": 65.0, "voltage": 0.5, "clock": 1e6}, "Choose a higher voltage"),
        ({"voltage": 0.2}, "not above the threshold of the transistors, 0.25 to 0.5 V"),
        ({"voltage": 0.2, "clock": 1e3}, "not above the threshold"),
        ({"voltage": 0.6, "clock": 5e9}, "this technology reaches [0-9,]+ MHz there"),
        ({"node": 22.0, "voltage": 0.3, "clock": 1e9}, "Choose a lower clock or a higher supply"),
        ({"sram_table": "sram_3_hp"}, "unknown table of target .*: 'sram_3_hp'"),
        ({"dataflow": "row"}, "one of best, output, weight"),
        ({"mapping": "ow"}, "0 sums of products, so expected 0 letters"),
        ({"clock": -1.0}, "at least"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_what_can(options: dict[str, object], message: str) -> None:
    with pytest.raises(CostmodelError, match=message):
        estimate(elementwise("mul"), "asic-45nm", **options)


def test_an_option_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownNameError, match="clok"):
        estimate(NETWORK, "asic-45nm", clok=1)


def test_a_network_without_products_is_priced_too() -> None:
    ledger = Ledger("relu", "deployed", (Layer(0, "m", 0, "relu", (-1,), (1, 5), (1, 5), FLOAT, integer(8)),), (), ())
    bill = estimate(ledger, "asic-45nm")
    assert bill.total("tops").value == 0
    assert bill.total("energy_J").value == 0
    assert bill.total("tops_per_watt").value == 0


def signs(c_in: int, c_out: int, first: bool = True) -> Ledger:
    """A convolution by weights of one bit, of an image or of what a ReLU leaves."""
    import torch

    import costmodel

    class Signs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(c_out, c_in, 3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x if first else torch.relu(x)
            return torch.nn.functional.conv2d(x, torch.where(self.weight >= 0, 1.0, -1.0))

    return costmodel.profile(Signs().eval(), torch.randn(1, c_in, 8, 8)).deployed


@pytest.mark.parametrize("channels", [(64, 64), (16, 256), (256, 16)])
def test_products_by_signs_are_summed_by_trees_and_accumulated_once_a_tree(channels: tuple[int, int]) -> None:
    """An accumulator takes one number per tree, not one per product."""
    ledger = signs(*channels)
    products = sum(c.count for c in ledger.charges if c.kind == "signflip")
    bill = estimate(ledger, "asic-45nm-nangate", real_format="int16")
    accumulated = sum(line.coefficient for line in bill.lines if line.kind == "accumulate")
    least = load_target("asic-45nm-nangate").parameters["tree_terms"].default
    assert products > 0
    assert 0 < accumulated <= products / least
    written = estimate(ledger, "asic-45nm-nangate", real_format="int16", tree_terms=1, mac_lanes=channels[1])
    assert bill.total("energy_J").value < written.total("energy_J").value


def test_sums_of_an_image_change_fewer_bits_than_those_of_activations() -> None:
    assert "value_activity" in estimate(signs(16, 16, first=False), "asic-45nm").constants
    assert "input_activity.bits16.ratio" in estimate(signs(16, 16), "asic-45nm").constants
    assert load_target("asic-45nm").value("input_activity.bits8.ratio") < load_target("asic-45nm").value(
        "value_activity"
    )


def test_accumulators_narrower_than_a_sum_are_refused_with_the_width_it_needs() -> None:
    ledger = binareye(64, 10)
    widest = max(c.bits_acc for c in ledger.charges if c.kind == "popcount")
    assert widest > 8
    assert estimate(ledger, "asic", accumulator_bits=widest).fits
    with pytest.raises(CostmodelError, match=f"need {widest} bits"):
        estimate(ledger, "asic", accumulator_bits=widest - 1)


def test_a_chip_larger_than_a_reticle_is_a_misfit() -> None:
    large = estimate(small_net(), "asic", activation_sram=2**30, weight_sram=2**30)
    assert not large.fits
    assert "a reticle holds 858 mm²" in large.misfit[0]
    assert estimate(small_net(), "asic").fits


def test_a_clock_near_what_the_supply_allows_is_noted() -> None:
    limit = 5e9 * ((0.6 - 0.35) ** 1.3 / 0.6) / ((1.1 - 0.35) ** 1.3 / 1.1)
    near, far = (estimate(small_net(), "asic-45nm-nangate", voltage=0.6, clock=c * limit) for c in (1.01, 0.5))
    assert any("near what the supply allows" in note for note in near.notes)
    assert not any("near what the supply allows" in note for note in far.notes)


@pytest.mark.parametrize("kind", ["LPDDR4", "DDR3", "GDDR5", "HBM2", "HBM3"])
def test_the_kind_of_dram_sets_its_bandwidth_unless_one_is_given(kind: str) -> None:
    bill = estimate(small_net(), "asic", dram=kind)
    assert bill.facts["dram_bandwidth_B_per_s"] == load_target("asic").value(f"dram.{kind}.bandwidth")
    assert estimate(small_net(), "asic", dram=kind, dram_bandwidth=1e9).facts["dram_bandwidth_B_per_s"] == 1e9


def test_dram_whose_bandwidth_has_no_source_needs_one() -> None:
    with pytest.raises(CostmodelError, match="Give dram_bandwidth"):
        estimate(small_net(), "asic", dram="LPDDR")
    assert estimate(small_net(), "asic", dram="LPDDR", dram_bandwidth=1e9).total("latency_s").value > 0


@pytest.mark.parametrize("name", list_targets("asic"))
def test_times_rates_and_power_have_intervals(name: str) -> None:
    bill = estimate(small_net(), name)
    for metric in ("latency_s", "images_per_second", "tops", "power_W", "energy_J"):
        found = bill.total(metric)
        assert found.low < found.high, metric


COLUMNS = ("asic-45nm-horowitz", "asic-45nm-nangate", "asic-40nm-aladdin", "asic-7nm-jouppi", "asic-7nm-asap7",
           "asic-130nm-sky130")  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_its_arithmetic_from_one_source_or_says_what_it_borrows_and_widens(name: str) -> None:
    target, bill = load_target(name), estimate(small_net(), name, real_format="int16")
    logic = {
        key.split(".")[0] for key, q in bill.constants.items() if "." in key and q.unit == "J" and "sram" not in key
    }
    own = target.structure.get("own", target.structure["units"]["default"])
    assert own in logic
    for other in logic - {own}:
        assert any(other in note for note in bill.notes), other
        assert bill.constants["borrowed_energy"].low < 1


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("integer", "real"), [("int16", "fp16"), ("int32", "fp32")])
def test_an_integer_product_costs_no_more_than_a_floating_one_of_its_width(name: str, integer: str, real: str) -> None:
    """ISSCC 2014: 3.1 pJ and 3.7 pJ at 32 bits; Jouppi's 32-bit integers at 7 nm are the published exception."""
    if (name, integer) == ("asic-7nm-jouppi", "int32"):
        return
    a, b = (compute(elementwise("mul"), name, real_format=each) for each in (integer, real))
    assert a <= b


@pytest.mark.parametrize("kilobytes", [1, 2, 8, 32, 128, 512, 1024, 2048, 4096])
def test_a_bit_of_a_buffer_costs_less_at_every_later_node(kilobytes: int) -> None:
    target = load_target("asic-45nm-nangate")
    tables = ["sram_90_lop", "sram_65_lop", "sram_45_lop", "sram_32_lop", "sram_22_lop", "sram_7_lop"]
    for what in ("read", "write"):
        costs = [sram_cost(target, table, kilobytes * 1024, what).value for table in tables]
        assert costs == sorted(costs, reverse=True), (what, costs)
