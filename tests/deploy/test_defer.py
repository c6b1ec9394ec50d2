"""Chains that several read, and chains behind windows, go to where something takes them up."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.study import Deployment, prepare, verify
from costmodel.trial import random_images


def _proved(net: nn.Module) -> Deployment:
    made = prepare(net, torch.randn(1, 3, 8, 8))
    assert verify(made, random_images(made, 3, 5)).exact
    return made


class _Stem(nn.Module):
    """Signs of a real convolution, and a sum of them by signs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.weight = nn.Parameter(torch.randn(8, 8, 3, 3))
        self.eval()

    def summed(self, x: Tensor) -> Tensor:
        return F.conv2d(torch.sign(self.stem(x) + 0.1), torch.sign(self.weight), padding=1)


STEM = 8 * 64 * 27


def test_a_scale_that_a_threshold_and_a_sum_behind_a_pooling_read_is_not_left() -> None:
    class Net(_Stem):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.summed(x) * self.weight.abs().mean()
            near = F.conv2d(torch.sign(self.bn(y) + 0.05), torch.sign(self.weight), padding=1)
            far = F.conv2d(F.avg_pool2d(y, 2), torch.sign(self.weight[:, :, :1, :1]))
            return near, torch.sign(far + 0.01)

    made = _proved(Net())
    assert made.profile.deployed.total("mul") == STEM
    assert made.profile.deployed.total("shift_const") == 0


def test_a_scale_and_a_bias_go_into_real_weights_that_make_more_results() -> None:
    """One more addition for each result, in place of a multiplication and an addition for each operand."""

    class Net(_Stem):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Conv2d(8, 24, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.wide(self.bn(self.summed(x)))

    made = _proved(Net())
    assert made.profile.deployed.total("mul") == STEM + 24 * 64 * 8
    assert made.profile.deployed.total("add") == 8 * 64 * 26 + 24 * 64 * (7 + 1)  # 0.1 is a threshold


def test_a_bias_passes_a_mean_to_the_threshold_behind_it_and_to_nothing_else() -> None:
    class Net(_Stem):
        def __init__(self, decides: bool) -> None:
            super().__init__()
            self.decides, self.shift = decides, nn.Parameter(torch.randn(8, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            y = F.avg_pool2d(F.relu(self.stem(x)) + self.shift, 2)
            return torch.sign(y) if self.decides else y

    results = 8 * 16
    for decides in (True, False):
        ledger = _proved(Net(decides)).profile.deployed
        assert ledger.total("add") == 8 * 64 * 26 + 3 * results + (0 if decides else 8 * 64)


def test_scales_by_channel_pass_means_and_views_into_a_matrix() -> None:
    class Net(_Stem):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            sizes = 2.0 ** -torch.arange(8).remainder(3).view(8, 1, 1).to(x.dtype)
            return self.head(F.adaptive_avg_pool2d(self.summed(x) * sizes, 1).flatten(1))

    made = _proved(Net())
    assert made.profile.deployed.total("shift_channel") == made.profile.deployed.total("shift_const") == 0
    assert made.profile.deployed.total("mul") == STEM + 8 * 5
