"""Accuracy records: what networks reach, as measured here and as others publish it. Imports no torch.

Measured records are lines of ``accuracy.jsonl`` in the package, one per finished run, written by
``python -m costmodel.train.publish``. Published figures belong to the zoo (:mod:`costmodel.zoo.results`). The two are
never mixed: every figure says which it is, after how many epochs and at what width it was reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write

RECORDS = Path(__file__).parent / "accuracy.jsonl"


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished run. Accuracies are in percent, on the images that ``held_out`` names.

    ``accuracy`` is the last epoch's. ``best_accuracy`` is the best epoch's, picked on those same images, as the
    literature often reports. ``key`` is that of the job, ``checkpoint_sha256`` that of the weights after training.
    """

    network: str
    data: str
    variant: str
    width: float
    recipe: str
    seed: int
    epochs: tuple[int, ...]
    held_out: Literal["test", "validation"]
    accuracy: float
    best_accuracy: float
    step_accuracies: tuple[float, ...]
    parameters: int
    seconds: float
    device: str
    hardware: str
    threads: int
    precision: str
    torch: str
    commit: str
    key: str
    checkpoint_sha256: str
    options: dict[str, str | int | float | bool] = {}
    teacher: str | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Accuracy:
    """One figure for a plot or a table. ``kind`` tells measured from published; ``conditions`` is one line of words."""

    network: str
    width: float
    top1: float
    options: dict[str, str | int | float | bool]
    kind: Literal["measured", "published"]
    source: str
    conditions: str


def measured(path: Path = RECORDS) -> list[Record]:
    """All records of a file, in its order; none when there is no file.

    Raises :class:`CostmodelError` for a line that is no record.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                records.append(msgspec.json.decode(line, type=Record))
            except msgspec.DecodeError as error:
                raise CostmodelError(f"{path}, line {number} is not an accuracy record: {error}.") from error
    return records


def add(record: Record, path: Path = RECORDS) -> None:
    """Add a record to a file, in the place of an earlier one of the same job."""
    kept = [r for r in measured(path) if r.key != record.key]
    kept = sorted([*kept, record], key=lambda r: (r.data, r.network, r.width, r.recipe, r.epochs, r.seed))
    atomic_write(path, b"".join(msgspec.json.encode(r) + b"\n" for r in kept))


def accuracies(network: str, width: float | None = None, options: Mapping[str, object] | None = None) -> list[Accuracy]:
    """Every figure known for a network (a name or alias of the zoo): measured on the test set first, then published.

    ``width`` keeps the figures of that width only, ``options`` those of a network built with just these axes
    (``{"scale": "tied"}``); published ones are of width 1 and of the network as it is listed.
    """
    from costmodel.zoo import registry

    entry = registry.entry(network)
    figures = [
        of_record(r) for r in measured() if r.network == entry.name and r.held_out == "test" and r.data == entry.dataset
    ]
    figures += [Accuracy(entry.name, 1.0, p.top1, {}, "published", p.source, p.note) for p in entry.published]
    fits = [f for f in figures if width is None or f.width == width]
    return [f for f in fits if options is None or f.options == dict(options)]


def of_record(record: Record) -> Accuracy:
    """The figure of a record, with its conditions in words."""
    epochs = "+".join(map(str, record.epochs))
    words = [f"width {record.width:g}", f"{epochs} epochs", f"recipe {record.recipe}", f"seed {record.seed}"]
    words += [f"{name} {value}" for name, value in sorted(record.options.items())]
    words += ["last epoch", f"on {record.hardware}"]
    source = f"costmodel {record.commit}"
    return Accuracy(record.network, record.width, record.accuracy, record.options, "measured", source, ", ".join(words))
