"""Members of sweeps as designs of the explorer: priced anew, with intervals, scope and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from costmodel.dashboard.items import Explored, Figure, Item, items_of
from costmodel.dashboard.members import settings_of
from costmodel.dashboard.results import DesignRow, NetworkRow, TargetRow
from costmodel.dashboard.sweeps import Sweep
from costmodel.errors import CostmodelError

if TYPE_CHECKING:
    from costmodel.explore.front import Member
    from costmodel.targets.spec import Target

#: Members of one folder that are priced for the explorer; of more, evenly many.
LIMIT = 2000
#: What prices a design: its network, target and choices.
Price = Callable[[str, str, Sequence[str]], DesignRow]


class Explorations:
    """The members of result folders. A folder is read, and its members are priced, when it is first asked for."""

    def __init__(self, sweeps: Sequence[Sweep], own: int) -> None:
        self.sweeps = list(sweeps)
        #: How many of the first folders are the user's own.
        self.own = own
        self._items: dict[int, list[Item]] = {}
        self._left: dict[int, int] = {}
        #: By folder and by what is missing: how many members are of it, and what to start with.
        self._unknown: dict[int, dict[str, tuple[int, str]]] = {}

    def known(self, numbers: Iterable[Any]) -> list[int]:
        """Numbers of folders that there are."""
        return [int(n) for n in numbers if str(n).isdigit() and int(n) < len(self.sweeps)]

    def wanted(self, numbers: Iterable[Any]) -> list[int]:
        """Of these folders those that nobody asked for before; from now on they are asked for."""
        new = [n for n in self.known(numbers) if n not in self._items]
        self._items |= {n: [] for n in new}
        return new

    def items(self, numbers: Iterable[Any]) -> list[Item]:
        """The members of these folders that are priced by now."""
        return [item for n in self.known(numbers) for item in list(self._items.get(n, ()))]

    def jobs(self, number: int, networks: Mapping[str, NetworkRow], targets: Mapping[str, TargetRow],
             figures: Callable[[Member], Sequence[Figure]], price: Price) -> list[Callable[[], None]]:  # fmt: skip
        """What is to be done for a folder, a member each. Those of networks or targets that are not here are counted:
        nothing but their objectives is known of them."""
        from costmodel.explore.networks import of_command

        try:
            found = self.sweeps[number].members
        except CostmodelError:  # the page of sweeps says what is wrong with the folder
            return []
        here = [i for i, m in enumerate(found) if m.network in networks and m.target in targets]
        away: dict[str, tuple[int, str]] = {}
        for m in found:
            if m.network not in networks:
                away[m.network] = (away.get(m.network, (0, ""))[0] + 1, of_command(m.command).flags)
            elif m.target not in targets:
                away[m.target] = (away.get(m.target, (0, ""))[0] + 1, "--target FILE")
        kept = here[:: max(1, -(-len(here) // LIMIT))]
        self._unknown[number], self._left[number] = away, len(here) - len(kept)

        def add(i: int) -> None:
            m = found[i]
            choices = settings_of(m)
            try:
                row = price(m.network, m.target, choices)
            except CostmodelError as error:  # a choice that the target, as it is here, does not take
                row = DesignRow(m.network, m.target, str(error), {})
            made = Explored(self.sweeps[number].name, f"{number}:{i}", tuple(choices))
            own = number < self.own
            self._items[number] += items_of(networks[m.network], targets[m.target], row, figures(m), own, made)

        return [partial(add, i) for i in kept]

    def said(self, numbers: Iterable[Any]) -> list[str]:
        """What of these folders is not in the figure, and why."""
        words = []
        for n in self.known(numbers):
            name = self.sweeps[n].name
            if left := self._left.get(n, 0):
                words.append(f"{name}: {left:,} members are left out; at most {LIMIT:,} of a sweep are drawn here.")
            for missing, (count, flags) in self._unknown.get(n, {}).items():
                words.append(
                    f"{name}: {count:,} members are of {missing}, which is not here: start with it "
                    f"(costmodel dashboard {flags})."
                )
        return words


def figures_of(m: Member, target: Target, known: Sequence[Figure]) -> Sequence[Figure]:
    """The accuracies of a member: the one that it was judged by, else those of its network, of which none holds for
    choices that change what a network answers."""
    if "accuracy" in m.metrics:
        of = m.evidence
        epochs = of.get("epochs", "")
        return (
            Figure(m.metrics["accuracy"], of.get("accuracy_kind", ""), f"{epochs} epochs" if epochs else "",
                   of.get("accuracy_source", "")),
        )  # fmt: skip
    from costmodel.explore.accuracy import narrowed

    changed = narrowed(target, m.settings) or m.settings.get("scale", "exact") != "exact"
    return () if changed else known
