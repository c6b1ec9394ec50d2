"""Adaptive gradient clipping, schedules, weight decay and averages against their formulas."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from costmodel.train.optimise import (
    Average,
    clip_gradients,
    is_decayed,
    learning_rate,
    make_optimiser,
    set_rate,
    unit_norm,
)
from costmodel.train.recipes import Phase
from costmodel.zoo import registry
from tests.near import near


def test_a_unit_is_clipped_to_its_share_of_the_weight() -> None:
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4]])  # unit norms 5 and 0.5
    gradient = torch.tensor([[0.6, 0.8], [0.006, 0.008]])  # unit norms 1 and 0.01
    clip_gradients([weight], [gradient], factor=0.1, eps=1e-3)
    # First unit: 1 > 0.1 * 5, scaled to norm 0.5. Second: 0.01 < 0.1 * 0.5, left alone.
    torch.testing.assert_close(gradient, torch.tensor([[0.3, 0.4], [0.006, 0.008]]))


def test_small_weights_are_clipped_against_eps() -> None:
    gradient = torch.tensor([[1.0, 0.0]])
    clip_gradients([torch.zeros(1, 2)], [gradient], factor=0.5, eps=0.01)
    torch.testing.assert_close(gradient, torch.tensor([[0.005, 0.0]]))


def test_a_vector_is_one_unit_and_a_channel_bias_as_well() -> None:
    assert unit_norm(torch.tensor([3.0, 4.0])).item() == 5.0
    assert unit_norm(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).flatten().tolist() == [5.0]
    assert unit_norm(torch.tensor([3.0, 4.0]).view(2, 1, 1, 1)).flatten().tolist() == [3.0, 4.0]
    assert unit_norm(torch.tensor(-2.0)).item() == 2.0


@given(st.integers(0, 2**31), st.floats(1e-4, 1.0))
def test_no_clipped_unit_exceeds_its_limit_and_directions_stay(seed: int, factor: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, gradient = torch.randn(4, 3, 2, 2, generator=generator), torch.randn(4, 3, 2, 2, generator=generator)
    before = gradient.clone()
    clip_gradients([weight], [gradient], factor, 1e-3)
    limit = unit_norm(weight).clamp(min=1e-3) * factor
    assert (unit_norm(gradient) <= torch.minimum(limit, unit_norm(before)) * (1 + 1e-5)).all()
    cosine = (before * gradient).sum((1, 2, 3)) / (unit_norm(before) * unit_norm(gradient)).flatten()
    torch.testing.assert_close(cosine, torch.ones(4))


def test_the_published_schedule_falls_with_the_epoch_only() -> None:
    phase = Phase(weights="real", epochs=4, lr=0.8, schedule="linear-by-epoch")
    rates = [learning_rate(phase, epoch, batch, 10) for epoch in range(4) for batch in (0, 9)]
    assert rates == near([0.8, 0.8, 0.6, 0.6, 0.4, 0.4, 0.2, 0.2])


def test_schedules_by_batch_start_at_the_peak_and_fall_towards_zero() -> None:
    linear = Phase(weights="real", epochs=2, lr=1.0, schedule="linear")
    assert learning_rate(linear, 0, 0, 4) == 1.0
    assert learning_rate(linear, 1, 0, 4) == 0.5
    assert learning_rate(linear, 1, 3, 4) == 0.125
    cosine = Phase(weights="real", epochs=2, lr=1.0, schedule="cosine")
    assert learning_rate(cosine, 1, 0, 4) == near(0.5)
    assert learning_rate(cosine, 0, 2, 4) == near(0.5 * (1 + math.cos(math.pi / 4)))


def test_warm_up_rises_and_cycles_restart() -> None:
    phase = Phase(weights="real", epochs=10, lr=1.0, schedule="cosine", warmup=0.2, cycles=2)
    rates = [learning_rate(phase, epoch, 0, 5) for epoch in range(10)]
    assert rates[0] < rates[1] < rates[2] == 1.0
    assert rates[3] > rates[4] > rates[5]
    assert rates[6] == near(1.0)
    assert rates[9] < rates[7]


@given(
    st.sampled_from(["linear", "linear-by-epoch", "cosine", "constant"]),
    st.floats(0, 1),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 7),
)
def test_every_rate_is_positive_and_at_most_the_peak(
    schedule: str, warmup: float, cycles: int, epochs: int, batches: int
) -> None:
    phase = Phase(weights="real", epochs=epochs, lr=0.5, schedule=schedule, warmup=warmup, cycles=cycles)  # type: ignore[arg-type]
    for epoch in range(epochs):
        for batch in range(batches):
            assert 0 < learning_rate(phase, epoch, batch, batches) <= 0.5


def test_the_published_decay_rule_takes_biases_and_gains_and_leaves_exponents_and_classifier() -> None:
    model = registry.build("abbnn-reactnet18-cifar10", width=0.125, binary_weights=False)
    decayed = {name for name, p in model.named_parameters() if is_decayed(name, p, "conv")}
    kept = {name for name, p in model.named_parameters()} - decayed
    assert kept and all("exponent" in name or name.startswith("fc") for name in kept), kept
    assert any(name.endswith("gain") for name in decayed) and any(name.endswith("bias") for name in decayed)


def test_decay_is_added_to_the_gradient_of_its_group_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(1, 1, bias=False))
    phase = Phase(weights="real", epochs=1, lr=0.1, optimizer="sgd", momentum=0.0, weight_decay=0.5)
    optimiser = make_optimiser(list(model.named_parameters()), phase, torch.device("cpu"))
    set_rate(optimiser, 0.1)
    before = [p.item() for p in model.parameters()]
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    after = [p.item() for p in model.parameters()]
    assert after == near([before[0] * (1 - 0.1 * 0.5), before[1]])


def test_the_average_follows_its_recursion_and_copies_counters() -> None:
    model = nn.BatchNorm1d(1)
    average = Average(model, decay=0.9)
    values = [1.0]
    for step, weight in enumerate([3.0, -1.0], 1):
        with torch.no_grad():
            model.weight.fill_(weight)
            model.num_batches_tracked.fill_(step)
        average.update()
        decay = min(0.9, (1 + step) / (10 + step))
        values.append(decay * values[-1] + (1 - decay) * weight)
    assert average.state["weight"].item() == near(values[-1])
    assert average.state["num_batches_tracked"].item() == 2
