"""A number that Python takes and no output is made of is no work; one that it looks at is, as a branch is."""

from __future__ import annotations

import copy
import math
import operator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from costmodel.deploy.profile import profile
from costmodel.ledger.ledger import Profile

PRODUCTS = 8 * 38 * 38 * 27


class Reports(nn.Module):
    """A convolution that does something with the sum of its positive outputs."""

    def __init__(self, does: Any) -> None:
        super().__init__()
        self.conv, self.does = nn.Conv2d(3, 8, 3, bias=False), does
        self.share, self.counts, self.list, self.sum = torch.zeros(1), torch.zeros(4), [], 0.0

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        return self.does(self, y, (y > 0).sum()) if self.does else y


def counted(does: Any = None) -> Profile:
    torch.manual_seed(0)
    return profile(Reports(does).eval(), torch.randn(1, 3, 40, 40))


def kept(m: Any, y: Tensor, s: Tensor) -> Tensor:
    m.last = s.item()
    return y


def into_a_list(m: Any, y: Tensor, s: Tensor) -> Tensor:
    m.list.append(s.item())
    return y


def into_a_sum(m: Any, y: Tensor, s: Tensor) -> Tensor:
    m.sum += 2 * s.item() / y.numel() - abs(-s.item())
    return y


def filled(m: Any, y: Tensor, s: Tensor) -> Tensor:
    m.share.fill_(s.item() / y.numel())
    return y


def into_an_element(m: Any, y: Tensor, s: Tensor) -> Tensor:
    m.counts[1] = s.item()
    m.counts[2:] += s.item()
    return y


def running(m: Any, y: Tensor, s: Tensor) -> Tensor:
    m.share.mul_(0.9).add_(s.item(), alpha=0.1)
    return y


def its_type(m: Any, y: Tensor, s: Tensor) -> Tensor:
    number = copy.deepcopy(s.item())
    m.last = number if isinstance(number, int) else None
    return y


@pytest.mark.parametrize("does", [kept, into_a_list, into_a_sum, filled, into_an_element, running, its_type])
def test_a_statistic_that_no_output_reads_is_no_work_and_no_branch(does: Any) -> None:
    made, plain = counted(does), counted()
    for level in ("as_written", "deployed"):
        assert made.ledger(level).by_kind() == plain.ledger(level).by_kind()
    assert not made.caveats


LOOKS = {
    "bool": bool, "int": int, "float": float, "text": str, "format": lambda n: f"{n:.2f}", "compare": lambda n: n > 3,
    "equal": lambda n: n == 3, "hash": hash, "index": lambda n: [0] * n, "range": range, "root": math.sqrt,
    "numpy": np.sqrt, "array": lambda n: np.array([n, 2]), "tensor": torch.tensor,
    "full": lambda n: torch.full((2,), n),
    "times": lambda n: n * torch.ones(2), "by": lambda n: 1 / n, "power": lambda n: 1.0**n, "max": lambda n: max(n, 1),
    "in": lambda n: n in {1, 2}, "method": lambda n: n.bit_length(), "attribute": operator.attrgetter("real"),
    "modulo": lambda n: n % 2, "divmod": lambda n: divmod(n, 2), "ceil": math.ceil, "round": lambda n: round(n, 1),
    "inplace by": lambda n: torch.ones(2).div(n), "slice": lambda n: torch.ones(9000)[:n],
}  # fmt: skip


@pytest.mark.parametrize("how", LOOKS)
def test_a_number_that_is_looked_at_is_work_and_a_branch(how: str) -> None:
    seen: list[Any] = []

    def does(m: Any, y: Tensor, s: Tensor) -> Tensor:
        seen.append(LOOKS[how](s.item()))
        return y

    made = counted(does)
    plain = Reports(None).eval()
    torch.manual_seed(0)
    assert made.as_written.total("compare") == 8 * 38 * 38
    assert [c.kind for c in made.caveats] == ["branch"]
    assert plain is not None and seen


def test_what_is_looked_at_is_the_number_itself() -> None:
    seen: list[Any] = []

    def does(m: Any, y: Tensor, s: Tensor) -> Tensor:
        seen.append((int(s.item()), int((y > 0).sum().numpy())))
        return y

    counted(does)
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.parametrize(
    "does",
    [
        lambda m, y, s: y * m.share.fill_(s.item()),
        lambda m, y, s: y * s.item(),
        lambda m, y, s: (y, s.item()),
        lambda m, y, s: {"logits": y, "more": [{"kept": s.item() + 1}]},
    ],
    ids=["through a buffer", "at once", "returned", "returned inside"],
)
def test_a_number_that_an_output_is_made_of_is_work(does: Any) -> None:
    made = counted(does)
    assert made.as_written.total("compare") == 8 * 38 * 38
    assert made.as_written.total("mul") >= PRODUCTS
    assert {c.kind for c in made.caveats} >= {"branch"}


def test_a_number_that_outlives_the_run_is_a_number() -> None:
    log: list[Any] = []

    def does(m: Any, y: Tensor, s: Tensor) -> Tensor:
        log.append(s.item())
        return y

    counted(does)
    assert 0 <= log[-1] <= 8 * 38 * 38 and f"{log[-1]}".isdigit() and max(log[-1], -1) == log[-1]
    assert copy.copy(log[-1]) is log[-1]


def test_an_error_of_the_model_is_its_own() -> None:
    def does(m: Any, y: Tensor, s: Tensor) -> Tensor:
        m.last = s.item()
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        counted(does)
