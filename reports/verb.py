"""``costmodel.report``: a document about networks on hardware, written to a file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, name_of
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.ledger.ledger import level_of
from costmodel.reports import make, request
from costmodel.reports.content.compose import KINDS, document
from costmodel.reports.content.subject import gather


def report(
    path: str | os.PathLike[str],
    networks: str | Sequence[str] = (),
    targets: str | Sequence[str] = (),
    *,
    kind: str | None = None,
    sweeps: Sequence[str] = (),
    format: str | None = None,
    paper: str = "a4",
    date: str | None = None,
    inputs: Sequence[str] = (),
    checkpoints: Mapping[str, str] | None = None,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
    trained: bool = False,
    seed: int = 0,
    meta: bool = False,
    threshold_bits: int = THRESHOLD_BITS,
    argv: Sequence[str] = (),
    level: str = "deployed",
    rivals: bool = True,
    accuracies: Sequence[str] = (),
    use_cache: bool = True,
    announce: Callable[[str], None] | None = None,
    given: Mapping[str, Sequence[str]] | None = None,
    **options: Any,
) -> Path:
    """Write a report about ``networks`` on ``targets`` to ``path``, and return the path.

    ``path``, ``format``, ``paper``
        A name that ends in ``.pdf``, ``.html``, ``.md`` or ``.tex``, or any with a ``format`` (``pdf``, ``html``,
        ``markdown``, ``latex``); the paper of a PDF is ``a4`` or ``letter``. PDF needs the extra ``reports``.
    ``networks``, ``targets``
        One or more names, as for :func:`costmodel.profile` and :func:`costmodel.estimate`.
    ``kind``
        ``network``, ``compare``, ``front``, ``target`` or ``validation``; by default what is given decides.
    ``sweeps``, ``accuracies``
        Results of :func:`costmodel.explore` in folders; files with accuracies of your own.
    ``date``
        YYYY-MM-DD (default: ``SOURCE_DATE_EPOCH``, or today). The same input and date give the same bytes.
    ``checkpoints``, ``arguments``
        By network: its file of weights, the arguments of its factory.
    ``trained``, ``seed``, ``meta``, ``threshold_bits``, ``argv``
        As for :func:`costmodel.profile`.
    ``level``
        What is counted and priced: ``deployed``, or ``as_written``.
    ``rivals``
        Whether other published networks are in the trade-off.
    ``options``
        Those of the targets, such as ``clock=2e8``.
    ``given``
        What the command in the report says instead of these arguments, by flag.

    Raises :class:`CostmodelError` for what cannot be found, priced or written; ``path`` then is as it was before.
    """
    names = [networks] if isinstance(networks, str) else list(networks)
    on = [targets] if isinstance(targets, str) else list(targets)
    form: Any = make.format_of(path, None if format is None else name_of("format", format, make.FORMATS))
    sheet: Any = name_of("paper", paper, make.PAPERS)
    if sheet != "a4" and form != "pdf":
        raise CostmodelError(f"--paper {sheet} is the paper of a PDF, and this report is {form}")
    make.check(path, form)
    day = request.day_of(date)
    wanted: Any = None if kind is None else name_of("kind of report", kind, KINDS)
    chosen = request.kind_of(wanted, names, on, sweeps)
    from costmodel.collector import without_collector

    making: dict[str, Any] = {"trained": trained, "seed": seed, "meta": meta}
    making |= {} if threshold_bits == THRESHOLD_BITS else {"threshold_bits": threshold_bits}
    making |= {"argv": tuple(argv)} if argv else {}
    said = (
        given
        if given is not None
        else _given(on, inputs, checkpoints, arguments, sweeps, accuracies, making, level, options)
    )
    with without_collector():
        subject = gather(
            names, on, inputs=list(inputs), checkpoints=dict(checkpoints or {}), arguments=dict(arguments or {}),
            making=making, options=options, level=level_of(level),
            command=request.command(chosen, form, day, models=names, given=said, rivals=rivals, paper=sheet),
            fronts=list(sweeps), rivals=rivals, accuracy_files=list(accuracies),
            kinds=("counts", "arm", "cpu", "fpga", "asic") if chosen == "validation" and not on else (),
            use_cache=use_cache, announce=announce,
        )  # fmt: skip
        if announce:
            announce("drawing and typesetting")
        return make.write(document(subject, chosen, day), path, form, sheet, keep=use_cache)


def _given(
    targets: Sequence[str],
    inputs: Sequence[str],
    checkpoints: Mapping[str, str] | None,
    arguments: Mapping[str, Mapping[str, Any]] | None,
    sweeps: Sequence[str],
    accuracies: Sequence[str],
    making: Mapping[str, Any],
    level: str,
    options: Mapping[str, Any],
) -> dict[str, list[str]]:
    """The arguments as the command line takes them, by flag."""
    import json

    made = {
        "--model-args": [f"{name}={json.dumps(dict(values))}" for name, values in (arguments or {}).items() if values],
        "--input": list(inputs),
        "--checkpoint": [f"{name}={path}" for name, path in (checkpoints or {}).items()],
        "--target": list(targets), "--set": [f"{name}={value}" for name, value in options.items()],
        "--sweep": list(sweeps), "--accuracies": list(accuracies),
    }  # fmt: skip
    made |= {"--seed": [str(making["seed"])]} if making["seed"] else {}
    made |= {f"--{name}": [""] for name in ("trained", "meta") if making.get(name)}
    made |= {"--threshold-bits": [str(making["threshold_bits"])]} if "threshold_bits" in making else {}
    made |= {"--model-argv": [shlex.join(making["argv"])]} if "argv" in making else {}
    return made | ({} if level_of(level) == "deployed" else {"--level": ["as-written"]})
