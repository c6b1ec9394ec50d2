"""Shared by all tests: a store of profiles of their own, one thread, and small networks as users write them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before any test imports torch, and inherited by the workers of pytest-xdist: profiles made by one are found by all.
os.environ.setdefault("OMP_NUM_THREADS", "1")
MINE = "COSTMODEL_TEST_CACHE" not in os.environ
if MINE:
    os.environ["COSTMODEL_TEST_CACHE"] = tempfile.mkdtemp(prefix="costmodel-tests-")
os.environ["COSTMODEL_CACHE"] = os.environ["COSTMODEL_TEST_CACHE"]

# How long an example takes depends on what else the machine does; no test here is about that.
settings.register_profile("costmodel", deadline=None)
settings.load_profile("costmodel")


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    if MINE:
        shutil.rmtree(os.environ["COSTMODEL_TEST_CACHE"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty store of profiles for one test."""
    folder = tmp_path / "store"
    monkeypatch.setenv("COSTMODEL_CACHE", str(folder))
    yield folder


#: A binary network as a user writes it: one convolution, batch norm, sign, binary convolution, pooling, linear.
USER_NET = """
import torch
from torch import nn
import torch.nn.functional as F

class BinaryConv(nn.Conv2d):
    def forward(self, x):
        scale = self.weight.abs().mean((1, 2, 3), keepdim=True)
        return F.conv2d(torch.sign(x), scale * torch.sign(self.weight), None, self.stride, self.padding)

class Net(nn.Module):
    def __init__(self, width=4, classes=3):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.conv = BinaryConv(width, width, 3, padding=1, bias=False)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        x = self.conv(self.bn(self.stem(x)))
        return self.fc(x.mean((2, 3)))

def build(width=4, classes=3):
    return Net(width, classes)

def broken():
    raise ValueError("no such depth: 19")

def not_a_network():
    return {"a": 1}

constant = 3
"""


@pytest.fixture
def user_net(tmp_path: Path) -> Path:
    """A file with a network: ``FILE:build``, and ways to get it wrong."""
    path = tmp_path / "user_net.py"
    path.write_text(USER_NET)
    return path


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are as wide as they are, also where tests run in workers that are told the width of a terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
