"""The members of a front: the settings and the folding behind each, and the command that makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from costmodel.explore import evaluators
from costmodel.explore.accuracy import accuracy
from costmodel.explore.cases import STRIDE, Case
from costmodel.explore.space import DesignSpace
from costmodel.explore.sweep import Group

if TYPE_CHECKING:
    from costmodel.explore.exact import Exact

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Member:
    """One design. ``settings`` are the target's, ``folding`` gives (PE, SIMD, memories) per layer where it was
    searched; ``command`` is the line that makes this design again. ``evidence`` says what its accuracy is of: the data
    set, measured, published or given, after how many epochs, and by whom."""

    id: int
    network: str
    target: str
    settings: Mapping[str, Any]
    metrics: Metrics
    command: str
    folding: Mapping[str, Mapping[str, int | str]] | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)


def members_of(
    space: DesignSpace, case: Case, group: Group, numbers: NDArray[np.int64], metrics: Sequence[Metrics], foldings: bool
) -> list[Member]:
    """The members with these numbers [n] in a case; ``foldings``: whether each carries its own."""
    pricing = evaluators.evaluator(case, group.ledgers[case.network])
    if case.entry.kind == "fpga" and case.entry.search != "grid":
        return _folded(space, case, pricing, numbers, metrics, foldings)
    grid = list(case.entry.settings()) if case.entry.search == "grid" else []
    members = []
    for number, table in zip(numbers.tolist(), metrics, strict=True):
        settings = grid[number] if grid else pricing.settings_of(number)
        members.append(member(space, case, number, settings, table, profile_command(space, case, settings)))
    return members


def member(
    space: DesignSpace, case: Case, number: int, settings: Mapping[str, Any], metrics: Metrics, command: str,
    folding: Mapping[str, Mapping[str, int | str]] | None = None,
) -> Member:  # fmt: skip
    figure = accuracy(case.network, case.entry.spec, settings)
    evidence = {"data": case.network.data}
    if figure is not None and space.judges_accuracy:
        evidence |= {"accuracy_kind": figure.kind, "epochs": figure.epochs, "accuracy_source": figure.source}
    ident = int(case.index * STRIDE + number)
    kept = evidence if space.judges_accuracy else {}
    return Member(ident, case.network.name, case.entry.target, settings, metrics, command, folding, kept)


def profile_command(space: DesignSpace, case: Case, settings: Mapping[str, Any], more: str = "") -> str:
    level = "" if space.level == "deployed" else " --level as-written"
    target = shlex.quote(case.entry.target)
    return f"costmodel profile {case.network.flags} --target {target}{_set(settings)}{more}{level}"


def _folded(
    space: DesignSpace, case: Case, pricing: evaluators.Foldings, numbers: NDArray[np.int64],
    metrics: Sequence[Metrics], foldings: bool,
) -> list[Member]:  # fmt: skip
    """Members that are foldings: their choices are drawn again, counted off, or traced back through the exact front."""
    found = pricing.space
    clocks, places = numbers // evaluators.MEMBERS, numbers % evaluators.MEMBERS
    exact: Exact | None = None
    choices, at = None, None
    if case.entry.search == "exact":
        exact = pricing.exact({*space.objectives_of("fpga"), *space.constraints}, space.constraints)
        if foldings or not all(map(exact.is_member, places.tolist())):
            choices, at = exact.find(places)
    else:
        choices = pricing.drawn(numbers)
    members = []
    for i, (number, table) in enumerate(zip(numbers.tolist(), metrics, strict=True)):
        settings, clock = dict(case.settings), found.clock
        if case.clocks:
            clock = settings["clock"] = case.clocks[int(clocks[i])]
        if choices is None:
            assert exact is not None
            command = _fold(space, case, pricing, settings, exact.amounts(int(places[i])), clock)
            members.append(member(space, case, number, settings, table, command))
            continue
        where = None if at is None else int(at[i])
        made = folding_member(space, case, pricing, number, settings, table, choices[i], where)
        if exact is not None and exact.is_member(int(places[i])):
            made = replace(made, command=_fold(space, case, pricing, settings, exact.amounts(int(places[i])), clock))
        members.append(made)
    return members


def folding_member(
    space: DesignSpace, case: Case, pricing: evaluators.Foldings, number: int, settings: Mapping[str, Any],
    metrics: Metrics, choices: NDArray[np.int64], at: int | None = None,
) -> Member:  # fmt: skip
    """A member that is a folding with these choices [units], built for interval number ``at`` (None: the least)."""
    from costmodel.explore.folding import describe

    found = pricing.space
    clock = float(settings.get("clock", found.clock))
    interval, _ = found.design.price(choices, at)
    where = int(np.searchsorted(found.design.intervals, interval))
    folding = describe(found, choices, where, {}, "").folding
    line = ",".join(_unit(fold) for fold in folding.values())
    rate = f" --fps {clock / interval * (1 - 1e-9):.12g}"
    mode = {} if "mode" in settings else {"mode": "dataflow"}
    command = profile_command(space, case, {**settings, **mode}, f" --folding {line}{rate}")
    return member(space, case, number, settings, metrics, command, folding)


def _unit(fold: Mapping[str, int | str]) -> str:
    """One unit of a folding in one line: 16x3:block:distributed."""
    return f"{fold['PE']}x{fold['SIMD']}:{fold.get('weights', 'auto')}:{fold.get('window', 'auto')}"


def _fold(
    space: DesignSpace, case: Case, pricing: evaluators.Foldings, settings: Mapping[str, Any],
    amounts: Mapping[str, float], clock: float,
) -> str:  # fmt: skip
    """The command that finds a member of an exact front: the cheapest of its rate within its memory and DSP slices."""
    from costmodel.targets.fpga.job import capacity

    entry = case.entry
    flags = f"{case.network.flags} --target {shlex.quote(entry.target)}{_set(settings)} --memories {entry.memories}"
    if entry.max_weight_bits is not None:
        flags += f" --max-weight-bits {entry.max_weight_bits}"
    limits = f" --max-uram {amounts['uram']:.0f}" if capacity(pricing.space.target)["uram"] else ""
    limits += f" --max-lut {np.ceil(amounts['lut']):.0f} --max-bram18 {amounts['bram18']:.0f}"
    limits += f" --max-dsp {amounts['dsp']:.0f}"
    level = "" if space.level == "deployed" else " --level as-written"
    return f"costmodel fold {flags} --fps {clock / (amounts['interval'] + 0.5):.12g}{limits}{level}"


def _set(settings: Mapping[str, Any]) -> str:
    texts = [f"{name}={value if isinstance(value, str) else repr(value)}" for name, value in settings.items()]
    return "".join(f" --set {shlex.quote(text)}" for text in texts)
