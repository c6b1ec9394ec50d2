"""Arithmetic that holds for a number and for an array of numbers, so that a hardware model is written once.

Plain Python numbers never import numpy; an array argument sends the whole expression to numpy.
"""

from __future__ import annotations

import math
from typing import Any


def _scalar(*values: Any) -> bool:
    return all(isinstance(v, (int, float)) for v in values)


def maximum(a: Any, b: Any) -> Any:
    if _scalar(a, b):
        return a if a >= b else b
    import numpy as np

    return np.maximum(a, b)


def minimum(a: Any, b: Any) -> Any:
    if _scalar(a, b):
        return a if a <= b else b
    import numpy as np

    return np.minimum(a, b)


def ceil(a: Any) -> Any:
    """The least integer not below ``a``; an integer for a number, a float array for an array."""
    if _scalar(a):
        return math.ceil(a)
    import numpy as np

    return np.ceil(a)


def whole(a: Any) -> Any:
    """The nearest integer, of two the even one."""
    if _scalar(a):
        return round(a)
    import numpy as np

    return np.rint(a).astype(np.int64)


def ceil_div(a: Any, b: Any) -> Any:
    """``ceil(a / b)`` without rounding error for integers."""
    return -(-a // b)


def longest_interval(clock: float, rate: float) -> int:
    """The most cycles between two results at which a clock gives them at this rate, in the arithmetic in which the rate
    of a design is stated: what gives exactly a rate is fast enough for it."""
    cycles = round(clock / rate)
    return cycles if cycles and clock / cycles >= rate else max(cycles - 1, 0)


def round_up(a: Any, multiple: Any) -> Any:
    """The least multiple of ``multiple`` that is not below ``a``."""
    return ceil_div(a, multiple) * multiple


def log2(a: Any) -> Any:
    if _scalar(a):
        return math.log2(a)
    import numpy as np

    return np.log2(a)


def bit_length(a: Any) -> Any:
    """Bits that hold the unsigned integer ``a``: 0 for 0, 1 for 1, 2 for 2 and 3, ..."""
    if isinstance(a, int):
        return a.bit_length()
    if _scalar(a):
        return int(a).bit_length()
    import numpy as np

    return np.frexp(np.asarray(a, dtype=np.float64))[1] * (np.asarray(a) > 0)


def either(a: Any, b: Any) -> Any:
    """``a`` where it is not zero, else ``b``."""
    if _scalar(a):
        return a or b
    import numpy as np

    return np.where(np.equal(a, 0), b, a)


def all_of(condition: Any) -> bool:
    """Whether a condition holds everywhere."""
    return condition if isinstance(condition, bool) else bool(condition.all())


def where(condition: Any, a: Any, b: Any) -> Any:
    if isinstance(condition, bool):
        return a if condition else b
    import numpy as np

    return np.where(condition, a, b)
