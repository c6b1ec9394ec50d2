"""Exported graphs give the program's answer in qonnx's own executor and, in standard operators, in ONNX Runtime."""

import numpy as np
import pytest
import torch

from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor
from costmodel.deploy.study import prepare
from costmodel.errors import CostmodelError
from tests.deploy.networks import images, scramble, zoo
from tests.deploy.strangers import STRANGERS

onnx = pytest.importorskip("onnx")
NAMES = ["abbnn-digits", "bn-digits", "bnfree-digits", "tfc-w1a1", "abbnn-reactneta-cifar10", "bn-reactneta-cifar10"]


def network(name):
    return zoo(name, **({"width": 0.125} if "cifar10" in name else {}))


@pytest.mark.parametrize("name", [*NAMES, "cnv-w1a1"])
def test_onnx_runtime_agrees(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    from costmodel.deploy.qonnx import export

    made = network(name)
    program = assemble(made.graph)
    session = runtime.InferenceSession(export(program, tmp_path / "net.onnx", standard=True))
    for x in images(made, 3):
        got = session.run(None, {f"v{program.inputs[0][0]}": x[None].astype(np.float32)})[0]
        exact = Executor(program).run(x[None].astype(np.float32))[0]
        np.testing.assert_allclose(got, exact, atol=2e-4 * max(1.0, np.abs(exact).max()))


@pytest.mark.parametrize("name", NAMES)
def test_qonnx_agrees_and_sees_bipolar_tensors(name, tmp_path):
    pytest.importorskip("qonnx")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    from costmodel.deploy.qonnx import export

    made = network(name)
    program = assemble(made.graph)
    model = ModelWrapper(str(export(program, tmp_path / "net.onnx")))
    x = images(made, 1).astype(np.float32)
    source, target = f"v{program.inputs[0][0]}", f"v{program.outputs[0]}"
    got = execute_onnx(model, {source: x})[target]
    exact = Executor(program).run(x)[0]
    np.testing.assert_allclose(got, exact, atol=2e-4 * max(1.0, np.abs(exact).max()))
    cuts = [n for n in model.graph.node if n.op_type == "MultiThreshold"]
    assert len(cuts) == sum(i.op == "threshold" for i in program.instructions)
    assert all(model.get_tensor_datatype(n.output[0]).name == "BIPOLAR" for n in cuts)
    bipolar = [i for i in model.graph.initializer if model.get_tensor_datatype(i.name).name == "BIPOLAR"]
    assert len(bipolar) == sum("signs" in i.arrays for i in program.instructions)
    assert all(set(np.unique(onnx.numpy_helper.to_array(i))) <= {-1.0, 1.0} for i in bipolar)


@pytest.mark.parametrize("kind", STRANGERS, ids=lambda kind: kind.__name__)
def test_networks_in_no_style_are_exported_right_or_refused_by_name(kind, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    from costmodel.deploy.qonnx import export

    torch.manual_seed(0)
    net = scramble(kind())
    traced = tuple(torch.randn(shape) for shape in net.shapes)
    program = assemble(prepare(net, traced if len(traced) > 1 else traced[0]).graph)
    try:
        path = export(program, tmp_path / "net.onnx", standard=True)
    except CostmodelError as error:
        assert "has no counterpart in QONNX" in str(error) and not list(tmp_path.iterdir())
        return
    feed = {f"v{number}": x.numpy() for (number, *_), x in zip(program.inputs, traced, strict=True)}
    got = runtime.InferenceSession(path).run(None, feed)
    for a, b in zip(got, Executor(program).run(*feed.values()), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3 * max(1.0, np.abs(b).max()))


def test_a_program_in_fixed_point_is_refused(tmp_path):
    from costmodel.deploy.qonnx import export

    with pytest.raises(CostmodelError, match="without fraction bits"):
        export(assemble(zoo("abbnn-digits").graph, 12), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
