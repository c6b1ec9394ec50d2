"""What is said of a package that is missing leads to one that works."""

from __future__ import annotations

import pytest
import torch

from costmodel.load.failures import advice
from costmodel.load.packages import install


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("yaml.nodes", "pip install pyyaml"),
        ("cv2", "pip install opencv-python-headless"),
        ("progress.bar", "pip install progress"),
        ("utils.layers", "set PYTHONPATH"),
        ("apex", "NVIDIA"),
    ],
)
def test_the_package_is_named_and_not_the_module(module: str, said: str) -> None:
    assert said in install(module)
    assert ("pip install" in install(module)) == ("pip install" in said)


def test_torchvision_is_installed_for_the_pytorch_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.14.1")
    assert install("torchvision.models").endswith("pip install torch==2.14.1 torchvision")
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    assert "pip install torch==2.13.0 torchvision, from the index that this cpu build" in install("torchvision")


def test_a_torchvision_that_does_not_fit_is_told_from_a_fault_of_the_network() -> None:
    error = RuntimeError("operator torchvision::nms does not exist")
    assert "built for another PyTorch" in advice(error) and "torchvision" in advice(error)
    assert advice(RuntimeError("operator does not exist")) == ""
