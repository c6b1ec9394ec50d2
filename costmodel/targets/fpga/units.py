"""What one building block of an FPGA design costs: pure arithmetic on sizes, without a device, a file or a network.

Every function returns a tuple of :class:`Part`: ``coefficient`` (exact, from the geometry) times the constants named in
``factors`` (from ``arch_specs/fpga``). ``totals(parts, constants)`` multiplies them out. ``pe`` and ``simd`` may be
integers or numpy arrays of one shape: the arithmetic is the same, so that a search over foldings evaluates the very
model that prices one design.

    parts = mvu(shape, pe, simd, impl)          # one matrix-vector-threshold unit
    totals(parts, constants)["lut"]             # a number, or an array when pe and simd are arrays

The unit is the one of the streaming dataflow style (Umuroglu et al., FPGA 2017; Blott et al., TRETS 2018): ``pe`` rows
of the matrix at a time, ``simd`` columns at a time, so that a vector takes ``(mh/pe) * (mw/simd)`` cycles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from costmodel.targets.arith import bit_length, ceil_div, minimum, where
from costmodel.targets.fpga.makers import Maker, by_hls, is_finn, product_law, unit_law

#: Where a memory is put; ``auto`` lets its size decide.
RamStyle = Literal["auto", "block", "distributed", "ultra"]

#: What products are made of; ``auto`` lets their width decide.
Products = Literal["auto", "lut", "dsp"]

#: A memory of at most this many bits is built from LUTs by high-level synthesis; above, from block RAM.
LUTRAM_MAX_BITS = 1024
#: (depth, width) of one UltraRAM.
URAM_ASPECT = (4096, 72)


class Part(NamedTuple):
    """One addend of a cost: ``coefficient * product(constants[f] for f in factors)``."""

    metric: str
    component: str
    kind: str
    coefficient: Any
    factors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MatrixShape:
    """A layer as a matrix: ``vectors`` products of an ``mh`` by ``mw`` matrix with a vector.

    A convolution has ``mw = C_in/groups * k * k``, ``mh = C_out``, ``vectors = H_out * W_out``. ``n_thresholds``
    comparisons of ``bits_acc`` bits a result (1: a sign), 0 when the sum itself leaves the unit. ``depthwise`` units
    hold one kernel per channel and need no input buffer; ``pow2`` weights shift the activation, each by its own amount.
    """

    mw: int
    mh: int
    vectors: int
    bits_a: int = 1
    bits_w: int = 1
    bits_acc: int = 16
    n_thresholds: int = 1
    depthwise: bool = False
    pow2: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Fabric:
    """What a family of devices is made of, as far as geometry goes. Compared by identity, so that it is a cheap key.

    ``dsp_wide`` x ``dsp_narrow`` is the multiplier of a DSP block, ``tile_wide`` x ``tile_narrow`` the tiles from which
    a larger product is built. ``ram`` lists (depth, width) of a block RAM in simple dual-port mode, widest first;
    ``ram_pair`` says that two of them make one of twice the depth at width one. ``lutram_depth`` and ``srl_depth`` are
    the words of one bit that one LUT holds as memory and as shift register, 0 where it cannot. Products of at most
    ``dsp_adds`` blocks are rounded by the adders of the blocks, others by one of LUTs.
    """

    dsp_wide: int = 25
    dsp_narrow: int = 18
    tile_wide: int = 24
    tile_narrow: int = 17
    ram: tuple[tuple[int, int], ...] = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
    ram_pair: bool = True
    lutram_depth: int = 64
    srl_depth: int = 32
    dsp_adds: int = 64


#: DSP48E1 and block RAM of the Xilinx 7 series (UG473, UG479).
SERIES7 = Fabric()


def totals(parts: Iterable[Part], constants: Mapping[str, float]) -> dict[str, Any]:
    """Sum of the parts by metric."""
    table: dict[str, Any] = {}
    for part in parts:
        value = part.coefficient
        for name in part.factors:
            value = value * constants[name]
        table[part.metric] = table.get(part.metric, 0) + value
    return table


# --- memories --------------------------------------------------------------------------------------------------------


def block_rams(depth: Any, width: Any, fabric: Fabric = SERIES7) -> Any:
    """Block RAMs (of 18 kbit on Xilinx and ECP5) for ``depth`` words of ``width`` bits.

    The memory is split by width at the shallowest aspect ratio that holds its depth, as Vivado does to avoid an output
    multiplexer: two blocks hold 32768 words of one bit. Deeper memories repeat that, and their rest is a memory again.
    """
    pair = 2 if fabric.ram_pair else 1
    deepest = fabric.ram[-1][0] * pair
    full, rest = depth // deepest, depth % deepest
    blocks = pair * width
    for limit, wide in reversed(fabric.ram):
        blocks = where(rest <= limit, ceil_div(width, wide), blocks)
    return pair * width * full + where(rest == 0, 0, blocks)


def lutram_luts(depth: Any, width: Any, fabric: Fabric = SERIES7) -> Any:
    """LUTs used as memory: one bit of 64 words each, on LUT6."""
    return width * ceil_div(depth, fabric.lutram_depth)


def memory(
    component: str,
    kind: str,
    depth: Any,
    width: Any,
    copies: Any = 1,
    style: RamStyle = "auto",
    fabric: Fabric = SERIES7,
) -> tuple[Part, ...]:
    """``copies`` memories of ``depth`` words of ``width`` bits: in LUTs when small, else in block RAM, or as told.

    ``memory_bits`` are what they hand out in a cycle; no device limits them, and energy depends on them.
    """
    ports = Part("memory_bits", component, kind, copies * width)
    if style == "ultra":
        deep, wide = URAM_ASPECT
        return (Part("uram", component, kind, copies * ceil_div(depth, deep) * ceil_div(width, wide)), ports)
    blocks = copies * block_rams(depth, width, fabric)
    if style == "block" or not fabric.lutram_depth:
        return (Part("bram18", component, kind, blocks, ("bram_decomposition",)), ports)
    luts = copies * lutram_luts(depth, width, fabric)
    if style == "distributed":
        return (Part("lut", component, kind, luts, ("lutram_lut_per_bit",)), ports)
    small = depth * width <= LUTRAM_MAX_BITS
    return (
        Part("bram18", component, kind, where(small, 0, blocks), ("bram_decomposition",)),
        Part("lut", component, kind, where(small, luts, 0), ("lutram_lut_per_bit",)),
        ports,
    )


# --- the matrix-vector-threshold unit --------------------------------------------------------------------------------


def product_bits(bits_a: int, bits_w: int) -> int:
    """Width of one product: of two one-bit operands one bit, with a one-bit weight that of the activation.

    Narrow signed operands of a and w bits, symmetric about zero, need a + w - 1.
    """
    if bits_w == 1 or bits_a == 1:
        return max(bits_a, bits_w)
    return bits_a + bits_w - 1


def uses_dsp(bits_a: int, bits_w: int, threshold: int = 4) -> bool:
    """Whether a product goes to a DSP slice: both operands wider than a LUT multiplier is worth."""
    return min(bits_a, bits_w) > threshold


def cycles(shape: MatrixShape, pe: Any, simd: Any) -> Any:
    """Cycles of one image: ``(mh/pe) * (mw/simd) * vectors``, exact where ``pe`` divides ``mh`` and ``simd`` ``mw``."""
    return ceil_div(shape.mh, pe) * ceil_div(shape.mw, simd) * shape.vectors


def mvu(
    shape: MatrixShape,
    pe: Any,
    simd: Any,
    impl: Maker = "hls",
    fabric: Fabric = SERIES7,
    style: RamStyle = "auto",
    products: Products = "auto",
    in_luts: int = 0,
) -> tuple[Part, ...]:
    """LUT, FF, carry, DSP and block RAM of a matrix-vector-threshold unit without its sliding window.

    Lanes multiply and sum, ``pe`` accumulators add up ``mw/simd`` partial sums, thresholds compare. The popcount law
    and the fixed share are measured for each ``impl``. Of the ``pe`` memories of weights, ``in_luts`` are made of LUTs
    whatever ``style`` says.
    """
    depth = ceil_div(shape.mw, simd) * ceil_div(shape.mh, pe)
    width = simd * shape.bits_w
    return (
        *lanes(shape, pe, simd, impl, fabric, products),
        *accumulators(shape, pe, impl),
        *input_buffer(shape, pe, simd, impl, fabric),
        *memory("weights", "weight", depth, width, pe - in_luts, style, fabric),
        *(memory("weights", "weight", depth, width, in_luts, "distributed", fabric) if in_luts else ()),
        *threshold_memory(shape, pe, impl, fabric),
        *control(impl),
        *loop_bound(cycles(shape, pe, simd), impl),
        *(loader(shape, pe, simd) if impl == "hls" else ()),
    )


def control(impl: Maker, count: Any = 1) -> tuple[Part, ...]:
    """What any unit needs besides its data path: counters, handshakes, start and stop."""
    return (
        Part("lut", "control", "control", count, (f"unit_{unit_law(impl)}_lut_base",)),
        Part("ff", "control", "control", count, (f"unit_{unit_law(impl)}_ff_base",)),
    )


def loop_bound(trips: Any, impl: Maker) -> tuple[Part, ...]:
    """High-level synthesis multiplies the number of images, a 32-bit argument, by the loop count of one image.

    That is two DSP slices, unless the count has at most two bits set: then it is a shift or one addition.
    """
    if not by_hls(impl):
        return ()
    without_lowest = trips & (trips - 1)
    many_bits = (without_lowest & (without_lowest - 1)) != 0
    return (Part("dsp", "control", "control", where(many_bits, dsp_blocks(32, 16), 0), ("loop_bound_dsp",)),)


def loader(shape: MatrixShape, pe: Any, simd: Any) -> tuple[Part, ...]:
    """Memories that the host fills at run time: an address multiplexer and a write enable for each of them."""
    weights = bit_length(ceil_div(shape.mw, simd) * ceil_div(shape.mh, pe) - 1) + 1
    thresholds = (bit_length(ceil_div(shape.mh, pe) - 1) + 1) * shape.n_thresholds
    return (Part("lut", "control", "parameter", pe * (weights + thresholds), ("mux2_lut_per_bit",)),)


def lanes(
    shape: MatrixShape, pe: Any, simd: Any, impl: Maker, fabric: Fabric, products: Products = "auto"
) -> tuple[Part, ...]:
    """Products and their sum: XNOR-popcount for one-bit operands, an adder tree otherwise."""
    count = pe * simd
    a, w = shape.bits_a, shape.bits_w
    registers = (
        Part("ff", "weights", "weight", count * w, (f"mvu_{unit_law(impl)}_ff_per_weight_bit",)),
        Part("ff", "compute", "popcount", count * product_bits(a, w), (f"mvu_{unit_law(impl)}_ff_per_product_bit",)),
    )
    if a == 1 and w == 1:
        return (
            *registers,
            Part("lut", "compute", "popcount", count, (f"popcount_{product_law(impl)}_lut_per_lane",)),
            Part("lut", "compute", "popcount", pe, (f"popcount_{product_law(impl)}_lut_base",)),
        )
    # [simd] products of p bits -> one sum: simd/2 adders of p bits, simd/4 of p + 1, ... = simd * (p + 1) bits
    tree = count * (product_bits(a, w) + 1)
    adders = (
        *registers,
        Part("lut", "compute", "add", tree, (f"tree_{product_law(impl)}_lut_per_bit",)),
        Part("carry", "compute", "add", tree, ("carry_per_adder_bit",)),
    )
    if shape.pow2:
        return (*adders, *shifter(count, a, "shift_var", component="compute"))
    if min(a, w) == 1:  # add or subtract: a conditional negation of the wider operand
        return (
            *adders,
            Part("lut", "compute", "signflip", count * max(a, w), (f"tree_{product_law(impl)}_lut_per_bit",)),
        )
    if products == "dsp" or (products == "auto" and uses_dsp(a, w)):
        return (*registers, Part("dsp", "compute", "mul", count * dsp_blocks(a, w, fabric)))
    return (*adders, *multiplier_luts("compute", count, a, w, f"tree_{product_law(impl)}_lut_per_bit"))


def accumulators(shape: MatrixShape, pe: Any, impl: Maker) -> tuple[Part, ...]:
    """``pe`` accumulators and ``n_thresholds`` comparisons each, whose results are counted where there are several."""
    adder = pe * shape.bits_acc
    compare = pe * shape.bits_acc * shape.n_thresholds
    fixed = where(_constant_thresholds(shape, pe, impl), compare, 0)
    summed, compared = "accumulator_lut_per_bit", "compare_lut_per_bit"
    if is_finn(impl):  # its thresholds are constants: comparison and what stores them are one law
        summed, compared = "mvu_finn_lut_per_acc_bit", "mvu_finn_lut_per_threshold_bit"
    counted = pe * shape.n_thresholds if shape.n_thresholds > 1 else 0
    return (
        Part("lut", "accumulate", "add", adder, (summed,)),
        Part("ff", "accumulate", "add", adder, (f"mvu_{unit_law(impl)}_ff_per_acc_bit",)),
        Part("carry", "accumulate", "add", adder, ("carry_per_adder_bit",)),
        Part("lut", "threshold", "compare", compare - fixed, (compared,)),
        Part("lut", "threshold", "compare", fixed, ("compare_const_lut_per_bit",)),
        Part("lut", "threshold", "popcount", counted, ("level_lut_per_threshold",)),
        Part(
            "ff",
            "threshold",
            "compare",
            _kept_thresholds(shape, pe, impl),
            (f"mvu_{unit_law(impl)}_ff_per_threshold_bit",),
        ),
        Part("carry", "threshold", "compare", compare, ("carry_per_adder_bit",)),
    )


def _kept_thresholds(shape: MatrixShape, pe: Any, impl: Maker) -> Any:
    """Bits of thresholds in registers. Those that synthesis knows are functions of the fold of rows, and of ``n`` folds
    there are at most ``2**n - 2`` that are no constants; equal ones are one register."""
    bits = pe * shape.bits_acc * shape.n_thresholds
    if by_hls(impl):
        return bits
    return minimum(bits, 2 ** minimum(ceil_div(shape.mh, pe), 24) - 2)


def _constant_thresholds(shape: MatrixShape, pe: Any, impl: Maker) -> Any:
    """Whether every row has comparators of its own, whose thresholds synthesis knows: not where the host loads them."""
    return (shape.mh <= pe) & (not by_hls(impl))


def input_buffer(shape: MatrixShape, pe: Any, simd: Any, impl: Maker, fabric: Fabric = SERIES7) -> tuple[Part, ...]:
    """The vector is kept while the rows of the matrix pass by: ``mw`` elements, if there is more than one fold of rows.

    High-level synthesis partitions the buffer into registers with a multiplexer, and in FINN's units with an enable for
    each word; otherwise it is a small LUT memory.
    """
    reused = shape.mh > pe
    word = Part("ff", "input_buffer", "input", simd * shape.bits_a, ("register_ff_per_bit",))
    if shape.depthwise:
        return (word,)
    bits = shape.mw * shape.bits_a
    if by_hls(impl) or not fabric.lutram_depth:
        selected = "mvu_finn_lut_per_buffer_bit" if is_finn(impl) else "mux_lut_per_bit"
        return (
            word,
            Part("ff", "input_buffer", "input", where(reused, bits, 0), ("register_ff_per_bit",)),
            Part("lut", "input_buffer", "input", where(reused, bits, 0), (selected,)),
        )
    words = ceil_div(shape.mw, simd)
    luts = lutram_luts(words, simd * shape.bits_a, fabric)
    return (word, Part("lut", "input_buffer", "input", where(reused, luts, 0), ("lutram_lut_per_bit",)))


def threshold_memory(shape: MatrixShape, pe: Any, impl: Maker, fabric: Fabric = SERIES7) -> tuple[Part, ...]:
    """``mh/pe`` thresholds of ``bits_acc`` bits for each processing element and level; none where they are constants
    of the comparators. The LUTs that FINN's are in are those of :func:`accumulators`."""
    if not shape.n_thresholds:
        return ()
    copies = where(_constant_thresholds(shape, pe, impl), 0, pe * shape.n_thresholds)
    parts = memory("threshold", "parameter", ceil_div(shape.mh, pe), shape.bits_acc, copies, "auto", fabric)
    return tuple(part for part in parts if part.metric != "lut") if is_finn(impl) else parts


