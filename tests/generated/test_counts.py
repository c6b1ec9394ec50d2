"""Both ledgers of networks whose operations are known by construction."""

from collections import Counter

import pytest

import costmodel
from tests.generated.__main__ import difference
from tests.generated.expected import product_rows
from tests.generated.faults import sound
from tests.generated.networks import draw


@pytest.mark.parametrize("part", range(4))
def test_operations_are_those_that_were_built_in(part):
    wrong = {net.seed: what for net in sound(40, first=2500 * part) if (what := difference(net))}
    assert not wrong


@pytest.mark.parametrize("part", range(2))
def test_channels_last_cost_what_channels_first_do(part):
    drawn = (draw(seed, last=True) for seed in range(500 * part, 500 * part + 45))
    wrong = {net.seed: what for net in drawn if ".permute(" in net.source and (what := difference(net))}
    assert not wrong


def test_multiply_accumulates_are_those_that_were_built_in():
    for net in sound(10, (), 700):
        made = costmodel.profile(net.build(), net.inputs())
        assert sum(layer.macs for layer in made.as_written.layers) == net.macs
        assert made.as_written.total("unknown") == made.deployed.total("unknown") == 0


def test_the_rules_of_products_are_those_of_the_papers():
    """One bit by one bit is XNOR; by {0, 1} AND; bit-serial below five bits; else what the wide operand takes."""
    one, real = ("binary", 1), ("real", 32)
    assert product_rows(one, one, 100, 10) == Counter(xnor=100, popcount=100)
    assert product_rows(("int", 2), ("int", 4), 100, 10) == Counter({"and": 800, "popcount": 800})
    assert product_rows(real, one, 100, 10) == Counter(signflip=100)
    assert product_rows(real, real, 100, 10) == Counter(mul=100, add=90)


def test_the_generator_draws_what_it_promises():
    networks = [draw(seed) for seed in range(400)]
    assert len({net.source for net in networks}) == 400
    assert all(draw(net.seed).source == net.source for net in networks[:20])
    for word in ("conv_transpose2d", "max_pool2d", "avg_pool2d", "torch.cat", "addmm", "heaviside", "BatchNorm1d",
                 "F.prelu", "log2", "einsum", "reshape", "Round.apply"):  # fmt: skip
        assert any(word in net.source for net in networks), word


@pytest.mark.slow
def test_a_thousand_networks_with_channels_last_cost_what_channels_first_do():
    drawn = (draw(seed, last=True) for seed in range(100_000, 101_000))
    wrong = {net.seed: what for net in drawn if (what := difference(net))}
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_thousands_of_networks_at_both_levels(part):
    wrong = {net.seed: what for net in sound(500, first=100_000 * (part + 1)) if (what := difference(net))}
    assert not wrong
