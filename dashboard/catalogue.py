"""What the pages show: designs with their attributes, and estimates of the one that is looked at, priced on demand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from costmodel.dashboard import results
from costmodel.dashboard.explored import Explorations, figures_of
from costmodel.dashboard.items import MEMBER, Figure, Item, accuracies, id_of, items_of
from costmodel.dashboard.members import member_of, settings_of
from costmodel.dashboard.own import Own
from costmodel.dashboard.pricing import Pricing
from costmodel.dashboard.state import FIELDS, pairs, write_design, written
from costmodel.dashboard.sweeps import Sweep
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.ledger import level_of
from costmodel.ledger.scales import SCALE_OPTIONS, with_scale
from costmodel.targets.spec import Parameter

if TYPE_CHECKING:
    from costmodel.explore.front import Member
    from costmodel.ledger.ledger import Ledger, Profile
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.spec import Target

T = TypeVar("T")
#: A choice of the deployed network rather than of a target.
SCALE = Parameter(
    "exact",
    "What multiplies by the scale of binary weights after the exact rewrites: a multiplication, shifts, or a table",
    choices=SCALE_OPTIONS,
)
_HELD = 128


class Catalogue:
    """All shipped results, and what is the user's own: networks, targets and accuracies that were given at the start,
    targets that were uploaded while the program runs, and members of ``sweeps``, of which ``mine`` are the user's."""

    def __init__(
        self, folder: Path = results.DATA, own: Own | None = None, sweeps: Sequence[Sweep] = (), mine: int = 0
    ) -> None:
        self.folder = folder
        self.own = own or Own()
        self.results = results.read(folder)
        self.mine = {n.row.name: n for n in self.own.networks}
        self.networks = {row.name: row for row in self.results.networks}
        if both := self.networks.keys() & self.mine.keys():
            raise CostmodelError(f"network {', '.join(both)} is among the shipped ones already")
        self.networks |= {name: n.row for name, n in self.mine.items()}
        self.targets = {row.name: row for row in self.results.targets}
        #: Targets of the user's own, those of the start first, and the files of them all.
        self.uploaded: dict[str, Target] = {t.row.name: t.target for t in self.own.targets}
        self.files: dict[str, str] = {t.row.name: t.text for t in self.own.targets}
        self._mine: dict[tuple[str, str], list[Item]] = {}
        self.pricing = Pricing()
        self.explorations = Explorations(sweeps, mine)
        self._ledgers: OrderedDict[tuple[Any, ...], Ledger] = OrderedDict()
        self._estimates: OrderedDict[tuple[Any, ...], Estimate] = OrderedDict()
        self._lock = Lock()

    @cached_property
    def accuracies(self) -> dict[str, list[Figure]]:
        return accuracies(self.networks.values(), self.own.accuracies)

    @cached_property
    def _shipped(self) -> list[Item]:
        found: list[Item] = []
        for row in self.results.designs:
            network, target = self.networks[row.network], self.targets[row.target]
            found += items_of(network, target, row, self.accuracies.get(row.network, ()))
        return found

    @property
    def items(self) -> list[Item]:
        """All designs that are priced by now."""
        return [*self._shipped, *(item for items in list(self._mine.values()) for item in items)]

    def start(self) -> None:
        """Price what is the user's own, in the background; and read there what the first page shows, which the browser
        asks for when it has loaded its scripts."""
        Thread(target=self._warm, daemon=True, name="warm").start()
        self.pricing.add(partial(self.price, n, t) for n in self.mine for t in self._by_cost())
        for target in self.own.targets:
            self.price_on(target.row.name)

    def _warm(self) -> None:
        _ = self.items
        with suppress(CostmodelError):  # where results of other targets are shown
            self.parameters(str(FIELDS["on"][2]))

    def price_on(self, target: str) -> None:
        """Price all networks on a target of the user's own, in the background."""
        self.pricing.add(partial(self.price, name, target) for name in self.networks)

    def explore(self, folders: Iterable[Any]) -> None:
        """Read these result folders and price their members, in the background, where that was not asked before."""
        self.pricing.add(partial(self._explore, number) for number in self.explorations.wanted(folders))

    def _explore(self, number: int) -> None:
        def price(network: str, target: str, choices: Sequence[str]) -> results.DesignRow:
            from costmodel.targets import estimate

            chosen = self.settings(target, pairs(choices))
            ledger = self.ledger(network, "deployed", chosen.pop("scale", "exact"))
            return results.row_of(network, target, estimate(ledger, self.target(target), **chosen))

        def figures(m: Member) -> Sequence[Figure]:
            return figures_of(m, self.target(m.target), self.accuracies.get(m.network, ()))

        targets = {name: self._target_row(name) for name in (*self.targets, *self.uploaded)}
        jobs: list[Callable[[], None]] = self.explorations.jobs(number, self.networks, targets, figures, price)
        self.pricing.add(jobs)

    def design_of(self, key: str) -> str:
        """The design of a point's key with its choices: ``network@target;name=value``."""
        design, _, ref = id_of(key).partition(MEMBER)
        m = member_of(self.explorations.sweeps, ref)
        return design if m is None else write_design(m.network, m.target, settings_of(m))

    def forget(self, target: str) -> None:
        """A target that was uploaded is gone, and with it its designs."""
        self.uploaded.pop(target, None)
        self.files.pop(target, None)
        self._mine = {pair: items for pair, items in self._mine.items() if pair[1] != target}

    def _by_cost(self) -> list[str]:
        """The shipped targets, those that are priced at once first."""
        return sorted(self.targets, key=lambda name: self.targets[name].kind == "fpga")

    def price(self, network: str, target: str) -> None:
        """Price a network on a target, one of which is the user's own."""
        if target not in self.uploaded and target not in self.targets:
            return
        spec = self.target(target)
        row = results.design_row(network, self.profile(network), spec)
        known = self.accuracies.get(network, ())
        self._mine[network, target] = items_of(self.networks[network], self._target_row(target), row, known, own=True)

    def _target_row(self, name: str) -> results.TargetRow:
        spec = self.uploaded.get(name)
        return self.targets[name] if spec is None else results.TargetRow(name, spec.kind, spec.title)

    def values(self, attribute: str) -> list[str]:
        """Every value of an attribute, in order of first appearance; of the user's own before it is priced, too: a
        link may ask for it at once."""
        found = (item.attribute(attribute) for item in [*self.items, *self._awaited()])
        return [value for value in dict.fromkeys(found) if value]

    def _awaited(self) -> Iterator[Item]:
        """Each network and each target of the user's own, in one design without figures."""
        network, target = next(iter(self.networks), ""), next(iter(self.targets), "")
        for of, on in [*((name, target) for name in self.mine), *((network, name) for name in self.uploaded)]:
            row = results.DesignRow(of, on, "", {})
            yield from items_of(self.networks[of], self._target_row(on), row, self.accuracies.get(of, ()))

    def network(self, name: str) -> results.NetworkRow:
        if name not in self.networks:
            raise UnknownNameError("network of these results", name, self.networks)
        return self.networks[name]

    def profile(self, network: str) -> Profile:
        if network in self.mine:
            return self.mine[network].profile
        return results.profile(self.network(network).name, self.folder)

    def target(self, name: str) -> Target:
        """A target of the results or an uploaded one; a path is neither, whatever lies there."""
        from costmodel.targets import load_target

        if name in self.uploaded:
            return self.uploaded[name]
        if name not in self.targets:
            raise UnknownNameError("target of these results", name, [*self.targets, *self.uploaded])
        return load_target(name)

    def ledger(self, network: str, level: str, scale: str = "exact") -> Ledger:
        """A level of a network under a scale option; one object each, by which models know what they have derived."""
        level = level_of(level)
        made = self._kept(self._ledgers, (network, level, scale))
        if made is None:
            made = with_scale(self.profile(network).ledger(level), scale)
            made = self._keep(self._ledgers, (network, level, scale), made)
        return made

    def parameters(self, target: str) -> dict[str, Parameter]:
        """The choices that a browser may make: those of a target, of its model, and of the network."""
        spec = self.target(target)
        own = import_module(f"costmodel.targets.{spec.kind}.price").OPTIONS
        found = {"scale": SCALE, **own, **spec.parameters}
        if "sram_table" in found:
            tables = dict.fromkeys(
                name.partition(".")[0] for name in spec.constants if name.startswith("sram_") and "." in name
            )
            found["sram_table"] = replace(found["sram_table"], choices=tuple(tables))
        return found

    def settings(self, target: str, given: Mapping[str, Any], level: str = "deployed") -> dict[str, Any]:
        """The choices that differ from the default. Raises :class:`CostmodelError` for what may not be chosen.

        What replaces multiplications of the deployed network is no choice of the level as written.
        """
        known = self.parameters(target)
        found = {}
        for name, value in given.items():
            if name not in known:
                raise UnknownNameError(f"option of {target}:", name, known)
            if value is None or value == "" or (name == "scale" and level != "deployed"):
                continue
            if name == "folding":
                value = _folding(str(value))
            checked = known[name].check(name, value)
            if checked != known[name].default:
                found[name] = checked
        return found

    def estimate(self, network: str, target: str, settings: Mapping[str, Any], level: str = "deployed") -> Estimate:
        """The design as it is priced now; the last ones are kept. Raises :class:`CostmodelError`."""
        from costmodel.targets import estimate

        chosen = self.settings(target, settings, level)
        spec = self.target(target)
        key = network, target, level, tuple(sorted(chosen.items()))
        made = self._kept(self._estimates, key)
        if made is None:
            ledger = self.ledger(network, level, chosen.pop("scale", "exact"))
            made = self._keep(self._estimates, key, estimate(ledger, spec, **chosen))
        return made

    def command(self, network: str, target: str, settings: Mapping[str, Any], level: str = "deployed") -> str:
        """The command line that makes this design again."""
        import json
        import shlex

        row = self.network(network)
        words = ["costmodel", "profile"]
        if network in self.mine:
            words += self.mine[network].flags
        else:
            words += ["--model", row.model, *(["--model-args", json.dumps(row.arguments)] if row.arguments else [])]
        known = target in self.targets or target in {t.row.name for t in self.own.targets}
        words += ["--target", target if known else "FILE.yaml"]
        for name, value in self.settings(target, settings, level).items():
            words += ["--set", f"{name}={written(value)}"]
        if level == "as_written":
            words += ["--level", "as-written"]
        return shlex.join(words)

    def _kept(self, store: OrderedDict[tuple[Any, ...], T], key: tuple[Any, ...]) -> T | None:
        with self._lock:
            if key in store:
                store.move_to_end(key)
            return store.get(key)

    def _keep(self, store: OrderedDict[tuple[Any, ...], T], key: tuple[Any, ...], made: T) -> T:
        with self._lock:
            made = store.setdefault(key, made)
            while len(store) > _HELD:
                store.popitem(last=False)
        return made


def _folding(text: str) -> str:
    """A folding that stands for itself; a browser may not name a file of this machine."""
    from costmodel.targets.fpga.finn import is_line

    plain = text.replace(" ", "").replace("×", "x").strip(",")
    if plain != "auto" and not is_line(plain):
        raise CostmodelError(f"folding “{text[:60]}”: expected auto, or PExSIMD of each matrix unit: 16x3,32x32,...")
    return plain
