"""What the model of FPGAs charges for the units of :mod:`~costmodel.calibrate.hardware`: the laws of their parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from costmodel.calibrate.hardware import Stage
from costmodel.targets.fpga import streams, units
from costmodel.targets.fpga.units import MatrixShape, Part

Numbers = Mapping[str, int]
#: A table of constants with at most so many bits is logic, as in the text of ``sum_unit``.
LOGIC_BITS = 1024
#: Words of a table up to which it is part of the LUTs that add or compare its words.
MERGED = 64
#: LUTs that a memory of more than one piece takes at most: the tool makes 48 and not 72.
DEEP = 64
#: Folds of channels up to which the LUT of an adder selects between two shifts: sign, two bits, two of the fold.
SELECTED = 4
#: Sums of the addresses of ``padded_window``: rows and columns of a tap, ends of what is kept, the ring.
SUMS = 10


def parts(stages: Iterable[Stage]) -> tuple[Part, ...]:
    """The parts of a network."""
    return tuple(part for stage in stages for part in _LAWS[stage.module](stage.numbers))


def _handshake(folds: int = 1) -> tuple[Part, ...]:
    """Of a unit that makes a word of each word; with several folds it counts them."""
    counter = (folds - 1).bit_length()
    return (
        Part("lut", "control", "control", 1, ("stream_lut_base",)),
        Part("ff", "control", "control", 1, ("stream_ff_base",)),
        Part("lut", "control", "control", counter, ("adder_lut_per_bit",)),
        Part("ff", "control", "control", counter, ("register_ff_per_bit",)),
    )


def _table(words: int, bits: int) -> tuple[Part, ...]:
    """Constants that synthesis knows, one word at a time; a few are part of what uses them."""
    return units.memory("constants", "parameter", words, bits, 1, "distributed") if words > MERGED else ()


def _registers(bits: int) -> Part:
    return Part("ff", "elementwise", "output", bits, ("register_ff_per_bit",))


def _memory(component: str, depth: int, bits: int) -> tuple[Part, ...]:
    """With one port to write and one to read: four LUTs hold 32 words of six bits or 64 of three. Deeper memories are
    several of these with a multiplexer, up to :data:`DEEP` LUTs, and block RAM beyond, which has its own register."""
    pieces = math.ceil(depth / units.SERIES7.lutram_depth)
    luts = pieces * 4 * math.ceil(bits / (6 if depth <= 32 else 3))
    if pieces > 1 and luts > DEEP:
        return units.memory(component, "output", depth, bits, 1, "block")
    return (
        Part("lut", component, "output", luts, ("lutram_lut_per_bit",)),
        Part("lut", component, "output", bits if pieces > 1 else 0, ("mux4_lut_per_bit",)),
        Part("ff", component, "output", bits, ("register_ff_per_bit",)),
    )


def rom(words: int, bits: int) -> tuple[Part, ...]:
    """Weights in block RAM. The tool cuts a memory into pieces as deep as a block in one of its aspects and puts them
    side by side, in as few blocks as that takes; behind several pieces stands a multiplexer."""
    shapes = [(math.ceil(words / depth), wide) for depth, wide in units.SERIES7.ram]
    blocks, pieces = min((math.ceil(pieces * bits / wide), pieces) for pieces, wide in shapes)
    select = "mux2_lut_per_bit" if pieces == 2 else "mux4_lut_per_bit"
    return (
        Part("bram18", "weights", "weight", blocks, ("bram_decomposition",)),
        Part("lut", "weights", "weight", bits * math.ceil((pieces - 1) / 3), (select,)),
        Part("memory_bits", "weights", "weight", bits),
    )


def matrix(shape: MatrixShape, pe: int, simd: int) -> tuple[Part, ...]:
    """A matrix unit as its text has it: one memory of weights for all rows, thresholds that are constants."""
    found = units.mvu(shape, pe, simd, "behavioural")
    words = shape.mw // simd * (shape.mh // pe)
    folds = shape.mh // pe
    limits = units.memory("threshold", "parameter", folds, pe * shape.bits_acc, 1, "distributed") if folds > 1 else ()
    return (
        *(p for p in found if p.component != "weights" and (p.component, p.kind) != ("threshold", "parameter")),
        *rom(words, pe * simd),
        *(limits if shape.n_thresholds else ()),
    )


def _window(n: Numbers) -> tuple[Part, ...]:
    depth = n["B"] << (n["COLS"] - 1).bit_length()
    address = (n["ROWS"] + n["COLS"] + 2 * n["P"] + 2 * n["K"] + n["S"] - 1).bit_length() + 2
    sums = Part("lut", "control", "control", SUMS * address, ("adder_lut_per_bit",))
    return (*_memory("window", depth, n["W"]), sums, *streams.stream_control("behavioural", "window"))


def _matrix(n: Numbers) -> tuple[Part, ...]:
    shape = MatrixShape(n["MW"], n["MH"], 1, bits_acc=n["ACC"], n_thresholds=n["SIGNS"])
    return (
        *matrix(shape, n["PE"], n["SIMD"]),
        *(() if n["SIGNS"] else (_registers(n["PE"] * n["ACC"]),)),
    )


def _sum(n: Numbers) -> tuple[Part, ...]:
    """Products in multiplier blocks, or additions and subtractions; the constants of a small unit are logic."""
    pe, x, b, acc = n["PE"], n["X"], n["B"], n["ACC"]
    folds, words = n["MH"] // pe, n["MW"] * (n["MH"] // pe)
    shape = MatrixShape(n["MW"], n["MH"], 1, bits_a=x, bits_w=b, bits_acc=acc, n_thresholds=0)
    logic = words * pe * b <= LOGIC_BITS
    stored = _table(words, pe * b) if logic else units.memory("weights", "weight", words, pe * b, 1, "block")
    return (
        *(units.multiplier(pe, x, b) if b > 1 else ()),
        *units.accumulators(shape, pe, "behavioural"),
        *units.input_buffer(shape, pe, 1, "behavioural"),
        *stored,
        *((_registers(pe * b),) if logic else ()),
        *(_table(folds, pe * acc) if b > 1 else ()),
        *((part for part in streams.adder(pe, acc) if part.metric != "ff") if n["F"] else ()),
        _registers(pe * (acc - n["F"])),
        *units.control("behavioural"),
    )


def _counted(n: Numbers) -> tuple[Part, ...]:
    pixels = (n["PIXELS"] - 1).bit_length()
    return (
        *streams.adder(n["PE"], n["S"]),
        *_table(n["KINDS"] * n["FOLDS"], n["PE"] * n["S"]),
        *_table(n["PIXELS"], n["D"]),
        Part("lut", "control", "control", pixels, ("adder_lut_per_bit",)),
        Part("ff", "control", "control", pixels, ("register_ff_per_bit",)),
        *_handshake(n["FOLDS"]),
    )


def _shifted(n: Numbers) -> tuple[Part, ...]:
    """A multiplexer for all bits that are not zero whatever the amount is."""
    bits = min(n["Y"], n["W"] + (1 << n["A"]) - 1)
    rounded = [part for part in streams.adder(n["PE"], n["Y"]) if part.metric != "ff"] if n["ROUND"] else []
    amounts = 1 << n["A"] if n["FOLDS"] > 1 else 1
    return (
        *units.shifter(n["PE"], bits, "shift_channel", amounts),
        *rounded,
        _registers(n["PE"] * bits),
        *_handshake(n["FOLDS"]),
    )


def _biased(n: Numbers) -> tuple[Part, ...]:
    """The adder of a constant that is always the same is carries alone."""
    fixed = n["FOLDS"] == 1
    adder = [part for part in streams.adder(n["PE"], n["Y"]) if not (fixed and part.metric == "lut")]
    return (*adder, *_table(n["FOLDS"], n["PE"] * n["Y"]), *_handshake(n["FOLDS"]))


def _bent(n: Numbers) -> tuple[Part, ...]:
    """The select is in the LUTs of the adder of the constant, and the amount where few channels take turns."""
    amounts = 1 << n["A"] if n["FOLDS"] > SELECTED else 1
    shift = units.shifter(n["PE"], n["W"], "shift_channel", amounts, "activation")
    return (*shift, *streams.adder(n["PE"], n["Y"]), *_table(n["FOLDS"], n["PE"] * n["Y"]), *_handshake(n["FOLDS"]))


def _decided(n: Numbers) -> tuple[Part, ...]:
    fixed = n["FOLDS"] == 1
    table = () if fixed else _table(n["FOLDS"], n["PE"] * n["V"])
    return (*streams.comparator(n["PE"], n["V"], fixed=fixed), *table, *_handshake(n["FOLDS"]))


def _added(n: Numbers) -> tuple[Part, ...]:
    return (*streams.adder(n["PE"], n["Y"]), *_handshake())


def queue(width: int, words: int) -> tuple[Part, ...]:
    """A queue as its text has it."""
    control = [part for part in streams.fifo(width, words) if part.kind == "control"]
    return (*_memory("fifo", words, width), *control)


def _pooled(n: Numbers, bits: int, kind: str) -> tuple[Part, ...]:
    """A line that is read in the cycle that it is asked for is in LUTs, whatever it holds."""
    line, lanes = n["COLS"] // n["K"], n["PE"]
    found = streams.pool(line, n["FOLDS"] * lanes, bits, lanes, kind, "behavioural")
    kept = units.memory("pool", "input", line * n["FOLDS"], lanes * bits, 1, "distributed")
    return (*(part for part in found if part.kind != "input"), *kept)


_LAWS: Mapping[str, Callable[[Numbers], tuple[Part, ...]]] = {
    "padded_window": _window,
    "matrix_unit": _matrix,
    "sum_unit": _sum,
    "count_to_sum": _counted,
    "shift_map": _shifted,
    "bias_map": _biased,
    "qprelu_map": _bent,
    "threshold_map": _decided,
    "add_streams": _added,
    "sum_pool": lambda n: _pooled(n, n["Y"], "add"),
    "or_pool": lambda n: _pooled(n, 1, "or"),
    "stream_fork": lambda n: _handshake(),
    "fifo": lambda n: queue(n["W"], 2 ** n["A"]),
    "widen": lambda n: streams.width_converter(n["W"], n["W"] * n["N"], "behavioural"),
    "narrow": lambda n: streams.width_converter(n["W"] * n["N"], n["W"], "behavioural"),
}
