"""Published time-shared engines: layers that one array computes in turn, in the cycles that the engine model says.

Arrays, ports and clocks are those of the published designs; what they took besides is what the model has to say. Lanes
of QNN-MO and FracBNN multiply a weight of one bit by values of one to three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costmodel.graph.domain import BINARY, accumulator_bits, integer
from costmodel.graph.operands import Window
from costmodel.ledger.ledger import Layer, Ledger
from costmodel.targets import load_target
from costmodel.targets.fpga import units
from costmodel.targets.fpga.engine import Pass, error_of, load_cycles, pass_cycles, passes, seconds
from costmodel.targets.fpga.engine_parts import Engine, RealArray, RealLayer
from costmodel.targets.fpga.job import Job, make_job
from costmodel.targets.fpga.price import OPTIONS
from costmodel.targets.quantity import Interval
from costmodel.validate import engine_networks
from costmodel.validate.rows import Result, Row


@dataclass(frozen=True)
class Design:
    """``layers`` as (channels in, channels out, rows of the result, kernel, times); ``bits`` of a value. ``serial``:
    the bits of a value pass the lanes one after another, maps and weights are in block RAM.

    Without it, lanes take one position of the kernel at a time. Maps come and go over one port with as many channels as
    the ``widest`` layer takes and gives, and so do, before each layer and over all ports, its weights.
    """

    target: str
    pe: int
    simd: int
    ports: int
    clock: float
    bits: int
    layers: tuple[tuple[int, int, int, int, int], ...]
    serial: bool = False
    widest: tuple[int, int] = (0, 0)

    def ledger(self, name: str) -> Ledger:
        found: list[Layer] = []
        for c_in, c_out, size, kernel, times in self.layers:
            for _ in range(times):
                found.append(self._layer(len(found), c_in, c_out, size, kernel))
        return Ledger(name, "deployed", tuple(found), (), ())

    def _layer(self, index: int, c_in: int, c_out: int, size: int, kernel: int) -> Layer:
        terms, window = c_in * kernel**2, Window((kernel,) * 2, (1, 1), ((kernel - 1) // 2,) * 2, (1, 1))
        return Layer(
            index, f"conv{index}", 0, "conv", (index - 1,), (1, c_in, size, size), (1, c_out, size, size),
            integer(self.bits), integer(accumulator_bits(terms, self.bits, 1)), BINARY, (c_out, c_in, kernel, kernel),
            window, terms, terms * c_out * size**2,
        )  # fmt: skip


#: QNN-MO: layers of qnn/params/*-layers.json, arrays and widest layers of qnn/src/network/*/{config.h,top.cpp}; first
#: and dense layers are software. FracBNN: xcel-cifar10/source/{bnn_tiled.cc,pgconv.h}, 16 channels of nine words of 64
#: bits; the first layer is three words of 32 channels.
DESIGNS: Mapping[str, Design] = {
    "DoReFa-Net, conv1 to conv4": Design(
        "pynq-z1", 32, 64, 2, 100e6, 2,
        ((34, 90, 54, 5, 2), (180, 272, 27, 3, 1), (136, 192, 14, 3, 2), (192, 128, 14, 3, 2)), widest=(384, 384),
    ),
    "Tinier-YOLO, conv1 to conv7": Design(
        "pynq-z1", 32, 64, 2, 100e6, 3,
        ((16, 64, 208, 3, 1), (64, 64, 104, 3, 1), (64, 128, 52, 3, 1), (128, 256, 26, 3, 1), (256, 512, 13, 3, 1),
         (512, 512, 13, 3, 2)), widest=(512, 256),
    ),
    "FracBNN CIFAR-10, all layers": Design(
        "kria-kv260", 16, 576, 1, 250e6, 2,
        ((96, 16, 32, 3, 1), (16, 16, 32, 3, 6), (16, 32, 16, 3, 1), (32, 32, 16, 3, 5), (32, 64, 8, 3, 1),
         (64, 64, 8, 3, 5)), serial=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Array:
    """``cores`` engines on one device, each of ``pixels`` x ``inputs`` x ``outputs`` products in a cycle, and of
    ``depthwise`` pixels of layers that have a kernel for each channel."""

    target: str
    cores: int
    pixels: int
    inputs: int
    outputs: int
    ports: int
    clock: float
    depthwise: int = 0


def _chaidnn(target: str, dsp: int, clock: float) -> Array:
    """Slices at twice the clock: two products in a cycle of the engine."""
    return Array(target, 1, dsp // 32, 4, 16, 4, clock)


#: Targets of rows. B4096 and B1600: PG338, architecture of the DPUCZDX8G, its two data ports of 128 bits at the clock
#: of the engine, and half of the pixels for depthwise layers. CHaiDNN: docs/CONFIGURABLE_PARAMS.md, 16 maps, and the
#: four planes that design/conv/src/xi_convolution.hpp feeds in a cycle.
ARRAYS: Mapping[str, Array] = {
    "zcu102_3xB4096_281MHz": Array("zcu102", 3, 8, 16, 16, 2, 281e6, 4),
    "zcu104_2xB4096_300MHz": Array("zcu104", 2, 8, 16, 16, 2, 300e6, 4),
    "kv260_1xB4096_300MHz": Array("kria-kv260", 1, 8, 16, 16, 2, 300e6, 4),
    "ultra96_1xB1600_287MHz": Array("ultra96", 1, 8, 10, 10, 2, 287e6, 4),
    **{f"zu9_chaidnn_{dsp}dsp_{mhz}MHz": _chaidnn("zcu102", dsp, mhz * 1e6)
       for dsp, mhz in ((128, 300), (256, 300), (512, 300), (1024, 250))},
    **{f"zu7_chaidnn_{dsp}dsp_300MHz": _chaidnn("zcu104", dsp, 300e6) for dsp in (128, 256, 512)},
}  # fmt: skip
BYTES: Mapping[str, Any] = {"mode": "engine", "real_bits": 8, "weight_bits": 8, "input_bits": 8}
LOW_BIT_NOTE = (
    "the measurement holds calls of the host, loading of weights, and splitting and merging of maps; the estimate is "
    "the published array with the passes of this model"
)
ARRAY_NOTE = "images per second of all cores, with several threads of the host"


def result(row: Row) -> Result | None:
    """The row with its estimate; None where it is of no engine here."""
    if row.model in DESIGNS:
        design = DESIGNS[row.model]
        time = time_of(row.model)
        if row.metric == "interval_cycles":
            return Result(row, "FPGA engine time, low-bit", time.scaled(design.clock), target=design.target)
        return Result(row, "FPGA engine time, low-bit", time.scaled(1e3), note=LOW_BIT_NOTE, target=design.target)
    if row.target in ARRAYS and row.model in engine_networks.BUILDERS:
        array = ARRAYS[row.target]
        group = "FPGA engine rate, DPU" if "xB" in row.target else "FPGA engine rate, CHaiDNN"
        return Result(row, group, rate(row.model, array), note=ARRAY_NOTE, target=array.target)
    return None


def time_of(name: str) -> Interval:
    """The time of the layers on a published array of low-bit lanes, in seconds."""
    design = DESIGNS[name]
    target = load_target(design.target)
    settings = target.settings({"mode": "engine", "ports": design.ports, "clock": design.clock}, OPTIONS)
    job = make_job(design.ledger(name), target, settings)
    found = passes(job.design)
    cycles = sum(_lanes_or_maps(*pair, design, job) for pair in zip(found, [*found[1:], None], strict=True))
    return seconds({"engine_error": cycles}, job)


def _lanes_or_maps(one: Pass, then: Pass | None, design: Design, job: Job) -> int:
    stage = one.stages[0]
    layer, width = RealLayer.of(stage), job.style.host_width
    if design.serial:
        assert stage.matrix is not None
        return design.bits * int(units.cycles(stage.matrix, design.pe, design.simd))
    after = layer.vectors if then is None else RealLayer.of(then.stages[0]).vectors
    maps = design.bits * (layer.vectors * design.widest[0] + after * design.widest[1])
    weights = layer.taps * design.widest[0] * design.widest[1] // design.simd // design.ports
    lanes = RealArray(1, design.simd, design.pe).cycles(layer)
    return max(lanes, math.ceil(maps / width * job.target.value("port_cycles_per_word"))) + weights


def rate(network: str, array: Array) -> Interval:
    """Images per second of all cores, of which each computes an image of its own and has its share of the ports."""
    target = load_target(array.target)
    options = {**BYTES, "ports": array.ports, "clock": array.clock}
    job = make_job(_ledger(network), target, target.settings(options, OPTIONS))
    shared = max(1.0, array.ports * array.cores / target.structure["host_ports"])
    lanes = array.pixels * array.outputs
    real = RealArray(array.pixels, array.inputs, array.outputs, array.depthwise)
    chosen = Engine(1, 1, lanes * array.inputs, lanes, False, array=real)
    total: dict[str, int] = {}
    for each in passes(job.design):
        cycles = max(pass_cycles(each, chosen, job), math.ceil(load_cycles(each, chosen, job) * shared))
        total[error_of(each)] = total.get(error_of(each), 0) + cycles
    time = seconds(total, job)
    return Interval(array.cores / time.value, array.cores / time.high, array.cores / time.low)


_ledger = lru_cache(maxsize=None)(engine_networks.ledger)
