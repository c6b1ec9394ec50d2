"""Parameters and operations of every network of the zoo, so that listing them runs none.

The table is made from the profiles themselves (``make data``); a test holds it to them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costmodel.ledger.ledger import Profile

TABLE = Path(__file__).with_name("counts.csv")


@dataclass(frozen=True, slots=True)
class Counts:
    """One inference as deployed. ``bit_macs``: products of one-bit values (XNOR or AND, and popcount)."""

    parameters: int
    mul: int
    add: int
    compare: int
    bit_macs: int
    signflip: int
    shift: int
    other: int
    macs: int
    weight_bits: int


FIELDS = tuple(field.name for field in fields(Counts))


@cache
def read() -> dict[str, Counts]:
    """The table: name of the network to its counts. A network that was added later is not in it."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return {row.pop("name"): Counts(**{k: int(v) for k, v in row.items()}) for row in csv.DictReader(file)}


def of(profile: Profile) -> Counts:
    """What the table says about a network whose profile this is."""
    ledger = profile.deployed
    kinds = ledger.by_kind()
    shift = sum(kinds.pop(kind, 0) for kind in ("shift_const", "shift_channel", "shift_var"))
    bit_macs = kinds.pop("xnor", 0) + kinds.pop("and", 0)
    kinds.pop("popcount", None)
    named = {kind: kinds.pop(kind, 0) for kind in ("mul", "add", "compare", "signflip")}
    return Counts(
        parameters=profile.parameters, bit_macs=bit_macs, shift=shift, other=sum(kinds.values()),
        macs=sum(layer.macs for layer in ledger.layers), weight_bits=ledger.weight_bits(), **named,
    )  # fmt: skip
