"""Scales and biases go into real weights, also where dimensions change places between."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.study import prepare, verify
from costmodel.trial import random_images


class Last(nn.Module):
    """Channels last, as other frameworks have them: norms act on the last dimension, convolutions in between."""

    def __init__(self, where: str) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.where = where
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 1)
        self.gain, self.shift = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8))

    def norm(self, x: Tensor) -> Tensor:
        return (x.permute(0, 2, 3, 1) * self.gain + self.shift).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if self.where == "behind":
            return F.relu(self.norm(y))
        y = F.relu(y)
        return self.second(self.norm(y)) + self.second(y).mean((1, 2, 3), keepdim=True)


@pytest.mark.parametrize("where", ["behind", "in front"])
def test_norms_of_the_last_dimension_go_into_convolutions(where: str) -> None:
    made = prepare(Last(where).eval(), torch.randn(1, 3, 6, 6))
    stem, second = 8 * 36 * 27, 6 * 36 * 8
    extra = 0 if where == "behind" else 2 * second + 1  # and one over the number of elements
    assert made.profile.deployed.total("mul") == stem + extra
    assert verify(made, random_images(made, 3, 5)).exact


@pytest.mark.parametrize("dims", [(1, 2), (-2, -1)])
def test_scales_go_into_matrices_whose_results_change_places(dims: tuple[int, int]) -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.gain = nn.Linear(16, 8), nn.Parameter(torch.randn(8, 1))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.first(x).transpose(*dims) * self.gain)

    made = prepare(Tokens(), torch.randn(1, 5, 16))
    assert made.profile.deployed.total("mul") == 5 * 16 * 8
    assert verify(made, random_images(made, 3, 5)).exact


def test_a_scale_along_another_dimension_than_the_channels_stays() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.gain = nn.Conv2d(3, 8, 3, padding=1), nn.Parameter(torch.randn(8))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.first(x).permute(0, 1, 3, 2) * self.gain)

    made = prepare(Rows(), torch.randn(1, 3, 8, 8))
    assert made.profile.deployed.total("mul") == 8 * 64 * 27 + 8 * 64
    assert verify(made, random_images(made, 3, 5)).exact
