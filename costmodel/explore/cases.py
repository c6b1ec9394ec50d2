"""A case: one network on one target, the unit into which a space falls apart.

All combinations of a target's settings (``grid``), or all foldings or mappings at one of them, composed exactly
(``exact``) or drawn at random (``samples``). A design is its case and its number in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.explore.networks import Network
from costmodel.explore.space import DesignSpace, Entry

#: Numbers that a case may use; the global id of a design is ``case * STRIDE + number``.
STRIDE = 1 << 40


@dataclass(frozen=True)
class Case:
    """One network on one target. ``settings`` are fixed, and empty where the case covers all of the entry; ``clocks``
    are those at which the foldings of an exact case run."""

    index: int
    network: Network
    entry: Entry
    settings: tuple[tuple[str, Any], ...]
    clocks: tuple[float, ...] = ()

    @property
    def designs(self) -> int:
        """How many pieces this case can be cut into: designs, or settings whose mappings are composed; foldings are
        composed in one piece."""
        exact = self.entry.size if self.entry.kind == "asic" else 1
        return {"grid": self.entry.size, "samples": self.entry.samples, "exact": exact}[self.entry.search]


def cases(space: DesignSpace) -> list[Case]:
    found: list[Case] = []
    if opened := [network.name for network in space.networks if network.layers]:
        raise CostmodelError(f"choices of the layers of {', '.join(opened)} are open: count them off, or search them")
    for network in space.networks:
        for entry in space.entries:
            if entry.search == "grid" or (entry.search == "exact" and entry.kind == "asic"):
                found.append(Case(len(found), network, entry, ()))
                continue
            clocks: tuple[float, ...] = ()
            if entry.search == "exact":
                clocks = dict(entry.axes).get("clock", ())
            for settings in entry.settings(without=("clock",) if clocks else ()):
                found.append(Case(len(found), network, entry, tuple(settings.items()), clocks))
    return found
