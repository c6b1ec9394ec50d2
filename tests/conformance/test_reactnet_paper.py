"""Figures of ReActNet, Bi-Real Net and PokeBNN, from the networks themselves.

Sources: ReActNet, arXiv:2003.03488, table 1 (BOPs, FLOPs, OPs); Bi-Real Net, arXiv:1808.00278; the pair of
multiply-accumulates of Bi-Real-18 is that of larq/docs@67eb830 docs/plots/zoo_hero.vg.json; PokeBNN,
arXiv:2112.00133, prints 7.9e9 ACE for ReActNet-A.
"""

from __future__ import annotations

import pytest

import costmodel
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile


def pair(made: Profile) -> tuple[int, int]:
    """Binary and real multiply-accumulates."""
    terms = convention("larq").count(made).by_term()
    binary = int(terms.pop("1-bit MACs", 0))
    return binary, int(sum(terms.values()))


@pytest.fixture(scope="module")
def reactneta() -> Profile:
    return costmodel.profile("bn-reactneta")


@pytest.fixture(scope="module")
def bireal18() -> Profile:
    return costmodel.profile("bn-bireal18")


def test_bops_flops_and_ops_of_reactnet_a(reactneta: Profile) -> None:
    """4.82e9 BOPs, 0.12e8 FLOPs, 0.87e8 OPs = BOPs / 64 + FLOPs."""
    bops, flops = pair(reactneta)
    assert (bops, flops) == (4_816_896_000, 11_862_016)
    assert (round(bops / 1e9, 2), round(flops / 1e8, 2)) == (4.82, 0.12)
    assert convention("ops64").count(reactneta).number == 87_126_016 == bops // 64 + flops


def test_binary_products_are_the_xnors_of_the_ledger(reactneta: Profile) -> None:
    assert reactneta.deployed.total("xnor") == reactneta.deployed.total("popcount") == 4_816_896_000


def test_flops_of_reactnet_a_are_its_stem_and_its_classifier(reactneta: Profile) -> None:
    tags = reactneta.deployed.by_kind_and_tag()
    assert (tags["mul", "stem_conv"], tags["mul", "fp_linear"]) == (10_838_016, 1_024_000)


def test_ace_of_reactnet_a(reactneta: Profile) -> None:
    """A real number counts 16 bits: 4,816,896,000 + 11,862,016 x 256, printed as 7.9e9."""
    ace = convention("ace").count(reactneta).number
    assert ace == 4_816_896_000 + 11_862_016 * 256 == 7_853_572_096
    assert round(ace / 1e9, 1) == 7.9


def test_pair_of_bireal18(bireal18: Profile) -> None:
    assert pair(bireal18) == (1_676_279_808, 137_793_536)


def test_ops_of_bireal18_are_printed_without_its_classifier(bireal18: Profile) -> None:
    """1.63e8 in the tables of both papers; with the 512,000 products of the classifier it would be 1.64e8."""
    ops = convention("ops64").count(bireal18).number
    assert ops == 163_985_408
    assert (round(ops / 1e8, 2), round((ops - 512_000) / 1e8, 2)) == (1.64, 1.63)


def test_step_one_with_real_weights_has_no_binary_product() -> None:
    """In the first step of training the activations are signs and the weights real: every product adds or subtracts."""
    made = costmodel.profile("bn-reactneta-cifar10", arguments={"stage": 1})
    assert pair(made) == (0, 394_110_976)
    assert made.deployed.total("xnor") == 0
    assert made.deployed.total("signflip") == 393_216_000
