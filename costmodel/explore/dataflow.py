"""The folding space of a network on an FPGA target: the hardware model's own functions, evaluated over all choices.

A matrix unit's choices are PE (any divisor of its rows), SIMD (any divisor of its columns; behind a sliding
window a divisor of the channels, or whole pixels) and where its weights and
its window are kept. Streams between units, buffers, and element-wise stages follow from these and from the initiation
interval. Whatever is priced here is priced by :mod:`costmodel.targets.fpga.units` and its companions: the sum over a
design is the estimate of :mod:`costmodel.targets.fpga.price` for the same folding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.explore.choices import RESOURCES, Design, Ints, Link, Unit, costs, unit
from costmodel.ledger.ledger import Ledger, Level, Profile
from costmodel.targets.arith import ceil_div, maximum, minimum
from costmodel.targets.fpga import alike as fpga_alike
from costmodel.targets.fpga import fit as fpga_fit
from costmodel.targets.fpga import pipeline as fpga_pipeline
from costmodel.targets.fpga import price as fpga
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.design import Stage, Widths, stages
from costmodel.targets.fpga.folding import Fold, divisors, matrix_stages, simd_choices
from costmodel.targets.fpga.units import LUTRAM_MAX_BITS, Part, totals
from costmodel.targets.load import load_target
from costmodel.targets.spec import Target

#: Values of the axes ``weights`` and ``window``.
MEMORIES = ("auto", "block", "distributed", "ultra")


@dataclass(frozen=True)
class Rules:
    """What the space contains.

    ``max_wide``
        Largest SIMD * weight bits, such as the 36 of FINN's folding pass; None: no limit. The first SIMD above it stays
        in the space, because that pass keeps it where it is the first to meet the target.
    ``free_memories``
        Whether block RAM or LUTs are chosen for each memory (``block``, ``distributed``), or always by size (``auto``).
    ``ultra``
        Whether weights may lie in UltraRAM as well, where the device has it.
    """

    max_wide: int | None = None
    free_memories: bool = True
    ultra: bool = False


@dataclass(frozen=True)
class Space:
    """All foldings of one network on one target. ``stages`` are the pipeline, ``order`` the stage of each unit."""

    network: str
    target: Target
    settings: Mapping[str, Any]
    rules: Rules
    design: Design
    stages: tuple[Stage, ...]
    order: tuple[int, ...]
    names: tuple[str, ...]

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
        found = {}
        for stage, item, choice in zip(self.order, self.design.units, choices, strict=True):
            s = item.setting(int(choice))
            weights, window = MEMORIES[s.get("weights", 0)], MEMORIES[s.get("window", 0)]
            found[stage] = Fold(s["PE"], s["SIMD"], weights, window)  # type: ignore[arg-type]
        return found


def space(
    profile: Profile | Ledger,
    target: str | Target,
    rules: Rules = Rules(),
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
    structure = spec.structure_as(fpga.Structure)
    style = fpga_pipeline.Style(
        settings["impl"], fpga.make_fabric(structure, spec), structure.host_width, settings["streams"] == "pixel",
        settings["fifo_depth"], settings["host_depth"],
    )  # fmt: skip
    widths = Widths(settings["real_bits"], settings["weight_bits"], settings["input_bits"])
    pipeline = stages(ledger, widths, style.impl == "hls", settings["input_scaling"] == "host")
    if not matrix_stages(pipeline):
        raise CostmodelError(f"network {ledger.network!r} has no convolution, dense layer or matrix product to fold")
    if not spec.value("device_uram"):
        rules = replace(rules, ultra=False)
    builder = _Builder(pipeline, style, fpga_fit.nominal(spec), rules)
    names = tuple(ledger.layers[pipeline[i].layers[0]].name for i in builder.order)
    return Space(ledger.network, spec, settings, rules, builder.design(names), pipeline, builder.order, names)


class _Builder:
    def __init__(
        self, pipeline: tuple[Stage, ...], style: fpga_pipeline.Style, constants: Mapping[str, float], rules: Rules
    ) -> None:
        self.pipeline, self.style, self.constants, self.rules = pipeline, style, constants, rules
        self.order = tuple(stage.index for stage in matrix_stages(pipeline))
        self.place = {stage: i for i, stage in enumerate(self.order)}
        self.waiting = fpga_alike.alike(pipeline).waiting

    def design(self, names: Sequence[str]) -> Design:
        self.items = [self.unit(self.pipeline[index], name) for index, name in zip(self.order, names, strict=True)]
        least = max(int(item.cycles.min()) for item in self.items)
        intervals = np.unique(np.concatenate([item.cycles for item in self.items]))
        self.intervals: Ints = intervals[intervals >= least]
        self.links: list[Link] = []
        self.entry: dict[int, Ints] = {}
        self.exit: dict[int, Ints] = {}
        shared = streams.host_interface(
            self.style.host_width, self.style.host_depth, self.style.impl, self.style.fabric
        )
        self.overhead = np.tile(self.cost(shared), (len(self.intervals), 1))
        for stage in self.pipeline:
            for source in stage.inputs:
                self._join(stage, source)
        for t, interval in enumerate(self.intervals.tolist()):
            self.overhead[t] += self.cost(part for stage in self.pipeline for part in self._beside(stage, interval))
        items = self.items
        for table, ends in ((self.entry, "enters"), (self.exit, "leaves")):
            for place in [
                place for place, cost in table.items() if np.all(cost == cost[0])
            ]:  # the same at any interval
                fixed = table.pop(place)[0]
                items[place] = replace(items[place], cost=items[place].cost + fixed[getattr(items[place], ends)])
        return Design(tuple(items), self.intervals, self.overhead, tuple(self.links), self.entry, self.exit)

    def cost(self, parts: Any, shape: tuple[int, ...] = ()) -> Ints:
        return costs(totals(parts, self.constants), shape)

    def unit(self, stage: Stage, name: str) -> Unit:
        """All foldings of one matrix unit with its sliding window."""
        shape, window = stage.matrix, stage.window
        assert shape is not None
        kinds = (1, 2) if self.rules.free_memories and self.style.fabric.lutram_depth else (0,)
        places = (*kinds, MEMORIES.index("ultra")) if self.rules.ultra else kinds
        axes = [np.array(divisors(shape.mh)), np.array(simd_choices(stage)), np.array(places)]
        axes.append(np.array(kinds if window is not None else (0,)))
        pe, simd, weights, windows = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        if self.rules.max_wide is not None:
            wider = [n for n in simd_choices(stage) if n * shape.bits_w > self.rules.max_wide]
            keep = simd <= min(wider, default=shape.mw)
            pe, simd, weights, windows = pe[keep], simd[keep], weights[keep], windows[keep]
        cost = np.zeros((len(pe), len(RESOURCES)), dtype=np.int64)
        taken = simd * pe if shape.depthwise else simd
        for kind in places:
            rows = weights == kind
            cost[rows] += self.cost(
                units.mvu(shape, pe[rows], simd[rows], self.style.impl, self.style.fabric, MEMORIES[kind]),  # type: ignore[arg-type]
                (int(rows.sum()),),
            )
        for kind in kinds:
            if window is not None:
                rows = windows == kind
                parts = streams.window(window, taken[rows], self.style.impl, MEMORIES[kind], self.style.fabric)  # type: ignore[arg-type]
                parts += streams.fifo(taken[rows] * shape.bits_a, fabric=self.style.fabric)
                cost[rows] += self.cost(parts, (int(rows.sum()),))
        settings = {"PE": pe, "SIMD": simd, "weights": weights, "window": windows}
        made = unit(name, settings, units.cycles(shape, pe, simd), {}, taken, np.minimum(pe, stage.channels))
        return replace(made, cost=cost)

    def _beside(self, stage: Stage, interval: int) -> tuple[Part, ...]:
        """What a stage has besides its matrix unit: element-wise operators, and the memory of a waiting branch."""
        style, pipeline = self.style, fpga_pipeline
        if stage.matrix is not None:
            lanes = ceil_div(stage.elements, interval)
            groups = [pipeline.operators(work, lanes, stage.channels, style) for work in stage.work]
        else:
            groups = list(pipeline.stage_groups(stage, None, interval, style))
        groups += pipeline.skip_memory(self.waiting[stage.index], interval, style)
        return tuple(part for group in groups for part in group)

    # -- streams ------------------------------------------------------------------------------------------------------

    def _join(self, stage: Stage, source: int) -> None:
        """Price the stream from a stage (-1: the host) into a stage, by what its two widths depend on."""
        before = None if source < 0 else self.pipeline[source]
        target, feeder = self.place.get(stage.index), self.place.get(source)
        if feeder is None:
            produced = np.full(len(self.intervals), self.style.host_width)
            if before is not None:
                produced = np.array(
                    [fpga_pipeline.stream_width(before, {}, int(t), self.style) for t in self.intervals]
                )
        else:
            assert before is not None
            item = self.items[feeder]
            produced = _by_class(item.leaves, np.minimum(item.settings[:, 0], before.channels) * before.bits_out)
        if target is not None:
            consumed = self._entering(stage, self.items[target])
            cost = self._stream(stage, before, produced[:, None], consumed[None, :])
            if feeder is None:
                self.entry[target] = self.entry[target] + cost if target in self.entry else cost
            elif any(link.target == target for link in self.links):
                raise CostmodelError(
                    f"a {stage.op} reads two matrix units directly, and the exact search can follow one: price a "
                    "folding of your own with `costmodel profile --folding FILE`"
                )
            else:
                self.links.append(Link(feeder, target, cost))
        elif feeder is None:
            self.overhead += self._stream(stage, before, produced, self._taken(stage, before, produced))
        else:
            columns = np.arange(len(produced))
            taken = np.array([self._taken(stage, before, produced, t) for t in range(len(self.intervals))])
            cost = self._stream(stage, before, produced[None, columns], taken)
            self.exit[feeder] = self.exit[feeder] + cost if feeder in self.exit else cost

    def _taken(self, stage: Stage, before: Stage | None, produced: Ints, at: int | None = None) -> Ints:
        """Bits a cycle that a stage without a matrix takes from streams of the widths ``produced``: at the interval
        ``at``, or each at its own."""
        carried = self._carried(stage, before, produced)
        if not stage.pool:
            return carried
        times = self.intervals if at is None else [self.intervals[at]] * len(produced)
        widths = zip(carried, times, strict=True)
        return np.array([fpga_pipeline._consumed(stage, None, int(c), int(t), self.style) for c, t in widths])

    @staticmethod
    def _entering(stage: Stage, item: Unit) -> Ints:
        """Bits a cycle of each class of streams that the unit takes."""
        assert stage.matrix is not None
        simd = item.settings[:, 1]
        if stage.matrix.depthwise:
            simd = simd * item.settings[:, 0]
        return _by_class(item.enters, simd * stage.matrix.bits_a)

    def _carried(self, stage: Stage, before: Stage | None, produced: Ints) -> Ints:
        fixed = fpga_pipeline._carried(stage, before, 0, self.style)
        return np.full_like(produced, fixed) if fixed else produced

    def _stream(self, stage: Stage, before: Stage | None, produced: Ints, consumed: Ints) -> Ints:
        """Converters and buffers of a stream, as :func:`fpga_pipeline.link_cost` has them, for arrays of widths."""
        style = self.style
        carried: Any = self._carried(stage, before, produced)
        bits = stage.bits_entered if before is None else before.elements * before.bits_out
        depth = minimum(style.fifo_depth, maximum(streams.DEFAULT_DEPTH, LUTRAM_MAX_BITS // carried))
        depth = maximum(1, minimum(depth, ceil_div(bits, carried)))
        shape = np.broadcast_shapes(produced.shape, consumed.shape)
        parts = streams.width_converter(produced, carried, style.impl, bits)
        parts += streams.fifo(carried, depth, "input", style.fabric)
        first = np.broadcast_to(self.cost(parts, produced.shape), (*shape, len(RESOURCES)))
        second = self.cost(
            (
                *streams.width_converter(carried, consumed, style.impl, bits),
                *streams.fifo(consumed, fabric=style.fabric),
            ),
            shape,
        )
        return first + np.where(np.broadcast_to(carried != consumed, shape)[..., None], second, 0)


def _by_class(classes: Ints, values: Ints) -> Ints:
    table = np.zeros(int(classes.max()) + 1, dtype=np.int64)
    table[classes] = values
    return table
