"""Area and leakage of an accelerator: units by kind, registers and buffers.

Only the units that the network needs are built: multipliers where multiplications remain, barrel shifters where shifts
vary, XNOR-popcount trees where there are binary products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from costmodel.graph.domain import FLOAT_BITS
from costmodel.ledger.ledger import Charge
from costmodel.targets import arith
from costmodel.targets.asic.array import Array
from costmodel.targets.asic.bill import Bill
from costmodel.targets.asic.work import Work


def area_lines(bill: Bill, work: Work, array: Array, settings: Mapping[str, Any]) -> None:
    """Lines of ``area_mm2``, and what leaks, for the accelerator that this network needs."""
    t = bill.technology
    bill.constants.setdefault("area_overhead", bill.target.constant("area_overhead"))
    sums = [c.bits_acc for in_product, c in work.kinds if in_product and c.kind == "popcount"]
    if sums:
        trees = array.outputs * array.pixels
        acc = arith.either(settings["accumulator_bits"], max(sums))
        _build(bill, "array", "xnor", trees * array.terms, 1)
        _build(bill, "array", "popcount", trees, array.terms)
        _build(bill, "array", "add", trees, acc)
        _build(bill, "array", "register", trees * acc + array.outputs * array.terms + array.terms * array.pixels, 1)
    widest: dict[tuple[str, str], float] = {}
    for in_product, c in work.kinds:
        engine = "mac" if in_product else "vector"
        for unit, width in _units(bill, c, in_product):
            widest[engine, unit] = max(widest.get((engine, unit), 0), width)
    for (engine, unit), width in widest.items():
        _build(bill, engine, unit, settings[f"{engine}_lanes"], width)
    if any(engine == "mac" for engine, _ in widest):
        _build(bill, "mac", "register", 3 * t.real_bits * settings["mac_lanes"], 1)
    for buffer in ("activation", "weight"):
        for what in ("area", "leakage"):
            bill.constants.setdefault(f"{buffer}_sram.{what}", bill.memory(buffer, what))
        bill.area("sram", buffer, settings["sram_banks"], (f"{buffer}_sram.area",))
        bill.leaks.append((buffer, settings["sram_banks"], bill.leakage_factors(buffer)))


def _units(bill: Bill, c: Charge, in_product: bool) -> Sequence[tuple[str, float]]:
    """Units that carry out a charge, with their widths."""
    t = bill.technology
    wide = t.width(max(c.bits_a, c.bits_b, 1))
    acc = max(wide, t.width(c.bits_acc)) if c.bits_acc else wide
    real = t.is_float and FLOAT_BITS in (c.bits_a, c.bits_b, c.bits_acc)
    match c.kind:
        case "mul":
            a, b = t.width(c.bits_a), t.width(max(c.bits_b, 1))
            return [("fmul" if real else "mul", wide if a == b else math.sqrt(a * b))]
        case "add":
            return [("fadd" if real else "add", acc)]
        case "compare":
            return [("compare" if c.bits_b else "mux", wide)]
        case "signflip":
            return [("xnor", wide)] + ([("fadd" if real else "add", acc)] if c.bits_acc else [])
        case "shift_var":
            return [("add", 8) if real else ("shift", wide)]
        case "shift_channel" if t.settings["channel_shift"] == "barrel":
            return [("add", 8) if real else ("shift", wide)]
        case "lut":
            return [("mux", wide)]
        case "xnor" | "and" | "popcount":
            return [] if in_product else [("xnor", wide)]
        case _:
            return []


def _build(bill: Bill, component: str, unit: str, count: Any, width: Any) -> None:
    t = bill.technology
    if t.has(unit, "area"):
        bill.area(component, unit, count, (*t.factors(unit, width, "area"), "area_overhead"))
    else:
        bill.technology.unbuilt.append(f"the area of {component} {unit} units is not known in this technology")
    if t.has(unit, "leakage"):
        bill.leaks.append((unit, count, t.factors(unit, width, "leakage")))
    elif t.has(unit, "area"):
        bill.leaks.append((unit, count, (*t.factors(unit, width, "area"), *bill.leakage_density())))
