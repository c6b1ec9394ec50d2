"""Price a ledger on an accelerator chip: energy, time and area, split into compute, registers, SRAM, DRAM, leakage.

The accelerator executes one layer after the other on a processing array (:mod:`asic_array`), with operations on single
elements streamed behind it, an activation and a weight buffer, and DRAM (:mod:`asic_work`, :mod:`asic_memory`).
Arithmetic is priced by the units of a technology column (:mod:`asic_units`), scaled to another node or voltage on
request (:mod:`scaling`). An energy of logic is ``count * unit energy * system factor``, where the system factor stands
for wires, clock tree and control.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import hypot, prod
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import TABLE, Charge, Layer, Ledger
from costmodel.metrics import OF_ENERGY
from costmodel.targets import arith
from costmodel.targets.arrays import sums
from costmodel.targets.asic.area import area_lines
from costmodel.targets.asic.array import Array, Tiling
from costmodel.targets.asic.bill import Bill
from costmodel.targets.asic.limits import check_accumulators, oversized
from costmodel.targets.asic.products import compute, tiling_of
from costmodel.targets.asic.technology import REAL_BITS, Technology
from costmodel.targets.asic.work import Item, Tensor, Work, is_streamed_read, work_of
from costmodel.targets.bits import KIND_BITS, as_asked, layer_widths
from costmodel.targets.estimate import Estimate, unused
from costmodel.targets.quantity import Interval
from costmodel.targets.spec import Parameter, Target

#: Choices of the model; those of the chip (clock, array, buffers, DRAM) are parameters of its file.
OPTIONS: dict[str, Parameter] = {
    "dataflow": Parameter(
        "best",
        "What stays in the array: partial sums (output), weights, or what has the lower energy-delay product (best)",
        choices=("best", "output", "weight"),
    ),
    "mapping": Parameter(
        "",
        "What stays in the array for each sum of products in order, a letter each: o (output) or w (weight), such as "
        "oowo; empty: as dataflow says",
    ),
    "real_format": Parameter(
        "int16",
        "Arithmetic in which real numbers are computed and stored",
        choices=("int8", "int12", "int16", "int24", "int32", "fp16", "fp32"),
    ),
    "weight_bits": Parameter(
        8, "Weights of real layers, where numbers are integers; 0: as wide as real numbers", "bit", 0, 32
    ),
    "input_bits": Parameter(0, "Values of the network's input; 0: as wide as real numbers", "bit", 0, 32),
    "kind_bits": KIND_BITS,
    "channel_shift": Parameter(
        "barrel",
        "Hardware of a shift that differs by channel: a barrel shifter of the time-shared datapath, or wire",
        choices=("barrel", "wire"),
    ),
    "accumulator_bits": Parameter(0, "Width of the accumulators; 0: as wide as each sum needs", "bit", 0, 64),
    "voltage": Parameter(0.0, "Supply of the logic; 0: that of the technology", "V", 0.0, 5.0),
    "node": Parameter(0.0, "Technology node in nm to scale to; 0: that of the technology", "nm", 0.0, 180.0),
}

#: What lines of the bill are about.
METRICS = ("energy_J", "latency_s", "area_mm2")
#: Choices that may be arrays, next to any other that is one value.
ARRAYS = (
    "clock", "voltage", "node", "outputs", "terms", "pixels", "mac_lanes", "tree_terms", "vector_lanes",
    "activation_sram", "weight_sram", "sram_banks", "dram_bandwidth", "accumulator_bits",
)  # fmt: skip
ONE_BIT = frozenset({"xnor", "and", "popcount"})
#: Letters of the option ``mapping``.
FLOW_OF = {"o": "output", "w": "weight"}


def price(ledger: Ledger, target: Target, settings: Mapping[str, Any]) -> Estimate:
    """What one inference costs on the chip.

    Lines are in ``energy_J``, ``latency_s`` and ``area_mm2``; ``derived`` holds TOPS/W (an operation is a
    multiplication or an addition, so a multiply-accumulate counts two), power and rate. Raises
    :class:`CostmodelError` for a node, voltage or unit that the target does not have.
    """
    return _estimate(*_run(ledger, target, settings), target, settings)


def totals(ledger: Ledger, target: Target, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The nominal totals of :func:`price` by metric; settings named in ``ARRAYS`` may be arrays of one length."""
    bill = _run(ledger, target, settings)[0]
    return sums(bill.lines, bill.constants)


