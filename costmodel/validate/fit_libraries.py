"""The constants of kernel libraries, fitted to calibration rows: ncnn and XNNPACK on boards, those of microcontrollers.

A bill is a product of several of these constants in each line, so the fit is not linear: the logarithms of estimate
over measurement are minimised, with a weak prior that keeps what the rows do not tell apart where it began. The bounds
are what leaving one design out at a time does to a constant, and a tenth at least.

    python -m costmodel.validate.fit_libraries        # the constants, their bounds, and the errors that remain
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costmodel.ledger.ledger import Ledger
from costmodel.targets import load_target
from costmodel.targets.estimate import Estimate
from costmodel.validate import cases_libraries as cases
from costmodel.validate.rows import Row, load_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Spread of what the model does not know, as a standard deviation of the logarithm.
NOISE = 0.15


@dataclass(frozen=True, slots=True)
class Unknown:
    """A constant to be fitted: on one core, or on all where ``core`` is empty; its prior, and its least value."""

    constant: str
    core: str
    start: float
    spread: float
    at_least: float = 1e-9


def _boards() -> tuple[Unknown, ...]:
    ncnn = [
        ("Cortex-A53", "fp32"), ("Cortex-A53", "int8"), ("Cortex-A55", "fp16"), ("Cortex-A55", "int8"),
        ("Cortex-A72", "fp32"), ("Cortex-A72", "int8"), ("Cortex-A76", "fp16"), ("Cortex-A76", "int8"),
        ("Apple M1 performance core", "fp16"),
    ]  # fmt: skip
    return (
        *(Unknown(f"kernels.ncnn_{p}.real_slowdown", core, 1.3, 1.5, _floor(core, p)) for core, p in ncnn),
        *(Unknown(f"kernels.ncnn_{p}.winograd", "", 0.4, 1.0) for p in ("fp32", "fp16", "int8")),
        Unknown("kernels.ncnn.copies", "", 2.5, 1.0, 1.0),
        Unknown("kernels.ncnn.thread_loss", "", 0.05, 1.0),
        Unknown("kernels.ncnn.depthwise", "", 3.0, 0.3, 1.0),
    )


def _floor(core: str, precision: str) -> float:
    """The least slowdown: the lower bound of the core's cycles over their value."""
    name = {"Cortex-A76": "raspberry-pi-5", "Apple M1 performance core": "apple-m1"}.get(core, core.lower())
    cycles = load_target(name).constant(f"cycles_{precision}_mac")
    return cycles.low / cycles.value


def _xnnpack() -> tuple[Unknown, ...]:
    kinds = [("Cortex-A53", "fp32"), ("Cortex-A53", "int8"), ("Cortex-A72", "int8")]
    return (
        *(Unknown(f"kernels.xnnpack_{p}.real_slowdown", core, 1.3, 1.5, _floor(core, p)) for core, p in kinds),
        Unknown("kernels.xnnpack_fp32.real_slowdown", "Kryo of Snapdragon 821", 1.3, 1.5, 1.0),
        Unknown("kernels.xnnpack.copies", "", 2.5, 1.0, 1.0),
        Unknown("kernels.xnnpack.thread_loss", "", 0.05, 1.0),
        Unknown("kernels.xnnpack.depthwise", "", 3.0, 0.3, 1.0),
    )


def _micro() -> tuple[Unknown, ...]:
    cores = {
        "Cortex-M4": (2.7, 45), "Cortex-M33": (2.2, 35), "Cortex-M7": (1.3, 25), "Cortex-M55": (0.25, 16),
        "Cortex-M85": (0.2, 12),
    }  # fmt: skip
    return (
        *(Unknown("cycles_int8_mac", core, mac, 1.0) for core, (mac, _) in cores.items()),
        *(Unknown("cycles_int8_output", core, out, 0.5) for core, (_, out) in cores.items()),
        *(
            Unknown(f"kernels.{library}.real_slowdown", "", 0.7, 0.5)
            for library in ("x-cube-ai-2024", "x-cube-ai-2023", "x-cube-ai-2022", "plumerai", "hale", "microtvm")
        ),
        Unknown("depthwise", "", 4.0, 0.5),
    )


