"""Optimiser, schedule, adaptive gradient clipping and the average of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from costmodel.train.recipes import Clip, Phase

NamedParameters = Sequence[tuple[str, nn.Parameter]]


def learning_rate(phase: Phase, epoch: int, batch: int, batches: int) -> float:
    """Rate of one batch. ``linear-by-epoch`` is the published schedule ``lr (1 - epoch / epochs)``; the others move
    with every batch. ``warmup`` is the share of the phase that rises linearly from 0; ``cycles`` repeats the fall."""
    total, at = phase.epochs * batches, epoch * batches + batch
    rising = round(phase.warmup * total)
    if at < rising:
        return phase.lr * (at + 1) / (rising + 1)
    falling = total - rising
    within = (at - rising) * phase.cycles % falling / falling  # in whole batches, so that a cycle ends where it should
    if phase.schedule == "linear-by-epoch":
        return phase.lr * (1.0 - epoch / phase.epochs)
    if phase.schedule == "linear":
        return phase.lr * (1.0 - within)
    if phase.schedule == "cosine":
        return phase.lr * 0.5 * (1.0 + math.cos(math.pi * within))
    return phase.lr


def is_decayed(name: str, parameter: Tensor, rule: str) -> bool:
    """Whether weight decay applies. ``conv`` is the published rule, read literally: everything of four dimensions
    (learnable biases and gains of shape ``[1, c, 1, 1]`` included) or with ``conv`` in its name, exponents excepted."""
    if "exponent" in name:
        return False
    if rule == "matrices":
        return parameter.ndim >= 2
    return parameter.ndim == 4 or "conv" in name


def make_optimiser(parameters: NamedParameters, phase: Phase, device: torch.device) -> torch.optim.Optimizer:
    """The optimiser of a phase, in two groups: with and without weight decay (added to the gradient, as published)."""
    decayed = [p for name, p in parameters if is_decayed(name, p, phase.decay)]
    plain = [p for name, p in parameters if not is_decayed(name, p, phase.decay)]
    groups = [{"params": decayed, "weight_decay": phase.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if phase.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=phase.lr, momentum=phase.momentum, nesterov=phase.momentum > 0)
    if device.type == "cuda":
        # A rate in a tensor is read on the device, so that a recorded step follows it.
        rate = torch.tensor(phase.lr, device=device)
        return torch.optim.Adam(groups, lr=rate, fused=True, capturable=True)
    return torch.optim.Adam(groups, lr=phase.lr, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, in place where it is a tensor."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def unit_norm(values: Tensor) -> Tensor:
    """Euclidean norm of each output unit ``[out, 1, …]``; of the whole tensor when it has at most one dimension."""
    if values.ndim <= 1:
        return cast(Tensor, torch.linalg.vector_norm(values))
    return cast(Tensor, torch.linalg.vector_norm(values, dim=tuple(range(1, values.ndim)), keepdim=True))


def clip_gradients(weights: Sequence[Tensor], gradients: Sequence[Tensor], factor: float, eps: float) -> None:
    """Adaptive gradient clipping (Brock et al. 2021), in place: unit by unit, ``|g| <= factor max(|w|, eps)``.

    As published for A&B BNN: the norm of a gain or a bias is that of the unit it belongs to, ``[1, c, 1, 1]`` biases
    being one unit.
    """
    for weight, gradient in zip(weights, gradients, strict=True):
        limit = unit_norm(weight).clamp(min=eps) * factor
        norm = unit_norm(gradient)
        gradient.mul_(torch.where(norm < limit, torch.ones_like(norm), limit / norm.clamp(min=1e-6)))


def clipped(parameters: NamedParameters, clip: Clip) -> list[nn.Parameter]:
    """The parameters that a recipe clips: those whose names hold none of ``clip.exclude``."""
    return [p for name, p in parameters if not any(word in name for word in clip.exclude)]


class Average:
    """Exponential moving average of every floating-point tensor of a network's state; the others are copied.

    With ``n`` updates so far the decay is at most ``(1 + n) / (10 + n)``, so that the start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        live = model.state_dict()
        self.state = {name: value.detach().clone() for name, value in live.items()}
        moving = [name for name, value in live.items() if value.dtype.is_floating_point]
        # Parameters and buffers are changed in place throughout a phase, so that these stay the living ones.
        self._live, self._averaged = [live[n] for n in moving], [self.state[n] for n in moving]
        self._counters = [(self.state[n], live[n]) for n in live if n not in set(moving)]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._averaged, self._live, 1.0 - decay)
        for kept, value in self._counters:
            kept.copy_(value)