def _run(
    ledger: Ledger, target: Target, settings: Mapping[str, Any]
) -> tuple[Bill, Work, dict[str, str], Any, dict[str, Tensor]]:
    """The bill, the sorted work, the dataflow of each layer, whether weights stay on the chip, places of tensors."""
    single = layer_widths(ledger, settings["kind_bits"], REAL_BITS[settings["real_format"]])
    technology = Technology(target, settings, single)
    technology.notes += single.idle
    bill = Bill(technology)
    work = work_of(ledger, technology.widths)
    check_accumulators(work, settings["accumulator_bits"])
    array = Array(settings["outputs"], settings["terms"], settings["pixels"], settings["window"])
    placed = work.tensors(8 * settings["activation_sram"])
    resident = work.weight_bits <= 8 * settings["weight_sram"]
    flows: dict[str, str] = {}
    chosen = _dataflows(ledger, settings)
    group = _Group()
    for layer in ledger.layers:
        own, items = work.charges[layer.index], work.items[layer.index]
        tiling = None
        if OPS[layer.op].product:
            tiling, product, tree = tiling_of(layer, own, items, array, bill, settings, chosen[layer.index])
            flows[layer.name] = tiling.dataflow
            compute(bill, layer, own, product, tiling, array, tree)
            if any(c.kind in ONE_BIT for c in own):
                bill.cycles["array"] += tiling.cycles
        else:
            for charge in own:
                bill.element(charge)
        dram = _memory(bill, layer, items, tiling, placed, resident, settings)
        if not (OPS[layer.op].streamed and group.open):
            group.close(bill, settings)
        group.add(layer.index, _cycles(own, tiling, settings), dram)
    group.close(bill, settings)
    area_lines(bill, work, array, settings)
    bill.leakage()
    return bill, work, flows, resident, placed


class _Group:
    """Layers that run at the same time: one on the array and those streamed behind it."""

    def __init__(self) -> None:
        self.open = False
        self.layer = -1
        self.engines: dict[str, Any] = {}
        self.dram: Any = 0

    def add(self, layer: int, engines: Mapping[str, Any], dram: Any) -> None:
        if not self.open:
            self.layer = layer
        self.open = True
        for name, cycles in engines.items():
            self.engines[name] = self.engines.get(name, 0) + cycles
        self.dram = self.dram + dram

    def close(self, bill: Bill, settings: Mapping[str, Any]) -> None:
        """The slowest engine of the group, or DRAM, sets the time."""
        if self.open:
            compute = 0
            for cycles in self.engines.values():
                compute = arith.maximum(compute, cycles)
            moving = 0 if settings["dram"] == "none" else self.dram / 8 / bill.bandwidth * settings["clock"]
            bill.time(self.layer, compute, moving)
        self.__init__()  # type: ignore[misc]


def _dataflows(ledger: Ledger, settings: Mapping[str, Any]) -> dict[int, str]:
    """The dataflow of each sum of products, by its layer."""
    products = [layer.index for layer in ledger.layers if OPS[layer.op].product]
    letters = settings["mapping"]
    if not letters:
        return dict.fromkeys(products, settings["dataflow"])
    if len(letters) != len(products) or not set(letters) <= set(FLOW_OF):
        raise CostmodelError(
            f"option mapping={letters!r}: {ledger.network} has {len(products)} sums of products, so expected "
            f"{len(products)} letters, each o (output) or w (weight)"
        )
    return {layer: FLOW_OF[letter] for layer, letter in zip(products, letters, strict=True)}


def _memory(
    bill: Bill,
    layer: Layer,
    items: list[Item],
    tiling: Tiling | None,
    placed: Mapping[str, Tensor],
    resident: Any,
    settings: Mapping[str, Any],
) -> Any:
    """Accesses to the buffers and to DRAM of one layer; returns the bits that cross the DRAM interface."""
    index = layer.index
    dram: Any = 0
    seen = 0
    stored = {"weight": 0, "parameter": 0}
    for item in items:
        bits, role = item.bits, item.role
        if item.tensor == TABLE:  # one entry is read for every result
            fetched = arith.where(resident, 0, bits)
            bill.sram(index, "weight", role, prod(layer.shape_out) * item.width, fetched)
            bill.dram(index, role, fetched)
            dram = dram + fetched
            continue
        if role in stored:
            stored[role] += bits
            continue
        tensor = placed[item.tensor]
        outside = tensor.in_dram
        if role == "output":
            if tensor.streamed:
                continue
            leaving = arith.where(outside, bits, 0)
            bill.sram(index, "activation", role, 0, bits - leaving)
            bill.dram(index, role, leaving)
            dram = dram + leaving
            continue
        reads = bits
        if tiling is not None:
            reads = tiling.input_reads if seen == 0 else tiling.weight_reads
        elif is_streamed_read(tensor, layer):
            reads = arith.where(outside, bits, 0)
        seen += 1
        staged: Any = 0
        if outside is not False:
            # Streamed through the buffer once for every set of weights that fits on the chip.
            weights = sum(each.bits for each in items if each.role == "weight")
            times = arith.maximum(arith.ceil_div(weights, 8 * settings["weight_sram"]), 1)
            staged = arith.where(outside, bits * arith.where(resident, 1, times), 0)
            bill.dram(index, role, staged)
            dram = dram + staged
        bill.sram(index, "activation", role, reads, staged)
    for kind, bits in stored.items():
        if bits:
            reads = tiling.weight_reads if tiling is not None and kind == "weight" else bits
            fetched = arith.where(resident, 0, bits)
            bill.sram(index, "weight", kind, reads, fetched)
            bill.dram(index, kind, fetched)
            dram = dram + fetched
    if tiling is not None:
        half = tiling.partial_sums / 2
        bill.sram(index, "activation", "partial_sum", half, half)
    return dram


