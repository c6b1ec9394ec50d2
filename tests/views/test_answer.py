"""The first answer fits a screen, says failures first, and its numbers are those of the profile and the estimate."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.views import answer, numbers
from costmodel.views.text import to_text, width

LINES = 25
NETWORKS = ("abbnn-digits", "bn-digits", "tfc", "abbnn-reactnet18-cifar10")
TARGETS = ("fpga", "zcu104", "arm", "asic", "xne")


@cache
def profile(name: str) -> Any:
    return costmodel.profile(name)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_at_most_25_lines_of_80_columns(name: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    made = profile(name)
    tables = answer.first(made, made.deployed, [made.estimate(target)])
    lines = "\n".join(map(to_text, tables)).splitlines()
    assert len(lines) <= LINES
    assert max(map(width, lines)) <= 80


def test_its_numbers_are_those_of_the_ledger_and_of_the_estimate() -> None:
    made = profile("abbnn-digits")
    estimate = made.estimate("fpga")
    needs, costs, _ = answer.first(made, made.deployed, [estimate])
    kinds = made.deployed.by_kind()
    values = {row.values[0]: row.values[1] for row in needs.rows}
    assert values["multiplications"] == kinds["mul"]
    assert values["XNOR and popcount"] == kinds["xnor"] == kinds["popcount"]
    assert values["additions"] == kinds["add"] + kinds.get("signflip", 0)
    assert values["shifts"] == sum(kinds.get(f"shift_{how}", 0) for how in ("const", "channel", "var"))
    text = to_text(costs)
    energy = estimate.total("energy_J")
    ends = [numbers.metric_value("energy_J", value).split() for value in (energy.low, energy.high)]
    (line,) = [line for line in text.splitlines() if line.startswith("energy ")]
    assert all(end in line.split() for number_and_unit in ends for end in number_and_unit)
    assert "fits" in text.splitlines()[0]


def test_a_design_that_does_not_fit_says_so_first_and_why() -> None:
    made = profile("abbnn-reactnet18-cifar10")
    estimate = made.estimate("pynq-z2", mode="dataflow")
    assert estimate.misfit
    first = to_text(answer.costs(estimate)).splitlines()[0]
    assert "DOES NOT FIT, because" in first and estimate.misfit[0].split()[0] in first


def test_several_targets_stand_in_one_table_a_row_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "abbnn-digits", "--target", "arm", "--target", "asic", "--target", "fpga"]) == 0
    out = capsys.readouterr().out
    for name in ("raspberry-pi-4b", "asic-45nm-horowitz", "pynq-z2"):
        assert len(re.findall(rf"^{name} ", out, re.MULTILINE)) == 1


@pytest.mark.parametrize("columns", [80, 100, 120, 160, 200])
@pytest.mark.parametrize(
    "command",
    [
        "profile abbnn-digits --target fpga", "profile abbnn-digits --target fpga --by layer --depth 9",
        "profile abbnn-digits --target all", "profile abbnn-digits --by kind", "profile abbnn-digits --by tag",
        "profile abbnn-digits --by module", "profile abbnn-digits --rewrites",
        "profile abbnn-digits --target asic --explain", "profile abbnn-digits --convention fvcore", "models",
        "models --describe", "models *digits --accuracy", "targets",
        "targets fpga", "targets asic", "compare abbnn-digits bn-digits bnfree-digits --conventions --target fpga",
        "fold tfc --target pynq-z2", "fold tfc --target pynq-z2 --front", "train --recipes", "cache", "validate asic",
        "validate asic --rows",
    ],
)  # fmt: skip
def test_no_line_is_wider_than_the_terminal(
    command: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(command.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if width(line) > columns] == []


def test_a_product_of_several_bits_is_one_product() -> None:
    import torch
    from torch import nn

    class TwoBits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.head = nn.Parameter(torch.randn(4, 8)), nn.Linear(4, 2, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            levels = torch.clamp(x, 0, 1).mul(3).round()
            return self.head(nn.functional.linear(levels, self.weight.sign()))

    made = costmodel.profile(TwoBits().eval(), torch.randn(1, 8))
    operations = made.deployed.total("xnor", "and")
    assert operations > 32  # of 32 products
    (row,) = (row for row in answer.needs(made, made.deployed).rows if row.values[0] == "XNOR and popcount")
    assert row.values[2] == "80.0% of 40 products are binary, or sums of binary ones"
