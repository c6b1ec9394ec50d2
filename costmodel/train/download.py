"""Fetching the CIFAR archives from their author's address: resumable, checked, and unpacked without trusting them."""

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
from costmodel.train.data import CIFAR, Cifar

Announce = Callable[[str], None]
BLOCK = 1 << 20
TIMEOUT_SECONDS = 30


def fetch(name: str, directory: Path, announce: Announce) -> None:
    """Make sure that the files of a CIFAR data set are in ``directory``; other data sets need no download.

    A download that was cut off goes on where it stopped. Raises :class:`CostmodelError` when the address cannot be
    reached, the disk is full, or the archive is not the published one (it is deleted then).
    """
    layout = CIFAR.get(name)
    if layout is None or all((directory / layout.folder / f.name).is_file() for f in (*layout.train, layout.test)):
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        archive = directory / layout.url.rpartition("/")[2]
        if not archive.is_file():
            _download(layout, archive, announce)
        _check(archive, layout)
        _unpack(archive, layout, directory)
        archive.unlink()
    except OSError as error:
        raise CostmodelError(
            f"cannot store {name} in {directory}: {error.strerror or error}. Give --data-dir with room for 400 MB."
        ) from error


def _download(layout: Cifar, archive: Path, announce: Announce) -> None:
    partial = archive.with_name(archive.name + ".part")
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(layout.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            if done and answer.status != 206:  # the server starts from the beginning
                done = 0
            total = done + int(answer.headers.get("Content-Length") or 0)
            with partial.open("ab" if done else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
                    done += len(block)
                    announce(f"{archive.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise CostmodelError(
            f"cannot fetch {layout.url}: {reason}. What has arrived is kept; try again, or put the folder "
            f"{layout.folder} into --data-dir yourself."
        ) from error
    if total and done < total:
        raise CostmodelError(f"{layout.url} ended after {done} of {total} bytes. Try again: it goes on from there.")
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
