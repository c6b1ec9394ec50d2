"""The measured and published figures, and what an estimate says next to each."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from costmodel.errors import CostmodelError
from costmodel.targets.quantity import Interval

#: ``calibration`` rows set a value or a bound of a constant; ``hold-out`` rows no constant has seen; ``exact`` rows
#: must be met to their last printed digit; ``reference`` rows are published figures that follow another rule: shown,
#: not scored.
Split = Literal["calibration", "hold-out", "exact", "reference"]


@dataclass(frozen=True, slots=True)
class Row:
    """One published or measured figure. ``target`` says on what and how, ``confidence`` is that of specs.

    ``draw`` and ``design`` are the stratum and the unit of :mod:`costmodel.validate.split`, empty where a row was there
    before the draws.
    """

    id: str
    kind: str
    model: str
    target: str
    metric: str
    value: float
    unit: str
    split: Split
    source: str
    confidence: str
    draw: str = ""
    design: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its estimate, in the row's unit.

    ``group`` are rows that are scored together. ``baselines`` are simpler estimators of the same figure. ``left_out``
    is the estimate after the fitted constants were fitted anew to every row of the group but those of this network.
    ``target`` is the target of this tool that was asked.
    """

    row: Row
    group: str
    estimate: Interval
    baselines: Mapping[str, float] = field(default_factory=dict)
    left_out: float | None = None
    note: str = ""
    target: str = ""

    @property
    def kind(self) -> str:
        """What is compared, without the board: what stands before the comma of the group."""
        return self.group.split(",", 1)[0]

    @property
    def error(self) -> float:
        """Relative error, positive where the estimate is too high; of a zero row, zero or infinite."""
        return relative_error(self.estimate.value, self.row.value)

    @property
    def covered(self) -> bool:
        return self.row.value in self.estimate


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is not estimated, and why."""

    row: Row
    why: str


def relative_error(estimate: float, measured: float) -> float:
    if measured == 0:
        return 0.0 if estimate == 0 else float("inf")
    return estimate / measured - 1.0


@lru_cache(maxsize=1)
def load_rows() -> tuple[Row, ...]:
    """All rows, in the order of the file. Raises :class:`CostmodelError` where the file is damaged."""
    path = Path(__file__).with_name("ground_truth.csv")
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, record in enumerate(csv.DictReader(file), start=2):
            try:
                if record["split"] not in get_args(Split):
                    raise ValueError(f"split {record['split']!r}")
                rows.append(Row(**{**record, "value": float(record["value"])}))  # type: ignore[arg-type]
            except (KeyError, TypeError, ValueError) as error:
                raise CostmodelError(f"{path}, line {number}: {error}") from error
    return tuple(rows)
