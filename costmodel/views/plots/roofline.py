"""The roofline of an estimate: how fast each layer computes, against how much it computes per byte that it moves.

After Williams, Waterman and Patterson, Roofline: an insightful visual performance model for multicore architectures,
CACM 52(4), 2009. The roofs are those that the lines of the estimate imply: no layer of this network computes, or moves
bytes, faster on this design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costmodel.errors import CostmodelError

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate

#: Components of a latency that wait for memory.
MEMORY = ("memory", "dram", "host_memory", "sram")


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """A layer: ``intensity`` in operations per byte, ``rate`` in operations per second; ``series`` is its kind."""

    layer: str
    series: str
    intensity: float
    rate: float


@dataclass(frozen=True)
class RooflineInfo:
    """Layers, the highest rate of each series in operations per second, and the highest bandwidth in bytes per second;
    None where no layer waits for memory. An operation is half a multiply-accumulate, of any width."""

    title: str
    points: tuple[RooflinePoint, ...]
    compute: dict[str, float]
    bandwidth: float | None

    def roof(self, series: str) -> tuple[list[float], list[float]]:
        """The corners of the roof over a series, as wide as its points: intensities and rates."""
        top, own = self.compute[series], [p.intensity for p in self.points]
        low, high = min(own) / 2, max(own) * 2
        if self.bandwidth is None:
            return [low, high], [top, top]
        ridge = top / self.bandwidth
        if ridge <= low:
            return [low, high], [top, top]
        if ridge >= high:
            return [low, high], [low * self.bandwidth, high * self.bandwidth]
        return [low, ridge, high], [low * self.bandwidth, top, top]


def roofline(estimate: Estimate) -> RooflineInfo:
    """The layers that multiply and accumulate.

    The units of a pipeline work at the same time, each at the rate of its folding: its cycles are its time, and nothing
    waits for memory. Raises :class:`CostmodelError` for an estimate without the ledger that it is of, and for a design
    whose time belongs to no layer.
    """
    ledger = estimate.ledger
    if ledger is None:
        raise CostmodelError("a roofline needs the ledger that was priced: estimate again with profile.estimate(...)")
    times: dict[int, dict[bool, float]] = {}
    for line in estimate.lines:
        if line.metric == "latency_s" and line.layer >= 0:
            row = times.setdefault(line.layer, {})
            row[line.component in MEMORY] = row.get(line.component in MEMORY, 0.0) + estimate.cost(line)
    clock = estimate.facts.get("clock_Hz")
    if not times and isinstance(clock, (int, float)) and clock:
        for line in estimate.lines:
            if line.metric == "cycles" and line.layer >= 0:
                times.setdefault(line.layer, {})[False] = float(line.coefficient) / clock
    if not times:
        raise CostmodelError(
            f"{estimate.network} on {estimate.target}: the time belongs to no layer, and a roofline is of the layers"
        )
    moved: dict[int, float] = {}
    for tensor in ledger.traffic:
        moved[tensor.layer] = moved.get(tensor.layer, 0.0) + tensor.total_bits / 8
    points, compute, bandwidth, waits = [], dict[str, float](), 0.0, False
    for layer in ledger.layers:
        row, size = times.get(layer.index, {}), moved.get(layer.index, 0.0)
        if not layer.macs or not size or not sum(row.values()):
            continue
        operations, busy, waiting = 2.0 * layer.macs, row.get(False, 0.0), row.get(True, 0.0)
        binary = layer.b is not None and layer.a.bits == layer.b.bits == 1
        series = "binary" if binary else "of several bits"
        points.append(RooflinePoint(layer.name, series, operations / size, operations / (busy + waiting)))
        # The time of the smaller part may be hidden behind the larger one, and says nothing of what is possible.
        compute[series] = max(compute.get(series, 0.0), operations / (busy if busy >= waiting else busy + waiting))
        bandwidth = max(bandwidth, size / (waiting if waiting > busy else busy + waiting))
        waits = waits or waiting > 0
    title = f"Roofline of {estimate.network} on {estimate.target}"
    return RooflineInfo(title, tuple(points), compute, bandwidth if waits else None)
