"""The units that are synthesised for FPGAs: ports, what they compute, sizes, and what the model says of them.

``sizes`` fit a unit's law, ``held`` score it; ``tiny`` are small enough to be tried on every input. The functions that
say what a unit computes are those of the integer executor (:mod:`costmodel.deploy.elementwise`): a right shift rounds
half up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.deploy.program import Array
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.makers import Impl
from costmodel.targets.fpga.units import Fabric, Part

#: The texts of all units, in ``calibrate/rtl``.
FILES = ("arithmetic.sv", "compare.sv", "popcount.sv", "shift.sv", "stream.sv", "window.sv")

Ports = tuple[dict[str, int], dict[str, int]]
Size = tuple[int, ...]
#: Terms of a law: functions of the size, fitted with one coefficient each.
Term = Callable[[Size], float]


@dataclass(frozen=True)
class Unit:
    """``names`` are the parameters that a size gives values to. ``flow``: ``default``, ``nodsp`` (no multiplier blocks)
    or ``area`` (mapped for area instead of for delay).

    ``computes`` maps operands to results, as arrays of integers by port; None for units with a state.
    ``priced`` are the parts that the model charges for one of them.
    """

    name: str
    module: str
    names: tuple[str, ...]
    ports: Callable[..., Ports]
    sizes: tuple[Size, ...]
    held: tuple[Size, ...]
    terms: Mapping[str, Term]
    priced: Callable[[Size, Fabric, Impl], tuple[Part, ...]]
    computes: Callable[..., dict[str, Array]] | None = None
    tiny: tuple[Size, ...] = ()
    fixed: Mapping[str, int] | None = None
    flow: str = "default"

    def parameters(self, size: Size) -> dict[str, int]:
        return {**dict(zip(self.names, size, strict=True)), **(self.fixed or {})}

    def label(self, size: Size) -> str:
        return "_".join([self.name, *map(str, size)])


def bits_of(most: int) -> int:
    """Bits that hold 0 to ``most``."""
    return most.bit_length()


def signed(x: Array, bits: int) -> Array:
    """Two's complement of ``bits`` bits as integers with a sign."""
    return np.where(x >= 1 << (bits - 1), x - (1 << bits), x)


def cut(x: Array, bits: int) -> Array:
    return x & ((1 << bits) - 1)


def _ones(x: Array, n: int) -> Array:
    return sum(((x >> k) & 1 for k in range(n)), np.zeros_like(x))


def _xnor_popcount(a: Array, w: Array, *, N: int, **_: int) -> dict[str, Array]:
    return {"y": N - _ones(a ^ w, N)}


def _popcount(x: Array, *, N: int, **_: int) -> dict[str, Array]:
    return {"y": _ones(x, N)}


def _adder(a: Array, b: Array, *, W: int) -> dict[str, Array]:
    return {"y": cut(a + b, W)}


def _tree(x: Array, *, N: int, W: int) -> dict[str, Array]:
    total = sum(signed(cut(x >> (k * W), W), W) for k in range(N))
    return {"y": cut(np.asarray(total), W + math.ceil(math.log2(N)))}


def _flip(sum: Array, x: Array, w: Array, *, W: int) -> dict[str, Array]:
    return {"y": cut(np.where(w == 1, sum + x, sum - x), W)}


def _multiplier(a: Array, b: Array, *, A: int, B: int) -> dict[str, Array]:
    return {"y": cut(signed(a, A) * signed(b, B), A + B)}


def _comparator(x: Array, limit: Array, *, W: int) -> dict[str, Array]:
    return {"y": (signed(x, W) >= signed(limit, W)).astype(int)}


def _threshold(x: Array, *, W: int, LIMIT: int) -> dict[str, Array]:
    return {"y": (signed(x, W) >= LIMIT).astype(int)}


def _bank(x: Array, limits: Array, *, W: int, N: int) -> dict[str, Array]:
    reached = [signed(x, W) >= signed(cut(limits >> (k * W), W), W) for k in range(N)]
    return {"level": np.sum(reached, axis=0)}


