"""Batches of a data set that lies in the memory of the device, augmented there.

The padded training images stay on the device as bytes. A batch is one gather: random crop and flip are only indices.
All random numbers of an epoch are drawn before it, on the CPU, from a generator seeded by (seed, phase, epoch): a run
that is resumed in the middle of an epoch, or moved from a CPU to a GPU, sees the same images in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from costmodel.train.data import DataSet
from costmodel.train.recipes import Augment

#: Columns of the uniform numbers that every image gets in every epoch.
SHIFT_Y, SHIFT_X, FLIP, HOLE_Y, HOLE_X, BRIGHT, CONTRAST, COLOUR, MIX, MIX_AREA = range(10)
COLUMNS = 10


@dataclass(frozen=True)
class Batch:
    """Normalised images ``[b, c, h, w]``, class numbers ``[b]``, and the class numbers that cutmix mixed in with the
    share ``1 - keep``."""

    images: Tensor
    labels: Tensor
    other: Tensor
    keep: Tensor


class Feed(Protocol):
    """Where a run takes its batches from."""

    classes: int
    batches: int
    held_out: str
    #: of one image: channels, height, width
    shape: tuple[int, ...]

    def train(self, epoch_seed: int, first: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from number ``first`` on; the same ones for the same ``epoch_seed``."""

    def test(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The images of the test split in order, normalised, with their class numbers."""


def derive_seed(*parts: int | str) -> int:
    """A seed of 63 bits from numbers and words. Different parts give unrelated seeds."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


class MemoryFeed:
    """A :class:`Feed` over a data set in memory."""

    def __init__(
        self,
        data: DataSet,
        augment: Augment,
        batch: int,
        device: torch.device,
        drop_last: bool = True,
        channels_last: bool = True,
        unit_pixels: bool = False,
    ) -> None:
        self.classes, self.held_out = data.classes, data.held_out
        self.augment, self.batch, self.device = augment, batch, device
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        images = torch.tensor(data.train.images)
        self.size, self.shape = images.shape[-1], tuple(images.shape[1:])
        self.images = _pad(images, augment).to(device)
        self.labels = torch.from_numpy(data.train.labels).to(device)
        self.test_images = torch.tensor(data.test.images).to(device)
        self.test_labels = torch.from_numpy(data.test.labels).to(device)
        mean, std = ([0.0], [1.0]) if unit_pixels else (data.mean, data.std)
        self.mean = torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self.std = torch.tensor(std, device=device).view(1, -1, 1, 1)
        full, rest = divmod(len(self.labels), batch)
        self.batches = full + (1 if rest and not drop_last else 0)

    def train(self, epoch_seed: int, first: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(epoch_seed)
        order = torch.randperm(len(self.labels), generator=generator).to(self.device)
        draws = torch.rand(len(self.labels), COLUMNS, generator=generator).to(self.device)
        for number in range(first, self.batches):
            at = slice(number * self.batch, (number + 1) * self.batch)
            yield self._batch(order[at], draws[at])

    def test(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in zip(torch.split(self.test_images, 500), torch.split(self.test_labels, 500), strict=True):
            yield self._normalise(images.float() / 255.0), labels

    def _normalise(self, images: Tensor) -> Tensor:
        return ((images - self.mean) / self.std).contiguous(memory_format=self.layout)

    def _batch(self, index: Tensor, draws: Tensor) -> Batch:
        augment, labels = self.augment, self.labels[index]
        images = crop_and_flip(self.images, index, draws, self.size, 2 * augment.pad, augment.flip).float() / 255.0
        if augment.jitter:
            images = jitter(images, draws, augment.jitter)
        images = self._normalise(images)
        if augment.cutout:
            images = cutout(images, draws, augment.cutout)
        keep = torch.ones((), device=self.device)
        other = labels
        if augment.cutmix:
            images, other, keep = cutmix(images, labels, draws, augment.cutmix)
        return Batch(images, labels, other, keep)


def _pad(images: Tensor, augment: Augment) -> Tensor:
    """Pad bytes ``[n, c, h, w]`` on all four sides."""
    if not augment.pad:
        return images
    sides = (augment.pad,) * 4
    if augment.pad_mode == "constant":
        return torch.nn.functional.pad(images, sides)
    # Reflection is defined for floats only; bytes survive the way through float32 unchanged.
    parts = [torch.nn.functional.pad(part.float(), sides, mode="reflect").byte() for part in torch.split(images, 5000)]
    return torch.cat(parts)


def crop_and_flip(padded: Tensor, index: Tensor, draws: Tensor, size: int, slack: int, flip: bool) -> Tensor:
    """Images ``[b, c, size, size]`` at random places of the padded ``[n, c, size + slack, size + slack]``."""
    top = (draws[:, SHIFT_Y] * (slack + 1)).long().clamp_(max=slack)
    left = (draws[:, SHIFT_X] * (slack + 1)).long().clamp_(max=slack)
    # A view of all windows, [n, rows, columns, c, size, size]: the gather then copies whole rows of pixels.
    windows = padded.unfold(2, size, 1).unfold(3, size, 1).permute(0, 2, 3, 1, 4, 5)
    images = windows[index, top, left]
    return torch.where(draws[:, FLIP, None, None, None] < 0.5, images.flip(3), images) if flip else images


def jitter(images: Tensor, draws: Tensor, amount: float) -> Tensor:
    """Multiply brightness, contrast and saturation of each image by factors of ``1 - amount … 1 + amount``."""
    factors = 1.0 + amount * (2.0 * draws[:, [BRIGHT, CONTRAST, COLOUR]] - 1.0)
    bright, contrast, colour = (factors[:, i, None, None, None] for i in range(3))
    images = images * bright
    images = (images - images.mean((1, 2, 3), keepdim=True)) * contrast + images.mean((1, 2, 3), keepdim=True)
    grey = images.mean(1, keepdim=True)
    return ((images - grey) * colour + grey).clamp(0.0, 1.0)


def cutout(images: Tensor, draws: Tensor, side: int) -> Tensor:
    """Set a square of ``side`` pixels, centred anywhere in the image, to zero (the mean)."""
    height, width = images.shape[-2:]
    centre_y = (draws[:, HOLE_Y] * height).floor()[:, None]
    centre_x = (draws[:, HOLE_X] * width).floor()[:, None]
    in_rows = (torch.arange(height, device=images.device) - centre_y + side // 2).div(side).floor() == 0
    in_columns = (torch.arange(width, device=images.device) - centre_x + side // 2).div(side).floor() == 0
    return images.masked_fill((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0.0)


def cutmix(images: Tensor, labels: Tensor, draws: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Paste one rectangle of every image's successor in the batch, in a ``share`` of the batches.

    Returns the images, the successors' labels, and the share of the area that is still the image's own (a scalar
    tensor: no decision leaves the device). The area is uniform in 0 … 1 (Yun et al. 2019, alpha = 1).
    """
    height, width = images.shape[-2:]
    decide, area = draws[0, MIX], draws[0, MIX_AREA]
    cut = torch.where(decide < share, (1.0 - area).sqrt(), torch.zeros_like(area))
    centre_y, centre_x = draws[0, HOLE_Y] * height, draws[0, HOLE_X] * width
    rows = (torch.arange(height, device=images.device) + 0.5 - centre_y).abs() < cut * height / 2
    columns = (torch.arange(width, device=images.device) + 0.5 - centre_x).abs() < cut * width / 2
    mask = rows[:, None] & columns[None, :]
    mixed = torch.where(mask, images.roll(1, 0), images)
    return mixed, labels.roll(1, 0), 1.0 - mask.float().mean()
