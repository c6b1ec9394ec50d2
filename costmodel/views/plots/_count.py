"""The loop behind a density; apart, because numba takes long to import."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def count(x: Any, y: Any, x0: float, fx: float, nx: int, y0: float, fy: float, ny: int) -> Any:
    """Points [n] in cells [ny, nx]; what is outside, or not a number, is in none."""
    table = np.zeros((ny, nx), dtype=np.int64)
    for i in range(x.shape[0]):
        u = (x[i] - x0) * fx
        v = (y[i] - y0) * fy
        if 0.0 <= u <= nx and 0.0 <= v <= ny:
            column = int(u)
            row = int(v)
            if column == nx:
                column = nx - 1
            if row == ny:
                row = ny - 1
            table[row, column] += 1
    return table
