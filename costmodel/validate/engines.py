"""Published time-shared engines: layers that one array computes in turn, in the cycles that the engine model says.

The array and the ports are those of the published design; what it took besides its passes is the factor that the model
calls ``engine_error``. Lanes of QNN-MO multiply a weight of one bit by a value of two or three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costmodel.graph.domain import BINARY, accumulator_bits, integer
from costmodel.graph.operands import Window
from costmodel.ledger.ledger import Layer, Ledger
from costmodel.targets import load_target
from costmodel.targets.fpga import units
from costmodel.targets.fpga.engine import load_cycles, passes
from costmodel.targets.fpga.engine_parts import Engine
from costmodel.targets.fpga.job import make_job
from costmodel.targets.fpga.price import OPTIONS
from costmodel.targets.quantity import Interval


@dataclass(frozen=True)
class Design:
    """``layers`` as (channels in, channels out, rows of the result, kernel, times); ``bits`` of a value."""

    target: str
    pe: int
    simd: int
    ports: int
    clock: float
    bits: int
    layers: tuple[tuple[int, int, int, int, int], ...]

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


#: Layers of qnn/params/*-layers.json, arrays of qnn/src/network/*/config.h; first and dense layers are software.
DESIGNS: Mapping[str, Design] = {
    "DoReFa-Net, conv1 to conv4": Design(
        "pynq-z1", 32, 64, 2, 100e6, 2,
        ((34, 90, 54, 5, 2), (180, 272, 27, 3, 1), (136, 192, 14, 3, 2), (192, 128, 14, 3, 2)),
    ),
    "Tinier-YOLO, conv1 to conv7": Design(
        "pynq-z1", 32, 64, 2, 100e6, 3,
        ((16, 64, 208, 3, 1), (64, 64, 104, 3, 1), (64, 128, 52, 3, 1), (128, 256, 26, 3, 1), (256, 512, 13, 3, 1),
         (512, 512, 13, 3, 2)),
    ),
}  # fmt: skip


def seconds(name: str) -> Interval:
    """The time of the layers on the published array: passes one after another, times what engines take besides."""
    design = DESIGNS[name]
    target = load_target(design.target)
    settings = target.settings({"mode": "engine", "ports": design.ports, "clock": design.clock}, OPTIONS)
    job = make_job(design.ledger(name), target, settings)
    chosen = Engine(design.pe, design.simd, 1, 1, False)
    cycles = 0
    for each in passes(job.design):
        m = each.stages[0].matrix
        assert m is not None
        cycles += max(units.cycles(m, design.pe, design.simd), load_cycles(each, chosen, job))
    error = target.constant("engine_error")
    return Interval(*(cycles / design.clock * bound for bound in (error.value, error.low, error.high)))
