"""A whole network as hardware computes what the executor computes, in the cycles that the model says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from costmodel.calibrate import vehicle, yosys
from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor
from costmodel.deploy.program import Array, Program
from costmodel.deploy.study import prepare
from costmodel.errors import CostmodelError
from costmodel.trial import deploy

needs_yosys = pytest.mark.skipif(yosys.command() is None, reason="no simulator: pip install 'costmodel[calibrate]'")


class Signed(nn.Module):
    """Dense layers of signs with batch norms whose slopes have both signs."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.weights = nn.ParameterList([torch.randn(o, i) for i, o in pairwise(sizes)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(o) for o in sizes[1:-1]])
        for norm in self.norms:
            norm.running_mean.uniform_(-4, 4)
            norm.running_var.uniform_(0.5, 20)
            with torch.no_grad():
                norm.weight.uniform_(-2, 2)
                norm.bias.uniform_(-1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k, weight in enumerate(self.weights):
            x = torch.where(x >= 0, 1.0, -1.0) @ torch.where(weight >= 0, 1.0, -1.0).T
            if k < len(self.norms):
                x = self.norms[k](x)
        return x


def program(*sizes: int) -> Program:
    made = prepare(Signed(*sizes).eval(), (torch.randn(1, sizes[0]),), name="signed")
    return assemble(made.graph, 16)


def executed(of: Program, count: int) -> tuple[Array, Array]:
    """Inputs as zeros and ones, and the popcounts of the last layer."""
    inputs = np.random.default_rng(0).standard_normal((count, *of.inputs[0][2][1:]))
    seen = []
    Executor(of).run(inputs, probe=lambda i, x, y: seen.append((x[0], y)) if i.op == "xnor_sum" else None)
    width = [i for i in of.instructions if i.op == "xnor_sum"][-1].arrays["signs"].shape[1]
    return (seen[0][0].reshape(count, -1) > 0).astype(int), (seen[-1][1] + width) // 2


def test_layers_hold_the_signs_and_thresholds_of_the_program() -> None:
    """In numpy, layer by layer: popcount of equal bits, compared with the limit."""
    of = program(24, 16, 12, 5)
    x, expected = executed(of, 64)
    for layer in vehicle.layers(of):
        ones = (x[:, None, :] == layer.weights[None]).sum(2)
        x = ones if layer.limits is None else (ones >= layer.limits).astype(int)
    assert np.array_equal(x, expected)


@needs_yosys
def test_the_hardware_is_bit_exact_and_as_fast_as_the_model_says() -> None:
    folds = ((4, 8), (4, 4), (5, 12))
    of = program(24, 16, 12, 5)
    x, expected = executed(of, 64)
    network = vehicle.layers(of)
    run = vehicle.simulate(network, folds, x)
    assert np.array_equal(run.popcounts, expected)
    assert run.cycles == vehicle.cycles(network, folds)


@needs_yosys
def test_limits_that_no_popcount_reaches_are_never_reached() -> None:
    """Of 7 products; one more than 7 needs a bit more."""
    weights = np.random.default_rng(2).integers(0, 2, (2, 7))
    network = [vehicle.Layer(weights, np.array([0, 8])), vehicle.Layer(np.eye(2, dtype=int), None)]
    x = np.random.default_rng(3).integers(0, 2, (64, 7))
    run = vehicle.simulate(network, ((2, 7), (2, 2)), x)
    assert (run.popcounts == [1 + 1, 0]).all()  # signs 1 and 0, against 1, 0 and 0, 1


@pytest.mark.slow
@needs_yosys
def test_tfc_is_bit_exact_on_test_images() -> None:
    found = deploy("tfc-w1a1", checkpoint="tfc-w1a1")
    of, folds = assemble(found.made.graph, 16), ((16, 49), (8, 16), (8, 8), (10, 8))
    x, expected = executed(of, 128)
    network = vehicle.layers(of)
    run = vehicle.simulate(network, folds, x)
    assert np.array_equal(run.popcounts, expected)
    assert run.cycles == vehicle.cycles(network, folds) == 64


def test_folds_that_do_not_divide_a_layer_are_refused() -> None:
    with pytest.raises(CostmodelError, match="layer 0 of 16 x 24: 5 rows and 8 columns at a time do not divide it"):
        vehicle.verilog(vehicle.layers(program(24, 16, 5)), ((5, 8), (5, 16)))


def test_a_network_that_is_not_of_binary_dense_layers_is_refused() -> None:
    made = prepare(nn.Linear(4, 3), (torch.randn(1, 4),), name="real")
    with pytest.raises(CostmodelError, match="real is no network of binary dense layers"):
        vehicle.layers(assemble(made.graph, 16))
