"""Networks of torchvision and timm as they are: products by hand or by the papers' formulas, fvcore live."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch

import costmodel
from costmodel.ledger.conventions import convention
from tests.public.packages import package

pytestmark = pytest.mark.slow

IMAGE = (1, 3, 224, 224)


def vit(patches: int, width: int, depth: int, token: int = 1, classes: int = 1000, pixels: int = 768) -> int:
    """Patches, four projections, two products of all pairs, a perceptron of four times the width, a classifier."""
    n = patches + token
    return patches * pixels * width + depth * (12 * n * width**2 + 2 * n * n * width) + width * classes


def swin(width: int = 96, depths: tuple[int, ...] = (2, 2, 6, 2), window: int = 49) -> int:
    n, total = 56 * 56, 56 * 56 * 48 * width
    for stage, depth in enumerate(depths):
        total += depth * (12 * n * width**2 + 2 * n * window * width)
        if stage < len(depths) - 1:
            n //= 4
            total += n * 4 * width * 2 * width
            width *= 2
    return total + width * 1000


#: package, network -> its multiply-accumulates
NETWORKS = {
    ("torchvision.models", "resnet18"): 1_814_073_344,
    ("torchvision.models", "resnet50"): 4_087_136_256 + 2_048_000,
    ("torchvision.models", "vit_b_16"): vit(196, 768, 12),
    ("torchvision.models", "swin_t"): swin(),
    ("torchvision.models", "mobilenet_v2"): 300_774_272,
    ("torchvision.models", "convnext_tiny"): None,
    ("torchvision.models", "mobilenet_v3_small"): None,
    ("timm", "vit_tiny_patch16_224"): vit(196, 192, 12),
    ("timm", "swin_tiny_patch4_window7_224"): swin(),
    ("timm", "efficientnet_b2"): 657_555_440 + 1_408_000,
    ("timm", "convnext_atto"): None,
    ("timm", "mixer_s32_224"): None,
    ("timm", "resnest14d"): None,
}


def build(origin: str, name: str) -> torch.nn.Module:
    library = package(origin)
    made = library.create_model(name) if origin == "timm" else getattr(library, name)(weights=None)
    return made.eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("origin", "name"), NETWORKS, ids=lambda part: part.split(".")[0])
def test_products_and_fvcores_total(origin: str, name: str) -> None:
    fvcore = pytest.importorskip("fvcore.nn", reason="fvcore is not installed")
    net, x = build(origin, name), torch.randn(IMAGE)
    made = costmodel.profile(net, x)
    expected = NETWORKS[origin, name]
    assert made.as_written.total("unknown") == 0
    if expected is not None:
        assert convention("macs").count(made).number == expected
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fvcore.FlopCountAnalysis(net, x).total()
    logging.disable(logging.NOTSET)
    assert convention("fvcore").count(made).number == theirs


@pytest.mark.parametrize("name", ["fcn_resnet50", "lraspp_mobilenet_v3_large"])
def test_segmentation_with_bilinear_upsampling(name: str) -> None:
    fvcore = pytest.importorskip("fvcore.nn", reason="fvcore is not installed")
    library = package("torchvision.models.segmentation")
    net, x = getattr(library, name)(weights=None, weights_backbone=None).eval(), torch.randn(IMAGE)
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fvcore.FlopCountAnalysis(net, x).total()
    logging.disable(logging.NOTSET)
    assert convention("fvcore").count(costmodel.profile(net, x)).number == theirs
