"""A design space as data: which networks, on which targets, with which choices, judged by what.

    networks:
      - cnv-w1a1
      - {model: abbnn-reactnet18-cifar10, width: [0.5, 1.0]}
      - {match: "bn-*-cifar10"}
      - {model: net.py:build, input: 1x3x32x32, checkpoint: net.safetensors, accuracy: 91.2, data: cifar10}
    accuracies: mine.csv                            # figures of one's own (costmodel.train.given)
    targets:
      - {target: pynq-z2, clock: [100e6, 150e6]}                  # every folding, exactly
      - {target: pynq-z2, folding: {samples: 1e6, seed: 1}}       # random foldings, priced one by one
      - {target: asic-7nm-asap7, outputs: [16, 32, 64], clock: {from: 1e8, to: 1e9, steps: 5, scale: log}}
      - {target: xne, mapping: exact}                             # every dataflow of every layer
    objectives: [seconds_per_image, lut, bram18, accuracy]
    constraints: {seconds_per_image: {max: 0.01}}
    fronts: together                                # or one front per network, or a target

Every list is an axis, and the space is their product. A space is counted before anything is priced.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore.axes import axis, number
from costmodel.explore.networks import Network, read_networks
from costmodel.ledger.ledger import level_of
from costmodel.metrics import ALL, objective_names
from costmodel.targets.bits import expand
from costmodel.targets.spec import Target
from costmodel.train.given import read_accuracies

Search = Literal["exact", "samples", "grid"]
Fronts = Literal["together", "network", "target", "kinds"]

DEFAULT_OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "fpga": ("seconds_per_image", "lut", "bram18"),
    "asic": ("seconds_per_image", "energy_J", "area_mm2"),
    "arm": ("seconds_per_image",),
    "cpu": ("seconds_per_image",),
}
#: The kind of a front on which kinds of target compete.
ALL_KINDS = "all"
#: Kinds of accuracy in the order in which they are preferred.
DEFAULT_KINDS = ("given", "measured", "published")
#: Keys of an entry that say how foldings or mappings are searched, not how the target is set.
_SEARCH_KEYS: Mapping[str, tuple[str, ...]] = {
    "fpga": ("folding", "memories", "ultra", "max_weight_bits"),
    "asic": ("mapping",),
    "arm": (),
    "cpu": (),
}


@dataclass(frozen=True)
class Entry:
    """One target with the axes of its choices.

    ``search``: foldings of an FPGA or mappings of a chip ``exact`` or by ``samples``, or a ``grid`` of settings alone.
    """

    target: str
    spec: Target = field(compare=False, repr=False)
    axes: tuple[tuple[str, tuple[Any, ...]], ...]
    search: Search
    samples: int = 0
    seed: int = 0
    memories: str = "free"
    ultra: bool = False
    max_weight_bits: int | None = None
    #: Digest of all that the target's files say.
    content: str = ""

    @property
    def kind(self) -> str:
        return self.spec.kind

    def settings(self, without: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Every combination of the axes but those ``without``, the last varying fastest; ``bits`` in the target's own
        words."""
        axes = [(name, values) for name, values in self.axes if name not in without]
        for values in product(*(values for _, values in axes)):
            yield expand({name: value for (name, _), value in zip(axes, values, strict=True)}, self.spec.kind)

    @property
    def size(self) -> int:
        return math.prod(len(values) for _, values in self.axes)


@dataclass(frozen=True)
class DesignSpace:
    """A validated space.

    ``objectives`` are by kind of target. ``constraints`` bound metrics: name -> (least, most). ``fronts`` says
    what competes: everything of a kind ``together``, which is fair where accuracy is an objective; the targets of each
    ``network``; or the networks of each ``target``. With ``kinds`` FPGAs, chips and cores compete as well.
    """

    networks: tuple[Network, ...]
    entries: tuple[Entry, ...]
    objectives: Mapping[str, tuple[str, ...]]
    constraints: Mapping[str, tuple[float, float]]
    level: str = "deployed"
    name: str = "space"
    fronts: Fronts = "network"

    def objectives_of(self, kind: str) -> tuple[str, ...]:
        """The objectives that apply to a kind of target; ``all``: to each of them."""
        return self.objectives[kind] if kind != ALL_KINDS else next(iter(self.objectives.values()))

    def front_of(self, network: Network, entry: Entry) -> tuple[str, str]:
        """Which front designs belong to: the kind of target, and its label."""
        return ALL_KINDS if self.fronts == "kinds" else entry.kind, self.label(network, entry.target)

    @property
    def judges_accuracy(self) -> bool:
        return "accuracy" in {*self.constraints, *(name for names in self.objectives.values() for name in names)}

    def label(self, network: Network, target: str) -> str:
        """Which front a design belongs to, next to its kind of target. Accuracies of several data sets are never on
        one front."""
        apart = self.judges_accuracy and len({n.data for n in self.networks}) > 1
        data = network.data or "unknown data"
        named = {
            "together": data if apart else "",
            "kinds": data if apart else "",
            "network": network.name,
            "target": target,
        }[self.fronts]
        return f"{named} {data}" if apart and self.fronts == "target" else named

    def document(self) -> dict[str, Any]:
        """The space as plain data, the same for equal spaces; what a result folder is bound to."""
        return {
            "networks": [
                [n.model, [list(a) for a in n.arguments], list(n.inputs), n.checkpoint, n.trained, n.data]
                + ([n.scale] if n.scale != "exact" else [])
                for n in self.networks
            ],
            "entries": [
                [e.target, [[name, list(values)] for name, values in e.axes], e.search, e.samples, e.seed, e.memories,
                 e.ultra, e.max_weight_bits] for e in self.entries
            ],
            "objectives": {kind: list(names) for kind, names in sorted(self.objectives.items())},
            "constraints": {name: list(bounds) for name, bounds in sorted(self.constraints.items())},
            "level": self.level,
            "fronts": self.fronts,
        }  # fmt: skip


