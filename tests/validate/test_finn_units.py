"""Units of accelerators that FINN built: their rows are whole, and their sums are the rows that are scored."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.targets import load_target
from costmodel.targets.fpga.makers import Maker, maker
from costmodel.targets.fpga.units import SERIES7
from costmodel.validate.finn_units import KINDS, PREFIX, Component, components, parts, result
from costmodel.validate.refit import nonnegative
from costmodel.validate.rows import Row, load_rows

ROWS = [row for row in load_rows() if row.target.startswith(PREFIX)]


def test_every_sum_is_that_of_the_units_of_its_build_and_kind() -> None:
    assert len(ROWS) == 102
    for row in ROWS:
        kind = row.target.removeprefix(PREFIX)
        wanted = KINDS if kind == "all" else (kind,)
        chosen = [unit for unit in components() if unit.build == row.model and unit.kind in wanted]
        assert chosen, row.id
        assert sum(getattr(unit, row.metric.lower()) for unit in chosen) == row.value, row.id


def test_every_unit_that_a_law_stands_for_is_in_a_row_that_is_scored() -> None:
    scored = {(row.model, row.target.removeprefix(PREFIX)) for row in ROWS}
    for unit in components():
        if unit.kind in KINDS:
            assert (unit.build, unit.kind) in scored, unit


def test_builds_of_one_network_are_on_one_side_of_the_split() -> None:
    sides: dict[str, set[str]] = {}
    for row in ROWS:
        sides.setdefault(row.design, set()).add(row.split)
    assert len(sides) == 7
    assert all(len(side) == 1 for side in sides.values())
    assert {side for found in sides.values() for side in found} == {"calibration", "hold-out"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_row_is_priced(row: Row) -> None:
    found = result(row)
    assert 0 < found.estimate.low <= found.estimate.value <= found.estimate.high


# -- the law that the rows of the calibration set ---------------------------------------------------------------------

SEEN = {row.model for row in ROWS if row.split == "calibration"}
CONSTANTS = load_target("pynq-z2").constants


def seen(kind: str, style: str = "") -> list[Component]:
    return [c for c in components() if c.build in SEEN and c.kind == kind and style in ("", c.style)]


def registers(unit: Component) -> dict[str, float]:
    """Coefficients of the flip-flops of a unit by constant."""
    return coefficients(unit, "ff")


def coefficients(unit: Component, metric: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in parts(unit, SERIES7, 64):
        if part.metric == metric:
            found[part.factors[0]] = found.get(part.factors[0], 0) + float(part.coefficient)
    return found


def test_registers_of_matrix_units_are_the_fit_to_units_of_the_calibration() -> None:
    """Products, sums with thresholds, and the fixed share, weighted so that the variance grows with the size."""
    units = seen("matrix")
    assert len(units) == 22
    rows, known = [], []
    for unit in units:
        part = registers(unit)
        sums = part["mvu_finn_ff_per_acc_bit"] + part["mvu_finn_ff_per_threshold_bit"]
        rows.append([part["mvu_finn_ff_per_product_bit"], sums, part["unit_finn_ff_base"]])
        known.append(part["mvu_finn_ff_per_weight_bit"] + part.get("register_ff_per_bit", 0.0))
    measured = np.array([unit.ff for unit in units], dtype=float)
    weight = 1 / np.sqrt(measured)
    fit = nonnegative(np.array(rows) * weight[:, None], (measured - known) * weight)
    names = ("mvu_finn_ff_per_product_bit", "mvu_finn_ff_per_acc_bit", "unit_finn_ff_base")
    assert fit == pytest.approx([CONSTANTS[name].value for name in names], rel=2e-3)
    assert CONSTANTS["mvu_finn_ff_per_threshold_bit"] == CONSTANTS["mvu_finn_ff_per_acc_bit"]


OF_A_MATRIX_UNIT = (
    "mvu_finn_lut_per_acc_bit", "mvu_finn_lut_per_threshold_bit", "mvu_finn_lut_per_buffer_bit", "unit_finn_lut_base",
)  # fmt: skip


def test_luts_of_matrix_units_are_the_fit_to_units_of_the_calibration() -> None:
    """Weighted as the registers are; bounds are those of the units of which the term is the largest."""
    units = seen("matrix")
    of = [coefficients(unit, "lut") for unit in units]
    rows = np.array([[part.get(name, 0.0) for name in OF_A_MATRIX_UNIT] for part in of])
    known = np.array([sum(v * CONSTANTS[k].value for k, v in part.items() if k not in OF_A_MATRIX_UNIT) for part in of])
    measured = np.array([unit.lut for unit in units], dtype=float)
    weight = 1 / np.sqrt(measured)
    fit = nonnegative(rows * weight[:, None], (measured - known) * weight)
    assert fit == pytest.approx([CONSTANTS[name].value for name in OF_A_MATRIX_UNIT], rel=2e-3, abs=1e-9)
    terms = rows * fit
    for i, name in enumerate(OF_A_MATRIX_UNIT):
        largest = [j for j in range(len(units)) if rows[j, i] and terms[j, i] == max(terms[j].max(), known[j])]
        if largest:
            without = known + terms.sum(1) - terms[:, i]
            implied = [(measured[j] - without[j]) / rows[j, i] for j in largest]
            bounds = [CONSTANTS[name].low, CONSTANTS[name].high]
            assert bounds == pytest.approx([min(implied), max(implied)], rel=5e-3)


@pytest.mark.parametrize(("kind", "style", "name", "count"), [
    ("window", "rtl", "window_finn_ff_base", 9),
    ("window", "rtl", "window_finn_lut_base", 9),
    ("converter", "rtl", "converter_finn_ff_base", 27),
    ("converter", "hls", "converter_finn_hls_ff_base", 5),
    ("converter", "hls", "converter_finn_hls_lut_base", 5),
])  # fmt: skip
def test_the_share_of_a_kind_is_the_mean_and_its_bounds_the_extremes(
    kind: str, style: str, name: str, count: int
) -> None:
    rest = beyond(kind, style, name)
    constant = CONSTANTS[name]
    assert len(rest) == count
    assert constant.value == pytest.approx(np.mean(rest), abs=0.06)
    assert (constant.low, constant.high) == (min(rest), max(rest))


def beyond(kind: str, style: str, name: str) -> list[float]:
    """What units of the calibration take beyond what the other constants say, by unit of ``name``."""
    metric = "lut" if "_lut_" in name else "ff"
    found = []
    for unit in seen(kind, style):
        part = coefficients(unit, metric)
        found.append(getattr(unit, metric) - sum(v * CONSTANTS[k].value for k, v in part.items() if k != name))
    return found


def test_luts_of_width_converters_have_the_mean_and_the_bounds_of_those_that_widen() -> None:
    """A narrowing one may be below: its multiplexer has bounds of its own."""
    constant = CONSTANTS["converter_finn_lut_base"]
    rest = beyond("converter", "rtl", "converter_finn_lut_base")
    assert constant.value == pytest.approx(np.mean(rest), abs=0.06)
    widens = [unit.width_in < unit.width_out for unit in seen("converter", "rtl")]
    assert constant.low == min(r for r, wide in zip(rest, widens, strict=True) if wide)
    assert constant.high == max(rest)


def test_luts_of_pooling_units_are_a_line_whose_bounds_are_the_lines_through_all_but_one() -> None:
    units = seen("pool")
    names = ("pool_finn_lut_per_bit", "pool_finn_lut_base")
    of = [coefficients(unit, "lut") for unit in units]
    rows = np.array([[part[name] for name in names] for part in of])
    rest = np.array(
        [
            u.lut - sum(v * CONSTANTS[k].value for k, v in p.items() if k not in names)
            for u, p in zip(units, of, strict=True)
        ]
    )
    weight = 1 / np.sqrt([unit.lut for unit in units])
    lines = []
    for left in (None, *range(5)):
        kept = [i for i in range(5) if i != left]
        lines.append(np.linalg.lstsq(rows[kept] * weight[kept, None], rest[kept] * weight[kept], rcond=None)[0])
    for i, name in enumerate(names):
        constant, found = CONSTANTS[name], [line[i] for line in lines]
        assert (constant.value, constant.low, constant.high) == pytest.approx(
            (found[0], min(found[1:]), max(found[1:])), rel=2e-3
        )


@pytest.mark.parametrize("metric", ["lut", "ff"])
def test_the_shell_is_a_line_over_the_width_of_the_bus(metric: str) -> None:
    narrow = [getattr(unit, metric) for unit in seen("shell") if unit.build != "transformer"]
    (wide,) = [getattr(unit, metric) for unit in seen("shell") if unit.build == "transformer"]
    base, slope = CONSTANTS[f"shell_finn_{metric}_base"], CONSTANTS[f"shell_finn_{metric}_per_bit"]
    assert base.value + 64 * slope.value == pytest.approx(np.mean(narrow), rel=1e-3)
    assert base.value + 128 * slope.value == pytest.approx(wide, rel=1e-3)
    assert slope.low < (wide - max(narrow)) / 64 < slope.value < (wide - min(narrow)) / 64 <= slope.high + 0.05


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.target == "finn_all" and r.metric == "FF"], ids=lambda row: row.id
)
def test_registers_of_whole_builds_are_within_5_percent(row: Row) -> None:
    """Half of the builds are held out; with one fixed share for every unit the worst of them was 14 % off."""
    found = result(row)
    assert abs(found.error) < 0.05
    assert found.covered
    assert found.estimate.high - found.estimate.low < 0.3 * found.estimate.value


def test_luts_of_whole_builds_that_are_held_out_are_within_a_tenth_but_one() -> None:
    """Of matrix units with 255 thresholds a row, the last layers of CNN-8x16, the constants say half as much again."""
    found = {r.model: result(r) for r in ROWS if (r.target, r.metric, r.split) == ("finn_all", "LUT", "hold-out")}
    assert len(found) == 4
    exception = found.pop("CNN-8x16")
    assert 0.1 < exception.error < 0.21
    assert all(abs(r.error) < 0.1 and r.covered for r in found.values())


@pytest.mark.parametrize("kind", ["matrix", "pool", "shell"])
def test_kinds_that_make_most_of_a_build_are_covered_or_within_a_tenth(kind: str) -> None:
    rows = [row for row in ROWS if row.target == PREFIX + kind and row.metric == "FF" and row.split == "hold-out"]
    assert len(rows) == 4
    for row in rows:
        found = result(row)
        assert found.covered or abs(found.error) < 0.1, row.id


@pytest.mark.parametrize(("impl", "streams", "by"), [
    ("hls", "unit", "finn"), ("hls", "unit-hls", "finn-hls"), ("hls", "pixel", "hls"),
    ("behavioural", "unit", "behavioural"), ("compressor", "unit-hls", "compressor"),
])  # fmt: skip
def test_whose_units_they_are_follows_from_how_they_are_written_and_from_the_streams(
    impl: str, streams: str, by: Maker
) -> None:
    assert maker(impl, streams) == by  # type: ignore[arg-type]
