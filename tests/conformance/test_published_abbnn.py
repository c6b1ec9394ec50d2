"""The table of multiplications of the A&B BNN paper, row by row, and the multiplication that it does not count.

Source: A&B BNN, arXiv:2403.03739, table of real multiplications (Ruichen0424/AB-BNN@1bd84f5, assets/ppt.pptx, slide 3,
prints the same). No single rule gives the whole table: ``paper-abbnn`` gives the rows that follow one rule, and each
other row is that rule and what it counts next to it, to the unit.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import costmodel
from costmodel.cli.main import main
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile
from costmodel.ledger.published import figures
from costmodel.views.statements import bare_weight_scales, hidden_multiplications

#: rows that one rule reproduces: network -> (printed, exact)
BY_THE_RULE = {
    "bn-bnn18": (1.51, 1_505_280),
    "bn-bireal18": (20.86, 20_860_672),
    "bn-reactnet18": (22.37, 22_365_952),
    "abbnn-reactnet18": (0, 0),
    "abbnn-reactneta": (0, 0),
}
#: rows that need another rule: network -> (printed, exact, what the rule gives)
BY_ANOTHER_RULE = {
    "bn-xnor18": (3.20, 3_202_836, 0),
    "bnfree-reactnet18": (4.60, 4_603_648, 3_098_368),
    "bn-bireal34": (22.20, 22_202_880, 22_115_072),
    "bn-reactneta": (10.79, 10_787_840, 9_658_880),
    "bnfree-reactneta": (14.65, 14_651_392, 9_658_880),
    "abbnn-xnor18": (0, 0, 827_904),
    "abbnn-bireal18": (0, 0, 20_183_296),
}
#: what each deviating row counts next to the rule, to the unit
REASONS = {
    "bn-xnor18": {"inputs of binary convolutions": 1_680_896, "scale of the weights": 1_505_280, "scale K": 16_660},
    "bnfree-reactnet18": {"once per output of its convolution": 1_505_280},
    "bn-bireal34": {"average pooling a second time": 87_808},
    "bn-reactneta": {"average pooling at 4 per output": 1_128_960},
    "bnfree-reactneta": {"once per input of its convolution": 4_992_512},
    "abbnn-xnor18": {"two PReLU": -827_904},
    "abbnn-bireal18": {"two PReLU": -827_904, "real 1x1 convolutions": -19_267_584, "average pooling": -87_808},
}


def paper(made: Profile) -> int:
    number = convention("paper-abbnn").count(made).number
    assert isinstance(number, int)
    return number


def test_every_row_of_the_table_is_here() -> None:
    """The rows that ground truth holds, and the two variants whose published code does not multiply by zero."""
    table = Path(costmodel.__file__).parent / "validate" / "ground_truth.csv"
    with table.open(newline="", encoding="utf-8") as file:
        printed = [float(row["value"]) for row in csv.DictReader(file) if row["id"].startswith("mo_")]
    rows = [row[0] for row in (*BY_THE_RULE.values(), *BY_ANOTHER_RULE.values())]
    assert sorted([*printed, 0, 0]) == sorted(rows)


@pytest.mark.parametrize(("name", "printed", "exact"), [(n, *v) for n, v in BY_THE_RULE.items()])
def test_rows_of_one_rule_are_exact(name: str, printed: float, exact: int) -> None:
    assert paper(costmodel.profile(name)) == exact
    assert round(exact / 1e6, 2) == printed
    (figure,) = (f for f in figures(name) if f.convention == "paper-abbnn")
    assert (figure.exact, figure.deviations) == (exact, ())


@pytest.mark.parametrize(("name", "printed", "exact", "rule"), [(n, *v) for n, v in BY_ANOTHER_RULE.items()])
def test_other_rows_are_the_rule_and_its_stated_deviations(name: str, printed: float, exact: int, rule: int) -> None:
    made = costmodel.profile(name)
    assert paper(made) == rule
    assert rule + sum(REASONS[name].values()) == exact
    assert round(exact / 1e6, 2) == printed
    (figure,) = (f for f in figures(name) if f.convention == "paper-abbnn")
    stated = {why: int(value) for why, value in figure.explain(made)[1:] if value}
    assert list(stated.values()) == list(REASONS[name].values())
    assert all(reason in why for reason, why in zip(REASONS[name], stated, strict=True))


@pytest.mark.parametrize("name", [n for n in BY_ANOTHER_RULE if not n.startswith("abbnn")])
def test_profile_says_by_which_rule_the_printed_figure_differs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "--model", name, "--convention", "paper-abbnn", "--exact"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"printed as {BY_ANOTHER_RULE[name][0]:.2f} M" in said
    for reason, value in REASONS[name].items():
        assert reason in said
        assert f"plus {value:,}" in said


# -- the multiplication that is left ----------------------------------------------------------------------------------

#: network -> scales of binary weights that no rewrite removes
HIDDEN = {
    "abbnn-reactnet18": 1_680_896,
    "abbnn-reactnet34": 2_935_296,
    "abbnn-reactneta": 4_641_280,
    "abbnn-bireal18": 1_505_280,
    "abbnn-bireal34": 2_759_680,
    "abbnn-xnor18": 1_680_896,
}


@pytest.mark.parametrize(("name", "hidden"), HIDDEN.items())
def test_profile_states_the_hidden_multiplication(name: str, hidden: int, capsys: pytest.CaptureFixture[str]) -> None:
    made = costmodel.profile(name)
    assert bare_weight_scales(made.deployed) == hidden
    assert main(["profile", "--model", name, "--depth", "1"]) == 0
    assert f"{hidden:,} scale sums over binary weights" in " ".join(capsys.readouterr().out.split())


def test_the_hidden_multiplications_are_those_that_batch_norm_used_to_cost() -> None:
    """One per output of a binary convolution of the main path; a binary shortcut adds its own."""
    main_path = convention("paper-abbnn").count(costmodel.profile("bn-bnn18")).number
    assert HIDDEN["abbnn-reactnet18"] - main_path == 175_616


def test_unscaled_signs_hide_nothing() -> None:
    made = costmodel.profile("abbnn-bnn18")
    assert hidden_multiplications(made) == ""
    assert made.deployed.total("mul") == 118_013_952 + 512_000
