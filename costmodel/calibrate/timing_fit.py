"""From times of layers to constants with intervals, and from constants to a target file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.calibrate.timing import Timed, Whole
from costmodel.deploy.program import Array
from costmodel.errors import CostmodelError
from costmodel.targets.cpu.work import ALIKE, CALLS, TERMS, Engine

#: Least half-width of an interval: constants of one machine repeat no better than that.
LEAST_SPREAD = 0.1
#: Half-width, 90 %, of the ratio of a time to the same time at a later hour: 10 to 12 % were seen on a busy machine.
REPEATS = 0.12
#: 95 % point of a normal distribution, in standard deviations.
Z95 = 1.6448536269514722
#: Seconds below which a time says little: its errors are taken relative to at least that.
FLOOR = 1e-5
#: Seconds of a byte from memory, where no network that was timed needs any.
EXCESS = 2e-10
LEAST_NETWORKS = 3
#: How much the total of a network counts, next to the root of the number of its rows.
TOTALS = 0.5
#: Factor of the bounds of a constant that was not measured but taken from a kind that is alike.
BORROWED = 4.0


@dataclass(frozen=True)
class Constant:
    """Seconds of one amount; ``alike`` names the kind that it was taken from where it was not measured."""

    value: float
    low: float
    high: float
    alike: str = ""


@dataclass(frozen=True)
class Fit:
    """``ratios`` are measured over predicted totals of each network, by constants fitted to the others."""

    engine: Engine
    constants: Mapping[str, Constant]
    ratios: Mapping[str, float]

    @property
    def error(self) -> float:
        """Mean absolute error of the predictions of networks that were left out."""
        return float(np.mean([abs(1 / ratio - 1) for ratio in self.ratios.values()]))

    @property
    def worst(self) -> float:
        return max(abs(1 / ratio - 1) for ratio in self.ratios.values())

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds, 90 %, of measured over predicted for a network that was not fitted and is timed at a later hour.

        The ratios of networks that were left out come from one hour: how well a machine repeats itself is added.
        """
        half = math.hypot(_unseen(self.ratios.values()), math.log1p(REPEATS))
        return math.exp(-half), math.exp(half)


def _unseen(ratios: Iterable[float]) -> float:
    """Half-width, 90 %, of the logarithm of one more ratio: normal around 0, its variance known from these alone.

    The least and the largest of six would hold five sevenths of others.
    """
    logarithms = [math.log(ratio) for ratio in ratios]
    return student95(len(logarithms)) * math.sqrt(sum(x * x for x in logarithms) / len(logarithms))


def student95(freedom: int) -> float:
    """95 % point of Student's distribution, off by at most 0.3 % from three degrees of freedom on (Abramowitz and
    Stegun, 26.7.5)."""
    z, n = Z95, float(freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + terms[0] / n + terms[1] / n**2 + terms[2] / n**3


def fit(rows: Sequence[Timed], engine: Engine) -> Fit:
    """Non-negative least squares on relative errors; bounds from fits that leave out one network each.

    Raises :class:`CostmodelError` for fewer than three networks.
    """
    networks = list(dict.fromkeys(row.network for row in rows))
    if len(networks) < LEAST_NETWORKS:
        raise CostmodelError(f"{len(networks)} networks to fit: at least {LEAST_NETWORKS} are needed to leave one out")
    names = list(dict.fromkeys(a.name for row in rows for a in row.work))
    whole = _solve(rows, names)
    without = {name: _solve([r for r in rows if r.network != name], names) for name in networks}
    constants = {}
    for column, name in enumerate(names):
        others = [found[column] for found in without.values() if not np.isnan(found[column])]
        value = float(whole[column])
        low = min(value * (1 - LEAST_SPREAD), *others) if others else value / BORROWED
        high = max(value * (1 + LEAST_SPREAD), *others) if others else value * BORROWED
        constants[name] = Constant(value, float(low), float(high))
    ratios = {}
    for left, found in without.items():
        own = [row for row in rows if row.network == left]
        filled = np.where(np.isnan(found), whole, found)
        ratios[left] = sum(row.seconds for row in own) / float((_matrix(own, names) @ filled).sum())
    return Fit(engine, _completed(constants, engine), ratios)


def _completed(constants: dict[str, Constant], engine: Engine) -> dict[str, Constant]:
    """All constants of an engine: a kind that no network had takes those of the kind that is most alike."""
    found = dict(constants)
    slopes = [c.value for name, c in constants.items() if "." in name]
    for name in CALLS[engine]:
        if name not in found:
            found[name] = _borrowed(next(found[call] for call in CALLS[engine] if call in found), "the other calls")
    if "excess" not in found:  # no network moved more than the cache holds
        found["excess"] = _borrowed(Constant(EXCESS, 0, 0), "a byte of a common memory")
    for kind, terms in TERMS[engine].items():
        for term in terms:
            name = f"{kind}.{term}"
            source, alike = kind, ""
            while name not in found and source in ALIKE[engine]:
                source = alike = ALIKE[engine][source]
                first = next(
                    (f"{source}.{t}" for t in (term, *TERMS[engine][source]) if f"{source}.{t}" in constants), ""
                )
                if first:
                    found[name] = _borrowed(constants[first], alike)
            if name not in found:
                found[name] = _borrowed(Constant(float(np.median(slopes)), 0, 0), "the median of all kinds")
    return found


def _borrowed(constant: Constant, alike: str) -> Constant:
    return Constant(constant.value, constant.value / BORROWED, constant.value * BORROWED, alike)


def _matrix(rows: Iterable[Timed], names: Sequence[str]) -> Array:
    column = {name: k for k, name in enumerate(names)}
    found = list(rows)
    matrix = np.zeros((len(found), len(names)))
    for number, row in enumerate(found):
        for amount in row.work:
            matrix[number, column[amount.name]] += amount.count
    return matrix


def _solve(rows: Sequence[Timed], names: Sequence[str]) -> Array:
    """Seconds per amount; NaN for what no row has any of."""
    matrix = _matrix(rows, names)
    seconds = np.array([row.seconds for row in rows])
    weights = 1 / np.maximum(seconds, FLOOR)
    weighted, target = matrix * weights[:, None], seconds * weights
    networks = np.array([row.network for row in rows])
    for network in dict.fromkeys(networks.tolist()):  # relative errors of many small rows alone would pull low
        own = networks == network
        weight = TOTALS * np.sqrt(own.sum()) / seconds[own].sum()
        weighted = np.vstack([weighted, weight * matrix[own].sum(0)])
        target = np.append(target, weight * seconds[own].sum())
    sizes = np.sqrt((weighted**2).sum(0))
    used = sizes > 0
    found = np.full(len(names), np.nan)
    found[used] = non_negative(weighted[:, used] / sizes[used], target) / sizes[used]
    return found


def non_negative(a: Array, b: Array) -> Array:
    """``argmin |a x - b|`` with ``x >= 0``, by active sets (Lawson and Hanson, 1974)."""
    gram, right = a.T @ a, a.T @ b
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], bool)
    for _ in range(10 * a.shape[1]):
        slope = right - gram @ x
        slope[free] = -np.inf
        best = int(np.argmax(slope))
        if slope[best] <= 1e-9:
            break
        free[best] = True
        while True:
            trial = np.zeros_like(x)
            trial[free] = np.linalg.lstsq(gram[np.ix_(free, free)], right[free], rcond=None)[0]
            if (trial[free] > 0).all():
                x = trial
                break
            falling = free & (trial <= 0)
            step = float(np.min(x[falling] / np.maximum(x[falling] - trial[falling], 1e-300)))
            x = x + step * (trial - x)
            free &= x > 1e-14
    return x


