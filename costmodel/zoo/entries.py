"""What the catalogue knows of one network, and the shapes of the data sets. Plain data; imports no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Dataset = Literal["imagenet", "cifar10", "cifar100", "mnist", "digits"]

#: Shape of one input (batch of one) and number of classes of each data set.
DATASETS: dict[str, tuple[tuple[int, ...], int]] = {
    "imagenet": ((1, 3, 224, 224), 1000),
    "cifar10": ((1, 3, 32, 32), 10),
    "cifar100": ((1, 3, 32, 32), 100),
    "mnist": ((1, 1, 28, 28), 10),
    "digits": ((1, 1, 8, 8), 10),
}


@dataclass(frozen=True, slots=True)
class Published:
    """A top-1 accuracy in percent that others report. ``source`` names the document, ``note`` its conditions."""

    top1: float
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One network. ``builder`` is ``module:function``, called with ``options`` and then the keywords of the user."""

    name: str
    aliases: tuple[str, ...]
    family: str
    topology: str
    block: str
    normaliser: str
    dataset: str
    input_shape: tuple[int, ...]
    classes: int
    published: tuple[Published, ...]
    source: str
    description: str
    builder: str
    options: tuple[tuple[str, Any], ...] = ()
