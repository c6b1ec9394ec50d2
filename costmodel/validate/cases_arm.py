"""Latencies of the Larq networks on Arm boards, and what the constants would be without each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.ledger.ledger import Ledger
from costmodel.targets import estimate
from costmodel.targets.estimate import Estimate
from costmodel.validate.refit import Problem, Unknown, leave_out, problem
from costmodel.validate.rows import Result, Row, Skipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: model of a row -> name in the zoo and arguments of its factory
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "QuickNetSmall": ("quicknet-small", {}),
    "QuickNet": ("quicknet", {}),
    "QuickNetLarge": ("quicknet-large", {}),
    "BiRealNet": ("birealnet", {}),
    "BinaryResNetE18": ("binaryresnete18", {}),
    "RealToBinaryNet": ("realtobinarynet", {}),
    "BinaryDenseNet28": ("binarydensenet28", {}),
    "BinaryDenseNet37": ("binarydensenet37", {}),
    "BinaryDenseNet37Dilated": ("binarydensenet37dilated", {}),
    "BinaryDenseNet45": ("binarydensenet45", {}),
    "MeliusNet22": ("meliusnet22", {}),
    "XNORNet": ("xnornet", {}),
    # Dense layers became 1x1 convolutions in May 2021; the latencies are older (larq/zoo, pull request 320).
    "BinaryAlexNet": ("binaryalexnet", {"dense_classifier": True}),
    # The names of 2020 until August.
    "QuickNet v0.2 (=QuickNetSmall)": ("quicknet-small", {}),
    "QuickNet-XL v0.1 (=QuickNetLarge)": ("quicknet-large", {}),
}

#: target of a row -> group of rows, target and options
TARGETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rpi4b_a72_1.5GHz_1t_lce_fp32": ("Arm latency, Raspberry Pi 4B", "raspberry-pi-4b", {}),
    "pixel1_kryo_1t_lce_fp32": ("Arm latency, Pixel 1", "pixel-1", {}),
    "rpi4b_a72_1.5GHz_1t_lce_int8": ("Arm latency, int8 real layers", "raspberry-pi-4b", {"precision": "int8"}),
    "pixel1_kryo_1t_lce_int8": ("Arm latency, int8 real layers", "pixel-1", {"precision": "int8"}),
    "rpi4b_a72_1.5GHz_1t_lce_2022": (
        "Arm latency, library of 2022", "raspberry-pi-4b", {"library": "lce-2022-04"},
    ),
    "rpi4b_a72_1.5GHz_4t_lce_2022": (
        "Arm latency, four threads", "raspberry-pi-4b", {"library": "lce-2022-04", "threads": 4},
    ),
    "apple_m1_1t_lce_2021": ("Arm latency, Apple M1", "apple-m1", {}),
    "apple_m1_4t_lce2021-06": ("Arm latency, four threads", "apple-m1", {"threads": 4}),
    **{
        f"rpi4b_4t_lce2020-{month}": (
            "Arm latency, four threads", "raspberry-pi-4b", {"library": f"lce-2020-{month}", "threads": 4},
        )
        for month in ("08", "05", "04", "03")
    },
}  # fmt: skip

#: The constants that are fitted; the first is one for all cores, the others one per board. A call takes ten cycles at
#: the least, and nothing is faster than its ceiling.
UNKNOWNS = (
    Unknown("binary_slowdown", at_least=1.0),
    Unknown("real_slowdown", ("raspberry-pi-4b",), 1.0),
    Unknown("real_slowdown", ("pixel-1",), 1.0),
    Unknown("seconds_per_byte", ("pixel-1",)),
    Unknown("call_cycles", ("raspberry-pi-4b",), 10.0),
    Unknown("call_cycles", ("pixel-1",), 10.0),
)
CALIBRATED = ("rpi4b_a72_1.5GHz_1t_lce_fp32", "pixel1_kryo_1t_lce_fp32")
#: Networks whose latencies the fit is to; the spread of the others sets the bounds.
FITTED = ("QuickNetSmall", "BiRealNet", "BinaryDenseNet28")
WHY_NOT = {"pixel1_4t_lce2021-06": "the published column repeats, digit for digit, that of other models of August 2020"}
BASELINE = "two-term regression on MACs, left out"


def results(rows: Sequence[Row], announce: Callable[[str], None]) -> list[Result | Skipped]:
    """Latency rows of the boards that have a target."""
    mine = [row for row in rows if row.target in TARGETS and row.model in MODELS]
    ledgers = profiles(dict.fromkeys(row.model for row in mine), announce)
    bills = {row.id: bill(row, ledgers[row.model]) for row in mine}
    left_out = _left_out([row for row in mine if row.target in CALIBRATED], bills)
    baseline = _regression([row for row in mine if row.target in CALIBRATED], ledgers)
    skipped = [Skipped(row, WHY_NOT[row.target]) for row in rows if row.target in WHY_NOT]
    return skipped + [
        Result(
            row, TARGETS[row.target][0], bills[row.id].total("latency_s").scaled(1e3),
            {BASELINE: baseline[row.id]} if row.id in baseline else {}, left_out.get(row.id),
            target=TARGETS[row.target][1],
        )
        for row in mine
    ]  # fmt: skip


def profiles(models: Iterable[str], announce: Callable[[str], None]) -> dict[str, Ledger]:
    """What the runtime was given: networks as they are written, which its converter then fuses by its own rules."""
    import costmodel

    found = {}
    for model in models:
        name, arguments = MODELS[model]
        found[model] = costmodel.profile(name, arguments=arguments, announce=announce).as_written
    return found


def bill(row: Row, ledger: Ledger) -> Estimate:
    _, target, options = TARGETS[row.target]
    return estimate(ledger, target, **options)


def calibration(rows: Sequence[Row], bills: dict[str, Estimate]) -> Problem:
    """The fit of the constants of ``arch_specs/arm`` to the given rows."""
    return problem([bills[row.id] for row in rows], "latency_s", [row.value / 1e3 for row in rows], UNKNOWNS)


def _left_out(rows: Sequence[Row], bills: dict[str, Estimate]) -> dict[str, float]:
    estimates = leave_out(calibration(rows, bills), {i: row.model for i, row in enumerate(rows)})
    return {row.id: float(estimates[i]) * 1e3 for i, row in enumerate(rows)}


def _regression(rows: Sequence[Row], ledgers: dict[str, Ledger]) -> dict[str, float]:
    """What binary and real multiply-accumulates and a constant explain, each network left out in turn."""
    import numpy as np

    found = {}
    for target in dict.fromkeys(row.target for row in rows):
        group = [row for row in rows if row.target == target]
        design = np.array([[*_macs(ledgers[row.model]), 1.0] for row in group])
        measured = np.array([row.value for row in group])
        for i, row in enumerate(group):
            keep = np.arange(len(group)) != i
            x = _least_squares(design[keep], measured[keep])
            found[row.id] = float(design[i] @ x)
    return found


def _least_squares(design: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares of the relative error."""
    import numpy as np

    scale = np.abs(design).max(axis=0)
    solution = np.linalg.lstsq(design / scale / measured[:, None], np.ones(len(measured)), rcond=None)[0]
    return np.asarray(solution / scale)


def _macs(ledger: Ledger) -> tuple[float, float]:
    """Binary and other multiply-accumulates."""
    binary = sum(c.count for c in ledger.charges if c.kind in ("xnor", "and"))
    return float(binary), float(sum(layer.macs for layer in ledger.layers) - binary)
