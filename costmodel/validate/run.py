"""Which module estimates which rows.

A module of cases has ``results(rows, announce) -> list[Result | Skipped]``: it takes the rows that it knows and leaves
the others alone. It profiles networks through :func:`costmodel.profile`, so that a second run answers from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from costmodel.errors import UnknownNameError
from costmodel.validate.report import Report
from costmodel.validate.rows import Result, Skipped, load_rows

Announce = Callable[[str], None]

#: kind -> modules that know its rows
CASES: dict[str, tuple[str, ...]] = {
    "counts": ("costmodel.validate.cases_counts",),
    "arm": ("costmodel.validate.cases_arm", "costmodel.validate.cases_libraries"),
    "cpu": ("costmodel.validate.cases_cpu",),
    "fpga": ("costmodel.validate.cases_fpga",),
    "asic": ("costmodel.validate.cases_asic",),
}
KINDS = tuple(CASES)


def validate(kinds: Sequence[str] = KINDS, announce: Announce | None = None) -> Report:
    """Estimate every row of the given kinds. ``announce`` is called with a line before each step that takes time.

    Raises :class:`UnknownNameError` for a kind that does not exist.
    """
    for kind in kinds:
        if kind not in CASES:
            raise UnknownNameError("kind of cases", kind, KINDS, f"Choose from {', '.join(KINDS)}.")
    rows = load_rows()
    results: list[Result] = []
    skipped: list[Skipped] = []
    for kind in kinds:
        for module in CASES[kind]:
            for found in import_module(module).results(rows, announce or (lambda _: None)):
                (results if isinstance(found, Result) else skipped).append(found)
    return Report(tuple(results), tuple(skipped))
