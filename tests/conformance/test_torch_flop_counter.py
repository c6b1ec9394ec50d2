"""torch.utils.flop_counter, run live: it counts two operations per multiply-accumulate.

Source: pytorch/pytorch test/test_flop_counter.py, the forward cases.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from costmodel.deploy.profile import profile
from costmodel.ledger.conventions import convention
from costmodel.zoo import build, entry
from tests.conformance.networks import Apply, counted, macs, noise


def flops(module: nn.Module, *inputs: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module.eval()(*inputs)
    return int(counter.get_total_flops())


#: name -> module, shapes of its inputs, operations by torch
CASES: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...], int]] = {
    "mm": (Apply(torch.mm), ((4, 5), (5, 6)), 240),
    "bmm": (Apply(torch.bmm), ((3, 4, 5), (3, 5, 6)), 720),
    "addmm": (Apply(torch.addmm), ((4, 6), (4, 5), (5, 6)), 240),
    "addmm of a column": (Apply(torch.addmm), ((4, 1), (4, 5), (5, 6)), 240),
    "addmm of a vector": (Apply(torch.addmm), ((6,), (4, 5), (5, 6)), 240),
    "baddbmm": (Apply(torch.baddbmm), ((3, 4, 6), (3, 4, 5), (3, 5, 6)), 720),
    "conv2d": (Apply(lambda x, w: torch.conv2d(x, w, padding=1)), ((2, 3, 6, 6), (6, 3, 4, 4)), 28_800),
    "conv1d": (Apply(lambda x, w: torch.conv1d(x, w, padding=1)), ((2, 3, 6), (6, 3, 4)), 1_440),
    "einsum": (Apply(lambda a, b: torch.einsum("ab,bc->ac", a, b)), ((6, 7), (7, 8)), 672),
    "linear": (nn.Linear(9, 10), ((8, 9),), 1_440),
}


@pytest.mark.parametrize("case", CASES)
def test_operations_are_twice_the_multiply_accumulates(case: str) -> None:
    module, shapes, expected = CASES[case]
    assert flops(module, *noise(*shapes)) == expected
    made = counted(module, *shapes)
    assert 2 * macs(made) == convention("flops").count(made).number == expected


@pytest.mark.parametrize("name", ["resnet18-cifar10", "abbnn-digits", "bn-reactneta-cifar10", "cnv-w1a1"])
def test_networks_agree_although_torch_sees_no_binary_operand(name: str) -> None:
    net, x = build(name), torch.rand(entry(name).input_shape)
    made = profile(net, x)
    assert flops(net, x) == convention("flops").count(made).number
    assert made.deployed.total("xnor") > 0 or name == "resnet18-cifar10"


def test_attention_is_two_matrix_products() -> None:
    """torch counts it where it is written out; the fused kernel of the CPU counts as nothing there."""
    module, shapes = Apply(nn.functional.scaled_dot_product_attention), ((4, 8, 16, 12), *[(4, 8, 24, 12)] * 2)
    with sdpa_kernel(SDPBackend.MATH):
        theirs = flops(module, *noise(*shapes))
    assert theirs == 2 * macs(counted(module, *shapes)) == 2 * 2 * 4 * 8 * 16 * 24 * 12


def test_attention_module_agrees() -> None:
    module, shapes = nn.MultiheadAttention(16, 4), [(5, 1, 16)] * 3
    assert flops(module, *noise(*shapes)) == 2 * macs(counted(module, *shapes)) > 0


class Recurrent(nn.Module):
    """A recurrent layer with its first state as an input."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor, *state: torch.Tensor) -> torch.Tensor:
        return self.layer(x, state if len(state) > 1 else state[0])[0]


@pytest.mark.parametrize(("layer", "states"), [(nn.LSTM(16, 32), 2), (nn.GRU(16, 32, 2), 1)])
def test_recurrent_layers_agree_step_by_step(layer: nn.RNNBase, states: int) -> None:
    shapes = ((5, 1, 16), *[(layer.num_layers, 1, 32)] * states)
    with torch.backends.mkldnn.flags(enabled=False):  # else torch sees one opaque operation
        assert flops(Recurrent(layer), *noise(*shapes)) == 2 * macs(counted(Recurrent(layer), *shapes))


def test_a_first_state_of_zeros_is_multiplied_offline() -> None:
    """The recurrent product of the first step does not depend on the input: 4 of 5 steps run at inference."""
    x, state = (5, 1, 16), (1, 1, 32)
    whole = macs(counted(Recurrent(nn.LSTM(16, 32)), x, state, state))
    assert macs(counted(nn.LSTM(16, 32), x)) == whole - 4 * 32 * 32
