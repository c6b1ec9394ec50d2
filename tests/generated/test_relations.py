"""What must not change an account: how a thing is written or called, the draw of the weights, what nothing reads."""

import copy
from collections import Counter

import pytest
import torch

import costmodel
from tests.generated.faults import COUNTED, sound
from tests.generated.networks import Network, draw

#: Relations hold whatever the account is; only what reads kinds from few values differs from draw to draw.
UNSTABLE: tuple[str, ...] = ()
NETWORKS = list(sound(30, UNSTABLE))


def account(net: Network, **options):
    made = costmodel.profile(net.build(), options.pop("inputs", net.inputs()), **options)
    return made.as_written.by_kind(), made.deployed.by_kind()


def each(networks):
    return pytest.mark.parametrize("net", networks, ids=lambda net: str(net.seed))


def spelled(seed: int) -> list[Network]:
    return [draw(seed, spelling) for spelling in range(4)]


def test_equivalent_spellings_deploy_to_the_same_operations():
    for net in sound(15):
        ways = [way for way in spelled(net.seed) if not way.features & set(COUNTED)]
        assert len({way.source for way in ways}) > 1
        first, *others = (account(way)[1] for way in ways)
        assert all(other == first for other in others), net.seed


@each(NETWORKS[:10])
def test_names_do_not_matter(net):
    assert account(net) == account(draw(net.seed, name="weight"))


@each(NETWORKS[10:20])
def test_branches_that_nothing_reads_cost_nothing(net):
    lines = net.source.splitlines(keepends=True)
    end = next(k for k, line in enumerate(lines) if line.startswith("        return v"))
    dead = ["        unused = torch.sign(F.relu(v0) * 0.3) + v0\n", "        unused = (unused.abs() + 1).sum()\n"]
    source = "".join([*lines[:end], *dead, *lines[end:]])
    changed = copy.copy(net)
    object.__setattr__(changed, "source", source)
    assert account(changed) == account(net)


@each(NETWORKS[:8])
def test_a_batch_costs_each_of_its_images(net):
    three = torch.randn(3, *net.shape[1:], generator=torch.Generator().manual_seed(1))
    for one, many in zip(account(net), account(net, inputs=three), strict=True):
        assert many == {kind: 3 * count for kind, count in one.items()}


@each(NETWORKS[20:26])
def test_the_draw_of_weights_and_inputs_does_not_matter(net):
    first = account(net)
    for seed in range(1, 4):
        made = costmodel.profile(net.build(seed), net.inputs(seed), seed=seed)
        assert (made.as_written.by_kind(), made.deployed.by_kind()) == first


@each(NETWORKS[:6])
def test_calls_repeat_themselves_and_leave_the_network_alone(net):
    module, x = net.build(), net.inputs()
    before, state = module(x), copy.deepcopy(module.state_dict())
    first = costmodel.profile(module, x)
    torch.rand(1 << 12).mul_(1e9)  # other memory, another state of the generator
    assert costmodel.profile(module, x) == first
    assert all(torch.equal(a, b) for a, b in zip(state.values(), module.state_dict().values(), strict=True))
    assert torch.equal(module(x), before) and not module.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())


@each(NETWORKS[:10])
def test_layers_add_up_to_their_ledger(net):
    made = costmodel.profile(net.build(), net.inputs())
    for level in ("as_written", "deployed"):
        ledger = made.ledger(level)
        total: Counter[str] = Counter()
        for row in ledger.by_layer().values():
            total.update(row)
        assert total == Counter(ledger.by_kind())


@pytest.mark.slow
def test_thirty_draws_give_one_account():
    for net in sound(40, UNSTABLE, 5000):
        first = account(net)
        for seed in range(1, 30):
            made = costmodel.profile(net.build(seed), net.inputs(seed), seed=seed)
            assert (made.as_written.by_kind(), made.deployed.by_kind()) == first, (net.seed, seed)
