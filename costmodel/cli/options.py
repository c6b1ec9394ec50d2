"""Every option that more than one command has, once: one name, one meaning, one type, one text of help.

A command picks by name (``add(group, "--target", "--set")``) and reads what was given through the functions below, so
that the same words mean the same everywhere. Numbers are checked for range here, once for all commands.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.graph.vocabulary import MOST_THRESHOLD_BITS, THRESHOLD_BITS
from costmodel.views import FORMATS

if TYPE_CHECKING:
    from costmodel.store.cache import Request
    from costmodel.targets.estimate import Estimate
    from costmodel.train.records import Accuracy

LEVELS = ("deployed", "as-written")
SCALES = ("exact", "pow2", "csd2", "csd3", "tied", "lut")


def number(low: float, high: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """A finite number of at least ``low`` (``above``: more than that) and at most ``high``."""
    bounds = f"{'above' if above else 'at least'} {low:g}{'' if math.isinf(high) else f' and at most {high:g}'}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high or (above and value == low):
            raise argparse.ArgumentTypeError(f"{text!r}: expected a number {bounds}")
        return value

    return read


def whole(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``; 1e6 is one."""

    def read(text: str) -> int:
        try:
            value = int(text) if len(text) < 20 else math.nan
        except ValueError:
            try:
                value = float(text)
            except ValueError:
                value = math.nan
        if not (low <= value <= high and value == int(value)):
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {low:,} to {high:,}")
        return int(value)

    return read


def scale(text: str) -> str:
    """A way to multiply by scales, of all layers or of those that it names; as a type of argparse."""
    from costmodel.ledger.scales import parse

    try:
        if text != "all":
            parse(text)
    except CostmodelError:
        what = f"{text!r}: expected {', '.join(SCALES)}, or these of some layers, as conv1=csd2,layer*=lut"
        raise argparse.ArgumentTypeError(what) from None
    return text


POSITIVE = number(0, above=True)
COUNT = whole(1)
SEED = whole(0)

MODEL = (
    "a name of `costmodel models`, path/to/file.py:factory, package.module:factory, a call of one (file.py:make(20)), "
    "or an .onnx, .pt2 or TorchScript file"
)
#: flag -> (other spellings, arguments of ``add_argument``)
FLAGS: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "--model": ((), {
        "metavar": "MODEL", "action": "append", "default": [], "dest": "named", "help": "the same as MODEL by position",
    }),
    "--model-args": ((), {
        "metavar": "[MODEL=]ARGS", "action": "append", "default": [],
        "help": "arguments of the factory: width=0.5 or '{\"width\": 0.5}'; with MODEL= for one of many (repeatable)",
    }),
    "--model-argv": ((), {
        "metavar": "ARGS", "default": "",
        "help": "what the network's own code finds on its command line, such as '--depth 20' (default: nothing)",
    }),
    "--timeout": ((), {
        "type": number(0, above=True), "metavar": "SECONDS", "default": 300.0,
        "help": "how long each step of the network's own code may take (default: 300)",
    }),
    "--input": ((), {
        "metavar": "SHAPE", "action": "append", "default": [],
        "help": "[NAME=]1x3x224x224[:DTYPE], once for each input; networks of the zoo know theirs",
    }),
    "--checkpoint": ((), {
        "metavar": "[MODEL=]FILE", "action": "append", "default": [],
        "help": "weights to load: a shipped name, .safetensors, or .pt read without its code; with MODEL= for one of "
                "several networks (repeatable)",
    }),
    "--trained": ((), {
        "action": "store_true", "help": "read parameters literally: a slope that is exactly 1/4 is a shift",
    }),
    "--meta": ((), {
        "action": "store_true",
        "help": "make no weights: shapes alone say what a network costs that does not fit in memory",
    }),
    "--threshold-bits": ((), {
        "type": whole(1, MOST_THRESHOLD_BITS), "metavar": "BITS", "default": THRESHOLD_BITS,
        "help": f"quantisers of up to so many bits become comparisons where deployed (default: {THRESHOLD_BITS})",
    }),
    "--seed": ((), {
        "type": SEED, "default": 0, "metavar": "N", "help": "of fresh weights, random inputs and searches (default: 0)",
    }),
    "--no-cache": ((), {"action": "store_true", "help": "neither read nor write stored profiles"}),
    "--target": ((), {
        "metavar": "TARGET", "action": "append", "default": [],
        "help": "a name of `costmodel targets`, a YAML file, or all (repeatable)",
    }),
    "--set": ((), {
        "metavar": "NAME=VALUE", "action": "append", "default": [], "dest": "options",
        "help": "an option of the target, such as clock=200e6 (repeatable; see `costmodel targets NAME`)",
    }),
    "--fps": ((), {
        "type": POSITIVE, "metavar": "RATE", "help": "images per second that an FPGA design must reach",
    }),
    "--folding": ((), {
        "metavar": "FILE", "help": "folding of an FPGA design: auto, 16x3,32x32,... or a FINN file",
    }),
    "--bits": ((), {
        "metavar": "WIDTHS",
        "help": "widths of real values, weights of real layers and the network's input: real=16,weight=8,input=8; of "
                "one kind of layer: linear.weight=4,linear.real=8",
    }),
    "--level": ((), {
        "choices": LEVELS, "default": "deployed",
        "help": "after the exact rewrites of deployment (default), or as the Python is written",
    }),
    "--scale": ((), {
        "type": scale, "default": "exact", "metavar": "OPTION",
        "help": f"what multiplies by the scale of binary weights: {', '.join(SCALES)} (default: exact); or by those of "
                "some layers, as conv1=csd2,layer*=lut; deploy also compares all",
    }),
    "--format": ((), {
        "choices": FORMATS, "default": "table",
        "help": "how the answer is written (default: table; a report: by the name of its file)",
    }),
    "--output": (("-o",), {
        "metavar": "PATH", "help": "where the result goes: a file, written atomically, or a folder of several",
    }),
    "--bibtex": ((), {
        "metavar": "FILE", "help": "write the BibTeX entries of all sources of the constants used to a file",
    }),
    "--exact": ((), {"action": "store_true", "help": "all digits: 118,013,952 instead of 118.0M"}),
    "--strict": ((), {
        "action": "store_true", "help": "exit with status 1 where something is not counted, or not exact",
    }),
    "--quiet": ((), {"action": "store_true", "help": "no progress"}),
    "--data": ((), {
        "metavar": "SET",
        "help": "data set: cifar10, cifar100, mnist, fashion-mnist, digits, or imagenet:DIR",
    }),
    "--network": ((), {
        "action": "append", "default": [], "metavar": "NAME",
        "help": "a network of the zoo to time on this machine (repeatable; default: a handful)",
    }),
    "--data-dir": ((), {"metavar": "DIR", "help": "folder of the data sets (default: $COSTMODEL_DATA)"}),
    "--members": ((), {
        "type": COUNT, "default": 20, "metavar": "N", "help": "members to print of each front (default: 20)",
    }),
    "--accuracies": ((), {
        "metavar": "FILE", "action": "append", "default": [],
        "help": "accuracies of your own: a CSV with the columns network,options,data,accuracy,kind,note (repeatable)",
    }),
    "--sweep": ((), {
        "metavar": "PATH", "action": "append", "default": [],
        "help": "results of `costmodel explore`: the folder, or one front of it (repeatable)",
    }),
}  # fmt: skip

