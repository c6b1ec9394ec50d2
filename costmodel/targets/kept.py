"""Results that are worth keeping for the objects seen last.

A network is priced on target after target, and what a hardware model derives from the network alone is the same each
time. Ledgers and designs are compared by content, so hashing one costs as much as the work that a cache would save:
here they are known by identity, and held so that the identity stays their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")
#: Objects, with the choices made for them, that a function keeps its results for.
KEEP = 32


def kept(make: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """``make(subject, *choices)`` computed once per subject (by identity) and choices (hashable, by value).

    The result is shared between callers, so it must not be changed.
    """
    held: dict[tuple[Any, ...], tuple[S, T]] = {}

    @wraps(make)
    def remembered(subject: S, /, *choices: P.args, **named: P.kwargs) -> T:
        key = (id(subject), choices, *named.items())
        found = held.get(key)
        if found is None:
            if len(held) >= KEEP:
                held.clear()
            found = held[key] = (subject, make(subject, *choices, **named))
        return found[1]

    return remembered
