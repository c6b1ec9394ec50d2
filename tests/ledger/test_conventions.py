"""Conventions are filters and weights over one ledger: their terms add up, and published figures come out exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest

from costmodel import api
from costmodel.errors import UnknownNameError
from costmodel.graph.domain import BINARY, FLOAT, integer
from costmodel.graph.operands import Window
from costmodel.ledger.conventions import CONVENTIONS, convention, is_projection, list_conventions
from costmodel.ledger.ledger import Charge, Layer, Ledger, Profile
from costmodel.ledger.published import FIGURES, Figure, binary_positions

SMALL = ("abbnn-digits", "bnfree-digits", "bn-digits", "tfc", "bn-bireal18-cifar10", "abbnn-reactneta-cifar10")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("chosen", CONVENTIONS, ids=lambda c: c.name)
def test_terms_modules_and_items_add_up_to_the_total(name: str, chosen: object) -> None:
    tally = chosen.count(api.profile(name))  # type: ignore[attr-defined]
    by_module = sum((sum(row.values()) for row in tally.by_module().values()), Fraction(0))
    assert tally.total == sum(tally.by_term().values()) == by_module
    assert all(item.count > 0 for item in tally.items)


@pytest.mark.parametrize("name", SMALL)
def test_relations_between_conventions(name: str) -> None:
    profile = api.profile(name)
    total = {c.name: c.count(profile).total for c in CONVENTIONS}
    assert total["strict"] == profile.deployed.total("mul")
    assert total["macs"] == total["larq"] == sum(layer.macs for layer in profile.as_written.layers)
    assert total["flops"] == 2 * total["macs"]
    assert total["ops64"] <= total["macs"] <= total["ace"] <= total["qonnx-bops"]
    assert total["macs"] <= total["fvcore"]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f"{f.model}-{f.convention}")
def test_published_figures_are_convention_plus_deviations_exactly(figure: Figure) -> None:
    terms = figure.explain(api.profile(figure.model))
    assert sum(value for _, value in terms) == figure.exact
    number, _, unit = figure.printed.partition(" ")
    mantissa, _, exponent = number.partition("e")
    scale = 10 ** (6 if unit == "M" else int(exponent or 0))
    assert round(figure.exact / scale, len(mantissa.partition(".")[2])) == float(mantissa)


#: Rows that the rule of the paper gives without any deviation, with the integers that it must give.
REPRODUCED = {
    "bn-bnn18": 1_505_280, "bn-bireal18": 20_860_672, "bn-reactnet18": 22_365_952, "abbnn-reactnet18": 0,
    "abbnn-reactneta": 0,
}  # fmt: skip


@pytest.mark.parametrize(("name", "exact"), REPRODUCED.items())
def test_rows_that_one_rule_reproduces_need_no_deviation(name: str, exact: int) -> None:
    assert convention("paper-abbnn").count(api.profile(name)).number == exact
    (figure,) = (f for f in FIGURES if f.model == name and f.convention == "paper-abbnn")
    assert figure.deviations == ()


STRICT = {
    "abbnn-reactnet18": (120_206_848, 1_680_896),
    "abbnn-reactnet34": (121_461_248, 2_935_296),
    "abbnn-reactneta": (16_503_296, 4_641_280),
}


@pytest.mark.parametrize(("name", "strict", "hidden"), [(n, *v) for n, v in STRICT.items()])
def test_strict_counts_what_the_paper_leaves_out(name: str, strict: int, hidden: int) -> None:
    from costmodel.views.statements import bare_weight_scales, hidden_multiplications

    profile = api.profile(name)
    assert convention("strict").count(profile).number == strict
    assert bare_weight_scales(profile.deployed) == hidden
    assert f"{hidden:,}" in hidden_multiplications(profile)


def test_activation_scale_of_xnor_has_one_value_a_window() -> None:
    assert binary_positions(api.profile("bn-xnor18")) == 16_660


def test_unknown_conventions_are_answered_with_the_known() -> None:
    with pytest.raises(UnknownNameError, match="paper-abbnn"):
        convention("paper-abnn")
    assert list_conventions()[0] == "strict"


# -- by hand ----------------------------------------------------------------------------------------------------------


def by_hand() -> Profile:
    """A float convolution, a binary one behind batch norm, and a binary weight on an 8-bit activation."""
    window = Window((3, 3), (1, 1), (1, 1), (1, 1))
    projection = Window((1, 1), (2, 2), (0, 0), (1, 1))
    layers = (
        Layer(0, "stem", 0, "conv", (-1,), (1, 3, 4, 4), (1, 2, 4, 4), FLOAT, FLOAT, FLOAT, (2, 3, 3, 3), window,
              27, 100),
        Layer(1, "conv", 0, "conv", (0,), (1, 2, 4, 4), (1, 2, 4, 4), BINARY, integer(6), BINARY, (2, 2, 3, 3), window,
              18, 640),
        Layer(2, "bn", 0, "affine", (1,), (1, 2, 4, 4), (1, 2, 4, 4), integer(6), FLOAT),
        Layer(3, "down", 0, "conv", (0,), (1, 2, 4, 4), (1, 2, 2, 2), BINARY, integer(3), BINARY, (2, 2, 1, 1),
              projection, 2, 16),
        Layer(4, "down_bn", 0, "affine", (3,), (1, 2, 2, 2), (1, 2, 2, 2), integer(3), FLOAT),
        Layer(5, "fc", 0, "linear", (2,), (1, 32), (1, 10), integer(8), integer(14), BINARY, (10, 32), None, 32, 320),
    )  # fmt: skip
    charges = (
        Charge(0, "stem", 0, "conv", "mul", "stem_conv", 100, 32, 32),
        Charge(2, "bn", 0, "affine", "mul", "bn_scale", 32, 32, 32),
        Charge(2, "bn", 0, "affine", "add", "bn_bias", 32, 32, 32),
        Charge(4, "down_bn", 0, "affine", "mul", "bn_scale", 8, 32, 32),
        Charge(5, "fc", 0, "linear", "signflip", "fp_linear", 320, 8, 1),
        Charge(5, "pool", 0, "avg_pool", "shift_const", "avgpool", 7, 32, 0),
    )
    ledger = Ledger("by hand", "as_written", layers, charges, ())
    return Profile("by hand", ((1, 3, 4, 4),), 0, ledger, Ledger("by hand", "deployed", layers, charges[:1], ()))


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("strict", {"stem_conv": 100}),
        ("paper-abbnn", {"batch norm": 32, "average pooling": 7}),
        ("macs", {"float32 x float32": 100, "binary x binary": 656, "int8 x binary": 320}),
        ("ops64", {"float32 x float32": 100, "binary x binary": Fraction(656, 64), "int8 x binary": 320}),
        ("larq", {"32-bit MACs": 100, "1-bit MACs": 656, "8-bit MACs": 320}),
        ("qonnx-bops", {"32 x 32 bit": 102_400, "1 x 1 bit": 656, "8 x 1 bit": 2560}),
        ("ace", {"16 x 16 bit": 25_600, "1 x 1 bit": 656, "8 x 1 bit": 2560}),
        ("fvcore", {"conv": 756, "linear": 320, "batch norm": 72}),
    ],
)
def test_each_convention_by_hand(name: str, terms: dict[str, int]) -> None:
    tally = convention(name).count(by_hand())
    assert tally.by_term() == terms
    assert tally.number == (int(sum(terms.values())) if name != "ops64" else 430.25)


def test_a_strided_1x1_is_a_projection_and_its_batch_norm_is_not_counted_by_the_paper() -> None:
    layers = by_hand().as_written.layers
    assert [is_projection(layer) for layer in layers] == [False, False, False, True, False, False]
