"""One question for the numbers of every target: ``bits=real=16,weight=8,input=8``.

``real`` is the stream of values between real layers, ``weight`` the weights of real layers, ``input`` the values of the
network's input. ``conv.weight=8`` are the weights of real layers of one kind, ``conv.real=8`` the values that they take
in: a value that no other layer reads is made so narrow, of any other they take the upper bits. What is left out keeps
the target's default. Each kind of target has its own words for the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from costmodel.errors import CostmodelError, UnknownNameError, name_of
from costmodel.graph.ops import OPS
from costmodel.ledger.ledger import Layer, Ledger
from costmodel.metrics import metric
from costmodel.targets.schema import TargetKind
from costmodel.targets.spec import Parameter

T = TypeVar("T")
#: What the question asks for, in order.
NAMES = ("real", "weight", "input")
BITS = Parameter(
    "",
    "Widths of real values, weights of real layers and the network's input: real=16,weight=8,input=8, and of the "
    "weights of one kind of real layer and the values that it takes in: conv.weight=8,conv.real=8",
)
#: Kinds of real layers whose weights may have a width of their own; of two that a layer is, the later counts.
LAYERS = ("conv", "linear", "depthwise", "first", "last")
#: What may have a width of its own in layers of a kind.
PARTS = ("weight", "real")
KIND_BITS = Parameter(
    "",
    f"Widths of the weights of real layers of a kind ({', '.join(LAYERS)}), and of the values that they take in: "
    "conv=8,linear=4,conv.real=8",
)
#: kind of target -> its options for real values, weights and inputs; empty where they follow the real values.
OPTIONS_OF: dict[TargetKind, tuple[str, str, str]] = {
    "fpga": ("real_bits", "weight_bits", "input_bits"),
    "asic": ("real_format", "weight_bits", "input_bits"),
    "arm": ("precision", "", ""),
    "cpu": ("", "", ""),
}
FORMATS: dict[TargetKind, dict[int, str]] = {
    "asic": {8: "int8", 12: "int12", 16: "int16", 24: "int24", 32: "int32"},
    "arm": {8: "int8", 16: "fp16", 32: "fp32"},
}


def parse(text: str) -> dict[str, int]:
    """``"real=16,weight=8,conv.weight=4"`` as a mapping. Raises :class:`CostmodelError` for anything else."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        kind, dot, what = name.partition(".")
        if dot:
            name = f"{name_of('kind of layer in option bits', kind, LAYERS)}.{what}"
            if what not in PARTS:
                raise CostmodelError(
                    f"option bits={text!r}: of one kind of layer the widths of its weights and of the values that it "
                    f"takes in may be chosen: {kind}.weight=8,{kind}.real=8"
                )
        elif name not in NAMES:
            raise UnknownNameError("numbers of option bits:", name, NAMES, "Write real=16,weight=8,input=8.")
        found[name] = _width(number, name in found, f"option bits={text!r}: expected each of {', '.join(NAMES)}")
    return found


def _width(number: str, again: bool, what: str) -> int:
    if not number.isdecimal() or not 1 <= int(number) <= 64 or again:
        raise CostmodelError(f"{what} once at most, 1 to 64 bits")
    return int(number)


def kinds_of(ledger: Ledger) -> dict[int, tuple[str, ...]]:
    """The kinds of every layer that has real weights, by its index: the later ones count."""
    real = [layer for layer in ledger.layers if OPS[layer.op].weighted and layer.b is not None and layer.b.is_float]
    return {layer.index: _kinds(layer, layer is real[0], layer is real[-1]) for layer in real}


def _kinds(layer: Layer, first: bool, last: bool) -> tuple[str, ...]:
    depthwise = layer.window is not None and layer.window.groups > 1
    found = [layer.op, *["depthwise"] * depthwise, *["first"] * first, *["last"] * last]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LayerWidths:
    """Widths of single layers, as (layer, bits): of weights, and of real values that a layer takes in. ``idle``: what
    was asked for in vain."""

    weights: tuple[tuple[int, int], ...] = ()
    values: tuple[tuple[int, int], ...] = ()
    idle: tuple[str, ...] = ()


