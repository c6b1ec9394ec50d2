"""From a document to a file: one renderer per format, and files that are written atomically."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.files import atomic_write, destination
from costmodel.reports.content.blocks import Document

if TYPE_CHECKING:
    from costmodel.reports.figures.draw import Draw

Format = Literal["pdf", "html", "markdown", "latex"]
FORMATS: tuple[Format, ...] = get_args(Format)
Paper = Literal["a4", "letter"]
PAPERS: tuple[Paper, ...] = get_args(Paper)
#: What each format needs besides the package itself.
NEEDS: dict[str, tuple[str, ...]] = {
    "pdf": ("typst", "matplotlib"),
    "html": ("matplotlib",),
    "markdown": ("matplotlib",),
    "latex": (),
}
_ENDINGS: dict[str, Format] = {".pdf": "pdf", ".html": "html", ".htm": "html", ".md": "markdown", ".tex": "latex"}


def format_of(path: str | os.PathLike[str], given: str | None = None) -> Format:
    """The format that was asked for, else the one that the name of the file ends in."""
    if given is not None:
        return given  # type: ignore[return-value]
    ending = Path(path).suffix.lower()
    if ending not in _ENDINGS:
        raise CostmodelError(
            f"-o {path}: expected a name that ends in {', '.join(_ENDINGS)}, or --format {'|'.join(FORMATS)}"
        )
    return _ENDINGS[ending]


def check(path: str | os.PathLike[str], format: Format) -> None:
    """Everything that can be known before the work begins.

    Raises :class:`CostmodelError` for a file that cannot be written, :class:`MissingExtraError` for packages.
    """
    for package in NEEDS[format]:
        if find_spec(package) is None:
            raise MissingExtraError(f"a report as {format}", package, "reports")
    destination(path)


def render(document: Document, format: Format, paper: Paper = "a4", *, keep: bool = True) -> bytes:
    """The bytes of the file; ``keep`` takes figures from the store and puts them there."""
    if format == "latex":
        from costmodel.reports.render.latex import latex

        return latex(document).encode()
    if format == "markdown":
        from costmodel.reports.render.markdown import markdown

        return markdown(document).encode()
    if format == "html":
        from costmodel.reports.render.html import html

        return html(document, _draw(keep)).encode()
    from costmodel.reports.render.pdf import pdf

    return pdf(document, paper, _draw(keep))


def write(
    document: Document, path: str | os.PathLike[str], format: Format, paper: Paper = "a4", *, keep: bool = True
) -> Path:
    """Render, then write; ``path`` is what it was before if either fails.

    Markdown has a folder of figures next to it, ``NAME_files``, which is written first.
    """
    if format != "markdown":
        return atomic_write(path, render(document, format, paper, keep=keep))
    from costmodel.reports.render.markdown import files, markdown

    final = Path(path)
    figures = files(document, _draw(keep))
    folder = final.with_name(f"{final.stem}_files")
    text = markdown(document, folder.name).encode()
    if figures:
        if folder.exists() and not folder.is_dir():
            raise CostmodelError(f"cannot write the figures of {final}: {folder} is no folder. Move it, or rename -o.")
        folder.mkdir(exist_ok=True)
    for name, data in figures.items():
        atomic_write(folder / name, data)
    return atomic_write(final, text)


def _draw(keep: bool) -> Draw:
    if keep:
        from costmodel.reports.figures.kept import svg

        return svg
    from costmodel.reports.figures.draw import svg as anew

    return anew
