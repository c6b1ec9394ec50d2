"""Accuracies that a user brings, as a CSV file: one figure per line, read by every face in the same way.

    network,options,data,accuracy,kind,note
    my/net.py:build,width=0.5,cifar10,91.2,measured,three seeds
    cnv-w1a1,weight_bits=2,cifar10,84.0,,retrained at two bits
    model.onnx,,imagenet,71.3,published,their table 2

``network``
    A name of the zoo, or a network of one's own as ``--model`` takes it; a path is seen from the folder of the CSV,
    else from the current one. ``net:build`` alone stands for that factory of any file ``net.py``.
``options``
    Arguments of the factory, and options of a target that change the accuracy, for which the figure holds:
    ``width=0.5 scale=tied``, or one JSON object. Empty: none.
``data``
    The data set; may be left empty for a network of the zoo, which knows its own.
``accuracy``
    Top-1 in percent.
``kind``
    ``measured``, ``published``, or ``given`` (which an empty cell means).
``note``, and if there ``epochs`` and ``source``
    What else is to be shown with the figure.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.load.reference import resolve
from costmodel.train.records import Accuracy, Kind, key_of, width_of
from costmodel.zoo import registry
from costmodel.zoo.entries import DATASETS

COLUMNS = ("network", "options", "data", "accuracy", "kind", "note", "epochs", "source")
NEEDED = ("network", "accuracy")
KINDS: tuple[Kind, ...] = ("measured", "published", "given")
#: Other heads that mean a column.
_ALSO = {"data set": "data", "dataset": "data", "top1": "accuracy", "top-1": "accuracy", "model": "network"}


def read_accuracies(*paths: str | os.PathLike[str]) -> tuple[Accuracy, ...]:
    """The figures of CSV files of a user's own, in their order.

    Raises :class:`CostmodelError` that names the file and the line for whatever is missing, unknown or no number, and
    for two lines that give the same network, options, data set and kind different accuracies.
    """
    found: dict[tuple[Any, ...], tuple[Accuracy, str]] = {}
    for path in paths:
        for place, row in _lines(Path(path)):
            figure = _figure(row, place, Path(path).parent)
            what = (figure.key, figure.width, sorted(figure.options.items(), key=str), figure.data, figure.kind)
            name = (*what[:2], repr(what[2]), *what[3:])
            first = found.setdefault(name, (figure, place))
            if first[0].top1 != figure.top1:
                raise CostmodelError(
                    f"{place}: {figure.network} has {figure.top1:g} % here and {first[0].top1:g} % at {first[1]}, for "
                    "the same options, data set and kind. Keep one, such as the mean."
                )
    return tuple(figure for figure, _ in found.values())


def _lines(path: Path) -> Iterable[tuple[str, dict[str, str]]]:
    """Each line that is not empty, with its place, by the names of the columns."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}. Give a CSV file.") from error
    except UnicodeDecodeError as error:
        raise CostmodelError(f"{path} is no text in UTF-8: {error.reason}. Give a CSV file.") from error
    head = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=head.count)  # of several the first
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise CostmodelError(f"{path} is not a CSV file: {error}.") from error
    rows = [[cell.strip() for cell in row] for row in rows]
    numbered = [(number, row) for number, row in enumerate(rows, 1) if any(row) and not row[0].startswith("#")]
    if not numbered:
        raise CostmodelError(f"{path} is empty. Its first line names the columns: {','.join(COLUMNS[:6])}")
    names = [_ALSO.get(name.casefold(), name.casefold()) for name in numbered[0][1]]
    for name in names:
        if name not in COLUMNS:
            raise UnknownNameError(f"column of accuracies ({path})", name, COLUMNS, f"Columns: {', '.join(COLUMNS)}.")
        if names.count(name) > 1:
            raise CostmodelError(f"{path}: the column {name} occurs twice")
    for name in NEEDED:
        if name not in names:
            raise CostmodelError(
                f"{path} has no column {name}. Its first line names the columns: {','.join(COLUMNS[:6])}"
            )
    for number, row in numbered[1:]:
        if len(row) > len(names) and any(row[len(names) :]):
            raise CostmodelError(
                f"{path}, line {number}: {len(row)} cells under {len(names)} columns. Put a cell that holds "
                f"{delimiter!r} in double quotes."
            )
        yield f"{path}, line {number}", dict.fromkeys(COLUMNS, "") | dict(zip(names, row, strict=False))


