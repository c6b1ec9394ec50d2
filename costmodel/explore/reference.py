"""The fronts that are shipped: the networks of A&B BNN with their published accuracies, on every shipped target."""

from __future__ import annotations

from pathlib import Path

from costmodel.errors import UnknownNameError
from costmodel.explore.front import Front, read_front

RESULTS = Path(__file__).parent / "results"


def list_fronts() -> list[str]:
    """Targets of which a front is shipped."""
    return sorted(path.stem.split("-", 2)[2] for path in RESULTS.glob("front-*.parquet"))


def reference_front(target: str) -> Front:
    """The shipped front of one target; the space that it is of is ``results/reference.yaml`` beside it."""
    found = list(RESULTS.glob(f"front-*-{target}.parquet"))
    for path in found:
        if path.stem.split("-", 2)[2] == target:
            return read_front(path)
    raise UnknownNameError("target with a shipped front", target, list_fronts())
