"""What every noun can be turned into: data frames, CSV, JSON, Markdown, LaTeX, and HTML in notebooks.

Nouns do not depend on what shows them: each says by name which view does (:mod:`costmodel.views.nouns`), and that is
imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas as pd


class Noun:
    """``by`` names one of the noun's own tables; each noun lists them, the first is the one of :meth:`to_frame`. An
    unknown name raises :class:`UnknownNameError`.

    Frames, CSV and JSON hold raw values in SI units, which stand in a column ``unit`` or at the end of the column's
    name (``energy_J``), and intervals as ``low`` and ``high``. Markdown, LaTeX and HTML are for people; without ``by``
    they hold what the command line prints.
    """

    __slots__ = ()
    #: ``module:function``; the function takes the noun and returns its :class:`costmodel.views.view.View`.
    _VIEW: ClassVar[str]

    def to_frame(self, by: str = "") -> pd.DataFrame:
        """One of the tables as a pandas data frame; needs pandas."""
        from costmodel.errors import MissingExtraError

        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("a data frame", "pandas", "frames") from None
        table = self._view().flat(by)
        return pd.DataFrame(table.records(), columns=[column.key for column in table.columns])

    def to_csv(self, by: str = "") -> str:
        """The same as comma-separated text."""
        text: str = self._view().csv(by)
        return text

    def to_json(self) -> str:
        """Everything that the noun says, as the command line writes it with ``--format json``."""
        text: str = self._view().json()
        return text

    def to_markdown(self, by: str = "") -> str:
        """Tables for people, in Markdown."""
        text: str = self._view().markdown(by)
        return text

    def to_latex(self, by: str = "", *, label: str = "") -> str:
        """Tables for a paper, with ``booktabs``, over several pages where they are long.

        The first lines name the packages that it needs. ``label`` is that of the first table (default: ``tab:`` and
        what it shows).
        """
        text: str = self._view().latex(by, label)
        return text

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        text: str = self._view().html()
        return text

    def _view(self) -> Any:
        module, _, name = self._VIEW.partition(":")
        return getattr(import_module(module), name)(self)