@dataclass(frozen=True)
class Fitted:
    """Constants with their bounds in the order of ``unknowns``, and estimates over measurements, left out too."""

    unknowns: tuple[Unknown, ...]
    rows: tuple[Row, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    ratios: tuple[float, ...]
    left_out: tuple[float, ...]


#: families of constants that are fitted together
FAMILIES: dict[str, Callable[[], tuple[Unknown, ...]]] = {"ncnn": _boards, "xnnpack": _xnnpack, "micro": _micro}


def fit(family: str, bounds: bool = True) -> Fitted:
    """Fit a family to its calibration rows; ``bounds`` leaves one design out at a time as well."""
    import numpy as np

    unknowns = FAMILIES[family]()
    chosen = [(row, bill) for row, bill in _bills(family) if row.split == "calibration"]
    rows = tuple(row for row, _ in chosen)
    terms = [_terms(bill, unknowns) for _, bill in chosen]
    measured = np.array([_seconds(row, bill) for row, bill in chosen])
    everything = np.arange(len(rows))
    x = _solve(terms, measured, everything, unknowns)
    designs = [row.design for row in rows]
    low, high, left_out = x.copy(), x.copy(), np.ones(len(rows))
    for design in dict.fromkeys(designs if bounds else ()):
        out = np.array([d == design for d in designs])
        y = _solve(terms, measured, everything[~out], unknowns)
        low, high = np.minimum(low, y), np.maximum(high, y)
        left_out[out] = [_total(terms[i], y) / measured[i] for i in everything[out]]
    floor = np.log([u.at_least for u in unknowns])
    low, high = np.maximum(np.minimum(low, x - 0.1), np.minimum(floor, x)), np.maximum(high, x + 0.1)
    ratios = [_total(t, x) / m for t, m in zip(terms, measured, strict=True)]
    return Fitted(
        unknowns, rows, tuple(np.exp(x).tolist()), tuple(np.exp(low).tolist()), tuple(np.exp(high).tolist()),
        tuple(ratios), tuple(left_out.tolist()),
    )  # fmt: skip


def _bills(family: str) -> list[tuple[Row, Estimate]]:
    ledgers: dict[str, Ledger] = {}
    found = []
    for row in load_rows():
        board, micro = cases.match_board(row), cases.match_micro(row)
        if row.metric.startswith("energy") or not (board if family != "micro" else micro):
            continue
        if board and board["library"] != family:
            continue
        ledger = ledgers.setdefault(row.model, cases.ledger_of(row.model))
        bill = cases.board_bill(row, ledger, board) if board else cases.micro_bill(row, ledger, micro)  # type: ignore[arg-type]
        if isinstance(bill, Estimate):
            found.append((row, bill))
    return found


def _seconds(row: Row, bill: Estimate) -> float:
    return row.value * 1e6 / float(bill.facts["clock_Hz"]) if row.metric == "cycles_M" else row.value * 1e-3


Terms = list[tuple[float, list[int]]]


def _terms(bill: Estimate, unknowns: Sequence[Unknown]) -> Terms:
    """Seconds as sums of products: a coefficient and the numbers of the unknowns in it."""
    core = str(bill.facts["core"])
    number = {u.constant: i for i, u in enumerate(unknowns) if u.core in ("", core)}
    sums: dict[tuple[int, ...], float] = {}
    for line in bill.lines:
        if line.metric != "latency_s":
            continue
        held, value = [], line.coefficient
        for name in line.factors:
            known = number.get(re.sub(r"^kernels\.[\w-]+\.depthwise$", "depthwise", name), number.get(name))
            if known is None:
                value *= bill.constants[name].value
            else:
                held.append(known)
        key = tuple(sorted(held))
        sums[key] = sums.get(key, 0.0) + value
    return [(value, list(key)) for key, value in sums.items()]


def _total(terms: Terms, x: NDArray[np.float64]) -> float:
    import numpy as np

    return float(sum(value * np.exp(x[held].sum()) for value, held in terms))


def _solve(
    terms: Sequence[Terms], measured: NDArray[np.float64], chosen: NDArray[np.int_], unknowns: Sequence[Unknown]
) -> NDArray[np.float64]:
    """Logarithms of the unknowns: damped Gauss-Newton, each step cut at the least values."""
    import numpy as np

    start = np.log([u.start for u in unknowns])
    floor = np.log([u.at_least for u in unknowns])
    spread = np.array([u.spread for u in unknowns])

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        errors = [np.log(_total(terms[i], x) / measured[i]) / NOISE for i in chosen]
        return np.concatenate([errors, (x - start) / spread])

    x, damping = np.maximum(start, floor), 1e-2
    r = residuals(x)
    for _ in range(200):
        jacobian = np.empty((len(r), len(x)))
        for k in range(len(x)):
            moved = x.copy()
            moved[k] += 1e-5
            jacobian[:, k] = (residuals(moved) - r) / 1e-5
        free = ~((x <= floor) & (jacobian.T @ r > 0))
        j = jacobian[:, free]
        step = np.zeros(len(x))
        step[free] = np.linalg.solve(j.T @ j + damping * np.eye(j.shape[1]), -j.T @ r)
        trial = np.maximum(x + step, floor)
        new = residuals(trial)
        if new @ new < r @ r:
            small = float(np.abs(trial - x).max()) < 1e-7
            x, r, damping = trial, new, damping / 3
            if small:
                break
        else:
            damping *= 10
            if damping > 1e8:
                break
    return np.asarray(x)


def main() -> None:
    for family in FAMILIES:
        found = fit(family)
        for u, value, low, high in zip(found.unknowns, found.values, found.low, found.high, strict=True):
            print(f"{u.core:26s} {u.constant:34s} {value:.4g} [{low:.4g}, {high:.4g}]")
        for row, ratio, out in zip(found.rows, found.ratios, found.left_out, strict=True):
            print(f"  {row.id:44s} {ratio - 1:+7.1%}  left out {out - 1:+7.1%}")
        ordered = sorted(1 / r for r in found.left_out)
        five = ordered[round(0.05 * (len(ordered) - 1))], ordered[round(0.95 * (len(ordered) - 1))]
        print(f"{family}: measured over estimated, left out, 5 % and 95 %: {five[0]:.3f} {five[1]:.3f}")


if __name__ == "__main__":
    main()
