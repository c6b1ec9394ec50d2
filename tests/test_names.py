"""An unknown name is an error with the nearest name, wherever a query takes one; it is never an answer of 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import costmodel
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.ledger.published import term
from costmodel.ledger.scales import with_scale
from costmodel.metrics import metric
from costmodel.targets.estimate import Estimate
from costmodel.targets.uncertainty import interval, probability_cheaper, sample

Ask = Callable[[Profile, Ledger, Estimate], Any]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return costmodel.profile("abbnn-reactnet6-digits")


@pytest.fixture(scope="module")
def bill(profile) -> Estimate:
    return profile.estimate("pynq-z2")


#: Queries next to those of tests/test_public_names.py: what is asked, and the name that was meant.
WRONG: dict[str, tuple[Ask, str]] = {
    "scale": (lambda p, c, e: with_scale(c, "pow"), "pow2"),
    "convention": (lambda p, c, e: convention("op64"), "ops64"),
    "term of the paper's rule": (lambda p, c, e: term("batchnorm"), "batch norm"),
    "metric": (lambda p, c, e: metric("energy_mJ"), "energy_J"),
    "sample": (lambda p, c, e: sample([e], "latency_ms"), "latency_s"),
    "interval": (lambda p, c, e: interval(e, "latency_ms"), "latency_s"),
    "cheaper": (lambda p, c, e: probability_cheaper(e, e, "latency_ms"), "latency_s"),
}


@pytest.mark.parametrize("query", WRONG)
def test_a_name_that_does_not_exist_is_an_error_with_the_nearest(query, profile, bill) -> None:
    ask, meant = WRONG[query]
    with pytest.raises(UnknownNameError) as raised:
        ask(profile, profile.deployed, bill)
    assert meant in raised.value.suggestions, raised.value


SPACE = {"networks": ["tfc-w1a1"], "targets": ["pynq-z2"], "objectives": ["seconds_per_image", "lut"]}


@pytest.mark.parametrize(
    ("changed", "meant"),
    [
        ({"objectives": ["second_per_image"]}, "seconds_per_image"),
        ({"objectives": {"fpga": ["luts"]}}, "lut"),
        ({"constraints": {"brams": {"max": 3}}}, "bram18"),
        ({"objectiv": ["lut"]}, "objectives"),
        ({"level": "writen"}, "as_written"),
        ({"targets": ["pynq-z3"]}, "pynq-z2"),
    ],
)
def test_a_name_that_does_not_exist_in_a_space_is_an_error_with_the_nearest(changed, meant) -> None:
    pytest.importorskip("numpy")
    from costmodel.explore.space import read_space

    with pytest.raises(UnknownNameError) as raised:
        read_space({**SPACE, **changed})
    assert meant in raised.value.suggestions, raised.value


def test_a_resource_that_does_not_exist_limits_nothing_in_silence(profile) -> None:
    pytest.importorskip("numpy")
    from costmodel.explore.dataflow import space
    from costmodel.explore.folding import limits

    with pytest.raises(UnknownNameError) as raised:
        limits(space(costmodel.profile("tfc-w1a1"), "pynq-z2"), given={"luts": 3})
    assert "lut" in raised.value.suggestions


@pytest.mark.parametrize("target", ["pynq-z2", "zcu104", "asic", "cortex-m4", "raspberry-pi-4b"])
def test_a_metric_without_a_figure_is_not_zero(profile, target) -> None:
    found = profile.estimate(target)
    for name, row in costmodel.metrics.METRICS.items():
        if found.has(name):
            assert found.total(name) == found.totals()[name]
            continue
        for query in (found.total, found.by_layer, found.by_component, found.by_kind, found.explain):
            with pytest.raises(CostmodelError, match=rf"no figure of .*{name}.* has .*latency_s") as raised:
                query(row.head)
            assert not isinstance(raised.value, UnknownNameError)  # the name is right, the figure is not there


def test_a_resource_of_which_nothing_is_taken_is_zero(bill) -> None:
    found = bill
    assert found.unused and all(found.total(name).value == 0 and found.by_layer(name) == {} for name in found.unused)
    assert sample([found], found.unused[0], 8)[0].tolist() == [0.0] * 8


def test_a_rate_has_no_layers(bill) -> None:
    with pytest.raises(CostmodelError, match="not a sum over layers"):
        bill.by_layer("images_per_second")


def test_heads_of_printed_columns_are_names(profile, bill) -> None:
    from costmodel.views import bill as bills
    from costmodel.views import counts, numbers

    ledger = profile.deployed
    for column in counts.by_module(ledger, numbers.count).columns[1:]:
        assert ledger.total(column.title) == ledger.total(column.key)
    for column in bills.by_layer(bill, ledger).columns[1:-1]:
        assert bill.total(column.title) == bill.total(column.key)
    for name in ("as written", "as-written", "as_written"):
        assert profile.ledger(name) is profile.as_written


def test_the_command_line_names_the_nearest_with_status_2(capsys) -> None:
    from costmodel.cli.main import main

    assert main(["profile", "--model", "tfc-w1a1", "--target", "pinq-z2"]) == 2
    assert "Did you mean pynq-z2" in capsys.readouterr().err


def test_a_filter_of_charges_keeps_all_else(profile) -> None:
    ledger = profile.deployed
    assert ledger.filter(lambda charge: True) == ledger == ledger.filter()
    for scale in ("pow2", "csd2", "lut"):
        assert with_scale(ledger.filter(), scale) == with_scale(ledger, scale)
    assert ledger.filter(kinds="mul").by_kind() == {"mul": ledger.total("mul")}
    assert ledger.filter(kinds=("cmp", "mul")).total() == ledger.total("compare", "mul")
    by_tag = ledger.filter(tags="weight_scale").by_tag()
    assert by_tag and all("weight_scale" in tag.split("+") for tag in by_tag)


def test_nouns_are_a_line_when_printed(profile, bill) -> None:
    from costmodel.load.inputs import make_inputs, parse_inputs
    from costmodel.trace import trace

    graph = trace(costmodel.build_model("abbnn-reactnet6-digits"), make_inputs(parse_inputs(["1x1x8x8"]), 0))
    for thing in (profile, profile.as_written, profile.deployed, bill, graph):
        assert len(repr(thing)) < 400 and "\n" not in repr(thing), type(thing)
        assert str(thing) == repr(thing)
