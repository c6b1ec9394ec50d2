"""One image of which a network makes several is said; what it adds up again, or returns as one row, is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from costmodel.deploy.profile import profile
from tests.trace.hand import Net

SEVERAL = 16


def into(rows: Tensor, x: Tensor, *, whole: bool) -> Tensor:
    if whole:
        return rows.copy_(x)
    rows[:] = x
    return rows


FIXED = {
    "compared with a placeholder": lambda m, x: m.part((x < m.rows).float()),
    "added to a parameter": lambda m, x: m.part(x) + m.rows[:, :1],
    "copied into a buffer": lambda m, x: m.part(into(m.rows, x, whole=True)),
    "assigned to a buffer": lambda m, x: m.part(into(m.rows, x, whole=False)),
    "assigned to new memory": lambda m, x: m.part(into(torch.empty(SEVERAL, 3, 8, 8), x, whole=False)),
    "repeated": lambda m, x: m.part(x.repeat(SEVERAL, 1, 1, 1)),
    "expanded": lambda m, x: m.part(x.expand(SEVERAL, 3, 8, 8)),
}
SUMMED = {
    "steps that are averaged": lambda m, x: m.part(x.repeat(4, 1, 1, 1)).mean(0, keepdim=True),
    "windows": lambda m, x: m.part(x.view(3, 4, 2, 4, 2).permute(1, 3, 0, 2, 4).reshape(16, 3, 2, 2)).view(1, -1),
    "distances from prototypes": lambda m, x: (x.flatten(1) - m.rows.flatten(1)).pow(2).sum(1),
    "rows of one image": lambda m, x: m.part(x).reshape(16, -1),
    "a constant that nothing reads": lambda m, x: (m.rows + x, m.part(x))[1],
}


def batches(run: Any, rows: int = 1) -> list[str]:
    net = Net(run, part=nn.Conv2d(3, 1, 1))
    net.rows = torch.rand(SEVERAL, 3, 8, 8)
    return [c.message for c in profile(net, torch.rand(rows, 3, 8, 8)).caveats if c.kind == "batch"]


@pytest.mark.parametrize("how", FIXED)
def test_one_image_that_becomes_several_is_said_once(how: str) -> None:
    (said,) = batches(FIXED[how])
    assert "makes 16 images of the one that is given" in said
    assert batches(FIXED[how], SEVERAL) == [] or how == "repeated"


@pytest.mark.parametrize("how", SUMMED)
def test_what_is_several_on_the_way_alone_is_not_said(how: str) -> None:
    assert batches(SUMMED[how]) == []
