"""Nothing is multiplied between a sum of signs and the next sign, whatever stands there and wherever it was written."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import costmodel
from costmodel.deploy.study import prepare, verify
from costmodel.graph.attrs import Affine
from tests.deploy.networks import images


class Between(nn.Module):
    """A real convolution, a sign, a sum of signs, ``between``, and a sum of signs again."""

    def __init__(self, between, size=0.7, features=False):
        super().__init__()
        self.stem = nn.Linear(12, 8) if features else nn.Conv2d(3, 8, 3, padding=1)
        self.one, self.two = (
            (nn.Linear(8, 8), nn.Linear(8, 4)) if features else (nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 1))
        )
        self.norm = nn.BatchNorm1d(8) if features else nn.BatchNorm2d(8)
        for tensor in (self.norm.running_mean, self.norm.bias):
            nn.init.normal_(tensor)
        nn.init.uniform_(self.norm.running_var, 0.5, 2.0)
        with torch.no_grad():
            self.norm.weight.copy_(torch.tensor([1.0, -0.5, 2.0, -1.5, 0.3, 1.1, -0.2, 0.9]))
        self.between, self.size, self.features = between, size, features

    def sum(self, layer, x):
        weight = layer.weight.sign()
        return F.linear(x, weight) if self.features else F.conv2d(x, weight)

    def forward(self, x):
        y = self.sum(self.one, self.stem(x).sign() * self.size)
        return self.sum(self.two, self.between(self, y))


BETWEEN = {
    "a number": lambda m, y: (y * 0.3 + 0.05).sign(),
    "a negative number": lambda m, y: (y * -1.7 - 0.05).sign(),
    "a quotient": lambda m, y: ((y + 0.05) / 3.0).sign(),
    "batch norm of both signs": lambda m, y: m.norm(y).sign(),
    "batch norm and a hard tanh": lambda m, y: F.hardtanh(m.norm(y)).sign(),
    "batch norm and tanh": lambda m, y: torch.tanh(m.norm(y)).sign(),
    "a chain": lambda m, y: (F.relu(m.norm(y * 0.5) + 0.2) - 0.3).sign(),
    "a comparison": lambda m, y: (m.norm(y) > 0.1).to(y.dtype),
    "scaled by a power of two": lambda m, y: (m.norm(y).sign() * 0.5).sign(),
}
POOLED = {
    "pool, then norm": lambda m, y: m.norm(F.max_pool2d(y, 2)).sign(),
    "scale, pool, norm": lambda m, y: m.norm(F.max_pool2d(y * 0.4, 2)).sign(),
    "norm of both signs, pool": lambda m, y: F.max_pool2d(m.norm(y), 2).sign(),
    "norm, average pool": lambda m, y: (F.avg_pool2d(m.norm(y), 2) + 0.01).sign(),
    "moved elements": lambda m, y: ((y * 0.3).permute(0, 1, 3, 2) + 0.05).sign(),
    "a slice": lambda m, y: m.norm((y * 0.3)[:, :, 1:]).sign(),
}


@pytest.mark.parametrize("name", [*BETWEEN, *POOLED])
def test_no_multiplication_is_left_between_two_signs(name):
    torch.manual_seed(0)
    net = Between({**BETWEEN, **POOLED}[name]).eval()
    made = prepare(net, torch.randn(1, 3, 8, 8))
    stem = 64 * 8 * 27
    assert made.profile.deployed.total("mul") == stem
    assert made.profile.deployed.total("shift_const", "shift_channel", "shift_var", "special") == 0
    assert verify(made, images(made, 4)).exact


@pytest.mark.parametrize("name", BETWEEN)
def test_features_are_as_maps(name):
    torch.manual_seed(0)
    net = Between(BETWEEN[name], features=True).eval()
    made = prepare(net, torch.randn(1, 12))
    assert made.profile.deployed.total("mul") == 8 * 12
    assert verify(made, images(made, 4)).exact


@pytest.mark.parametrize("name", [*BETWEEN, *POOLED])
def test_no_chain_has_thresholds_for_its_only_readers(name):
    torch.manual_seed(0)
    made = prepare(Between({**BETWEEN, **POOLED}[name]).eval(), torch.randn(1, 3, 8, 8))
    users = made.graph.users()
    for node in made.graph.nodes:
        if isinstance(node.attrs, Affine):
            assert any(user.op != "threshold" for user in users[node.id]) or node.id in made.graph.outputs


def test_a_negative_scale_in_front_of_a_maximum_turns_the_weights():
    """max(a P) for a < 0 is |a| max(-P): one product for each element behind the pool, none in front of it."""

    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Conv2d(3, 8, 3)
            self.a = nn.Parameter(torch.tensor([1.5, -0.5, 2.0, -1.5, 0.3, 1.1, -0.2, 0.9]).reshape(8, 1, 1))

        def forward(self, x):
            return F.max_pool2d(F.conv2d(x.sign(), self.c.weight.sign()) * self.a + 0.25, 2)

    torch.manual_seed(0)
    made = prepare(Pooled().eval(), torch.randn(1, 3, 10, 10), trained=True)
    assert made.profile.deployed.total("mul") == 8 * 16
    assert verify(made, images(made, 4)).exact


class Normalised(nn.Module):
    """Signs, a normalisation by statistics of the input, signs."""

    def __init__(self, norm, beside=False):
        super().__init__()
        self.a, self.b, self.norm, self.beside = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1), norm, beside
        for parameter in norm.parameters():
            nn.init.normal_(parameter)

    def forward(self, x):
        y = self.norm(F.conv2d(x.sign(), self.a.weight.sign()))
        z = F.conv2d(y.sign(), self.b.weight.sign())
        return z + y.mean() if self.beside else z


NORMS = {
    "group norm": lambda affine: nn.GroupNorm(4, 8, affine=affine),
    "instance norm": lambda affine: nn.InstanceNorm2d(8, affine=affine),
    "layer norm": lambda affine: nn.LayerNorm([8, 6, 6], elementwise_affine=affine),
}


@pytest.mark.parametrize("name", NORMS)
def test_gain_and_shift_behind_statistics_of_the_input_are_in_the_thresholds(name):
    torch.manual_seed(0)
    without = prepare(Normalised(NORMS[name](False)).eval(), torch.randn(1, 8, 6, 6)).profile.deployed
    made = prepare(Normalised(NORMS[name](True)).eval(), torch.randn(1, 8, 6, 6))
    deployed = made.profile.deployed
    assert [deployed.total(kind) for kind in ("mul", "add")] == [without.total(kind) for kind in ("mul", "add")]
    assert made.profile.as_written.total("mul") - deployed.total("mul") == 8 * 36
    assert verify(made, images(made, 4)).exact


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_features_of_tokens_have_thresholds_along_their_last_dimension(norm):
    torch.manual_seed(0)

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.w = norm(16), nn.Parameter(torch.randn(8, 16))
            for parameter in self.norm.parameters():
                nn.init.normal_(parameter)

        def forward(self, x):
            return F.linear(self.norm(x).sign(), self.w.sign())

    made = prepare(Tokens().eval(), torch.randn(1, 5, 16))
    assert made.profile.as_written.total("mul") - made.profile.deployed.total("mul") == 5 * 16
    assert made.profile.deployed.total("compare") == 5 * 16
    assert verify(made, images(made, 4)).exact


def test_a_normalisation_that_something_else_reads_keeps_gain_and_shift():
    torch.manual_seed(0)
    made = prepare(Normalised(nn.GroupNorm(4, 8), beside=True).eval(), torch.randn(1, 8, 6, 6)).profile
    assert made.deployed.total("mul") == made.as_written.total("mul")


def test_an_output_of_the_network_keeps_its_norm():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.n, self.d = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            y = self.n(F.conv2d(x.sign(), self.c.weight.sign()))
            return y, F.conv2d(y.sign(), self.d.weight.sign())

    profile = costmodel.profile(Both().eval(), torch.randn(1, 3, 6, 6))
    assert profile.deployed.total("mul") == 8 * 16
