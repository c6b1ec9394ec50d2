"""Published operation costs, unit areas at widths left out of the laws, and chips that no constant has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate, load_target
from costmodel.targets.asic.units import Column, column
from costmodel.targets.estimate import Estimate
from costmodel.targets.quantity import Interval
from costmodel.validate.asic_networks import binareye, binary_weights, peak_ternary, single
from costmodel.validate.rows import Result, Row, Skipped

CHIPS = "ASIC chips"
TABLES = "ASIC published operation costs"
BASELINE = "operation energy only"

#: prefix of a row -> target and column
COLUMNS = {"hor45": ("asic-45nm-horowitz", "horowitz45"), "jou7": ("asic-7nm-jouppi", "jouppi7")}
#: operation of a row -> unit and width
UNITS = {
    "int8_add": ("add", 8), "int32_add": ("add", 32), "int8_mul": ("mul", 8), "int32_mul": ("mul", 32),
    "fp32_mul": ("fmul", 32), "fp32_add": ("fadd", 32),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chip:
    """How a row of a published chip is estimated: the workload, the target, the unit of the row. ``options`` are what
    the row itself states; all else is what a user gets."""

    workload: Callable[[], Ledger]
    target: str
    per_operation: bool
    options: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, Chip] = {
    "asic_binareye_28nm_cifar-10_86": Chip(lambda: binareye(256, 10), "binareye", False),
    "asic_binareye_28nm_face_det_94": Chip(lambda: binareye(64, 2), "binareye", False),
    "asic_binareye_28nm_peak_energy/op": Chip(lambda: single(256, 32, 2), "binareye", True),
    "asic_chewbaccann_gf22_0p4v_peak_energy/op": Chip(lambda: single(64, 32, 7), "chewbaccann", True),
    "yodann_area": Chip(lambda: binary_weights(32, 32, 7), "yodann", False),
    "yodann_e12": Chip(lambda: binary_weights(32, 32, 7), "yodann", True),
    "yodann_e": Chip(lambda: binary_weights(32, 32, 7), "yodann", True, {"voltage": 0.6}),
    "asic_xne_22nm_0p4v_energy/op": Chip(lambda: single(128, 16, 3), "xne", True),
}
#: Rows that the system factor was fitted to: the logic alone, without buffers and leakage.
CALIBRATION: dict[str, Chip] = {
    "asic_xnorbin_65nm_0p8v_energy/op": Chip(lambda: single(64, 32, 7), "xnorbin", True),
    "asic_tcn-cutie_22nm_0p5v_energy/op": Chip(peak_ternary, "tcn-cutie", True),
}
WHY_NOT = {
    "asic_chewbaccann_gf22_0p4v_cifar-10_86p8": "the network is not described in a source that could be read",
    "asic_chewbaccann_gf22_0p4v_groupnet_8-base_resnet-18": "the energy of the chip's interface, which the figure may "
    "hold, is not published",
    "asic_xne_22nm_mcu_binary_resnet-34": "an upper bound, at a supply that is not published",
    "asic_chewbaccann_area": "the sizes of its memories, which fill most of the core, are not in the abstract",
    "asic_yodann_area": "the same figure as in row yodann_area",
}


def results(rows: Sequence[Row], announce: Callable[[str], None]) -> list[Result | Skipped]:
    """Rows of published tables and chips."""
    found: list[Result | Skipped] = []
    for row in rows:
        prefix = row.id.split("_", 1)[0]
        if prefix in COLUMNS and row.model in UNITS:
            found.append(_published(row, *COLUMNS[prefix]))
        elif row.id in CASES or row.id in CALIBRATION:
            found.append(_chip(row))
        elif row.id in WHY_NOT:
            found.append(Skipped(row, WHY_NOT[row.id]))
    return found


def _published(row: Row, target: str, name: str) -> Result:
    unit, width = UNITS[row.model]
    what = "area" if row.metric.startswith("area") else "energy"
    quantity = column(load_target(target), name).quantity(unit, width, what)
    scale = 1e6 if what == "area" else 1e12
    return Result(row, TABLES, quantity.interval().scaled(scale), target=target)


def _chip(row: Row) -> Result:
    if row.id in CALIBRATION:
        chip = CALIBRATION[row.id]
        bill = estimate(chip.workload(), chip.target, **chip.options)
        logic = Estimate(
            bill.network, bill.target, bill.level,
            tuple(line for line in bill.lines if line.component in ("compute", "register")), bill.constants,
        )  # fmt: skip
        energy = logic.total("energy_J")
        note = "datapath and registers alone, with the system factor that was fitted to this row"
    else:
        chip = CASES[row.id]
        bill = estimate(chip.workload(), chip.target, **chip.options)
        if row.metric == "area_mm2":
            return Result(row, CHIPS, bill.total("area_mm2"), target=chip.target)
        energy, note = bill.total("energy_J"), ""
    scale = 1e15 / bill.facts["operations"] if chip.per_operation else 1e6
    baseline = sum(
        bill.cost(line) / bill.constants["system_factor"].value
        for line in bill.lines
        if line.metric == "energy_J" and line.component == "compute" and line.factors
    )
    return Result(row, CHIPS, energy.scaled(scale), {BASELINE: baseline * scale}, note=note, target=chip.target)


def logic_per_operation(chip: Chip, bound: str = "value") -> float:
    """Energy in J of datapath and registers per operation without the system factor, at a bound of the constants."""
    bill = estimate(chip.workload(), chip.target, **chip.options)
    total = 0.0
    for line in bill.lines:
        if line.metric == "energy_J" and line.component in ("compute", "register"):
            value = line.coefficient
            for name in line.factors:
                if name != "system_factor":
                    value *= getattr(bill.constants[name], bound)
            total += value
    return total / float(bill.facts["operations"])


def fitted_system_factor(rows: Sequence[Row]) -> Interval:
    """The system factor that the calibration rows give: XNORBIN over nominal energies, over energies without glitches
    (high), and TCN-CUTIE over nominal energies (low)."""
    published = {row.id: row.value * 1e-15 for row in rows if row.id in CALIBRATION}
    binary, ternary = CALIBRATION
    value = published[binary] / logic_per_operation(CALIBRATION[binary])
    high = published[binary] / logic_per_operation(CALIBRATION[binary], "low")
    low = published[ternary] / logic_per_operation(CALIBRATION[ternary])
    return Interval(value, low, high)


def left_out_errors(technology: Column, unit: str, what: str = "area") -> dict[int, float]:
    """Relative errors of a law at every second width between the first and the last, fitted to the other widths."""
    points = technology.cells[unit, what]
    widths = [width for width, _ in points]
    out = widths[1:-1:2]
    law = technology.law(unit, what, leave_out=out)
    return {width: law(width) / quantity.value - 1 for width, quantity in points if width in out}
