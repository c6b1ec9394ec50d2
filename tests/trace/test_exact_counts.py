"""The deployed ledger at 224 x 224, to the unit, from the package's networks and from other hands' writings of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from costmodel.deploy.profile import profile
from costmodel.ledger.ledger import Profile
from costmodel.zoo import build
from tests.foreign import detach_style, parametrized_style, plain_tensor_style

torch.set_num_threads(1)

STEM_18, HEAD_18, DOWN_18 = 118_013_952, 512_000, 19_267_584
RESIDUAL_NET = {("mul", "stem_conv"): STEM_18, ("mul", "fp_linear"): HEAD_18}
#: network -> (kind, tag) -> count
EXPECTED: dict[str, dict[tuple[str, str], int]] = {
    "abbnn-reactnet18": {
        **RESIDUAL_NET, ("xnor", "binary_conv"): 1_676_279_808, ("popcount", "binary_conv"): 1_676_279_808,
        ("mul", "weight_scale+const_mul"): 1_505_280, ("mul", "avgpool+weight_scale"): 175_616,
        ("shift_channel", "prelu"): 1_505_280, ("signflip", "fp_conv"): DOWN_18, ("compare", "binarize"): 1_680_896,
        ("add", "residual"): 1_505_280, ("add", "bias"): 3_011_560,
    },
    "abbnn-reactnet34": {
        **RESIDUAL_NET, ("xnor", "binary_conv"): 3_525_967_872, ("popcount", "binary_conv"): 3_525_967_872,
        ("mul", "weight_scale+const_mul"): 2_759_680, ("mul", "avgpool+weight_scale"): 175_616,
        ("shift_channel", "prelu"): 2_759_680, ("signflip", "fp_conv"): DOWN_18,
    },
    "abbnn-reactneta": {
        ("mul", "stem_conv"): 10_838_016, ("mul", "fp_linear"): 1_024_000,
        ("xnor", "binary_conv"): 4_816_896_000, ("popcount", "binary_conv"): 4_816_896_000,
        ("mul", "weight_scale+const_mul"): 4_641_280, ("shift_channel", "prelu"): 4_641_280,
        ("compare", "binarize"): 4_992_512, ("add", "residual"): 4_641_280, ("add", "bias"): 9_283_560,
    },
    "bn-reactnet18": {
        **RESIDUAL_NET, ("xnor", "binary_conv"): 1_676_279_808, ("popcount", "binary_conv"): 1_676_279_808,
        ("mul", "fp_conv"): DOWN_18, ("mul", "weight_scale+bn_scale"): 1_505_280, ("mul", "prelu"): 1_505_280,
        ("compare", "binarize"): 1_680_896, ("add", "residual"): 1_505_280, ("add", "bias"): 5_495_272,
    },
    "bn-bireal18": {
        **RESIDUAL_NET, ("xnor", "binary_conv"): 1_676_279_808, ("popcount", "binary_conv"): 1_676_279_808,
        ("mul", "fp_conv"): DOWN_18, ("mul", "weight_scale+bn_scale"): 1_505_280,
        ("compare", "binarize"): 1_680_896, ("add", "residual"): 1_505_280, ("add", "bias"): 2_484_712,
    },
    "bn-reactneta": {
        ("mul", "stem_conv"): 10_838_016, ("mul", "fp_linear"): 1_024_000,
        ("xnor", "binary_conv"): 4_816_896_000, ("popcount", "binary_conv"): 4_816_896_000,
        ("mul", "weight_scale+bn_scale"): 4_641_280, ("mul", "prelu"): 4_641_280,
        ("compare", "binarize"): 4_992_512, ("add", "residual"): 4_641_280, ("add", "bias"): 14_326_248,
    },
}  # fmt: skip
STYLES = {"detach": detach_style, "parametrized": parametrized_style, "plain_tensor": plain_tensor_style}


def by_kind_and_role(result: Profile) -> dict[tuple[str, str], int]:
    """A batch norm that was written out is a scale and a bias: the same operations under other tags."""
    table: dict[tuple[str, str], int] = {}
    for (kind, tag), count in result.deployed.by_kind_and_tag().items():
        key = kind, tag.replace("const_mul", "bn_scale").replace("bn_bias", "bias")
        table[key] = table.get(key, 0) + count
    return table


def check(result: Profile, expected: dict[tuple[str, str], int]) -> None:
    counts = by_kind_and_role(result)
    for (kind, tag), count in expected.items():
        assert counts.get((kind, tag.replace("const_mul", "bn_scale")), 0) == count, (kind, tag)
    assert result.deployed.total("mul") == sum(n for (kind, _), n in expected.items() if kind == "mul")
    assert result.deployed.total("unknown") == 0
    assert not result.caveats


def at_224(model: nn.Module) -> Profile:
    return profile(model, torch.randn(1, 3, 224, 224))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_zoo_gives_the_exact_table(name: str) -> None:
    check(at_224(build(name)), EXPECTED[name])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", EXPECTED)
def test_other_hands_give_the_exact_table(name: str, style: str) -> None:
    check(at_224(STYLES[style].FACTORIES[name]()), EXPECTED[name])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", EXPECTED)
def test_deployed_ledgers_agree_kind_by_kind_and_tag_by_tag(name: str, style: str) -> None:
    own = profile(build(f"{name}-cifar10"), torch.randn(1, 3, 32, 32))
    other = profile(STYLES[style].FACTORIES[name](classes=10, small=True), torch.randn(1, 3, 32, 32))
    assert by_kind_and_role(other) == by_kind_and_role(own)
    assert sorted((t.role, t.count, t.bits) for t in other.deployed.traffic) == sorted(
        (t.role, t.count, t.bits) for t in own.deployed.traffic
    )