NETWORK = (
    "--model", "--model-args", "--model-argv", "--timeout", "--input", "--checkpoint", "--trained", "--meta",
    "--threshold-bits", "--seed", "--no-cache",
)  # fmt: skip
HARDWARE = ("--target", "--set", "--bits", "--fps", "--folding", "--scale")


def add(group: Any, *names: str, **changes: Any) -> None:
    """Add shared options to a parser or to a group of one; ``changes`` may name choices or a default."""
    for name in names:
        others, arguments = FLAGS[name]
        group.add_argument(*others, name, **{**arguments, **changes})


def add_network(parser: argparse.ArgumentParser, *, more: str = "") -> Any:
    """The network, by position or by ``--model``, and all that makes it; ``more`` is what else MODEL may be."""
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[], help=MODEL + more)
    group = parser.add_argument_group("the network")
    add(group, *NETWORK)
    return group


def add_hardware(parser: argparse.ArgumentParser, **scale: Any) -> Any:
    """What it is priced on, and with which options."""
    group = parser.add_argument_group("the hardware")
    add(group, *HARDWARE[:-1])
    add(group, "--scale", **scale)
    return group


def add_output(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_argument_group("output")
    add(group, "--format", "--output")
    return group


def models(args: argparse.Namespace) -> list[str]:
    """The networks given, each once. Raises :class:`CostmodelError` where there is none."""
    given = list(dict.fromkeys([*args.models, *args.named]))
    if not given:
        raise CostmodelError("no network given: name one, or its file. List the zoo with: costmodel models")
    return given


def model(args: argparse.Namespace) -> str:
    """The one network given. Raises :class:`CostmodelError` for none and for several."""
    first, *others = models(args)
    if others:
        raise CostmodelError(f"networks {first}, {', '.join(others)}: give one; `costmodel compare` takes several")
    return first


def requests(args: argparse.Namespace) -> list[Request]:
    """What is asked about each of the networks given."""
    from costmodel import api
    from costmodel.load.reference import is_zoo

    names, argv = models(args), words(args.model_argv, "--model-argv")
    factory, weights = arguments(args, names), checkpoints(args, names)
    # An input is for the networks that know none; among those of the zoo alone it is for all.
    strangers = [name for name in names if not is_zoo(name)] or names
    return [
        api.make_request(
            name, (args.input or None) if name in strangers else None, arguments=factory[name],
            argv=() if is_zoo(name) else argv, checkpoint=weights.get(name),
            trained=args.trained, seed=args.seed, meta=args.meta, threshold_bits=args.threshold_bits,
        )
        for name in names
    ]  # fmt: skip


def request(args: argparse.Namespace) -> Request:
    """What is asked about the one network given."""
    model(args)
    return requests(args)[0]


def arguments(args: argparse.Namespace, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The arguments of each factory: ``MODEL=ARGS`` are for one network, others for all."""
    flag, found = "--model-args", {}
    for name in names:
        texts = [text for owner, text in _owned(names, args.model_args) if owner in (name, None)]
        found[name] = pairs(texts, flag)
    return found


def checkpoints(args: argparse.Namespace, names: Sequence[str]) -> dict[str, str]:
    """The file of weights of each network that has one: ``MODEL=FILE``, or FILE alone for a single network."""
    found: dict[str, str] = {}
    for owner, path in _owned(names, args.checkpoint):
        if owner is None and len(names) != 1:
            raise CostmodelError(
                f"--checkpoint {path}: say for which of the {len(names)} networks, as MODEL=FILE with MODEL as given"
            )
        name = owner or names[0]
        if name in found:
            raise CostmodelError(f"--checkpoint: {name} is given two files, {found[name]} and {path}")
        found[name] = path
    return found


def _owned(names: Sequence[str], texts: Iterable[str]) -> list[tuple[str | None, str]]:
    """The network that each ``MODEL=TEXT`` is for, None where it does not say, and the text."""
    longest = sorted(names, key=len, reverse=True)  # one name may be the beginning of another
    found = []
    for text in texts:
        owner = next((name for name in longest if text.startswith(f"{name}=")), None)
        found.append((owner, text[len(owner) + 1 :] if owner else text))
    return found


def accuracies(args: argparse.Namespace) -> tuple[Accuracy, ...]:
    """The figures of the user's own files."""
    if not args.accuracies:
        return ()
    from costmodel.train.given import read_accuracies

    return read_accuracies(*args.accuracies)


def targets(args: argparse.Namespace) -> list[str]:
    """The targets given, each once, ``all`` as all that there are."""
    if "all" not in args.target:
        return list(dict.fromkeys(args.target))
    from costmodel.targets.load import list_targets

    return list(
        dict.fromkeys(name for given in args.target for name in (list_targets() if given == "all" else [given]))
    )


def settings(args: argparse.Namespace, *, all_scales: bool = False) -> dict[str, Any]:
    """The options for ``estimate``: those of ``--set`` and the ones with a flag of their own; ``all_scales``: whether
    the command compares them.

    Raises :class:`CostmodelError` where there is no target that they could act on.
    """
    found = pairs(args.options, "--set")
    flags = ("bits", "fps", "folding")
    given = {"--set": args.options, **{f"--{name}": getattr(args, name) is not None for name in flags}}
    if not args.target:
        refuse([flag for flag, value in given.items() if value], "acts on a target: give --target as well")
        if getattr(args, "bibtex", None) is not None:  # before anything is written
            refuse(["--bibtex"], "writes the sources of the constants of a target: give --target as well")
    for name in flags:
        if getattr(args, name) is not None:
            found[name] = getattr(args, name)
    scale = found.pop("scale", args.scale)
    if scale == "all" and not all_scales:
        raise CostmodelError("--scale all compares, which deploy does: choose one, or of some layers, as conv1=csd2")
    return found if scale in ("exact", "all") else {**found, "scale": scale}


def write_bibtex(args: argparse.Namespace, estimates: Iterable[Estimate]) -> None:
    """Write the sources of the estimates where ``--bibtex`` asks for them."""
    if args.bibtex is None:
        return
    import sys
    from pathlib import Path

    from costmodel.files import atomic_write
    from costmodel.views.references import bibtex

    atomic_write(Path(args.bibtex), bibtex(estimates))
    print(f"wrote {args.bibtex}", file=sys.stderr)


def refuse(flags: Iterable[str], why: str) -> None:
    """Raise :class:`CostmodelError` where any of ``flags`` was given."""
    for flag in flags:
        raise CostmodelError(f"{flag} {why}")


def pairs(texts: Sequence[str], flag: str) -> dict[str, Any]:
    """``name=value`` texts, or one JSON object, as a dictionary. Values are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            found.update(_object(text, flag))
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise CostmodelError(f"{flag} {text!r}: write NAME=VALUE, or a JSON object")
        found[name.strip()] = _value(value, f"{flag} {text[:60]!r}")
    return found


def words(text: str, flag: str) -> list[str]:
    """The words of a command line, as a shell would find them."""
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise CostmodelError(f"{flag} {text!r}: {error}") from error


def _object(text: str, flag: str) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise CostmodelError(f"{flag} {text[:60]!r} is not a JSON object: {error}") from error
    return {str(name): value for name, value in found.items()}


def _value(text: str, what: str) -> Any:
    import json

    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)
    except RecursionError:
        raise CostmodelError(f"{what}: nested too deeply") from None
    except ValueError as error:  # not a number, or one of thousands of digits
        raise CostmodelError(f"{what}: {error}") from error


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number that can be used")