def _maximum(a: Array, b: Array, *, W: int) -> dict[str, Array]:
    return {"y": cut(np.maximum(signed(a, W), signed(b, W)), W)}


def _shift_const(x: Array, *, W: int, RIGHT: int) -> dict[str, Array]:
    return {"y": cut(signed(x, W) >> RIGHT, W), "carry": (x >> (RIGHT - 1)) & 1}


def _shift_channel(x: Array, amount: Array, *, W: int, A: int = 0) -> dict[str, Array]:
    return {"y": cut(signed(x, W) >> amount, W)}


def _qprelu(x: Array, *, W: int, K: int) -> dict[str, Array]:
    negative = signed(x, W) < 0
    return {
        "y": cut(np.where(negative, signed(x, W) >> K, x), W),
        "carry": np.where(negative, (x >> (K - 1)) & 1, 0),
    }


def _qprelu_channel(x: Array, amount: Array, *, W: int, A: int) -> dict[str, Array]:
    return {"y": cut(np.where(signed(x, W) < 0, signed(x, W) >> amount, x), W)}


def _prelu(x: Array, slope: Array, *, W: int, F: int, ROUND: int = 0) -> dict[str, Array]:
    half = ROUND << (F - 1)
    scaled = (signed(x, W) * signed(slope, W) + half) >> F
    return {"y": cut(np.where(signed(x, W) < 0, scaled, x), W)}


def _scale_bias(x: Array, scale: Array, bias: Array, *, W: int, F: int) -> dict[str, Array]:
    return {"y": cut(((signed(x, W) * signed(scale, W) + (1 << (F - 1))) >> F) + bias, W)}


def _one(W: int) -> Ports:
    return {"x": W}, {"y": W}


def _two(W: int) -> Ports:
    return {"a": W, "b": W}, {"y": W}


def _xnor(N: int, COMPRESSOR: int) -> Ports:
    return {"a": N, "w": N}, {"y": bits_of(N)}


def _stream(width_in: int, width_out: int) -> Ports:
    return (
        {"clk": 1, "rst": 1, "in_data": width_in, "in_valid": 1, "out_ready": 1},
        {"in_ready": 1, "out_data": width_out, "out_valid": 1},
    )


def _log2(n: int) -> int:
    return math.ceil(math.log2(n))


LANES = tuple((n,) for n in (8, 16, 32, 64, 128, 192))
HELD_LANES = tuple((n,) for n in (12, 24, 48, 96, 160))
WORDS = tuple((w,) for w in (8, 12, 16, 24, 32, 48))
HELD_WORDS = tuple((w,) for w in (10, 14, 20, 28, 40))
PRODUCTS = tuple((w, w) for w in (4, 6, 8, 12, 16))
HELD_PRODUCTS = ((5, 5), (7, 7), (10, 10), (14, 14))

_N: Mapping[str, Term] = {"1": lambda s: 1, "N": lambda s: s[0]}
_W: Mapping[str, Term] = {"1": lambda s: 1, "W": lambda s: s[0]}
_BARREL: Mapping[str, Term] = {"W": lambda s: s[0], "W*stages": lambda s: s[0] * _log2(s[0])}


def _lanes(n: int, impl: Impl, fabric: Fabric) -> tuple[Part, ...]:
    """The popcount of a matrix unit of one row, without its registers."""
    shape = units.MatrixShape(n, 1, 1)
    return tuple(p for p in units.lanes(shape, 1, n, impl, fabric) if p.metric != "ff")


def _accumulator(bits: int) -> tuple[Part, ...]:
    """The sums of a matrix unit of one row, without thresholds."""
    return tuple(
        p for p in units.accumulators(units.MatrixShape(1, 1, 1, bits_acc=bits, n_thresholds=0), 1, "behavioural")
    )


def _thresholds(bits: int, levels: int) -> tuple[Part, ...]:
    """The comparisons of a matrix unit of one lane and many rows, whose thresholds come from memory."""
    shape = units.MatrixShape(1, 2, 1, bits_acc=bits, n_thresholds=levels)
    return tuple(p for p in units.accumulators(shape, 1, "behavioural") if p.component == "threshold")


