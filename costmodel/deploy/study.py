"""Is the deployed network the one that was given, and what does each way of removing multiplications do to it.

:func:`prepare` traces a network with its values and rewrites it, :func:`verify` compares the result with PyTorch,
:func:`effect` compares a program in fixed point with the same network in double precision, decision by decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel.deploy import deploy
from costmodel.deploy.assemble import assemble
from costmodel.deploy.assembler import CannotRunError
from costmodel.deploy.executor import Executor, run_batches
from costmodel.deploy.multipliers import replace_multipliers
from costmodel.deploy.program import DECISIONS, Array, Instruction, Program
from costmodel.deploy.thresholds import provenance_of
from costmodel.errors import CostmodelError
from costmodel.graph.node import Graph
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.ledger.ledger import Profile
from costmodel.ledger.rules import charge

if TYPE_CHECKING:
    from torch import nn

#: Rounding of a whole network in double and in single precision, relative to its numbers. A decision whose operand is
#: this close to its threshold may fall on either side by the order of a sum alone.
ROUNDING = {"double": 1e-9, "single": 1e-5}


@dataclass(frozen=True)
class Deployment:
    """A network before and after the exact rewrites, with its values, and its ledgers."""

    model: nn.Module
    before: Graph
    graph: Graph
    profile: Profile


@dataclass(frozen=True)
class Verdict:
    """The deployed network in double precision against PyTorch, in double ``precision`` where its code runs in it.

    ``deviation`` is the largest difference of two outputs, ``scale`` the largest output, ``agreement`` the share of
    images with the same first class. ``ties`` counts decisions within :data:`ROUNDING` of their threshold, of
    ``decisions``. ``settled`` is the largest difference from PyTorch with its binary sums in exact arithmetic and zero
    taken as +1 (see :mod:`costmodel.deploy.reference`), ``zeros`` how often PyTorch's own run takes the sign of a zero;
    both are asked for only where PyTorch's own answer differs and there are ties.
    """

    images: int
    deviation: float
    scale: float
    agreement: float
    ties: int
    decisions: int
    precision: str = "double"
    settled: float | None = None
    zeros: int = 0

    @property
    def exact(self) -> bool:
        """Equal but for rounding, which where binary sums are exactly zero may not decide."""
        return self.deviation <= self.tolerance or self.by_rounding

    @property
    def by_rounding(self) -> bool:
        """Whether PyTorch differs, and differs only because its rounding decides the sign of sums that are zero."""
        return self._settles and not self.zeros

    @property
    def by_sign_of_zero(self) -> bool:
        """Whether PyTorch differs, and differs only because ``torch.sign(0)`` is 0, which one bit cannot hold."""
        return self._settles and self.zeros > 0

    @property
    def _settles(self) -> bool:
        return self.deviation > self.tolerance and self.settled is not None and self.settled <= self.tolerance

    @property
    def tolerance(self) -> float:
        return ROUNDING[self.precision] * max(1.0, self.scale)


@dataclass(frozen=True)
class Effect:
    """A program against the same network in double precision, on the same images.

    ``flips`` lists (module, decisions that differ, decisions). ``error`` is the root mean square difference of the
    logits over the standard deviation of the exact ones. Accuracies are None without labels.
    """

    option: str
    fraction_bits: int | None
    images: int
    flips: tuple[tuple[str, int, int], ...]
    error: float
    agreement: float
    accuracy: float | None = None
    exact_accuracy: float | None = None
    stream_bits: int = 0

    @property
    def flipped(self) -> float:
        """Share of all decisions that differ."""
        return sum(f for _, f, _ in self.flips) / max(1, sum(n for *_, n in self.flips))


def prepare(
    model: nn.Module, inputs: Any, *, name: str = "", trained: bool = False, seed: int = 0,
    threshold_bits: int = THRESHOLD_BITS,
) -> Deployment:  # fmt: skip
    """Trace ``model`` in double precision with the values of its constants and apply the exact rewrites.

    ``inputs`` is a batch of one. A network whose own code insists on single precision is traced in it.
    """
    import torch
    from torch.utils._pytree import tree_map_only

    from costmodel.trace import trace
    from costmodel.trace.copying import deep_copy

    double = deep_copy(model).double().eval()
    precise = tree_map_only(torch.Tensor, lambda t: t.double() if t.is_floating_point() else t, inputs)
    try:
        graph = trace(double, precise, name=name, trained=trained, seed=seed, values=True)
    except RuntimeError as error:
        if "dtype" not in str(error) and "type" not in str(error):
            raise
        double, precise = deep_copy(model).eval(), inputs
        graph = trace(double, precise, name=name, trained=trained, seed=seed, values=True)
    rewritten = deploy(graph, threshold_bits)
    shapes = tuple(leaf.shape for leaf in graph.inputs if not leaf.foreign)
    provenance = provenance_of(seed, trained, threshold_bits)
    written, deployed = charge(graph, "as_written"), charge(rewritten, "deployed")
    profile = Profile(
        graph.network, shapes, graph.parameters, written, deployed, rewritten.rewrites, graph.caveats, provenance
    )
    return Deployment(double, graph, rewritten, profile)


def verify(deployment: Deployment, images: Array | tuple[Array, ...]) -> Verdict:
    """Run the deployed network in double precision and PyTorch on ``images`` and compare all outputs.

    ``images`` is ``[n, ...]``, or one such array an input. Where the answers differ and decisions are at ties, PyTorch
    runs again with exact binary sums.
    """
    import torch

    given = images if isinstance(images, tuple) else (images,)
    program = assemble(deployment.graph)
    parameter = next(deployment.model.parameters(), None)
    dtype = parameter.dtype if parameter is not None else torch.float64
    precision = "double" if dtype == torch.float64 else "single"
    near = ROUNDING[precision]
    ties = decisions = 0

    def look(instruction: Instruction, arguments: list[Array], result: Array) -> None:
        nonlocal ties, decisions
        if instruction.op in DECISIONS:
            limits = instruction.arrays["limits"]
            with np.errstate(invalid="ignore"):
                ties += int((np.abs(arguments[0] - limits) <= near * (1.0 + np.abs(limits))).sum())
            decisions += result.size * (len(limits) if instruction.op == "levels" else 1)

    got = Executor(program).run(*given, probe=look)
    inputs = [torch.as_tensor(x, dtype=dtype) for x in given]
    wanted = _one_by_one(deployment.model, inputs)
    if len(got) != len(wanted):
        raise CannotRunError(f"{len(wanted) - len(got)} outputs of the network do not depend on its input")
    same = _classes(got[0]) == _classes(wanted[0])
    verdict = Verdict(
        len(given[0]), _deviation(got, wanted), float(np.abs(wanted[0]).max()), float(same.mean()), ties, decisions,
        precision,
    )  # fmt: skip
    if verdict.exact or not ties:
        return verdict
    from costmodel.deploy.reference import ExactSums, ZeroSigns

    # A zero that is meant, as in the sign of a rectified value, stays one.
    one_bit = not any(node.op == "sign" and node.domain.kind != "binary" for node in deployment.before.nodes)
    with ExactSums(sign_of_zero=one_bit):
        settled = _one_by_one(deployment.model, inputs)
    with ZeroSigns() as seen:
        _one_by_one(deployment.model, inputs)
    return replace(verdict, settled=_deviation(got, settled), zeros=seen.count if one_bit else 0)


def _one_by_one(model: nn.Module, inputs: Sequence[Any]) -> list[Array]:
    """All outputs of PyTorch, which sees the images one by one, as the network was traced."""
    import torch

    with torch.no_grad():
        parts = [[t.double().numpy() for t in _tensors(model(*(x[k : k + 1] for x in inputs)))]
                 for k in range(len(inputs[0]))]  # fmt: skip
    return [np.concatenate(answers) for answers in zip(*parts, strict=True)]


def _deviation(got: Sequence[Array], wanted: Sequence[Array]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(got, wanted, strict=True))


def effect(deployment: Deployment, option: str, fraction_bits: int | None,
           images: Array | tuple[Array, ...], labels: Array | None = None, *, batch: int = 16) -> Effect:  # fmt: skip
    """Carry out an option in fixed point and compare it with the exact network, decision by decision.

    Raises :class:`CostmodelError` where a number does not fit into 63 bits.
    """
    given_images = images if isinstance(images, tuple) else (images,)
    count = len(given_images[0])
    exact = assemble(deployment.graph)
    program = assemble(replace_multipliers(deployment.graph, option), fraction_bits, option)
    flips: dict[int, list[int]] = {i: [0, 0] for i in program.bits()}
    widest = 0
    logits: dict[str, list[Array]] = {"exact": [], "given": []}
    first, second = Executor(exact), Executor(program)
    batch = 1 if second.one_by_one else batch
    for start in range(0, count, batch):
        part = [x[start : start + batch] for x in given_images]
        bits: dict[int, Array] = {}

        def keep(
            instruction: Instruction, arguments: list[Array], result: Array, bits: dict[int, Array] = bits
        ) -> None:
            if instruction.op in DECISIONS:
                bits[instruction.out] = result

        def match(
            instruction: Instruction, arguments: list[Array], result: Array, bits: dict[int, Array] = bits
        ) -> None:
            nonlocal widest
            if instruction.op in DECISIONS:
                flips[instruction.out][0] += int((bits[instruction.out] != result).sum())
                flips[instruction.out][1] += result.size
            elif result.dtype == np.int64 and result.size:
                widest = max(widest, int(np.abs(result).max()).bit_length() + 1)

        logits["exact"].append(first.run(*part, probe=keep)[0])
        logits["given"].append(second.run(*part, probe=match)[0])
    if widest > 62:
        raise CostmodelError(f"numbers of {widest} bits do not fit: take fewer than {fraction_bits} fraction bits")
    exact_logits, given = (np.concatenate(logits[k]) for k in ("exact", "given"))
    difference = given - exact_logits
    spread = float(exact_logits.std()) or 1.0
    modules = {i.out: i.module for i in program.instructions}
    right = [None if labels is None else float((_classes(x) == labels).mean()) for x in (given, exact_logits)]
    return Effect(
        option, fraction_bits, count, tuple((modules[k], f, n) for k, (f, n) in flips.items()),
        float(np.sqrt((difference**2).mean())) / spread,
        float((_classes(given) == _classes(exact_logits)).mean()), right[0], right[1], widest,
    )  # fmt: skip


def accuracy(program: Program, images: Array, labels: Array, transform: Callable[[Array], Array] | None = None,
             threads: int = 1) -> float:  # fmt: skip
    """Share of images whose first class is right."""
    logits = run_batches(Executor(program), images, threads=threads, transform=transform)
    return float((_classes(logits) == labels).mean())


def _classes(logits: Array) -> Array:
    return logits.reshape(len(logits), -1).argmax(1)


def _tensors(answer: Any) -> Sequence[Any]:
    from torch import Tensor
    from torch.utils._pytree import tree_flatten

    return [t for t in tree_flatten(answer)[0] if isinstance(t, Tensor)]
