"""One optimisation step, as plain calls or as one captured CUDA graph."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from costmodel.train.feed import Batch
from costmodel.train.optimise import clip_gradients, clipped
from costmodel.train.recipes import Loss, Recipe


def training_loss(logits: Tensor, batch: Batch, loss: Loss, teacher_logits: Tensor | None) -> Tensor:
    """Scalar loss of ``logits [b, classes]``. See :class:`costmodel.train.recipes.Loss` for the formula."""
    total = logits.new_zeros(())
    if loss.teacher < 1:
        hard = F.cross_entropy(logits, batch.labels, label_smoothing=loss.label_smoothing)
        if batch.other is not batch.labels:  # cutmix
            mixed = F.cross_entropy(logits, batch.other, label_smoothing=loss.label_smoothing)
            hard = batch.keep * hard + (1.0 - batch.keep) * mixed
        total = total + (1.0 - loss.teacher) * hard
    if teacher_logits is not None and loss.teacher > 0:
        soft = F.log_softmax(teacher_logits / loss.temperature, 1)
        own = F.log_softmax(logits / loss.temperature, 1)
        divergence = F.kl_div(own, soft, reduction="batchmean", log_target=True)
        total = total + loss.teacher * loss.temperature**2 * divergence
    return total


def compiles(recipe: Recipe, device: torch.device) -> bool:
    """Whether the step is compiled: where the recipe wants it, and on a CPU only where there is a C++ compiler."""
    return recipe.compile and (device.type == "cuda" or any(map(shutil.which, ("g++", "clang++", "c++"))))


def autocasts(recipe: Recipe, device: torch.device) -> bool:
    """Whether products are made in bf16 (signs are exact there, sums are gathered in fp32): where the recipe wants it,
    and on a CPU only with the instructions for it."""
    return recipe.precision == "bf16" and (device.type == "cuda" or torch.cpu._is_avx512_bf16_supported())


class Step:
    """Forward, backward, clipping and update of one batch. ``sums`` gathers loss, right answers and images seen, on the
    device, so that a step never waits for it."""

    def __init__(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe, teacher: nn.Module | None
    ) -> None:
        self.optimiser, self.recipe, self.teacher, self.module = optimiser, recipe, teacher, model
        device = next(model.parameters()).device
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        self.forward: Callable[[Tensor], Tensor] = torch.compile(model) if compiles(recipe, device) else model
        self.clip: Callable[..., None] = clip_gradients
        if recipe.compile and device.type == "cuda":
            self.clip = torch.compile(clip_gradients)
        self.clipped = clipped(list(model.named_parameters()), recipe.clip) if recipe.clip else []
        self.device, self.autocast = device.type, autocasts(recipe, device)
        self.bound = recipe.bound if isinstance(recipe.bound, float) else 0.0
        self.bounded = [p for p in model.parameters() if p.ndim > 1] if self.bound else []

    def __call__(self, batch: Batch) -> None:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.autocast, cache_enabled=False):
            logits = self.forward(batch.images).float()
            teacher_logits = None
            if self.teacher is not None:
                with torch.no_grad():
                    teacher_logits = self.teacher(batch.images).float()
        loss = training_loss(logits, batch, self.recipe.loss, teacher_logits)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip is not None:
            active = [p for p in self.clipped if p.grad is not None]
            with torch.no_grad():
                gradients = [p.grad for p in active]
                self.clip([p.detach() for p in active], gradients, self.recipe.clip.factor, self.recipe.clip.eps)
        self.optimiser.step()
        with torch.no_grad():
            if self.bounded:
                for parameter in self.bounded:
                    parameter.clamp_(-self.bound, self.bound)
            size = len(batch.labels)
            right = (logits.argmax(1) == batch.labels).sum()
            self.sums[:2] += torch.stack([loss.detach().double() * size, right.double()])
            self.sums[2] += size


class GraphedStep:
    """A :class:`Step` recorded once as a CUDA graph and replayed: one launch instead of some hundreds.

    Recording runs the step a few times; weights, optimiser state and sums are put back after that, in place, so that
    the first replay is the first step of the run. Batches must all have the same shape.
    """

    WARM_UP = 3

    def __init__(self, step: Step, example: Batch) -> None:
        self.step = step
        self.static = Batch(*(t.clone() for t in (example.images, example.labels, example.other, example.keep)))
        self._materialise_state()
        saved = [t.clone() for t in self._tensors()]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(self.WARM_UP):
                step(self.static)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            step(self.static)
        with torch.no_grad():
            for tensor, value in zip(self._tensors(), saved, strict=True):
                tensor.copy_(value)

    def _materialise_state(self) -> None:
        """Let the optimiser make its state without moving anything: one step at rate zero with gradients of zero."""
        optimiser = self.step.optimiser
        if optimiser.state:
            return
        rates = [g["lr"].clone() for g in optimiser.param_groups]
        values = [p.detach().clone() for g in optimiser.param_groups for p in g["params"]]
        for group in optimiser.param_groups:
            group["lr"].zero_()
            for p in group["params"]:
                p.grad = torch.zeros_like(p)
        optimiser.step()
        with torch.no_grad():
            for entries in optimiser.state.values():
                for value in entries.values():
                    value.zero_()
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"].copy_(rate)
            parameters = (p for g in optimiser.param_groups for p in g["params"])
            for p, value in zip(parameters, values, strict=True):
                p.copy_(value)

    def _tensors(self) -> list[Tensor]:
        state: list[Any] = [v for entries in self.step.optimiser.state.values() for v in entries.values()]
        return [*self.step.module.state_dict().values(), *state, self.step.sums]

    def __call__(self, batch: Batch) -> None:
        self.static.images.copy_(batch.images)
        self.static.labels.copy_(batch.labels)
        self.static.other.copy_(batch.other)
        self.static.keep.copy_(batch.keep)
        self.graph.replay()
