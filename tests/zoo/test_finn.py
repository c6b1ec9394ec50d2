"""FINN's networks: the multiply-accumulates that qonnx counts on the same networks exported from Brevitas."""

import pytest
import torch

import costmodel
from costmodel.zoo import build, entry
from costmodel.zoo.finn import FixedPointInput, TensorNorm
from costmodel.zoo.layers import LearnableBias, Mask
from tests.near import near
from tests.zoo.counter import Macs, count_macs

NAMES = ("tfc", "sfc", "lfc", "cnv")
MACS = {
    "tfc-w1a1": Macs(59_008, 0, 0),
    "sfc-w1a1": Macs(334_336, 0, 0),
    "lfc-w1a1": Macs(2_910_208, 0, 0),
    "cnv-w1a1": Macs(57_906_176, 1_555_200, 0),
}


@pytest.mark.parametrize(("name", "expected"), MACS.items())
def test_multiply_accumulates(name: str, expected: Macs) -> None:
    assert count_macs(build(name), entry(name).input_shape) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_ab_form_has_the_same_products(name: str) -> None:
    shape = entry(name).input_shape
    assert count_macs(build(f"abbnn-{name}"), shape) == count_macs(build(name), shape)


@pytest.mark.parametrize("name", NAMES)
def test_the_ab_form_multiplies_nowhere_once_deployed(name: str) -> None:
    kinds = costmodel.profile(f"abbnn-{name}").deployed.by_kind()
    assert kinds.get("mul", 0) == 0 and kinds["shift_const"] > 0
    assert costmodel.profile(name).deployed.by_kind()["mul"] == 10  # the norm of the scores


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_and_its_bias_are_one_threshold(name: str) -> None:
    """sign(beta (x + b / beta)) = sign(x + b / beta): the mask is for training alone."""
    net = build(f"abbnn-{name}")
    masks = [m for m in net.modules() if isinstance(m, Mask)]
    assert len(masks) == (8 if name == "cnv" else 3)
    biases = [m for m in net.modules() if isinstance(m, LearnableBias) and m is not net.norm]
    for mask, bias in zip(masks, biases, strict=True):
        assert mask.beta == bias.beta
        assert 2**-0.5 <= mask.beta <= 2**0.5
    with torch.no_grad():
        for bias in biases:
            bias.bias.normal_(0, 0.5)
    x = torch.rand(4, *entry(name).input_shape[1:])
    net.eval()
    with torch.no_grad():
        before = net(x)
        for mask in masks:
            mask.beta = 1.0
        assert torch.equal(net(x), before)


def test_weight_bits_are_one_a_weight() -> None:
    net = build("cnv-w1a1")
    assert sum(m.weight.numel() for m in net.modules() if hasattr(m, "weight") and m.weight.dim() > 1) == 1_542_848


def test_input_grid_of_cnv() -> None:
    grid = FixedPointInput()(torch.linspace(-0.2, 1.2, 10_001))
    assert grid.min() == -1
    assert grid.max() == 1 - 2**-7
    assert torch.equal(grid * 128, (grid * 128).round())
    assert grid.unique().numel() == 256


def test_tensor_norm_is_one_affine_map() -> None:
    norm = TensorNorm().eval()
    with torch.no_grad():
        norm.weight.fill_(2)
        norm.bias.fill_(-1)
        norm.running_mean.fill_(3)
        norm.running_var.fill_(4)
    x = torch.randn(2, 10)
    torch.testing.assert_close(norm(x), (x - 3) / (4 + 1e-4) ** 0.5 * 2 - 1)
    norm.train()(x)
    assert norm.running_mean.item() == near(0.9 * 3 + 0.1 * x.mean().item())
