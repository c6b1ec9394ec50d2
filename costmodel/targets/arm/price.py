"""Arm cores: every operator of the runtime as a kernel with a known instruction mix and known traffic.

``latency = sum over operators of (instructions / throughput) * slowdown / clock + bytes / bandwidth + inner calls +
dispatch``. Instruction throughputs come from scheduling models of the cores, bandwidth from a measurement of the board,
and the few constants that no datasheet holds (how far kernels stay behind the core's ceiling, what an inner call costs)
from measured networks; those of a kernel library stand in the table ``kernels``, in the row of its family or of its
family and numbers. Energy is the board's power times the latency, that of a microcontroller its energy per cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import msgspec

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger
from costmodel.targets import arith
from costmodel.targets.arm.kernels import DISPATCH, work
from costmodel.targets.arm.library import Library, Work
from costmodel.targets.arm.operators import Operator, operators
from costmodel.targets.arrays import each, is_array, sums
from costmodel.targets.estimate import Estimate, Line, unused
from costmodel.targets.kept import kept
from costmodel.targets.quantity import Interval, Quantity
from costmodel.targets.spec import Parameter, Target

REAL_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}

#: What the model does not know of a network: one draw a network, not shared between designs.
MODEL_ERROR = "model_error"

#: Choices that every Arm target has; a target's own parameters come before them.
OPTIONS: Mapping[str, Parameter] = {
    "threads": Parameter(1, "threads that share the matrix products", min=1, max=256),
    "precision": Parameter(
        "fp32", "numbers of the real layers and of the activations", choices=("fp32", "fp16", "int8")
    ),
}


#: Choices that may be arrays, next to any other that is one value.
ARRAYS = ("clock", "threads")


def price(ledger: Ledger, target: Target, options: Mapping[str, Any]) -> Estimate:
    """The bill of a network on a core or board.

    Metrics: ``latency_s`` and, where the board's power is known, ``energy_J``. Raises :class:`CostmodelError` where the
    target lacks a constant that the network needs.
    """
    lines, totals, power, found = _run(ledger, target, options)
    library = _library(target, options["library"])
    precision, threads, clock = options["precision"], options["threads"], options["clock"]
    constants = _constants(target, totals, power, library.family)
    names = tuple(layer.name for layer in ledger.layers)
    metrics = ("latency_s", "energy_J") if power is not None else ("latency_s",)
    bill = Estimate(
        ledger.network, target.name, ledger.level, tuple(lines), constants, names, unused=unused(lines, metrics)
    )
    summed = tuple(Line(-1, "latency_s", "", "", amount, factors) for factors, amount in totals.items())
    latency = replace(bill, lines=summed).total("latency_s")
    derived = {}
    if latency.low > 0:
        derived["images_per_second"] = Interval(1 / latency.value, 1 / latency.high, 1 / latency.low)
    facts = {
        "core": target.structure.get("core", target.name),
        "clock_Hz": clock,
        "threads": threads,
        "library": f"{options['library']}: {library.title}",
        "precision": precision,
        "operators": len(found),
        **_memory(ledger, found, REAL_BYTES[precision], target),
    }
    powered = "energy_J" in {line.metric for line in lines}
    return replace(
        bill,
        derived=derived,
        facts=facts,
        scope="" if not powered else "chip" if power is None else "board",
        notes=tuple(_notes(found, library, threads, powered)),
    )


def totals(ledger: Ledger, target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """The nominal totals of :func:`price` by metric; options named in ``ARRAYS`` may be arrays of one length."""
    lines, by_factors, power, _ = _run(ledger, target, options)
    return sums(lines, _constants(target, by_factors, power, _library(target, options["library"]).family))


def _run(
    ledger: Ledger, target: Target, options: Mapping[str, Any]
) -> tuple[list[Line], dict[tuple[str, ...], Any], Quantity | None, list[Operator]]:
    """The lines of the bill, seconds by their constants, the power of the board where it is known, the operators."""
    library = _library(target, options["library"])
    precision, threads, clock = options["precision"], options["threads"], options["clock"]
    cores = int(target.structure.get("cores", 1))
    most = int(threads.max()) if is_array(threads) else threads
    if most > cores:
        raise CostmodelError(f"option threads={most}: {target.name} has {cores} core{'s' * (cores > 1)}")
    _check_precision(target, library, precision)
    found, kernels = _kernels(ledger, msgspec.json.encode(library), REAL_BYTES[precision], precision)
    own = _own_factors(ledger, target, options["library"], library.family, precision)
    speed = each(lambda busy: _speed(target, busy), threads)
    lossy = library.style == "panels" and cores > 1
    power = each(lambda busy: _power(target, busy), threads)
    per_cycle = "energy_per_cycle" in target.constants
    lines: list[Line] = []
    totals: dict[tuple[str, ...], Any] = {}
    powered: dict[tuple[str, ...], tuple[str, ...]] = {}  # factors of seconds -> those of joules
    for op, items in zip(found, kernels, strict=True):
        layer = op.layer.index
        seconds: dict[tuple[str, ...], Any] = {}
        hidden = _stream_seconds(target, op, items)
        for component, kind, work_amount, named, in_cycles, parallel in items:
            factors, cycles = own(named, in_cycles)
            alone = work_amount / (clock if cycles else 1.0)
            if hidden and component == "compute":
                alone = arith.maximum(alone - hidden * speed / _nominal(target, factors), 0.0)
            parts = [(alone / speed if parallel else alone, factors)]
            if parallel and lossy:
                parts.append((alone * (1 - 1 / speed), own((*named, "thread_loss"), in_cycles)[0]))
            for amount, priced in parts:
                seconds[priced] = seconds.get(priced, 0.0) + amount
                lines.append(Line(layer, "latency_s", component, kind, amount, priced))
        for factors, amount in seconds.items():
            totals[factors] = totals.get(factors, 0.0) + amount
            if power is not None:
                joules = powered.get(factors) or powered.setdefault(factors, (*factors, "power_board"))
                lines.append(Line(layer, "energy_J", "board", op.kind, amount, joules))
            elif per_cycle:
                lines.append(Line(layer, "energy_J", "chip", op.kind, amount * clock, (*factors, "energy_per_cycle")))
    return lines, totals, power, found


def _stream_seconds(target: Target, op: Operator, items: Sequence[Work]) -> float:
    """How long the weights of a dense layer stream from memory: products overlap with it, so the longer of both counts.

    A core whose memory runs on its own clock does not overlap them. Taken at the nominal constants.
    """
    if op.kind not in ("real_linear", "binary_linear") or "cycles_per_byte" in target.constants:
        return 0.0
    amount = sum(item.amount for item in items if item.component == "memory" and item.kind == "weight")
    return float(amount) * target.value("seconds_per_byte")


def _nominal(target: Target, factors: tuple[str, ...]) -> float:
    """The product of the constants of a line, model errors apart, which are one."""
    return prod(target.value(name) for name in factors if not name.startswith(MODEL_ERROR))


def _constants(
    target: Target, used: Mapping[tuple[str, ...], Any], power: Quantity | None, family: str
) -> dict[str, Quantity]:
    """The constants that lines of these factors name, and the power of the board or the energy of a cycle."""
    names = sorted({name for factors in used for name in factors})
    constants = {name: _constant(target, name, family) for name in names}
    if power is not None:
        constants["power_board"] = power
    elif "energy_per_cycle" in target.constants:
        constants["energy_per_cycle"] = target.constants["energy_per_cycle"]
    return constants


@kept
def _kernels(
    ledger: Ledger, library: bytes, real_bytes: int, real: str
) -> tuple[list[Operator], list[tuple[Work, ...]]]:
    """The operators of a network, and the work that each of them is with a library (given as JSON)."""
    chosen = msgspec.json.decode(library, type=Library)
    found = operators(ledger)
    return found, [
        tuple(item for item in (*work(op, chosen, real_bytes, real), DISPATCH) if item.amount) for op in found
    ]


@kept
def _weight_bits(ledger: Ledger) -> int:
    return ledger.weight_bits()


Own = Callable[[tuple[str, ...], bool], tuple[tuple[str, ...], bool]]


def _own_factors(ledger: Ledger, target: Target, library: str, family: str, precision: str) -> Own:
    """From the constants that a kernel names to those of this network, library and target; whether they count cycles.

    Every line bears the network's own model error and, for a library that was measured against another, their ratio. A
    core whose memory runs on its own clock counts cycles per byte. What a library has of its own comes before the rest.
    """
    suffix = [f"{MODEL_ERROR} of {ledger.network}"]
    ratio = f"library_slowdown.{library}.factor"
    if ratio in target.constants:
        suffix.append(ratio)
    on_clock = "cycles_per_byte" in target.constants
    rows = (f"kernels.{family}_{precision}", f"kernels.{family}") if family else ()
    known: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}

    def owned(name: str) -> str:
        return next((f"{row}.{name}" for row in rows if f"{row}.{name}" in target.constants), name)

    def own(named: tuple[str, ...], cycles: bool) -> tuple[tuple[str, ...], bool]:
        if named not in known:
            memory = on_clock and named == ("seconds_per_byte",)
            factors = ("cycles_per_byte",) if memory else tuple(map(owned, named))
            known[named] = (*factors, *suffix), cycles or memory
        return known[named]

    return own


def _constant(target: Target, name: str, family: str) -> Quantity:
    if not name.startswith(f"{MODEL_ERROR} of "):
        return target.constant(name)
    own = f"kernels.{family}.{MODEL_ERROR}"
    return target.constant(own if own in target.constants else MODEL_ERROR)


def _check_precision(target: Target, library: Library, precision: str) -> None:
    """Raises :class:`CostmodelError` for numbers that the core or the library does not multiply."""
    if f"cycles_{precision}_mac" not in target.constants:
        known = [p for p in REAL_BYTES if f"cycles_{p}_mac" in target.constants]
        raise CostmodelError(f"option precision={precision}: {target.name} multiplies {' and '.join(known)}")
    if library.style == "im2col" and precision not in library.transform_instructions:
        known = list(library.transform_instructions)
        raise CostmodelError(f"option precision={precision}: {library.title} has kernels for {' and '.join(known)}")


def _speed(target: Target, threads: int) -> float:
    """How many times faster shared work is on that many cores than on the fastest alone."""
    clocks = target.structure.get("core_clocks")
    return float(threads) if clocks is None else sum(clocks[:threads]) / clocks[0]


def _power(target: Target, threads: int) -> Quantity | None:
    """Power of the whole board with that many cores busy."""
    if "power_idle" not in target.constants:
        return None
    idle, core = target.constants["power_idle"], target.constant("power_core")
    value, low, high = (
        a + threads * b for a, b in ((idle.value, core.value), (idle.low, core.low), (idle.high, core.high))
    )
    source = "; ".join(dict.fromkeys((idle.source, core.source)))
    return Quantity(value, idle.unit, low, high, source, idle.confidence, f"idle board and {threads} busy")


def _memory(ledger: Ledger, found: list[Operator], real_bytes: int, target: Target) -> dict[str, Any]:
    """What the network holds and moves, against the caches."""
    weights = _weight_bits(ledger) // 8
    largest = max(((sum(op.elements_in) + op.elements_out) * real_bytes for op in found), default=0)
    facts: dict[str, Any] = {"weight_bytes": weights, "largest_operator_bytes": largest}
    for name in ("cache_l1", "cache_l2", "sram"):
        if name in target.constants:
            size = target.constants[name].value
            facts[f"{name}_bytes"] = int(size)
    if "sram_bytes" in facts and largest > facts["sram_bytes"]:
        facts["exceeds"] = f"activations of {largest} bytes, memory of {facts['sram_bytes']}"
    return facts


def _notes(found: list[Operator], library: Library, threads: int, powered: bool) -> list[str]:
    notes = []
    unpacked = [op.layer.name for op in found if op.kind == "binary_linear" and not library.binary_dense]
    mixed = [
        op.layer.name for op in found
        if op.kind in ("real_conv", "real_linear", "depthwise") and op.layer.b is not None
        and op.layer.a.is_one_bit != op.layer.b.is_one_bit
    ]  # fmt: skip
    other = sorted({op.layer.op for op in found if op.kind == "other"})
    if unpacked:
        notes.append(
            f"{library.title} has no dense kernel for bits: weights of {_some(unpacked)} are unpacked each run"
        )
    if mixed:
        notes.append(f"no kernel mixes bits with numbers: {_some(mixed)} run as real products")
    if other:
        notes.append(f"priced by the bytes they move alone: {', '.join(other)}")
    if threads > 1:
        loss = "with a loss that was fitted" if library.style == "panels" else "without loss"
        notes.append(f"threads share the products only, {loss}; what moves tensors is bound by their memory")
    if not library.binary and any(op.kind in ("binary_conv", "binary_linear") for op in found):
        notes.append(f"{library.title} has no kernels for bits: products of bits run as real ones")
    if not powered:
        notes.append("no source for the power of this target: no energy is given")
    return notes


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _library(target: Target, name: str) -> Library:
    try:
        return msgspec.convert(target.structure["libraries"][name], Library)
    except (KeyError, TypeError):
        raise CostmodelError(f"{target.file}: structure.libraries has no entry {name!r}") from None
    except msgspec.ValidationError as error:
        raise CostmodelError(f"{target.file}: structure.libraries.{name}: {error}") from error
