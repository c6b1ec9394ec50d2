"""The list of networks: complete, unambiguous, and without PyTorch."""

import subprocess
import sys

import pytest

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.zoo import build, entry, for_dataset, list_models
from costmodel.zoo.registry import DATASETS

NAMES = list_models()


def test_listing_imports_neither_torch_nor_numpy() -> None:
    code = "import sys; from costmodel.zoo import entry, list_models; [entry(n) for n in list_models()]; " + (
        "sys.exit(bool({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_variant_topology_and_dataset_is_listed() -> None:
    topologies = ("reactnet18", "reactnet34", "reactneta", "bireal18", "bireal34", "xnor18", "bnn18")
    expected = {
        f"{variant}-{topology}{suffix}"
        for variant in ("abbnn", "bnfree", "bn")
        for topology in topologies
        for suffix in ("", "-cifar10", "-cifar100")
    }
    assert expected <= set(NAMES)
    assert {"abbnn-reactnet6-digits", "resnet18", "mobilenetv1", "cnv-w1a1", "meliusnet22"} <= set(NAMES)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("abbnn", "abbnn-reactnet18"),
        ("abbnn-cifar10", "abbnn-reactnet18-cifar10"),
        ("abbnn-digits", "abbnn-reactnet6-digits"),
        ("bnfree", "bnfree-reactnet18"),
        ("reactnet18", "bn-reactnet18"),
        ("reactneta", "bn-reactneta"),
        ("bireal18", "bn-bireal18"),
        ("bireal34-cifar100", "bn-bireal34-cifar100"),
        ("cnv", "cnv-w1a1"),
    ],
)
def test_alias_resolves(alias: str, name: str) -> None:
    assert entry(alias).name == name
    assert entry(name) is entry(alias)
    assert list_models(alias) == [name]


def test_pattern_selects() -> None:
    found = list_models("*react*")
    assert found
    assert all("react" in name for name in found)
    assert list_models("nothing-like-this*") == []


@pytest.mark.parametrize("name", NAMES)
def test_entry_is_complete(name: str) -> None:
    item = entry(name)
    assert item.source
    assert item.description
    shape, classes = DATASETS[item.dataset]
    assert (item.input_shape, item.classes) == (shape, classes)
    for result in item.published:
        assert 0 < result.top1 < 100
        assert result.source


def test_published_accuracy_of_the_paper_headline() -> None:
    assert [p.top1 for p in entry("abbnn-reactneta").published] == [66.89]
    assert {p.top1 for p in entry("abbnn-cifar10").published} == {92.30, 91.94}


def test_unknown_name_suggests() -> None:
    with pytest.raises(UnknownNameError, match="abbnn-reactnet18"):
        entry("abbn-reactnet18")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("abbnn-digits", {"widht": 0.5}, "Did you mean width"),
        ("abbnn-digits", {"width": 0}, "width=0"),
        ("abbnn-digits", {"scale": "tide"}, "expected one of real, pow2, tied"),
        ("abbnn-digits", {"slope": "2"}, "expected one of pow2, fixed, real"),
        ("abbnn-digits", {"stage": 3}, "stage=3"),
        ("tfc", {"width": 0.5}, "has no option 'width'"),
    ],
)
def test_bad_option_is_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(CostmodelError, match=message):
        build(name, **options)


@pytest.mark.parametrize(
    ("name", "dataset", "expected"),
    [
        ("abbnn", "cifar10", "abbnn-reactnet18-cifar10"),
        ("bnfree-reactneta", "cifar100", "bnfree-reactneta-cifar100"),
        ("abbnn-reactneta", "digits", "abbnn-reactnet6-digits"),
        ("bn-reactnet18-cifar10", "imagenet", "bn-reactnet18"),
        ("resnet18", "cifar10", "resnet18-cifar10"),
        ("abbnn-tfc", "mnist", "abbnn-tfc-w1a1"),
    ],
)
def test_relative_for_a_dataset(name: str, dataset: str, expected: str) -> None:
    assert for_dataset(name, dataset).name == expected


def test_no_relative_is_an_error_that_names_what_exists() -> None:
    with pytest.raises(CostmodelError, match="imagenet"):
        for_dataset("quicknet", "cifar10")
