"""The networks of a space: of the zoo or of the user's own, each with what is known of its accuracy."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError, UnknownNameError, name_of
from costmodel.explore.axes import axis
from costmodel.ledger.scales import SCALE_OPTIONS
from costmodel.load.inputs import parse_inputs
from costmodel.load.quantised import bits_of
from costmodel.load.reference import resolve
from costmodel.train import shipped
from costmodel.train.given import dataset
from costmodel.train.records import Accuracy, accuracies, is_own, measured, of_record, width_of

if TYPE_CHECKING:
    from costmodel.store.cache import Request

#: Keys of an entry that say what the network is fed and how good it is; every other is an argument of its factory.
KEYS = ("input", "checkpoint", "trained", "accuracy", "data", "kind", "epochs", "note", "arguments", "layer_scales")
#: Keys of choices that each layer has by itself (:mod:`costmodel.explore.layers`).
LAYERS = ("layer_bits", "layer_scales")
#: Options of targets and of the deployment that change what a network answers. A figure may be of such.
CHANGING = ("real_bits", "weight_bits", "input_bits", "kind_bits", "real_format", "precision")


@dataclass(frozen=True)
class Figure:
    """An accuracy of one network: top-1 in percent, for ``options`` of the target that change it; ``kind`` is measured,
    published or given."""

    top1: float
    kind: str
    epochs: str = ""
    source: str = ""
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Layer:
    """The choices of the layers that a name or a pattern of names stands for: one of ``values`` by ``key``."""

    key: str
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """One network with the arguments of its factory, its inputs and weights.

    ``name`` is how it is called in the results, ``data`` the data set that its ``figures`` are of, the preferred first.
    ``scale`` is what multiplies by its scales; ``layers`` are choices that are still open.
    """

    model: str
    arguments: tuple[tuple[str, Any], ...] = ()
    inputs: tuple[str, ...] = ()
    checkpoint: str = ""
    trained: bool = False
    data: str = ""
    figures: tuple[Figure, ...] = field(default=(), repr=False)
    called: str = ""
    scale: str = "exact"
    layers: tuple[Layer, ...] = ()

    @property
    def name(self) -> str:
        return self.called or self.model + "".join(f",{key}={value}" for key, value in self.arguments)

    @property
    def flags(self) -> str:
        """The options of the command line that name this network."""
        words = ["--model", self.model]
        for key, value in self.arguments:
            words += ["--model-args", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        for text in self.inputs:
            words += ["--input", text]
        words += ["--checkpoint", self.checkpoint] if self.checkpoint else []
        words += ["--scale", self.scale] if self.scale != "exact" else []
        return shlex.join(words + (["--trained"] if self.trained else []))

    @property
    def request(self) -> Request:
        """What is asked about it."""
        from costmodel import api

        return api.make_request(
            self.model, list(self.inputs) or None, arguments=dict(self.arguments),
            checkpoint=self.checkpoint or None, trained=self.trained,
        )  # fmt: skip


def of_command(command: str) -> Network:
    """The network that a command of a front names."""
    words = iter(shlex.split(command))
    found: dict[str, Any] = {"model": "", "arguments": [], "inputs": [], "checkpoint": "", "trained": False,
                             "scale": "exact"}  # fmt: skip
    for word in words:
        if word == "--model-args":
            name, _, value = next(words).partition("=")
            try:
                found["arguments"].append((name, json.loads(value)))
            except ValueError:
                found["arguments"].append((name, value))
        elif word == "--input":
            found["inputs"].append(next(words))
        elif word in ("--model", "--checkpoint", "--scale"):
            found[word[2:]] = next(words)
        elif word == "--trained":
            found["trained"] = True
    return Network(
        found["model"], tuple(found["arguments"]), tuple(found["inputs"]), found["checkpoint"], found["trained"],
        scale=found["scale"],
    )  # fmt: skip


def read_networks(
    items: Sequence[Any], where: str, folder: Path, given: Sequence[Accuracy], kinds: Sequence[str]
) -> tuple[Network, ...]:
    """The networks of a space, each once. Files are seen from ``folder``, else from the current one.

    Raises :class:`CostmodelError` for names that do not exist, and for figures that do not say what they are of.
    """
    found = [n for item in items for n in _networks(item, where, folder, given, kinds)]
    return _called(list(dict.fromkeys(found)))


def _networks(
    item: Any, where: str, folder: Path, given: Sequence[Accuracy], kinds: Sequence[str]
) -> Iterator[Network]:
    from costmodel.zoo import registry

    if isinstance(item, str):
        item = {"model": item}
    if not isinstance(item, Mapping) or len({"model", "match"} & set(item)) != 1:
        raise CostmodelError(
            f"{where}: networks: expected a name, {{model: NAME, ...}} or {{match: PATTERN}}: {item!r}"
        )
    if "match" in item:
        names = registry.list_models(str(item["match"]))
        if not names:
            raise CostmodelError(f"{where}: networks: no network matches {item['match']!r}. See: costmodel models")
        for name in names:
            yield from _networks({**{k: v for k, v in item.items() if k != "match"}, "model": name}, where, folder,
                                 given, kinds)  # fmt: skip
        return
    model = _model(str(item["model"]), folder)
    place = f"{where}: networks: {model}"
    inputs = _inputs(item.get("input"), place)
    if not inputs:
        _knows_its_input(model, place)
    checkpoint = _checkpoint(item.get("checkpoint"), place, folder)
    trained = item.get("trained", False)
    if not isinstance(trained, bool):
        raise CostmodelError(f"{place}: trained: {trained!r}: expected true or false")
    options = {k: v for k, v in item.items() if k not in ("model", *KEYS)}
    layers = _layers(item, place)
    if any(layer.key == "layer_bits" for layer in layers):
        del options["layer_bits"]  # else it is an argument like others, in words
    more = item.get("arguments", {})
    if not isinstance(more, Mapping):
        raise CostmodelError(f"{place}: arguments: {more!r}: expected {{name: value, ...}}")
    axes = [(str(key), axis(value, f"{place}: {key}")) for key, value in {**options, **more}.items()]
    variants = list(product(*(values for _, values in axes)))
    own = _own_figure(item, place, len(variants))
    for values in variants:
        arguments = tuple((k, v) for (k, _), v in zip(axes, values, strict=True))
        made = Network(model, arguments, inputs, checkpoint, trained, layers=layers)
        data, figures = _figures(made, str(item.get("data") or ""), given, place)
        if own is not None:
            if not data:
                raise CostmodelError(f"{place}: accuracy: of which data set? Give data: cifar10, or another")
            figures = [own, *figures]
        order = sorted((f for f in figures if f.kind in kinds), key=lambda f: kinds.index(f.kind))
        yield replace(made, data=data, figures=tuple(order))


def _layers(item: Mapping[str, Any], place: str) -> tuple[Layer, ...]:
    """The choices of single layers: {layer_bits: {conv1: [w8a8, w4]}, layer_scales: {"*": [exact, csd2]}}."""
    found = []
    for key in LAYERS:
        value = item.get(key)
        if value is None or (key == "layer_bits" and not isinstance(value, Mapping)):
            continue
        if not isinstance(value, Mapping) or not value:
            raise CostmodelError(f"{place}: {key}: {value!r}: expected {{layer: [choice, ...]}}")
        for name, choices in value.items():
            texts = axis(choices, f"{place}: {key}: {name}")
            for text in texts:
                if key == "layer_bits":
                    bits_of(str(text), f"{place}: {key}: {name}")
                else:
                    name_of("way to multiply by a scale", str(text), SCALE_OPTIONS)
            found.append(Layer(key, str(name), tuple(map(str, texts))))
    return tuple(found)


def _knows_its_input(model: str, place: str) -> None:
    """Networks of the zoo and ONNX files know what they are fed; others do not."""
    from costmodel import api

    reference = resolve(model)
    try:
        api.default_inputs(reference)
    except CostmodelError as error:
        if reference.kind not in ("zoo", "onnx"):
            raise CostmodelError(f"{place} needs its input's shape: {{model: {model}, input: 1x3x224x224}}") from None
        raise CostmodelError(f"{place}: {error}") from None


def _model(text: str, folder: Path) -> str:
    """A network as the command line takes it; a name of the zoo by its full form."""
    if not is_own(text):
        from costmodel.zoo import registry

        return registry.entry(text).name
    path, colon, factory = text.rpartition(":")
    path = path if colon else text
    near = folder / Path(path).expanduser()
    if near.is_file() and not Path(path).expanduser().is_file():
        text = f"{near}{colon}{factory if colon else ''}"
    resolve(text)  # says what is missing
    return text


def _inputs(value: Any, place: str) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(text, str) for text in texts):
        raise CostmodelError(f"{place}: input: {value!r}: expected a shape such as 1x3x32x32, or a list of them")
    parse_inputs(texts)
    return tuple(texts)


def _checkpoint(value: Any, place: str, folder: Path) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CostmodelError(f"{place}: checkpoint: {value!r}: expected the path of a file of weights")
    near = folder / Path(value).expanduser()
    text = str(near) if near.is_file() and not Path(value).expanduser().is_file() else value
    if not shipped.find(text).is_file():
        raise CostmodelError(f"{place}: no checkpoint {value}: give the path of a .safetensors or .pt/.pth file")
    return text


def _own_figure(item: Mapping[str, Any], place: str, variants: int) -> Figure | None:
    value = item.get("accuracy")
    for key in ("kind", "epochs", "note"):
        if value is None and key in item:
            raise CostmodelError(
                f"{place}: {key} is of an accuracy: give accuracy: as well; what the factory takes by "
                f"that name stands in arguments: {{{key}: ...}}"
            )
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 100:
        raise CostmodelError(f"{place}: accuracy: {value!r}: expected a number in percent, such as 91.2")
    if variants > 1:
        raise CostmodelError(
            f"{place}: accuracy: {value:g} for {variants} networks. Give the accuracy of each in a CSV file "
            "(accuracies: FILE), or list them one by one"
        )
    kind = str(item.get("kind", "given"))
    if kind not in ("measured", "published", "given"):
        raise UnknownNameError(f"kind of an accuracy ({place})", kind, ("measured", "published", "given"))
    return Figure(float(value), kind, str(item.get("epochs", "")), str(item.get("note", "")))


def _figures(network: Network, asked: str, given: Sequence[Accuracy], place: str) -> tuple[str, list[Figure]]:
    """The data set of a network, and its accuracies there: those of just these arguments and weights."""
    width, rest = width_of(dict(network.arguments))
    if network.checkpoint:  # other weights than those of the figures that are known
        known = accuracies(network.model, width, given=given) if given else []
        known = [a for a in known if a.kind == "given" or a in given]
        known += [of_record(r) for r in measured() if r.weights and r.weights == network.checkpoint]
    else:
        known = accuracies(network.model, width, given=given)
    known = [a for a in known if {k: v for k, v in a.options.items() if k not in CHANGING} == rest]
    data = dataset(asked) or _data(network.model, known, place)
    figures = [
        Figure(a.top1, a.kind, a.epochs, a.source, tuple((k, v) for k, v in sorted(a.options.items()) if k in CHANGING))
        for a in sorted(known, key=lambda a: (a not in given, -_epochs(a.epochs)))  # the user's own first
        if a.data == data
    ]
    return data, figures


def _data(model: str, known: Sequence[Accuracy], place: str) -> str:
    if not is_own(model):
        from costmodel.zoo import registry

        return registry.entry(model).dataset
    sets = sorted({a.data for a in known})
    if len(sets) > 1:
        raise CostmodelError(f"{place}: its accuracy is known on {', '.join(sets)}. Choose one with data: {sets[0]}")
    return sets[0] if sets else ""


def _epochs(text: str) -> int:
    """All epochs of ``200+100``; of several measured figures that of the longest training counts."""
    return sum(int(part) for part in text.split("+") if part.strip().isdecimal())


def _called(networks: list[Network]) -> tuple[Network, ...]:
    """Each by a name of its own: as short as tells it from the others."""
    short = [replace(n, called=_short(n)) for n in networks]
    taken = Counter(n.name for n in short)
    longer = [n if taken[n.name] == 1 else replace(n, called=_long(n)) for n in short]
    taken = Counter(n.name for n in longer)
    return tuple(n if taken[n.name] == 1 else replace(n, called=n.flags.removeprefix("--model ")) for n in longer)


def _short(network: Network) -> str:
    return resolve(network.model).title + "".join(f",{key}={value}" for key, value in network.arguments)


def _long(network: Network) -> str:
    more = [f",input={'+'.join(network.inputs)}"] if network.inputs else []
    more += [f",checkpoint={network.checkpoint}"] if network.checkpoint else []
    more += [f",data={network.data}"] if network.data else []
    return _short(network) + "".join(more)
