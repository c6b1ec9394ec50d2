"""Networks with wide values as designs of the ground truth (:mod:`~costmodel.calibrate.designs`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from costmodel.calibrate import ab, cnv, hardware_price, streaming
from costmodel.calibrate.hardware import Format, Network
from costmodel.deploy.executor import Executor
from costmodel.deploy.program import Array, Program
from costmodel.targets.fpga.units import Part

#: Images that a simulation looks at, each in a run of its own.
RUNS = 64


@dataclass(frozen=True)
class Streamed:
    """``what`` is a block ``ab-CHANNELSxSIDE``, ``ab-digits`` or ``cnv-CHANNELS``; ``folds`` the (PE, SIMD) of its sums
    in order."""

    what: str
    folds: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        return f"{self.what}_" + "_".join(f"{pe}x{simd}" for pe, simd in self.folds)

    @property
    def lanes(self) -> int:
        return sum(pe * simd for pe, simd in self.folds)

    @property
    def shared(self) -> str:
        return self.name

    @property
    def files(self) -> tuple[str, ...]:
        return streaming.texts_of(self.network())

    @property
    def inputs(self) -> Format:
        kind = self.what if self.what == "ab-digits" else self.what.partition("-")[0]
        return {"ab-digits": ab.IMAGE, "cnv": cnv.IMAGE, "ab": ab.BLOCK}[kind]

    def program(self) -> Program:
        kind, _, size = self.what.partition("-")
        seed = int.from_bytes(hashlib.sha256(size.encode()).digest()[:4], "big")
        if kind == "cnv":
            return cnv.program(int(size), seed)
        if size == "digits":
            return ab.digits()
        channels, side = map(int, size.split("x"))
        return ab.block(channels, side, seed)

    def network(self) -> Network:
        sums = [i.module for i in self.program().instructions if i.op in ("real_sum", "xnor_sum", "signed_sum")]
        return streaming.build(self.program(), dict(zip(sums, self.folds, strict=True)), self.inputs)

    def images(self, count: int) -> Array:
        """Random numbers of the format of the inputs."""
        ((_, _, shape),) = self.program().inputs
        most = 1 << (self.inputs.bits - 2)
        chance = np.random.default_rng(0).integers(-most, most, (count, *shape[1:]))
        return chance / 2.0**self.inputs.fraction

    def text(self) -> tuple[str, int, int]:
        net = self.network()
        assert net.first is not None and net.last is not None
        return net.text, net.first.width, net.last.width

    def simulated(self) -> int:
        """Against the executor."""
        images = self.images(RUNS)
        run = streaming.simulate(self.network(), images)
        (expected,) = Executor(self.program()).run(images)
        flat = expected.reshape(RUNS, expected.shape[1], -1).swapaxes(1, 2).reshape(RUNS, -1)
        if self.what == "ab-digits":
            flat = flat * 2.0**ab.FRACTION  # real numbers leave it
        if not np.array_equal(run.outputs, flat):
            raise AssertionError(f"{self.name}: the hardware does not compute what the executor does")
        return run.cycles

    def priced(self) -> tuple[Part, ...]:
        return hardware_price.parts(self.network().stages)

    def cycles(self) -> int:
        return self.network().cycles

    def finn_luts(self) -> None:
        """The formulas are for matrix units alone."""
