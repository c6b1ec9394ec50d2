"""Where the results of a sweep lie: a folder of this machine, or whatever fsspec reaches (``s3://bucket/results``)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.files import atomic_write


class Local:
    """A folder of this machine. Names are relative, with ``/``; files appear atomically.

    ``read`` is None for a file that is not there or cannot be read; ``write`` returns the whole path and raises
    :class:`CostmodelError` where it fails; ``names`` are those of all files in the folder, or in one below it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> str:
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CostmodelError(f"cannot create {path.parent}: {error.strerror or error}") from error
        return str(atomic_write(path, data))

    def names(self, under: str = "") -> list[str]:
        place = self.path / under
        try:
            found = sorted(path for path in place.iterdir() if not (path.name[0] == "." and path.suffix == ".tmp"))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CostmodelError(f"cannot read the folder {place}: {error.strerror or error}") from error
        return [path.relative_to(self.path).as_posix() for path in found]

    def clean(self) -> None:
        """Remove what interrupted writers left behind."""
        for path in self.path.glob("parts/.*.tmp"):
            with contextlib.suppress(OSError):
                path.unlink()


class Remote:
    """The same of a folder that fsspec reaches; object stores show a file when all of it has arrived."""

    def __init__(self, address: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise MissingExtraError(f"the result folder {address}", "fsspec", "distributed") from None
        self.address = address.rstrip("/")
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError, OSError) as error:
            raise CostmodelError(f"the result folder {address} cannot be reached: {_line(error)}") from error

    def __str__(self) -> str:
        return self.address

    def _guarded(self, what: str, name: str, *arguments: Any, **keywords: Any) -> Any:
        try:
            return getattr(self.files, what)(f"{self.root}/{name}".rstrip("/"), *arguments, **keywords)
        except FileNotFoundError:
            return None
        except Exception as error:  # every store has errors of its own
            raise CostmodelError(f"{self.address}/{name}: {_line(error)}") from error

    def read(self, name: str) -> bytes | None:
        found: bytes | None = self._guarded("cat_file", name)
        return found

    def write(self, name: str, data: bytes) -> str:
        parent = f"{self.root}/{name}".rpartition("/")[0]
        with contextlib.suppress(Exception):  # stores without folders refuse to make one
            self.files.makedirs(parent, exist_ok=True)
        self._guarded("pipe_file", name, data)
        return f"{self.address}/{name}"

    def names(self, under: str = "") -> list[str]:
        self.files.invalidate_cache()
        found = self._guarded("ls", under, detail=False) or []
        return sorted(f"{under}/{str(path).rpartition('/')[2]}".lstrip("/") for path in found)

    def clean(self) -> None:
        """Nothing is left behind: a file is there when it is whole."""


def folder(place: str | os.PathLike[str]) -> Local | Remote:
    """The folder of a path or of an address such as ``s3://bucket/results``."""
    text = os.fspath(place)
    return Remote(text) if "://" in text else Local(Path(text))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
