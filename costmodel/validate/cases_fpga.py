"""Resources and rates of published FPGA designs, with the foldings that their repositories state.

The overlays of BNN-PYNQ pad their last matrix to 64 rows, leave what follows it to the host, and LFC binarises its
results. W1A2 and W2A2 are the same networks with ternary activations, and weights, of two bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.graph.domain import BINARY, TERNARY
from costmodel.ledger.ledger import Charge, Ledger
from costmodel.targets import estimate, load_target
from costmodel.targets.estimate import Estimate
from costmodel.targets.fpga import units
from costmodel.targets.fpga.design import Widths, stages
from costmodel.targets.fpga.finn import read_folding
from costmodel.targets.fpga.job import nominal
from costmodel.targets.fpga.timing import dynamic_lines
from costmodel.targets.quantity import Interval
from costmodel.validate import engines, finn_formula, finn_units
from costmodel.validate import mlperf_tiny as tiny
from costmodel.validate.rows import Result, Row, Skipped

FINN = "FINN-R formula"
RESOURCES = {"LUT": ("lut", 1.0), "FF": ("ff", 1.0), "BRAM36": ("bram18", 0.5), "DSP": ("dsp", 1.0)}


@dataclass(frozen=True)
class Design:
    """A published design: network of the zoo or of MLPerf Tiny, target, folding as (PE, SIMD) of its layers in order,
    and options.

    ``rows`` is what the last matrix is padded to, 0 if it is not; ``last_sign`` whether its results are binarised.
    """

    network: str
    target: str
    folding: tuple[tuple[int, int], ...]
    fifos: tuple[int, ...] = ()
    window: str = "auto"
    ternary: tuple[bool, bool] = (False, False)
    rows: int = 0
    last_sign: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    def folding_file(self) -> dict[str, Any]:
        """The folding with FINN's names."""
        data: dict[str, Any] = {}
        for i, (pe, simd) in enumerate(self.folding):
            data[f"MVAU_hls_{i}"] = {"PE": pe, "SIMD": simd}
            data[f"ConvolutionInputGenerator_rtl_{i}"] = {"ram_style": self.window}
        for i, depth in enumerate(self.fifos):
            data[f"MVAU_hls_{i}"]["inFIFODepths"] = [depth]
        return data


