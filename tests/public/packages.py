"""Packages with networks of other people: imported where they are installed, else the test is skipped and says so."""

from __future__ import annotations

import contextlib
from types import ModuleType

import pytest
import torch


def package(name: str) -> ModuleType:
    """The package, or a skip with the reason.

    torchvision's compiled operators need the CUDA build of PyTorch. Its networks do not: two operators that are
    declared before the import let it, and timm and transformers with it, be imported next to any build.
    """
    for operator in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")
    return pytest.importorskip(name, reason=f"{name} is not installed", exc_type=ImportError)
