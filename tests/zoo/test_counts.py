"""The table of counts that a listing shows is what a fresh profile says."""

import pytest
import torch

from costmodel.deploy.profile import profile
from costmodel.zoo import build, counts, entry, list_models
from tests.zoo.test_family import PARAMETERS
from tests.zoo.test_larq import PUBLISHED

HOW = "the table is out of date: run make data"


def test_table_has_every_network() -> None:
    assert list(counts.read()) == list_models(), HOW


@pytest.mark.parametrize(
    "name",
    ["abbnn-reactnet18", "bn-reactneta-cifar10", "bnfree-reactnet6-digits", "resnet18-cifar10", "cnv-w1a1",
     "quicknet-small", "binaryalexnet"],
)  # fmt: skip
def test_table_equals_a_fresh_profile(name: str) -> None:
    fresh = counts.of(profile(build(name), torch.zeros(entry(name).input_shape).uniform_(0, 1), name=name))
    assert counts.read()[name] == fresh, HOW


@pytest.mark.parametrize("name", PUBLISHED)
def test_table_splits_larq_networks_as_published(name: str) -> None:
    binary, real, _ = PUBLISHED[name]
    row = counts.read()[name]
    assert (row.bit_macs, row.macs - row.bit_macs) == (binary, real)


@pytest.mark.parametrize("name", PARAMETERS)
def test_table_has_the_published_parameters(name: str) -> None:
    assert counts.read()[name].parameters == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "hidden"),
    [("abbnn-reactnet18", 1_680_896), ("abbnn-reactnet34", 2_935_296), ("abbnn-reactneta", 4_641_280)],
)
def test_multiplications_beyond_stem_and_classifier_are_the_weight_scales(name: str, hidden: int) -> None:
    stem, fc = (10_838_016, 1_024_000) if "neta" in name else (118_013_952, 512_000)
    assert counts.read()[name].mul == stem + fc + hidden


def test_bnn18_with_the_rules_of_abbnn_multiplies_nothing_in_its_blocks() -> None:
    assert counts.read()["abbnn-bnn18"].mul == 118_013_952 + 512_000
