"""``costmodel compare``: columns are the networks' own numbers, and the reconciliation adds up line by line."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from costmodel import api
from costmodel.cli.main import main
from costmodel.views import comparison as compare
from costmodel.views.numbers import exact

PAIR = ("abbnn-digits", "bn-digits")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["compare", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_columns_are_the_networks_own_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, *PAIR)
    for name, network in zip(PAIR, document["networks"], strict=True):
        profile = api.profile(name)
        assert network["operations"] == profile.deployed.by_kind()
        assert sum(network["multiplications_by_tag"].values()) == profile.deployed.total("mul")


@pytest.mark.parametrize("name", ["abbnn-digits", "bn-digits", "bn-bireal34", "bnfree-reactneta", "bn-xnor18", "tfc"])
def test_each_column_of_the_reconciliation_adds_up_to_its_total(name: str) -> None:
    rules, products = compare.reconcile(api.profile(name), exact)
    for table, columns in ((rules, range(1, len(rules.columns) - 1)), (products, range(1, len(products.columns)))):
        (total,) = table.footer
        for column in columns:
            assert sum(row.values[column] or 0 for row in table.rows) == total.values[column], table.columns[column]


def test_the_reason_for_a_published_figure_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "bn-bireal34", "--conventions"]) == 0
    out = " ".join(capsys.readouterr().out.split())  # wherever the lines break
    assert "22.20 M" in out and "average pooling a second time" in out


def test_costs_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, *PAIR, "--target", "arm")
    (estimates,) = document["estimates"].values()
    names = [network["network"] for network in document["networks"]]
    assert list(estimates) == names
    for totals in estimates.values():
        assert totals["latency_s"]["low"] <= totals["latency_s"]["value"] <= totals["latency_s"]["high"]


@pytest.mark.parametrize("format", ["table", "csv", "markdown", "latex"])
def test_every_form(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *PAIR, "--conventions", "--format", format]) == 0
    assert "bn-reactnet6-digits" in capsys.readouterr().out


def test_csv_has_every_figure_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *PAIR, "--target", "arm", "--target", "asic", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    for name in PAIR:
        profile = api.profile(name)
        own = [row for row in rows if row["network"] == profile.network]
        counted = {row["metric"]: int(row["value"]) for row in own if not row["target"]}
        assert profile.deployed.by_kind().items() <= counted.items()
        for target in ("arm", "asic"):
            estimate = profile.estimate(target)
            priced = {row["metric"]: row for row in own if row["target"] == estimate.target}
            for metric, q in estimate.totals().items():
                assert [float(priced[metric][key]) for key in ("value", "low", "high")] == [q.value, q.low, q.high]


def test_unknown_models_and_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "abbnn-digits", "abnn"]) == 2
    assert main(["compare", "abbnn-digits", "--target", "fgpa"]) == 2
    assert "Did you mean fpga" in capsys.readouterr().err
