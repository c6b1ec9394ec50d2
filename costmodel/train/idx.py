"""MNIST and Fashion-MNIST from their idx files, packed (``.gz``) as published or unpacked.

An idx file is a big-endian header (two zero bytes, the type 8 for bytes, the number of dimensions, and each dimension
in four bytes) and then the bytes. Every file is checked against its published MD5 sum before it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
#: Dimensions of each file, the same for both data sets.
SHAPES: dict[str, tuple[int, ...]] = {
    TRAIN_IMAGES: (60000, 28, 28),
    TRAIN_LABELS: (60000,),
    TEST_IMAGES: (10000, 28, 28),
    TEST_LABELS: (10000,),
}


@dataclass(frozen=True)
class Idx:
    """The files of a data set: the MD5 sums of the published ``.gz`` files and, where known, of what is in them."""

    folder: str
    url: str
    packed: dict[str, str]
    unpacked: dict[str, str]


#: Packed: torchvision's integrity table (torchvision/datasets/mnist.py). Unpacked: of the contents of those.
IDX: dict[str, Idx] = {
    "mnist": Idx(
        folder="MNIST/raw",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        packed={
            TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
            TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
            TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
        },
        unpacked={
            TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
            TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
            TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
            TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion-mnist": Idx(
        folder="FashionMNIST/raw",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        packed={
            TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
            TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
            TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
        },
        unpacked={},
    ),
}


def folder_of(layout: Idx, directory: Path) -> Path:
    """Where the files lie: ``directory`` itself when it holds them, else the folder that torchvision keeps them in."""
    own = any((directory / f"{name}{end}").is_file() for name in SHAPES for end in ("", ".gz"))
    return directory if own else directory / layout.folder


def missing(layout: Idx, directory: Path) -> list[str]:
    """The files that are not there in a form that can be checked."""
    folder = folder_of(layout, directory)
    return [name for name in SHAPES if _found(layout, folder, name) is None]


def _found(layout: Idx, folder: Path, name: str) -> Path | None:
    packed, plain = folder / f"{name}.gz", folder / name
    if packed.is_file():
        return packed
    return plain if name in layout.unpacked and plain.is_file() else None


def read(data: str, directory: Path) -> dict[str, NDArray[np.uint8]]:
    """The four files by name, as arrays of the dimensions that :data:`SHAPES` gives.

    Raises :class:`CostmodelError` for a file that is missing, cut, altered, or of another data set.
    """
    layout = IDX[data]
    folder = folder_of(layout, directory)
    if len(missing(layout, directory)) == len(SHAPES):
        form = "" if layout.unpacked else " (the .gz files as published)"
        raise CostmodelError(
            f"no {data} in {directory}: expected {TRAIN_IMAGES}, … there or in its folder {layout.folder}{form}. "
            f"Give --data-dir DIR, or --download to fetch them from {layout.url}."
        )
    return {name: _read_file(layout, folder, name, data) for name in SHAPES}


def _read_file(layout: Idx, folder: Path, name: str, data: str) -> NDArray[np.uint8]:
    path = _found(layout, folder, name)
    if path is None:
        raise CostmodelError(f"no {name} in {folder}. Fetch it with --download.")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CostmodelError(
            f"cannot read {path}: {error.strerror or error}. Fetch it again with --download."
        ) from error
    packed = path.suffix == ".gz"
    check(path, raw, (layout.packed if packed else layout.unpacked)[name], name, data)
    return parse(path, _unpack(path, raw) if packed else raw, SHAPES[name])


def check(path: Path, raw: bytes, md5: str, name: str, data: str) -> None:
    """Raise :class:`CostmodelError` unless a file has its published MD5 sum; says so if it is another data set's."""
    found = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if found == md5:
        return
    for other, layout in IDX.items():
        for file, sums in [*((f, layout.packed[f]) for f in layout.packed), *layout.unpacked.items()]:
            if sums == found:
                raise CostmodelError(
                    f"{path} is {file} of {other}, not {name} of {data}. Give the folder of {data}, or fetch it with "
                    f"--download."
                )
    raise CostmodelError(
        f"{path} is not the published file: MD5 {found}, expected {md5} ({len(raw)} bytes). Delete it and fetch it "
        f"again with --download."
    )


def _unpack(path: Path, raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise CostmodelError(f"{path} cannot be unpacked: {error}. Delete it and fetch it again.") from error


def parse(path: Path, raw: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array of an idx file of bytes. Raises :class:`CostmodelError` unless header and length say ``shape``."""
    head = 4 + 4 * len(shape)
    dimensions = tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, head, 4))
    if raw[:4] != bytes((0, 0, 8, len(shape))) or dimensions != shape:
        raise CostmodelError(
            f"{path} is no idx file of bytes {'x'.join(map(str, shape))}: its header is {raw[:head].hex()}."
        )
    if len(raw) != head + int(np.prod(shape)):
        raise CostmodelError(f"{path} holds {len(raw)} bytes, expected {head + int(np.prod(shape))}. Fetch it again.")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)
