"""The Larq zoo: multiply-accumulates by precision as in Larq's measurement file, parameters as in its docstrings.

Sources: github.com/larq/docs@67eb830 docs/plots/zoo_hero.vg.json (counts), github.com/larq/zoo@77c5853 (parameters).
"""

import pytest
import torch
from torch import nn

from costmodel.zoo import build, entry
from costmodel.zoo.larq.layers import BlurPool2d
from tests.zoo.counter import count_macs, parameters, parameters_with_statistics

#: name -> (1-bit, 32-bit multiply-accumulates, parameters)
PUBLISHED = {
    "quicknet": (1_849_688_064, 28_861_440, 13_234_088),
    "quicknet-small": (1_156_055_040, 15_489_536, 12_655_688),
    "quicknet-large": (3_699_376_128, 28_861_440, 23_342_248),
    "binaryalexnet": (768_512_000, 72_855_552, 61_859_192),
    "xnornet": (1_025_744_896, 113_379_328, 62_396_768),
    "birealnet": (1_676_279_808, 137_793_536, 11_699_112),
    "binaryresnete18": (1_676_279_808, 137_793_536, 11_699_368),
    "realtobinarynet": (1_676_279_808, 138_087_936, 11_995_624),
    "binarydensenet28": (3_587_383_296, 202_484_224, 5_150_504),
    "binarydensenet37": (4_506_808_320, 199_738_368, 8_734_120),
    "binarydensenet37dilated": (7_774_470_144, 452_625_408, 8_734_120),
    "binarydensenet45": (6_430_556_160, 244_103_424, 13_939_240),
    "meliusnet22": (4_624_220_160, 136_388_608, 6_944_584),
}

#: The newer docstrings count a fused batch normalisation: offset and scale, the statistics folded into them.
FUSED = ("quicknet", "quicknet-small", "quicknet-large", "meliusnet22")


@pytest.mark.parametrize("name", PUBLISHED)
def test_multiply_accumulates_are_the_published_ones(name: str) -> None:
    binary, real, _ = PUBLISHED[name]
    found = count_macs(build(name), entry(name).input_shape)
    assert (found.binary_binary, found.real_by_larq) == (binary, real)
    # Only BinaryAlexNet has a layer with binary weights on a real input: its first.
    assert found.real_binary == (72_855_552 if name == "binaryalexnet" else 0)


def _blur_weights(net: nn.Module) -> int:
    """Larq's blur is a depthwise 3x3 with fixed weights, one filter for each channel of the stage before."""
    channels = [m[3].in_channels for m in net.modules() if isinstance(m, nn.Sequential) and _is_transition(m)]
    return 9 * sum(channels)


def _is_transition(module: nn.Sequential) -> bool:
    return len(module) == 5 and isinstance(module[2], BlurPool2d)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        net = build(name)
    if name not in FUSED:
        assert parameters_with_statistics(net) == PUBLISHED[name][2]
        return
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    unfused = sum(2 * m.num_features for m in norms if not m.affine)
    assert parameters(net) + unfused + _blur_weights(net) == PUBLISHED[name][2]


def test_blur_is_the_binomial_filter() -> None:
    x = torch.randn(2, 3, 55, 55, dtype=torch.float64)
    row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    kernel = (torch.outer(row, row) / 16).expand(3, 1, 3, 3)
    torch.testing.assert_close(BlurPool2d()(x), nn.functional.conv2d(x, kernel, stride=2, padding=1, groups=3))


def test_padding_by_plus_one_stays_binary() -> None:
    """QuickNet pads signs with +1: the border changes the sum as a real +1 tap would."""
    net = build("quicknet-small").eval()
    conv = next(m for m in net.modules() if getattr(m, "pad_value", 0) == 1.0)
    x = torch.randn(1, conv.in_channels, 5, 5)
    inner = torch.nn.functional.conv2d(torch.where(x >= 0, 1.0, -1.0), conv.binary_weight(), padding=1)
    border = torch.nn.functional.conv2d(torch.ones_like(x), conv.binary_weight(), padding=1)
    full = conv.binary_weight().sum((1, 2, 3))[None, :, None, None]
    torch.testing.assert_close(conv(x), inner + (full - border))