# --- multipliers and shifters ----------------------------------------------------------------------------------------


def dsp_blocks(bits_a: int, bits_b: int, fabric: Fabric = SERIES7) -> int:
    """DSP slices of one full signed product, as synthesis tiles it.

    On DSP48E1 that is 1 for 8 and 16 bits, 2 for 24 x 24 and 16 x 32, 4 for 32 x 32.
    """
    wide, narrow = max(bits_a, bits_b), min(bits_a, bits_b)
    if wide <= fabric.dsp_wide and narrow <= fabric.dsp_narrow:
        return 1
    sign = fabric.dsp_wide - fabric.tile_wide

    def tiles(bits: int, tile: int) -> int:
        return max(1, math.ceil((bits - sign) / tile))

    return min(
        tiles(wide, fabric.tile_wide) * tiles(narrow, fabric.tile_narrow),
        tiles(wide, fabric.tile_narrow) * tiles(narrow, fabric.tile_wide),
    )


def multiplier_luts(component: str, count: Any, bits_a: int, bits_b: int, narrow: str) -> tuple[Part, ...]:
    """``count`` signed multipliers from LUTs: quadratic in the width with a linear saving.

    Below 3 bits a product is a few functions of its few inputs, one LUT (``narrow``) per bit of it.
    """
    if max(bits_a, bits_b) <= 2:
        return (Part("lut", component, "mul", count * product_bits(bits_a, bits_b), (narrow,)),)
    return (
        Part("lut", component, "mul", count * bits_a * bits_b, ("multiplier_lut_per_bit2",)),
        Part("lut", component, "mul", -count * (bits_a + bits_b) / 2, ("multiplier_lut_saved_per_bit",)),
    )


