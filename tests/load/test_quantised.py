"""Layers in other bits are those of a network with quantisers in it: counted, run and refused by the same rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import costmodel
from costmodel.cli.main import main
from costmodel.deploy.study import prepare, verify
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.graph.domain import Domain
from costmodel.load.quantised import Bits, bits_of, parse, quantise
from tests.deploy.networks import images, scramble

FILE = """
import torch
from torch import nn


class Signs(nn.Conv2d):
    def forward(self, x):
        return nn.functional.conv2d(x, torch.sign(self.weight))


def build(width=4):
    return nn.Sequential(
        nn.Conv2d(2, width, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 6, 3), nn.Flatten(),
        nn.Linear(96, 5),
    )


def strange():
    return nn.Sequential(Signs(2, 4, 3), nn.Flatten(), nn.Linear(144, 3))


def own(layer_bits="8"):
    return nn.Sequential(nn.Flatten(), nn.Linear(128, int(layer_bits)))


ready = build()
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(FILE)
    return path


def network() -> nn.Module:
    torch.manual_seed(0)
    return scramble(
        nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(),
                      nn.Linear(96, 5))
    )  # fmt: skip


def products(model: nn.Module) -> dict[str, tuple[Domain, Domain | None]]:
    made = costmodel.profile(model, torch.randn(1, 2, 8, 8))
    return {layer.name: (layer.a, layer.b) for layer in made.deployed.layers if layer.macs}


@pytest.mark.parametrize(
    "text", ["3=w4", "3=a4", "3=w4a4", "3=w2u2", "3=w1a1", "3=w8u8,5=w3", "0=w8,*=w4a3", "5=w16a16"]
)
def test_what_is_deployed_gives_what_the_quantised_network_gives(text: str) -> None:
    model = network()
    quantise(model, text)
    made = prepare(model, torch.randn(1, 2, 8, 8))
    assert verify(made, images(made, 4)).exact


@pytest.mark.parametrize(
    ("bits", "read", "weight"),
    [
        ("w8", ("float", 32), ("int", 8)), ("w4a4", ("int", 3), ("int", 4)),  # a rectifier leaves half of the levels
        ("w4u4", ("int", 4), ("int", 4)), ("w1a1", ("binary", 1), ("binary", 1)), ("a8", ("int", 7), ("float", 32)),
        ("w2u1", ("binary01", 1), ("ternary", 2)), ("unchanged", ("float", 32), ("float", 32)),
    ],
)  # fmt: skip
def test_a_layer_has_the_bits_that_it_is_given(bits: str, read: tuple[str, int], weight: tuple[str, int]) -> None:
    model = network()
    quantise(model, f"3={bits}")
    found = products(model)
    a, b = found["3"]
    assert b is not None
    assert ((a.kind, a.bits), (b.kind, b.bits)) == (read, weight)
    assert {name: found[name] for name in "05"} == {name: products(network())[name] for name in "05"}


def test_the_last_part_that_matches_counts() -> None:
    one, other = network(), network()
    quantise(one, "*=w2,3=w8,0=unchanged")
    quantise(other, "3=w8,5=w2")
    assert products(one) == products(other)


def test_weights_are_on_the_grid_of_each_channel() -> None:
    model = network()
    before = model[3].weight.detach().clone()
    quantise(model, "3=w4,5=w1")
    steps = before.abs().amax((1, 2, 3), keepdim=True) / 7
    places = (model[3].weight / steps).detach()
    assert torch.allclose(places, places.round(), atol=1e-5) and places.abs().max() <= 7 + 1e-5
    assert (model[3].weight - before).abs().max() <= steps.max() / 2 + 1e-6
    assert all(len(row.abs().unique()) == 1 for row in model[5].weight)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3=w0", "1 to 16"), ("3=w17", "1 to 16"), ("3=", "expected bits"), ("3=8", "expected bits"),
        ("w4", "expected LAYER=BITS"), ("=w4", "expected LAYER=BITS"), ("3=w4a", "expected bits"),
        ("1=w4", "BatchNorm2d is no layer of torch that uses its weights as they are"),
    ],
)  # fmt: skip
def test_what_is_no_choice_of_bits_is_said(text: str, words: str) -> None:
    with pytest.raises(CostmodelError, match=words):
        quantise(network(), text)