_CNV = ((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (4, 1))
_CNV_W2 = ((8, 3), (16, 16), (8, 16), (8, 16), (4, 8), (1, 8), (1, 2), (2, 2), (4, 1))
_CNV_FIFOS = (128, 128, 128, 128, 81, 1, 1, 128, 3)
_CNV_OVERLAY = Design(
    "cnv-w1a1", "pynq-z1", _CNV, _CNV_FIFOS, "block", rows=64, options=(("streams", "pixel"), ("host_depth", 2))
)
_LFC_OVERLAY = Design(
    "lfc-w1a1", "pynq-z1", ((32, 64), (64, 32), (32, 64), (16, 8)), (1024, 16, 8, 16), rows=64,
    last_sign=True, options=(("streams", "pixel"), ("host_depth", 1024)),
)  # fmt: skip
#: Built by FINN of 2021, whose windows and width converters were by high-level synthesis.
_MLPERF = Design(
    "cnv-w1a1", "pynq-z2", (*_CNV[:-1], (5, 1)), window="distributed", options=(("batch", 1), ("streams", "unit-hls"))
)

#: hls4ml makes one program of a whole network, whose streams carry all channels of a pixel.
_HLS4ML = (("batch", 1), ("streams", "pixel"))
_RN07 = Design("RN07", "pynq-z2", tiny.RN07_FOLDING, options=_HLS4ML)
_KWS = Design("KWS-W3A3", "pynq-z2", tiny.KWS_FOLDING, options=(("batch", 1), ("streams", "unit-hls")))
_AD08 = Design("AD08", "pynq-z2", tiny.AD08_FOLDING, options=_HLS4ML)

#: (model, target) of rows -> design
DESIGNS: dict[tuple[str, str], Design] = {
    ("cnvW1A1", "xc7z020_100MHz"): _CNV_OVERLAY,
    ("cnvW1A1 (Vivado 2016.1)", "xc7z020_100MHz"): _CNV_OVERLAY,
    ("cnvW1A2", "xc7z020_100MHz"): replace(_CNV_OVERLAY, ternary=(True, False)),
    ("cnvW2A2", "xc7z020_100MHz"): replace(_CNV_OVERLAY, folding=_CNV_W2, ternary=(True, True)),
    ("lfcW1A1", "xc7z020_100MHz"): _LFC_OVERLAY,
    ("lfcW1A2", "xc7z020_100MHz"): replace(_LFC_OVERLAY, ternary=(True, False)),
    ("CNV-W1A1", "pynqz2_xc7z020_100MHz"): _MLPERF,
    ("CNV-W1A1", "artya7_100t"): replace(_MLPERF, target="arty-a7-100t"),
    ("RN07", "pynqz2_xc7z020_100MHz"): _RN07,
    ("RN07", "artya7_100t"): Design(
        "RN07", "arty-a7-100t", tiny.RN07_FOLDING, options=(*_HLS4ML, ("clock", tiny.RN07_ARTY_HZ))
    ),
    ("KWS-W3A3", "pynqz2_xc7z020_100MHz"): _KWS,
    ("KWS-W3A3", "artya7_100t"): replace(_KWS, target="arty-a7-100t"),
    ("AD08", "pynqz2_xc7z020_100MHz"): _AD08,
    ("AD08", "artya7_100t"): replace(_AD08, target="arty-a7-100t"),
    **{(model, f"xczu3eg_{mhz}MHz"): replace(
        _CNV_OVERLAY, target="ultra96", folding=folding, ternary=ternary,
        options=(*_CNV_OVERLAY.options, ("clock", mhz * 1e6)),
    ) for model, folding, ternary in (("cnvW1A1", _CNV, (False, False)), ("cnvW2A2", _CNV_W2, (True, True)))
      for mhz in (250, 300)},
}  # fmt: skip
#: Networks of which one image takes no longer than the software that starts it and waits for it.
SHORT = ("KWS-W3A3", "AD08")
SHORT_NOTE = (
    "the measurement holds the software that flushes caches, starts the accelerator and polls it, which no published "
    "figure tells apart; the estimate is the pipeline alone"
)
WHY_NOT = {
    "LUTNet tiled CIFAR-10": (LUTNET := "a network of LUTs as weights, on a device that is not stated"),
    "LUTNet tiled SVHN": LUTNET,
    "LUTNet tiled ImageNet": LUTNET,
    "RN08": "its reuse factors and layer shapes are not in a source that was read",
    "CNV-max at 21906 fps": "its folding is not in a source that was read",
    "SFC-max at 12.3 Mfps": "its folding is not in a source that was read",
}


def results(rows: Sequence[Row], announce: Callable[[str], None]) -> list[Result | Skipped]:
    """Rows of FPGA designs, boards and units."""
    found: list[Result | Skipped] = []
    bills: dict[Design, tuple[Estimate, dict[str, float]]] = {}
    for row in rows:
        key = (row.model, row.target.removesuffix("_board"))
        if key in DESIGNS:
            design = DESIGNS[key]
            if design not in bills:
                bills[design] = bill(design, announce)
            found.append(_of_design(row, *bills[design]))
        elif row.target.startswith(finn_units.PREFIX):
            found.append(finn_units.result(row))
        elif row.target.startswith("xilinx_7series"):
            found.append(_of_unit(row))
        elif row.metric == "PL_dynamic_W":
            found.append(_of_power(row))
        elif (engine := engines.result(row)) is not None:
            found.append(engine)
        elif row.model in WHY_NOT:
            found.append(Skipped(row, WHY_NOT[row.model]))
    return found


def bill(design: Design, announce: Callable[[str], None]) -> tuple[Estimate, dict[str, float]]:
    """The estimate of a design, and what FINN's formulas say."""
    import costmodel

    if design.network in tiny.NETWORKS:
        ledger = tiny.NETWORKS[design.network]()
    else:
        ledger = costmodel.profile(design.network, announce=announce).deployed
    if any(design.ternary):
        ledger = ternary(ledger, *design.ternary)
    if design.rows:
        ledger = padded(ledger, design.rows, design.last_sign)
    folding = design.folding_file()
    options = {**dict(design.options), "folding": folding}
    priced = estimate(ledger, design.target, **options)
    pipeline = stages(ledger, Widths(16, 8, 8), False, True)
    return priced, finn_formula.estimate(pipeline, read_folding(folding, pipeline, padded=True).folds)


def padded(ledger: Ledger, rows: int, last_sign: bool) -> Ledger:
    """The network up to its last matrix, which has ``rows`` rows, with a sign behind it where asked for."""
    last = max(layer.index for layer in ledger.layers if layer.op in ("conv", "linear"))
    layer = ledger.layers[last]
    wide = replace(layer, shape_out=(1, rows), shape_b=(rows, layer.n_terms), macs=rows * layer.n_terms)
    kept = [*ledger.layers[:last], wide]
    charges = [c for c in ledger.charges if c.layer <= last]
    if last_sign:
        sign = replace(wide, index=last + 1, op="threshold", inputs=(last,), shape_in=(1, rows), a=wide.out, out=BINARY,
                       b=None, shape_b=(), window=None, n_terms=0, macs=0)  # fmt: skip
        kept.append(sign)
        bits = wide.out.bits
        charges.append(Charge(last + 1, "", 0, "threshold", "compare", "binarize", rows, bits, bits))
    traffic = tuple(t for t in ledger.traffic if t.layer <= last)
    return replace(ledger, layers=tuple(kept), charges=tuple(charges), traffic=traffic)


def ternary(ledger: Ledger, activations: bool, weights: bool) -> Ledger:
    """The same network with ternary values in place of binary ones; a ternary activation takes two comparisons.

    Inputs of the network and the last comparison stay binary.
    """
    layers, doubled = [], set()
    matrices = [layer.index for layer in ledger.layers if layer.op in ("conv", "linear")]
    last = matrices[-1]
    for layer in ledger.layers:
        a, out, b = layer.a, layer.out, layer.b
        if activations and a.is_one_bit and layer.index > matrices[0]:
            a = TERNARY
        if (
            activations
            and layer.op in ("threshold", "max_pool")
            and out.is_one_bit
            and matrices[0] < layer.index < last
        ):
            out = TERNARY
            doubled.add(layer.index)
        if weights and b is not None and b.is_one_bit:
            b = TERNARY
        layers.append(replace(layer, a=a, b=b, out=out))
    charges = tuple(
        replace(c, count=2 * c.count) if c.layer in doubled and c.op == "threshold" else c for c in ledger.charges
    )
    return replace(ledger, layers=tuple(layers), charges=charges)


def _of_design(row: Row, priced: Estimate, formula: Mapping[str, float]) -> Result:
    on = priced.target
    if row.metric in RESOURCES:
        name, factor = RESOURCES[row.metric]
        baselines = {FINN: formula[name] * factor} if name in formula else {}
        return Result(row, "FPGA resources", priced.total(name).scaled(factor), baselines, target=on)
    if row.metric == "LUT_logic":
        memory = sum(priced.cost(line) for line in priced.lines if "lutram_lut_per_bit" in line.factors)
        total = priced.total("lut")
        logic = Interval(total.value - memory, total.low - memory, total.high - memory)
        return Result(row, "FPGA resources", logic, {FINN: formula["lut"]}, target=on)
    if row.metric == "interval_cycles":
        return Result(row, "FPGA initiation interval", Interval.exact(priced.facts["interval_cycles"]), target=on)
    if row.metric == "throughput_inf_s":
        rate = priced.total("images_per_second")
        if row.model in SHORT:
            return Result(row, "FPGA rate, images of microseconds", rate, note=SHORT_NOTE, target=on)
        return Result(row, "FPGA rate, one image at a time", rate, target=on)
    if row.metric == "PL_dynamic_W":
        energy = priced.by_component("energy_J")["dynamic"]
        power = energy.scaled(priced.facts["clock_Hz"] / priced.facts["interval_cycles"])
        return Result(row, "FPGA power of logic", power, target=on)
    assert row.metric == "energy_uJ_per_inf", row
    return Result(row, "FPGA board energy", priced.total("energy_J").scaled(1e6), target=on)


def _of_power(row: Row) -> Result:
    """Power of the logic that is clocked, from the resources that the report of the design states."""
    name, clock, lut, ff, bram36, dsp = REPORTED[row.model, row.target]
    target = load_target(name)
    amounts = {"lut": lut, "ff": ff, "memory_bits": BITS_OF_A_BLOCK * bram36, "dsp": dsp}
    lines = dynamic_lines(amounts, clock, target)
    found = Estimate(row.model, name, "", tuple(lines), target.constants).total("energy_J")
    return Result(row, "FPGA power of logic, of stated resources", found, target=name)


#: Bits that a block RAM of 36 kbit hands out in a cycle where a report does not say: one port of its full width.
BITS_OF_A_BLOCK = 72
#: (model, target) of power reports -> target here, clock in Hz, LUTs as logic, FF, block RAMs of 36 kbit, DSP slices.
REPORTED = {
    ("FracBNN CIFAR-10", "xczu5eg_200MHz"): ("ultra96", 200e6, 54_752, 48_896, 144, 126),
    ("three regular-expression matchers", "xcu50_180MHz"): ("alveo-u50", 180e6, 475_034, 665_852, 412.5, 0),
    ("FINN ResNet10", "xc7z020_100MHz"): ("pynq-z2", 100e6, 32_923, 46_325, 29, 0),
    ("HDC classifier", "xc7z020_50MHz"): ("pynq-z2", 50e6, 31_507, 40_078, 26, 2),
    ("FFT", "xc7z020_50MHz"): ("pynq-z2", 50e6, 16_967, 17_370, 96, 96),
    ("message coder", "xc7z020_50MHz"): ("pynq-z2", 50e6, 8_260, 6_204, 83.5, 11),
}


def _of_unit(row: Row) -> Result | Skipped:
    """The 32-bit units of the A&B BNN table, at the widths that explain them."""
    parts = {
        "Multiplier 32-bit": units.multiplier(1, 32, 32),
        "Bit-shift 32-bit": units.shifter(1, 32, "shift_channel", amounts=4),
        "PReLU 32-bit": units.prelu(1, 32, fraction=10),
        "QPReLU 32-bit": units.qprelu(1, 32),
    }[row.model]
    if row.metric == "slice":
        return Skipped(row, "slices depend on the packing of LUTs by the placer")
    target = load_target("pynq-z2")
    found = units.totals(parts, nominal(target)).get(row.metric.lower(), 0.0)
    return Result(
        row, "FPGA units of 32 bits", Interval.exact(float(found)), note=UNIT_NOTES[row.model], target="pynq-z2"
    )


UNIT_NOTES = {
    "Multiplier 32-bit": "signed or unsigned, all 64 bits of the product",
    "Bit-shift 32-bit": "by one of four amounts",
    "PReLU 32-bit": "slope of ten fraction bits, result of 32 bits",
    "QPReLU 32-bit": "constant slope",
}
