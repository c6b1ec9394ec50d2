"""Result folders of ``costmodel explore``: clouds of up to tens of millions of designs, held as columns.

Folders are named on the command line alone; the browser knows them by number. Columns are read when they are first
asked for, as decimal logarithms in single precision, which is what a density of a logarithmic axis needs.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from costmodel.dashboard.results import title
from costmodel.errors import CostmodelError
from costmodel.metrics import METRICS, metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from costmodel.explore.front import Front, Member

#: Smallest and largest x, smallest and largest y, in units of the data.
Box = tuple[float, float, float, float]
if TYPE_CHECKING:
    #: Points [n, 2] and numbers [n] of members, for each network and target.
    Groups = dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class Series:
    """The front of one network on one target in two objectives: points [n, 2] by rising x, and for each the number of
    its member among those that were written; -1 where its settings were not."""

    network: str
    target: str
    points: NDArray[np.float64]
    members: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.network} on {self.target}" if self.target else self.network


@dataclass
class Sweep:
    """One folder. ``fronts`` are its results, ``objectives`` what its parts have as columns. A folder of fronts alone,
    as they are shipped, has no cloud."""

    folder: Path
    title: str = ""
    _columns: dict[tuple[str, bool], NDArray[np.float32]] = field(default_factory=dict)
    _fronts: dict[tuple[str, str], list[Series]] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    @property
    def name(self) -> str:
        return self.title or self.folder.resolve().name

    @cached_property
    def parts(self) -> list[Path]:
        """The Parquet parts; raises :class:`CostmodelError` that says what is wrong with the folder."""
        if not self.folder.is_dir():
            raise CostmodelError(
                f"there is no folder {self.folder}: give the result folder of costmodel explore -o DIR"
            )
        manifest = self.folder / "manifest.json"
        if manifest.exists():
            try:
                json.loads(manifest.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                raise CostmodelError(f"{self.name}: manifest.json is broken; run costmodel explore --resume") from None
        found = sorted(self.folder.glob("parts/part-*.parquet"))
        if not found and not any(self.folder.glob("front-*.parquet")):
            raise CostmodelError(f"{self.name} holds no finished parts: run costmodel explore SPACE.yaml -o DIR first")
        return found

    @cached_property
    def _schemas(self) -> list[tuple[Path, frozenset[str]]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        found = []
        for path in self.parts:
            try:
                found.append((path, frozenset(pq.read_schema(path).names)))
            except (OSError, pa.ArrowException):
                continue  # a part that was being written when its writer died
        if not found and self.parts:
            raise CostmodelError(f"none of the parts of {self.name} can be read; run costmodel explore --resume")
        return found

    @cached_property
    def broken(self) -> int:
        return len(self.parts) - len(self._schemas)

    @cached_property
    def objectives(self) -> list[str]:
        of_parts = [n for _, names in self._schemas for n in sorted(names)]
        every = of_parts or [n for front in self.fronts for n in front.objectives]
        return [n for n in dict.fromkeys(every) if n in METRICS]

    @cached_property
    def size(self) -> int:
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(path).num_rows for path, _ in self._schemas)

    @cached_property
    def fronts(self) -> list[Front]:
        from costmodel.explore.front import read_front

        found = []
        for path in sorted(self.folder.glob("front-*.parquet")):
            try:
                found.append(read_front(path))
            except CostmodelError:
                continue
        return found

    def column(self, name: str, log: bool, beside: str) -> NDArray[np.float32]:
        """A column of the parts that also have ``beside``; its logarithm where ``log``."""
        import numpy as np
        import pyarrow.parquet as pq

        key = f"{name}|{beside if beside != name else ''}", log
        with self._lock:
            if key not in self._columns:
                paths = [path for path, names in self._schemas if {name, beside} <= names]
                pieces = [chunk for p in paths for chunk in pq.read_table(p, columns=[name]).column(0).chunks]
                values = np.empty(sum(len(piece) for piece in pieces), np.float32)
                begin = 0
                for piece in pieces:
                    values[begin : begin + len(piece)] = piece.to_numpy(zero_copy_only=False)
                    begin += len(piece)
                if log:
                    with np.errstate(divide="ignore", invalid="ignore"):
                        np.log10(values, out=values)
                self._columns[key] = values
            return self._columns[key]

    @cached_property
    def members(self) -> list[Member]:
        """The members of all fronts that were written, their networks by the names that they have here."""
        from costmodel.explore.networks import of_command

        names: dict[str, str] = {}
        found = []
        for m in (m for front in self.fronts for m in front.members):
            if m.network not in names:
                network = of_command(m.command)
                names[m.network] = title(network.model, dict(network.arguments)) or m.network
            found.append(m if names[m.network] == m.network else replace(m, network=names[m.network]))
        return found

    def series(self, x: str, y: str) -> list[Series]:
        """The front of every network on every target, as they were explored: no network hides another's.

        The first row group of a part is its front in all of its objectives, and no design that it stands for is better
        in two of them than all of that front's members. The number of a design says of which case of the space it is,
        and the members that were written name the cases.
        """
        if (x, y) not in self._fronts:
            groups = self._of_parts(x, y) if self.parts else self._of_fronts(x, y)
            self._fronts[x, y] = [_series(*who, *found, x, y) for who, found in groups.items()]
        return self._fronts[x, y]

    def front(self, x: str, y: str) -> NDArray[np.float64]:
        """The points [n, 2] of all :meth:`series`, in units of the data, by rising x."""
        import numpy as np

        points = np.concatenate([np.zeros((0, 2)), *(series.points for series in self.series(x, y))])
        return points[np.argsort(points[:, 0], kind="stable")]

    def _of_fronts(self, x: str, y: str) -> Groups:
        import numpy as np

        rows: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
        for number, m in enumerate(self.members):
            if x in m.metrics and y in m.metrics:
                rows.setdefault((m.network, m.target), []).append((m.metrics[x], m.metrics[y], number))
        return {
            who: (np.array([row[:2] for row in found]), np.array([row[2] for row in found]))
            for who, found in rows.items()
        }

    def _of_parts(self, x: str, y: str) -> Groups:
        import numpy as np
        import pyarrow.parquet as pq

        from costmodel.explore.cases import STRIDE

        numbers = {m.id: i for i, m in enumerate(self.members)}
        named = self._cases()
        pieces: dict[tuple[str, str], list[tuple[NDArray[np.float64], NDArray[np.int64]]]] = {}
        for path in (path for path, names in self._schemas if {x, y} <= names):
            with pq.ParquetFile(path) as file:
                if not file.num_row_groups:
                    continue
                table = file.read_row_group(0, columns=list(dict.fromkeys((x, y, "id"))))
                points = np.column_stack([table.column(x).to_numpy(), table.column(y).to_numpy()])
                ids = table.column("id").to_numpy()
                for case in np.unique(ids // STRIDE).tolist():
                    rows = ids // STRIDE == case
                    of = np.array([numbers.get(i, -1) for i in ids[rows].tolist()], np.int64)
                    pieces.setdefault(named.get(case, (f"case {case}", "")), []).append((points[rows], of))
        return {
            who: (np.concatenate([p for p, _ in found]), np.concatenate([n for _, n in found]))
            for who, found in pieces.items()
        }

    def _cases(self) -> dict[int, tuple[str, str]]:
        """The network and the target of each case of the space, by its number. Members name theirs; of a case without a
        member, which others dominate, the manifest knows, as long as it agrees with all members."""
        from costmodel.explore.cases import STRIDE

        written = {m.id // STRIDE: (m.network, m.target) for m in self.members}
        try:
            space = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))["space"]
            networks = [title(model, dict(arguments)) for model, arguments, *_ in space["networks"]]
            told = [
                (n, t)
                for n in networks
                for t, axes, search, *_ in space["entries"]
                for _ in range(_many(t, axes, search))
            ]
        except (OSError, ValueError, KeyError, TypeError, CostmodelError):
            return written
        agrees = all(number < len(told) and told[number] == who for number, who in written.items())
        return dict(enumerate(told)) if agrees else written

    def inside(self, x: str, y: str, x_log: bool, y_log: bool, box: Box, limit: int) -> tuple[int, Any, Any]:
        """How many designs lie in a box of data, and at most ``limit`` of them, evenly taken, as (x, y)."""
        import numpy as np

        sides = ((x, x_log, y, box[0], box[1]), (y, y_log, x, box[2], box[3]))
        keep: Any = True
        columns = []
        for name, log, beside, low, high in sides:
            values = self.column(name, log, beside)
            if log:
                low, high = (float(np.log10(max(v, 1e-300))) for v in (low, high))
            keep = keep & (values >= np.float32(low)) & (values <= np.float32(high))
            columns.append((values, log))
        rows = np.flatnonzero(keep)
        taken = rows[:: max(1, -(-len(rows) // limit))]
        xs, ys = (
            10.0 ** values[taken].astype(float) if log else values[taken].astype(float) for values, log in columns
        )
        return len(rows), xs, ys

    def window(self, x: str, y: str, x_log: bool, y_log: bool) -> tuple[float, float, float, float] | None:
        """The extent (x0, x1, y0, y1) of the cloud with a small margin; None where there is nothing finite."""
        import numpy as np

        bounds: list[float] = []
        for name, log, beside in ((x, x_log, y), (y, y_log, x)):
            values = self.column(name, log, beside)
            low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
            if not (np.isfinite(low) and np.isfinite(high)):
                values = values[np.isfinite(values)]
                if not len(values):
                    return None
                low, high = float(values.min()), float(values.max())
            margin = 0.02 * (high - low) or 0.5
            bounds += [low - margin, high + margin]
        return bounds[0], bounds[1], bounds[2], bounds[3]


def _many(target: str, axes: list[Any], search: str) -> int:
    """How many cases (:func:`costmodel.explore.cases.cases`) an entry of a space makes of each network."""
    from costmodel.targets import load_target

    if search == "grid" or (search == "exact" and load_target(target).kind == "asic"):
        return 1
    return math.prod(len(values) for name, values in axes if search == "samples" or name != "clock")


def _series(
    network: str, target: str, points: NDArray[np.float64], numbers: NDArray[np.int64], x: str, y: str
) -> Series:
    import numpy as np

    from costmodel.explore.pareto import nondominated

    kept = nondominated(points, maximise=[metric(x).maximised, metric(y).maximised])
    points, numbers = points[kept], numbers[kept]
    order = np.argsort(points[:, 0], kind="stable")
    return Series(network, target, points[order], tuple(numbers[order].tolist()))


def open_folders(folders: list[Path]) -> list[Sweep]:
    """The sweeps of the user, and after them the exact fronts that are shipped, a folder per data set."""
    from costmodel.explore.reference import RESULTS

    shipped = [Sweep(f, f"exact fronts, {f.name}") for f in sorted(RESULTS.glob("*")) if any(f.glob("front-*.parquet"))]
    return [*(Sweep(folder) for folder in folders), *shipped]
