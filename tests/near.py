"""Comparisons of figures of any size: energies of picojoules are as far apart as those of joules."""

from __future__ import annotations

from typing import Any

import pytest


def near(expected: Any, rel: float = 1e-6, abs: float = 0.0) -> Any:
    """``pytest.approx``, relative alone: its absolute tolerance of 1e-12 takes any two picojoules for equal."""
    return pytest.approx(expected, rel=rel, abs=abs)
