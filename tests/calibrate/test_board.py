"""Measurements of a board: they move the constants that they say something of, and no further than they must."""

from __future__ import annotations

from pathlib import Path

import pytest

from costmodel import profile
from costmodel.calibrate import board
from costmodel.errors import CostmodelError
from costmodel.targets import estimate, load_target
from tests.near import near

NETWORKS = ("cnv-w1a1", "bn-bnn18-cifar10", "abbnn-reactnet18-cifar10", "resnet18-cifar10")


def written(folder: Path, rows: list[str]) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join(["network,metric,value,unit,options,id", *rows]) + "\n")
    return path


def refined(path: Path, name: str = "raspberry-pi-4b") -> board.Refined:
    return board.refine(load_target(name), board.read(path), path, name, lambda text: None)


def estimates(name: str, **options: float) -> dict[str, float]:
    return {n: estimate(profile(n), name, **options).total("latency_s").value for n in NETWORKS}


def test_measurements_that_equal_the_estimates_move_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, [f"{n},latency,{v!r},s,," for n, v in estimates("raspberry-pi-4b").items()])
    found = refined(path)
    assert found.error("before") < 1e-9 and found.error("after") < 1e-6
    assert all(new.value == near(old.value, rel=1e-6) for old, new in found.constants.values())
    assert all(new.high / new.low <= old.high / old.low for old, new in found.constants.values())


def test_a_board_that_is_slower_by_a_fifth_is_met_on_networks_that_were_left_out(tmp_path: Path) -> None:
    rows = [f"{n},latency,{1.2 * v * 1e3!r},ms,,{n}" for n, v in estimates("raspberry-pi-4b").items()]
    found = refined(written(tmp_path, rows))
    assert found.error("before") == near(1 - 1 / 1.2)
    assert found.error("left_out") < 0.6 * found.error("before")
    assert found.error("after") < 0.3 * found.error("before")


def test_the_new_file_names_the_rows_and_prices_networks_as_the_fit_says(tmp_path: Path) -> None:
    rows = [f"{n},latency,{0.9 * v!r},s,,{n}" for n, v in estimates("raspberry-pi-4b").items()]
    found = refined(written(tmp_path, rows))
    (tmp_path / "mine.yaml").write_text(found.text)
    target = load_target(str(tmp_path / "mine.yaml"))
    assert found.constants
    assert all(set(target.constants[name].fitted_to) == set(NETWORKS) for name in found.constants)
    assert "own_measurements" in target.sources
    for judged in found.rows:
        made = estimate(profile(judged.row.network), target).total("latency_s").value
        assert made == near(judged.after, rel=1e-4)


def test_one_measurement_of_power_moves_the_power_and_no_time(tmp_path: Path) -> None:
    found = refined(written(tmp_path, ["cnv-w1a1,power,3.9,W,threads=2,p"]))
    assert {"power_idle", "power_core"} <= set(found.constants)
    ratios = {n: new.value / old.value for n, (old, new) in found.constants.items()}
    assert ratios["power_idle"] == ratios["power_core"] > 1
    assert all(value == near(1, abs=0.02) for n, value in ratios.items() if not n.startswith("power"))


def test_luts_of_an_fpga_are_a_sum_that_can_be_refined(tmp_path: Path) -> None:
    luts = estimate(profile("cnv-w1a1"), "pynq-z1").total("lut").value
    found = refined(written(tmp_path, [f"cnv-w1a1,lut,{1.1 * luts},LUT,,a"]), "pynq-z1")
    assert found.rows[0].before == near(luts)
    assert luts < found.rows[0].after <= 1.1 * luts


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("cnv-w1a1,latency,fast,ms,,", "line 2.*'fast' is not a number"),
        ("cnv-w1a1,latency,-3,ms,,", "line 2.*positive number"),
        ("cnv-w1a1,latency,3,mJ,,", "line 2.*latency_s in mJ; expected s"),
        ("cnv-w1a1,speed,3,ms,,", "unknown metric 'speed'"),
        ("cnv-w1a1,latency,3,ms,threads,", "expected NAME=VALUE"),
        ("cnv-w1a1,latency,3", "not as many cells"),
        ("cnv-w1a1,latency,3,ms,,x,y", "not as many cells"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(CostmodelError, match=reason):
        board.read(written(tmp_path, [row]))


def test_a_metric_that_is_no_sum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match="dsp is no sum of constants on raspberry-pi-4b; it has latency_s"):
        refined(written(tmp_path, ["cnv-w1a1,dsp,3,DSP,,"]))


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("net,value\ncnv,3\n")
    with pytest.raises(CostmodelError, match="columns net, value; expected network, metric, value, unit"):
        board.read(path)
