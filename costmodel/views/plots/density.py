"""Clouds too large to draw: how many points lie in each cell of a plane, counted in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DensityInfo:
    """``counts[row, column]`` points in the cell around (``x[column]``, ``y[row]``), in units of the data.

    ``x_log`` and ``y_log`` say whether cells have equal ratios rather than equal widths. ``total`` is the number of
    points in the window, ``beyond`` those outside of it or not finite.
    """

    counts: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_log: bool
    y_log: bool
    total: int
    beyond: int


def density(
    x: NDArray[Any], y: NDArray[Any], *, window: tuple[float, float, float, float], x_log: bool, y_log: bool,
    cells: tuple[int, int] = (240, 160),
) -> DensityInfo:  # fmt: skip
    """Count points in ``cells`` of a window (x0, x1, y0, y1).

    ``x`` and ``y`` [n] hold the decimal logarithms of the data where an axis is logarithmic, and the data elsewhere: a
    logarithm costs more than all the rest, and a window changes more often than the data. ``window`` is in the same
    terms.
    """
    import numpy as np

    x0, x1, y0, y1 = window
    if not (x1 > x0 and y1 > y0 and all(map(math.isfinite, window))):
        raise ValueError(f"the window {window} is empty")
    nx, ny = cells
    counts = _kernel()(x, y, x0, nx / (x1 - x0), nx, y0, ny / (y1 - y0), ny)
    total = int(counts.sum())
    xs = x0 + (np.arange(nx) + 0.5) * (x1 - x0) / nx
    ys = y0 + (np.arange(ny) + 0.5) * (y1 - y0) / ny
    return DensityInfo(
        counts, 10.0**xs if x_log else xs, 10.0**ys if y_log else ys, x_log, y_log, total, len(x) - total
    )


_compiled: Any = None


def _kernel() -> Any:
    """The counting loop, compiled once and kept next to the package's other kernels."""
    global _compiled
    if _compiled is None:
        from costmodel.views.plots import _count

        _compiled = _count.count
    return _compiled
