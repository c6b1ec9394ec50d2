"""Networks next to each other, and what they cost on the same targets."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from costmodel.ledger.ledger import Ledger, Level, Profile
from costmodel.noun import Noun
from costmodel.targets.estimate import Estimate


@dataclass(frozen=True, repr=False)
class Comparison(Noun):
    """``profiles`` of networks; ``estimates[i][j]`` is what network j costs on target i; ``level`` of both.

    Tables (``by``): ``figure`` (network, target, metric, unit, value, low, high), ``odds`` (which is cheaper, with what
    probability, and what it saves), ``convention``.
    """

    _VIEW = "costmodel.views.comparison:view"

    profiles: tuple[Profile, ...]
    estimates: tuple[tuple[Estimate, ...], ...] = ()
    level: Level = "deployed"

    def __repr__(self) -> str:
        names = ", ".join(p.network for p in self.profiles)
        on = ", ".join(row[0].target for row in self.estimates)
        return f"<Comparison of {names}, {self.level}{f', on {on}' if on else ''}>"

    def ledgers(self) -> tuple[Ledger, ...]:
        """The ledger of each network at the level that is compared."""
        return tuple(p.ledger(self.level) for p in self.profiles)

    def odds(self) -> dict[str, list[Any]]:
        """Of each target which network costs less of what, with what probability, and what share it saves:
        :class:`costmodel.views.odds.Odds`."""
        # By name: nouns do not depend on what shows them.
        found = import_module("costmodel.views.odds").odds
        return {row[0].target: found(list(row)) for row in self.estimates}

    def bibtex(self) -> str:
        """BibTeX entries of all sources of the constants used."""
        text: str = import_module("costmodel.views.references").bibtex([e for row in self.estimates for e in row])
        return text
