"""What no chip can have: a supply below the threshold, a clock that the supply does not allow, sums that overflow.

The clock follows the alpha-power law: ``f(V) ~ (V - Vt)^a / V``. A setting is refused where even the lower bound of the
threshold does not allow it, and noted where its value does not.
"""

from __future__ import annotations

from typing import Any

from costmodel.errors import CostmodelError
from costmodel.graph.domain import FLOAT_BITS
from costmodel.ledger.ledger import Charge
from costmodel.targets import arith
from costmodel.targets.arrays import each, is_array
from costmodel.targets.asic.work import Work
from costmodel.targets.spec import Target


def check_supply(target: Target, voltage: Any, nominal: Any, clock: Any) -> list[str]:
    """Notes on a clock (Hz) at a supply (V); both may be arrays. ``nominal`` is the supply of the technology.

    Raises :class:`CostmodelError` naming the limit where no chip of that technology can run so.
    """
    threshold, most = target.constant("threshold"), target.parameters["clock"].max
    worst = arith.minimum(voltage, 1e9) if not is_array(voltage) else voltage.min()
    if worst <= threshold.low:
        raise CostmodelError(
            f"voltage {float(worst):g} V is not above the threshold of the transistors, {threshold.low:g} to "
            f"{threshold.high:g} V: logic below it has no model here. Choose a higher supply."
        )
    if most is None:
        return []
    limits = [
        each(lambda v, n, t=vt: most * _relative(target, v, n, t), voltage, nominal)
        for vt in (threshold.low, threshold.value)
    ]
    beyond = clock > limits[0]
    if not arith.all_of(_not(beyond)):
        asked, limit, supply = _first(beyond, clock, limits[0], voltage)
        raise CostmodelError(
            f"a clock of {asked / 1e6:,.4g} MHz at {supply:g} V: this technology reaches {limit / 1e6:,.4g} MHz there "
            f"({most / 1e6:,.4g} MHz at its nominal supply). Choose a lower clock or a higher supply."
        )
    if not is_array(clock) and not is_array(voltage) and clock > limits[1]:
        return [
            f"a clock of {clock / 1e6:,.4g} MHz at {voltage:g} V is near what the supply allows: "
            f"{limits[1] / 1e6:,.4g} MHz by the nominal threshold"
        ]
    return []


def _relative(target: Target, voltage: float, nominal: float, threshold: float) -> float:
    """The clock at a supply over that at the nominal one; no more than the alpha-power law gives above it."""
    exponent = target.value("supply_exponent")

    def speed(v: float) -> float:
        return float(max(v - threshold, 0.0) ** exponent / v)

    return speed(voltage) / speed(nominal) if voltage < nominal else max(1.0, speed(voltage) / speed(nominal))


def _not(condition: Any) -> Any:
    return not condition if isinstance(condition, bool) else ~condition


def _first(where: Any, *values: Any) -> list[float]:
    """The values at the first place where a condition holds."""
    if not is_array(where):
        return [float(v) for v in values]
    place = int(where.argmax())
    return [float(v[place]) if is_array(v) else float(v) for v in values]


def check_accumulators(work: Work, bits: Any) -> None:
    """Raises :class:`CostmodelError` where accumulators are narrower than an exact sum of the network needs."""
    if isinstance(bits, int) and bits == 0:
        return
    widest = max(
        (c for in_product, c in work.kinds if in_product and _exact(c)), key=lambda c: c.bits_acc, default=None
    )
    if widest is None:
        return
    given = bits if not is_array(bits) else bits[bits > 0].min(initial=FLOAT_BITS)
    if given < widest.bits_acc:
        raise CostmodelError(
            f"option accumulator_bits={int(given)}: the sums of {work.names[widest.layer]} need {widest.bits_acc} "
            "bits. Choose at least that many, or 0 for what each sum needs."
        )


def _exact(charge: Charge) -> bool:
    return 0 < charge.bits_acc < FLOAT_BITS


def oversized(target: Target, area: float) -> tuple[str, ...]:
    """Why a chip of that many mm² cannot be made, if so."""
    reticle = target.constant("reticle")
    if area <= reticle.high:
        return ()
    return (f"{area:,.0f} mm²: a reticle holds {reticle.value:g} mm² at the most",)
