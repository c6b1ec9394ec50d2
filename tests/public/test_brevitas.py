"""Brevitas' own networks for FINN, unmodified: against the same networks of the zoo."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import costmodel
from tests.public.packages import package

pytestmark = pytest.mark.slow

#: name there -> name here, shape of the image; sums of products and what is left between them
NETWORKS = {
    "tfc_1w1a": ("tfc-w1a1", (1, 1, 28, 28)), "sfc_1w1a": ("sfc-w1a1", (1, 1, 28, 28)),
    "lfc_1w1a": ("lfc-w1a1", (1, 1, 28, 28)), "cnv_1w1a": ("cnv-w1a1", (1, 3, 32, 32)),
}  # fmt: skip


def profile(name: str, shape: tuple[int, ...]) -> costmodel.Profile:
    models = package("brevitas_examples.bnn_pynq.models")
    torch.manual_seed(0)
    net, _ = models.model_with_cfg(name, False)
    net(torch.rand(4, *shape[1:]))  # statistics of the batch norms
    return costmodel.profile(net.eval(), torch.rand(shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_binary_products_are_those_of_the_zoo(name: str) -> None:
    here, shape = NETWORKS[name]
    made, own = profile(name, shape), costmodel.profile(here)
    assert [layer.macs for layer in made.as_written.layers if layer.macs] == [
        layer.macs for layer in own.as_written.layers if layer.macs
    ]
    kinds = ("xnor", "popcount")
    assert [made.deployed.total(kind) for kind in kinds] == [own.deployed.total(kind) for kind in kinds]


@pytest.mark.parametrize("name", NETWORKS)
def test_ten_multiplications_are_left(name: str) -> None:
    here, shape = NETWORKS[name]
    made, own = profile(name, shape), costmodel.profile(here)
    assert made.deployed.total("mul") == 10
    rows = [Counter(row) for row in made.deployed.by_layer().values() if row]
    assert rows == [Counter(row) for row in own.deployed.by_layer().values() if row]


@pytest.mark.parametrize("name", ["tfc_1w2a", "tfc_2w2a", "cnv_1w2a", "cnv_2w2a"])
def test_of_two_bits_only_the_last_scale_is_left(name: str) -> None:
    """Their quantisers give -1, 0 and 1: two comparisons each, with the norms in front of them."""
    made = profile(name, (1, 1, 28, 28) if name.startswith("tfc") else (1, 3, 32, 32))
    assert made.deployed.total("mul") == 10
    assert made.deployed.total("lut") == made.deployed.total("special") == made.deployed.total("unknown") == 0
