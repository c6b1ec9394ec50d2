"""One rule of exact rewriting at a time, on the smallest networks that depend on it, in eight spellings each."""

import pytest

from tests.generated.__main__ import difference
from tests.generated.faults import COUNTED
from tests.generated.rules import RULES, networks


def rules():
    for rule in RULES:
        standing = rule in COUNTED
        yield pytest.param(rule, marks=pytest.mark.xfail(strict=True, reason=COUNTED[rule]) if standing else ())


@pytest.mark.parametrize("rule", list(rules()))
def test_rule(rule):
    made = networks(rule)
    assert made
    wrong = {net.seed: what for net in made if (what := difference(net))}
    assert not wrong


def test_every_fault_has_its_rule():
    assert set(COUNTED) <= set(RULES)
