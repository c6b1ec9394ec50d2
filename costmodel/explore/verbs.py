"""The verbs of ``import costmodel`` about designs: :func:`explore` a space, :func:`fold` a network onto an FPGA."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, name_of
from costmodel.explore import foldings
from costmodel.explore.dataflow import Rules
from costmodel.explore.folding import GOALS, Folded, Goal
from costmodel.explore.front import Front, front_of
from costmodel.explore.layers import whole
from costmodel.explore.space import DesignSpace, read_space
from costmodel.explore.sweep import Progress, sweep
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.ledger.scales import with_scale
from costmodel.metrics import RESOURCES


def explore(
    space: str | os.PathLike[str] | Mapping[str, Any] | DesignSpace,
    folder: str | os.PathLike[str] | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    resume: bool = False,
    address: str | None = None,
    keep_points: int = 0,
    accuracies: Sequence[str | os.PathLike[str]] = (),
    progress: Callable[[Progress], None] | None = None,
    again: Callable[[int], None] | None = None,
) -> tuple[Front, ...]:
    """Price every design of a space and keep the Pareto-optimal ones: a front for each kind of target, or for each
    network or target where the space asks for that.

    ``space``
        A YAML file, the same as a dictionary, or a :class:`DesignSpace`: ``networks``, ``targets`` with lists of
        options, ``objectives``, ``constraints``.
    ``folder``
        Where finished parts are kept, for ``resume``; without one they are thrown away at the end.
    ``accuracies``
        CSV files with figures of your own (:mod:`costmodel.train.given`).
    ``engine``, ``workers``, ``address``, ``keep_points``, ``progress``, ``again``
        As for :func:`costmodel.explore.sweep.sweep`: ``local`` (processes), ``serial``, ``dask`` or ``ray``.

    Raises :class:`CostmodelError` for a space that cannot be read, and where no design meets its constraints.
    """
    chosen = whole(space if isinstance(space, DesignSpace) else read_space(space, accuracies))
    how: dict[str, Any] = {
        "engine": engine, "workers": workers, "address": address, "keep_points": keep_points, "progress": progress,
        "again": again,
    }  # fmt: skip
    if folder is not None:
        return tuple(front_of(chosen, group) for group in sweep(chosen, folder, resume=resume, **how))
    if resume or keep_points:
        what = "resume" if resume else "keep_points"
        raise CostmodelError(f"{what} needs the folder in which finished parts are kept: give folder")
    with tempfile.TemporaryDirectory(prefix="costmodel-explore-") as place:
        return tuple(front_of(chosen, group) for group in sweep(chosen, Path(place) / "sweep", **how))


def fold(
    network: str | Profile | Ledger,
    target: str | os.PathLike[str],
    *,
    fps: float | None = None,
    goal: str = "lut",
    fill: float | None = None,
    limits: Mapping[str, float] | None = None,
    memories: str = "free",
    max_weight_bits: int | None = None,
    inputs: Any = None,
    scale: str = "exact",
    **options: Any,
) -> Folded:
    """The best folding of a network on an FPGA, exactly: the cheapest that meets a rate, or the fastest that fits.

    ``fps``
        Images per second that the pipeline must reach when it stays full.
    ``goal``
        What to save: ``lut``, ``bram18``, ``dsp``, or ``share``, the sum of the shares of the device.
    ``fill``, ``limits``
        The share of the device that may be used, from 0 to 1; the amount of each resource (``lut``, ``ff``, ...).
    ``memories``, ``max_weight_bits``
        ``free`` chooses block RAM or LUTs for each memory, ``auto`` places it by its size; the widest weight stream.
    ``inputs``, ``scale``, ``options``
        Of a network that is named, its input; what multiplies by the scale of binary weights; options of the target.

    Raises :class:`CostmodelError` where no design meets the demands, with what the nearest one misses.
    """
    from costmodel import api

    made = api.profile(network, inputs) if isinstance(network, str) else network
    ledger = made.deployed if isinstance(made, Profile) else made
    wanted: Goal = name_of("goal", goal, GOALS)  # type: ignore[assignment]
    place = name_of("way to place memories", memories, ("free", "auto"))
    found = {name_of("resource", name, RESOURCES): value for name, value in (limits or {}).items()}
    rules = Rules(max_weight_bits, place == "free")
    return foldings.best(question(ledger, target, rules, scale, fill, found, fps, wanted, options))


def question(
    ledger: Ledger,
    target: str | os.PathLike[str],
    rules: Rules,
    scale: str,
    fill: float | None,
    limits: Mapping[str, float],
    fps: float | None,
    goal: Goal,
    options: Mapping[str, Any],
) -> foldings.Question:
    """What is asked about the foldings of a ledger; raises :class:`CostmodelError` for a target that does not exist."""
    from costmodel.targets import load_target
    from costmodel.targets.bits import expand

    settings = expand({"mode": "dataflow", **options}, load_target(target).kind)
    return foldings.Question(
        with_scale(ledger, scale), os.fspath(target), rules, settings, fill, dict(limits), fps, goal
    )
