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
    "moved levels": (lambda m, x: torch.round(torch.clamp(x, 0, 1) * 7).flatten(1).unsqueeze(0), "int3"),
}
REAL = {
    "tanh": lambda m, x: torch.tanh(x),
    "sigmoid": lambda m, x: torch.sigmoid(x),
    "softmax": lambda m, x: torch.softmax(x, 1),
    "clamp": lambda m, x: torch.clamp(x, -1, 1),
    "bounds as tensors": lambda m, x: torch.minimum(torch.maximum(x, torch.tensor(-1.0)), torch.tensor(1.0)),
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