def _figure(row: Mapping[str, str], place: str, folder: Path) -> Accuracy:
    network, key, data = _network(row["network"], place, folder)
    width, options = width_of(options_of(row["options"], place))
    kind = next((k for k in KINDS if k == (row["kind"].casefold() or "given")), None)
    if kind is None:
        raise UnknownNameError(f"kind ({place})", row["kind"], KINDS, f"Choose from {', '.join(KINDS)}.")
    data = dataset(row["data"]) or data
    if not data:
        raise CostmodelError(f"{place}: {network}: no data set. Name one, such as cifar10")
    source = row["source"] or Path(place.rpartition(", line")[0]).name
    words = [*([f"width {width:g}"] if width != 1 else []), *(f"{k} {v}" for k, v in sorted(options.items()))]
    words += [f"{row['epochs']} epochs"] if row["epochs"] else []
    words += [row["note"]] if row["note"] else []
    return Accuracy(
        network, width, _percent(row["accuracy"], place), options, kind, source, ", ".join(words),
        data, row["epochs"], key,
    )  # fmt: skip


def _network(text: str, place: str, folder: Path) -> tuple[str, str, str]:
    """A network as it is shown, the key that it is found by, and its data set where it is known."""
    if not text:
        raise CostmodelError(f"{place}: no network. Name one of `costmodel models`, or path/to/file.py:factory")
    path, colon, factory = text.rpartition(":")
    path = path or text
    if not ("/" in path or Path(path).suffix in (".py", ".onnx", ".pt", ".pt2", ".pth")):
        if colon:  # net:build, or package.module:build
            return text, key_of(text), ""
        try:
            entry = registry.entry(text)
        except UnknownNameError as error:
            raise CostmodelError(f"{place}: {error}") from None
        return entry.name, entry.name, entry.dataset
    for there in (folder / path, Path(path).expanduser()):
        if there.is_file():
            full = f"{there}:{factory}" if colon else str(there)
            if there.suffix == ".py":
                try:
                    resolve(full)
                except CostmodelError as error:
                    raise CostmodelError(f"{place}: {error}") from None
            return text, key_of(full), ""
    raise CostmodelError(f"{place}: there is no file {path}, seen from {folder.resolve()} or from here")


def options_of(text: str, place: str) -> dict[str, Any]:
    """``width=0.5 scale=tied`` (apart by spaces, commas or semicolons), or a JSON object, as a dictionary."""
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CostmodelError(f"{place}: options {text!r} are not a JSON object: {error}") from error
        return {str(name): value for name, value in found.items()}
    found = {}
    for item in re.split(r"[,;\s]+", text):
        name, equals, value = item.partition("=")
        if item and not (equals and name.isidentifier() and value):
            raise CostmodelError(f"{place}: options {text!r}: write NAME=VALUE, apart by spaces, or a JSON object")
        if item and name in found:
            raise CostmodelError(f"{place}: options {text!r}: {name} is given twice")
        if item:
            found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def dataset(text: str) -> str:
    """A data set by one spelling: CIFAR-10 is cifar10; a name that is not known is taken in small letters."""
    plain = re.sub(r"[-_ ]", "", text.casefold())
    return plain if plain in DATASETS else text.strip().casefold()


def _percent(text: str, place: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise CostmodelError(f"{place}: accuracy {text!r}: expected a number in percent, such as 91.2") from None
    if 0 < value < 1:
        raise CostmodelError(f"{place}: accuracy {text}: give percent, such as {100 * value:g}")
    if not 0 <= value <= 100:
        raise CostmodelError(f"{place}: accuracy {text}: expected percent from 0 to 100")
    return value
