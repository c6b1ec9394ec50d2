"""Figures from the store: drawn once, as ledgers are counted once, and found again by what they show."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec

from costmodel.reports.figures.data import Plot
from costmodel.store import cache

HERE = Path(__file__).parent


def svg(plot: Plot, name: str) -> bytes:
    """As :func:`costmodel.reports.figures.draw.svg`; matplotlib is imported only for a figure that is new."""
    data = msgspec.json.encode(plot, enc_hook=repr, order="sorted").decode()
    question = cache.Drawing(name, data, (HERE, cache.PACKAGE / "views/plots"), _version())
    if (kept := cache.load(question, str)) is not None:
        return kept.encode()
    from costmodel.reports.figures.draw import svg as draw

    made = draw(plot, name)
    cache.store(question, f"figure {name}", made.decode())
    return made


def fonts() -> Path:
    """The folder of fonts that come with matplotlib, which is not imported for it."""
    return _matplotlib() / "mpl-data/fonts/ttf"


def _version() -> Path:
    return _matplotlib() / "_version.py"


def _matplotlib() -> Path:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        from costmodel.errors import MissingExtraError

        raise MissingExtraError("a figure", "matplotlib", "reports")
    return Path(spec.origin).parent
