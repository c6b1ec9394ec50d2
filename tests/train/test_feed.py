"""Batches: the gather against a plain loop, and randomness that depends only on seed and epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from costmodel.train.data import DataSet, Split
from costmodel.train.feed import (
    COLUMNS,
    FLIP,
    HOLE_X,
    HOLE_Y,
    MIX,
    MIX_AREA,
    SHIFT_X,
    SHIFT_Y,
    MemoryFeed,
    crop_and_flip,
    cutmix,
    cutout,
    derive_seed,
    jitter,
)
from costmodel.train.recipes import Augment

CPU = torch.device("cpu")


def toy(count: int = 10, size: int = 6) -> DataSet:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 3, size, size), dtype=np.uint8)
    labels = np.arange(count) % 4
    return DataSet("toy", Split(images, labels), Split(images[:3], labels[:3]), 4, (0.5, 0.25, 0.125), (0.5, 1.0, 2.0))


@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_a_batch_is_what_padding_cropping_and_flipping_one_by_one_gives(mode: str) -> None:
    data = toy()
    feed = MemoryFeed(data, Augment(pad=2, pad_mode=mode, flip=True), 4, CPU)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(99)
    order = torch.randperm(10, generator=generator)
    draws = torch.rand(10, COLUMNS, generator=generator)
    seen = 0
    for batch in feed.train(99):
        for image, label in zip(batch.images, batch.labels, strict=True):
            number, draw = int(order[seen]), draws[seen]
            source = np.pad(data.train.images[number], ((0, 0), (2, 2), (2, 2)), mode=mode)  # type: ignore[call-overload]
            top, left = int(draw[SHIFT_Y] * 5), int(draw[SHIFT_X] * 5)
            crop = source[:, top : top + 6, left : left + 6]
            crop = crop[:, :, ::-1] if draw[FLIP] < 0.5 else crop
            expected = (crop / 255.0 - np.array([0.5, 0.25, 0.125])[:, None, None]) / np.array([0.5, 1, 2])[
                :, None, None
            ]
            np.testing.assert_allclose(image.numpy(), expected, atol=1e-6)
            assert label == data.train.labels[number]
            seen += 1
    assert seen == 8  # two full batches; the rest of ten is dropped


def test_every_crop_and_both_flips_occur() -> None:
    padded = torch.arange(100, dtype=torch.uint8).view(1, 1, 10, 10)
    draws = torch.rand(4000, COLUMNS, generator=torch.Generator().manual_seed(1))
    crops = crop_and_flip(padded, torch.zeros(4000, dtype=torch.long), draws, 8, 2, flip=True)
    assert len({tuple(crop.flatten().tolist()) for crop in crops}) == 9 * 2


def test_an_epoch_goes_on_from_any_batch_with_the_same_images() -> None:
    augment = Augment(pad=1, flip=True, cutout=2, cutmix=0.5, jitter=0.2)
    whole = list(MemoryFeed(toy(), augment, 3, CPU).train(7))
    rest = list(MemoryFeed(toy(), augment, 3, CPU).train(7, first=2))
    assert len(whole) == 3 and len(rest) == 1
    assert torch.equal(whole[2].images, rest[0].images) and torch.equal(whole[2].keep, rest[0].keep)
    assert not torch.equal(whole[0].images, next(MemoryFeed(toy(), augment, 3, CPU).train(8)).images)


def test_without_drop_last_every_image_comes_once() -> None:
    feed = MemoryFeed(toy(), Augment(), 4, CPU, drop_last=False)
    sizes = [len(batch.labels) for batch in feed.train(1)]
    assert sizes == [4, 4, 2] and feed.batches == 3
    labels = torch.cat([batch.labels for batch in feed.train(1)])
    assert sorted(labels.tolist()) == sorted(toy().train.labels.tolist())


def test_test_images_are_in_order_and_not_augmented() -> None:
    data = toy()
    ((images, labels),) = MemoryFeed(data, Augment(pad=2, flip=True), 4, CPU).test()
    assert labels.tolist() == data.test.labels.tolist()
    expected = (data.test.images[0, 2] / 255.0 - 0.125) / 2.0
    np.testing.assert_allclose(images[0, 2].numpy(), expected, atol=1e-6)


def test_cutout_clears_one_square_that_may_reach_over_the_edge() -> None:
    draws = torch.zeros(2, COLUMNS)
    draws[0, HOLE_Y], draws[0, HOLE_X] = 0.5, 0.5
    found = cutout(torch.ones(2, 1, 8, 8), draws, 4)
    assert (found[0] == 0).sum() == 16 and (found[1] == 0).sum() == 4
    assert found[0, 0, 2:6, 2:6].sum() == 0


def test_cutmix_pastes_the_successor_and_counts_its_area() -> None:
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    labels = torch.tensor([5, 6, 7])
    draws = torch.full((3, COLUMNS), 0.5)
    draws[0, MIX], draws[0, MIX_AREA] = 0.1, 0.75  # a quarter of the area is replaced: 4 by 4 around the centre
    mixed, other, keep = cutmix(images, labels, draws, 0.2)
    assert keep.item() == 0.75 and other.tolist() == [7, 5, 6]
    assert (mixed[1] == 0.0).sum() == 16 and (mixed[1] == 1.0).sum() == 48
    untouched, _, all_of_it = cutmix(images, labels, draws, 0.05)
    assert all_of_it.item() == 1.0 and torch.equal(untouched, images)


def test_jitter_of_nothing_changes_nothing_and_stays_in_range() -> None:
    images = torch.rand(4, 3, 5, 5)
    middle = torch.full((4, COLUMNS), 0.5)
    torch.testing.assert_close(jitter(images, middle, 0.4), images)
    strong = jitter(images, torch.rand(4, COLUMNS), 0.9)
    assert strong.min() >= 0 and strong.max() <= 1 and not torch.equal(strong, images)


def test_seeds_differ_with_every_part() -> None:
    seeds = {derive_seed("epoch", seed, phase, epoch) for seed in range(3) for phase in range(3) for epoch in range(30)}
    assert len(seeds) == 270 and all(0 <= seed < 2**63 for seed in seeds)
