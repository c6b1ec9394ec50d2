"""Data sets as plain byte arrays: CIFAR-10/100 from their standard python layout, MNIST and Fashion-MNIST from their
idx files (:mod:`costmodel.train.idx`), and scikit-learn's digits.

The CIFAR files are pickles. They are never unpickled: every file is checked against its published MD5 sum, and after
that the bytes lie at known places, the pixels at a fixed offset and the labels as one-byte integer opcodes in front of
or behind them. ImageNet, which does not fit into memory, is read by :mod:`costmodel.train.folder`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.train import DATASETS, idx

Bytes: TypeAlias = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.int64]

#: Mean and deviation that the published CIFAR training of A&B BNN normalises with: those of ImageNet.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Environment variable that names the folder of data sets when ``--data-dir`` does not.
DATA_DIR_VARIABLE = "COSTMODEL_DATA"


@dataclass(frozen=True)
class Split:
    """Images ``[n, channels, height, width]`` as bytes, and their class numbers ``[n]``."""

    images: Bytes
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """A data set in memory. ``held_out`` says what ``test`` is: the test set, or a part of the training set."""

    name: str
    train: Split
    test: Split
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    held_out: str = "test"

    @property
    def channels(self) -> int:
        return int(self.train.images.shape[1])


@dataclass(frozen=True)
class CifarFile:
    """Where things are in one file of the standard python layout.

    ``pixels`` is the byte offset of the ``count`` images of 3072 bytes (red, green and blue planes). ``labels_key`` is
    the string in front of the list of class numbers.
    """

    name: str
    md5: str
    pixels: int
    count: int


@dataclass(frozen=True)
class Cifar:
    """The files of one CIFAR data set, and where its author publishes them."""

    folder: str
    labels_key: bytes
    train: tuple[CifarFile, ...]
    test: CifarFile
    classes: int
    url: str
    archive_md5: str


#: MD5 sums: torchvision's integrity table for the same files; offsets: read off the files (fixed by the sums).
CIFAR: dict[str, Cifar] = {
    "cifar10": Cifar(
        folder="cifar-10-batches-py",
        labels_key=b"U\x06labels",
        train=(
            CifarFile("data_batch_1", "c99cafc152244af753f735de768cd75f", 20218, 10000),
            CifarFile("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec", 20218, 10000),
            CifarFile("data_batch_3", "54ebc095f3ab1f0389bbae665268c751", 20218, 10000),
            CifarFile("data_batch_4", "634d18415352ddfa80567beed471001a", 20218, 10000),
            CifarFile("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb", 20218, 10000),
        ),
        test=CifarFile("test_batch", "40351d587109b95175f43aff81a1287e", 20217, 10000),
        classes=10,
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        archive_md5="c58f30108f718f92721af3b95e74349a",
    ),
    "cifar100": Cifar(
        folder="cifar-100-python",
        labels_key=b"U\x0bfine_labels",
        train=(CifarFile("train", "16019d7e3df5f24257cddd939b257f8d", 1649914, 50000),),
        test=CifarFile("test", "f0ef6b0ae62326f3e7ffdfab6717acfc", 329703, 10000),
        classes=100,
        url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    ),
}

VALIDATION_IMAGES = {"cifar10": 5000, "cifar100": 5000, "mnist": 5000, "fashion-mnist": 5000, "digits": 200}


def data_directory(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder of data sets: as given, else ``$COSTMODEL_DATA``, else ``~/.cache/costmodel/data``."""
    chosen = given or os.environ.get(DATA_DIR_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "costmodel" / "data"


def load(name: str, directory: Path, validation: bool = False) -> DataSet:
    """Read a data set into memory. With ``validation`` its test split is held out of the training images instead.

    Every choice of a hyper-parameter is made with ``validation``; the test set is for the final run.
    Raises :class:`CostmodelError` for a missing, cut or altered file, and :class:`UnknownNameError` for another name.
    """
    if name == "digits":
        data = _digits()
    elif name in CIFAR:
        data = _cifar(name, directory)
    elif name in idx.IDX:
        data = _idx(name, directory)
    else:
        raise UnknownNameError("data set", name, DATASETS, f"Known: {', '.join(DATASETS)}.")
    return hold_out(data, VALIDATION_IMAGES[name]) if validation else data


def takes_unit_pixels(network: str) -> bool:
    """Whether a network of the zoo takes pixels in 0 … 1 instead of standardised ones: FINN's do."""
    from costmodel.zoo import registry

    try:
        return registry.entry(network).family == "finn"
    except UnknownNameError:  # a network of the user's
        return False


def hold_out(data: DataSet, count: int) -> DataSet:
    """Replace the test split by ``count`` images of the training split: the same ones whatever the seed of the run."""
    order = np.random.default_rng(20240229).permutation(len(data.train))
    picked, rest = np.sort(order[:count]), np.sort(order[count:])
    train = Split(data.train.images[rest], data.train.labels[rest])
    test = Split(data.train.images[picked], data.train.labels[picked])
    return replace(data, train=train, test=test, held_out="validation")


def _cifar(name: str, directory: Path) -> DataSet:
    layout = CIFAR[name]
    folder = directory if directory.name == layout.folder else directory / layout.folder
    if not folder.is_dir():
        raise CostmodelError(
            f"no {name} in {directory}: expected the folder {layout.folder} of the python version. Give --data-dir "
            f"DIR, or --download to fetch {layout.url}."
        )
    parts = [_read_cifar_file(folder / file.name, file, layout) for file in layout.train]
    train = Split(np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts]))
    test = _read_cifar_file(folder / layout.test.name, layout.test, layout)
    return DataSet(name, train, test, layout.classes, IMAGENET_MEAN, IMAGENET_STD)


