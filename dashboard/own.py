"""What the user brings when the dashboard is started: networks, targets and accuracies, next to what is shipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.dashboard.results import NetworkRow, TargetRow, network_row, title
from costmodel.errors import CostmodelError
from costmodel.graph.vocabulary import THRESHOLD_BITS

if TYPE_CHECKING:
    from costmodel.ledger.ledger import Profile
    from costmodel.store.cache import Request
    from costmodel.targets.spec import Target
    from costmodel.train.records import Accuracy

#: Data set of a network for which none is named.
UNNAMED = "yours"


@dataclass(frozen=True)
class OwnNetwork:
    """A network of the user's own. ``flags`` are the words of a command line that name it."""

    row: NetworkRow
    profile: Profile
    flags: tuple[str, ...]


@dataclass(frozen=True)
class OwnTarget:
    row: TargetRow
    target: Target
    text: str


@dataclass(frozen=True)
class Own:
    """All that the user brings; ``accuracies`` may be of shipped networks, too."""

    networks: tuple[OwnNetwork, ...] = ()
    targets: tuple[OwnTarget, ...] = ()
    accuracies: tuple[Accuracy, ...] = field(default=())


def read(
    requests: Sequence[Request],
    targets: Sequence[str] = (),
    accuracies: Sequence[str] = (),
    data: str = "",
    announce: Callable[[str], None] | None = None,
) -> Own:
    """Profile the networks, read the targets and accuracies. ``data`` names the data set of networks without accuracy.

    Raises :class:`CostmodelError` for whatever cannot be read or run, before anything is served.
    """
    from costmodel.train.given import dataset, read_accuracies

    given = read_accuracies(*accuracies) if accuracies else ()
    networks = [_network(request, given, dataset(data) if data else "", announce) for request in requests]
    return Own(tuple(networks), tuple(_target(path) for path in targets), given)


def _network(
    request: Request, given: Sequence[Accuracy], data: str, announce: Callable[[str], None] | None
) -> OwnNetwork:
    from costmodel import api
    from costmodel.train.records import is_of

    reference = request.reference
    text = reference.text
    if "@" in text or ";" in text:
        raise CostmodelError(
            f"network {text}: the dashboard's links take no @ and ; in the name of a network; rename it"
        )
    made = api.answer(request, announce=announce)
    named = next((f.data for f in given if f.data and is_of(f, text)), "")
    arguments: dict[str, Any] = dict(reference.arguments)
    row = network_row(title(text, arguments), text, arguments, made, dataset=data or named or UNNAMED)
    words = ["--model", text]
    if arguments:
        words += ["--model-args", json.dumps(arguments)]
    words += [word for spec in request.inputs for word in ("--input", str(spec))]
    words += ["--checkpoint", str(request.checkpoint)] if request.checkpoint else []
    words += ["--trained"] if request.trained else []
    words += ["--seed", str(request.seed)] if request.seed else []
    words += ["--meta"] if request.meta else []
    changed = request.threshold_bits != THRESHOLD_BITS
    words += ["--threshold-bits", str(request.threshold_bits)] if changed else []
    return OwnNetwork(row, made, tuple(words))


def _target(path: str) -> OwnTarget:
    from costmodel.targets import load_target

    if set(path) & set("@;#"):
        raise CostmodelError(
            f"target {path}: the dashboard's links take no @, ; and # in the name of a target; rename it"
        )
    target = load_target(path)
    if not Path(path).is_file():
        raise CostmodelError(f"target {path}: give the YAML file of a target of yours; those by name are all here")
    text = Path(path).read_text(encoding="utf-8")
    return OwnTarget(TargetRow(str(path), target.kind, target.title), target, text)