def test_a_layer_that_is_not_there_is_named_with_the_nearest() -> None:
    model = nn.Sequential()
    model.add_module("features", nn.Linear(4, 4))
    with pytest.raises(UnknownNameError, match="features"):
        quantise(model, "feature=w4")


def test_texts_say_bits() -> None:
    assert parse("a*=w4a8, b = u2 ,c=unchanged,") == (("a*", Bits(4, 8)), ("b", Bits(0, 2, False)), ("c", Bits()))
    assert bits_of("w1", "") == Bits(1)


def test_every_factory_has_the_argument_and_none_loses_its_own(file) -> None:
    plain = costmodel.profile(f"{file}:build", "1x2x8x8")
    made = costmodel.profile(f"{file}:build", "1x2x8x8", arguments={"layer_bits": "3=w4u4", "width": 8})
    layers = {layer.name: layer for layer in made.deployed.layers if layer.macs}
    assert (layers["3"].a.bits, layers["3"].b.bits, layers["0"].shape_b[0]) == (4, 4, 8)
    same = costmodel.profile(f"{file}:build", "1x2x8x8", arguments={"layer_bits": ""})
    assert same.deployed.by_kind() == plain.deployed.by_kind()
    own = costmodel.profile(f"{file}:own", "1x2x8x8", arguments={"layer_bits": "6"})
    assert [layer.shape_b[0] for layer in own.deployed.layers if layer.macs] == [6]


def test_a_network_that_stands_ready_made_is_that_of_every_request(file) -> None:
    few = costmodel.build_model(f"{file}:ready", layer_bits="*=w2a2")
    again = costmodel.build_model(f"{file}:ready", layer_bits="3=w8")
    assert products(few.eval())["3"] != products(again.eval())["3"]
    assert products(costmodel.build_model(f"{file}:ready").eval())["3"][1].is_float


def test_layers_that_compute_with_their_weights_in_their_own_way_are_refused(file) -> None:
    with pytest.raises(CostmodelError, match="Signs is no layer of torch"):
        costmodel.profile(f"{file}:strange", "1x2x8x8", arguments={"layer_bits": "0=w4"})
    made = costmodel.profile(f"{file}:strange", "1x2x8x8", arguments={"layer_bits": "*=w4"})
    assert [layer.b.kind for layer in made.deployed.layers if layer.macs] == ["binary", "int"]


def test_weights_are_loaded_before_they_are_quantised(file, tmp_path) -> None:
    model = costmodel.build_model(f"{file}:build")
    torch.save(model.state_dict(), tmp_path / "w.pt")
    line = ["profile", f"{file}:build", "--input", "1x2x8x8", "--checkpoint", str(tmp_path / "w.pt"), "--format", "csv"]
    assert main([*line, "--model-args", "layer_bits=*=w4a4"]) == 0


def test_a_deployment_is_that_of_the_quantised_network(file) -> None:
    made = costmodel.deploy(f"{file}:build", "1x2x8x8", arguments={"layer_bits": "3=w4u4"})
    assert made.verdict is not None and made.verdict.exact
    assert made.profile.deployed.total("and") > 0


def test_weights_of_a_transposed_convolution_are_integers_too() -> None:
    """Its output channels lie along the second dimension of its weights."""
    model = nn.Sequential(nn.ConvTranspose2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(300, 5))
    quantise(model, "0=w4a4")
    a, b = products(model)["0"]
    assert b is not None and (a.kind, a.bits, b.kind, b.bits) == ("int", 4, "int", 4)
    made = prepare(model, torch.randn(1, 2, 8, 8))
    assert verify(made, images(made, 2)).exact


