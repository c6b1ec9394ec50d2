"""The folding space of a network on an FPGA target, by what its units are called and how they are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger, Level, Profile
from costmodel.targets.fpga import price as fpga
from costmodel.targets.fpga.choices import Design, Ints
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, matrix_stages
from costmodel.targets.fpga.job import make_job, prices
from costmodel.targets.fpga.pipeline import Style
from costmodel.targets.fpga.space import MEMORIES, Rules, fold_design, folds
from costmodel.targets.load import load_target
from costmodel.targets.spec import Target

__all__ = ["MEMORIES", "Rules", "Space", "space"]

ALL = Rules()


@dataclass(frozen=True)
class Space:
    """All foldings of one network on one target. ``stages`` are the pipeline of its ``ledger``, built in a ``style``;
    ``order`` is the stage of each unit."""

    ledger: Ledger = field(repr=False)
    target: Target
    settings: Mapping[str, Any]
    rules: Rules
    design: Design
    stages: tuple[Stage, ...]
    order: tuple[int, ...]
    names: tuple[str, ...]
    style: Style

    @property
    def network(self) -> str:
        return self.ledger.network

    @property
    def clock(self) -> float:
        return float(self.settings["clock"])

    def choices_of(self, folding: Mapping[int, Fold]) -> list[int]:
        """The choices [units] of a folding; raises :class:`CostmodelError` where one is outside this space."""
        found = []
        for stage, name, item in zip(self.order, self.names, self.design.units, strict=True):
            fold = folding[stage]
            axes = dict(zip(item.axes, item.settings.T, strict=True))
            hits = (axes["PE"] == fold.pe) & (axes["SIMD"] == fold.simd)
            for axis, style in (("weights", fold.weights), ("window", fold.window)):
                kinds = set(axes[axis].tolist())
                if style == "ultra" or (style != "auto" and len(kinds - {3}) > 1):
                    hits &= axes[axis] == MEMORIES.index(style)
                else:
                    hits &= axes[axis] != MEMORIES.index("ultra")
            if not hits.any():
                raise CostmodelError(
                    f"layer {name}: PE={fold.pe}, SIMD={fold.simd}, weights in {fold.weights} is not in this space: "
                    "PE must divide the rows of its matrix, SIMD its columns, and memories be block RAM or LUTs"
                )
            found.append(int(np.flatnonzero(hits)[0]))
        return found

    def folds(self, choices: Sequence[int] | Ints) -> dict[int, Fold]:
        """The folding [units] as the hardware model takes it: stage index -> fold."""
        return dict(zip(self.order, folds(self.design, choices), strict=True))


def space(
    profile: Profile | Ledger,
    target: str | Target,
    rules: Rules = ALL,
    *,
    level: Level = "deployed",
    **options: Any,
) -> Space:
    """The folding space of a network on an FPGA target; ``options`` are those of :func:`costmodel.targets.estimate`.

    Raises :class:`CostmodelError` for a target that is not an FPGA, and for a network without a matrix.
    """
    spec = load_target(target)
    if spec.kind != "fpga":
        raise CostmodelError(
            f"target {spec.name!r} is of kind {spec.kind}, and only FPGA designs are folded. Choose one of: "
            "costmodel targets fpga"
        )
    ledger = profile.ledger(level) if isinstance(profile, Profile) else profile
    settings = spec.settings(options, fpga.OPTIONS)
    job = make_job(ledger, spec, settings)
    if not spec.value("device_uram"):
        rules = replace(rules, ultra=False)
    design = fold_design(job.design, job.names, job.style, prices(spec), rules)
    order = tuple(stage.index for stage in matrix_stages(job.design))
    return Space(ledger, spec, settings, rules, design, job.design, order, job.names, job.style)
