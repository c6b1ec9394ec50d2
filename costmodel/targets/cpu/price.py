"""A processor as it was timed: every layer's work times the seconds that it took on that machine.

``latency = sum over layers of calls + amounts * slopes + bytes beyond the cache``, with the amounts of
:mod:`costmodel.targets.cpu.work`. The constants come from ``costmodel calibrate cpu``; no file of this kind is shipped,
because its numbers are those of one machine. What is predicted is the sum of the least times of the layers: a machine
with nothing else to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger
from costmodel.targets.cpu.work import ENGINES, Engine, amounts
from costmodel.targets.estimate import Estimate, Line, unused
from costmodel.targets.quantity import Interval
from costmodel.targets.spec import Parameter, Target

MODEL_ERROR = "model_error"
OPTIONS: Mapping[str, Parameter] = {}


def price(ledger: Ledger, target: Target, options: Mapping[str, Any]) -> Estimate:
    """The bill of one image on one thread; metric ``latency_s``.

    Raises :class:`CostmodelError` where the target names no engine or lacks the constant of a kind of layer, and for
    PyTorch on the deployed level, which it does not run, and of binary weights, which it makes anew at every run.
    """
    engine = engine_of(target)
    if engine == "pytorch" and ledger.level != "as_written":
        raise CostmodelError(
            f"target {target.name!r} is PyTorch, which runs the network as written: give --level as-written"
        )
    if engine == "pytorch" and any(layer.b is not None and layer.b.is_one_bit for layer in ledger.layers):
        raise CostmodelError(
            f"target {target.name!r} is PyTorch, which makes binary weights anew at every run; what that takes is in "
            "no ledger. Ask for a network of real weights, or time the packed executor"
        )
    own = f"{MODEL_ERROR} of {ledger.network}"
    lines: list[Line] = []
    constants = {own: target.constant(MODEL_ERROR)}
    for layer, kind, work in amounts(ledger, engine, target.value("cache_l2")):
        for amount in work:
            name = amount.name if "." not in amount.name else f"kinds.{amount.name}"
            constants[name] = target.constant(name)
            lines.append(Line(layer.index, "latency_s", amount.component, kind, amount.count, (name, own)))
    bill = Estimate(
        ledger.network, target.name, ledger.level, tuple(lines), constants,
        tuple(layer.name for layer in ledger.layers), unused=unused(lines, ("latency_s",)),
    )  # fmt: skip
    derived = {}
    latency = bill.total("latency_s")
    if latency.low > 0:
        derived["images_per_second"] = Interval(1 / latency.value, 1 / latency.high, 1 / latency.low)
    facts = {"engine": engine, "threads": 1, **{k: v for k, v in target.structure.items() if k != "engine"}}
    notes = ("one image at a time on one thread; the sum of the least times of the layers",)
    return Estimate(bill.network, bill.target, bill.level, bill.lines, bill.constants, bill.layer_names, derived,
                    facts, notes=notes, unused=bill.unused)  # fmt: skip


def engine_of(target: Target) -> Engine:
    """What the times of a target are of."""
    given = target.structure.get("engine")
    for engine in ENGINES:
        if given == engine:
            return engine
    raise CostmodelError(
        f"{target.file or target.name}: structure.engine is {given!r}; expected {' or '.join(ENGINES)}"
    )
