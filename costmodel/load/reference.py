"""What a user means by ``--model``, found without importing torch or running the user's code.

Three spellings: the name of a network of the zoo (``abbnn``), a factory in a file (``path/to/net.py:build``), a factory
in an importable module (``package.module:build``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from costmodel.errors import CostmodelError, UnknownNameError

if TYPE_CHECKING:
    import ast

EXPECTED = "Give a name from `costmodel models`, path/to/file.py:factory, or package.module:factory."


@dataclass(frozen=True)
class Reference:
    """One network and how to make it. ``path`` is the source file that holds ``factory``; ``None`` for the zoo."""

    text: str
    kind: Literal["zoo", "file", "module"]
    name: str
    factory: str = ""
    path: Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """A short name for tables: ``abbnn``, ``net:build``."""
        return self.name if self.kind == "zoo" else f"{self.name.rsplit('.', 1)[-1]}:{self.factory}"


def resolve(text: str, arguments: Mapping[str, Any] | None = None) -> Reference:
    """Find what ``text`` names. ``arguments`` are handed to the factory.

    Raises :class:`CostmodelError` when there is no such name, file, module or factory, with the nearest that exist.
    """
    given = dict(arguments or {})
    if not text.strip():
        raise CostmodelError(f"no model given. {EXPECTED}")
    place, colon, factory = text.rpartition(":")
    if not colon:
        if text.endswith(".py") or "/" in text:
            raise CostmodelError(f"model {text!r} names no factory. {_offer(text, Path(text))}{EXPECTED}")
        return _zoo(text, given)
    if not factory.isidentifier() or not place:
        raise CostmodelError(f"model {text!r}: {factory!r} is not the name of a factory. {EXPECTED}")
    if place.endswith(".py") or "/" in place:
        return _file(text, Path(place).expanduser(), factory, given)
    return _module(text, place, factory, given)


def factories(path: Path) -> list[str]:
    """Names of the functions and classes that a source file defines or imports at its top level, by parsing it."""
    import ast

    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise CostmodelError(f"{path}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from error
    except (OSError, ValueError) as error:
        raise CostmodelError(f"cannot read {path}: {error}") from error
    return list(_names(tree.body))


def _names(body: list[ast.stmt]) -> Iterator[str]:
    import ast

    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        for block in ("body", "orelse", "finalbody"):  # if, try, with, for
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                yield from _names(getattr(node, block, []))
        for handler in getattr(node, "handlers", []):
            yield from _names(handler.body)


def _zoo(name: str, arguments: dict[str, Any]) -> Reference:
    from costmodel.zoo import registry

    return Reference(name, "zoo", registry.entry(name).name, arguments=arguments)


def _file(text: str, path: Path, factory: str, arguments: dict[str, Any]) -> Reference:
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        there = f" {path.parent} holds: {', '.join(near[:8])}." if near else ""
        raise CostmodelError(f"model {text!r}: there is no file {path}.{there} {EXPECTED}")
    _require(text, path, factory)
    return Reference(text, "file", path.stem, factory, path.resolve(), arguments)


def _module(text: str, module: str, factory: str, arguments: dict[str, Any]) -> Reference:
    path = module_file(module)
    if path is None:
        raise CostmodelError(
            f"model {text!r}: no module {module!r} can be imported. Install its package, set PYTHONPATH, or give "
            f"path/to/file.py:{factory}."
        )
    if path.suffix == ".py":
        _require(text, path, factory)
    return Reference(text, "module", module, factory, path, arguments)


def module_file(module: str) -> Path | None:
    """The file of an importable module, found without importing it or its parents; ``None`` where there is none."""
    if not all(part.isidentifier() for part in module.split(".")):
        return None
    import importlib.machinery
    import importlib.util

    head, *rest = module.split(".")
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # `costmodel` is a script; a user expects what `python -m` would find
    try:
        spec = importlib.util.find_spec(head)
    except (ImportError, ValueError):
        return None
    name = head
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = importlib.machinery.PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec is not None and spec.origin else None


def _require(text: str, path: Path, factory: str) -> None:
    names = factories(path)
    # `from x import *`, `globals()[...] = ` and `__getattr__` define names that only running the file can show.
    if factory in names or "*" in names or "__getattr__" in names or "globals()" in path.read_text(errors="replace"):
        return
    defined = [name for name in names if not name.startswith("_")]
    raise UnknownNameError(f"factory in {path}:", factory, defined, _offer(text, path))


def _offer(text: str, path: Path) -> str:
    import ast

    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    kinds = (ast.FunctionDef, ast.ClassDef)
    names = [node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    place = text.rpartition(":")[0] or text
    return f"It defines {', '.join(f'{place}:{name}' for name in names[:8])}. " if names else "It defines no factory. "
