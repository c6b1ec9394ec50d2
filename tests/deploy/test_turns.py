"""Dimensions that are exchanged and exchanged back leave no trace, and what lies between acts as it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.study import prepare, verify
from costmodel.trial import random_images

Body = Callable[["Net", Tensor], Any]


class Net(nn.Module):
    """``body`` on the 6 maps of a convolution, with constants along each dimension of a map."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.body, self.stem = body, nn.Conv2d(3, 6, 3, padding=1)
        self.channel, self.row = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(8, 1, 1))
        self.place, self.slopes = nn.Parameter(torch.randn(8, 5, 6)), nn.Parameter(torch.randn(6))
        self.bn = nn.BatchNorm2d(8)
        self.bn.running_mean.normal_(0, 0.5)
        self.bn.running_var.uniform_(0.5, 2)
        nn.init.normal_(self.bn.weight)

    def forward(self, x: Tensor) -> Any:
        return self.body(self, self.stem(x))


def last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


# name -> body, exchanges of dimensions that stay
BODIES: dict[str, tuple[Body, int]] = {
    "by channel": (lambda n, x: first(F.relu(last(x) * n.channel + 0.5)), 0),
    "by row": (lambda n, x: first(F.relu(last(x) * n.row) - n.row), 0),
    "by place": (lambda n, x: first(F.relu(last(x) * n.place + n.channel)), 0),
    "a norm of the rows": (lambda n, x: first(n.bn(F.relu(last(x)))), 0),
    "a slope for each": (lambda n, x: first(torch.where(last(x) > 0, last(x), n.slopes * last(x))), 0),
    "a slope for each row": (lambda n, x: first(F.prelu(last(x), n.row.flatten())), 0),
    "signs": (lambda n, x: first(torch.sign(last(x) + n.channel)), 0),
    "two that meet": (lambda n, x: first(F.relu(last(x)) + last(torch.tanh(x)) * n.channel), 0),
    "read elsewhere": (lambda n, x: (first(F.relu(last(x) + n.channel)), F.relu(last(x) + n.channel).softmax(2)), 1),
    "an output of its own": (lambda n, x: (y := F.relu(last(x) + n.channel), first(y)), 1),
    "transposed": (lambda n, x: F.relu(x.transpose(1, 3) * n.channel).transpose(-1, 1), 0),
    "nested": (lambda n, x: first(F.relu(first(F.relu(last(last(x)) * n.row.view(8)))).permute(0, 2, 3, 1)), 1),
    "two turns that are none": (lambda n, x: first(last(x)) * 0.7, 0),
    "not undone": (lambda n, x: F.relu(last(x) * n.channel), 1),
    "a constant that does not move": (lambda n, x: first(torch.maximum(last(x), n.channel)), 2),
    "along a dimension": (lambda n, x: first(last(x).softmax(-1)), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_what_lies_between_acts_on_the_elements_as_they_lie(name: str) -> None:
    body, stay = BODIES[name]
    made = prepare(Net(body).eval(), torch.randn(1, 3, 8, 5))
    assert sum(node.op == "permute" for node in made.graph.nodes) == stay
    assert verify(made, random_images(made, 3, 5)).exact
