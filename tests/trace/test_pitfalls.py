"""Twelve ways to count wrongly, each found the hard way by some counter; none may come back."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from costmodel.deploy.profile import profile
from costmodel.trace import trace
from tests.trace import idioms

torch.set_num_threads(1)


def counts(model: nn.Module, *shape: int) -> dict[str, int]:
    return profile(model, torch.randn(shape)).deployed.by_kind()


# 1 -------------------------------------------------------------------------------------------------------------------


class TinyLayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.gamma = nn.Parameter(1e-6 * torch.ones(4, 1, 1))

    def forward(self, x):
        return x + self.gamma * self.conv(x)


def test_a_layer_scale_of_a_millionth_does_not_delete_the_branch() -> None:
    assert counts(TinyLayerScale(), 1, 4, 8, 8)["mul"] == 4 * 4 * 9 * 64


# 2 -------------------------------------------------------------------------------------------------------------------


class NumpyDetour(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(8, 8, 1, bias=False)

    def forward(self, x):
        y = self.first(x)
        y = torch.from_numpy(np.tanh(y.detach().numpy()))
        return self.second(y)


def test_a_way_through_numpy_loses_neither_what_is_before_nor_what_is_after_it() -> None:
    result = profile(NumpyDetour(), torch.randn(1, 3, 6, 6))
    assert result.deployed.total("mul") == 8 * 3 * 9 * 16 + 8 * 8 * 16
    assert {c.kind for c in result.caveats} == {"foreign"}


# 3 -------------------------------------------------------------------------------------------------------------------


class DataSwap(nn.Module):
    """BinaryNet's way: the parameter's data is replaced in forward, and put back."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 8, 3, 3))

    def forward(self, x):
        kept = self.weight.data.clone()
        self.weight.data = self.weight.data.sign()
        y = F.conv2d(x.sign(), self.weight)
        self.weight.data = kept
        return y


def test_weights_swapped_through_data_are_seen() -> None:
    model = DataSwap()
    before = model.weight.detach().clone()
    assert counts(model, 1, 8, 6, 6)["xnor"] == 16 * 8 * 9 * 16
    assert torch.equal(model.weight, before)


# 4 -------------------------------------------------------------------------------------------------------------------


class WriteThroughView(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1, bias=False)
        self.head = nn.Conv2d(8, 4, 1, bias=False)

    def forward(self, x):
        y = self.conv(x)
        y[:, 0].zero_()
        y[:, 1:3] *= 0.3
        return self.head(y)


def test_a_write_through_a_view_keeps_the_data_flow_and_costs_only_its_arithmetic() -> None:
    result = counts(WriteThroughView(), 1, 3, 4, 4)
    assert result["mul"] == 8 * 3 * 16 + 4 * 8 * 16 + 2 * 16
    assert "unknown" not in result


# 5 -------------------------------------------------------------------------------------------------------------------


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 16)

    def forward(self, x):
        return self.a(x) if x.mean() > 0 else self.b(x)


def test_a_branch_on_data_is_reported() -> None:
    result = profile(Branch(), torch.rand(1, 8) + 0.1)
    assert "branch" in {c.kind for c in result.caveats}
    assert result.deployed.total("mul") == 64


# 6 -------------------------------------------------------------------------------------------------------------------


def test_observing_does_not_change_what_the_model_returns() -> None:
    model = idioms.Layer(idioms.sign_detached).eval()
    x = torch.randn(idioms.INPUT)
    expected = model(x)
    profile(model, x)
    assert torch.equal(model(x), expected)
    assert not model._forward_hooks and not model.stem._forward_hooks


# 7 -------------------------------------------------------------------------------------------------------------------


class Degenerate(nn.Module):
    """Everything that an untrained network starts from: positive weights, slope 0.25, identity norm, zero biases."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.weight = nn.Parameter(torch.rand(8 * 8 * 9, 1) * 0.001)
        self.norm, self.act = nn.BatchNorm2d(8), nn.PReLU(8)

    def forward(self, x):
        x = self.stem(x)
        w = self.weight.view(8, 8, 3, 3)
        y = F.conv2d(torch.sign(x), w.sign() * w.abs().mean((1, 2, 3), keepdim=True), padding=1)
        return self.act(self.norm(y) + x)


def test_initial_values_are_not_structure() -> None:
    ledger = profile(Degenerate(), torch.randn(1, 3, 6, 6)).deployed
    tags = ledger.by_kind_and_tag()
    assert tags["xnor", "binary_conv"] == 8 * 8 * 9 * 36
    assert tags["mul", "weight_scale+bn_scale"] == 8 * 36
    assert tags["mul", "prelu"] == 8 * 36
    assert tags["add", "bn_bias"] == 8 * 36


def test_trained_values_are_read_literally_when_asked() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.PReLU(8))
    ledger = profile(model, torch.randn(1, 3, 6, 6), trained=True).deployed
    assert ledger.by_kind_and_tag()["shift_channel", "prelu"] == 8 * 36


class ReluThenNorm(nn.Module):
    """Positive values only, then a positive norm: the binarisation gives +1 everywhere on this input."""

    def __init__(self, binarise) -> None:
        super().__init__()
        self.stem, self.binarise = nn.Conv2d(3, 8, 3, padding=1), binarise
        self.conv = idioms.Conv(idioms.plain)

    def forward(self, x):
        return self.conv(self.binarise(F.relu(self.stem(x)) + 10.0))


@pytest.mark.parametrize("name", sorted(set(idioms.ACTIVATIONS) - {"mask_assignment", "masked_fill"}))
def test_a_binarisation_that_this_input_never_switches_is_binary(name: str) -> None:
    ledger = profile(ReluThenNorm(idioms.ACTIVATIONS[name]), torch.randn(idioms.INPUT)).deployed
    assert ledger.total("xnor") == idioms.MACS


def test_python_literals_are_structure() -> None:
    tags = profile(nn.Sequential(nn.Conv2d(3, 8, 1), nn.LeakyReLU(0.125)), torch.randn(1, 3, 6, 6)).deployed
    assert tags.by_kind_and_tag()["shift_const", "prelu"] == 8 * 36


# 8 -------------------------------------------------------------------------------------------------------------------


class TwoBits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv = idioms.Conv(idioms.dorefa(2))

    def forward(self, x):
        x = torch.clamp(self.stem(x), 0, 1)
        return self.conv(torch.round(x * 3) / 3)


def test_two_bit_operands_are_bit_serial() -> None:
    ledger = profile(TwoBits(), torch.randn(idioms.INPUT)).deployed
    layer = next(layer for layer in ledger.layers if layer.module == "conv")
    assert (layer.a.kind, layer.a.bits) == ("int", 2)
    assert ledger.total("and") == ledger.total("popcount") == 4 * idioms.MACS


def test_ternary_weights_are_not_billed_as_binary() -> None:
    ledger = profile(idioms.Layer(torch.sign, idioms.ternary), torch.randn(idioms.INPUT)).deployed
    assert ledger.total("xnor") == ledger.total("and") == idioms.MACS


# 9 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride,padding,output_padding", [(1, 0, 0), (2, 1, 1), (2, 0, 0)])
def test_a_transposed_convolution_counts_from_its_input(stride: int, padding: int, output_padding: int) -> None:
    model = nn.ConvTranspose2d(6, 4, 3, stride, padding, output_padding, bias=False)
    assert counts(model, 1, 6, 5, 7)["mul"] == 6 * 5 * 7 * 4 * 9


# 10 ------------------------------------------------------------------------------------------------------------------


class Window(nn.Module):
    """+1 inside an interval: two thresholds, not one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv = idioms.Conv(idioms.plain)

    def forward(self, x):
        x = self.stem(x)
        return self.conv(torch.where((x > -0.3) & (x < 0.3), 1.0, -1.0))


