"""Arguments and output that several verbs share."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.views.table import FORMATS, Table, render, use_color


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """What is profiled: the model, its arguments, its input, its weights."""
    group = parser.add_argument_group("the network")
    where = "a name of `costmodel models`, path/to/file.py:factory, or package.module:factory"
    group.add_argument("--model", metavar="MODEL", required=True, help=where)
    arguments = "arguments of the factory: '{\"width\": 0.5}' or width=0.5 (repeatable)"
    group.add_argument("--model-args", metavar="ARGS", action="append", default=[], help=arguments)
    shape = "[NAME=]1x3x224x224[:DTYPE], once for each input; networks of the zoo know theirs"
    group.add_argument("--input", metavar="SHAPE", action="append", default=[], help=shape)
    weights = "weights to load: .safetensors, or .pt read without its code"
    group.add_argument("--checkpoint", metavar="FILE", help=weights)
    literally = "read parameters literally: a slope that is exactly 1/4 is a shift"
    group.add_argument("--trained", action="store_true", help=literally)
    add_cache_argument(group)


def add_cache_argument(group: Any) -> None:
    group.add_argument("--no-cache", action="store_true", help="neither read nor write stored profiles")


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """What it is priced on."""
    group = parser.add_argument_group("the hardware")
    where = "a name of `costmodel targets`, or a YAML file (repeatable)"
    group.add_argument("--target", metavar="TARGET", action="append", default=[], help=where)
    choice = "a choice of the target, such as clock=200e6 (repeatable; see `costmodel targets NAME`)"
    group.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], dest="options", help=choice)
    group.add_argument("--fps", type=float, metavar="RATE", help="frames per second that an FPGA design must reach")
    group.add_argument("--folding", metavar="FILE", help="folding of an FPGA design: auto, 16x3,32x32,... or a file")


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """In which form, and where to."""
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    group.add_argument("-o", "--output", metavar="FILE", help="write to FILE, whole or not at all")


def target_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options for ``estimate``: those of ``--set`` and the ones with a flag of their own."""
    options = parse_pairs(args.options, "--set")
    for name in ("fps", "folding"):
        if getattr(args, name) is not None:
            options[name] = getattr(args, name)
    return options


def parse_pairs(texts: Sequence[str], flag: str) -> dict[str, Any]:
    """``name=value`` texts, or one JSON object, as a dictionary. Values are JSON where they can be, else text."""
    pairs: dict[str, Any] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            try:
                pairs.update(json.loads(text))
            except json.JSONDecodeError as error:
                raise CostmodelError(f"{flag} {text!r} is not a JSON object: {error}") from error
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise CostmodelError(f"{flag} {text!r}: write NAME=VALUE, or a JSON object")
        pairs[name.strip()] = _value(value)
    return pairs


def emit(
    tables: Sequence[Table],
    args: argparse.Namespace,
    document: Callable[[], Any] | None = None,
    preface: str = "",
) -> None:
    """Print the tables in the form that was asked for, or write them to the file that was asked for.

    ``document`` makes what JSON says; it is called for JSON alone.
    """
    color = args.output is None and args.format == "table" and use_color()
    text = render(tables, args.format, document, color)
    if preface and args.format == "table":
        text = f"{preface}\n{text}"
    if args.output is None:
        sys.stdout.write(text)
        return
    from costmodel.files import atomic_write

    atomic_write(Path(args.output), text)
    print(f"wrote {args.output}", file=sys.stderr)


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A spinner on the terminal that says what is being done; silent where there is none to look at it.

    Nothing is imported for it until something that takes time is announced.
    """
    status: Any = None

    def announce(text: str) -> None:
        nonlocal status
        if not sys.stderr.isatty():
            return
        if status is None:
            from rich.console import Console

            status = Console(stderr=True).status(text)
            status.start()
        else:
            status.update(text)

    try:
        yield announce
    finally:
        if status is not None:
            status.stop()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)
