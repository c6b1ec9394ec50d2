"""Result folders of ``costmodel explore``: clouds of up to tens of millions of designs, held as columns.

Folders are named on the command line alone; the browser knows them by number. Columns are read when they are first
asked for, as decimal logarithms in single precision, which is what a density of a logarithmic axis needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.metrics import METRICS, metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from costmodel.explore.front import Front

#: Smallest and largest x, smallest and largest y, in units of the data.
Box = tuple[float, float, float, float]


@dataclass
class Sweep:
    """One folder. ``fronts`` are its results, ``objectives`` what its parts have as columns."""

    folder: Path
    _columns: dict[tuple[str, bool], NDArray[np.float32]] = field(default_factory=dict)
    _fronts: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    @property
    def name(self) -> str:
        return self.folder.resolve().name

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
        if not found:
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
        if not found:
            raise CostmodelError(f"none of the parts of {self.name} can be read; run costmodel explore --resume")
        return found

    @cached_property
    def broken(self) -> int:
        return len(self.parts) - len(self._schemas)

    @cached_property
    def objectives(self) -> list[str]:
        return list(dict.fromkeys(n for _, names in self._schemas for n in sorted(names) if n in METRICS))

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

    def front(self, x: str, y: str) -> NDArray[np.float64]:
        """The front [n, 2] of all designs in two objectives, in units of the data, by rising x.

        The first row group of a part is its front in all of its objectives, and no design that it stands for is better
        in two of them than all of that front's members.
        """
        import numpy as np
        import pyarrow.parquet as pq

        from costmodel.explore.pareto import nondominated

        if (x, y) not in self._fronts:
            pieces = [np.zeros((0, 2))]
            for path in (path for path, names in self._schemas if {x, y} <= names):
                with pq.ParquetFile(path) as file:
                    if file.num_row_groups:
                        table = file.read_row_group(0, columns=list(dict.fromkeys((x, y))))
                        pieces.append(np.column_stack([table.column(x).to_numpy(), table.column(y).to_numpy()]))
            points = np.concatenate(pieces)
            found = points[nondominated(points, maximise=[metric(x).maximised, metric(y).maximised])]
            self._fronts[x, y] = found[np.argsort(found[:, 0])]
        return self._fronts[x, y]

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


def open_folders(folders: list[Path]) -> list[Sweep]:
    return [Sweep(folder) for folder in folders]
