"""The front: non-dominated designs, each with everything that rebuilds it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.explore import evaluators
from costmodel.explore.cases import STRIDE, Case, cases
from costmodel.explore.space import DesignSpace
from costmodel.explore.sweep import Group
from costmodel.metrics import maximised, metric

if TYPE_CHECKING:
    import pandas as pd

#: Fronts up to this many members carry the folding of each; larger ones the command that finds it.
FOLDINGS_UP_TO = 5000


@dataclass(frozen=True)
class Member:
    """One design. ``settings`` are the target's, ``folding`` gives (PE, SIMD, memories) per layer where it was
    searched; ``command`` is the line that makes this design again."""

    id: int
    network: str
    target: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    command: str
    folding: Mapping[str, Mapping[str, int | str]] | None = None


class FrontPlot(NamedTuple):
    """A front as a plot needs it: what is on the axes, the points [n], and for each its design and its series."""

    title: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    series: tuple[str, ...]
    text: tuple[str, ...]
    x_maximised: bool
    y_maximised: bool


@dataclass(frozen=True, repr=False)
class Front:
    """Non-dominated designs of all targets of one kind, by the ``objectives``; of ``priced`` designs.

    ``label`` names the network or the target that the front is of; it is empty where all compete with each other.
    """

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

    def to_frame(self) -> pd.DataFrame:
        """One row per member: network, target, metrics, settings, command; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=self._columns())

    def plot(self, x: str, y: str) -> FrontPlot:
        """The members in the plane of two objectives, one series for each network and target."""
        for name in (x, y):
            if name not in self.objectives:
                raise UnknownNameError("objective", name, self.objectives)
        order = sorted(self.members, key=lambda m: (m.metrics[x], m.metrics[y]))
        return FrontPlot(
            f"{self.name}: {self.kind} designs", metric(x).label, metric(y).label,
            tuple(m.metrics[x] for m in order), tuple(m.metrics[y] for m in order),
            tuple(f"{m.network} on {m.target}" for m in order), tuple(m.command for m in order),
            maximised(x), maximised(y),
        )  # fmt: skip

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """``front-KIND.parquet`` and ``front-KIND.csv`` in a folder; each is written atomically."""
        import csv
        import io

        import pyarrow as pa
        import pyarrow.parquet as pq

        from costmodel.files import atomic_write

        rows, columns = self._rows(), self._columns()
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
        base = Path(folder) / "-".join(["front", self.kind, *([_file(self.label)] if self.label else [])])
        return [
            atomic_write(base.with_name(base.name + ".parquet"), sink.getvalue().to_pybytes()),
            atomic_write(base.with_name(base.name + ".csv"), text.getvalue()),
        ]

    def _columns(self) -> list[str]:
        return ["id", "network", "target", *self.objectives, "settings", "folding", "command"]

    def _rows(self) -> list[list[Any]]:
        import json

        return [
            [m.id, m.network, m.target, *(m.metrics[name] for name in self.objectives), json.dumps(dict(m.settings)),
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
        numbers = group.points.ids[rows] % STRIDE
        made = _members(space, found[index], numbers, group, rows, len(group.points) <= FOLDINGS_UP_TO)
        for row, member in zip(rows, made, strict=True):
            members[row] = member
    searches = {case.entry.search for case in found if case.entry.kind == group.kind}
    promise = f"of {group.priced:.3g} designs none is below this front"
    if "samples" in searches:
        promise += " (sampled foldings stand for themselves alone)"
    elif "exact" in searches:
        promise = f"complete: every one of {group.priced:.3g} designs is on or above this front, under the models used"
    known = tuple(m for m in members if m is not None)
    return Front(space.name, group.kind, group.label, group.objectives, known, group.priced, group.feasible, promise)


def _members(
    space: DesignSpace, case: Case, numbers: NDArray[np.int64], group: Group, rows: Sequence[int], foldings: bool
) -> list[Member]:
    entry, network = case.entry, case.network
    metrics = [dict(zip(group.objectives, group.points.points[row].tolist(), strict=True)) for row in rows]
    level = "" if space.level == "deployed" else " --level as-written"
    if entry.search == "grid":
        grid = list(entry.settings())
        return [
            Member(
                int(case.index * STRIDE + n), network.name, entry.target, grid[n], m,
                f"costmodel profile {network.flags} --target {entry.target}{_set(grid[n])}{level}",
            )
            for n, m in zip(numbers.tolist(), metrics, strict=True)
        ]  # fmt: skip
    if entry.kind == "asic":
        return _mapped(space, case, numbers, metrics, level)
    return _folded(space, case, numbers, metrics, foldings or entry.search == "samples")


def _mapped(
    space: DesignSpace, case: Case, numbers: NDArray[np.int64], metrics: list[dict[str, float]], level: str
) -> list[Member]:
    """Members that are mappings of a chip."""
    pricing = evaluators.evaluator(case, space.level)
    members = []
    for number, table in zip(numbers.tolist(), metrics, strict=True):
        settings = pricing.settings_of(number)
        command = f"costmodel profile {case.network.flags} --target {case.entry.target}{_set(settings)}{level}"
        members.append(
            Member(case.index * STRIDE + number, case.network.name, case.entry.target, settings, table, command)
        )
    return members


def _folded(
    space: DesignSpace, case: Case, numbers: NDArray[np.int64], metrics: list[dict[str, float]], foldings: bool
) -> list[Member]:
    """Members that are foldings: their choices are drawn again, or traced back through the exact front."""
    from costmodel.explore.compose import rebuild
    from costmodel.explore.folding import describe
    from costmodel.explore.tables import draw
    from costmodel.targets.fpga.choices import RESOLUTION, reals
    from costmodel.targets.fpga.job import capacity

    pricing = evaluators.evaluator(case, space.level)
    found, exact = pricing.space, case.entry.search == "exact"
    clocks, places = numbers // evaluators.MEMBERS, numbers % evaluators.MEMBERS
    if exact:
        points = pricing.points()
        choices = rebuild(found.design, points, places.tolist()) if foldings else None
    else:
        sizes = [len(u) for u in found.design.units]
        choices = np.concatenate([draw(sizes, case.entry.seed, int(n), 1) for n in numbers]).astype(np.int64)
    members = []
    for i, (number, table) in enumerate(zip(numbers.tolist(), metrics, strict=True)):
        folding, settings, clock = None, dict(case.settings), found.clock
        if case.clocks:
            clock = settings["clock"] = case.clocks[int(clocks[i])]
        if choices is not None:
            at = int(points.at[places[i]]) if exact else None
            interval, cost = found.design.price(choices[i], at)
            where = int(np.searchsorted(found.design.intervals, interval))
            folding = describe(found, choices[i], where, {}, "").folding
            lut, bram, dsp, _, uram = reals(cost)
        else:
            interval, bram, dsp = (int(v) for v in points.rows[places[i], :3])
            lut, uram = points.rows[places[i], 3] / RESOLUTION, points.uram[places[i]]
        flags = f"{case.network.flags} --target {case.entry.target}{_set(settings)} --memories {case.entry.memories}"
        if case.entry.max_weight_bits is not None:
            flags += f" --max-weight-bits {case.entry.max_weight_bits}"
        limits = f" --max-uram {uram:.0f}" if capacity(found.target)["uram"] else ""
        limits += f" --max-lut {np.ceil(lut):.0f} --max-bram18 {bram:.0f} --max-dsp {dsp:.0f}"
        command = f"costmodel fold {flags} --fps {clock / (interval + 0.5):.12g}{limits}"
        ident = case.index * STRIDE + number
        members.append(Member(ident, case.network.name, case.entry.target, settings, table, command, folding))
    return members


def _set(settings: Mapping[str, Any]) -> str:
    return "".join(f" --set {name}={value!r}" if not isinstance(value, str) else f" --set {name}={value}"
                   for name, value in settings.items())  # fmt: skip


def read_front(path: str | os.PathLike[str]) -> Front:
    """A front from the Parquet file that :meth:`Front.write` made."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
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
