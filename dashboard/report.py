"""The report of the command line, for the designs that are shown: ``costmodel report`` in a process of its own.

A process of its own, because a report imports what the pages do without (typst, matplotlib, torch for a network that
was never profiled here), and because it then is the very file that the command makes.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.state import DEPLOYED, read_design
from costmodel.dashboard.whatif import texts
from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import LEVELS, level_of

#: What one report can hold and still be read.
MAX_NETWORKS, MAX_TARGETS = 8, 6
PATIENCE_S = 600
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Order:
    """One report: every network on every target, with choices that all the targets have."""

    networks: tuple[str, ...]
    targets: tuple[str, ...]
    settings: tuple[str, ...] = ()


def orders(catalogue: Catalogue, designs: Iterable[str]) -> list[Order]:
    """The reports that hold these designs (``network@target;name=value``): one for all that are priced by default, and
    one for each target and its choices elsewhere. Variants of networks, which no report can name, are left out.

    Raises :class:`CostmodelError` for no design, too many, or one that is not known.
    """
    variants: dict[str, None] = {}
    groups: dict[tuple[str, ...], tuple[dict[str, None], dict[str, None]]] = {}
    for text in designs:
        network, target, given, level = read_design(text)
        if level != DEPLOYED:
            raise CostmodelError(
                f"a report prices networks as they are deployed, and {network} on {target} is shown "
                f"{level_name(level)}: choose the level deployed first"
            )
        settings = texts(catalogue.settings(target, given))
        key = (target, *settings) if settings else ()
        if network in catalogue.mine:
            words = shlex.join(["costmodel", "report", *catalogue.mine[network].flags, "--target", target])
            raise CostmodelError(f"a report of a network of yours is made by the command line: {words} -o report.pdf")
        if catalogue.network(network).arguments:
            variants[network] = None
            continue
        networks, targets = groups.setdefault(key, ({}, {}))
        networks[network] = targets[target] = None
    if variants and not groups:
        raise CostmodelError(
            f"a report holds networks as they are listed, and {', '.join(variants)} is a variant of one"
        )
    if not groups:
        raise CostmodelError("there is no design to report: select some, or loosen the filters")
    found = [Order(tuple(n), tuple(t), key[1:]) for key, (n, t) in groups.items()]
    for order in found:
        if len(order.networks) > MAX_NETWORKS or len(order.targets) > MAX_TARGETS:
            raise CostmodelError(
                f"these designs are {len(order.networks)} networks on {len(order.targets)} targets; a report holds at "
                f"most {MAX_NETWORKS} on {MAX_TARGETS}: drag over fewer, or filter"
            )
    return found


def level_name(level: str) -> str:
    return LEVELS[level_of(level)]


def command(order: Order, output: str, targets: Sequence[str] | None = None) -> list[str]:
    """The words after ``costmodel`` that make the report."""
    words, named = ["report"], targets or order.targets
    for flag, values in (("--model", order.networks), ("--target", named), ("--set", order.settings)):
        words += [word for value in values for word in (flag, value)]
    return [*words, "-o", output]


def make(catalogue: Catalogue, wanted: Sequence[Order]) -> tuple[bytes, str]:
    """The report and a name for its file; several reports are one archive.

    Raises :class:`CostmodelError` with what the command says where it fails, such as the extra that is missing.
    """
    from costmodel.reports.make import check

    with tempfile.TemporaryDirectory(prefix="costmodel-") as folder, _one_at_a_time:
        check(Path(folder) / "report.pdf", "pdf")
        made = [(_name(order), _run(catalogue, order, Path(folder))) for order in wanted]
    if len(made) == 1:
        return made[0][1], f"{made[0][0]}.pdf"
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, (name, data) in enumerate(made, 1):
            archive.writestr(f"{i}-{name}.pdf", data)
    return sink.getvalue(), "reports.zip"


def _run(catalogue: Catalogue, order: Order, folder: Path) -> bytes:
    targets = []
    for name in order.targets:
        if name in catalogue.files:  # a file of the browser's, known by its name alone
            (folder / f"{name}.yaml").write_text(catalogue.files[name], encoding="utf-8")
        targets.append(f"{name}.yaml" if name in catalogue.files else name)
    words = [sys.executable, "-m", "costmodel.cli.main", *command(order, "report.pdf", targets)]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise CostmodelError(f"the report took more than {PATIENCE_S // 60} minutes and was given up") from None
    if done.returncode:
        said = done.stderr.strip().removeprefix("costmodel: ").removeprefix("error: ").replace(str(folder) + os.sep, "")
        raise CostmodelError(said or f"the report failed with status {done.returncode}")
    return (folder / "report.pdf").read_bytes()


def _name(order: Order) -> str:
    one = len(order.networks) == len(order.targets) == 1
    words = f"{order.networks[0]}-{order.targets[0]}" if one else "comparison"
    return "report-" + "".join(c if c.isalnum() or c in "-_." else "-" for c in words)
