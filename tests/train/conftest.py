"""A data set, a recipe and a run small enough to train in a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel.train.data import DataSet, Split
from costmodel.train.job import Job
from costmodel.train.recipes import Recipe, as_recipe

RECIPE: dict[str, Any] = {
    "about": "for tests",
    "source": "constructed",
    "batch": 16,
    "augment": {"pad": 1, "pad_mode": "constant"},
    "clip": {"factor": 0.01},
    "phases": [
        {"weights": "real", "epochs": 2, "lr": 0.01},
        {"weights": "binary", "epochs": 2, "lr": 0.01},
    ],
}


def recipe(**changes: Any) -> Recipe:
    return as_recipe({**RECIPE, **changes}, "test")


def textures(count: int, seed: int) -> Split:
    """Noisy images of 8 by 8 in four classes: stripes across, stripes down, a chequerboard, and nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    row, column = np.indices((8, 8))
    patterns = np.stack([row % 2, column % 2, (row + column) % 2, np.zeros((8, 8), int)])
    images = 150 * patterns[labels] + rng.integers(0, 60, (count, 8, 8))
    return Split(images.astype(np.uint8)[:, None], labels)


@pytest.fixture
def small_data() -> DataSet:
    return DataSet("digits", textures(96, 1), textures(48, 2), 10, (0.3,), (0.3,))


@pytest.fixture
def make_run(small_data: DataSet, tmp_path: Path) -> Callable[..., Any]:
    """Make (or open again) a run in a folder: ``make_run(folder="a", recipe=..., seed=0)``."""
    import torch

    from costmodel.train.feed import MemoryFeed
    from costmodel.train.networks import builder
    from costmodel.train.run import Options, Run

    def make(folder: str = "run", *, seed: int = 0, network: str = "abbnn-reactnet6-digits", **given: Any) -> Run:
        used = given.pop("recipe", None) or recipe()
        teacher = given.pop("teacher", None)
        job = Job(network=network, data="digits", recipe_name="test", recipe=used, seed=seed, **given)
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        device = torch.device("cpu")
        feed = MemoryFeed(small_data, used.augment, used.batch, device, used.drop_last, used.channels_last)
        return Run(job, path, feed, builder(job, feed.classes), Options(device), teacher, {"hardware": "test"})

    return make