def layer_widths(ledger: Ledger, text: str, real: int) -> LayerWidths:
    """What the option ``kind_bits`` says of a network whose real values have ``real`` bits.

    Raises :class:`CostmodelError` for a text that is no list of kinds and widths, and for values wider than ``real``.
    """
    asked: dict[tuple[str, str], int] = {}
    for part in text.split(",") if text else ():
        name, _, number = (piece.strip() for piece in part.partition("="))
        kind, dot, what = name.partition(".")
        kind, what = name_of("kind of layer in option kind_bits", kind, LAYERS), what if dot else "weight"
        if what not in PARTS:
            raise CostmodelError(f"option kind_bits={text!r}: expected {kind}=8 or {kind}.real=8")
        expected = f"option kind_bits={text!r}: expected each of {', '.join(LAYERS)}"
        asked[kind, what] = _width(number, (kind, what) in asked, expected)
        if what == "real" and asked[kind, what] > real:
            raise CostmodelError(f"option kind_bits={text!r}: real values have {real} bits, {kind} layers take no more")
    kinds = kinds_of(ledger) if asked else {}
    inside = {layer.index for layer in ledger.layers if layer.a.is_float and -1 not in layer.inputs}
    meant = {"weight": kinds, "real": {index: found for index, found in kinds.items() if index in inside}}
    said = {"weight": "layer of real weights", "real": "layer of real weights that takes in real values of others"}
    idle = tuple(
        f"kind_bits: no {said[what]} is of kind {kind}"
        for kind, what in asked
        if not any(kind in found for found in meant[what].values())
    )
    weights, values = (_of_layers(meant[what], {k: n for (k, w), n in asked.items() if w == what}) for what in PARTS)
    return LayerWidths(weights, values, idle)


def _of_layers(kinds: Mapping[int, tuple[str, ...]], asked: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    widths = {index: [asked[kind] for kind in found if kind in asked] for index, found in kinds.items()}
    return tuple((index, found[-1]) for index, found in widths.items() if found)


def narrowed(readers: Mapping[T, Collection[int]], values: Sequence[tuple[int, int]]) -> dict[T, int]:
    """Bits of what only layers read that take in fewer than a real value has, by what ``readers`` are named after."""
    width = dict(values)
    return {
        name: max(width[layer] for layer in layers)
        for name, layers in readers.items()
        if layers and all(layer in width for layer in layers)
    }


def as_asked(layers: str) -> list[str]:
    """What the option ``kind_bits`` says, as the option ``bits`` takes it."""
    parts = [part.strip() for part in layers.split(",") if part.strip()]
    return [part if "." in part.partition("=")[0] else part.replace("=", ".weight=") for part in parts]


#: Metrics of which an answer says what other numbers would change, in order.
CHANGED = ("energy_J", "latency_s", "images_per_second", "area_mm2", "lut", "ff", "bram18", "uram", "dsp")


def change(text: str, asked: Mapping[str, float], usual: Mapping[str, float]) -> str:
    """What the numbers that were asked for change of the totals by metric with the target's own numbers."""
    found = []
    for name in CHANGED:
        if name in asked and name in usual and usual[name]:
            part = asked[name] / usual[name] - 1
            if abs(part) >= 0.0005:
                found.append(f"{metric(name).word} {part:+.1%}")
    said = ", ".join(found) if found else "nothing of what is priced"
    return f"numbers {text} against the target's own: {said}"


def expand(options: Mapping[str, Any], kind: TargetKind) -> dict[str, Any]:
    """Options of a target with the answer to ``bits`` in its own words.

    Raises :class:`CostmodelError` where the target has no such width, or where an option says it as well.
    """
    chosen = {name: value for name, value in options.items() if name != "bits"}
    text = options.get("bits", "")
    if not isinstance(text, str):
        raise CostmodelError(f"option bits={text!r}: expected text such as real=16,weight=8,input=8")
    if not text:
        return chosen
    own = dict(zip(NAMES, OPTIONS_OF[kind], strict=True))
    asked = parse(text)
    if not any(own.values()):
        raise CostmodelError(f"option bits={text!r}: a target of kind {kind} was timed with the widths that it has")
    layers = {name.removesuffix(".weight"): width for name, width in asked.items() if "." in name}
    if layers and own["weight"]:
        if "kind_bits" in chosen:
            raise CostmodelError(f"options bits={text!r} and kind_bits={chosen['kind_bits']!r} say the same: give one")
        chosen["kind_bits"] = ",".join(f"{kind}={width}" for kind, width in layers.items())
    for name, width in asked.items():
        if name not in own and own["weight"]:
            continue
        option = own.get(name, "")
        if not option:
            if width != asked.get("real"):
                raise CostmodelError(
                    f"option bits={text!r}: on this target {name} is as wide as real; give real={width}"
                )
            continue
        if option in chosen:
            raise CostmodelError(
                f"options bits={text!r} and {option}={chosen[option]!r} say the same: give one of them"
            )
        formats = FORMATS.get(kind, {}) if name == "real" else {}
        if formats and width not in formats:
            known = ", ".join(map(str, formats))
            raise CostmodelError(f"option bits={text!r}: real numbers of {width} bits; this target has {known}")
        chosen[option] = formats[width] if formats else width
    return chosen
