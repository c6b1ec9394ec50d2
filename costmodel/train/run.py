"""One training run: its state, its folder, and the way from batch to batch.

A run is a folder. ``last.safetensors`` is its whole state, replaced in one rename after every epoch and when time is
up; killing the process at any moment loses at most the work since then, and the run goes on to the very same result,
because every random number depends only on seed, phase and epoch.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write
from costmodel.train import checkpoints
from costmodel.train.feed import Feed, derive_seed
from costmodel.train.job import Epoch, Job, Position, Result
from costmodel.train.kernels import use_fast_layers
from costmodel.train.optimise import Average, learning_rate, make_optimiser, set_rate
from costmodel.train.recipes import Phase
from costmodel.train.step import GraphedStep, Step, autocasts, compiles

#: Batches between two looks at the loss: a look waits for the device.
LOOK_EVERY = 50
LAST, FINAL, RESULT = "last.safetensors", "final.safetensors", "result.json"

Builder = Callable[[Phase], nn.Module]


class Header(msgspec.Struct):
    """Header of every checkpoint of a run. Only a run under way has a position: equal results are equal files.

    ``classes`` is the number that the data had; an image tree may have another one than the network is listed with.
    """

    kind: str
    job: Job
    classes: int | None = None
    position: Position | None = None


@dataclass(frozen=True)
class Options:
    """What does not determine the result: where it runs, and how often it is looked at."""

    device: torch.device
    graph: bool = False
    evaluate_every: int = 1
    save_every: int = 1


class Run:
    """A run at some position. ``build(phase)`` makes the network of a phase with fresh parameters."""

    def __init__(
        self,
        job: Job,
        folder: Path,
        feed: Feed,
        build: Builder,
        options: Options,
        teacher: nn.Module | None = None,
        environment: dict[str, Any] | None = None,
    ) -> None:
        self.job, self.folder, self.feed, self.build, self.options = job, folder, feed, build, options
        self.recipe, self.teacher = job.recipe, teacher
        if self.recipe.loss.teacher > 0 and teacher is None:
            raise CostmodelError(f"the recipe {job.recipe_name} learns from a teacher: give --teacher CHECKPOINT.")
        precision = "bf16" if autocasts(job.recipe, options.device) else "fp32"
        self.position = Position(environment={"precision": precision, **(environment or {})})
        stored: dict[str, Tensor] = {}
        if (folder / LAST).exists():
            stored = self._stored()
        self._begin_phase(None, stored)

    # State -----------------------------------------------------------------------------------------------------------

    def _stored(self) -> dict[str, Tensor]:
        tensors, raw = checkpoints.read(self.folder / LAST)
        try:
            header = msgspec.json.decode(raw, type=Header)
        except msgspec.DecodeError as error:
            raise CostmodelError(f"{self.folder / LAST}: its header is not that of a run: {error}.") from error
        if header.job.key != self.job.key:
            raise CostmodelError(
                f"{self.folder} holds another run ({_difference(header.job, self.job)}). Give -o another folder, or "
                f"--restart to throw that run away."
            )
        environment = self.position.environment
        if header.position is None:
            raise CostmodelError(f"{self.folder / LAST} is not the state of a run. Give --restart to begin anew.")
        self.position = header.position
        self.position.environment = {**environment, **header.position.environment}
        return tensors

    def _begin_phase(self, weights: dict[str, Tensor] | None, stored: dict[str, Tensor]) -> None:
        """Make network, optimiser and average of the phase at hand, from the weights of the one before or as stored."""
        phase, device = self.phase, self.options.device
        torch.manual_seed(derive_seed("init", self.job.seed))
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        self.model = self.build(phase).to(device=device, memory_format=layout)  # type: ignore[call-overload]
        if device.type == "cpu" and not compiles(self.recipe, device):
            use_fast_layers(self.model, isinstance(self.recipe.bound, float) and self.recipe.bound <= 1)
        if weights is not None:
            checkpoints.load_weights(self.model, weights, "the checkpoint of the phase before")
        if stored:
            checkpoints.load_weights(self.model, checkpoints.under("model", stored), str(self.folder / LAST))
        self.optimiser = make_optimiser(list(self.model.named_parameters()), phase, device)
        self.average = Average(self.model, self.recipe.ema) if self.recipe.ema else None
        self.shadow = copy.deepcopy(self.model) if self.average else self.model
        self.plain = Step(self.model, self.optimiser, self.recipe, self.teacher)
        self.step: Step | GraphedStep = self.plain
        if stored:
            checkpoints.load_optimiser(self.optimiser, checkpoints.under("optimiser", stored))
            self.plain.sums.copy_(stored["sums"])
            if self.average:
                self.average.updates = int(stored["updates"])
                for name, value in checkpoints.under("average", stored).items():
                    self.average.state[name].copy_(value)

    @property
    def phase(self) -> Phase:
        return self.recipe.phases[min(self.position.phase, len(self.recipe.phases) - 1)]

    @property
    def done(self) -> bool:
        return self.position.phase >= len(self.recipe.phases)

    @property
    def fraction(self) -> float:
        """Share of all batches that are done."""
        before = sum(phase.epochs for phase in self.recipe.phases[: self.position.phase])
        return (before + self.position.epoch + self.position.batch / self.feed.batches) / self.recipe.epochs

    def save(self) -> None:
        """Write the whole state. A state whose loss or weights are not finite is never written."""
        self._look()
        self._look_at_weights()
        tensors = checkpoints.prefixed("model", self.model.state_dict())
        tensors |= checkpoints.prefixed("optimiser", checkpoints.optimiser_tensors(self.optimiser))
        tensors["sums"] = self.plain.sums
        if self.average:
            tensors |= checkpoints.prefixed("average", self.average.state)
            tensors["updates"] = torch.tensor(self.average.updates)
        checkpoints.write(self.folder / LAST, tensors, Header("run", self.job, self.feed.classes, self.position))

    def _look(self) -> None:
        if not torch.isfinite(self.plain.sums[0]):
            raise self._diverged("the loss")

    def _look_at_weights(self) -> None:
        """Latent weights that are no number any more have a sign, so that the loss may never show them."""
        for name, parameter in self.model.named_parameters():
            if not torch.isfinite(parameter).all():
                raise self._diverged(f"the parameter {name}")

    def _diverged(self, what: str) -> CostmodelError:
        place = f"phase {self.position.phase + 1}, epoch {self.position.epoch + 1}, batch {self.position.batch}"
        return CostmodelError(
            f"{what} of {self.job.slug} is not finite any more ({place}). {self._last_good()} Try a smaller lr or "
            f"precision: fp32 in a recipe of your own (--recipe FILE.yaml), or another --seed."
        )

    def _last_good(self) -> str:
        last = self.folder / LAST
        return f"The last good state is {last}." if last.exists() else "No state had been saved yet."

    # Training --------------------------------------------------------------------------------------------------------

    def steps(self) -> Iterator[None]:
        """Train to the end, yielding after every batch. Stop iterating and call :meth:`save` to pause."""
        while not self.done:
            yield from self._epoch()
            self._end_epoch()
        if not (self.folder / RESULT).exists():  # killed between the last checkpoint and the result
            self._write_result()

    def _epoch(self) -> Iterator[None]:
        at, phase = self.position, self.phase
        self.model.train()
        since = time.perf_counter()
        seed = derive_seed("epoch", self.job.seed, at.phase, at.epoch)
        for batch in self.feed.train(seed, at.batch):
            self._seed_layers(derive_seed("layers", seed, at.batch))
            set_rate(self.optimiser, learning_rate(phase, at.epoch, at.batch, self.feed.batches))
            if self.options.graph and isinstance(self.step, Step):
                self.step = GraphedStep(self.step, batch)
            self.step(batch)
            if self.average:
                self.average.update()
            at.batch += 1
            now = time.perf_counter()
            at.epoch_seconds, since = at.epoch_seconds + now - since, now
            if at.batch % LOOK_EVERY == 0:
                self._look()
            if at.batch < self.feed.batches:
                yield
                since = time.perf_counter()  # what others did meanwhile is not this run's time

    def _seed_layers(self, seed: int) -> None:
        """Seed a network's own random layers: as ``torch.manual_seed``, on this run's device alone, at no cost."""
        torch.default_generator.manual_seed(seed)
        if self.options.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _end_epoch(self) -> None:
        self._look()
        self._look_at_weights()
        at, since = self.position, time.perf_counter()
        last = at.epoch + 1 == self.phase.epochs
        loss, right, seen = self.plain.sums.tolist()
        looked = last or (at.epoch + 1) % self.options.evaluate_every == 0
        test_loss, test_accuracy = self.evaluate() if looked else (None, None)
        at.epoch_seconds += time.perf_counter() - since
        rate = learning_rate(self.phase, at.epoch, 0, self.feed.batches)
        at.history.append(
            Epoch(
                at.phase + 1, at.epoch + 1, rate, loss / seen, right / seen, test_loss, test_accuracy, at.epoch_seconds
            )
        )
        at.seconds += at.epoch_seconds
        at.epoch, at.batch, at.epoch_seconds = at.epoch + 1, 0, 0.0
        self.plain.sums.zero_()
        if last:
            self._end_phase()
        if last or at.epoch % self.options.save_every == 0:
            self.save()
            self._write_log()

    def _end_phase(self) -> None:
        at, weights = self.position, dict(self._result_state())
        at.phase, at.epoch = at.phase + 1, 0
        if self.done:
            return
        checkpoints.write(
            self.folder / f"step{at.phase}.safetensors", weights, Header(f"step{at.phase}", self.job, self.feed.classes)
        )
        self._begin_phase(weights, {})

    def _result_state(self) -> dict[str, Tensor]:
        return self.average.state if self.average else self.model.state_dict()

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float]:
        """Mean loss and accuracy on the test split, in fp32, of the averaged weights where the recipe has them."""
        if self.average:
            self.shadow.load_state_dict(self.average.state)
        self.shadow.eval()
        totals = torch.zeros(3, dtype=torch.float64, device=self.options.device)
        for images, labels in self.feed.test():
            logits = self.shadow(images).float()
            loss = F.cross_entropy(logits, labels, reduction="sum").double()
            right = (logits.argmax(1) == labels).sum().double()
            totals += torch.stack([loss, right, right.new_tensor(float(len(labels)))])
        self.model.train()
        loss_sum, right_sum, seen = totals.tolist()
        return loss_sum / seen, right_sum / seen

    # Results ---------------------------------------------------------------------------------------------------------

    def _write_log(self) -> None:
        history = self.position.history
        lines = [",".join(Epoch.__struct_fields__), *(entry.csv() for entry in history)]
        atomic_write(self.folder / "log.csv", "\n".join(lines) + "\n")
        atomic_write(self.folder / "log.json", msgspec.json.format(msgspec.json.encode(history), indent=1))

    def _write_result(self) -> None:
        at = self.position
        digest = checkpoints.write(
            self.folder / FINAL, self._result_state(), Header("result", self.job, self.feed.classes)
        )
        last_phase = [e.test_accuracy for e in at.history if e.phase == len(self.recipe.phases)]
        ends = {e.phase: e.test_accuracy for e in at.history}
        result = Result(
            accuracy=_known(last_phase[-1]),
            best_accuracy=max(_known(a) for a in last_phase if a is not None),
            step_accuracies=[_known(ends[phase]) for phase in sorted(ends)],
            held_out=self.feed.held_out,
            epochs=[phase.epochs for phase in self.recipe.phases],
            seconds=at.seconds,
            checkpoint_sha256=digest,
            parameters=sum(p.numel() for p in self.model.parameters()),
            environment=at.environment,
        )
        content = {"job": self.job, "result": result}
        atomic_write(self.folder / RESULT, msgspec.json.format(msgspec.json.encode(content), indent=1))


def _known(value: float | None) -> float:
    assert value is not None, "the last epoch of a phase is always evaluated"
    return value


def _difference(old: Job, new: Job) -> str:
    """The first thing in which two jobs differ, in words."""
    for name in Job.__struct_fields__:
        a, b = getattr(old, name), getattr(new, name)
        if a != b:
            return f"its {name} is {_short(a)}, not {_short(b)}"
    return "it was written by another version"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 60 else text[:57] + "..."
