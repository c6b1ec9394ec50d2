"""Scaling of logic between technology nodes and supply voltages, after Stillmaker and Baas (2017).

The switching energy of a gate is fitted there as ``a V^2 + b V + c`` per node; the ratio of two such values scales an
energy from one node and voltage to another. The 32 nm and 65 nm rows are those of the authors' corrigendum. Only logic
is scaled so: memory has its own tables, because SRAM shrinks far more slowly and DRAM does not follow at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from costmodel.errors import CostmodelError
from costmodel.targets.quantity import Quantity

if TYPE_CHECKING:
    from costmodel.targets.spec import Target


def nodes(target: Target) -> tuple[float, ...]:
    """Nodes in nm for which the target has coefficients, from small to large."""
    return tuple(sorted(float(row.removesuffix("nm")) for row in target.table("scaling_energy")))


def energy_polynomial(rows: Mapping[str, Mapping[str, Quantity]], node: float, voltage: float) -> float:
    """Relative switching energy at ``node`` nm and ``voltage`` V; between nodes log-log interpolated.

    Raises :class:`CostmodelError` outside the range of nodes, and where the fit turns negative or rises again towards
    lower voltages, that is, outside the range in which it means anything.
    """
    known = sorted(float(row.removesuffix("nm")) for row in rows)
    if not known or not known[0] <= node <= known[-1]:
        raise CostmodelError(
            f"node {node:g} nm: scaling is known from {known[0]:g} nm to {known[-1]:g} nm. Choose a node in this range."
        )
    below = max(n for n in known if n <= node)
    above = min(n for n in known if n >= node)
    low, high = _at(rows, below, voltage), _at(rows, above, voltage)
    if below == above:
        return low
    share = math.log(node / below) / math.log(above / below)
    return math.exp((1 - share) * math.log(low) + share * math.log(high))


def _at(rows: Mapping[str, Mapping[str, Quantity]], node: float, voltage: float) -> float:
    row = rows[f"{node:g}nm"]
    a, b, c = row["a"].value, row["b"].value, row["c"].value
    value = a * voltage**2 + b * voltage + c
    if value <= 0 or 2 * a * voltage + b < 0:
        lowest = -b / (2 * a)
        raise CostmodelError(
            f"voltage {voltage:g} V at {node:g} nm: the scaling equations hold above {lowest:.2f} V. "
            "Choose a higher voltage."
        )
    return value


def energy_scale(
    target: Target, from_node: float, from_voltage: float, to_node: float, to_voltage: float
) -> tuple[float, float, float]:
    """Factor (value, low, high) by which a logic energy changes.

    At the same node the energy follows CV^2 exactly. Between nodes the polynomial ratio holds, with the relative error
    ``scaling_error`` that the characterised libraries show when one is predicted from another.
    """
    if from_node == to_node:
        factor = (to_voltage / from_voltage) ** 2
        return factor, factor, factor
    rows = target.table("scaling_energy")
    factor = energy_polynomial(rows, to_node, to_voltage) / energy_polynomial(rows, from_node, from_voltage)
    error = target.constant("scaling_error")
    return factor, factor * error.low, factor * error.high


def area_scale(target: Target, from_node: float, to_node: float) -> tuple[float, float, float]:
    """Factor (value, low, high) by which a logic area changes between nodes; log-log interpolated between nodes."""
    if from_node == to_node:
        return 1.0, 1.0, 1.0
    rows = target.table("scaling_area")
    known = sorted(float(row.removesuffix("nm")) for row in rows)
    for node in (from_node, to_node):
        if not known[0] <= node <= known[-1]:
            raise CostmodelError(
                f"node {node:g} nm: area scaling is known from {known[0]:g} nm to {known[-1]:g} nm. "
                "Choose a node in this range."
            )

    def relative(node: float) -> float:
        below = max(n for n in known if n <= node)
        above = min(n for n in known if n >= node)
        low, high = (math.log(rows[f"{n:g}nm"]["relative"].value) for n in (below, above))
        share = 0.0 if below == above else math.log(node / below) / math.log(above / below)
        return math.exp((1 - share) * low + share * high)

    factor = relative(to_node) / relative(from_node)
    error = target.constant("scaling_area_error")
    return factor, factor * error.low, factor * error.high


def nominal_voltage(target: Target, node: float) -> float:
    """Nominal supply of a node, linear between the nodes that are listed.

    Raises :class:`CostmodelError` outside them: then a voltage must be chosen with the node.
    """
    listed = {float(row.removesuffix("nm")): cells["vdd"].value for row, cells in target.table("nominal_vdd").items()}
    below, above = (
        max((n for n in listed if n <= node), default=None),
        min((n for n in listed if n >= node), default=None),
    )
    if below is None or above is None:
        raise CostmodelError(
            f"node {node:g} nm: its nominal supply is not known (only from {min(listed):g} nm to {max(listed):g} nm). "
            "Choose the voltage as well."
        )
    if below == above:
        return listed[below]
    return listed[below] + (listed[above] - listed[below]) * (node - below) / (above - below)
