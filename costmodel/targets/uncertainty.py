"""Sampling the constants of estimates, so that designs are compared under the same hardware.

A constant's ``low`` and ``high`` are read as the 5 % and 95 % points of a split log-normal distribution whose median is
its ``value``: relative errors, different below and above, never a negative energy. Where ``low`` is not positive the
distribution is a split normal. A constant that two estimates share (same name, value, bounds and source) is drawn once
for both, so that what is common to the designs does not blur their difference.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costmodel.targets.estimate import Estimate
from costmodel.targets.quantity import Interval, Quantity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: 95 % point of the standard normal distribution.
Z95 = 1.6448536269514722
SAMPLES = 4096


def draw(name: str, quantity: Quantity, samples: int = SAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """``samples`` values of a constant. Depends on nothing but the constant, its name, ``samples`` and ``seed``."""
    import numpy as np

    if quantity.low == quantity.high:
        return np.full(samples, quantity.value)
    identity = f"{name}|{quantity.value!r}|{quantity.low!r}|{quantity.high!r}|{quantity.source}"
    z = np.random.default_rng((seed, zlib.crc32(identity.encode()))).standard_normal(samples) / Z95
    if quantity.low > 0:
        below, above = np.log(quantity.value / quantity.low), np.log(quantity.high / quantity.value)
        return np.asarray(quantity.value * np.exp(np.where(z < 0, below, above) * z))
    below, above = quantity.value - quantity.low, quantity.high - quantity.value
    return np.asarray(quantity.value + np.where(z < 0, below, above) * z)


def sample(
    estimates: Sequence[Estimate], metric: str, samples: int = SAMPLES, seed: int = 0
) -> list[NDArray[np.float64]]:
    """The total of ``metric`` of every estimate under the same ``samples`` draws of the constants.

    Raises :class:`CostmodelError` for a metric that is not a sum of lines in all of them.
    """
    import numpy as np

    draws: dict[tuple[str, Quantity], NDArray[np.float64]] = {}
    totals = []
    for estimate in estimates:
        coefficients = _coefficients(estimate, metric)
        total = np.zeros(samples)
        for factors, coefficient in coefficients.items():
            term = np.full(samples, coefficient)
            for name in factors:
                key = name, estimate.constants[name]
                if key not in draws:
                    draws[key] = draw(name, key[1], samples, seed)
                term = term * draws[key]
            total += term
        totals.append(total)
    return totals


def interval(estimate: Estimate, metric: str, samples: int = SAMPLES, seed: int = 0) -> Interval:
    """The nominal total with the 5 % and 95 % points of its distribution."""
    import numpy as np

    total = sample([estimate], metric, samples, seed)[0]
    low, high = np.quantile(total, (0.05, 0.95))
    nominal = estimate.total(metric).value
    return Interval(nominal, min(float(low), nominal), max(float(high), nominal))


def probability_cheaper(a: Estimate, b: Estimate, metric: str, samples: int = SAMPLES, seed: int = 0) -> float:
    """The probability that ``a`` costs less than ``b``; ties count half."""
    import numpy as np

    first, second = sample([a, b], metric, samples, seed)
    return float(np.mean(first < second) + 0.5 * np.mean(first == second))


def saving(a: Estimate, b: Estimate, metric: str, samples: int = SAMPLES, seed: int = 0) -> Interval:
    """The share of ``b``'s total that ``a`` saves, nominal with the 5 % and 95 % points; 0 where ``b`` has none."""
    import numpy as np

    less, more = sample([a, b], metric, samples, seed)
    share = np.divide(more - less, more, out=np.zeros(samples), where=more != 0)
    low, high = (float(point) for point in np.quantile(share, (0.05, 0.95)))
    whole = b.total(metric).value
    nominal = 1 - a.total(metric).value / whole if whole else 0.0
    return Interval(nominal, min(low, nominal), max(high, nominal))


def _coefficients(estimate: Estimate, metric: str) -> Mapping[tuple[str, ...], float]:
    table: dict[tuple[str, ...], float] = {}
    for line in estimate.lines_of(metric):
        table[line.factors] = table.get(line.factors, 0.0) + line.coefficient
    return table
