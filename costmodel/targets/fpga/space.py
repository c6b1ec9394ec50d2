"""The folding space of a pipeline: the hardware model's own functions, evaluated over all choices of all units.

A matrix unit's choices are PE (any divisor of its rows), SIMD (any divisor of its columns) and where its weights and
its window are kept. A window hands out a divisor of the channels or whole pixels, and a converter makes of them the
words of the unit. Streams between units, buffers and element-wise stages follow from these and from the initiation
interval. Every folding that is searched, swept,
compared or priced is priced from the same parts (:mod:`costmodel.targets.fpga.units` and its companions), each rounded
as a line of the bill is: the sum over a design here is the total of its estimate, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.targets.arith import ceil_div, maximum, minimum
from costmodel.targets.estimate import PARTS_OF_ONE
from costmodel.targets.fpga import pipeline as fpga_pipeline
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.alike import Alike, alike
from costmodel.targets.fpga.choices import BRAM, RESOURCES, Design, Ints, Link, Unit, unit
from costmodel.targets.fpga.design import Stage
from costmodel.targets.fpga.folding import Fold, divisors, matrix_stages, simd_choices
from costmodel.targets.fpga.job import Prices
from costmodel.targets.fpga.pipeline import Style
from costmodel.targets.fpga.timing import active
from costmodel.targets.fpga.units import LUTRAM_MAX_BITS, Part
from costmodel.targets.kept import kept

#: Values of the axes ``weights`` and ``window``.
MEMORIES = ("auto", "block", "distributed", "ultra")
#: Where a part stands among the columns of a cost; None: nowhere.
Column = Callable[[Part], "int | None"]
_SCALES = tuple(PARTS_OF_ONE[name] for name in RESOURCES)


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


@kept
def fold_design(
    pipeline: tuple[Stage, ...],
    names: tuple[str, ...],
    style: Style,
    constants: Prices,
    rules: Rules,
    for_energy: bool = False,
) -> Design:
    """All foldings of a pipeline, priced. ``names`` [units] are those of the layers of its matrix units.

    ``for_energy``: by what is clocked and not by what a device limits: LUTs as logic, flip-flops, DSP slices, and in
    the place of block RAM the bits that memories hand out.
    """
    return _Builder(pipeline, style, constants.values, rules, _active if for_energy else _resource).design(names)


def folds(design: Design, choices: Sequence[int] | Ints) -> list[Fold]:
    """The folding [units] as the hardware model takes it."""
    found = []
    for item, choice in zip(design.units, choices, strict=True):
        s = item.setting(int(choice))
        weights, window = MEMORIES[s.get("weights", 0)], MEMORIES[s.get("window", 0)]
        found.append(Fold(s["PE"], s["SIMD"], weights, window))  # type: ignore[arg-type]
    return found


def _resource(part: Part) -> int | None:
    return RESOURCES.index(part.metric) if part.metric in RESOURCES else None


def _active(part: Part) -> int | None:
    """Of a design that is priced for its energy: logic in the place of LUTs, and bits that memories hand out in that of
    block RAM."""
    if not active(part.metric, part.factors):
        return None
    return BRAM if part.metric == "memory_bits" else RESOURCES.index(part.metric)


def amounts(
    parts: Iterable[Part], constants: Mapping[str, float], shape: tuple[int, ...] = (), column: Column = _resource
) -> Ints:
    """What parts take, as an integer cost [*shape, 5]: every part rounded by itself, as the bill rounds its lines."""
    cost = np.zeros((*shape, len(RESOURCES)), dtype=np.int64)
    for part in parts:
        place = column(part)
        if place is None:
            continue
        value = part.coefficient
        for name in part.factors:
            value = value * constants[name]
        cost[..., place] += np.rint(np.asarray(value, dtype=np.float64) * _SCALES[place]).astype(np.int64)
    return cost


class _Builder:
    def __init__(
        self, pipeline: tuple[Stage, ...], style: Style, constants: Mapping[str, float], rules: Rules, column: Column
    ) -> None:
        self.column = column
        self.pipeline, self.style, self.constants, self.rules = pipeline, style, constants, rules
        self.order = tuple(stage.index for stage in matrix_stages(pipeline))
        self.place = {stage: i for i, stage in enumerate(self.order)}
        self.same: Alike = alike(pipeline)
        self.made: dict[Any, Unit] = {}

    def design(self, names: Sequence[str]) -> Design:
        self.items = [self.unit(self.pipeline[index], name) for index, name in zip(self.order, names, strict=True)]
        host = fpga_pipeline.host_cycles(self.pipeline, self.style, self.constants)
        least = max(host, *(int(item.cycles.min()) for item in self.items))
        intervals = np.unique(np.concatenate([[host], *(item.cycles for item in self.items)]))
        self.intervals: Ints = intervals[intervals >= least]
        self.links: list[Link] = []
        self.cross: list[Link] = []
        self.entry: dict[int, Ints] = {}
        self.exit: dict[int, Ints] = {}
        shared = streams.host_interface(
            self.style.host_width, self.style.host_depth, self.style.impl, self.style.fabric
        )
        self.overhead = np.tile(self.cost(shared), (len(self.intervals), 1))
        for stage in self.pipeline:
            for source in stage.inputs:
                self._join(stage, source)
        for index, count in self.same.of_units:  # what a stage has besides its matrix unit, once for all that are alike
            self.overhead += count * self._at_intervals(lambda t, i=index: self._around(self.pipeline[i], t))
        for index, count in self.same.of_links:
            if waiting := self.same.waiting[index]:
                self.overhead += count * self._at_intervals(
                    lambda t, w=waiting: fpga_pipeline.skip_memory(w, t, self.style)
                )
        items = self.items
        for table, ends in ((self.entry, "enters"), (self.exit, "leaves")):
            for place in [
                place for place, cost in table.items() if np.all(cost == cost[0])
            ]:  # the same at any interval
                fixed = table.pop(place)[0]
                items[place] = replace(items[place], cost=items[place].cost + fixed[getattr(items[place], ends)])
        return Design(
            tuple(items), self.intervals, self.overhead, tuple(self.links), self.entry, self.exit, tuple(self.cross)
        )

    def cost(self, parts: Iterable[Part], shape: tuple[int, ...] = ()) -> Ints:
        return amounts(parts, self.constants, shape, self.column)

    def unit(self, stage: Stage, name: str) -> Unit:
        """All foldings of one matrix unit with its sliding window; equal units share their arrays."""
        assert stage.matrix is not None
        key = stage.matrix, stage.window, stage.channels
        if key not in self.made:
            self.made[key] = self._unit(stage)
        return replace(self.made[key], name=name)

    def _unit(self, stage: Stage) -> Unit:
        shape, window = stage.matrix, stage.window
        assert shape is not None
        kinds = (1, 2) if self.rules.free_memories and self.style.fabric.lutram_depth else (0,)
        places = (*kinds, MEMORIES.index("ultra")) if self.rules.ultra else kinds
        pe, simd = (axis.ravel() for axis in np.meshgrid(divisors(shape.mh), simd_choices(stage), indexing="ij"))
        if self.rules.max_wide is not None:
            wider = [n for n in simd_choices(stage) if n * shape.bits_w > self.rules.max_wide]
            keep = simd <= min(wider, default=shape.mw)
            pe, simd = pe[keep], simd[keep]
        taken = fpga_pipeline.window_simd(stage, Fold(pe, simd))  # type: ignore[arg-type]
        fabric = self.style.fabric
        # foldings x places of the weights x places of the window: every combination is a sum of two
        cost = np.zeros((len(pe), len(places), len(kinds) if window is not None else 1, len(RESOURCES)), dtype=np.int64)
        for i, kind in enumerate(places):
            parts = units.mvu(shape, pe, simd, self.style.impl, fabric, MEMORIES[kind])  # type: ignore[arg-type]
            cost[:, i] += self.cost(parts, pe.shape)[:, None]
        for i, kind in enumerate(kinds):
            if window is not None:
                parts = streams.window(window, taken, self.style.impl, MEMORIES[kind], fabric)  # type: ignore[arg-type]
                parts += streams.fifo(taken * shape.bits_a, fabric=fabric)
                if not shape.depthwise:
                    bits = shape.vectors * shape.mw * shape.bits_a
                    parts += streams.width_converter(taken * shape.bits_a, simd * shape.bits_a, self.style.impl, bits)
                cost[:, :, i] += self.cost(parts, pe.shape)[:, None]
        grid = np.meshgrid(np.arange(len(pe)), places, kinds if window is not None else (0,), indexing="ij")
        fold, weights, windows = (axis.ravel() for axis in grid)
        pe, simd, taken = pe[fold], simd[fold], taken[fold]
        settings = {"PE": pe, "SIMD": simd, "weights": weights, "window": windows}
        made = unit("", settings, units.cycles(shape, pe, simd), {}, taken, np.minimum(pe, stage.channels))
        return replace(made, cost=np.ascontiguousarray(cost.reshape(-1, len(RESOURCES))))

    def _around(self, stage: Stage, interval: int) -> Iterable[Sequence[Part]]:
        """What a stage has besides its matrix unit and window: element-wise operators and their parameters."""
        if stage.matrix is not None:
            lanes = ceil_div(stage.elements, interval)
            return [fpga_pipeline.operators(work, lanes, stage.channels, self.style) for work in stage.work]
        return fpga_pipeline.stage_groups(stage, None, interval, self.style)

    def _at_intervals(self, groups: Any) -> Ints:
        """Cost [t, 5] at each interval of groups of parts, priced once for intervals that give the same groups."""
        known: dict[Any, Ints] = {}
        rows = []
        for interval in self.intervals.tolist():
            found = tuple(groups(interval))
            if found not in known:
                known[found] = self.cost(part for group in found for part in group)
            rows.append(known[found])
        return np.array(rows)

    # -- streams ------------------------------------------------------------------------------------------------------

    def _join(self, stage: Stage, source: int) -> None:
        """Price the stream from a stage (-1: the host) into a stage, by what its two widths depend on."""
        before = None if source < 0 else self.pipeline[source]
        target, feeder = self.place.get(stage.index), self.place.get(source)
        if feeder is None:
            produced = np.full(len(self.intervals), self.style.host_width)
            if before is not None:
                produced = np.array(
                    [fpga_pipeline.stream_width(before, {}, t, self.style) for t in self.intervals.tolist()]
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
            else:
                fed = any(link.target == target for link in self.links)
                (self.cross if fed else self.links).append(Link(feeder, target, cost))
        elif feeder is None:
            self.overhead += self._stream(stage, before, produced, self._taken(stage, before, produced))
        else:
            columns = np.arange(len(produced))
            taken = np.array([self._taken(stage, before, produced, t) for t in range(len(self.intervals))])
            cost = self._stream(stage, before, produced[None, columns], taken)
            self.exit[feeder] = self.exit[feeder] + cost if feeder in self.exit else cost

    def _taken(self, stage: Stage, before: Stage | None, produced: Ints, at: int | None = None) -> Ints:
        """Bits per cycle that a stage without a matrix takes from streams of the widths ``produced``: at the interval
        ``at``, or each at its own."""
        carried = self._carried(stage, before, produced)
        if not stage.pool:
            return carried
        times = self.intervals.tolist() if at is None else [int(self.intervals[at])] * len(produced)
        widths = zip(carried.tolist(), times, strict=True)
        return np.array([fpga_pipeline.consumed_width(stage, None, c, t, self.style) for c, t in widths])

    @staticmethod
    def _entering(stage: Stage, item: Unit) -> Ints:
        """Bits per cycle of each class of streams that the unit takes."""
        assert stage.matrix is not None
        pe, simd = item.settings[:, :2].T
        return _by_class(item.enters, fpga_pipeline.window_simd(stage, Fold(pe, simd)) * stage.matrix.bits_a)

    def _carried(self, stage: Stage, before: Stage | None, produced: Ints) -> Ints:
        fixed = fpga_pipeline.carried_width(stage, before, 0, self.style)
        return np.full_like(produced, fixed) if fixed else produced

    def _stream(self, stage: Stage, before: Stage | None, produced: Ints, consumed: Ints) -> Ints:
        """Converters and buffers of a stream, as :func:`pipeline.link_groups` has them, for arrays of widths."""
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