UNITS: tuple[Unit, ...] = (
    Unit("xnor_popcount", "xnor_popcount", ("N",), _xnor, LANES, HELD_LANES, _N,
         lambda s, f, i: _lanes(s[0], "behavioural", f), _xnor_popcount, ((5,), (8,)), {"COMPRESSOR": 0}),
    Unit("xnor_popcount_compressor", "xnor_popcount", ("N",), _xnor, LANES, HELD_LANES,
         _N, lambda s, f, i: _lanes(s[0], "compressor", f),
         _xnor_popcount, ((5,), (9,)), {"COMPRESSOR": 1}, "area"),
    Unit("xnor_accumulate", "xnor_accumulate", ("N", "W"),
         lambda N, W, COMPRESSOR: ({"clk": 1, "enable": 1, "first": 1, "a": N, "w": N}, {"sum": W}),
         ((8, 8), (16, 12), (32, 16), (64, 16), (128, 16)), ((12, 10), (24, 12), (48, 16), (96, 16)),
         {"1": lambda s: 1, "N": lambda s: s[0], "W": lambda s: s[1]},
         lambda s, f, i: (*_lanes(s[0], "behavioural", f), *_accumulator(s[1])), None, ((8, 8),),
         {"COMPRESSOR": 0}),
    Unit("adder", "adder", ("W",), _two, WORDS, HELD_WORDS, _W,
         lambda s, f, i: tuple(p for p in streams.adder(1, s[0]) if p.metric != "ff"), _adder, ((4,), (7,))),
    Unit("accumulator", "accumulator", ("W",),
         lambda W: ({"clk": 1, "enable": 1, "first": 1, "x": W}, {"sum": W}), WORDS, HELD_WORDS, _W,
         lambda s, f, i: _accumulator(s[0]), None, ((8,),)),
    Unit("adder_tree", "adder_tree", ("N", "W"), lambda N, W: ({"x": N * W}, {"y": W + _log2(N)}),
         ((4, 4), (8, 4), (8, 8), (16, 4), (16, 8), (32, 8)), ((4, 8), (16, 6), (32, 4), (8, 6)),
         {"(N-2)*W": lambda s: (s[0] - 2) * s[1], "N": lambda s: s[0], "N*stages": lambda s: s[0] * _log2(s[0])},
         lambda s, f, i: (Part("lut", "compute", "add", s[0] * (s[1] + 1), ("tree_behavioural_lut_per_bit",)),),
         _tree, ((4, 3), (3, 4))),
    Unit("add_or_subtract", "add_or_subtract", ("W",), lambda W: ({"sum": W, "x": W, "w": 1}, {"y": W}),
         WORDS, HELD_WORDS, _W,
         lambda s, f, i: _accumulator(s[0]), _flip, ((4,), (7,))),
    Unit("multiplier_lut", "multiplier", ("A", "B"), lambda A, B: ({"a": A, "b": B}, {"y": A + B}),
         PRODUCTS, HELD_PRODUCTS, {"A*B": lambda s: s[0] * s[1], "(A+B)/2": lambda s: (s[0] + s[1]) / 2},
         lambda s, f, i: units.multiplier_luts("multiply", 1, s[0], s[1], "tree_behavioural_lut_per_bit"), _multiplier,
         ((5, 5), (3, 7)), flow="nodsp"),
    Unit("multiplier", "multiplier", ("A", "B"), lambda A, B: ({"a": A, "b": B}, {"y": A + B}),
         ((8, 8), (16, 16), (32, 32)), (), {}, lambda s, f, i: units.multiplier(1, s[0], s[1], fabric=f), _multiplier),
    Unit("comparator", "comparator", ("W",), lambda W: ({"x": W, "limit": W}, {"y": 1}), WORDS, HELD_WORDS, _W,
         lambda s, f, i: tuple(p for p in streams.comparator(1, s[0]) if p.metric != "ff"), _comparator, ((4,), (7,))),
    Unit("threshold", "threshold", ("W",), lambda W, LIMIT: ({"x": W}, {"y": 1}), WORDS, HELD_WORDS, _W,
         lambda s, f, i: streams.comparator(1, s[0], fixed=True), _threshold, ((6,), (8,)),
         {"LIMIT": 21}),
    Unit("threshold_bank", "threshold_bank", ("W", "N"),
         lambda W, N: ({"x": W, "limits": N * W}, {"level": bits_of(N)}),
         ((8, 3), (8, 7), (16, 3), (16, 7), (24, 3), (16, 15)), ((12, 3), (12, 7), (20, 3), (12, 15)),
         {"W*N": lambda s: s[0] * s[1], "N": lambda s: s[1], "N*stages": lambda s: s[1] * bits_of(s[1])},
         lambda s, f, i: _thresholds(s[0], s[1]), _bank, ((3, 3), (4, 2))),
    Unit("maximum", "maximum", ("W",), _two, WORDS, HELD_WORDS, _W,
         lambda s, f, i: (Part("lut", "pool", "compare", s[0], ("max_lut_per_bit",)),), _maximum, ((4,), (7,))),
    Unit("shift_const", "shift_const", ("W",), lambda W, RIGHT: ({"x": W}, {"y": W, "carry": 1}),
         ((16,), (32,)), (), {}, lambda s, f, i: units.shifter(1, s[0], "shift_const"), _shift_const, ((8,), (12,)),
         {"RIGHT": 3}),
    Unit("shift_channel", "shift_channel", ("W",), lambda W, A: ({"x": W, "amount": A}, {"y": W}),
         WORDS, HELD_WORDS, _W, lambda s, f, i: units.shifter(1, s[0], "shift_channel", 4), _shift_channel,
         ((8,), (12,)), {"A": 2}),
    Unit("shift_var", "shift_var", ("W",), lambda W: ({"x": W, "amount": _log2(W)}, {"y": W}), WORDS, HELD_WORDS,
         _BARREL, lambda s, f, i: units.shifter(1, s[0], "shift_var", 1 << _log2(s[0])), _shift_channel, ((8,), (16,))),
    Unit("qprelu", "qprelu", ("W",), lambda W, K: ({"x": W}, {"y": W, "carry": 1}), WORDS, HELD_WORDS, _W,
         lambda s, f, i: units.qprelu(1, s[0]), _qprelu, ((8,), (12,)), {"K": 3}),
    Unit("qprelu_channel", "qprelu_channel", ("W",), lambda W, A: ({"x": W, "amount": A}, {"y": W}),
         WORDS, HELD_WORDS, _W, lambda s, f, i: units.qprelu(1, s[0], 4), _qprelu_channel, ((8,), (12,)), {"A": 2}),
    Unit("prelu", "prelu", ("W",), lambda W, F, ROUND: ({"x": W, "slope": W}, {"y": W}), ((8,), (16,), (32,)), (), {},
         lambda s, f, i: units.prelu(1, s[0], 10, f), _prelu, ((8,),), {"F": 10, "ROUND": 0}),
    Unit("prelu_rounded", "prelu", ("W",), lambda W, F, ROUND: ({"x": W, "slope": W}, {"y": W}),
         ((8,), (16,), (32,)), (), {}, lambda s, f, i: units.prelu(1, s[0], 4, f, True), _prelu, ((8,),),
         {"F": 4, "ROUND": 1}),
    Unit("scale_bias", "scale_bias", ("W",), lambda W, F: ({"x": W, "scale": W, "bias": W}, {"y": W}),
         ((8,), (16,), (32,)), (), {},
         lambda s, f, i: (*units.multiplier(1, s[0], s[0], s[0] + 4, fabric=f),
                          *units.rounding(1, s[0], s[0], fabric=f),
                          *(p for p in streams.adder(1, s[0]) if p.metric != "ff")), _scale_bias, ((6,),), {"F": 4}),
    Unit("stream_register", "stream_register", ("W",), lambda W: _stream(W, W), WORDS, HELD_WORDS, _W,
         lambda s, f, i: streams.fifo(s[0], fabric=f), None, ((8,),)),
    Unit("fifo", "fifo", ("W", "A"), lambda W, A: _stream(W, W),
         ((8, 5), (16, 5), (32, 5), (24, 5)), ((12, 5), (20, 5), (28, 5)), {"1": lambda s: 1, "W": lambda s: s[0]},
         lambda s, f, i: streams.fifo(s[0], 2 ** s[1], fabric=f), None, ((8, 2),)),
    Unit("widen", "widen", ("W", "N"), lambda W, N: _stream(W, W * N),
         ((4, 4), (8, 4), (8, 6), (8, 8), (16, 8)), ((4, 8), (16, 4)),
         {"1": lambda s: 1, "W*N": lambda s: s[0] * s[1], "stages": lambda s: _log2(s[1]),
          "N is no power of two": lambda s: s[1] != 1 << _log2(s[1])},
         lambda s, f, i: streams.width_converter(s[0], s[0] * s[1], i),
         None, ((4, 4), (3, 3))),
    Unit("narrow", "narrow", ("W", "N"), lambda W, N: _stream(W * N, W),
         ((4, 4), (8, 4), (8, 8), (16, 8)), ((4, 8), (8, 6), (16, 4)),
         {"1": lambda s: 1, "W*N": lambda s: s[0] * s[1], "W": lambda s: s[0]},
         lambda s, f, i: streams.width_converter(s[0] * s[1], s[0], i),
         None, ((4, 4), (3, 3))),
    Unit("sliding_window", "sliding_window", ("W", "ROWS", "COLS", "K"),
         lambda W, ROWS, COLS, K: _stream(W, W), ((8, 16, 16, 3), (16, 32, 32, 3), (32, 32, 32, 3), (16, 30, 30, 5)),
         ((24, 28, 28, 3), (16, 24, 24, 3)), {"1": lambda s: 1, "W*mux": lambda s: s[0] * math.ceil(s[3] / 3),
          "blocks*words": lambda s: (s[3] + 1) * math.ceil(s[0] / 6) * math.ceil(s[2] / 16)},
         lambda s, f, i: streams.window(streams.WindowShape(s[2], 1, s[0], s[3]), 1, "behavioural", "distributed", f),
         None, ((8, 5, 6, 3), (4, 4, 5, 2))),
)  # fmt: skip