def multiplier(
    count: Any, bits_a: int, bits_b: int, top: int | None = None, component: str = "multiply", fabric: Fabric = SERIES7
) -> tuple[Part, ...]:
    """``count`` real multipliers in DSP slices; of the product, the bits below ``top`` are needed (default: all).

    A product of four slices that is wider than its operands is added up outside them, above the lowest tile: 47 LUTs
    for 32 x 32 -> 64, none for 32 x 32 -> 32, where the product of the two upper halves falls away as well. Where the
    blocks do not add their products up, it does so whenever only bits below it are needed.
    """
    blocks = dsp_blocks(bits_a, bits_b, fabric)
    top = bits_a + bits_b if top is None else min(top, bits_a + bits_b)
    stitched = blocks >= 4 and top > max(bits_a, bits_b)
    if blocks == 4 and (not stitched or (fabric.dsp_adds < blocks and top <= 2 * fabric.tile_narrow)):
        blocks = 3
    parts: tuple[Part, ...] = (Part("dsp", component, "mul", count * blocks),)
    if stitched:
        parts += (Part("lut", component, "mul", count * (top - fabric.tile_narrow), ("stitch_lut_per_bit",)),)
    return parts


def rounding(
    count: Any, bits_a: int, bits_b: int, component: str = "multiply", fabric: Fabric = SERIES7
) -> tuple[Part, ...]:
    """What rounds ``count`` products to as many bits as the first factor has, half up: half of the last place is added
    where the multiplier blocks have an adder that is free, else in LUTs, with the bit below and the carry."""
    if dsp_blocks(bits_a, bits_b, fabric) <= fabric.dsp_adds:
        return ()
    bits = count * (bits_a + 2)
    return (
        Part("lut", component, "mul", bits, ("adder_lut_per_bit",)),
        Part("carry", component, "mul", bits, ("carry_per_adder_bit",)),
    )