def test_a_one_bit_value_with_two_changes_costs_two_comparisons() -> None:
    tags = profile(Window(), torch.randn(idioms.INPUT)).deployed.by_kind_and_tag()
    assert tags["compare", "binarize"] == 2 * 800


# 11 ------------------------------------------------------------------------------------------------------------------


class NegativeGamma(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = idioms.Layer(), idioms.Conv(idioms.plain)
        self.norm = nn.BatchNorm2d(16)
        with torch.no_grad():
            self.norm.weight.copy_(torch.linspace(-2, 2, 16) + 0.01)
            self.norm.bias.fill_(0.3)  # no ties between integers and thresholds
        self.second.latent = nn.Parameter(torch.randn(4, 16, 3, 3))

    def forward(self, x):
        return self.second(torch.sign(self.norm(self.first(x))))


def test_a_norm_with_negative_gains_is_still_one_comparison() -> None:
    result = profile(NegativeGamma(), torch.randn(idioms.INPUT), trained=True)
    assert result.deployed.by_kind_and_tag()["compare", "binarize"] == 800 + 1600
    assert result.deployed.total("mul") == idioms.STEM_MACS
    assert result.rewrites_by_name()["batch norm into threshold"] == {"mul": 1600, "add": 1600}


def test_a_tie_of_integer_sums_does_not_make_a_sign_ternary() -> None:
    second = idioms.Conv(idioms.plain)
    second.latent = nn.Parameter(torch.randn(4, 16, 3, 3))

    class TwoLayers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = idioms.Layer(), second  # no norm between: sums of ±1 are often 0

        def forward(self, x):
            return self.second(torch.sign(self.first(x)))

    ledger = profile(TwoLayers(), torch.randn(idioms.INPUT)).deployed
    assert ledger.total("xnor") == idioms.MACS + 4 * 16 * 9 * 100
    assert ledger.total("and") == 0


# 12 ------------------------------------------------------------------------------------------------------------------


class ExplicitPadding(nn.Module):
    def __init__(self, explicit: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.weight, self.explicit = nn.Parameter(torch.randn(16, 8, 3, 3)), explicit

    def forward(self, x):
        x = torch.sign(self.stem(x))
        if self.explicit:
            return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight.sign())
        return F.conv2d(x, self.weight.sign(), padding=1)


def test_zero_padding_does_not_make_a_binary_map_ternary() -> None:
    a, b = (profile(ExplicitPadding(flag), torch.randn(idioms.INPUT)).deployed for flag in (False, True))
    assert a.by_kind() == b.by_kind()
    assert a.total("xnor") == idioms.MACS


# the tracer itself ---------------------------------------------------------------------------------------------------


class Unruly(nn.Module):
    def forward(self, x):
        return torch.linalg.svd(x).S + torch.cumsum(x, 0)[0, :1]


def test_an_op_without_a_rule_is_counted_as_unknown_and_named() -> None:
    result = profile(Unruly(), torch.randn(4, 4))
    assert result.deployed.total("unknown") > 0
    assert any("svd" in c.message for c in result.caveats)


def test_tracing_imports_no_compiler() -> None:
    code = (
        "import sys, torch; from costmodel.deploy.profile import profile;"
        "profile(torch.nn.Linear(4, 4), torch.randn(1, 4));"
        "print([m for m in ('torch._dynamo', 'torch._inductor', 'sympy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_graph_names_module_and_call_of_every_node() -> None:
    shared = nn.Linear(4, 4)
    graph = trace(nn.Sequential(shared, nn.ReLU(), shared), torch.randn(1, 4))
    assert [(n.module, n.call) for n in graph.nodes if n.op == "linear"] == [("0", 0), ("0", 1)]
