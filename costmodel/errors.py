"""Errors that a user can act on. The command line prints them and exits with status 2, without a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class CostmodelError(Exception):
    """Bad input. The message says what was given, what was expected, and what to do."""


#: How many of the known names an error lists where none is near.
MOST_CHOICES = 12


class UnknownNameError(CostmodelError):
    """A network, target, recipe or convention that does not exist.

    The message names those that are near; else, where there is no ``advice``, some of the ``known``.
    """

    def __init__(self, what: str, given: str, known: Iterable[str], advice: str = "") -> None:
        import difflib

        choices = list(dict.fromkeys(known))
        names = {name.casefold(): name for name in sorted(choices)}
        close = [names[n] for n in difflib.get_close_matches(given.casefold(), names, n=3, cutoff=0.5)]
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        if not close and not advice and choices:
            more = len(choices) - MOST_CHOICES
            advice = f"Choose from {', '.join(choices[:MOST_CHOICES])}{f' and {more} more' if more > 0 else ''}."
        super().__init__(f"unknown {what} {given!r}.{hint}{' ' + advice if advice else ''}")
        self.given, self.suggestions = given, close


def name_of(what: str, given: str, known: Iterable[str], heads: Mapping[str, str] | None = None) -> str:
    """Which of the ``known`` names is meant: by itself, or by the head of its column, ``heads[name]``.

    Raises :class:`UnknownNameError` with the nearest, where none is.
    """
    names = list(known)
    if given in names:
        return given
    for name in names:
        if given == (heads or {}).get(name):
            return name
    raise UnknownNameError(what, str(given), names, f"Choose from {', '.join(names)}.")


class MissingExtraError(CostmodelError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(f"{feature} needs {package}. Install it with: pip install 'costmodel[{extra}]'")
