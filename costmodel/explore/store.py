"""Results of a sweep on disk: Parquet parts that are written atomically, and a manifest that binds them to a space.

DIR/manifest.json           the space, the version of the format and of the models
DIR/parts/part-*.parquet    one chunk each: its front in the first row group, what is kept next to it in the others, and
                            how many designs it stands for
DIR/front-*.parquet, .csv   the result
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.explore.pareto import PointSet
from costmodel.explore.space import DesignSpace
from costmodel.explore.tasks import Chunk, Result
from costmodel.files import atomic_write

#: Raised with every change of the format of parts or of the numbering of designs.
FORMAT = 2


def code_version() -> str:
    """Digest of everything that decides a price: this package and the targets' files."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in (root / "targets", root / "explore", root / "ledger", Path(_specs())):
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".yaml")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _specs() -> str:
    from importlib.resources import files

    return str(files("costmodel.arch_specs"))


class Store:
    """The folder of one sweep."""

    def __init__(self, folder: str | os.PathLike[str], space: DesignSpace, keep: int = 0) -> None:
        self.folder, self.space, self.keep = Path(folder), space, keep
        self.parts = self.folder / "parts"

    def open(self, resume: bool) -> None:
        """Create the folder, or check that what is there belongs to this space and version.

        Raises :class:`CostmodelError`, and changes nothing, for a folder with other results.
        """
        manifest = self.folder / "manifest.json"
        mine = {"format": FORMAT, "code": code_version(), "space": self.space.document(), "keep_points": self.keep}
        if manifest.exists():
            theirs = _read(manifest)
            for key, what in (("format", "format"), ("code", "version of the models"), ("space", "space")):
                if theirs.get(key) != json.loads(json.dumps(mine[key])):
                    raise CostmodelError(
                        f"{self.folder} holds results of another {what}. They are untouched: choose another folder, "
                        "or delete this one to start anew."
                    )
            if theirs.get("keep_points") != self.keep:
                raise CostmodelError(
                    f"the parts in {self.folder} keep {theirs.get('keep_points', 0)} points next to the fronts, and "
                    f"{self.keep} are asked for. Continue with the same --keep-points, or choose another folder."
                )
            if not resume:
                raise CostmodelError(
                    f"{self.folder} already holds results of this space. Continue with --resume, or choose another "
                    "folder."
                )
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise CostmodelError(f"{self.folder} is not empty and has no manifest.json. Choose an empty or new folder.")
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CostmodelError(f"cannot create {self.parts}: {error.strerror or error}") from error
        atomic_write(manifest, json.dumps(mine, indent=1))

    def path(self, chunk: Chunk) -> Path:
        return self.parts / f"part-{chunk.name}.parquet"

    def write(self, chunk: Chunk, result: Result, names: tuple[str, ...]) -> None:
        """Write one part, atomically; raises :class:`CostmodelError` when the disk is full."""
        counts = {"priced": str(result.priced), "feasible": str(result.feasible)}
        write_table(self.path(chunk), [result.points, result.kept], names, counts)

    def read(self, chunk: Chunk) -> Result | None:
        """A part that is there, without what is kept next to its front; None where it is missing or cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(chunk)
        if not path.exists():
            return None
        try:
            with pq.ParquetFile(path) as file:
                table = file.read_row_group(0) if file.num_row_groups else file.read()
                counts = file.schema_arrow.metadata or {}
            columns = [table.column(name).to_numpy() for name in table.column_names if name != "id"]
            points = np.column_stack(columns) if columns else np.zeros((table.num_rows, 0))
            ids = table.column("id").to_numpy()
            return Result(PointSet(points, ids), int(counts[b"priced"]), int(counts[b"feasible"]))
        except (OSError, KeyError, pa.ArrowException):
            return None

    def clean(self) -> None:
        """Remove what interrupted writers left behind."""
        for path in self.parts.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                path.unlink()


def write_table(
    path: Path, sets: Sequence[PointSet | None], names: tuple[str, ...], metadata: Mapping[str, str]
) -> None:
    """A Parquet file with the ids and one column per objective, compressed, renamed into place when complete.

    The first of ``sets`` is the first row group, empty or not.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in names)], dict(metadata))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for number, points in enumerate(sets):
            if points is not None and (len(points) or number == 0):
                columns = [points.ids, *(points.points[:, j] for j in range(len(names)))]
                writer.write_table(pa.table(columns, schema=schema))
    atomic_write(path, sink.getvalue().to_pybytes())


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CostmodelError(f"cannot read {path}: {error}. Choose another folder, or delete this one.") from error
    return data if isinstance(data, dict) else {}
