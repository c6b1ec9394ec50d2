"""ONNX and QONNX files are networks like any other: counted as the module they came from, or refused in one line."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile
from costmodel.load.onnx import network as _network  # noqa: F401  (registers the operators)
from costmodel.load.onnx.table import CUSTOM, STANDARD

FLOAT = TensorProto.FLOAT
QONNX = "qonnx.custom_op.general"


def rows(profile: Profile) -> list[Mapping[str, int]]:
    return [dict(row) for row in profile.deployed.by_layer().values() if row]


def write(
    path: Path, nodes: list[Any], stored: dict[str, np.ndarray], shape: list[Any], out: list[Any], **more: Any
) -> Path:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, out)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()], **more,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def profile(path: Path, inputs: str | None = None, **options: Any) -> Profile:
    return costmodel.profile(str(path), inputs, use_cache=False, **options)


# -- as the module ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet18() -> nn.Module:
    """With statistics as after training, so that no exporter drops a bias of zero."""
    torch.manual_seed(0)
    model = costmodel.build_model("resnet18-cifar10").eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return model


@pytest.mark.parametrize("dynamo", [False, True])
def test_an_exported_resnet18_is_the_module_row_by_row(resnet18: nn.Module, dynamo: bool, tmp_path: Path) -> None:
    x = torch.randn(1, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(copy.deepcopy(resnet18), (x,), str(tmp_path / "net.onnx"), dynamo=dynamo, verbose=False)
    own, read = costmodel.profile(resnet18, x), profile(tmp_path / "net.onnx")
    assert rows(read) == rows(own)
    if not dynamo:  # the other exporter gives a convolution the place of the batch norm that it folds into it
        paths = [[layer.module for layer in p.deployed.layers if layer.macs] for p in (own, read)]
        assert paths[0] == paths[1]


@pytest.mark.parametrize("name", ["tfc", "cnv", "abbnn-digits", "bn-digits"])
def test_an_exported_deployed_network_has_the_same_deployed_ledger(name: str, tmp_path: Path) -> None:
    path, weights = tmp_path / "net.onnx", tmp_path / "weights.pt"
    model = costmodel.build_model(name)
    with torch.no_grad():  # no shift of zero and no scale that is equal in all channels
        for tensor in (*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())):
            tensor.copy_(tensor + 0.1 * torch.rand_like(tensor))
    torch.save(model.state_dict(), weights)
    assert main(["deploy", name, "--qonnx", str(path), "--trained", "--checkpoint", str(weights)]) in (0, 1)
    own = costmodel.profile(name, checkpoint=weights, use_cache=False, trained=True)
    read = profile(path, trained=True)
    assert one_shift(read) == one_shift(own)


def one_shift(profile: Profile) -> dict[str, int]:
    """The kinds of operations; a file does not say that a scale which is equal in all channels belongs to each."""
    kinds = dict(profile.deployed.by_kind())
    kinds["shift_const"] = kinds.get("shift_const", 0) + kinds.pop("shift_channel", 0)
    return kinds


def lstm(kind: type[nn.Module]) -> nn.Module:
    return kind(6, 5, batch_first=False, bidirectional=True)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_count_as_the_module(kind: type[nn.Module], tmp_path: Path) -> None:
    model, x = lstm(kind), torch.randn(7, 1, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), str(tmp_path / "net.onnx"), dynamo=False)
    own, read = costmodel.profile(model, x), profile(tmp_path / "net.onnx")
    assert dict(read.deployed.by_kind()) == dict(own.deployed.by_kind())
    assert convention("macs").count(read).number == convention("macs").count(own).number


# -- quantised --------------------------------------------------------------------------------------------------------


def quant(name: str, source: str, scale: str, bits: str, signed: int = 1, narrow: int = 0) -> Any:
    return helper.make_node("Quant", [source, scale, "zero", bits], [name], domain=QONNX, signed=signed, narrow=narrow,
                            rounding_mode="ROUND")  # fmt: skip


def dense(path: Path, bits_a: int, bits_w: int) -> Path:
    """Two dense layers, 24 x 16 and 16 x 10, of ``bits_w`` weights on ``bits_a`` activations."""
    rng = np.random.default_rng(0)
    levels = 2 ** (bits_w - 1)
    stored = {
        "zero": np.float32(0).reshape(()), "a": np.float32(bits_a).reshape(()), "w": np.float32(bits_w).reshape(()),
        "sa": np.float32(0.3).reshape(()), "sw": np.float32(0.7).reshape(()),
        "w1": (0.7 * rng.integers(-levels, levels, (16, 24))).astype(np.float32),
        "w2": (0.7 * rng.integers(-levels, levels, (10, 16))).astype(np.float32),
    }  # fmt: skip
    nodes = [
        quant("xq", "x", "sa", "a"), quant("w1q", "w1", "sw", "w"),
        helper.make_node("Transpose", ["w1q"], ["w1t"], perm=[1, 0]), helper.make_node("MatMul", ["xq", "w1t"], ["h"]),
        quant("hq", "h", "sa", "a"), quant("w2q", "w2", "sw", "w"),
        helper.make_node("Transpose", ["w2q"], ["w2t"], perm=[1, 0]), helper.make_node("MatMul", ["hq", "w2t"], ["y"]),
    ]  # fmt: skip
    return write(path, nodes, stored, ["batch", 24], ["batch", 10])


@pytest.mark.parametrize(("bits_a", "bits_w"), [(2, 2), (4, 3), (4, 4), (8, 6), (8, 8)])
def test_integers_have_the_width_that_the_file_says(bits_a: int, bits_w: int, tmp_path: Path) -> None:
    made = profile(dense(tmp_path / "net.onnx", bits_a, bits_w))
    assert convention("macs").count(made).number == 24 * 16 + 16 * 10
    assert convention("qonnx-bops").count(made).number == (24 * 16 + 16 * 10) * bits_a * bits_w


def test_bipolar_weights_and_activations_are_xnor(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stored = {"one": np.float32(1).reshape(()), "w1": rng.standard_normal((16, 24)).astype(np.float32)}
    nodes = [
        helper.make_node("BipolarQuant", ["x", "one"], ["xq"], domain="finn.custom_op.general"),
        helper.make_node("BipolarQuant", ["w1", "one"], ["wq"], domain="finn.custom_op.general"),
        helper.make_node("Gemm", ["xq", "wq"], ["y"], transB=1),
    ]
    made = profile(write(tmp_path / "net.onnx", nodes, stored, [1, 24], [1, 16]))
    assert dict(made.deployed.by_kind()) == {"compare": 24, "xnor": 384, "popcount": 384}


# -- parts of the format ----------------------------------------------------------------------------------------------


def test_shapes_that_are_computed_are_no_work(tmp_path: Path) -> None:
    stored = {"zero": np.array(0, np.int64), "axis": np.array([0], np.int64), "rest": np.array([-1], np.int64)}
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]), helper.make_node("Concat", ["n1", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]  # fmt: skip
    made = profile(write(tmp_path / "net.onnx", nodes, stored, ["n", 3, 4], ["n", 12]))
    assert dict(made.deployed.by_kind()) == {} and not made.caveats


def branch(name: str, op: str) -> Any:
    node = helper.make_node(op, ["x"], [name])
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, FLOAT, [1, 4])])


def test_the_branch_that_is_taken_is_counted(tmp_path: Path) -> None:
    nodes = [helper.make_node("If", ["flag"], ["y"], then_branch=branch("a", "Relu"), else_branch=branch("b", "Exp"))]
    for flag, expected in ((True, {"compare": 4}), (False, {"special": 4})):
        path = write(tmp_path / "net.onnx", nodes, {"flag": np.array(flag)}, [1, 4], [1, 4])
        assert dict(profile(path).deployed.by_kind()) == expected


def test_a_loop_is_counted_for_its_passes(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Relu", ["h"], ["r"]), helper.make_node("Add", ["r", "x"], ["h2"]),
         helper.make_node("Identity", ["c"], ["c2"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("h", FLOAT, [1, 4])],
        [helper.make_tensor_value_info("c2", TensorProto.BOOL, []), helper.make_tensor_value_info("h2", FLOAT, [1, 4])],
    )  # fmt: skip
    nodes = [helper.make_node("Loop", ["count", "go", "x"], ["y"], body=body)]
    path = write(tmp_path / "net.onnx", nodes, {"count": np.array(3), "go": np.array(True)}, [1, 4], [1, 4])
    assert dict(profile(path).deployed.by_kind()) == {"compare": 12, "add": 12}


def test_inputs_have_the_names_of_the_file(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a.1", "b"], ["y"])], "g",
        [helper.make_tensor_value_info("a.1", FLOAT, ["n", 4]), helper.make_tensor_value_info("b", FLOAT, [4, 5])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, ir_version=9), str(tmp_path / "net.onnx"))
    assert profile(tmp_path / "net.onnx").deployed.total("mul") == 20
    assert costmodel.profile(str(tmp_path / "net.onnx"), ["2x4", "b=4x5"], use_cache=False).deployed.total("mul") == 40
    with pytest.raises(CostmodelError, match=r"has the inputs a\.1, b"):
        profile(tmp_path / "net.onnx", "1x4")


def test_an_unknown_operator_is_unknown_work_by_its_name(tmp_path: Path) -> None:
    for domain, op in (("my.domain", "Warp"), ("", "StringNormalizer")):
        nodes = [helper.make_node(op, ["x"], ["h"], domain=domain), helper.make_node("Relu", ["h"], ["y"])]
        info = [helper.make_tensor_value_info("h", FLOAT, [1, 6])]
        made = profile(write(tmp_path / "net.onnx", nodes, {}, [1, 4], [1, 6], value_info=info))
        assert dict(made.deployed.by_kind()) == {"unknown": 6, "compare": 6}
        assert any(op in caveat.message for caveat in made.caveats)
    with pytest.raises(CostmodelError, match=r"Warp.* of my\.domain is not known, and no shape"):
        nodes[0].domain, nodes[0].op_type = "my.domain", "Warp"
        profile(write(tmp_path / "net.onnx", nodes, {}, [1, 4], [1, 6]))


# -- files that are none ----------------------------------------------------------------------------------------------


def test_damaged_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = dense(tmp_path / "whole.onnx", 4, 4).read_bytes()
    path = tmp_path / "net.onnx"
    for content in (b"", b"nonsense", b"\x08\x07", b"PK\x03\x04", whole[: len(whole) // 2], whole[:-1], whole[:40]):
        path.write_bytes(content)
        assert main(["profile", str(path), "--no-cache"]) == 2
        said = capsys.readouterr().err
        assert len(said.strip().splitlines()) == 1 and "net.onnx" in said, content[:20]


def test_every_cut_and_many_flips_end_in_an_answer_or_in_one_line(tmp_path: Path) -> None:
    whole = bytearray(dense(tmp_path / "whole.onnx", 4, 4).read_bytes())
    path, rng, refused = tmp_path / "net.onnx", np.random.default_rng(0), 0
    for _ in range(60):
        content = bytearray(whole)
        content[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            profile(path, "1x24")
        except CostmodelError:
            refused += 1
    assert 0 < refused < 60


@pytest.mark.parametrize(
    ("location", "said"),
    [("w.data", "put it there"), ("/etc/passwd", "outside of its folder"), ("../w.data", "outside of its folder"),
     ("short.data", "the files do not belong together")],
)  # fmt: skip
def test_external_data_are_read_from_the_folder_alone(location: str, said: str, tmp_path: Path) -> None:
    path = dense(tmp_path / "net.onnx", 4, 4)
    expected = profile(path)
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.data", size_threshold=0)
    assert rows(profile(path)) == rows(expected)
    (tmp_path / "short.data").write_bytes(b"123")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CostmodelError, match=said):
        profile(path)


def test_sizes_that_no_file_holds_are_refused(tmp_path: Path) -> None:
    path = dense(tmp_path / "net.onnx", 4, 4)
    model = onnx.load(str(path))
    tensor = next(t for t in model.graph.initializer if t.name == "w1")
    for dims in ([2**62, 4], [-1, 24], [16, 25]):
        del tensor.dims[:]
        tensor.dims.extend(dims)
        path.write_bytes(model.SerializeToString())
        with pytest.raises(CostmodelError, match=r"'w1'.*the file is damaged"):
            profile(path)


def test_an_open_size_is_asked_for(tmp_path: Path) -> None:
    sizes = ["n", 3, "h", "w"]
    path = write(tmp_path / "net.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, sizes, sizes)
    with pytest.raises(CostmodelError, match=r"size of its input 'x' is open \(1x3xhxw\).*--input"):
        profile(path)
    assert profile(path, "1x3x5x5").deployed.total("compare") == 75


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dense(tmp_path / "net.onnx", 4, 4)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(CostmodelError, match=r"pip install 'costmodel\[onnx\]'"):
        profile(path)


def test_the_documented_operators_are_those_of_the_table() -> None:
    names = [", ".join(f"`{name}`" for name in sorted(table)) for table in (STANDARD, CUSTOM)]
    text = (
        f"**ONNX**, from opset 7 on: {names[0]}.\n\n"
        f"**QONNX**, whatever its domain is called: {names[1]}.\n"
    )  # fmt: skip
    shown = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
    assert shown.split("<!-- operators -->\n")[1].split("<!-- /operators -->")[0] == text
