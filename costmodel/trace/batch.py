"""Networks that compute more images than they are given, because a tensor of their own holds a batch.

A placeholder made for 128 images, an initial state of 128 rows, ``expand(128, ...)``: one image meets it and becomes
128 by broadcasting, and all that follows is counted 128 times. The counts are what runs, so they are no error; but
whoever asked about one image must be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from costmodel.graph.vocabulary import Caveat
from costmodel.trace.values import Ref, Value


def batch_of_its_own(values: Sequence[Value], online: Sequence[bool], outputs: Iterable[int]) -> Caveat | None:
    """What is said where one image is given, and all outputs are of several that a constant of the network made of it.

    None where the inputs are several, or an output has one row, or only a number: what is broadcast on the way may be
    steps, samples or windows, which the network adds up again.
    """
    sizes = {value.shape[0] for value in values if value.leaf == "input" and value.shape}
    rows = {values[i].shape[0] if len(values[i].shape) > 1 else 1 for i in outputs}
    if sizes != {1} or len(rows) != 1 or rows == {1}:
        return None
    (several,) = rows
    for value in values:
        if not value.leaf and online[value.id] and value.shape[:1] == (several,):
            if not _broadcasts(value, values, online, several):
                return None  # its rows are made in another way
            return Caveat(
                "batch",
                value.module,
                f"{value.module or 'the network'} makes {several:,} images of the one that is given, by a tensor or a "
                f"size of its own: the counts are those of {several:,} images. Build the network for a batch of 1",
            )
    return None


def _broadcasts(value: Value, values: Sequence[Value], online: Sequence[bool], several: int) -> bool:
    """Whether one row became ``several``: by a constant, by a size in the program, or by memory of that many rows."""
    read = list(_values(value.args.values(), values))
    given = [other for other in read if online[other.id]]
    if value.fn in ("expand", "repeat"):  # an assignment takes the leading 1 away first
        return all(len(other.shape) < len(value.shape) or other.shape[0] == 1 for other in given)
    given = [other for other in given if len(other.shape) == len(value.shape)]
    own = any(other.shape[:1] == (several,) for other in read if not online[other.id])
    return own and bool(given) and all(other.shape[0] == 1 for other in given)


def _values(arguments: Iterable[Any], values: Sequence[Value]) -> Iterable[Value]:
    for argument in arguments:
        if isinstance(argument, Ref):
            yield values[argument.id]
        elif isinstance(argument, tuple):
            yield from _values(argument, values)
