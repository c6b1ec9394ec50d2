"""The fronts that are shipped: networks with a known accuracy, on every shipped target, one folder a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from costmodel.errors import UnknownNameError

if TYPE_CHECKING:
    from costmodel.explore.front import Front

RESULTS = Path(__file__).parent / "results"


def datasets() -> list[str]:
    """Data sets of which fronts are shipped; the space is ``results/DATASET/reference.yaml`` next to this file."""
    return sorted(path.parent.name for path in RESULTS.glob("*/reference.yaml"))


def list_fronts(dataset: str = "cifar10") -> list[str]:
    """Targets of which a front is shipped: those that hold at least one of the data set's networks."""
    return sorted(path.stem.split("-", 2)[2] for path in _folder(dataset).glob("front-*.parquet"))


def reference_front(target: str, dataset: str = "cifar10") -> Front:
    """The shipped front of one target; raises :class:`UnknownNameError` where there is none."""
    from costmodel.explore.front import read_front

    for path in _folder(dataset).glob(f"front-*-{target}.parquet"):
        if path.stem.split("-", 2)[2] == target:
            return read_front(path)
    raise UnknownNameError("target with a shipped front", target, list_fronts(dataset))


def _folder(dataset: str) -> Path:
    if dataset not in datasets():
        raise UnknownNameError("data set with shipped fronts", dataset, datasets())
    return RESULTS / dataset
