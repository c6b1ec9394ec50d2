"""What a report is about: networks, targets, and every answer that the report prints, asked for once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel import api
from costmodel.errors import CostmodelError, MissingExtraError, name_of
from costmodel.ledger.ledger import Ledger, Level, Profile
from costmodel.load.inputs import parse_inputs
from costmodel.store import cache
from costmodel.train.given import read_accuracies
from costmodel.train.records import Accuracy, accuracies, is_own, width_of

if TYPE_CHECKING:
    from costmodel.explore.front import Front
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.spec import Target
    from costmodel.validate import Report

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Network:
    """A network of the report: how the user named it, what it costs, and how accurate it is known to be."""

    given: str
    inputs: tuple[str, ...]
    profile: Profile
    accuracies: tuple[Accuracy, ...]
    dataset: str = ""
    checkpoint: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    making: Mapping[str, Any] = field(default_factory=dict)
    level: Level = "deployed"

    @property
    def ledger(self) -> Ledger:
        """What the report counts: the network as deployed, or as it is written."""
        return self.profile.ledger(self.level)

    @property
    def keywords(self) -> dict[str, Any]:
        """How :func:`costmodel.profile` is asked for it, besides its name and inputs."""
        given = {"arguments": dict(self.arguments), "checkpoint": self.checkpoint, **self.making}
        return {name: value for name, value in given.items() if value}

    @property
    def name(self) -> str:
        return self.profile.network

    @property
    def best(self) -> Accuracy | None:
        """The figure that a trade-off shows: the best given one of the network as it is built, else published, else
        measured."""
        width, options = width_of(self.arguments)
        plain = [a for a in self.accuracies if a.options == options and a.width == width]
        for kind in ("given", "published", "measured"):
            if found := [a for a in plain if a.kind == kind]:
                return max(found, key=lambda a: a.top1)
        return None


@dataclass(frozen=True)
class Hardware:
    """A target of the report, as the user named it, with the bill of each network (same order as the networks)."""

    given: str
    target: Target
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Rival:
    """Another network with published accuracy on the same images, and its bill on each target that can price it."""

    name: str
    top1: float
    estimates: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class Subject:
    """All that a report is made from. ``validation`` has one report of scores for each kind of target used."""

    networks: tuple[Network, ...]
    hardware: tuple[Hardware, ...]
    validation: Mapping[str, Report]
    command: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rivals: tuple[Rival, ...] = ()
    fronts: tuple[tuple[str, Front], ...] = ()
    accuracy_files: tuple[str, ...] = ()
    level: Level = "deployed"

    @property
    def words(self) -> str:
        """What is counted, in a sentence."""
        return "deployed inference" if self.level == "deployed" else "inference as written"

    def accuracies_of(self, network: Network) -> str:
        """The expression that says which accuracies of a network are known."""
        name = network.given if is_own(network.given) else network.name
        return f"accuracies({name!r}{', given=given' if self.accuracy_files else ''})"

    def network_name(self, index: int) -> str:
        """The variable that stands for a network in the expressions of the report."""
        return f"n{index + 1}"

    def estimate_name(self, network: int, target: int) -> str:
        return f"n{network + 1}t{target + 1}"

    def listing(self) -> list[str]:
        """The lines of Python that define the names in the report's expressions."""
        lines = ["from costmodel.reports.names import *"]
        for i, network in enumerate(self.networks):
            more = f", {list(network.inputs)!r}" if network.inputs else ""
            more += "".join(f", {name}={value!r}" for name, value in network.keywords.items())
            lines.append(f"{self.network_name(i)} = costmodel.profile({network.given!r}{more})")
        if self.networks:
            lines.append(f"nets = [{', '.join(map(self.network_name, range(len(self.networks))))}]")
        if self.accuracy_files:
            lines.append(f"given = read_accuracies({', '.join(map(repr, self.accuracy_files))})")
        extra = "".join(f", {name}={value!r}" for name, value in self.options.items())
        extra = extra if self.level == "deployed" else f", level={self.level!r}{extra}"
        for j, hardware in enumerate(self.hardware):
            for i, _ in enumerate(self.networks):
                name = self.network_name(i)
                lines.append(f"{self.estimate_name(i, j)} = {name}.estimate({hardware.given!r}{extra})")
            if self.networks:
                names = ", ".join(self.estimate_name(i, j) for i, _ in enumerate(self.networks))
                lines.append(f"t{j + 1} = [{names}]")
        if self.rivals:
            lines.append(f"others = {[r.name for r in self.rivals]!r}")
        lines += [f"f{i + 1} = read_front({path!r})" for i, (path, _) in enumerate(self.fronts)]
        if self.fronts:
            lines.append(f"fronts = [{', '.join(f'f{i + 1}' for i, _ in enumerate(self.fronts))}]")
        return lines


