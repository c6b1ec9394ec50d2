"""Every number that a report prints is what the expression next to it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

from costmodel.reports.content.blocks import Document, Figure, check, literal, spans
from costmodel.reports.content.cells import Cell
from costmodel.reports.content.compose import document
from costmodel.reports.content.subject import Subject


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float, Fraction)):
        yield float(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from numbers_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from numbers_in(item)
    elif is_dataclass(value):
        for f in fields(value):
            yield from numbers_in(getattr(value, f.name))


def names(subject: Subject) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for line in subject.listing():
        exec(line, known)
    return known


def test_every_number_of_every_table_is_found_by_the_expressions_beside_it(subject: Subject, report: Document) -> None:
    known = names(subject)
    checked = 0
    for table in report.tables():
        found = {n for expression in table.api for n in numbers_in(eval(expression, known))}
        for row in (*table.grid.rows, *table.grid.footer):
            for cell in row.values:
                assert isinstance(cell, Cell)
                for value in cell.values:
                    assert float(value) in found, f"{table.label}: {cell.text}"
                    checked += 1
    assert checked > 300


def test_every_figure_draws_what_its_expressions_give(subject: Subject, report: Document) -> None:
    known = names(subject)
    for figure in report.figures():
        if figure.label.startswith(("fig-layers", "fig-traffic", "fig-energy")):
            given = [eval(expression, known) for expression in figure.api]
            for panel in figure.plot.panels:
                if figure.label != "fig-energy":
                    assert panel.info in given
        drawn = [n for panel in figure.plot.panels for n in _drawn(figure, panel.info)]
        found = {n for expression in figure.api for n in numbers_in(eval(expression, known))}
        assert drawn and set(drawn) <= found | {100.0}, figure.label


def _drawn(figure: Figure, info: Any) -> list[float]:
    if hasattr(info, "values"):
        return [*info.values, *info.low, *info.high]
    if hasattr(info, "series"):
        return [v for values in info.series.values() for v in values]
    if hasattr(info, "front"):
        return [v for p in info.points for v in (p.x.value, p.y.value)]
    return [v for p in info.points for v in p[:4]]


def test_no_cell_with_digits_is_without_its_number(report: Document) -> None:
    """Numbers may not be written as mere text in the columns that hold numbers."""
    for label in ("tab-headline", "tab-mul", "tab-traffic", "tab-scores-fpga", "tab-constants-0"):
        table = next(t for t in report.tables() if t.label == label)
        for row in table.grid.rows:
            for column, cell in zip(table.grid.columns, row.values, strict=True):
                if column.align == "right" and any(c.isdigit() for c in cell.text):
                    assert cell.values, f"{label}: {cell.text}"


def test_references_and_citations_resolve_in_every_kind(subject: Subject) -> None:
    for kind in ("compare", "target", "validation"):
        made = document(subject, kind, "2026-01-31")  # type: ignore[arg-type]
        check(made)
        assert all(r.text for r in made.bibliography()), kind
        assert [r.number for r in made.bibliography()] == list(range(1, len(made.bibliography()) + 1))


def test_text_from_outside_makes_no_marks() -> None:
    hostile = "a `b` **c** [[cite:nothing]] [[ref:x]]"
    assert [(s.kind, s.text) for s in spans(literal(hostile))] == [("text", hostile)]
