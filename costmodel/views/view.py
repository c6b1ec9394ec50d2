"""How a noun is shown: tables for people, flat ones for programs, and all of it as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.errors import name_of
from costmodel.views.latex import to_latex
from costmodel.views.table import Table, to_csv, to_markdown

Make = Callable[[], Table]


@dataclass(frozen=True)
class View:
    """``tables`` are for people, ``parts`` the flat tables by name, the first where none is named. ``shown`` says which
    of the parts look different for people. ``document`` is what JSON says, ``page`` what a notebook shows."""

    tables: Callable[[], Sequence[Table]]
    parts: Mapping[str, Make]
    document: Callable[[], Any]
    shown: Mapping[str, Make] | None = None
    page: Callable[[], str] | None = None

    def flat(self, by: str = "") -> Table:
        """One of the parts, without what only people read."""
        return self.parts[self._part(by)]()

    def csv(self, by: str = "") -> str:
        return to_csv(self.flat(by))

    def json(self) -> str:
        from costmodel.views.output import to_json

        return to_json(self.document())

    def markdown(self, by: str = "") -> str:
        return "\n".join(map(to_markdown, self._for_people(by)))

    def latex(self, by: str = "", label: str = "") -> str:
        first, *others = self._for_people(by)
        return "\n".join([to_latex(first, label), *map(to_latex, others)])

    def html(self) -> str:
        from costmodel.views.notebook import to_html

        return self.page() if self.page else "".join(map(to_html, self._for_people("")))

    def _part(self, by: str) -> str:
        return name_of("table", by, self.parts) if by else next(iter(self.parts))

    def _for_people(self, by: str) -> Sequence[Table]:
        if not by:
            return self.tables()
        part = self._part(by)
        return [{**self.parts, **(self.shown or {})}[part]()]