def read_space(
    source: str | os.PathLike[str] | Mapping[str, Any], accuracies: Sequence[str | os.PathLike[str]] = ()
) -> DesignSpace:
    """A space from a YAML file, or from its content as a mapping; ``accuracies`` are more CSV files of figures.

    Raises :class:`CostmodelError` that names the place for everything that is missing, unknown or of the wrong kind.
    """
    if isinstance(source, Mapping):
        return _space(source, "the given space", "space", Path(), accuracies)
    import yaml

    try:
        data = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise CostmodelError(f"cannot read the space {source}: {error.strerror or error}. Give a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CostmodelError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, Mapping):
        raise CostmodelError(f"{source}: expected networks: and targets:, found {type(data).__name__}")
    return _space(data, str(source), Path(source).stem, Path(source).parent, accuracies)


def _space(
    data: Mapping[str, Any], where: str, name: str, folder: Path, files: Sequence[str | os.PathLike[str]]
) -> DesignSpace:
    known = ("networks", "targets", "objectives", "constraints", "level", "fronts", "accuracies", "accuracy_kinds")
    for key in data:
        if key not in known:
            raise UnknownNameError(f"key of a space ({where})", str(key), known)
    given = read_accuracies(*_files(data.get("accuracies"), where, folder), *files)
    networks = read_networks(_list(data, "networks", where), where, folder, given, _kinds(data, where))
    entries = tuple(dict.fromkeys(_entry(item, where) for item in _list(data, "targets", where)))
    kinds = {entry.kind for entry in entries}
    metrics = {*objective_names(), *(name for kind in kinds for name in objective_names(kind))}
    objectives = _objectives(data.get("objectives"), kinds, where)
    bounds = data.get("constraints") or {}
    if not isinstance(bounds, Mapping):
        raise CostmodelError(f"{where}: constraints: expected {{metric: {{min: ..., max: ...}}}}: {bounds!r}")
    constraints = {metric: _bounds(metric, b, metrics, where) for metric, b in bounds.items()}
    level = level_of(data.get("level", "deployed"))
    fronts = data.get("fronts", "together" if any("accuracy" in names for names in objectives.values()) else "network")
    if fronts not in get_args(Fronts):
        raise CostmodelError(
            f"{where}: fronts: {fronts!r}: expected together, network (one each), target (one each), or kinds (all "
            "kinds of target against each other)"
        )
    if fronts == "kinds" and len(set(objectives.values())) > 1:
        both = set.intersection(*(set(names) for names in objectives.values()))
        raise CostmodelError(
            f"{where}: fronts: kinds: give one list of objectives that every kind of target has"
            + (f", such as [{', '.join(sorted(both))}]" if both else "")
        )
    return DesignSpace(networks, entries, objectives, constraints, level, name, fronts)


def _files(value: Any, where: str, folder: Path) -> list[Path]:
    """The files of accuracies that a space names, seen from its folder, else from the current one."""
    names = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(name, str) for name in names):
        raise CostmodelError(f"{where}: accuracies: {value!r}: expected a CSV file, or a list of them")
    return [folder / name if (folder / name).is_file() else Path(name).expanduser() for name in names]


