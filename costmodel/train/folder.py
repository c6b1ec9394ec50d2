"""ImageNet, and any data set of its form: a tree ``DIR/train/CLASS/*`` and ``DIR/val/CLASS/*``, decoded by workers.

Augmentation is that of the published recipes: a random crop of 8 to 100 % of the area, resized, and a random flip.
Each image's crop depends only on the epoch and the image, so that the number of workers changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.train.data import IMAGENET_MEAN, IMAGENET_STD
from costmodel.train.feed import COLUMNS, Batch, cutmix, cutout, derive_seed, jitter
from costmodel.train.recipes import Augment

SUFFIXES = {".jpeg", ".jpg", ".png", ".webp", ".bmp"}
SIZE, TEST_RESIZE = 224, 256
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)

Sample = tuple[Path, int]
Decoded = tuple[Tensor | None, int, str]


def scan(directory: Path) -> tuple[list[Sample], list[Sample], int]:
    """Training and test images with their class numbers (classes in the order of their names), and the classes.

    Raises :class:`CostmodelError` when the tree is not as described above.
    """
    train, test = directory / "train", directory / "val"
    for part in (train, test):
        if not part.is_dir():
            raise CostmodelError(
                f"no folder {part}. Expected {directory}/train/CLASS/IMAGE and {directory}/val/CLASS/IMAGE."
            )
    classes = sorted(entry.name for entry in train.iterdir() if entry.is_dir())
    strange = sorted(e.name for e in test.iterdir() if e.is_dir() and e.name not in set(classes))
    if not classes or strange:
        what = (
            f"val has classes that train has not, such as {strange[0]}" if strange else f"{train} has no class folders"
        )
        raise CostmodelError(f"{directory} is no image tree: {what}.")
    numbers = {name: number for number, name in enumerate(classes)}
    return _images(train, numbers), _images(test, numbers), len(classes)


def _images(part: Path, numbers: dict[str, int]) -> list[Sample]:
    found = [
        (image, number)
        for name, number in numbers.items()
        for image in sorted((part / name).glob("*"))
        if image.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise CostmodelError(f"{part} holds no images ({', '.join(sorted(SUFFIXES))}).")
    return found


class FolderFeed:
    """A :class:`~costmodel.train.feed.Feed` over an image tree."""

    held_out = "test"

    def __init__(
        self,
        directory: Path,
        augment: Augment,
        batch: int,
        device: torch.device,
        drop_last: bool = True,
        channels_last: bool = True,
        workers: int = 8,
        size: int = SIZE,
    ) -> None:
        self.samples, self.test_samples, self.classes = scan(directory)
        self.augment, self.batch, self.device, self.workers, self.size = augment, batch, device, workers, size
        self.shape: tuple[int, ...] = (3, size, size)
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, -1, 1, 1)
        self.std = torch.tensor(IMAGENET_STD, device=device).view(1, -1, 1, 1)
        full, rest = divmod(len(self.samples), batch)
        self.batches = full + (1 if rest and not drop_last else 0)
        if self.batches == 0:
            raise CostmodelError(f"{directory}/train holds {len(self.samples)} images, fewer than a batch of {batch}.")

    def train(self, epoch_seed: int, first: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(epoch_seed)
        order = torch.randperm(len(self.samples), generator=generator)
        draws = torch.rand(len(self.samples), COLUMNS, generator=generator)
        parts = [order[n * self.batch : (n + 1) * self.batch].tolist() for n in range(self.batches)]
        decoder = Decoder(self.samples, self.size, epoch_seed, self.augment.flip)
        for number, (raw, labels) in enumerate(self._load(decoder, parts[first:]), first):
            at = draws[number * self.batch : number * self.batch + len(labels)].to(self.device)
            yield self._batch(raw, labels, at)

    def test(self) -> Iterator[tuple[Tensor, Tensor]]:
        count = len(self.test_samples)
        parts = [list(range(n, min(n + self.batch, count))) for n in range(0, count, self.batch)]
        for raw, labels in self._load(Decoder(self.test_samples, self.size, None, False), parts):
            yield self._normalise(raw.float() / 255.0), labels

    def _load(self, decoder: Decoder, parts: Sequence[list[int]]) -> Iterator[tuple[Tensor, Tensor]]:
        loader: DataLoader[Any] = DataLoader(
            decoder,
            batch_sampler=parts,
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
        )
        for answer in loader:
            if isinstance(answer, str):
                raise CostmodelError(answer)
            images, labels = answer
            yield images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)

    def _normalise(self, images: Tensor) -> Tensor:
        return ((images - self.mean) / self.std).contiguous(memory_format=self.layout)

    def _batch(self, raw: Tensor, labels: Tensor, draws: Tensor) -> Batch:
        images = raw.float() / 255.0
        if self.augment.jitter:
            images = jitter(images, draws, self.augment.jitter)
        images = self._normalise(images)
        if self.augment.cutout:
            images = cutout(images, draws, self.augment.cutout)
        other, keep = labels, torch.ones((), device=self.device)
        if self.augment.cutmix:
            images, other, keep = cutmix(images, labels, draws, self.augment.cutmix)
        return Batch(images, labels, other, keep)


class Decoder(Dataset[Decoded]):
    """Images as bytes ``[3, size, size]``: cropped at random when ``epoch_seed`` is given, else from the centre."""

    def __init__(self, samples: Sequence[Sample], size: int, epoch_seed: int | None, flip: bool) -> None:
        try:
            import PIL.Image  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("--data imagenet:DIR", "Pillow", "train") from error
        self.samples, self.size, self.epoch_seed, self.flip = samples, size, epoch_seed, flip

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Decoded:
        from PIL import Image, UnidentifiedImageError

        path, label = self.samples[index]
        try:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
            return None, label, f"{path} is not a readable image: {error}. Replace or remove it."
        if self.epoch_seed is None:
            image = self._centre(image)
        else:
            image = self._random(image, np.random.default_rng(derive_seed("crop", self.epoch_seed, index)))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1), label, ""

    def _centre(self, image: Any) -> Any:
        scale = TEST_RESIZE / SIZE * self.size / min(image.size)
        width, height = (max(self.size, round(side * scale)) for side in image.size)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        return image.resize((width, height), 2).crop((left, top, left + self.size, top + self.size))

    def _random(self, image: Any, rng: np.random.Generator) -> Any:
        width, height = image.size
        box = (0, 0, width, height)
        for _ in range(10):
            area = width * height * rng.uniform(*AREA)
            aspect = np.exp(rng.uniform(np.log(ASPECT[0]), np.log(ASPECT[1])))
            w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
            if 0 < w <= width and 0 < h <= height:
                left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
                box = (left, top, left + w, top + h)
                break
        image = image.resize((self.size, self.size), 2, box=box)
        return image.transpose(0) if self.flip and rng.random() < 0.5 else image


def collate(samples: Sequence[Decoded]) -> tuple[Tensor, Tensor] | str:
    """A batch of bytes and labels; or what is wrong with the first image that could not be read."""
    wrong = next((message for image, _, message in samples if image is None), None)
    if wrong is not None:
        return wrong
    images = torch.stack([image for image, _, _ in samples if image is not None])
    return images, torch.tensor([label for _, label, _ in samples])
