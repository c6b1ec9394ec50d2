"""The same tables for notebooks, as plain HTML that takes the notebook's own fonts and colours."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from costmodel.views import bill, counts, numbers
from costmodel.views.statements import caveats, hidden_multiplications
from costmodel.views.table import Table
from costmodel.views.words import title

if TYPE_CHECKING:
    from costmodel.ledger.ledger import Profile
    from costmodel.targets.estimate import Estimate


def profile_html(profile: Profile) -> str:
    """Operations by layer as deployed; what the rewrites removed; what could not be counted."""
    show = numbers.count
    said = [text for text in (hidden_multiplications(profile), *caveats(profile)) if text]
    parts = [f"<p><b>{escape(title(profile, 'deployed'))}</b></p>", *(f"<p>{escape(text)}</p>" for text in said)]
    tables = [counts.by_layer(profile.deployed, show), counts.levels(profile, show), counts.rewrites(profile, show)]
    folded = f"<details open><summary>by layer</summary>{to_html(tables[0])}</details>"
    return "".join([*parts, folded, *(to_html(table) for table in tables[1:] if table.rows)])


def estimate_html(estimate: Estimate) -> str:
    """Totals with intervals, and below them every constant with its source."""
    constants = f"<details><summary>constants and sources</summary>{to_html(bill.constants(estimate))}</details>"
    return to_html(bill.totals(estimate)) + constants


def to_html(table: Table) -> str:
    """One table; the drawn tree of the first column keeps its spaces."""
    aligns = [column.align for column in table.columns]

    def line(cells: list[str], tag: str = "td", bold: bool = False) -> str:
        inner = []
        for cell, align in zip(cells, aligns, strict=True):
            text = escape(cell)
            style = f"text-align:{align};white-space:pre"
            inner.append(f'<{tag} style="{style}">{f"<b>{text}</b>" if bold and text else text}</{tag}>')
        return f"<tr>{''.join(inner)}</tr>"

    body = [line(table.texts(row), bold=row.style == "bold") for row in (*table.rows, *table.footer)]
    head = line([column.title for column in table.columns], "th")
    caption = f"<p><b>{escape(table.title)}</b></p>" if table.title else ""
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in table.notes)
    return f"{caption}<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>{notes}"
