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
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    if text in names():
        return WEIGHTS / f"{text}.safetensors"
    from costmodel.zoo import registry

    resolved = registry.list_models(text)
    if len(resolved) == 1 and resolved[0] in names():
        return WEIGHTS / f"{resolved[0]}.safetensors"
    raise UnknownNameError("checkpoint", text, names(), f"Give a file, or one of: {', '.join(names()) or 'none yet'}.")
