"""Which published rows constants may see: drawn by design, with a seed, before any constant is touched.

    python -m costmodel.validate.split            # what the draw says of every row that belongs to one
    python -m costmodel.validate.split --write    # fill in the rows whose split is still empty

A row of ``ground_truth.csv`` with a ``draw`` belongs to a stratum: rows of one kind that came in together. Rows of one
``design`` (a network on a device with a library, a chip) stay together. Of the designs of a stratum, in the order of
the hash of their names and the seed, the first half is calibration, the other half, the larger one, is held out. A row
may later become calibration because a constant came to use it, never hold-out.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from costmodel.files import atomic_write

SEED = 2024
FILE = Path(__file__).with_name("ground_truth.csv")


def drawn(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """The split of every row with a draw, by its identifier."""
    strata: dict[str, set[str]] = {}
    for row in rows:
        if row["draw"]:
            strata.setdefault(row["draw"], set()).add(row["design"])
    chosen: set[tuple[str, str]] = set()
    for stratum, designs in strata.items():
        order = sorted(designs, key=lambda design: _rank(stratum, design))
        chosen.update((stratum, design) for design in order[: len(order) // 2])
    return {
        row["id"]: "calibration" if (row["draw"], row["design"]) in chosen else "hold-out"
        for row in rows
        if row["draw"]
    }


def _rank(stratum: str, design: str) -> str:
    return hashlib.sha256(f"{SEED} {stratum} {design}".encode()).hexdigest()


def main() -> None:
    with FILE.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names, rows = list(reader.fieldnames or ()), list(reader)
    splits = drawn(rows)
    for row in rows:
        if row["draw"]:
            print(f"{splits[row['id']]:11s} {row['draw']:24s} {row['design']}")
            row["split"] = row["split"] or splits[row["id"]]
    if "--write" in sys.argv[1:]:
        atomic_write(FILE, _text(names, rows))


def _text(names: Sequence[str], rows: Sequence[dict[str, str]]) -> str:
    out = StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


if __name__ == "__main__":
    main()
