"""The lines of a bill, added up by layer at their nominal values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate

#: The layer of lines that belong to the network as a whole.
NETWORK = -1


def per_layer(estimate: Estimate) -> dict[str, dict[int, float]]:
    """Nominal cost of each layer index in each metric."""
    values: dict[str, dict[int, float]] = {metric: {} for metric in estimate.metrics()}
    for line in estimate.lines:
        row = values[line.metric]
        row[line.layer] = row.get(line.layer, 0.0) + estimate.cost(line)
    return values


def priced(estimate: Estimate) -> set[int]:
    """Indices of the layers that cost anything."""
    return {line.layer for line in estimate.lines}
