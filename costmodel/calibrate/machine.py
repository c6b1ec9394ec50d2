"""This machine: what it is, how large its cache is, and its times as a target file."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from costmodel.calibrate.timing import Announce, Timed, Whole, measure, noise
from costmodel.calibrate.timing_fit import LEAST_NETWORKS, Fit, Machine, fit, target_yaml
from costmodel.errors import CostmodelError
from costmodel.targets.cpu.work import Engine

#: Networks that together have every kind of layer in several sizes. One at 224 x 224 with a max pooling is not
#: optional: without it larger networks come out wrong by a fifth.
NETWORKS: Mapping[Engine, tuple[str, ...]] = {
    "executor": ("abbnn-reactnet18-cifar10", "bn-reactnet34-cifar10", "cnv-w1a1", "quicknet-small", "abbnn-reactnet18",
                 "mobilenetv1"),
    "pytorch": ("resnet18-cifar10", "mobilenetv1", "resnet18"),
}  # fmt: skip
#: Networks that are never fitted, for ``costmodel validate here``.
HELD: Mapping[Engine, tuple[str, ...]] = {
    "executor": ("bn-bireal18-cifar10", "bn-bnn18-cifar10", "bn-xnor18-cifar10", "abbnn-reactneta-cifar10", "tfc-w1a1",
                 "lfc-w1a1", "resnet18-cifar10", "bireal18", "quicknet", "realtobinarynet"),
    "pytorch": ("resnet18-cifar100", "resnet34"),
}  # fmt: skip
#: Rounds and runs of each network in a round.
ROUNDS, RUNS = 4, 8
#: A median ratio of the second-least to the least time above this is too much noise for narrow bounds.
NOISY = 1.25
#: Where the machine does not say.
CACHE = 512 * 1024


@dataclass(frozen=True)
class Calibration:
    """``text`` is the target file; ``noise`` the median of second-least over least times."""

    fit: Fit
    rows: Sequence[Timed]
    wholes: Sequence[Whole]
    noise: float
    text: str


def calibrate(engine: Engine, networks: Sequence[str], rounds: int, runs: int, announce: Announce) -> Calibration:
    """Time some networks on this machine and fit its constants."""
    if len(networks) < LEAST_NETWORKS:
        raise CostmodelError(f"{len(networks)} networks to time: at least {LEAST_NETWORKS} are needed to leave one out")
    cache = cache_bytes()
    before = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with one_core():
        rows, wholes = measure(networks, engine, cache, rounds, runs, announce)
    found = fit(rows, engine)
    disturbed = noise(rows)
    machine = describe(engine, cache, before, disturbed, rounds, runs)
    return Calibration(found, rows, wholes, disturbed, target_yaml(found, machine, wholes))


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on the core that it is on, where the system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(allowed)})
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def cache_bytes() -> int:
    """The second-level cache of a core."""
    path = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    with contextlib.suppress(OSError, ValueError):
        text = path.read_text().strip()
        return int(text[:-1]) * {"K": 1024, "M": 1024**2}[text[-1]]
    return CACHE


def describe(engine: Engine, cache: int, load: float, disturbed: float, rounds: int, runs: int) -> Machine:
    """The machine in words, with the versions that its times depend on."""
    import numpy
    import torch

    name = processor()
    versions = {"numpy": numpy.__version__, "torch": torch.__version__}
    if engine == "executor":
        import numba

        versions["numba"] = numba.__version__
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    said = ", ".join(f"{key} {value}" for key, value in versions.items())
    facts: dict[str, str | int | float] = {
        "processor": name, "architecture": platform.machine(), "cores": os.cpu_count() or 1,
        "measured": at, "load": round(load, 2), "noise": round(disturbed, 3),
    }  # fmt: skip
    source = (
        f"Times of layers inside of whole networks, least of {rounds} rounds of {runs} runs, {name}, {at}, "
        f"load {load:.1f} at the start, second-least over least {disturbed:.3f} (median); {said}; "
        "costmodel calibrate cpu"
    )
    title = f"{name}, {'packed executor' if engine == 'executor' else 'PyTorch'}"
    return Machine(title, facts, source, cache)


def processor() -> str:
    """The name that the machine gives its processor."""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        for field in ("model name", "Model", "Hardware"):
            if match := re.search(rf"^{field}\s*:\s*(.+)$", text, re.MULTILINE):
                return match[1].strip()
    return platform.processor() or platform.machine() or "unknown processor"