def shifter(count: Any, bits: int, kind: str, amounts: int = 32, component: str = "shift") -> tuple[Part, ...]:
    """``count`` shifters of ``bits`` bits at one of three prices.

    ``shift_const``: wire. ``shift_channel``: wire when a unit serves one channel (``amounts == 1``), a multiplexer over
    the ``amounts`` different shifts when it serves several in turn. ``shift_var``: a barrel shifter.
    """
    if kind == "shift_const" or amounts <= 1:
        return ()
    stages = min(math.ceil(math.log2(amounts)), math.ceil(math.log2(max(bits, 2))))
    if stages <= 2:
        return (Part("lut", component, kind, count * bits, ("mux4_lut_per_bit",)),)
    return (Part("lut", component, kind, count * bits * stages, ("barrel_lut_per_bit_stage",)),)


def qprelu(count: Any, bits: int, amounts: int = 1) -> tuple[Part, ...]:
    """Rectifier with a power-of-two negative slope: a select between ``x`` and ``x`` shifted."""
    select = Part("lut", "activation", "shift_const", count * bits, ("mux2_lut_per_bit",))
    return (select, *shifter(count, bits, "shift_channel", amounts, "activation"))


def prelu(count: Any, bits: int, fraction: int, fabric: Fabric = SERIES7, rounded: bool = False) -> tuple[Part, ...]:
    """Rectifier with a real negative slope of ``fraction`` fraction bits: a multiplier and a select.

    The result has ``bits`` bits, so the product is needed up to bit ``bits + fraction``. ``rounded``: half up; else
    cut.
    """
    more = rounding(count, bits, bits, "activation", fabric) if rounded else ()
    product = multiplier(count, bits, bits, bits + fraction, "activation", fabric)
    return (*product, *more, Part("lut", "activation", "mul", count * bits, ("mux2_lut_per_bit",)))