def _cycles(own: list[Charge], tiling: Tiling | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Cycles of each engine: the array, the multiply-accumulate lanes, the lanes for single elements."""
    if tiling is not None:
        one_bit = any(c.kind in ONE_BIT for c in own)
        return {"array" if one_bit else "mac": tiling.cycles}
    work = sum(c.count for c in own if c.kind != "shift_const")
    return {"vector": arith.ceil_div(work, settings["vector_lanes"])} if work else {}


def _estimate(
    bill: Bill,
    work: Work,
    flows: Mapping[str, str],
    resident: bool,
    placed: Mapping[str, Tensor],
    target: Target,
    settings: Mapping[str, Any],
) -> Estimate:
    ledger = work.ledger
    names = work.names
    lines, used = tuple(bill.lines), bill.used()
    brief = Estimate(ledger.network, target.name, ledger.level, bill.totals("energy_J"), used, unused=METRICS)
    energy = brief.total("energy_J")
    latency = replace(brief, lines=bill.totals("latency_s")).total("latency_s")
    area = replace(brief, lines=bill.totals("area_mm2")).total("area_mm2")
    operations = 2 * work.macs
    derived = {
        "tops_per_watt": _per(operations / 1e12, energy),
        "power_W": _ratio(energy, latency),
        "images_per_second": _per(1.0, latency) if latency.value else Interval.exact(float("inf")),
        "tops": _per(operations / 1e12, latency),
    }
    array_cycles, lanes = bill.cycles["array"], settings["outputs"] * settings["terms"] * settings["pixels"]
    facts = {
        "array": "{outputs} outputs x {terms} terms x {pixels} positions".format_map(settings),
        "node_nm": bill.technology.node,
        "voltage_V": bill.technology.voltage,
        "real_format": settings["real_format"],
        "bits": ",".join([bill.technology.widths.text(), *as_asked(settings["kind_bits"])]),
        "dataflow": dict(flows),
        "weights_on_chip": resident,
        "weight_bits": work.weight_bits,
        "dram_tensors": sorted(t.name for t in placed.values() if t.in_dram),
        "cycles": bill.total_cycles,
        **({} if settings["dram"] == "none" else {"dram_bandwidth_B_per_s": bill.bandwidth}),
        "array_utilisation": work.popcounts / (array_cycles * lanes) if array_cycles else 0.0,
        "clock_Hz": settings["clock"],
        "wired_shifts": bill.wired,
        "unpriced": dict(bill.unpriced),
        "operations": operations,
    }
    joules = list(bill.technology.unpriced)
    if bill.interface_bits:
        joules.append(
            f"{bill.interface_bits:,} bits cross the interface of the chip; their energy is not in the totals"
        )
    for kind, count in bill.unpriced.items():
        joules.append(f"{count:,} operations of kind '{kind}' have no published cost and are not in the totals")
    lacking = dict.fromkeys(OF_ENERGY if joules else (), tuple(joules))
    if bill.technology.unbuilt:
        lacking["area_mm2"] = tuple(dict.fromkeys(bill.technology.unbuilt))
    notes = [*bill.technology.notes, *bill.technology.unbuilt, *joules, *bill.technology.borrowing()]
    return Estimate(
        ledger.network, target.name, ledger.level, lines, used, names, derived, facts, oversized(target, area.value),
        tuple(dict.fromkeys(notes)), unused(lines, METRICS),
        scope="chip core" if settings["dram"] == "none" else "chip + DRAM", left_out=lacking,
    )  # fmt: skip


def _ratio(a: Interval, b: Interval) -> Interval:
    """Of two independent quantities: relative half-widths add in quadrature."""
    if not b.value:
        return Interval.exact(0.0)
    value = a.value / b.value
    down = hypot(1 - a.low / a.value, b.high / b.value - 1) if a.value else 0.0
    up = hypot(a.high / a.value - 1, 1 - b.low / b.value) if a.value else 0.0
    return Interval(value, value / (1 + down), value * (1 + up))


def _per(amount: float, cost: Interval) -> Interval:
    """``amount / cost``; nothing is done for nothing."""
    if not cost.value:
        return Interval.exact(0.0)
    return Interval(amount / cost.value, amount / cost.high, amount / cost.low if cost.low > 0 else float("inf"))
