"""Fetching data sets from their official address: resumable, checked, and unpacked without trusting them."""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write
from costmodel.train import idx
from costmodel.train.data import CIFAR, Cifar
from costmodel.train.idx import IDX, Idx

Announce = Callable[[str], None]
BLOCK = 1 << 20
TIMEOUT_SECONDS = 30


def fetch(name: str, directory: Path, announce: Announce) -> None:
    """Make sure that the files of a data set are in ``directory``; ``digits`` and image trees need no download.

    A download that was cut off goes on where it stopped. Raises :class:`CostmodelError` when the address cannot be
    reached, the disk is full, or a file is not the published one (it is deleted then).
    """
    try:
        if name in CIFAR:
            _fetch_cifar(CIFAR[name], directory, announce)
        elif name in IDX:
            _fetch_idx(name, IDX[name], directory, announce)
    except OSError as error:
        room = "400 MB" if name in CIFAR else "40 MB"
        raise CostmodelError(
            f"cannot store {name} in {directory}: {error.strerror or error}. Give --data-dir with room for {room}."
        ) from error


def _fetch_cifar(layout: Cifar, directory: Path, announce: Announce) -> None:
    if all((directory / layout.folder / f.name).is_file() for f in (*layout.train, layout.test)):
        return
    directory.mkdir(parents=True, exist_ok=True)
    archive = directory / layout.url.rpartition("/")[2]
    if not archive.is_file():
        _download(layout.url, archive, layout.folder, announce)
    _check(archive, layout)
    _unpack(archive, layout, directory)
    archive.unlink()


def _fetch_idx(name: str, layout: Idx, directory: Path, announce: Announce) -> None:
    """Fetch the files that are missing, packed as published: they are what the checksums are of."""
    folder = idx.folder_of(layout, directory)
    for file in idx.missing(layout, directory):
        folder.mkdir(parents=True, exist_ok=True)
        arrived = folder / f".{file}.gz"
        _download(f"{layout.url}{file}.gz", arrived, layout.folder, announce)
        try:
            idx.check(arrived, arrived.read_bytes(), layout.packed[file], file, name)
        except CostmodelError as error:
            arrived.unlink()
            raise CostmodelError(f"{error} It was deleted; try again.") from error
        os.replace(arrived, folder / f"{file}.gz")


def _download(url: str, archive: Path, folder: str, announce: Announce) -> None:
    partial = archive.with_name(archive.name + ".part")
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            if done and answer.status != 206:  # the server starts from the beginning
                done = 0
            total = done + int(answer.headers.get("Content-Length") or 0)
            with partial.open("ab" if done else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
                    done += len(block)
                    announce(f"{url.rpartition('/')[2]}: {done / 1e6:.1f} of {total / 1e6:.1f} MB")
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what has arrived is no beginning of the file
            partial.unlink(missing_ok=True)
        raise CostmodelError(f"cannot fetch {url}: {error.code} {error.reason}. Try again.") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise CostmodelError(
            f"cannot fetch {url}: {reason}. What has arrived is kept; try again, or put the folder {folder} into "
            f"--data-dir yourself."
        ) from error
    if total and done < total:
        raise CostmodelError(f"{url} ended after {done} of {total} bytes. Try again: it goes on from there.")
    os.replace(partial, archive)


def _check(archive: Path, layout: Cifar) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != layout.archive_md5:
        archive.unlink()
        raise CostmodelError(
            f"{archive} is not the published archive: MD5 {found}, expected {layout.archive_md5}. It was deleted; try "
            f"again."
        )


def _unpack(archive: Path, layout: Cifar, directory: Path) -> None:
    """Take out the known files only, whatever else the archive holds and wherever it wants it."""
    (directory / layout.folder).mkdir(exist_ok=True)
    with tarfile.open(archive) as tar:
        for wanted in (*layout.train, layout.test):
            member = tar.extractfile(f"{layout.folder}/{wanted.name}")
            if member is None:
                raise CostmodelError(f"{archive} holds no {layout.folder}/{wanted.name}. Delete it and try again.")
            atomic_write(directory / layout.folder / wanted.name, member.read())