def test_a_call_has_the_argument_next_to_its_own(file) -> None:
    called = costmodel.profile(f"{file}:build(8)", "1x2x8x8", arguments={"layer_bits": "3=w4u4"})
    named = costmodel.profile(f"{file}:build", "1x2x8x8", arguments={"layer_bits": "3=w4u4", "width": 8})
    assert called.deployed.by_kind_and_tag() == named.deployed.by_kind_and_tag()
    with pytest.raises(CostmodelError, match="it takes layer_bits alone"):
        costmodel.profile(f"{file}:build(8)", "1x2x8x8", arguments={"width": 8})


class Mixed(nn.Module):
    """Products that an exporter spells in several ways, and weights that two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.up = nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.inner, self.fc = nn.Linear(12, 6, bias=False), nn.Linear(72, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(torch.relu(self.conv(x)))
        x = torch.relu(self.inner(x.flatten(2).reshape(-1, 36, 12)))  # of three dimensions: MatMul, not Gemm
        return self.fc(x.flatten(1)[:, :72])


def exported(model: nn.Module, path: Path, shape: tuple[int, ...]) -> str:
    torch.onnx.export(model.eval(), torch.randn(shape), str(path), dynamo=False, input_names=["x"])
    return str(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("text", ["*=w4a4", "conv=w2u2,fc=w1a1", "up=w3,inner=w8a8", "inner=a1,fc=unchanged"])
def test_an_onnx_file_has_the_bits_of_the_network_that_it_came_from(text: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = scramble(Mixed()).eval()
    file = exported(model, tmp_path / "net.onnx", (1, 2, 8, 8))
    read = costmodel.build_model(file, layer_bits=text)
    quantise(model, text)
    x = torch.randn(3, 2, 8, 8)
    assert torch.allclose(read(x[:1]), model(x[:1]), atol=1e-5)
    one = costmodel.profile(file, arguments={"layer_bits": text})
    other = costmodel.profile(model, torch.randn(1, 2, 8, 8))
    assert one.deployed.by_kind() == other.deployed.by_kind()
    assert costmodel.profile(file).deployed.by_kind() != one.deployed.by_kind()
    assert costmodel.deploy(file, arguments={"layer_bits": text}).exact


def test_nodes_of_one_tensor_have_its_bits_once(tmp_path: Path) -> None:
    """Twice the same product: with equal bits it is quantised once, with others that is no network."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    stored = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], "first"), helper.make_node("Relu", ["a"], ["r"], "relu"),
             helper.make_node("Transpose", ["w"], ["t"], "turned", perm=[1, 0]),
             helper.make_node("MatMul", ["r", "t"], ["y"], "second")]  # fmt: skip
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(stored, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(tmp_path / "tied.onnx"))
    read = costmodel.build_model(f"{tmp_path}/tied.onnx", layer_bits="*=w4")
    step = np.abs(stored).max(0) / 7  # of the first product's output channels
    known = torch.from_numpy(np.round(stored / step) * step)
    given = torch.randn(1, 4)
    assert torch.allclose(read(given), torch.relu(given @ known) @ known.T, atol=1e-5)
    for text in ("first=w4,second=w2", "second=w4"):
        with pytest.raises(CostmodelError, match="those of another layer too, in other bits"):
            costmodel.build_model(f"{tmp_path}/tied.onnx", layer_bits=text)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_say_what_they_take(tmp_path: Path) -> None:
    file = exported(network(), tmp_path / "net.onnx", (1, 2, 8, 8))
    with pytest.raises(UnknownNameError, match="unknown layer 'nowhere'"):
        costmodel.profile(file, arguments={"layer_bits": "nowhere=w4"})
    with pytest.raises(CostmodelError, match="takes no --model-args but layer_bits"):
        costmodel.profile(file, arguments={"width": 3})
    torch.jit.save(torch.jit.trace(network().eval(), torch.randn(1, 2, 8, 8)), str(tmp_path / "net.pt"))
    with pytest.raises(CostmodelError, match="its layers keep their bits"):
        costmodel.profile(f"{tmp_path}/net.pt", "1x2x8x8", arguments={"layer_bits": "*=w4"})
