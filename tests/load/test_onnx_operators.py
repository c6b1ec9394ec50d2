"""Each ONNX operator gives what onnxruntime gives, each QONNX operator what qonnx gives; each has a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from qonnx.custom_op.general.trunc import Trunc_v1, Trunc_v2
from qonnx.custom_op.registry import getCustomOp

from costmodel.errors import CostmodelError
from costmodel.load.onnx.network import load
from costmodel.load.onnx.table import CUSTOM, STANDARD

RNG = np.random.default_rng(0)


def f(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def s(value: float) -> np.ndarray:
    return np.array(value, np.float32)


X, POSITIVE, UNIT = f(2, 3, 8, 8), np.abs(f(2, 3, 8, 8)) + 0.1, np.tanh(f(2, 3, 8, 8))
TRUTH = f(2, 3) > 0
U8 = RNG.integers(0, 255, (1, 3, 8, 8)).astype(np.uint8)
W8 = RNG.integers(-128, 127, (4, 3, 3, 3)).astype(np.int8)

#: operator, inputs by position (the first is fed, the others are stored), attributes, and the operator set if not 17
Case = tuple[str, list[Any], dict[str, Any], int]
CASES: list[Case] = [
    *[(name, [X, f(3, 1, 1)], {}, 17) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Greater", "Less", "Sum",
                                                   "GreaterOrEqual", "LessOrEqual", "Equal")],
    *[(name, [X, s(0.25)], {}, 17) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Greater")],
    ("Pow", [POSITIVE, s(2.0)], {}, 17), ("Pow", [POSITIVE, s(0.5)], {}, 17),
    ("Mod", [X, f(3, 1, 1)], {"fmod": 1}, 17),
    ("Mod", [i(-5, 5, 7), i(3, 3, 3)], {}, 17), ("Div", [i(-7, 7, 5), i(2, 2, 3)], {}, 17),
    *[(name, [X], {}, 17) for name in ("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Erf", "Floor", "Ceil",
        "Round",
                                       "Sign", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh", "Softsign",
                                       "Softplus", "HardSwish", "Identity", "IsNaN", "IsInf", "Elu", "Celu", "Selu",
                                       "LeakyRelu", "ThresholdedRelu", "Shrink", "HardSigmoid", "Mish")
      if name != "Mish"],
    ("Mish", [X], {}, 18), ("Gelu", [X], {}, 20), ("Gelu", [X], {"approximate": "tanh"}, 20),
    *[(name, [POSITIVE], {}, 17) for name in ("Log", "Sqrt", "Reciprocal")],
    *[(name, [UNIT], {}, 17) for name in ("Asin", "Acos", "Atanh")], ("Acosh", [POSITIVE + 1], {}, 17),
    ("Det", [f(2, 3, 3)], {}, 17), ("LeakyRelu", [X], {"alpha": 0.25}, 17), ("Shrink", [X], {"bias": 0.5}, 17),
    ("HardSigmoid", [X], {"alpha": 1 / 6, "beta": 0.5}, 17),
    *[(name, [TRUTH, f(2, 3) > 0], {}, 17) for name in ("And", "Or", "Xor")], ("Not", [TRUTH], {}, 17),
    ("PRelu", [X, f(3, 1, 1)], {}, 17), ("PRelu", [X, f(1)], {}, 17), ("PRelu", [X, f(8)], {}, 17),
    ("Clip", [X, s(-0.5), s(0.5)], {}, 17), ("Clip", [X], {"min": -0.5}, 6), ("Clip", [X, None, s(0.5)], {}, 17),
    ("Where", [TRUTH, f(2, 3), f(2, 3)], {}, 17), ("Cast", [X], {"to": TensorProto.INT64}, 17),
    ("CastLike", [X, i(1)], {}, 17),
    ("BitShift", [np.array([1, 2, 3], np.uint8), np.array([1, 1, 2], np.uint8)], {"direction": "LEFT"}, 17),
    # products
    ("MatMul", [X, f(8, 5)], {}, 17), ("MatMul", [f(4), f(4, 3)], {}, 17),
    ("Einsum", [f(2, 3, 4), f(2, 4, 5)], {"equation": "bij,bjk->bik"}, 17),
    ("Gemm", [f(2, 4), f(3, 4), f(3)], {"transB": 1}, 17),
    ("Gemm", [f(4, 2), f(4, 3), f(1, 3)], {"transA": 1, "alpha": 0.5, "beta": 2.0}, 17),
    # reductions
    *[(name, [X], {"axes": [2, 3], "keepdims": 0}, 11) for name in ("ReduceMean", "ReduceMax", "ReduceMin",
        "ReduceProd", "ReduceL1",
                                                                   "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp",
        "ReduceSum")],
    ("ReduceLogSum", [POSITIVE], {"axes": [1]}, 11), ("ReduceSum", [X, i(1)], {"keepdims": 1}, 17),
    ("ReduceMean", [X, i(-1)], {}, 18), ("ReduceMean", [X], {}, 18),
    ("ReduceSum", [X], {"noop_with_empty_axes": 1}, 17),
    ("ArgMax", [X], {"axis": 1}, 17), ("ArgMin", [X], {"axis": 2, "keepdims": 0}, 17), ("CumSum", [X, i(1)], {}, 17),
    ("TopK", [X, i(3)], {"axis": -1}, 17), ("TopK", [X, i(2)], {"axis": 1, "largest": 0}, 17),
    ("Softmax", [X], {"axis": 1}, 17), ("Softmax", [X], {}, 11), ("Softmax", [f(2, 5)], {}, 11),
    ("LogSoftmax", [X], {}, 17),
    ("Hardmax", [X], {"axis": 1}, 17),
    # norms
    ("BatchNormalization", [X, f(3), f(3), f(3), np.abs(f(3)) + 0.5], {}, 17),
    ("InstanceNormalization", [X, f(3), f(3)], {}, 17),
    ("LayerNormalization", [X, f(8), f(8)], {}, 17), ("LayerNormalization", [X, f(8, 8)], {"axis": 2}, 17),
    ("GroupNormalization", [f(2, 4, 5, 5), f(4), f(4)], {"num_groups": 2}, 21),
    ("LpNormalization", [X], {"axis": 1}, 17),
    ("MeanVarianceNormalization", [X], {}, 17), ("LRN", [f(1, 5, 4, 4)], {"size": 3}, 17), ("Dropout", [X], {}, 17),
    ("RMSNormalization", [X, f(8)], {}, 23), ("Attention", [f(1, 2, 5, 4), f(1, 2, 6, 4), f(1, 2, 6, 4)], {}, 23),
    # moves
    ("Reshape", [X, i(2, 0, -1)], {}, 17), ("Flatten", [X], {"axis": 2}, 17), ("Flatten", [X], {"axis": 0}, 17),
    ("Transpose", [X], {"perm": [0, 2, 3, 1]}, 17), ("Transpose", [f(2, 3)], {}, 17),
    ("Squeeze", [f(1, 3, 1), i(0)], {}, 17), ("Squeeze", [f(1, 3, 1)], {"axes": [2]}, 11),
    ("Squeeze", [f(1, 3, 1)], {}, 17),
    ("Unsqueeze", [f(2, 3), i(0, 2)], {}, 17), ("Unsqueeze", [f(2, 3)], {"axes": [1]}, 11),
    ("Concat", [X, f(2, 2, 8, 8)], {"axis": 1}, 17),
    ("Split", [X, i(1, 2)], {"axis": 1}, 17), ("Split", [f(4, 3)], {"axis": 0}, 17),
    ("Split", [f(4, 3)], {"split": [1, 3]}, 11),
    ("Slice", [X, i(1), i(100), i(2), i(2)], {}, 17),
    ("Slice", [X], {"starts": [0, 1], "ends": [2, -1], "axes": [1, 2]}, 9),
    ("Slice", [f(5), i(-1), i(-100), i(0), i(-1)], {}, 17), ("Gather", [f(6, 4), i(1, 5, -1)], {}, 17),
    ("Gather", [X, i(0, 2)], {"axis": 1}, 17), ("Gather", [X, np.array(1)], {"axis": 2}, 17),
    ("GatherElements", [f(3, 4), RNG.integers(0, 3, (2, 4))], {}, 17),
    ("GatherND", [f(3, 4), np.array([[0, 1], [2, 3]])], {}, 17),
    ("ScatterElements", [f(3, 4), np.array([[0, 2]]), f(1, 2)], {"axis": 1}, 17),
    ("ScatterElements", [f(3, 4), np.array([[0, 2]]), f(1, 2)], {"axis": 1, "reduction": "add"}, 17),
    ("Scatter", [f(3, 4), np.array([[0, 2]]), f(1, 2)], {"axis": 1}, 10),
    ("ScatterND", [f(3, 4), np.array([[0, 1]]), f(1)], {}, 17),
    ("ScatterND", [f(3, 4), np.array([[0, 1]]), f(1)], {"reduction": "add"}, 17),
    ("Expand", [f(3, 1), i(2, 3, 4)], {}, 17), ("Tile", [f(2, 3), i(2, 2)], {}, 17),
    ("Pad", [X, i(0, 0, 1, 2, 0, 0, 3, 4), s(1.0)], {}, 17),
    ("Pad", [X, i(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "reflect"}, 17),
    ("Pad", [X, i(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "edge"}, 17),
    ("Pad", [X], {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 2.0}, 9),
    ("Pad", [X, i(1, 1), None, i(2)], {}, 18),
    ("DepthToSpace", [f(1, 8, 2, 2)], {"blocksize": 2}, 17),
    ("DepthToSpace", [f(1, 8, 2, 2)], {"blocksize": 2, "mode": "CRD"}, 17),
    ("SpaceToDepth", [f(1, 2, 4, 4)], {"blocksize": 2}, 17), ("Shape", [X], {}, 17),
    ("Shape", [X], {"start": 1, "end": 3}, 17),
    ("Size", [X], {}, 17),
    ("ConstantOfShape", [i(2, 3)], {"value": helper.make_tensor("v", TensorProto.FLOAT, [1], [2.5])}, 17),
    ("Range", [s(0.0), s(3.0), s(0.5)], {}, 17), ("EyeLike", [f(3, 3)], {}, 17), ("Trilu", [f(4, 4)], {}, 17),
    ("Trilu", [f(4, 4), np.array(1)], {"upper": 0}, 17),
    ("OneHot", [i(0, 2), np.array(3), np.array([0.0, 2.0], np.float32)], {}, 17),
    ("NonZero", [f(2, 3) > 0], {}, 17),
    # windows
    ("Conv", [X, f(4, 3, 3, 3), f(4)], {"pads": [1, 1, 1, 1], "strides": [2, 2]}, 17),
    ("Conv", [X, f(4, 3, 3, 3)], {"pads": [0, 1, 2, 1]}, 17),
    ("Conv", [X, f(3, 1, 3, 3)], {"group": 3, "dilations": [2, 2]}, 17),
    ("Conv", [X, f(4, 3, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 17),
    ("Conv", [X, f(4, 3, 2, 2)], {"auto_pad": "SAME_LOWER"}, 17), ("Conv", [f(1, 2, 9), f(3, 2, 3)], {}, 17),
    ("ConvTranspose", [X, f(3, 4, 3, 3), f(4)], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        17),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 17),
    ("MaxPool", [X], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, 17),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 17),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 17),
    ("GlobalAveragePool", [X], {}, 17), ("GlobalMaxPool", [X], {}, 17),
    ("LpPool", [X], {"kernel_shape": [2, 2], "strides": [2, 2]}, 17),
    ("Resize", [X, None, None, i(2, 3, 16, 16)], {"coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor"}, 17),
    ("Resize", [X, None, np.array([1, 1, 2, 2], np.float32)], {"mode": "linear"}, 17),
    ("Resize", [X, None, np.array([1, 1, 2, 2], np.float32)], {"mode": "linear",
        "coordinate_transformation_mode": "align_corners"}, 17),
    ("Resize", [X, None, np.array([1, 1, 2, 2], np.float32)], {"mode": "cubic", "cubic_coeff_a": -0.75}, 17),
    ("Upsample", [X, np.array([1, 1, 2, 2], np.float32)], {"mode": "nearest"}, 9),
    ("GridSample", [X, UNIT[:, 0, :, :2].reshape(2, 8, 1, 2)], {}, 17),
    # quantisers
    ("QuantizeLinear", [X, s(0.1), np.array(3, np.uint8)], {}, 17),
    ("QuantizeLinear", [X, np.array([0.1, 0.2, 0.3], np.float32), np.zeros(3, np.int8)], {"axis": 1}, 17),
    ("DequantizeLinear", [U8, s(0.1), np.array(3, np.uint8)], {}, 17),
    ("DequantizeLinear", [U8, np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 2, 3], np.uint8)], {"axis": 1}, 17),
    ("DynamicQuantizeLinear", [X], {}, 17),
    ("MatMulInteger", [U8, RNG.integers(-128, 127, (8, 4)).astype(np.int8), np.array(2, np.uint8)], {}, 17),
    ("ConvInteger", [U8, W8.astype(np.uint8), np.array(2, np.uint8)], {}, 17),
    ("QLinearConv", [U8, s(0.1), np.array(3, np.uint8), W8, s(0.05), np.array(0, np.int8), s(2.0), np.array(100,
        np.uint8)], {}, 17),
    ("QLinearMatMul", [U8, s(0.1), np.array(3, np.uint8), RNG.integers(0, 255, (8, 4)).astype(np.uint8), s(0.05),
        np.array(7, np.uint8), s(3.0), np.array(9, np.uint8)], {}, 17),
    # recurrent
    *[("LSTM", [f(5, 2, 3), f(d, 16, 3), f(d, 16, 4), f(d, 32)], {"hidden_size": 4, "direction": w}, 17) for d,
        w in ((1, "forward"), (2, "bidirectional"))],
    ("GRU", [f(5, 2, 3), f(1, 12, 3), f(1, 12, 4), f(1, 24)], {"hidden_size": 4, "linear_before_reset": 1}, 17),
    ("RNN", [f(5, 2, 3), f(1, 4, 3), f(1, 4, 4)], {"hidden_size": 4}, 17),
]  # fmt: skip
#: Results besides the first that the operator has.
RESULTS = {"TopK": 2, "LSTM": 3, "GRU": 2, "RNN": 2, "DynamicQuantizeLinear": 3}


def model(op: str, inputs: list[Any], attributes: dict[str, Any], opset: int, domain: str = "") -> onnx.ModelProto:
    count = RESULTS.get(op, 2 if op == "Split" else 1)
    names = [f"i{k}" if value is not None else "" for k, value in enumerate(inputs)]
    stored = [numpy_helper.from_array(np.asarray(v), n) for n, v in zip(names[1:], inputs[1:], strict=True) if n]
    first = np.asarray(inputs[0])
    graph = helper.make_graph(
        [helper.make_node(op, names, [f"o{k}" for k in range(count)], "the_node", domain=domain, **attributes)], "g",
        [helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(first.dtype), first.shape)],
        [helper.make_empty_tensor_value_info(f"o{k}") for k in range(count)], stored,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=min(10, onnx.IR_VERSION))


def ours(proto: onnx.ModelProto, x: Any, path: Path) -> list[np.ndarray]:
    onnx.save(proto, str(path))
    with torch.no_grad():
        made = load(path)(torch.from_numpy(np.asarray(x)))
    return [y.numpy() for y in (made if isinstance(made, tuple) else (made,))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[3]}")
def test_what_onnxruntime_gives(case: Case, tmp_path: Path) -> None:
    proto = model(*case)
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        theirs = session.run(None, {"i0": np.asarray(case[1][0])})
    except Exception as error:
        if "NOT_IMPLEMENTED" not in str(error) and "is under development" not in str(error):
            raise
        theirs = onnx.reference.ReferenceEvaluator(proto).run(None, {"i0": np.asarray(case[1][0])})
    mine = ours(proto, case[1][0], tmp_path / "net.onnx")
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=2e-4, atol=2e-5)


def test_every_operator_has_a_case() -> None:
    apart = {"If", "Loop", "Constant"}  # in test_onnx
    assert {case[0] for case in CASES} == set(STANDARD) - apart


TRUNC = {1: Trunc_v1, 2: Trunc_v2}
QUANTISED: list[Case] = [
    ("Quant", [X, s(0.25), s(0.0), s(4.0)], {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}, 1),
    ("Quant", [X, s(0.3), s(0.0), s(3.0)], {"signed": 1, "narrow": 1, "rounding_mode": "FLOOR"}, 1),
    ("Quant", [X, s(0.1), s(2.0), s(8.0)], {"signed": 0, "narrow": 0, "rounding_mode": "CEIL"}, 1),
    ("Quant", [X, f(3, 1, 1) ** 2 + 0.1, s(0.0), s(4.0)], {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}, 1),
    ("IntQuant", [X, s(0.25), s(0.0), s(2.0)], {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}, 1),
    ("BipolarQuant", [X, s(1.0)], {}, 1), ("BipolarQuant", [X, s(0.3)], {}, 1),
    ("Trunc", [np.round(X * 20), s(1.0), s(0.0), s(10.0), s(4.0)], {"rounding_mode": "FLOOR"}, 1),
    ("Trunc", [np.round(X * 20), s(0.5), s(4.0), s(10.0), s(2.0), s(4.0)], {"rounding_mode": "CEIL", "signed": 0}, 2),
    ("MultiThreshold", [X, np.sort(f(3, 3), 1)], {"out_dtype": "UINT2"}, 1),
    ("MultiThreshold", [X, f(1, 1)], {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}, 1),
    ("MultiThreshold", [X, np.sort(f(8, 7), 1)],
     {"out_dtype": "INT4", "out_scale": 0.5, "out_bias": -4.0, "data_layout": "NHWC"}, 1),
]  # fmt: skip


@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"])
@pytest.mark.parametrize("case", QUANTISED, ids=lambda case: case[0])
def test_what_qonnx_gives(case: Case, domain: str, tmp_path: Path) -> None:
    name, inputs, attributes, version = case
    proto = model(name, inputs, attributes, 17, domain)
    (mine,) = ours(proto, inputs[0], tmp_path / "net.onnx")
    theirs = model(name, inputs, attributes, 17, "qonnx.custom_op.general")
    context = {f"i{k}": np.asarray(v) for k, v in enumerate(inputs)}
    node = getCustomOp(theirs.graph.node[0]) if name != "Trunc" else TRUNC[version](theirs.graph.node[0])
    node.execute_node(context, theirs.graph)
    np.testing.assert_allclose(mine, context["o0"], rtol=1e-5, atol=1e-6)


def test_every_operator_of_qonnx_has_a_case() -> None:
    assert {case[0] for case in QUANTISED} == set(CUSTOM)


def test_a_form_that_is_not_covered_names_the_node(tmp_path: Path) -> None:
    proto = model("CumSum", [X, i(1)], {"reverse": 1}, 17)
    with pytest.raises(CostmodelError, match=r"node 'the_node' \(CumSum, opset 17\): exclusive or reversed"):
        ours(proto, X, tmp_path / "net.onnx")
