"""How long the layers of networks take on this machine: inside of whole runs, in rounds that take turns.

An instruction alone, repeated, finds its operands in the cache and takes a quarter less than in a network, a dense
layer a fifth of its time; so only whole networks are run. Times are of the processor and not of the clock, and of each
layer the least is kept, because others can only add to it; rounds of all networks take turns, because disturbances come
in bursts of seconds. How far the second-least time is from the least is the noise.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from costmodel.ledger.ledger import Ledger
from costmodel.targets.cpu.work import Amount, Engine, amounts

#: Fraction bits of the executor's stream.
FRACTION = 16
Announce = Callable[[str], None]


@dataclass
class Least:
    """The two least of some times."""

    first: float = float("inf")
    second: float = float("inf")

    def add(self, seconds: float) -> None:
        if seconds < self.first:
            self.first, self.second = seconds, self.first
        elif seconds < self.second:
            self.second = seconds


@dataclass
class Subject:
    """One network, ready to run: ``run(record)`` calls ``record(row, seconds)`` for every row of ``rows`` in turn.

    A row is what can be timed apart: the layers of one module, or of one instruction.
    """

    name: str
    ledger: Ledger
    rows: list[tuple[int, ...]]
    run: Callable[[Callable[[int, float], None]], None]
    least: list[Least] = field(default_factory=list)
    whole: Least = field(default_factory=Least)


@dataclass(frozen=True)
class Timed:
    """One row of a network: its layers' work by kind, the least seconds, and the second-least over them."""

    network: str
    layers: tuple[int, ...]
    kinds: tuple[str, ...]
    work: tuple[Amount, ...]
    seconds: float
    noise: float


@dataclass(frozen=True)
class Whole:
    """A network: the sum of its rows' least seconds, and the least of a whole run."""

    network: str
    seconds: float
    run: float
    noise: float


def measure(
    names: Sequence[str], engine: Engine, cache: float, rounds: int, runs: int, announce: Announce
) -> tuple[list[Timed], list[Whole]]:
    """Time networks of the zoo: ``runs`` of each in every one of ``rounds``."""
    import torch

    torch.set_num_threads(1)
    make = _executor if engine == "executor" else _pytorch
    subjects = []
    for name in names:
        announce(f"building {name}")
        subject = make(name)
        subject.least = [Least() for _ in subject.rows]
        subject.run(lambda row, seconds: None)  # compiles, and fills what is filled once
        subjects.append(subject)
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            for subject in subjects:
                announce(f"round {number + 1} of {rounds}: {subject.name}")
                for _ in range(runs):
                    begin = time.thread_time()
                    subject.run(lambda row, seconds, least=subject.least: least[row].add(seconds))  # type: ignore[misc]
                    subject.whole.add(time.thread_time() - begin)
    finally:
        gc.unfreeze()
    rows = [row for subject in subjects for row in _rows(subject, engine, cache)]
    return rows, [_whole(subject) for subject in subjects]


def noise(rows: Sequence[Timed]) -> float:
    """The median of the second-least over the least times of rows that take any time, at least 1."""
    ratios = [row.noise for row in rows if row.seconds > 2e-5]
    return statistics.median(ratios) if ratios else 1.0


def _whole(subject: Subject) -> Whole:
    total = sum(each.first for each in subject.least)
    return Whole(subject.name, total, subject.whole.first, subject.whole.second / subject.whole.first)


def _rows(subject: Subject, engine: Engine, cache: float) -> Iterator[Timed]:
    work = {layer.index: (kind, found) for layer, kind, found in amounts(subject.ledger, engine, cache)}
    for layers, least in zip(subject.rows, subject.least, strict=True):
        found = [work[i] for i in layers]
        yield Timed(subject.name, layers, tuple(kind for kind, _ in found), tuple(a for _, each in found for a in each),
                    least.first, least.second / least.first)  # fmt: skip


# -- the packed executor ----------------------------------------------------------------------------------------------


def _executor(name: str) -> Subject:
    """The deployed network on integers. What prepares an operand of a layer (another format) is timed with it."""
    import torch

    from costmodel.deploy.assemble import assemble
    from costmodel.deploy.executor import Executor
    from costmodel.deploy.study import prepare

    torch.manual_seed(0)
    model, inputs = _built(name)
    made = prepare(model, inputs, name=name)
    program = assemble(made.graph, FRACTION)
    executor = Executor(program)
    images = [np.asarray(each) for each in inputs]
    layers = [node for node in made.graph.nodes if not node.row.moves or node.row.joins]
    index = {node.id: number for number, node in enumerate(layers)}
    owners: list[int] = []
    waiting = 0
    for instruction in program.instructions:  # an instruction without a layer belongs to the next that has one
        waiting += 1
        if instruction.out in index:
            owners += [index[instruction.out]] * waiting
            waiting = 0
    owners += [owners[-1]] * waiting
    rows = sorted(set(owners))
    at = {layer: row for row, layer in enumerate(rows)}
    places = [at[layer] for layer in owners]

    def run(record: Callable[[int, float], None]) -> None:
        spent = [0.0] * len(rows)
        count, before = 0, 0.0

        def probe(instruction: Any, arguments: Any, result: Any) -> None:
            nonlocal count, before
            now = time.thread_time()
            spent[places[count]] += now - before
            count += 1
            before = time.thread_time()

        before = time.thread_time()
        executor.run(*images, probe=probe)
        for row, seconds in enumerate(spent):
            record(row, seconds)

    return Subject(name, made.profile.deployed, [(layer,) for layer in rows], run)


# -- PyTorch ----------------------------------------------------------------------------------------------------------


def _pytorch(name: str) -> Subject:
    """The modules as written, in single precision. A module without children is a row; what is left of the run,
    functions that no module has, is the last."""
    import torch

    from costmodel.api import profile

    torch.manual_seed(0)
    model, inputs = _built(name)
    ledger = profile(name).as_written
    model = model.eval()
    leaves = {path: module for path, module in model.named_modules() if not list(module.children())}
    of: dict[str, list[int]] = {}
    rest: list[int] = []
    for layer in ledger.layers:
        if layer.module in leaves:
            of.setdefault(layer.module, []).append(layer.index)
        else:
            rest.append(layer.index)
    rows = [tuple(layers) for layers in of.values()]
    places = {path: row for row, path in enumerate(of)}
    spent = [0.0] * len(rows)
    began: list[float] = []

    def enter(module: Any, arguments: Any) -> None:
        began.append(time.thread_time())

    def leave(path: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, arguments: Any, result: Any) -> None:
            spent[places[path]] += time.thread_time() - began.pop()

        return hook

    for path in of:
        leaves[path].register_forward_pre_hook(enter)
        leaves[path].register_forward_hook(leave(path))
    if rest:
        rows.append(tuple(rest))

    def run(record: Callable[[int, float], None]) -> None:
        spent[:] = [0.0] * len(spent)
        begin = time.thread_time()
        with torch.no_grad():
            model(*inputs)
        total = time.thread_time() - begin
        for row, seconds in enumerate(spent):
            record(row, seconds)
        if rest:
            record(len(rows) - 1, max(total - sum(spent), 1e-9))

    return Subject(name, ledger, rows, run)


def _built(name: str) -> tuple[Any, Any]:
    """A network of the zoo with random weights, and a batch of one for each of its inputs."""
    from costmodel.load.inputs import InputSpec, make_inputs
    from costmodel.zoo import registry

    entry = registry.entry(name)
    return registry.build(name), make_inputs([InputSpec(entry.input_shape)], 0)
