"""More of what costs area or power is never slower, fewer bits and a later node never cost more of what they save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, list_targets, load_target
from costmodel.validate.asic_networks import binareye
from tests.targets.hand import small_net

NETWORKS = {"residual": small_net(), "binary": binareye(64, 10)}
CHIPS = [name for name in list_targets("asic") if name.startswith("asic-")]
#: (option, values from little to much, metric that must not rise)
ASIC: list[tuple[str, Sequence[Any], str]] = [
    ("clock", [1e8, 2e8, 4e8], "latency_s"),
    ("outputs", [8, 16, 32], "latency_s"),
    ("terms", [64, 128, 256], "latency_s"),
    ("pixels", [1, 2, 4], "latency_s"),
    ("mac_lanes", [16, 64, 256], "latency_s"),
    ("vector_lanes", [8, 32, 128], "latency_s"),
    ("dram_bandwidth", [1e8, 1e9, 1e10], "latency_s"),
    ("activation_sram", [1024, 16384, 1 << 20], "latency_s"),
    ("weight_sram", [1024, 16384, 1 << 20], "latency_s"),
    ("dram", ["DDR3", "LPDDR4", "GDDR5", "HBM2", "HBM3"], "latency_s"),
    ("real_format", ["int32", "int24", "int16", "int12", "int8"], "energy_J"),
    ("weight_bits", [16, 8, 4, 2], "energy_J"),
    ("input_bits", [16, 12, 8], "energy_J"),
]


def falls(ledger: Ledger, target: str, option: str, values: Sequence[Any], metric: str, **fixed: Any) -> None:
    costs = [estimate(ledger, target, **fixed, **{option: value}).total(metric).value for value in values]
    for (a, before), (b, after) in zip(
        zip(values, costs, strict=True), zip(values[1:], costs[1:], strict=False), strict=False
    ):
        assert after <= before * (1 + 1e-12), f"{target}: {metric} rises from {option}={a} to {option}={b}"


@pytest.mark.parametrize(("option", "values", "metric"), ASIC, ids=[each[0] for each in ASIC])
@pytest.mark.parametrize("target", CHIPS)
@pytest.mark.parametrize("network", NETWORKS)
def test_more_of_a_chip_is_never_slower_and_fewer_bits_never_cost_more(
    network: str, target: str, option: str, values: Sequence[Any], metric: str
) -> None:
    # One dataflow: the product of energy and time, by which ``best`` chooses, may trade one for the other.
    for dataflow in ("output", "weight"):
        falls(NETWORKS[network], target, option, values, metric, dataflow=dataflow)


@pytest.mark.parametrize("network", NETWORKS)
def test_logic_of_a_later_node_costs_less(network: str) -> None:
    logic = [
        estimate(NETWORKS[network], "asic-45nm-nangate", node=node).by_component("energy_J")["compute"].value
        for node in (90.0, 65.0, 45.0, 32.0, 22.0)
    ]
    assert logic == sorted(logic, reverse=True)


@pytest.mark.parametrize("target", list_targets("arm"))
@pytest.mark.parametrize("network", NETWORKS)
def test_a_faster_core_is_never_slower(network: str, target: str) -> None:
    clock = load_target(target).parameters["clock"]
    least, most = float(clock.min or 0), float(clock.max or 0)
    falls(NETWORKS[network], target, "clock", [least, (least + most) / 2, most], "latency_s")


@pytest.mark.parametrize("target", ["raspberry-pi-4b", "pixel-1", "cortex-a76"])
def test_fewer_bits_are_never_slower_on_a_core(target: str) -> None:
    falls(NETWORKS["residual"], target, "precision", ["fp32", "int8"], "latency_s")


@pytest.mark.parametrize("target", [*CHIPS, *list_targets("arm")])
def test_a_smaller_network_never_costs_more(target: str) -> None:
    metric = "energy_J" if target in CHIPS else "latency_s"
    costs = [estimate(binareye(width, 10), target).total(metric).value for width in (64, 128, 256)]
    assert costs == sorted(costs)
