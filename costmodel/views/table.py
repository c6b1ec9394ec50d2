"""Tables as data, and how files hold them: Markdown and CSV; :mod:`costmodel.views.latex` is for papers, ``text`` for
terminals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from costmodel.views.numbers import plain

Align = Literal["left", "right"]
Style = Literal["plain", "bold", "dim", "title", "good", "bad", "warn"]


@dataclass(frozen=True)
class Column:
    """``key`` names the column in JSON and CSV, ``title`` everywhere else; ``show`` turns a value into text.

    ``prose`` may go on below itself where a terminal is too narrow; columns with ``spare`` go, the lowest number first,
    where that does not do.
    """

    key: str
    title: str
    align: Align = "right"
    show: Callable[[Any], str] = plain
    prose: bool = False
    spare: int = 0


@dataclass(frozen=True)
class Row:
    """One value per column. ``label`` is what the first cell says where people read it. ``subtotal``: of other rows."""

    values: Sequence[Any]
    style: Style = "plain"
    label: str = ""
    subtotal: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns, a title above, ``alerts`` and then ``notes`` below. A rule sets ``footer`` rows apart."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    footer: Sequence[Row] = ()
    notes: Sequence[str] = ()
    alerts: Sequence[str] = ()

    def records(self) -> list[dict[str, Any]]:
        """Rows as dictionaries of raw values, without subtotals and footer: they add up."""
        keys = [c.key for c in self.columns]
        return [dict(zip(keys, row.values, strict=True)) for row in self.rows if not row.subtotal]

    def texts(self, row: Row) -> list[str]:
        cells = [c.show(v) for c, v in zip(self.columns, row.values, strict=True)]
        return [row.label or cells[0], *cells[1:]]


def to_markdown(table: Table) -> str:
    """A pipe table under a heading; notes follow as paragraphs."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    lines = [f"### {table.title}", ""] if table.title else []
    if not table.columns:
        return "\n\n".join([*lines[:1], *table.alerts, *table.notes]) + "\n"
    lines.append(line([c.title for c in table.columns]))
    lines.append(line(["---" if c.align == "left" else "--:" for c in table.columns]))
    lines += [line(table.texts(row)) for row in table.rows]
    lines += [line([f"**{cell}**" if cell else "" for cell in table.texts(row)]) for row in table.footer]
    for text in (*table.alerts, *table.notes):
        lines += ["", text]
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Raw values under the columns' keys, without subtotals and footer: every column adds up."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, [c.key for c in table.columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.records())
    return out.getvalue()


def tree_labels(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Each path's last part after the branches that lead to it; ``paths`` are in order, parents before children."""
    last: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path in paths:
        for depth in range(len(path)):
            last[path[:depth]] = path[: depth + 1]
    labels = []
    for path in paths:
        more = [last[path[:depth]] != path[: depth + 1] for depth in range(len(path))]
        stem = "".join("│  " if each else "   " for each in more[:-1])
        labels.append(stem + ("├─ " if more[-1] else "└─ ") + path[-1] if path else "")
    return labels
