"""A layer whose stored weights can be given other bits, wherever it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

#: What a layer reads, as it is read where the module that holds the step is given.
Read = Callable[["nn.Module", "Tensor"], "Tensor"]


@dataclass(frozen=True)
class Weighted:
    """A layer that computes sums of products with weights that are stored.

    They are in ``module`` under the name ``own``; along ``channel`` are those of its output channels. ``step`` is where
    the step of what is read is kept, and ``change`` puts a function in front of the layer.
    """

    module: nn.Module
    change: Callable[[Read], None]
    own: str = "weight"
    channel: int = 0
    step: tuple[nn.Module, str] | None = None
