"""Levels follow from rounding and bounds, whatever one input shows; real functions give real numbers at any input."""

import pytest
import torch
from torch import nn

from costmodel.trace import trace


class Made(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.c, self.function = nn.Conv2d(3, 8, 3), function
        self.alpha, self.size = nn.Parameter(torch.tensor(1.7)), nn.Parameter(torch.rand(8, 1, 1) + 0.5)

    def forward(self, x):
        return self.function(self, self.c(x))


def kind_of(function, gain):
    torch.manual_seed(0)
    graph = trace(Made(function).eval(), torch.randn(1, 3, 6, 6) * gain)
    return str(next(node for node in graph.nodes if node.id == graph.outputs[0]).domain)


LEVELS = {
    "two bits": (lambda m, x: torch.round(torch.clamp(x, 0, 1) * 3) / 3, "int2*real"),
    "a sign by rounding": (lambda m, x: torch.round((torch.clamp(x, -1, 1) + 1) / 2) * 2 - 1, "binary"),
    "ternary": (lambda m, x: torch.clamp(torch.round(x), -1, 1), "ternary"),
    "floor to a byte": (lambda m, x: torch.floor(torch.clamp(x * 16, 0, 255)), "int8"),
    "bounds first": (lambda m, x: torch.round(torch.clamp(x, -3, 3)), "int3"),
    "a step that is a parameter": (lambda m, x: torch.clamp(torch.round(x * 4), -4, 3) * m.size, "int3*real/channel"),
    "a choice of levels": (lambda m, x: torch.where(x > 1, 2.0, torch.where(x > 0, 1.0, 0.0)), "int2"),
    "choices of what is compared": (
        lambda m, x: torch.round(torch.where(x < 0, 0.0, torch.where(x > 1, 1.0, x)) * 3),
        "int2",
    ),
    "choices of integers": (
        lambda m, x: torch.where((y := torch.where((r := torch.round(x / m.alpha)) > 7, 7.0, r)) < -8, -8.0, y),
        "int4",
    ),
    "choices of integers by halves": (
        lambda m, x: torch.where((r := torch.round(x).clamp(max=3)) < 0.5, 0.0, r),
        "int2",
    ),
    "a choice beside a rectifier": (lambda m, x: torch.round(torch.where(x > 1, 1.0, torch.relu(x)) * 3), "int2"),
    "a choice by another number": (lambda m, x: torch.round(torch.where(x > -1, x.clamp(max=2), 0.0)), "int2"),
    "PACT by magnitudes": (lambda m, x: torch.round(0.5 * (x.abs() - (x - 1).abs() + 1) * 3), "int2"),
    "a hard tanh by magnitudes": (lambda m, x: torch.round(0.5 * ((x + 1).abs() - (x - 1).abs())), "ternary"),
    "rectified values apart": (lambda m, x: torch.round((torch.relu(x) - torch.relu(x - 1)) * 3), "int2"),
    "rectified by a magnitude": (lambda m, x: torch.round(((x + x.abs()) / 2).clamp(max=3)), "int2"),
    "between edges": (lambda m, x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])).float(), "int2"),
    "moved levels": (lambda m, x: torch.round(torch.clamp(x, 0, 1) * 7).flatten(1).unsqueeze(0), "int3"),
}
REAL = {
    "tanh": lambda m, x: torch.tanh(x),
    "sigmoid": lambda m, x: torch.sigmoid(x),
    "softmax": lambda m, x: torch.softmax(x, 1),
    "clamp": lambda m, x: torch.clamp(x, -1, 1),
    "bounds as tensors": lambda m, x: torch.minimum(torch.maximum(x, torch.tensor(-1.0)), torch.tensor(1.0)),
    "magnitudes of two values apart": lambda m, x: torch.round(x.abs() - (x.flip(1) - 1).abs()),
    "a magnitude and another value": lambda m, x: torch.round((x.flip(1) + x.abs()).clamp(max=3)),
    "rounded without bounds": lambda m, x: torch.round(x),
    "a mean of a hard tanh": lambda m, x: torch.nn.functional.hardtanh(x.abs()).mean((2, 3)),
    "a quotient": lambda m, x: x / (x.abs() + 1e-9),
}


@pytest.mark.parametrize("gain", [0.05, 1.0, 1e4])
@pytest.mark.parametrize("name", LEVELS)
def test_levels_are_those_of_the_rule(name, gain):
    function, expected = LEVELS[name]
    assert kind_of(function, gain) == expected


@pytest.mark.parametrize("gain", [0.05, 1.0, 1e5])
@pytest.mark.parametrize("name", REAL)
def test_real_numbers_stay_real(name, gain):
    assert kind_of(REAL[name], gain) == "float32"
