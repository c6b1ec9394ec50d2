"""Each line of a bill is a count times the constants that stand for it: widths, scales and formulas, one by one."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from costmodel.ledger.ledger import Charge
from costmodel.targets import estimate, load_target
from costmodel.targets.asic.array import Tiling
from costmodel.targets.asic.bill import Bill
from costmodel.targets.asic.memory import sram_cost
from costmodel.targets.asic.price import OPTIONS
from costmodel.targets.asic.technology import Technology
from costmodel.validate.asic_networks import binareye, single
from tests.near import near

NETWORK = binareye(64, 10)


def bill_of(name: str, **options: object) -> Bill:
    target = load_target(name)
    return Bill(Technology(target, target.settings(options, OPTIONS)))


def unit_energy(bill: Bill, unit: str, width: float) -> float:
    value = bill.technology.value((*bill.technology.factors(unit, width), "system_factor"))
    assert isinstance(value, float)
    return value


def energy_of(bill: Bill, kind: str, count: int, bits_a: int, bits_b: int, bits_acc: int = 0) -> float:
    bill.element(Charge(3, "m", 0, "affine", kind, "other", count, bits_a, bits_b, bits_acc))  # type: ignore[arg-type]
    assert {line.layer for line in bill.lines} == {3}
    return sum(line.coefficient * bill.technology.value(line.factors) for line in bill.lines)


@pytest.mark.parametrize("kind", ["shift_var", "shift_channel"])
@pytest.mark.parametrize("column", ["asic-45nm-horowitz", "asic-45nm-nangate"])
def test_a_floating_point_number_is_shifted_by_an_adder_of_its_exponent(kind: str, column: str) -> None:
    bill = bill_of(column, real_format="fp32")
    assert unit_energy(bill, "add", 7) < unit_energy(bill, "add", 8) < unit_energy(bill, "add", 9)
    assert energy_of(bill, kind, 7, 32, 5) == near(7 * unit_energy(bill, "add", 8))


@pytest.mark.parametrize(
    ("bits", "width"),
    [((16, 0), 4.0), ((16, 1), 4.0), ((8, 8), 8.0), ((8, 18), 12.0), ((18, 8), 12.0), ((32, 8), math.sqrt(16 * 8))],
)
def test_a_multiplier_is_as_wide_as_the_square_of_its_area(bits: tuple[int, int], width: float) -> None:
    bill = bill_of("asic-45nm-nangate")
    assert energy_of(bill, "mul", 5, *bits) == near(5 * unit_energy(bill, "mul", width))


@pytest.mark.parametrize(
    ("kind", "bits", "units"),
    [
        ("add", (8, 4, 0), {("add", 8): 1}),
        ("add", (8, 4, 20), {("add", 20): 1}),
        ("add", (8, 24, 20), {("add", 24): 1}),
        ("compare", (12, 6, 0), {("compare", 12): 1}),
        ("compare", (6, 12, 0), {("compare", 12): 1}),
        ("compare", (12, 0, 0), {("mux", 12): 1}),
        ("signflip", (8, 1, 0), {("xnor", 8): 1}),
        ("signflip", (8, 1, 20), {("xnor", 8): 1, ("add", 20): 1}),
        ("shift_var", (16, 5, 0), {("shift", 16): 1}),
        ("lut", (6, 4, 0), {("mux", 6): 1}),
        ("xnor", (4, 4, 0), {("xnor", 4): 1}),
        ("and", (2, 4, 0), {("xnor", 4): 1}),
        ("popcount", (4, 1, 10), {("add", 10): 1}),
        ("popcount", (12, 1, 10), {("add", 12): 1}),
    ],
)
def test_an_operation_takes_the_unit_of_its_width(
    kind: str, bits: tuple[int, int, int], units: dict[tuple[str, int], int]
) -> None:
    bill = bill_of("asic-45nm-nangate")
    expected = sum(times * 11 * unit_energy(bill, *unit) for unit, times in units.items())
    assert energy_of(bill, kind, 11, *bits) == near(expected)
    assert bill.unpriced == {}


def test_unpriced_work_adds_up_by_kind() -> None:
    bill = bill_of("asic-45nm-nangate")
    for count in (3, 4):
        bill.element(Charge(0, "m", 0, "special", "special", "other", count, 8, 8, 0))
    assert bill.unpriced == {"special": 7}
    assert bill.lines == []


def test_a_tree_of_many_terms_is_used_once_for_all_of_them() -> None:
    bill = bill_of("asic-45nm-nangate")
    bill.tree(Charge(0, "m", 0, "conv", "popcount", "binary_conv", 640, 1, 1, 10), 64)
    (line,) = bill.lines
    assert line.coefficient == 10
    assert bill.technology.value(line.factors) == unit_energy(bill, "popcount", 64)


@pytest.mark.parametrize("voltage", [0.4, 0.5, 0.8])
def test_buffers_at_the_supply_of_the_logic_follow_it(voltage: float) -> None:
    bill = bill_of("xne", voltage=voltage)
    nominal = bill.target.value("sram_22_lop_vdd")
    for what, power in (("read", 2), ("write", 2), ("leakage", 1)):
        bank = bill.memory("activation", what).value
        if what == "leakage":
            bill.constants["activation_sram.leakage"] = bill.memory("activation", what)
        factors = bill.leakage_factors("activation") if what == "leakage" else bill.sram_factors("activation", what)
        assert factors[1] == ("sram.scale.leakage" if what == "leakage" else "sram.scale.access")
        ratio = bill.technology.value(factors) / bank
        assert ratio == near((voltage / nominal) ** power), what


def test_a_buffer_with_a_supply_of_its_own_follows_nothing() -> None:
    bill = bill_of("asic-45nm-nangate", voltage=0.8)
    assert bill.sram_factors("weight", "read") == ("weight_sram.read",)
    assert bill.leakage_factors("weight") == ("weight_sram.leakage",)


def test_the_bounds_of_a_supply_enter_accesses_by_their_square_and_leakage_as_they_are() -> None:
    target = load_target("xne")
    vdd = replace(target.constants["vdd"], low=0.36, high=0.5)
    target = replace(target, constants={**target.constants, "vdd": vdd})
    bill = Bill(Technology(target, target.settings({}, OPTIONS)))
    for name, power in ((bill.sram_factors("weight", "read")[-1], 2), (bill.leakage_factors("weight")[-1], 1)):
        scale = bill.constants[name]
        assert scale.low / scale.value == near((0.36 / 0.4) ** power)
        assert scale.high / scale.value == near((0.5 / 0.4) ** power)


def test_logic_of_unknown_leakage_leaks_as_a_share_of_what_a_buffer_does_on_that_area() -> None:
    bill = bill_of("asic-40nm-aladdin")
    bank = bill.target.settings({})["weight_sram"] / bill.target.settings({})["sram_banks"]
    table = bill.target.settings({})["sram_table"]
    leak, area = (sram_cost(bill.target, table, bank, what).value for what in ("leakage", "area"))
    (name,) = bill.leakage_density()
    share, found = bill.target.constant("logic_leakage"), bill.constants[name]
    for bound in ("value", "low", "high"):
        assert getattr(found, bound) == near(getattr(share, bound) * leak / area)


def test_moving_bits_costs_what_their_accesses_do() -> None:
    bill = bill_of("asic-45nm-nangate")
    tiling = Tiling("output", 1, 1, 1, 1, 1, weight_reads=0, input_reads=0, partial_sums=0, register_bits=0)
    bit = {
        "input_reads": bill.technology.value(bill.sram_factors("activation", "read")),
        "weight_reads": bill.technology.value(bill.sram_factors("weight", "read")),
        "register_bits": unit_energy(bill, "register", 1),
        # half of them are read, half are written
        "partial_sums": 0.5 * sum(bill.technology.value(bill.sram_factors("activation", w)) for w in ("read", "write")),
    }
    for name, energy in bit.items():
        assert bill.movement(replace(tiling, **{name: 1000})) == near(1000 * energy), name


def test_dram_that_is_no_part_of_the_chip_is_counted_and_not_priced() -> None:
    bill = bill_of("xne")
    bill.dram(0, "input", 100)
    bill.dram(0, "output", 28)
    assert bill.interface_bits == 128
    assert bill.lines == []


@pytest.mark.parametrize(("read", "write", "expected"), [(10, 0, [10]), (0, 5, [5]), (10, 5, [10, 5]), (0, 0, [])])
def test_accesses_of_no_bits_are_no_lines(read: int, write: int, expected: list[int]) -> None:
    bill = bill_of("asic-45nm-nangate")
    bill.sram(0, "weight", "weight", read, write)
    assert [line.coefficient for line in bill.lines] == expected


@pytest.mark.parametrize(
    ("compute", "moving", "cycles", "component"), [(9, 4, 9, "compute"), (4, 9, 9, "dram"), (4, 4, 4, "dram")]
)
def test_the_slower_of_array_and_memory_sets_the_time(compute: int, moving: int, cycles: int, component: str) -> None:
    bill = bill_of("asic-45nm-nangate", clock=500e6)
    bill.time(2, compute, moving)
    (line,) = bill.lines
    assert (line.layer, line.metric, line.component) == (2, "latency_s", component)
    assert line.coefficient == near(cycles / 500e6)
    overhead = {"compute": "array_overhead", "dram": "dram_overhead"}[component]
    assert line.factors == (overhead,)
    bill.time(3, 1, 0)
    total = cycles * bill.target.value(overhead) + 1
    assert bill.total_cycles == total
    assert bill.seconds == near(total / 500e6)


def test_area_belongs_to_no_layer() -> None:
    assert set(estimate(NETWORK, "asic-45nm-nangate").by_layer("area_mm2")) == {-1}


def test_leakage_belongs_to_no_layer_and_lasts_as_long_as_the_inference() -> None:
    bill = bill_of("asic-45nm-nangate", clock=1e9)
    bill.time(0, 2000, 0)
    bill.leaks.append(("array", 3, ("system_factor",)))
    bill.leakage()
    line = bill.lines[-1]
    assert (line.layer, line.metric, line.component, line.kind) == (-1, "energy_J", "leakage", "array")
    assert line.coefficient == near(3 * 2000 / 1e9)


def test_an_array_that_every_layer_fills_is_used_in_full() -> None:
    # 64 channels of 3 x 3 x 64 terms on 64 outputs and 64 terms: every lane works in every cycle.
    lanes = {"outputs": 64, "terms": 64, "pixels": 1}
    filled = estimate(single(64, 10, 3), "asic-45nm-nangate", **lanes, sram_banks=1024, dataflow="output")
    assert filled.facts["array_utilisation"] == 1.0


def test_lines_of_one_factor_are_added_up() -> None:
    bill = bill_of("asic-45nm-nangate")
    for layer in (0, 1):
        bill.registers(layer, 10)
    bill.unit(2, "add", "add", 5, 8)
    totals = bill.totals("energy_J")
    assert sorted(line.coefficient for line in totals) == [5, 20]
    assert math.fsum(bill.technology.value(line.factors) * line.coefficient for line in totals) == near(
        math.fsum(bill.technology.value(line.factors) * line.coefficient for line in bill.lines)
    )
    assert bill.totals("area_mm2") == ()
    assert bill.used().keys() == {name for line in bill.lines for name in line.factors}
