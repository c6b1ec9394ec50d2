"""Where the packaged specs are; apart, because a stored answer asks for nothing else of this package."""

from __future__ import annotations

from pathlib import Path


def specs_folder() -> Path:
    """``arch_specs``: next to the package in a checkout, inside it when installed."""
    inside = Path(__file__).parent.parent / "arch_specs"
    return inside if inside.is_dir() else inside.parent.parent / "arch_specs"
