"""What takes the place of a multiplication by a constant: shifts and additions, or a table."""

from __future__ import annotations

from collections.abc import Iterable

from costmodel.graph.domain import FLOAT_BITS
from costmodel.graph.vocabulary import Kind, Row

#: Signed powers of two that stand for one constant.
TERMS = {"pow2": 1, "tied": 1, "csd2": 2, "csd3": 3}


def replacement(option: str, per_channel: bool, tag: str, count: int, table_bits: int) -> Iterable[Row]:
    """What stands in the place of ``count`` multiplications by a constant, as ``option`` has it."""
    if option == "lut":
        yield Row("lut", tag, count, table_bits, FLOAT_BITS)
        return
    terms = TERMS[option]
    shift: Kind = "shift_channel" if per_channel else "shift_const"
    yield Row(shift, tag, count * terms, FLOAT_BITS, 0)
    yield Row("add", tag, count * (terms - 1), FLOAT_BITS, FLOAT_BITS, FLOAT_BITS)