def _kinds(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Which accuracies count, in order of preference."""
    value = data.get("accuracy_kinds", list(DEFAULT_KINDS))
    names = value if isinstance(value, list) else [value]
    for name in names:
        if name not in DEFAULT_KINDS:
            raise UnknownNameError(f"kind of accuracy ({where}: accuracy_kinds)", str(name), DEFAULT_KINDS)
    return tuple(names)


def _objectives(value: Any, kinds: set[str], where: str) -> dict[str, tuple[str, ...]]:
    """Objectives of each kind of target: its defaults, those of one list that apply to it, or a list of its own."""
    if value is None:
        return {kind: DEFAULT_OBJECTIVES[kind] for kind in kinds}
    if isinstance(value, Mapping):
        for kind in value:
            if kind not in kinds:
                raise UnknownNameError(f"kind of target in the objectives ({where})", str(kind), kinds)
        lists = {kind: value.get(kind, DEFAULT_OBJECTIVES[kind]) for kind in kinds}
    else:
        lists = dict.fromkeys(kinds, value)
    found = {}
    for kind, names in lists.items():
        if not isinstance(names, (list, tuple)):
            raise CostmodelError(f"{where}: objectives: expected a list of metrics: {names!r}")
        listed = (kind,) if isinstance(value, Mapping) else ALL
        known = {*objective_names(), *(name for each in listed for name in objective_names(each))}
        for name in names:
            if not isinstance(name, str) or name not in known:
                raise UnknownNameError(f"objective of a space ({where})", str(name), known)
        found[kind] = tuple(name for name in names if name in (*objective_names(kind), *objective_names()))
        if not found[kind]:
            raise CostmodelError(f"{where}: objectives: none of them applies to targets of kind {kind}")
    return found


def _list(data: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        raise CostmodelError(f"{where}: {key}: expected a list with at least one entry, found {value!r}")
    return value


def _entry(item: Any, where: str) -> Entry:
    from importlib import import_module

    from costmodel.targets.load import load_target

    if isinstance(item, str):
        item = {"target": item}
    if not isinstance(item, Mapping) or not isinstance(item.get("target"), str):
        raise CostmodelError(f"{where}: targets: expected a name or {{target: NAME, choice: values, ...}}: {item!r}")
    spec = load_target(item["target"])
    place = f"{where}: targets: {spec.name}"
    options = import_module(f"costmodel.targets.{spec.kind}.price").OPTIONS
    searched = _SEARCH_KEYS[spec.kind]
    if isinstance(item.get("mapping"), str) and set(item["mapping"]) <= set("ow"):
        searched = ()  # one mapping, letter by letter, is a setting like any other
    axes = []
    for key, value in item.items():
        if key == "target" or key in searched:
            continue
        values = axis(value, f"{place}: {key}")
        for one in values:
            spec.settings(expand({key: one}, spec.kind), options)  # says what may be chosen
        axes.append((str(key), values))
    made = Entry(item["target"], spec, tuple(axes), "grid", content=_content(spec))
    if spec.kind == "asic" and "mapping" in item and searched:
        if "dataflow" in item:
            raise CostmodelError(f"{place}: dataflow: mapping chooses it for each layer; give one of the two")
        return replace(made, **_search(item["mapping"], f"{place}: mapping"))
    if spec.kind == "fpga":
        memories, widest = item.get("memories", "free"), item.get("max_weight_bits")
        if memories not in ("free", "auto"):
            raise CostmodelError(f"{place}: memories: {memories!r}: expected free or auto")
        if widest is not None and (not isinstance(widest, int) or widest < 1):
            raise CostmodelError(f"{place}: max_weight_bits: {widest!r}: expected a whole number of bits, such as 36")
        ultra = item.get("ultra", False)
        if not isinstance(ultra, bool):
            raise CostmodelError(f"{place}: ultra: {ultra!r}: expected true or false")
        search = _search(item.get("folding", "exact"), f"{place}: folding", "auto")
        return replace(made, **search, memories=memories, ultra=ultra, max_weight_bits=widest)
    return made


def _content(spec: Target) -> str:
    """Digest of a target: of every constant, table and parameter, wherever its files lie."""
    import hashlib

    import msgspec

    plain = replace(spec, file="")
    return hashlib.sha256(msgspec.json.encode(plain, enc_hook=repr, order="sorted")).hexdigest()[:32]


def _search(value: Any, where: str, *more: str) -> dict[str, Any]:
    """How foldings or mappings are searched; ``more`` are names of a grid."""
    if value == "exact":
        return {"search": "exact"}
    if value in more:
        return {"search": "grid"}
    if isinstance(value, Mapping) and set(value) <= {"samples", "seed"} and "samples" in value:
        samples, seed = axis(value["samples"], where)[0], value.get("seed", 0)
        if isinstance(samples, (int, float)) and 1 <= samples < 1 << 40 and isinstance(seed, int) and 0 <= seed < 2**31:
            return {"search": "samples", "samples": int(samples), "seed": seed}
    names = ", ".join(["exact", *more])
    raise CostmodelError(f"{where}: {value!r}: expected {names}, or {{samples: 1e6, seed: 0}}")


def _bounds(metric: str, value: Any, metrics: set[str], where: str) -> tuple[float, float]:
    if metric not in metrics:
        raise UnknownNameError(f"metric in the constraints ({where})", metric, metrics)
    if not isinstance(value, Mapping) or not value or not set(value) <= {"min", "max"}:
        raise CostmodelError(f"{where}: constraints: {metric}: expected {{min: ..., max: ...}}: {value!r}")
    low, high = (number(value.get(k, d)) for k, d in (("min", -math.inf), ("max", math.inf)))
    if not all(isinstance(x, (int, float)) for x in (low, high)) or low > high:
        raise CostmodelError(f"{where}: constraints: {metric}: expected numbers with min <= max: {dict(value)!r}")
    return float(low), float(high)
