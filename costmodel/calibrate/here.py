"""A target of this machine against this machine: networks that were not fitted, timed now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.calibrate.machine import HELD, RUNS, one_core
from costmodel.calibrate.timing import Announce, measure
from costmodel.errors import CostmodelError
from costmodel.targets import estimate
from costmodel.targets.cpu.price import engine_of
from costmodel.targets.spec import Target


@dataclass(frozen=True)
class Here:
    """Seconds of one network, predicted with bounds and measured."""

    network: str
    predicted: float
    low: float
    high: float
    measured: float

    @property
    def inside(self) -> bool:
        return self.low <= self.measured <= self.high


@dataclass(frozen=True)
class HereLayer:
    """Seconds of what of a network can be timed apart."""

    network: str
    layer: str
    kind: str
    predicted: float
    measured: float


def compare(
    target: Target, networks: Sequence[str], rounds: int, announce: Announce
) -> tuple[list[Here], list[HereLayer]]:
    """Predicted next to measured, in total and by layer.

    Raises :class:`CostmodelError` for a target that is no measured machine, and for a network that it was fitted to.
    """
    from costmodel.api import profile

    if target.kind != "cpu":
        raise CostmodelError(
            f"target {target.name!r} is of kind {target.kind}: only one that `costmodel calibrate cpu` made can be "
            "held against this machine"
        )
    engine = engine_of(target)
    fitted = {name.rpartition(":")[2] for name in target.constant("model_error").fitted_to}  # x86-avx2:cnv-w1a1
    if known := [name for name in networks if name in fitted]:
        raise CostmodelError(f"network {known[0]}: the constants of {target.name!r} were fitted to it. Name another")
    names = list(networks) or [name for name in HELD[engine] if name not in fitted]
    with one_core():
        rows, wholes = measure(names, engine, target.value("cache_l2"), rounds, RUNS, announce)
    found, layers = [], []
    for whole in wholes:
        ledgers = profile(whole.network)
        ledger = ledgers.deployed if engine == "executor" else ledgers.as_written
        bill = estimate(ledger, target)
        latency, by_layer = bill.total("latency_s"), bill.by_layer("latency_s")
        found.append(Here(whole.network, latency.value, latency.low, latency.high, whole.seconds))
        for row in (r for r in rows if r.network == whole.network):
            name = ledger.layers[row.layers[0]].name if len(row.layers) <= 3 else f"{len(row.layers)} others"
            seconds = sum(by_layer[i].value for i in row.layers if i in by_layer)
            layers.append(HereLayer(whole.network, name, row.kinds[0], seconds, row.seconds))
    return found, sorted(layers, key=lambda row: -row.measured)