def _read_cifar_file(path: Path, file: CifarFile, layout: Cifar) -> Split:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CostmodelError(
            f"cannot read {path}: {error.strerror or error}. Fetch it again with --download."
        ) from error
    found = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if found != file.md5:
        raise CostmodelError(
            f"{path} is not the published file: MD5 {found}, expected {file.md5} ({len(raw)} bytes). "
            f"Delete it and fetch it again with --download."
        )
    return Split(_pixels(raw, file), _labels(raw, file, layout))


def _pixels(raw: bytes, file: CifarFile) -> Bytes:
    flat = np.frombuffer(raw, np.uint8, count=file.count * 3072, offset=file.pixels)
    return flat.reshape(file.count, 3, 32, 32)


def _labels(raw: bytes, file: CifarFile, layout: Cifar) -> Labels:
    """Class numbers of a file: a pickled list in groups, ``(`` then two bytes an item (``K`` and the value), ``e``."""
    at = raw.index(layout.labels_key) + len(layout.labels_key)
    at = raw.index(b"]", at) + 1
    at += 2 if raw[at : at + 1] == b"q" else 5  # the memo number of the list, in one byte or in four
    values: list[int] = []
    while len(values) < file.count:
        assert raw[at : at + 1] == b"(", "the layout is fixed by the checksum"
        size = min(1000, file.count - len(values))
        group = raw[at + 1 : at + 1 + 2 * size]
        assert group[::2] == b"K" * size, "the layout is fixed by the checksum"
        values.extend(group[1::2])
        at += 2 * size + 2
    return np.array(values, np.int64)


def _idx(name: str, directory: Path) -> DataSet:
    files = idx.read(name, directory)
    train = Split(files[idx.TRAIN_IMAGES][:, None], files[idx.TRAIN_LABELS].astype(np.int64))
    test = Split(files[idx.TEST_IMAGES][:, None], files[idx.TEST_LABELS].astype(np.int64))
    # Pixels stay in 0 … 1, which is what FINN's networks take, and what most others are trained with.
    return DataSet(name, train, test, 10, (0.0,), (1.0,))


def _digits() -> DataSet:
    """The 1,797 grey 8 by 8 images of scikit-learn, their 17 levels spread over a byte; a quarter are test images."""
    from costmodel.errors import MissingExtraError

    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("--data digits", "scikit-learn", "train") from error
    bunch: Any = load_digits()
    images = np.clip(bunch.images * 16.0, 0, 255).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng(1797).permutation(len(labels))
    cut = len(labels) // 4
    test, train = order[:cut], order[cut:]
    mean, std = images[train].mean() / 255.0, images[train].std() / 255.0
    return DataSet(
        "digits",
        Split(images[train], labels[train]),
        Split(images[test], labels[test]),
        classes=10,
        mean=(float(mean),),
        std=(float(std),),
    )
