"""Parameters and statistics that are no numbers are refused by name; masks of infinity are not."""

import pytest
import torch
from torch import nn

import costmodel
from costmodel.errors import CostmodelError


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.softmax(self.linear(x) + self.mask, -1)


@pytest.mark.parametrize(
    ("where", "number", "said"),
    [("0.weight", torch.nan, "0.weight holds NaN"), ("0.bias", torch.inf, "0.bias holds infinity"),
     ("1.running_var", torch.nan, "1.running_var holds NaN"), ("1.running_mean", -torch.inf, "holds infinity")],
)  # fmt: skip
def test_one_element_that_is_no_number_is_refused_by_name(where, number, said):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    tensor = {**dict(net.named_parameters()), **dict(net.named_buffers())}[where]
    with torch.no_grad():
        tensor.view(-1)[-1] = number
    with pytest.raises(CostmodelError, match=said):
        costmodel.profile(net, torch.randn(1, 3, 8, 8))


def test_large_numbers_whose_sum_overflows_are_numbers():
    net = nn.Linear(8, 2)
    with torch.no_grad():
        net.weight.fill_(3e38)
    assert costmodel.profile(net, torch.randn(1, 8)).deployed.total("mul") == 16


def test_a_mask_may_be_infinite():
    assert costmodel.profile(Masked(), torch.randn(1, 4, 4)).deployed.total("special")
