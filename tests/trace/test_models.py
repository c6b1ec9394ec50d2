"""Models of every build go through unmodified, with nothing unknown and the products that arithmetic says."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from costmodel.deploy.profile import profile
from costmodel.trace import trace

torch.set_num_threads(1)


def macs(result) -> int:
    return sum(layer.macs for layer in result.deployed.layers)


class DictNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 5), nn.Linear(4, 5)

    def forward(self, left, right, *, scale=1.0):
        return {"sum": self.a(left["x"]) + scale * self.b(right), "parts": [left["x"], right]}


def test_dictionaries_in_and_out() -> None:
    inputs = {"left": {"x": torch.randn(2, 6)}, "right": torch.randn(2, 4), "scale": 0.5}
    result = profile(DictNet(), inputs)
    assert macs(result) == 2 * 30 + 2 * 20
    assert not result.caveats


def test_integer_inputs_and_embeddings() -> None:
    model = nn.Sequential(nn.Embedding(100, 16), nn.Linear(16, 3))
    result = profile(model, torch.randint(0, 100, (1, 7)))
    assert macs(result) == 7 * 48
    assert result.deployed.total("lut") == 7 * 16
    assert result.deployed.total("unknown") == 0


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_count_every_step(kind) -> None:
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    result = profile(kind(8, 16, batch_first=True), torch.randn(1, 5, 8))
    # the first step's recurrent product is of the zero state: it does not depend on the input
    assert macs(result) == gates * (5 * 8 * 16 + 4 * 16 * 16)
    assert result.deployed.total("unknown") == 0


def test_a_transformer_layer_counts_projections_scores_and_values() -> None:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    result = profile(layer, torch.randn(1, 10, 16))
    assert macs(result) == 10 * (16 * 48 + 16 * 16 + 2 * 16 * 32) + 2 * 10 * 10 * 16
    assert result.deployed.by_kind_and_tag()["shift_const", "const_mul"] == 4 * 10 * 10  # scores / sqrt(4)
    assert result.deployed.total("unknown") == 0


def test_einsum_is_a_product() -> None:
    class Einsum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 6, 5))

        def forward(self, x):
            return torch.einsum("bhi,hio->bho", x, self.w)

    assert macs(profile(Einsum(), torch.randn(3, 4, 6))) == 3 * 4 * 6 * 5


def test_depthwise_and_grouped_convolutions() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 16, 1, groups=2))
    assert macs(profile(model, torch.randn(1, 8, 6, 6))) == 8 * 9 * 36 + 16 * 4 * 36


def test_shared_and_repeated_modules_are_counted_each_time_under_one_name() -> None:
    class Repeat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(8, 8)

        def forward(self, x):
            for _ in range(3):
                x = torch.tanh(self.cell(x))
            return x

    result = profile(Repeat(), torch.randn(1, 8))
    assert [(x.module, x.call) for x in result.deployed.layers if x.op == "linear"] == [("cell", i) for i in range(3)]
    assert macs(result) == 3 * 64


def test_tied_weights_and_parametrizations() -> None:
    class Binary(nn.Module):
        def forward(self, w):
            return torch.where(w >= 0, 1.0, -1.0)

    layer = nn.Conv2d(8, 4, 3, bias=False)
    nn.utils.parametrize.register_parametrization(layer, "weight", Binary())
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1, bias=False))
    result = profile(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Hardtanh(), layer, normed), torch.randn(1, 3, 5, 5))
    assert result.deployed.by_module_and_kind()["2", "signflip"] == 4 * 8 * 9 * 9
    assert result.deployed.by_module_and_kind()["3", "mul"] == 16 * 9


def test_modules_that_are_not_used_are_named() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.used(x)

    result = profile(Spare(), torch.randn(1, 4))
    assert [(c.kind, c.module) for c in result.caveats] == [("uncalled", "spare")]


def test_the_model_its_buffers_and_its_inputs_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x = torch.randn(1, 3, 8, 8)
    kept = x.clone()
    profile(model, x)
    assert model.training
    assert torch.equal(x, kept)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_forward_that_writes_into_its_parameters_does_not_reach_the_caller() -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            self.conv.weight.data.clamp_(-0.01, 0.01)
            self.conv.weight.data.view(-1)[0] = 7.0
            return self.conv(x)

    model = Writes()
    before = model.conv.weight.detach().clone()
    profile(model, torch.randn(1, 3, 8, 8))
    assert torch.equal(model.conv.weight, before)
    with torch.no_grad():
        model.conv.weight.mul_(2.0)  # and the caller may go on writing
    assert torch.equal(model.conv.weight, 2 * before)


def test_inplace_and_functional_spellings_cost_the_same() -> None:
    class Spelling(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.conv, self.norm, self.inplace = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), inplace

        def forward(self, x):
            y = self.conv(x)
            y = self.norm(y)
            if self.inplace:
                y += y.clone()
                return F.relu_(y)
            return F.relu(y + y)

    a, b = (profile(Spelling(flag), torch.randn(1, 3, 8, 8)) for flag in (True, False))
    assert a.deployed.by_kind_and_tag() == b.deployed.by_kind_and_tag()


def test_where_and_extremes_spell_a_prelu() -> None:
    class Slope(nn.Module):
        def __init__(self, spell) -> None:
            super().__init__()
            self.conv, self.a, self.spell = nn.Conv2d(3, 8, 3), nn.Parameter(torch.rand(8, 1, 1)), spell

        def forward(self, x):
            return self.spell(self.conv(x), self.a)

    spellings = (
        lambda x, a: F.prelu(x, a.flatten()),
        lambda x, a: torch.where(x > 0, x, a * x),
        lambda x, a: torch.maximum(x, torch.zeros(1)) + a * torch.minimum(x, torch.zeros(1)),
        lambda x, a: F.relu(x) - a * F.relu(-x),
        lambda x, a: x.clamp(min=0) + a * x.clamp(max=0),
    )
    expected, *others = (profile(Slope(s), torch.randn(1, 3, 8, 8)).deployed.by_kind_and_tag() for s in spellings)
    for other in others:
        assert other == expected


def test_a_product_of_two_activations_is_a_matmul() -> None:
    class Gram(nn.Module):
        def forward(self, x):
            return x @ x.transpose(-1, -2)

    assert macs(profile(Gram(), torch.randn(2, 5, 7))) == 2 * 5 * 5 * 7


def test_outputs_that_do_not_depend_on_the_input_cost_nothing() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 4))

        def forward(self, x):
            return self.w @ self.w

    graph = trace(Constant(), torch.randn(1, 4))
    assert not graph.nodes
    assert any(c.kind == "note" for c in graph.caveats)
