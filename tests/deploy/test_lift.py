"""Functions, thresholds and what they take up pass moves of elements, and stay the network that was given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.deploy.study import prepare, verify
from costmodel.trial import random_images

#: What puts the 8 channels of a map, or its places, in another order, or takes some of them.
MOVES: dict[str, Callable[[Tensor], Tensor]] = {
    "channels turned round": lambda x: x.flip(1),
    "channels by number": lambda x: x[:, torch.tensor([3, 1, 0, 2, 7, 4, 6, 5])],
    "channels shuffled": lambda x: x.view(1, 2, 4, 6, 6).transpose(1, 2).reshape(1, 8, 6, 6),
    "half of the channels": lambda x: x.chunk(2, 1)[1],
    "every second place": lambda x: x[:, :, ::2, ::2],
    "channels last": lambda x: x.permute(0, 2, 3, 1),
    "one row": lambda x: x.flatten(1),
}


class Moved(nn.Module):
    """A PReLU with a slope for each channel, whose elements move, in front of signs; as often as it is read."""

    def __init__(self, move: Callable[[Tensor], Tensor], slopes: Tensor, readers: int) -> None:
        super().__init__()
        self.stem, self.move, self.readers = nn.Conv2d(3, 8, 3, padding=1), move, readers
        self.slopes = nn.Parameter(slopes)
        self.shift = nn.Parameter(torch.randn(readers))

    def forward(self, x: Tensor) -> Tensor:
        y = self.move(F.prelu(self.stem(x), 2.0 ** torch.round(self.slopes)))
        signs = [torch.sign(torch.sign(y + self.shift[k]) + 0.5) for k in range(self.readers)]
        return signs[0] if self.readers == 1 else torch.stack(signs)


@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("move", MOVES)
def test_a_prelu_in_front_of_a_move_is_a_part_of_the_thresholds_behind_it(move: str, each: bool, readers: int) -> None:
    torch.manual_seed(1)
    slopes = -torch.arange(8.0) / 3 - 0.3 if each else torch.tensor([-2.0])
    made = prepare(Moved(MOVES[move], slopes, readers), torch.randn(1, 3, 6, 6))
    ledger = made.profile.deployed
    assert ledger.by_kind()["mul"] == 8 * 36 * 27
    assert not {"shift_const", "shift_channel", "lut", "special"} & {k for k, n in ledger.by_kind().items() if n}
    assert verify(made, random_images(made, 3, 5)).exact


def test_a_prelu_whose_slopes_may_be_negative_stays_in_front_of_a_move() -> None:
    class Unknown(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.slopes = nn.Conv2d(3, 8, 3, padding=1), nn.Parameter(torch.rand(8))

        def forward(self, x: Tensor) -> Tensor:
            return torch.sign(F.prelu(self.stem(x), self.slopes).flip(1) + 0.3)

    made = prepare(Unknown(), torch.randn(1, 3, 6, 6))
    assert made.profile.deployed.total("mul") == 8 * 36 * 27 + 8 * 36
    assert verify(made, random_images(made, 3, 5)).exact
