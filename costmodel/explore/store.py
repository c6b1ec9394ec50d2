"""Results of a sweep in a folder: Parquet parts that appear atomically, and a manifest of the space.

DIR/manifest.json           the space, the version of the format and of the models
DIR/parts/part-*.parquet    one chunk each: its front in the first row group, what is kept next to it in the others, and
                            how many designs it stands for
DIR/front-*.parquet, .csv   the result

A part carries the digest of everything that it depends on, and one of its own bytes: what is of other inputs, or
damaged, is not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.explore.folders import folder as folder_of
from costmodel.explore.keys import FORMAT, digest
from costmodel.explore.pareto import PointSet
from costmodel.explore.space import DesignSpace
from costmodel.explore.tasks import Chunk, Result

#: What stands in front of the digest of a part among its bytes, and what stands there while it is computed.
_SEAL = b"costmodel-part-sha256:"
_BLANK = b"0" * 64
MANIFEST = "manifest.json"


class Store:
    """The folder of one sweep."""

    def __init__(self, place: str | os.PathLike[str], space: DesignSpace, keep: int = 0) -> None:
        self.folder, self.space, self.keep = folder_of(place), space, keep

    def open(self, resume: bool) -> None:
        """Create the folder, or check that what is there belongs to this space.

        Raises :class:`CostmodelError`, and changes nothing, for a folder with other results.
        """
        mine = {"format": FORMAT, "space": self.space.document(), "keep_points": self.keep}
        there = self.folder.names()
        if MANIFEST in there:
            theirs = self._manifest()
            if theirs is None and not resume:
                raise CostmodelError(
                    f"{self.folder}/{MANIFEST} is damaged. Its parts can be used: continue with --resume, or choose "
                    "another folder."
                )
            if theirs is not None:
                self._check(theirs, mine, resume)
        elif "parts" in there and resume:
            theirs = None
        elif there:
            raise CostmodelError(f"{self.folder} is not empty and has no {MANIFEST}. Choose an empty or new folder.")
        else:
            theirs = None
        if theirs is None:
            mine = json.loads(json.dumps(mine))
            self.folder.write(MANIFEST, json.dumps({**mine, "sha256": digest(mine)}, indent=1).encode())
        self.folder.clean()

    def _check(self, theirs: Mapping[str, Any], mine: Mapping[str, Any], resume: bool) -> None:
        for key, what in (("format", "format"), ("space", "space")):
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
                f"{self.folder} already holds results of this space. Continue with --resume, or choose another folder."
            )

    def _manifest(self) -> dict[str, Any] | None:
        """What the manifest says; None where it is damaged."""
        try:
            data = json.loads((self.folder.read(MANIFEST) or b"").decode("utf-8"))
            seal = data.pop("sha256", None)
            # Those of earlier formats have no digest, and are not resumed.
            return data if seal == digest(data) or data.get("format") in (1, 2) else None
        except (ValueError, AttributeError, TypeError):
            return None

    def name(self, chunk: Chunk) -> str:
        return f"parts/part-{chunk.name}.parquet"

    def path(self, chunk: Chunk) -> Path:
        """The path of a part in a folder of this machine."""
        return Path(f"{self.folder}/{self.name(chunk)}")

    def write(self, chunk: Chunk, key: str, result: Result, names: tuple[str, ...]) -> None:
        """Write one part, atomically; raises :class:`CostmodelError` when the disk is full."""
        counts = {"priced": str(result.priced), "feasible": str(result.feasible), "key": key,
                  "unproven": result.unproven}  # fmt: skip
        counts["seal"] = (_SEAL + _BLANK).decode()
        data = table_bytes([result.points, result.kept], names, counts)
        self.folder.write(self.name(chunk), data.replace(_SEAL + _BLANK, _SEAL + _digest(data), 1))

    def read(self, chunk: Chunk, key: str | None = None) -> Result | None:
        """A part that is there, without what is kept next to its front; None where it is missing, damaged, or of
        another ``key``."""
        import io

        import pyarrow.parquet as pq

        data = self.folder.read(self.name(chunk))
        if data is None or not _whole(data):
            return None
        try:
            with pq.ParquetFile(io.BytesIO(data)) as file:
                table = file.read_row_group(0) if file.num_row_groups else file.read()
                counts = file.schema_arrow.metadata or {}
            if key is not None and counts[b"key"] != key.encode():
                return None
            columns = [table.column(name).to_numpy() for name in table.column_names if name != "id"]
            points = np.column_stack(columns) if columns else np.zeros((table.num_rows, 0))
            ids = table.column("id").to_numpy()
            priced, feasible = int(counts[b"priced"]), int(counts[b"feasible"])
            return Result(PointSet(points, ids), priced, feasible, None, counts[b"unproven"].decode())
        except Exception:  # a part of another program: it is priced again
            return None

    def there(self) -> set[str]:
        """Names of all parts."""
        return set(self.folder.names("parts"))


def _digest(data: bytes) -> bytes:
    """The digest of a part whose own digest is blank."""
    return hashlib.sha256(data).hexdigest().encode()


def _whole(data: bytes) -> bool:
    """Whether a part is, bit for bit, what was written."""
    found = list(re.finditer(re.escape(_SEAL) + rb"([0-9a-f]{64})", data))
    if len(found) != 1:
        return False
    begin, end = found[0].span(1)
    return _digest(data[:begin] + _BLANK + data[end:]) == data[begin:end]


def table_bytes(sets: Sequence[PointSet | None], names: tuple[str, ...], metadata: Mapping[str, str]) -> bytes:
    """A Parquet file with the ids and one column per objective, compressed.

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
    return bytes(sink.getvalue().to_pybytes())
