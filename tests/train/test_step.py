"""Recording a step as a graph leaves no trace: the first replay is the first step."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
import torch
from torch import nn

from costmodel.train.feed import Batch
from costmodel.train.step import GraphedStep, Step
from costmodel.zoo import registry
from tests.near import near
from tests.train.conftest import recipe


class Stream:
    """Stands in for a CUDA stream."""

    def wait_stream(self, other: Stream) -> None:
        pass


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of CUDA that recording calls, as plain execution on the CPU."""
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: type("Graph", (), {})())
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: contextlib.nullcontext())


def optimiser(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01), fused=True)


def batches(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(8)
    made = []
    for _ in range(count):
        images = torch.randn(6, 1, 8, 8, generator=generator)
        labels = torch.randint(10, (6,), generator=generator)
        made.append(Batch(images, labels, labels.roll(1), torch.tensor(0.75)))
    return made


@pytest.mark.parametrize("network", ["abbnn-reactnet6-digits", "bn-reactnet6-digits"])
@pytest.mark.parametrize("earlier_steps", [0, 2])
def test_replays_are_the_steps_themselves(no_gpu: None, network: str, earlier_steps: int) -> None:
    torch.manual_seed(0)
    model = registry.build(network)
    twin = copy.deepcopy(model)
    plain, base = (Step(m, optimiser(m), recipe(), None) for m in (model, twin))
    todo = batches(earlier_steps + 3)
    for batch in todo[:earlier_steps]:
        plain(batch)
        base(batch)
    graphed: Any = GraphedStep(base, todo[earlier_steps])
    graphed.graph.replay = lambda: base(graphed.static)
    for batch in todo[earlier_steps:]:
        plain(batch)
        graphed(batch)
    for (name, a), b in zip(model.state_dict().items(), twin.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert torch.equal(plain.sums, base.sums) and plain.sums[2] == 6 * len(todo)


def test_sums_are_loss_right_answers_and_images() -> None:
    torch.manual_seed(0)
    model = registry.build("bn-reactnet6-digits")
    (batch,) = batches(1)
    with torch.no_grad():
        logits = copy.deepcopy(model)(batch.images)
    step = Step(model, optimiser(model), recipe(clip=None), None)
    step(batch)
    own = nn.functional.cross_entropy(logits, batch.labels)
    mixed = nn.functional.cross_entropy(logits, batch.other)
    right = (logits.argmax(1) == batch.labels).sum().item()
    assert step.sums.tolist() == near([6 * (0.75 * own + 0.25 * mixed).item(), right, 6])
