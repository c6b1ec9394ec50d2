"""Accuracy records: what networks reach, as measured here and as others publish it. Imports no torch.

Measured records are lines of ``accuracy.jsonl`` in the package, one per finished run, written by
``python -m costmodel.train.publish``. Published figures belong to the zoo (:mod:`costmodel.zoo.results`). The two are
never mixed: every figure says which it is, after how many epochs and at what width it was reached. Those that a user
brings are read by :mod:`costmodel.train.given`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write

RECORDS = Path(__file__).parent / "accuracy.jsonl"

Kind = Literal["measured", "published", "given"]


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
    """One figure for a plot or a table.

    ``kind`` tells measured from published and from given by the user; ``conditions`` is one line of words. ``options``
    are what the network was built with besides its ``width``. ``data`` is the data set, ``epochs`` those of each phase
    (``200+100``), where they are known. ``key`` is what the network is found by (:func:`key_of`), where that is not its
    name.
    """

    network: str
    width: float
    top1: float
    options: dict[str, Any]
    kind: Kind
    source: str
    conditions: str
    data: str = ""
    epochs: str = ""
    key: str = ""


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
    """Add a record to a file, in the place of an earlier one of the same job. The weights that ship under its name are
    now its own and no other's."""
    kept = [r for r in measured(path) if r.key != record.key]
    if record.weights is not None:
        kept = [msgspec.structs.replace(r, weights=None) if r.weights == record.weights else r for r in kept]
    kept = sorted([*kept, record], key=lambda r: (r.data, r.network, r.width, r.recipe, r.epochs, r.seed))
    atomic_write(path, b"".join(msgspec.json.encode(r) + b"\n" for r in kept))


def accuracies(
    network: str,
    width: float | None = None,
    options: Mapping[str, object] | None = None,
    given: Sequence[Accuracy] = (),
) -> list[Accuracy]:
    """Every figure known for a network: ``given`` by the user, measured on the test set, then published.

    ``network`` is a name or alias of the zoo, or a network of the user's own as ``--model`` takes it. ``width`` keeps
    the figures of that width only, ``options`` those of a network built with just these axes (``{"scale": "tied"}``);
    published ones are of width 1 and of the network as it is listed.
    """
    from costmodel.zoo import registry

    figures = [figure for figure in given if is_of(figure, network)]
    if not is_own(network):
        entry = registry.entry(network)
        figures += [
            of_record(r)
            for r in measured()
            if r.network == entry.name and r.held_out == "test" and r.data == entry.dataset
        ]
        figures += [
            Accuracy(entry.name, 1.0, p.top1, {}, "published", p.source, p.note, entry.dataset) for p in entry.published
        ]
    fits = [f for f in figures if width is None or f.width == width]
    return [f for f in fits if options is None or f.options == dict(options)]


def of_record(record: Record) -> Accuracy:
    """The figure of a record, with its conditions in words."""
    epochs = "+".join(map(str, record.epochs))
    words = [f"width {record.width:g}", f"{epochs} epochs", f"recipe {record.recipe}", f"seed {record.seed}"]
    words += [f"{name} {value}" for name, value in sorted(record.options.items())]
    words += ["last epoch", f"on {record.hardware}"]
    source = f"costmodel {record.commit}"
    return Accuracy(
        record.network, record.width, record.accuracy, record.options, "measured", source, ", ".join(words),
        record.data, epochs,
    )  # fmt: skip


def is_own(network: str) -> bool:
    """Whether a network is of the user's own: a file, or a factory in one, instead of a name of the zoo."""
    return ":" in network or "/" in network or bool(Path(network).suffix)


def key_of(network: str) -> str:
    """What a network is found by: its name in the zoo, else the path of its file with the factory, else as written."""
    if not is_own(network):
        from costmodel.zoo import registry

        return registry.entry(network).name
    path, colon, factory = network.rpartition(":")
    if not colon:
        return str(Path(network).expanduser().resolve())
    return f"{Path(path).expanduser().resolve()}:{factory}" if path.endswith(".py") or "/" in path else network


def is_of(figure: Accuracy, network: str) -> bool:
    """Whether a figure is of a network: the same name or file, or ``net:build`` of any file ``net.py``."""
    key, mine = key_of(network), figure.key or figure.network
    path, colon, factory = key.rpartition(":")
    return mine == key or (bool(colon) and mine == f"{Path(path).stem}:{factory}")


def width_of(options: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """The width among the arguments of a network (1 where there is none, or no number), and the rest."""
    rest = dict(options)
    width = rest.get("width", 1.0)
    if isinstance(width, bool) or not isinstance(width, (int, float)):
        return 1.0, rest
    rest.pop("width", None)
    return float(width), rest
