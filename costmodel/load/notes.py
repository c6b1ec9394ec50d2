"""What is said of a network besides its counts: what was done so that it loads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

#: What is said about the networks that are being loaded, and how often, the innermost last.
_noting: list[dict[str, int]] = []


@contextlib.contextmanager
def noting() -> Iterator[dict[str, int]]:
    """What :func:`note` says meanwhile."""
    notes: dict[str, int] = {}
    _noting.append(notes)
    try:
        yield notes
    finally:
        _noting[:] = [n for n in _noting if n is not notes]


def note(text: str, times: int = 1) -> None:
    """Say once what was done for a network, with how often for ``TIMES`` in it; lost where nobody listens."""
    if _noting:
        _noting[-1][text] = _noting[-1].get(text, 0) + times