def predicted(rows: Sequence[Timed], constants: Mapping[str, Constant]) -> float:
    """Seconds of some rows."""
    return sum(constants[a.name].value * a.count for row in rows for a in row.work)


@dataclass(frozen=True)
class Machine:
    """What was timed on, and how."""

    title: str
    facts: Mapping[str, str | int | float]
    source: str
    cache: int


def target_yaml(found: Fit, machine: Machine, wholes: Sequence[Whole]) -> str:
    """The target file: every constant with its interval, the networks it was fitted to, and the machine."""
    rows = ", ".join(f'"{whole.network}"' for whole in wholes)
    low, high = found.bounds
    end = f"source: this_machine, confidence: F, fitted_to: [{rows}]"
    guess = "source: this_machine, confidence: T"
    text = [
        "# Made by `costmodel calibrate cpu`: the times of one machine. Make it again when the machine changes.",
        "kind: cpu",
        f"title: {_quoted(machine.title)}",
        "description: >-",
        f"  Seconds of one image on one thread, engine {found.engine}. Fitted to layers inside of {len(wholes)}",
        f"  networks; one left out is {100 * found.error:.1f} % off on average, {100 * found.worst:.1f} % at most.",
        "structure:",
        f"  engine: {found.engine}",
        *(f"  {name}: {_quoted(value) if isinstance(value, str) else value}" for name, value in machine.facts.items()),
        "sources:",
        f"  this_machine: {_quoted(machine.source)}",
        "constants:",
        f"  cache_l2: {{value: {machine.cache}, unit: B, exact: true, source: this_machine, confidence: P}}",
        f'  model_error: {{value: 1, low: {low:.4g}, high: {high:.4g}, unit: "1", {end},',
        f'    note: "measured over predicted, 90 %: of one more network, by those that were left out, and of '
        f'{100 * REPEATS:.0f} % between two hours; drawn once for each network"}}',
    ]
    for name in (*CALLS[found.engine], "excess"):
        c = found.constants[name]
        text.append(
            f"  {name}: {{{_bounds(c)}, unit: {'ns/B' if name == 'excess' else 'ns'}, {guess if c.alike else end}}}"
        )
    text += ["tables:", "  kinds:", "    units: {" + ", ".join(f"{t}: ns" for t in _all_terms(found.engine)) + "}"]
    text += [
        "    source: this_machine",
        "    confidence: F",
        f"    fitted_to: [{rows}]",
        "    note: nanoseconds of one amount of a kind of layer",
        "    rows:",
    ]
    for kind, terms in TERMS[found.engine].items():
        cells = ", ".join(f"{t}: [{', '.join(_ns(v) for v in _three(found.constants[f'{kind}.{t}']))}]" for t in terms)
        alike = dict.fromkeys(found.constants[f"{kind}.{t}"].alike for t in terms)
        note = next((f"  # not measured: taken from {a}" for a in alike if a), "")
        text.append(f"      {kind}: {{{cells}}}{note}")
    return "\n".join([*text, ""])


def _all_terms(engine: Engine) -> list[str]:
    return list(dict.fromkeys(term for terms in TERMS[engine].values() for term in terms))


def _three(c: Constant) -> tuple[float, float, float]:
    return c.value, c.low, c.high


def _ns(seconds: float) -> str:
    return f"{seconds * 1e9:.5g}"


def _bounds(c: Constant) -> str:
    value, low, high = map(_ns, _three(c))
    return f"value: {value}, low: {low}, high: {high}"


def _quoted(text: str | int | float) -> str:
    import json

    return json.dumps(str(text), ensure_ascii=False)
