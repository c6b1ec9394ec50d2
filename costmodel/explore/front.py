"""The front: non-dominated designs, each with everything that rebuilds it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore.cases import STRIDE, cases
from costmodel.explore.folders import folder as folder_of
from costmodel.explore.members import Member as Member
from costmodel.explore.members import members_of
from costmodel.explore.space import DesignSpace
from costmodel.explore.sweep import Group
from costmodel.metrics import maximised
from costmodel.noun import Noun

#: Fronts up to this many members carry the folding of each; larger ones the command that finds it.
FOLDINGS_UP_TO = 5000
#: Columns of where an accuracy comes from, in fronts that are judged by it.
EVIDENCE = ("data", "accuracy_kind", "epochs", "accuracy_source")


@dataclass(frozen=True, repr=False)
class Front(Noun):
    """Non-dominated designs of all targets of one kind, by the ``objectives``; of ``priced`` designs.

    ``label`` names the network or the target that the front is of; it is empty where all compete with each other.

    Tables (``by``): ``member`` (network, target, objectives, settings, folding, and the command that makes it again).
    """

    _VIEW = "costmodel.explore.views:front_view"

    name: str
    kind: str
    label: str
    objectives: tuple[str, ...]
    members: tuple[Member, ...]
    priced: int
    feasible: int
    guarantee: str

    def __repr__(self) -> str:
        name = " ".join(filter(None, (self.name, self.kind, self.label)))
        return f"<Front {name}: {len(self)} of {self.priced} designs by {', '.join(self.objectives)}>"

    def __len__(self) -> int:
        return len(self.members)

    def points(self) -> NDArray[np.float64]:
        """Objectives [n, d] of the members."""
        return np.array([[m.metrics[name] for name in self.objectives] for m in self.members]).reshape(
            -1, len(self.objectives)
        )

    def best(self, objective: str) -> Member:
        """The member that is best in one objective."""
        if objective not in self.objectives:
            raise UnknownNameError("objective", objective, self.objectives)
        pick = max if maximised(objective) else min
        return pick(self.members, key=lambda m: m.metrics[objective])

    def write(self, folder: str | os.PathLike[str]) -> list[Path | str]:
        """``front-KIND.parquet`` and ``front-KIND.csv`` in a folder; each is written atomically."""
        import csv
        import io

        import pyarrow as pa
        import pyarrow.parquet as pq

        rows, columns = self.rows(), self.columns()
        table = pa.table({c: [row[i] for row in rows] for i, c in enumerate(columns)})
        metadata = {
            "name": self.name, "kind": self.kind, "label": self.label, "guarantee": self.guarantee,
            "priced": str(self.priced), "feasible": str(self.feasible), "objectives": ",".join(self.objectives),
        }  # fmt: skip
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([columns, *rows])
        name, place = "-".join(["front", self.kind, *([_file(self.label)] if self.label else [])]), folder_of(folder)
        files = {f"{name}.parquet": sink.getvalue().to_pybytes(), f"{name}.csv": text.getvalue().encode()}
        written = [place.write(file, data) for file, data in files.items()]
        return [path if "://" in path else Path(path) for path in written]

    @property
    def _evidence(self) -> tuple[str, ...]:
        return EVIDENCE if "accuracy" in self.objectives else ()

    def columns(self) -> list[str]:
        """What :meth:`rows` hold of each member; objectives are in SI units, which end their names."""
        return ["id", "network", "target", *self.objectives, *self._evidence, "settings", "folding", "command"]

    def rows(self) -> list[list[Any]]:
        """The members, each as flat values."""
        import json

        return [
            [m.id, m.network, m.target, *(m.metrics[name] for name in self.objectives),
             *(m.evidence.get(name, "") for name in self._evidence), json.dumps(dict(m.settings)),
             json.dumps(m.folding) if m.folding else "", m.command] for m in self.members
        ]  # fmt: skip


def front_of(space: DesignSpace, group: Group) -> Front:
    """The members behind the merged points of a sweep."""
    found = cases(space)
    by_case: dict[int, list[int]] = {}
    for row, number in enumerate(group.points.ids // STRIDE):
        by_case.setdefault(int(number), []).append(row)
    members: list[Member | None] = [None] * len(group.points)
    for index, rows in by_case.items():
        points = group.points.points[rows].tolist()
        metrics = [dict(zip(group.objectives, point, strict=True)) for point in points]
        foldings = len(group.points) <= FOLDINGS_UP_TO
        made = members_of(space, found[index], group, group.points.ids[rows] % STRIDE, metrics, foldings)
        for row, member in zip(rows, made, strict=True):
            members[row] = member
    known = tuple(m for m in members if m is not None)
    promise = _promise(space, group)
    return Front(space.name, group.kind, group.label, group.objectives, known, group.priced, group.feasible, promise)


def _promise(space: DesignSpace, group: Group) -> str:
    """What the front promises, in one sentence."""
    here = [c for c in cases(space) if space.front_of(c.network, c.entry) == (group.kind, group.label)]
    searches = {case.entry.search for case in here}
    if group.unproven:
        return f"not proven complete: {'; '.join(group.unproven)}; none of those that were looked at is better"
    if "samples" in searches:
        return f"of {group.priced:.3g} designs none is below this front (sampled foldings stand for themselves alone)"
    if "exact" in searches:
        return f"complete: every one of {group.priced:.3g} designs is on or above this front, under the models used"
    left = group.priced - group.feasible
    why = f"; {left:.3g} cannot be built or judged, or break a constraint" if left else ""
    return f"of {group.priced:.3g} design{'s' * (group.priced != 1)} none is below this front{why}"


def read_front(path: str | os.PathLike[str]) -> Front:
    """A front from the Parquet file that :meth:`Front.write` made."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CostmodelError(f"cannot read the front {path}: {error}") from error
    metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    if "objectives" not in metadata:
        raise CostmodelError(f"{path} is not a front: make one with `costmodel explore SPACE.yaml -o DIR`")
    objectives = tuple(metadata["objectives"].split(","))
    members = tuple(
        Member(
            row["id"], row["network"], row["target"], json.loads(row["settings"]),
            {name: row[name] for name in objectives}, row["command"],
            json.loads(row["folding"]) if row["folding"] else None,
            {name: row[name] for name in EVIDENCE if name in row},
        )
        for row in table.to_pylist()
    )  # fmt: skip
    return Front(
        metadata["name"], metadata["kind"], metadata["label"], objectives, members, int(metadata["priced"]),
        int(metadata["feasible"]), metadata["guarantee"],
    )  # fmt: skip


def _file(name: str) -> str:
    """A network's name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_.=" else "-" for c in name)
