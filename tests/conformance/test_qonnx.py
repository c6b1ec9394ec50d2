"""QONNX's inference cost: the figures of FINN's networks, and qonnx run live on one layer at a time.

Source: fastmachinelearning/qonnx@cc2ec17 src/qonnx/analysis/inference_cost.py, run on the exports of Brevitas'
TFC, SFC, LFC and CNV with one bit for weights and activations. A bit operation is a product of two bits.
"""

from __future__ import annotations

import importlib.util
import math
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import costmodel
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile
from tests.conformance.networks import Apply, counted, macs

#: name -> multiply-accumulates by the bits of their operands, total_bops, mem_w_bits, mem_o_bits
PUBLISHED: dict[str, tuple[dict[str, int], int, int, int]] = {
    "tfc-w1a1": ({"1 x 1 bit": 59_008}, 59_008, 59_008, 6_464),
    "sfc-w1a1": ({"1 x 1 bit": 334_336}, 334_336, 334_336, 24_896),
    "lfc-w1a1": ({"1 x 1 bit": 2_910_208}, 2_910_208, 2_910_208, 98_624),
    "cnv-w1a1": ({"8 x 1 bit": 1_555_200, "1 x 1 bit": 57_906_176}, 70_347_776, 1_542_848, 4_563_264),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_multiply_accumulates_and_bit_operations(name: str) -> None:
    by_bits, total, _, _ = PUBLISHED[name]
    made = costmodel.profile(name)
    tally = convention("qonnx-bops").count(made)
    counts: dict[str, int] = {}
    for item in tally.items:
        counts[item.term] = counts.get(item.term, 0) + item.count
    assert counts == by_bits
    assert macs(made) == sum(by_bits.values())
    assert tally.number == total


@pytest.mark.parametrize("name", PUBLISHED)
def test_bits_of_weights(name: str) -> None:
    ledger = costmodel.profile(name).as_written
    assert ledger.bits_moved("weight") == PUBLISHED[name][2]


def output_bits(made: Profile, bits: int = 32) -> int:
    """What products write when every result has the same width: qonnx knows none and takes 32 bits."""
    return sum(bits * math.prod(layer.shape_out) for layer in made.as_written.layers if layer.macs)


@pytest.mark.parametrize("name", PUBLISHED)
def test_bits_of_outputs_at_qonnxs_width(name: str) -> None:
    assert output_bits(costmodel.profile(name)) == PUBLISHED[name][3]


@pytest.mark.parametrize("name", PUBLISHED)
def test_binary_networks_write_less_than_qonnx_says(name: str) -> None:
    """Deployed, a result that only a sign reads is compared at once and written as one bit."""
    ledger = costmodel.profile(name).deployed
    written = ledger.bits_moved("output")
    assert 0 < written < PUBLISHED[name][3]


# -- live -------------------------------------------------------------------------------------------------------------


def grid(x: Tensor, bits: int) -> Tensor:
    """All integers of ``bits`` bits with a sign; one bit is -1 and +1."""
    if bits == 1:
        return torch.where(x >= 0, 1.0, -1.0)
    return torch.clamp(torch.round(x * 2 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class Layer(nn.Module):
    """One convolution or linear layer of values and weights on grids of some bits."""

    def __init__(self, weight: Tensor, bits: tuple[int, int]) -> None:
        super().__init__()
        self.weight, self.bits = nn.Parameter(weight), bits

    def forward(self, x: Tensor) -> Tensor:
        weight = grid(self.weight, self.bits[1])
        product = nn.functional.conv2d if weight.dim() == 4 else nn.functional.linear
        return product(grid(x, self.bits[0]), weight)


def qonnx_cost(shape_in: tuple[int, ...], shape_b: tuple[int, ...], bits: tuple[int, int]) -> dict[str, float]:
    from onnx import TensorProto, helper
    from qonnx.analysis.inference_cost import inference_cost
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.basic import qonnx_make_model

    if len(shape_b) == 4:
        node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=shape_b[2:])
        shape_out = (1, shape_b[0], *(i - k + 1 for i, k in zip(shape_in[2:], shape_b[2:], strict=True)))
    else:
        node, shape_b = helper.make_node("MatMul", ["x", "w"], ["y"]), shape_b[::-1]
        shape_out = (1, shape_b[1])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
               for name, shape in (("x", shape_in), ("y", shape_out), ("w", shape_b))]  # fmt: skip
    graph = helper.make_graph([node], "layer", [tensors[0]], [tensors[1]], value_info=[tensors[2]])
    model = ModelWrapper(qonnx_make_model(graph))
    model.set_initializer("w", torch.ones(shape_b).numpy())
    for name, width in zip(("x", "w"), bits, strict=True):
        model.set_tensor_datatype(name, DataType["BIPOLAR" if width == 1 else f"INT{width}"])
    return inference_cost(model, discount_sparsity=False)["total_cost"]


@pytest.mark.skipif(importlib.util.find_spec("qonnx") is None, reason="qonnx is not installed")
@pytest.mark.parametrize("bits", [(1, 1), (4, 1), (8, 1), (2, 2), (4, 4), (8, 4)])
@pytest.mark.parametrize("shape_b", [(64, 3, 3, 3), (20, 1500)], ids=["conv", "linear"])
def test_one_layer_costs_what_qonnx_says(shape_b: tuple[int, ...], bits: tuple[int, int]) -> None:
    shape_in = (1, 3, 24, 24) if len(shape_b) == 4 else (1, 1500)
    theirs = qonnx_cost(shape_in, shape_b, bits)
    made = counted(Layer(torch.rand(shape_b) * 2 - 1, bits), shape_in)
    names = ["BIPOLAR" if width == 1 else f"INT{width}" for width in bits]
    assert macs(made) == theirs[f"op_mac_{names[0]}_{names[1]}"]
    assert convention("qonnx-bops").count(made).total == Fraction(bits[0] * bits[1] * macs(made))
    assert made.as_written.bits_moved("weight") == bits[1] * theirs[f"mem_w_{names[1]}"]


#: Files that qonnx installs with itself, and whether its own tidying takes them.
FILES = {
    "bsd300x3-espcn/nn_resize/quant_model.onnx": True,
    "bsd300x3-espcn/subpixel/quant_model.onnx": True,
    "eltwise_chanlast_testcase.onnx": True,
    "matmul_update/sdp.onnx": True,
    "mnist-conv/model.onnx": False,
    "residual_block_clean.onnx": True,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("qonnx") is None, reason="qonnx is not installed")
@pytest.mark.parametrize("name", FILES)
def test_files_of_qonnx_cost_what_it_says(name: str, tmp_path: Path) -> None:
    import qonnx
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model
    from qonnx.util.inference_cost import inference_cost

    path = Path(qonnx.__file__).parent / "data/onnx" / name
    if not path.is_file():
        pytest.skip("this qonnx is installed without its files")
    tidy = path
    if FILES[name]:
        tidy = tmp_path / "tidy.onnx"
        cleanup_model(ModelWrapper(str(path)), override_inpsize=1).save(str(tidy))
    cost = inference_cost(str(tidy), discount_sparsity=False, preprocess=FILES[name])
    theirs = cost.get("total_cost", cost)
    made = costmodel.profile(str(path), use_cache=False)
    assert macs(made) == sum(count for key, count in theirs.items() if key.startswith("op_mac_"))
    assert convention("qonnx-bops").count(made).number == theirs["total_bops"]


def test_a_matrix_product_of_two_activations_has_no_weights() -> None:
    made = counted(Apply(torch.matmul), (4, 5), (5, 6))
    assert made.as_written.bits_moved("weight") == 0
    assert convention("qonnx-bops").count(made).number == 4 * 5 * 6 * 32 * 32
