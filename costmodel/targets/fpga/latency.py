"""How long one image takes through a streaming design, and how often a result leaves it.

Folds may hold arrays of PE and SIMD: then many designs are followed at once, by the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costmodel.graph.ops import OPS
from costmodel.targets.arith import ceil_div, maximum, minimum, whole
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, stage_cycles
from costmodel.targets.fpga.pipeline import Style, window_simd

Times = list[Any]  # of the rows of a result: numbers, or arrays over designs


def intervals(design: Sequence[Stage], folding: Mapping[int, Fold]) -> dict[int, int]:
    """Cycles per image of each matrix unit."""
    return {i: stage_cycles(design[i], fold) for i, fold in folding.items()}


def latency(design: Sequence[Stage], folding: Mapping[int, Fold], interval: Any, style: Style) -> Any:
    """Cycles from the first word of one image to its last result through an otherwise empty pipeline.

    Each stage is followed row by row. A sliding-window unit starts with a row of windows when all rows under it are
    there, and hands them out in step with the arrival of the next row, as its loop over both does; a layer over the
    whole image starts when the image is there, and overlaps its first fold with the arrival.
    """
    done: list[Times] = []  # per stage, the time at which each row of its result is complete
    for stage in design:
        arrived = _arrivals(stage, design, done, style)
        spent = stage_cycles(stage, folding[stage.index]) if stage.matrix is not None else minimum(
            interval, max((w.count for w in stage.work), default=0))  # fmt: skip
        if stage.window is not None and stage.matrix is not None:
            done.append(_windowed(stage, folding[stage.index], arrived, spent))
        elif stage.pool and stage.window is not None:
            step = stage.window.stride
            last = len(arrived) - 1
            done.append([arrived[min((r + 1) * step - 1, last)] for r in range(stage.rows)])
        elif stage.rows == 1 and stage.matrix is not None and stage.matrix.vectors == 1:
            first_fold = ceil_div(stage.matrix.mw, folding[stage.index].simd)
            done.append([arrived[-1] + maximum(spent - first_fold, 1)])
        else:
            done.append(_streamed(stage, arrived, spent))
    last_result: Any = 0.0
    for rows in done:
        last_result = maximum(last_result, rows[-1])
    return whole(last_result)


def _arrivals(stage: Stage, design: Sequence[Stage], done: list[Times], style: Style) -> Times:
    rows: list[Times] = []
    for source in stage.inputs:
        if source >= 0:
            rows.append(done[source])
        else:
            words = ceil_div(stage.bits_entered, style.host_width)
            count = max(stage.rows_in, 1)
            rows.append([(r + 1) * words / count for r in range(count)])
    if len(rows) == 1:
        return rows[0]
    longest = max(map(len, rows))
    found: Times = []
    for i in range(longest):
        latest: Any = 0.0
        for r in rows:
            latest = maximum(latest, r[min(i * len(r) // longest, len(r) - 1)])
        found.append(latest)
    return found


def _windowed(stage: Stage, fold: Fold, arrived: Times, spent: Any) -> Times:
    assert stage.window is not None
    w = stage.window
    simd = window_simd(stage, fold)
    reading = w.stride * w.width * ceil_div(w.channels, minimum(simd, w.channels))
    writing = ceil_div(w.width // w.stride * w.kernel * w.kernel * w.channels, simd)
    handed = maximum(writing, reading)
    row = maximum(spent / stage.rows, handed)
    last = len(arrived) - 1
    out: Times = []
    end = arrived[min(w.kernel - 1 - w.padding, last)]
    for r in range(stage.rows):
        under = min(r * w.stride + w.kernel - 1 - w.padding, last)
        end = maximum(end, arrived[under]) + row
        if under + w.stride <= last:  # the next rows are taken in while this one is handed out
            end = maximum(end, arrived[under + w.stride] + row * (1 - reading / handed))
        out.append(end)
    return out


def _streamed(stage: Stage, arrived: Times, spent: Any) -> Times:
    if OPS[stage.op].whole_image:
        return [arrived[-1] + spent / stage.rows * (r + 1) for r in range(stage.rows)]
    count, step = stage.rows, spent / stage.rows
    came = arrived
    if len(arrived) != count:
        last = len(arrived) - 1
        came = [arrived[min((r + 1) * len(arrived) // count - 1, last)] for r in range(count)]
    out: Times = []
    end: Any = 0.0
    for time in came:
        end = maximum(end + step, time)
        out.append(end)
    return out