def gather(
    models: Sequence[str],
    targets: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    checkpoints: Mapping[str, str] | None = None,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    making: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    command: str = "",
    fronts: Sequence[str] = (),
    kinds: Sequence[str] = (),
    rivals: bool = True,
    accuracy_files: Sequence[str] = (),
    level: Level = "deployed",
    use_cache: bool = True,
    announce: Announce | None = None,
) -> Subject:
    """Ask for everything that a report of these networks on these targets prints.

    ``checkpoints`` has a file of weights for networks that are trained and ``arguments`` those of their factories, both
    by the name in ``models``. ``kinds`` are those whose scores are wanted besides those of the targets. ``rivals`` asks
    for the networks of the zoo with published accuracy on the same images; ``accuracy_files`` are accuracies of the
    user's own (:mod:`costmodel.train.given`). ``making`` are
    further arguments of :func:`costmodel.profile`. ``level`` is what is counted and priced.

    Raises :class:`CostmodelError` for names that do not exist, before anything that takes time.
    """
    from costmodel.load.reference import resolve
    from costmodel.targets import load_target

    say = announce or (lambda _: None)
    parse_inputs(list(inputs))
    for name in (*(checkpoints or {}), *(arguments or {})):
        name_of("network of the report", name, models)
    given = read_accuracies(*accuracy_files)
    read = tuple(_front(file) for path in fronts for file in _front_files(path))
    loaded = [load_target(name) for name in dict.fromkeys(targets)]
    for model in models:
        resolve(model)
    found = tuple(
        _network(
            m,
            inputs,
            (checkpoints or {}).get(m, ""),
            {"arguments": (arguments or {}).get(m, {}), "making": dict(making or {})},
            level,
            given,
            use_cache,
            say,
        )
        for m in dict.fromkeys(models)
    )
    hardware = []
    for name, target in zip(dict.fromkeys(targets), loaded, strict=True):
        bills = tuple(_priced(n, name, options or {}, use_cache, say) for n in found)
        hardware.append(Hardware(name, target, bills))
    others = _rivals(found, hardware, level, use_cache, say) if rivals and hardware else ()
    scores = {
        kind: _scores(kind, use_cache, say)
        for kind in dict.fromkeys([*(t.kind for t in loaded), *(f.kind for _, f in read), *kinds])
    }
    return Subject(
        found,
        tuple(hardware),
        scores,
        command,
        dict(options or {}),
        others,
        read,
        tuple(map(str, accuracy_files)),
        level,
    )


def _network(
    model: str,
    inputs: Sequence[str],
    checkpoint: str,
    keywords: Mapping[str, Any],
    level: Level,
    given: Sequence[Accuracy],
    use_cache: bool,
    say: Announce,
) -> Network:
    own = is_own(model)
    shapes = tuple(inputs) if own else ()
    weights = checkpoint or None
    if not own:  # what a network's own code finds on its command line
        keywords = {**keywords, "making": {k: v for k, v in keywords["making"].items() if k != "argv"}}
    profile = api.profile(
        model, shapes or None, checkpoint=weights, arguments=keywords["arguments"], **keywords["making"],
        use_cache=use_cache, announce=say,
    )  # fmt: skip
    width, options = width_of(keywords["arguments"]) if keywords["arguments"] else (None, None)
    known = tuple(accuracies(model, width, options, given=given))
    network = Network(model, shapes, profile, known, "", checkpoint, level=level, **keywords)
    if own:
        return replace(network, dataset=network.best.data if network.best else "")
    from costmodel.zoo import registry

    return replace(network, dataset=registry.entry(model).dataset)


def _priced(network: Network, target: str, options: Mapping[str, Any], use_cache: bool, say: Announce) -> Estimate:
    request = api.make_request(network.given, network.inputs or None, **network.keywords)
    pricing = cache.Pricing(request, target, network.level, dict(options))
    return api.price(pricing, use_cache=use_cache, announce=say)[1]


def _rivals(
    networks: Sequence[Network], hardware: Sequence[Hardware], level: Level, use_cache: bool, say: Announce
) -> tuple[Rival, ...]:
    """Networks of the zoo that are published on the images of the first network; those that are priced by default."""
    from costmodel.zoo import registry

    datasets = {n.dataset for n in networks if n.dataset}
    names = {n.name for n in networks}
    found = []
    for name in registry.list_models("*"):
        entry = registry.entry(name)
        if entry.dataset in datasets and entry.published and name not in names:
            bills: list[Estimate | None] = []
            for h in hardware:
                try:
                    pricing = cache.Pricing(api.make_request(name), h.given, level)
                    bills.append(api.price(pricing, use_cache=use_cache, announce=say)[1])
                except CostmodelError:  # a target that cannot price this network shows it on the others only
                    bills.append(None)
            found.append(Rival(name, max(p.top1 for p in entry.published), tuple(bills)))
    return tuple(found)


def _scores(kind: str, use_cache: bool, say: Announce) -> Report:
    from costmodel.validate import Report, validate

    question = cache.Validation(kind)
    stored = cache.load(question, Report) if use_cache else None
    if stored is not None:
        return stored
    say(f"validating on {kind}")
    made = validate([kind], say)
    if use_cache:
        cache.store(question, f"validation of {kind}", made)
    return made


def _front_files(path: str) -> list[str]:
    """The file itself, or the fronts in a folder of results."""
    if not Path(path).is_dir():
        return [path]
    found = sorted(str(file) for file in Path(path).glob("front-*.parquet"))
    if not found:
        raise CostmodelError(
            f"there is no front-*.parquet in {path}: make them with `costmodel explore SPACE.yaml -o DIR`"
        )
    return found


def _front(path: str) -> tuple[str, Front]:
    try:
        from costmodel.explore.front import read_front

        return path, read_front(path)
    except ImportError as error:
        raise MissingExtraError("a report of a front", error.name or "pyarrow", "explore") from error
