"""Latencies and energies under other kernel libraries than Larq's: ncnn, XNNPACK, and those of microcontrollers.

A row's target names board, core, clock, threads and library. Rows of a core or a library that no target has are told
apart as such, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, load_target
from costmodel.targets.estimate import Estimate
from costmodel.validate import networks
from costmodel.validate.rows import Result, Row, Skipped

#: board of a row -> target and options
BOARDS: dict[str, tuple[str, dict[str, Any]]] = {
    "msm8916_a53_1.2GHz": ("cortex-a53", {"clock": 1.2e9}),
    "rk3399_a53_1.5GHz": ("cortex-a53", {"clock": 1.5e9}),
    "rk3399little_a53_1.5GHz": ("cortex-a53", {"clock": 1.5e9}),
    "qrb2210_a53_2.0GHz": ("cortex-a53", {"clock": 2.0e9}),
    "pizero2w_a53_1.0GHz": ("raspberry-pi-3b", {"clock": 1.0e9}),
    "rpi3b+_a53_1.4GHz": ("raspberry-pi-3b", {"clock": 1.4e9}),
    "rpi3b+_1.4GHz": ("raspberry-pi-3b", {"clock": 1.4e9}),
    "rk3568_a55_2.0GHz": ("cortex-a55", {"clock": 2.0e9}),
    "rk3399_a72_1.8GHz": ("cortex-a72", {"clock": 1.8e9}),
    "rk3399big_a72_1.8GHz": ("cortex-a72", {"clock": 1.8e9}),
    "rpi4b_a72_1.8GHz": ("raspberry-pi-4b", {"clock": 1.8e9}),
    "rpi4b": ("raspberry-pi-4b", {}),
    "rpi5_a76_2.4GHz": ("raspberry-pi-5", {}),
    "pixel1": ("pixel-1", {}),
    "apple_m1": ("apple-m1", {}),
}
#: microcontroller core -> target
CORES = {core: core for core in ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "cortex-m85")}
#: What a submission to MLPerf Tiny ran on -> library; X-CUBE-AI by the round.
LIBRARIES = {
    "cmsis-nn": "cmsis-nn", "skymizer-mbed": "cmsis-nn", "skymizer-zephyr": "cmsis-nn", "layer": "cmsis-nn",
    "cmsis-nn_layer": "cmsis-nn", "plumerai": "plumerai", "hale": "hale", "microtvm": "microtvm",
}  # fmt: skip
ROUNDS = {"mlpt10": "x-cube-ai-2022", "mlpt11": "x-cube-ai-2023", "mlpt12": "x-cube-ai-2024"}
#: layer of a row -> kind, channels in and out, size of the result, stride
LAYERS: dict[str, tuple[Any, ...]] = {
    "conv 3x3/2, 3 to 32, 112": ("3x3", 3, 32, 112, 2),
    "depthwise 3x3, 32, 112": ("depthwise", 32, 32, 112),
    "conv 1x1, 32 to 16, 112": ("1x1", 32, 16, 112),
    "conv 1x1, 16 to 96, 112": ("1x1", 16, 96, 112),
    "depthwise 3x3/2, 96, 56": ("depthwise", 96, 96, 56, 2),
    "conv 1x1, 96 to 24, 56": ("1x1", 96, 24, 56),
    "conv 1x1, 24 to 144, 56": ("1x1", 24, 144, 56),
    "depthwise 3x3, 144, 56": ("depthwise", 144, 144, 56),
}
_BOARD = re.compile(r"(?P<board>.+)_(?P<threads>\d)t_(?P<library>ncnn|xnnpack)_(?P<precision>fp32|int8)(_32bit)?")
_MICRO = re.compile(r"(?P<core>cortex-m\d+)_((?P<mhz>\d+)MHz_(?P<board>[^_]+)_?)?(?P<library>.*)")


def results(rows: Sequence[Row], announce: Callable[[str], None]) -> list[Result | Skipped]:
    """Latency and energy rows whose target names one of these libraries."""
    ledgers: dict[str, Ledger] = {}
    found: list[Result | Skipped] = []
    for row in rows:
        board, micro = match_board(row), match_micro(row)
        if not (board or micro):
            continue
        name = row.model.removesuffix(" int8")
        if name not in ledgers:
            announce(f"tracing {name}")
            ledgers[name] = ledger_of(name)
        if board:
            found.append(_on_board(row, ledgers[name], board))
        elif micro:
            found.append(_on_microcontroller(row, ledgers[name], micro))
    return found


def match_board(row: Row) -> re.Match[str] | None:
    return _BOARD.fullmatch(row.target)


def match_micro(row: Row) -> re.Match[str] | None:
    return _MICRO.fullmatch(row.target)


@lru_cache(maxsize=32)
def ledger_of(model: str) -> Ledger:
    """The network or the layer of a row, as it is written."""
    import costmodel

    name = model.removesuffix(" int8")
    if name in LAYERS:
        return networks.layer(*LAYERS[name])
    return networks.ledger(name) if name in networks.BUILDERS else costmodel.profile(name.lower()).as_written


def _on_board(row: Row, ledger: Ledger, match: re.Match[str]) -> Result | Skipped:
    bill = board_bill(row, ledger, match)
    if bill is None:
        return Skipped(row, "no target of this board")
    library = {"ncnn": "ncnn", "xnnpack": "XNNPACK"}[match["library"]]
    return Result(row, f"Arm latency, {library}", bill.total("latency_s").scaled(1e3), target=bill.target)


def board_bill(row: Row, ledger: Ledger, match: re.Match[str]) -> Estimate | None:
    """ncnn computes in half precision where the core has it, unless it is told not to."""
    if match["board"] not in BOARDS:
        return None
    target, options = BOARDS[match["board"]]
    precision = match["precision"]
    if match["library"] == "ncnn" and precision == "fp32" and "cycles_fp16_mac" in load_target(target).constants:
        precision = "fp16"
    return estimate(
        ledger, target, threads=int(match["threads"]), precision=precision, library=match["library"], **options
    )


def _on_microcontroller(row: Row, ledger: Ledger, match: re.Match[str]) -> Result | Skipped:
    bill = micro_bill(row, ledger, match)
    if isinstance(bill, str):
        return Skipped(row, bill)
    if row.metric == "energy_mJ":
        if "energy_J" not in bill.metrics():
            return Skipped(row, "no row of the energy of this core is calibration")
        return Result(row, "Microcontroller energy", bill.total("energy_J").scaled(1e3), target=bill.target)
    latency = bill.total("latency_s")
    if row.metric == "cycles_M":
        cycles = latency.scaled(bill.facts["clock_Hz"] / 1e6)
        return Result(row, "Microcontroller latency, single layers", cycles, target=bill.target)
    return Result(row, "Microcontroller latency, networks", latency.scaled(1e3), target=bill.target)


def micro_bill(row: Row, ledger: Ledger, match: re.Match[str]) -> Estimate | str:
    """The estimate, or why there is none."""
    if match["core"] not in CORES:
        return "no target of this core"
    library = LIBRARIES.get(match["library"])
    if match["library"] == "x-cube-ai" or row.id.endswith("_st"):
        library = ROUNDS[row.id.split("_", 1)[0]]
    elif row.id.endswith("_cmsis"):
        library = "cmsis-nn"
    if library is None:
        return "no row of this library is calibration"
    options: dict[str, Any] = {} if match["mhz"] is None else {"clock": float(match["mhz"]) * 1e6}
    return estimate(ledger, CORES[match["core"]], library=library, **options)
