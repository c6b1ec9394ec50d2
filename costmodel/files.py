"""Writing files so that a crash, a full disk or a kill never leaves half of one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from costmodel.errors import CostmodelError


def destination(path: str | os.PathLike[str]) -> str:
    """``path``, where a file can be written there: asked before the work that makes its content begins.

    Raises :class:`CostmodelError` as :func:`atomic_write` would.
    """
    final = Path(path)
    try:
        if final.exists() and not final.is_file():  # a device would be replaced by a file
            raise CostmodelError(f"cannot write {final}: it is no regular file. Give a file.")
        if not final.parent.is_dir():
            raise CostmodelError(f"cannot write {final}: there is no folder {final.parent}. Make it first.")
        if not os.access(final.parent, os.W_OK) or (final.exists() and not os.access(final, os.W_OK)):
            raise CostmodelError(f"cannot write {final}: no permission. Give a writable path.")
    except OSError as error:  # a name that the file system does not take
        raise CostmodelError(f"cannot write {final}: {error.strerror or error}. Give a writable path.") from error
    return str(path)


def atomic_write(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write ``data`` to a temporary file next to ``path``, flush it to disk, and rename it into place.

    Raises :class:`CostmodelError` when the folder does not exist or cannot be written, the disk is full, or ``path`` is
    a folder or a device; ``path`` is then what it was before.
    """
    final = Path(path)
    if not final.name:
        raise CostmodelError(f"cannot write {final}: it is a folder. Give a file.")
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    payload = data.encode() if isinstance(data, str) else data
    try:
        if final.exists() and not final.is_file():  # a device would be replaced by a file
            raise CostmodelError(f"cannot write {final}: it is no regular file. Give a file.")
        with open(temporary, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, final)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CostmodelError(f"cannot write {final}: {error.strerror or error}. Give a writable path.") from error
    return final
