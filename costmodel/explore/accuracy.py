"""Which accuracy a design has: that of its network, where nothing that was chosen changes what the network answers.

A width or format of numbers that is narrower than the target's own default changes it; the figure of such a design is
one that was given for just these options, and else unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.explore.networks import CHANGING, Figure, Network
from costmodel.targets import options_of
from costmodel.targets.spec import Target

#: Formats by what they can hold, in bits of their fraction and sign.
_FORMATS = {"int8": 8, "fp16": 11, "int12": 12, "int16": 16, "int24": 24, "fp32": 24.5, "int32": 32}


def narrowed(target: Target, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that change what a network answers on a target: those narrower than its defaults."""
    known, found = options_of(target), {}
    for name in CHANGING:
        if name not in settings:
            continue
        value = settings[name]
        usual = "weight_bits" if name == "kind_bits" else name  # the widths of some of the weights
        if name not in known or _wide(value) < _wide(known[usual].default):
            found[name] = value
    return found


def accuracy(network: Network, target: Target, settings: Mapping[str, Any]) -> Figure | None:
    """The figure of a design, the preferred of several; None where none is known for it."""
    wanted = narrowed(target, settings)
    return next((f for f in network.figures if narrowed(target, dict(f.options)) == wanted), None)


def _wide(value: Any) -> float:
    """How much a width or a format holds, of several widths the narrowest; 0 bits stand for as many as real numbers
    have."""
    if isinstance(value, str):
        if "=" in value or not value:
            return min((float(part.partition("=")[2]) for part in value.split(",") if part), default=1e9)
        return _FORMATS.get(value, 0.0)
    return float(value) or 1e9
