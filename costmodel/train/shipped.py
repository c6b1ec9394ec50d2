"""The trained weights that come with the package, by name. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from costmodel.errors import UnknownNameError

WEIGHTS = Path(__file__).parent / "weights"


def names() -> list[str]:
    """Names that ``--checkpoint`` knows."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def find(checkpoint: str | Path) -> Path:
    """A file as given, else the shipped weights of that name, which may be an alias of a network of the zoo.

    Raises :class:`UnknownNameError` for what is neither.
    """
    path = Path(checkpoint)
    text = str(checkpoint)
    if path.is_file():
        return path
    if text in names():
        return WEIGHTS / f"{text}.safetensors"
    if path.suffix[1:].isalpha() or len(path.parts) > 1:  # the .25 of a width is no kind of file
        return path
    from costmodel.zoo import registry

    resolved = registry.list_models(text)
    if len(resolved) == 1 and resolved[0] in names():
        return WEIGHTS / f"{resolved[0]}.safetensors"
    raise UnknownNameError("checkpoint", text, names(), f"Give a file, or one of: {', '.join(names()) or 'none yet'}.")
