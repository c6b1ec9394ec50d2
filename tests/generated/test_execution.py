"""Deployed networks are executed: they give what PyTorch gives, and do the operations of their ledger."""

from collections import Counter

import numpy as np
import pytest

from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor, per_image
from costmodel.deploy.study import prepare, verify
from tests.generated.faults import EXECUTED, sound
from tests.generated.networks import Network, draw

IMAGES = 2


def mistakes(net: Network) -> list[str]:
    """What is not as it must be, in words."""
    made = prepare(net.build(), net.inputs())
    x = np.random.default_rng(net.seed).standard_normal((IMAGES, *net.shape[1:]))
    found = []
    verdict = verify(made, x)
    if not verdict.exact:
        found.append(f"differs by {verdict.deviation:.3g} of {verdict.scale:.3g}, {verdict.ties} ties")
    ledger: Counter[tuple[str, int, str, str]] = Counter()
    for c in made.profile.deployed.charges:
        ledger[c.module, c.call, c.op, c.kind] += c.count
    for bits in (None, 24, 12):
        tally: Counter = Counter()
        Executor(assemble(made.graph, bits)).run(x, tally=tally)
        ran = Counter(per_image(tally, IMAGES))
        if ran != ledger:
            kinds = sorted({key[3] for key in {*ran, *ledger} if ran[key] != ledger[key]})
            found.append(f"executed and charged differ in {', '.join(kinds)} at {bits or 'no'} fraction bits")
    if made.profile.deployed.total("mul") > made.profile.as_written.total("mul"):
        found.append("more multiplications than as written")
    return found


@pytest.mark.parametrize("part", range(3))
def test_deployed_networks_give_what_pytorch_gives_and_do_what_is_charged(part):
    wrong = {net.seed: what for net in sound(30, EXECUTED, 3000 * part) if (what := mistakes(net))}
    assert not wrong


def test_networks_with_channels_last_give_what_pytorch_gives():
    drawn = (draw(seed, last=True) for seed in range(7000, 7030))
    wrong = {net.seed: what for net in drawn if (what := mistakes(net))}
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_thousands_of_networks_are_executed(part):
    wrong = {net.seed: what for net in sound(200, EXECUTED, 1_000_000 + 10_000 * part) if (what := mistakes(net))}
    assert not wrong