BY_NAME: Mapping[str, Unit] = {unit.name: unit for unit in UNITS}


def wrapped(unit: Unit, size: Size) -> str:
    """A module ``u_...`` with the unit at one size, within a boundary that synthesis keeps."""
    parameters = unit.parameters(size)
    inputs, outputs = unit.ports(**parameters)
    declared = [f"input logic [{w - 1}:0] {n}" for n, w in inputs.items()]
    declared += [f"output logic [{w - 1}:0] {n}" for n, w in outputs.items()]
    values = ", ".join(f".{n}({v})" for n, v in parameters.items())
    return (
        f"(* keep_hierarchy *) module u_{unit.label(size)} ({', '.join(declared)});\n"
        f"  {unit.module} #({values}) unit (.*);\nendmodule\n"
    )


def batch(cases: Sequence[tuple[Unit, Size]]) -> str:
    """One module ``all_units`` that holds all cases side by side."""
    pins, lines = ["input logic clk"], []
    for unit, size in cases:
        label = unit.label(size)
        inputs, outputs = unit.ports(**unit.parameters(size))
        wires = []
        for direction, ports in (("input", inputs), ("output", outputs)):
            for name, width in ports.items():
                pin = "clk" if name == "clk" else f"{label}_{name}"
                wires.append(f".{name}({pin})")
                if pin != "clk":
                    pins.append(f"{direction} logic [{width - 1}:0] {pin}")
        lines.append(f"  u_{label} i_{label} ({', '.join(wires)});")
    modules = [wrapped(unit, size) for unit, size in cases]
    return "\n".join([*modules, f"module all_units ({', '.join(pins)});", *lines, "endmodule", ""])
