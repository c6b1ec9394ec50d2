"""What changes once is told from its structure: the same answer for every draw of weights."""

import pytest
import torch
from torch import nn

import costmodel
from costmodel.deploy.study import prepare


class Elementwise(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.c, self.w = nn.Conv2d(3, 8, 3), nn.Parameter(torch.randn(8, 1, 1))
        self.function = function

    def forward(self, x):
        return self.function(self.c(x), self.w).to(x.dtype) * 1.0


ONCE = {
    "sign of an affine map": lambda x, w: (x * w + 0.1).sign(),
    "clamped and rounded": lambda x, w: torch.round(torch.clamp(x * w, 0, 1)),
    "a choice by one comparison": lambda x, w: torch.where(x * w > 0.2, 3.0, -3.0),
    "negated comparison": lambda x, w: torch.logical_not(x < w),
    "sum of two rising functions": lambda x, w: (torch.tanh(x) + torch.relu(x - 0.5) - 0.1).sign(),
    "sum of two falling functions": lambda x, w: (x * -2.0 + torch.tanh(-x)).sign(),
    "what is computed of one decision": lambda x, w: (torch.where(x * w > 0.2, 2.0, -1.0).square() - 2.0).sign(),
    "turned twice": lambda x, w: ((1.0 - x) * -2.0 + torch.tanh(x)).sign(),
    "not below a constant": lambda x, w: (torch.maximum(torch.full_like(x, -0.5), x) + torch.tanh(x)).sign(),
    "not above a constant": lambda x, w: (torch.minimum(x, torch.full_like(x, 0.5)) + torch.tanh(x)).sign(),
    "between two rising bounds": lambda x, w: torch.minimum(x, torch.tanh(x)) > 0.3,
}
OFTEN = {
    "magnitude": lambda x, w: ((x * w).abs() - 0.4).sign(),
    "square": lambda x, w: (x * x - 0.3).sign(),
    "window": lambda x, w: torch.logical_and(x > -0.3, x < 0.4),
    "sum of a rising and a falling function": lambda x, w: (torch.relu(x) - torch.tanh(x) - 0.1).sign(),
    "a rising function and one that is turned": lambda x, w: (torch.tanh(x) + x * -1.5).sign(),
    "a rising function and one of either direction": lambda x, w: (torch.tanh(x) + x * w).sign(),
    "sine": lambda x, w: torch.sin(x * w).sign(),
}


@pytest.mark.parametrize("name", [*ONCE, *OFTEN])
def test_the_same_account_for_every_draw(name):
    found = set()
    for seed in range(6):
        torch.manual_seed(seed)
        profile = costmodel.profile(Elementwise({**ONCE, **OFTEN}[name]).eval(), torch.randn(1, 3, 4, 4))
        found.add(tuple(sorted(profile.deployed.by_kind().items())))
    assert len(found) == 1


@pytest.mark.parametrize("name", ONCE)
def test_one_change_is_one_comparison(name):
    torch.manual_seed(0)
    made = prepare(Elementwise(ONCE[name]).eval(), torch.randn(1, 3, 4, 4))
    assert made.profile.deployed.total("compare") == 8 * 4
    assert made.profile.deployed.total("special", "lut") == 0


@pytest.mark.parametrize("name", OFTEN)
def test_more_than_one_change_is_not_one_comparison(name):
    torch.manual_seed(0)
    made = prepare(Elementwise(OFTEN[name]).eval(), torch.randn(1, 3, 4, 4))
    kept = [node.op for node in made.graph.nodes if node.op not in ("conv", "cast", "affine")]
    assert kept != ["threshold"]
