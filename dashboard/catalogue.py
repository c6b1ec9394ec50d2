"""What the pages show: designs with their attributes, and estimates of the one that is looked at, priced on demand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from costmodel.dashboard import results
from costmodel.dashboard.items import Figure, Item, accuracies, items_of
from costmodel.dashboard.state import written
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.ledger.ledger import level_of
from costmodel.ledger.scales import SCALE_OPTIONS, with_scale
from costmodel.targets.spec import Parameter

if TYPE_CHECKING:
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
    """All shipped results, plus the targets that were uploaded while the program runs."""

    def __init__(self, folder: Path = results.DATA) -> None:
        self.folder = folder
        self.results = results.read(folder)
        self.networks = {row.name: row for row in self.results.networks}
        self.targets = {row.name: row for row in self.results.targets}
        self.uploaded: dict[str, Target] = {}
        #: The files of the uploaded targets, for programs that read targets from files.
        self.files: dict[str, str] = {}
        self._ledgers: OrderedDict[tuple[Any, ...], Ledger] = OrderedDict()
        self._estimates: OrderedDict[tuple[Any, ...], Estimate] = OrderedDict()
        self._lock = Lock()

    @cached_property
    def accuracies(self) -> dict[str, list[Figure]]:
        return accuracies(self.results.networks)

    @cached_property
    def items(self) -> list[Item]:
        found: list[Item] = []
        for row in self.results.designs:
            network, target = self.networks[row.network], self.targets[row.target]
            found += items_of(network, target, row, self.accuracies.get(row.network, ()))
        return found

    def values(self, attribute: str) -> list[str]:
        """Every value of an attribute, in order of first appearance."""
        return list(dict.fromkeys(item.attribute(attribute) for item in self.items if item.attribute(attribute)))

    def network(self, name: str) -> results.NetworkRow:
        if name not in self.networks:
            raise UnknownNameError("network of these results", name, self.networks)
        return self.networks[name]

    def profile(self, network: str) -> Profile:
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
        words = ["costmodel", "profile", "--model", row.model]
        if row.arguments:
            words += ["--model-args", json.dumps(row.arguments)]
        words += ["--target", target if target in self.targets else "FILE.yaml"]
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
