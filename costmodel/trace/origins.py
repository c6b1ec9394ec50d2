"""Where constants are stored: which of them are one tensor in memory, parts of one, or nowhere.

By structure, never by value: a constant is what its computation says. Views of all elements (transposed, reshaped) are
the tensor itself; slices are parts of it. Weights that are computed anew at every use, by the same operations on the
same parameter, are one tensor. What one number fills is stored nowhere, and a product with zeros that the program made
is the bias that is left of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from costmodel.graph.attrs import Product
from costmodel.graph.domain import FLOAT
from costmodel.graph.node import Node
from costmodel.graph.operands import NOWHERE, Origin
from costmodel.trace.moves import MOVES
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value

_FILLS = frozenset(f"{prefix}{fill}{suffix}" for fill in ("zeros", "ones", "full")
                   for prefix, suffix in (("", ""), ("", "_like"), ("new_", "")))  # fmt: skip
#: Products: the names of their two factors, and of a bias if there is one.
_PRODUCTS = {"addmm": ("mat1", "mat2", "x"), "baddbmm": ("mat1", "mat2", "x"), "mm": ("x", "mat2", ""),
             "bmm": ("x", "mat2", ""), "mv": ("x", "mat2", "")}  # fmt: skip
#: Kinds of moves that keep all elements.
_WHOLE = frozenset({"view", "permute", "cast", "expand"})


def origins(simplified: Simplified) -> Mapping[int, Origin]:
    """For every value that does not depend on the input: the tensor that it is, or is a part of."""
    values, numbers, found = simplified.recording.values, simplified.numbers, dict[int, Origin]()
    offline = [value.id for value in values if not simplified.online[value.id]]
    return {number: _origin(simplified, numbers[number], found) for number in offline}


def _origin(simplified: Simplified, number: int, found: dict[int, Origin]) -> Origin:
    """The origin of the value of a number; ``found`` are those so far."""
    known = found.get(number)
    if known is not None:
        return known
    value = simplified.recording.values[number]
    moved = _moved(simplified, value)
    if moved is not None:
        known = _origin(simplified, simplified.numbers[moved], found)
        if _kind(value) == "slice" and known != NOWHERE:
            known = Origin(known.tensor, number)
    elif _function(value) in _FILLS and not value.inputs:
        known = NOWHERE
    elif _state(simplified, value) is not None:
        bias = _PRODUCTS[_function(value)][2]
        known = _origin(simplified, simplified.numbers[value.args[bias].id], found) if bias else NOWHERE
    else:
        known = Origin(number)
    found[number] = known
    return known


def first_states(simplified: Simplified) -> Iterator[Node]:
    """Products of recurrent layers with a first state of zeros: formulas count them, although nothing computes them."""
    for value in simplified.recording.values if simplified.recording.recurrent else ():
        own = value.module in simplified.recording.recurrent and not simplified.online[value.id]
        state = _state(simplified, value) if own else None
        if state is not None:
            weight = simplified.recording.values[state]
            first = value.args[_PRODUCTS[_function(value)][0]].id
            terms = simplified.recording.values[first].shape[-1]
            attrs = Product(FLOAT, FLOAT, terms, math.prod(value.shape) * terms, tuple(reversed(weight.shape)))
            yield Node(value.id, "linear", (), value.shape, FLOAT, value.module, value.call, attrs=attrs)


def _state(simplified: Simplified, value: Value) -> int | None:
    """The other factor of a product with zeros that the program made; None for any other value."""
    names = _PRODUCTS.get(_function(value))
    if names is None:
        return None
    a, b = (value.args[name] for name in names[:2])
    if isinstance(a, Ref) and isinstance(b, Ref):
        for zeros, other in ((a, b), (b, a)):
            if _zeros(simplified, zeros.id):
                return other.id
    return None


def _zeros(simplified: Simplified, number: int) -> bool:
    value = simplified.recording.values[simplified.numbers[number]]
    moved = _moved(simplified, value)
    return _zeros(simplified, moved) if moved is not None else not value.inputs and "zeros" in _function(value)


def _moved(simplified: Simplified, value: Value) -> int | None:
    """What a value is a view or a part of, if it is nothing else."""
    if value.leaf or len(value.inputs) != 1 or _kind(value) not in (*_WHOLE, "slice"):
        return None
    (source,) = value.inputs
    # numbers of another type than those that they are made of are other numbers
    return source if simplified.recording.values[source].tensor_dtype == value.tensor_dtype else None


def _kind(value: Value) -> str:
    return MOVES.get(value.operator.packet, "")


def _function(value: Value) -> str:
    return value.fn if value.operator.packet.startswith("aten.") else ""
