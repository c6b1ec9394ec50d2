"""Which files a piece of code reads: the modules it imports and the data it opens.

Needed because a user's model may import anything and read weights from anywhere, and a stored answer must not outlive
a change in any of it. Python's audit events see every ``open``; imports are seen as new entries of ``sys.modules``
because a cached ``.pyc`` is opened instead of its source.
"""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_active: list[set[str]] = []
_installed = False


@contextlib.contextmanager
def files_read() -> Iterator[set[Path]]:
    """Fill the yielded set, on leaving, with the files read meanwhile, and with the sources of the user's modules.

    The standard library and this package are left out (their versions are known otherwise), and so are installed
    packages that were imported before.
    """
    _install()
    opened: set[str] = set()
    found: set[Path] = set()
    before = set(sys.modules)
    _active.append(opened)
    try:
        yield found
    finally:
        _active.remove(opened)
        new = [_source(name) for name in set(sys.modules) - before]
        users = [path for path in map(_source, list(sys.modules)) if path and "site-packages" not in path]
        for text in {*opened, *filter(None, new), *users}:
            path = Path(text)
            if _counts(text) and path.is_file():
                found.add(path.resolve())


def _install() -> None:
    global _installed
    if not _installed:
        sys.addaudithook(_hook)  # cannot be removed again; costs one test of an empty list an event
        _installed = True


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _active or event != "open":
        return
    path, mode, flags = args
    reads = (mode is None or "r" in str(mode)) and not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_CREAT))
    if reads and isinstance(path, (str, bytes, os.PathLike)):
        for opened in _active:
            opened.add(os.path.abspath(os.fsdecode(path)))


def _source(name: str) -> str | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) and file.endswith(".py") else None


_LIBRARY = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
_PACKAGE = str(Path(__file__).absolute().parent.parent)
#: What torch and its dependencies open of their own is covered by torch's version.
_COVERED = ("torch", "numpy", "sympy", "mpmath", "networkx", "jinja2")


def _counts(path: str) -> bool:
    if path.endswith(".pyc") or path.startswith(("/proc/", "/dev/", "/sys/", "/etc/")):
        return False
    if "site-packages" in path:
        package = path.split("site-packages", 1)[1].lstrip(os.sep).split(os.sep, 1)[0]
        return package.partition("-")[0] not in _COVERED and "dist-info" not in package
    return not path.startswith((*_LIBRARY, _PACKAGE + os.sep))
