"""What a result depends on, as digests: the code that decides a price, and any plain data."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

#: Raised with every change of the format of parts or of the numbering of designs.
FORMAT = 3
#: Sources that decide what a design costs, once its ledger and its target are given.
CODE = ("explore", "targets", "ledger", "graph", "metrics.py")
#: Libraries whose arithmetic is part of an answer.
LIBRARIES = ("numpy", "numba", "moocore")


@lru_cache(maxsize=1)
def code_version() -> str:
    """Digest of everything that decides a price, besides the ledger of the network and the target."""
    root, total = Path(__file__).parents[1], hashlib.sha256()
    for name in CODE:
        place = root / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(f"{path.relative_to(root)}".encode() + b"\0" + path.read_bytes() + b"\0")
    for library in LIBRARIES:
        try:
            total.update(f"{library} {metadata.version(library)}".encode())
        except metadata.PackageNotFoundError:
            total.update(library.encode())
    return total.hexdigest()[:32]


def digest(value: Any) -> str:
    """Digest of plain data, the same for equal data."""
    import msgspec

    return hashlib.sha256(msgspec.json.encode(value, enc_hook=repr, order="sorted")).hexdigest()
