"""Search of a space that is too large to count off: networks, settings, foldings and mappings at once.

NSGA-II of pymoo (Deb et al. 2002) over numbers from 0 to 1, each of which stands for one choice: the network and its
arguments (widths, depths), the bits and the scales of single layers, the target and its settings, the folding of each
unit of an FPGA, the mapping of each product of a chip. Constraints are part of the search: of two designs that break
them the one wins that breaks them by less. A network is traced when it is first chosen.

A search is seeded, and what it has priced is kept after every generation, so that one that was killed goes on to the
same answer. The front is that of all designs that were met, and nothing more is claimed of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.explore.cases import Case
from costmodel.explore.evaluators import Foldings, fixed_metrics, metrics_of
from costmodel.explore.folders import folder as folder_of
from costmodel.explore.front import Front
from costmodel.explore.keys import code_version, digest
from costmodel.explore.layers import chosen as chosen_of
from costmodel.explore.ledgers import ledger_of
from costmodel.explore.members import Member, folding_member, member, profile_command
from costmodel.explore.networks import Network
from costmodel.explore.pareto import front as pareto_front
from costmodel.explore.space import DesignSpace, Entry
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Ledger
from costmodel.metrics import maximised, objective_names
from costmodel.targets.bits import expand

Floats = NDArray[np.float64]
#: Choices of units or products that are searched one by one; of more units several share one.
UNITS = 64
POPULATION = 64
#: Ledgers and foldings of networks that are kept at a time: those of one generation.
KEPT = 64
#: By how much a design breaks the constraints that cannot be judged or does not fit.
UNFIT = 1e6


@dataclass(frozen=True)
class Design:
    """What a row of numbers stands for; ``picks`` [UNITS] are the numbers of its units."""

    network: Network
    entry: Entry
    settings: tuple[tuple[str, Any], ...]
    picks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Met:
    """A design that was priced: its metrics, and what it breaks the constraints by (0: nothing)."""

    design: Design
    metrics: Mapping[str, float]
    broken: float


def search(
    space: DesignSpace,
    place: str,
    evaluations: int,
    seed: int = 0,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Front]:
    """The front of each group of designs of a space, by ``evaluations`` designs of each; the same seed finds the same.

    What was priced lies in ``place`` (``search-*.json``); with ``resume`` it is not priced again. Raises
    :class:`CostmodelError` where nothing that was met meets the constraints, with the nearest.
    """
    groups: dict[tuple[str, str], list[tuple[Network, Entry]]] = {}
    for network in space.networks:
        for entry in space.entries:
            groups.setdefault(space.front_of(network, entry), []).append((network, entry))
    prices, fronts, nearest = _Prices(space), [], []
    for number, (key, pairs) in enumerate(groups.items()):
        one = _Search(space, key, pairs, prices, seed)
        kept = _Kept(place, f"search-{number:03d}.json", one.key(), resume)
        met = one.run(evaluations, kept, progress)
        able = [m for m in met if not m.broken]
        if able:
            fronts.append(one.front(able, len(met)))
        else:
            nearest.append(min(met, key=lambda m: m.broken))
    if not fronts:
        least = min(nearest, key=lambda m: m.broken)
        named = f"{least.design.network.name} on {least.design.entry.target}"
        raise CostmodelError(
            f"none of {evaluations} designs that were met meets the constraints; the nearest is {named}, which breaks "
            f"them by {least.broken:.1%} in sum. Search longer, or allow more"
            if least.broken < UNFIT
            else f"none of {evaluations} designs that were met fits its target and can be judged, such as {named}"
        )
    return fronts


class _Kept:
    """What a search has priced, by design, on disk."""

    def __init__(self, place: str, name: str, key: str, resume: bool) -> None:
        self.folder, self.name, self.key = folder_of(place), name, key
        self.known: dict[str, dict[str, float]] = {}
        data = self.folder.read(name)
        if data is not None and not resume:
            raise CostmodelError(
                f"{self.folder} already holds a search. Continue with --resume, or choose another folder."
            )
        try:
            found = json.loads(data or b"{}")
            body = found.get("priced", {})
            if found.get("key") == key and found.get("sha256") == digest(body):
                self.known = body
        except (ValueError, AttributeError):
            pass  # damaged: priced again

    def write(self) -> None:
        data = {"key": self.key, "sha256": digest(self.known), "priced": self.known}
        self.folder.write(self.name, json.dumps(data).encode())


class _Prices:
    """Prices designs; ledgers and foldings are made when they are first needed."""

    def __init__(self, space: DesignSpace) -> None:
        self.space = space
        self.ledger: Callable[[Network], Ledger] = lru_cache(maxsize=KEPT)(self._ledger)
        self._foldings = lru_cache(maxsize=KEPT)(self._made)

    def _ledger(self, network: Network) -> Ledger:
        return ledger_of(network, self.space.level)

    def pricing(self, design: Design) -> Foldings:
        return self._foldings(design.network, design.entry, tuple((k, v) for k, v in design.settings if k != "clock"))

    def _made(self, network: Network, entry: Entry, fixed: tuple[tuple[str, Any], ...]) -> Foldings:
        return Foldings(Case(0, network, replace(entry, search="samples"), fixed), self.ledger(network))

    def choices(self, design: Design) -> NDArray[np.int64]:
        units = self.pricing(design).space.design.units
        return np.array([int(design.picks[i % UNITS] * len(unit)) for i, unit in enumerate(units)], dtype=np.int64)

    def settings(self, design: Design) -> dict[str, Any]:
        """The settings of a design, with its mapping where one is searched."""
        found = dict(design.settings)
        if design.entry.kind == "asic" and design.entry.search != "grid":
            products = [layer for layer in self.ledger(design.network).layers if OPS[layer.op].product]
            found["mapping"] = "".join("ow"[int(2 * design.picks[i % UNITS])] for i, _ in enumerate(products))
        return found

    def metrics(self, design: Design, wanted: set[str]) -> dict[str, float]:
        """Metrics of a design, those of ``wanted`` that it has; none where it is refused."""
        settings, ledger = self.settings(design), self.ledger(design.network)
        case = Case(0, design.network, design.entry, ())
        table: dict[str, Any] = dict(fixed_metrics(case, ledger, settings))
        try:
            if is_folded(design.entry):
                priced = self.pricing(design).price(self.choices(design)[None], wanted, settings.get("clock"))
                table |= {name: float(np.ravel(value)[0]) for name, value in priced.items()}
            else:
                table |= metrics_of(ledger, design.entry, settings)
        except CostmodelError:  # an infeasible setting, such as a clock above what the voltage allows
            return {}
        return {n: float(table[n]) for n in wanted if n in table and not math.isnan(table[n])}


def is_folded(entry: Entry) -> bool:
    return entry.kind == "fpga" and entry.search != "grid"


class _Search:
    """The designs of one front, as rows of numbers from 0 to 1."""

    def __init__(
        self, space: DesignSpace, key: tuple[str, str], pairs: Sequence[tuple[Network, Entry]], prices: _Prices,
        seed: int,
    ) -> None:  # fmt: skip
        self.space, self.group, self.prices, self.seed = space, key, prices, seed
        self.entries = tuple(dict.fromkeys(entry for _, entry in pairs))
        self.networks: dict[tuple[Any, ...], list[Network]] = {}
        for network in dict.fromkeys(network for network, _ in pairs):
            self.networks.setdefault((network.model, network.inputs, network.checkpoint), []).append(network)
        self.arguments = max(len(n.arguments) for n, _ in pairs)
        self.layers = max(len(n.layers) for n, _ in pairs)
        self.axes = max(len(entry.axes) for entry in self.entries)
        picked = any(entry.search != "grid" for entry in self.entries)
        self.size = 2 + self.arguments + self.layers + self.axes + (UNITS if picked else 0)
        self.objectives = space.objectives_of(key[0])

    def key(self) -> str:
        """Digest of all that the search depends on, but the number of evaluations."""
        networks = [(n.name, n.figures, n.layers) for group in self.networks.values() for n in group]
        content = [(entry.content, entry.axes, entry.search) for entry in self.entries]
        sources = [n.request.key() for group in self.networks.values() for n in group]
        return digest([code_version(), self.group, networks, content, sources, self.space.level, self.objectives])

    def design(self, row: Floats) -> Design:
        """What a row of numbers stands for."""

        def pick(values: Sequence[Any], number: float) -> Any:
            return values[min(int(number * len(values)), len(values) - 1)]

        entry = pick(self.entries, row[0])
        networks = pick(list(self.networks.values()), row[1])
        begin = 2 + self.arguments
        network = self._network(networks, row[2:begin])
        if network.layers:
            numbers = zip(network.layers, row[begin : begin + self.layers], strict=False)
            network = chosen_of(network, [pick(layer.values, number) for layer, number in numbers])
        begin += self.layers
        chosen = zip(entry.axes, row[begin : begin + self.axes], strict=False)
        settings = tuple(expand({n: pick(values, number) for (n, values), number in chosen}, entry.kind).items())
        picks = tuple(np.minimum(row[begin + self.axes :], 1 - 1e-9).tolist()) if entry.search != "grid" else ()
        return Design(network, entry, settings, picks)

    def _network(self, networks: Sequence[Network], row: Floats) -> Network:
        """One of several networks of the same factory: each argument by a number of its own, where all combinations
        are there."""
        names = [name for name, _ in networks[0].arguments]
        values = [list(dict.fromkeys(dict(n.arguments).get(name) for n in networks)) for name in names]
        wanted = tuple((n, v[min(int(x * len(v)), len(v) - 1)]) for n, v, x in zip(names, values, row, strict=False))
        number = min(int((row[0] if len(row) else 0.0) * len(networks)), len(networks) - 1)
        return next((n for n in networks if n.arguments == wanted), networks[number])

    def run(self, evaluations: int, kept: _Kept, progress: Callable[[int, int], None] | None) -> list[Met]:
        """The different designs that were met, in order."""
        met: dict[str, Met] = {}
        bounds = {
            name: bound for name, bound in self.space.constraints.items()
            if any(name in (*objective_names(e.kind), *objective_names()) for e in self.entries)
        }  # fmt: skip
        wanted = {*self.objectives, *bounds}

        def judge(rows: Floats) -> tuple[Floats, Floats]:
            values, broken = np.full((len(rows), len(self.objectives)), UNFIT), np.full((len(rows), 1), UNFIT)
            for i, row in enumerate(rows):
                design = self.design(row)
                name = digest(self._plain(design))
                if name not in met:
                    table = kept.known.get(name)
                    if table is None:
                        table = kept.known[name] = self.prices.metrics(design, wanted)
                    met[name] = Met(design, table, _broken(table, wanted, bounds))
                found = met[name]
                broken[i] = found.broken
                if found.broken < UNFIT:
                    signs = [-1.0 if maximised(n) else 1.0 for n in self.objectives]
                    values[i] = [s * found.metrics[n] for s, n in zip(signs, self.objectives, strict=True)]
            kept.write()
            if progress is not None:
                progress(len(met), evaluations)
            return values, broken

        for _ in _generations(self.size, len(self.objectives), evaluations, self.seed, judge):
            pass
        return list(met.values())

    def _plain(self, design: Design) -> list[Any]:
        """What tells designs apart."""
        parts: list[Any] = [design.network.name, design.entry.target, design.entry.axes, design.settings]
        if is_folded(design.entry):
            return [*parts, self.prices.choices(design).tolist()]
        return [*parts, self.prices.settings(design)]

    def front(self, able: Sequence[Met], count: int) -> Front:
        """The members among the designs that meet the constraints."""
        points = np.array([[m.metrics[name] for name in self.objectives] for m in able])
        best = pareto_front(points, maximise=[maximised(name) for name in self.objectives])
        members = tuple(self._member(int(i), able[int(i)]) for i in best.ids)
        promise = f"not proven: the best of {count} designs that a search with seed {self.seed} met"
        return Front(self.space.name, *self.group, self.objectives, members, count, len(able), promise)

    def _member(self, number: int, met: Met) -> Member:
        design, metrics = met.design, {name: met.metrics[name] for name in self.objectives}
        case = Case(0, design.network, design.entry, design.settings)
        if is_folded(design.entry):
            pricing, choices = self.prices.pricing(design), self.prices.choices(design)
            return folding_member(self.space, case, pricing, number, dict(design.settings), metrics, choices)
        settings = self.prices.settings(design)
        command = profile_command(self.space, case, settings)
        return member(self.space, case, number, settings, metrics, command)


def _broken(table: Mapping[str, float], wanted: set[str], bounds: Mapping[str, tuple[float, float]]) -> float:
    """By what share constraints are broken, in sum."""
    if not wanted <= table.keys():
        return UNFIT
    total = 0.0
    for name, (low, high) in bounds.items():
        value = table[name]
        for over, limit in ((value - high, high), (low - value, low)):
            if over > 0:
                total += over / abs(limit) if limit else over
    return min(total, UNFIT / 2)


def _generations(
    size: int, objectives: int, evaluations: int, seed: int, judge: Callable[[Floats], tuple[Floats, Floats]]
) -> Iterator[int]:
    """NSGA-II over rows of ``size`` numbers from 0 to 1, until about so many were judged."""
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem
        from pymoo.problems.static import StaticProblem
    except ImportError:
        raise MissingExtraError("a search", "pymoo", "search") from None
    population = max(4, min(POPULATION, evaluations // 4))
    problem = Problem(n_var=size, n_obj=objectives, n_ieq_constr=1, xl=0.0, xu=1.0)
    algorithm = NSGA2(pop_size=population)
    algorithm.setup(problem, termination=("n_eval", evaluations), seed=seed, verbose=False)
    while algorithm.has_next():
        asked = algorithm.ask()
        values, broken = judge(asked.get("X"))
        algorithm.evaluator.eval(StaticProblem(problem, F=values, G=broken), asked)
        algorithm.tell(infills=asked)
        yield len(asked)
