"""What a user means by ``--model``, found without importing torch or running the user's code.

Spellings: the name of a network of the zoo (``abbnn``), a factory in a file (``path/to/net.py:build``) or in an
importable module (``package.module:build``), either as a call (``net.py:build(depth=20)``), or a file that holds the
network itself (``net.onnx``, ``net.pt2``, ``net.pt``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.load import foreign

if TYPE_CHECKING:
    import ast

EXPECTED = (
    "Give a name from `costmodel models`, path/to/file.py:factory, package.module:factory, or an .onnx, .pt2 or "
    "TorchScript file."
)
#: The argument that says in how many bits each layer is (:mod:`costmodel.load.quantised`).
LAYER_BITS = "layer_bits"
#: Suffixes of files that hold a network, and what reads them.
FILES = {".onnx": "onnx", ".pt2": "export", ".pt": "torchscript", ".pth": "torchscript", ".ts": "torchscript"}


@dataclass(frozen=True)
class Reference:
    """One network and how to make it.

    ``path`` is the source file that holds ``factory``, or the file that is the network; ``None`` for the zoo.
    ``factory`` is a name, or a call. ``argv`` is what the code of the file finds on its command line.
    """

    text: str
    kind: Literal["zoo", "file", "module", "onnx", "export", "torchscript"]
    name: str
    factory: str = ""
    path: Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    argv: tuple[str, ...] = ()

    @property
    def called(self) -> bool:
        """Whether the factory is an expression that makes the network."""
        return not all(part.isidentifier() for part in self.factory.split("."))

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that its code sees: its own file, and its own options."""
        return () if self.kind == "zoo" else (str(self.path or self.name), *self.argv)

    @property
    def title(self) -> str:
        """A short name for tables: ``abbnn``, ``net:build``."""
        return f"{self.name.rsplit('.', 1)[-1]}:{self.factory}" if self.factory else self.name


def is_zoo(text: str) -> bool:
    """Whether ``text`` is the name of a network of the zoo, as far as its spelling says."""
    return ":" not in text and Path(text).suffix not in {*FILES, *foreign.SUFFIXES, ".py"}


def resolve(text: str, arguments: Mapping[str, Any] | None = None, argv: Sequence[str] = ()) -> Reference:
    """Find what ``text`` names. ``arguments`` are handed to the factory, ``argv`` is its command line.

    Raises :class:`CostmodelError` when there is no such name, file, module or factory, with the nearest that exist.
    """
    given = dict(arguments or {})
    if not text.strip():
        raise CostmodelError(f"no network given. {EXPECTED}")
    place, factory = _split(text)
    if not factory:
        if Path(text).suffix in {*FILES, *foreign.SUFFIXES}:
            return _network_file(text, Path(text).expanduser(), given)
        if text.endswith(".py") or "/" in text or text.endswith(":"):
            raise CostmodelError(f"network {text!r} names no factory. {_offer(text, Path(place))}{EXPECTED}")
        return _zoo(text, given)
    root = _root(factory)
    if root is None or not place:
        raise CostmodelError(
            f"network {text!r}: {factory!r} is not the name of a factory, nor a call of one. {EXPECTED}"
        )
    if not all(part.isidentifier() for part in factory.split(".")) and set(given) - {LAYER_BITS}:
        raise CostmodelError(
            f"network {text!r} is a call that has its arguments: leave out --model-args, of which it takes "
            f"{LAYER_BITS} alone"
        )
    if place.endswith(".py") or "/" in place:
        made = _file(text, Path(place).expanduser(), factory, root, given)
    else:
        made = _module(text, place, factory, root, given)
    return replace(made, argv=tuple(argv))


def _split(text: str) -> tuple[str, str]:
    """The place and the factory: ``a.py`` and ``make(x[1:])`` of ``a.py:make(x[1:])``."""
    head, separator, factory = text.partition(".py:")
    if separator:
        return f"{head}.py", factory.strip()
    place, _, factory = text.partition(":") if "(" in text else text.rpartition(":")
    return (place, factory.strip()) if place or text.startswith(":") else (text, "")


def _root(factory: str) -> str | None:
    """The name that an expression starts from: ``make`` of ``make(depth=20).backbone``; None where it is no such."""
    import ast

    try:
        node: ast.AST = ast.parse(factory, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _network_file(text: str, path: Path, arguments: dict[str, Any]) -> Reference:
    if not path.is_file():
        raise CostmodelError(f"network {text!r}: there is no file {path}. {EXPECTED}")
    if path.suffix in foreign.SUFFIXES:
        raise CostmodelError(f"network {text!r}: {foreign.way_from(path)}")
    kind: Any = FILES[path.suffix]
    if set(arguments) - {LAYER_BITS}:
        raise CostmodelError(f"network {text!r} is a file and takes no --model-args but {LAYER_BITS}")
    if arguments and kind != "onnx":
        raise CostmodelError(
            f"network {text!r} is compiled, and its layers keep their bits: give {LAYER_BITS} to its source "
            "(file.py:factory), or to an ONNX file"
        )
    return Reference(text, kind, path.name, "", path.resolve(), arguments)


def factories(path: Path) -> list[str]:
    """Names of the functions and classes that a source file defines or imports at its top level, by parsing it."""
    import ast

    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        text = f": {error.text.strip()}" if error.text else ""
        raise CostmodelError(f"{path}{line}: {error.msg}{text}") from error
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


def _file(text: str, path: Path, factory: str, root: str, arguments: dict[str, Any]) -> Reference:
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        there = f" {path.parent} holds: {', '.join(near[:8])}." if near else ""
        raise CostmodelError(f"network {text!r}: there is no file {path}.{there} {EXPECTED}")
    _require(text, path, root)
    return Reference(text, "file", path.stem, factory, path.resolve(), arguments)


def _module(text: str, module: str, factory: str, root: str, arguments: dict[str, Any]) -> Reference:
    path = module_file(module)
    if path is None:
        raise CostmodelError(
            f"network {text!r}: no module {module!r} can be imported. Install its package, set PYTHONPATH, or give "
            f"path/to/file.py:{factory}."
        )
    if path.suffix == ".py":
        _require(text, path, root)
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
    found = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    place = _split(text)[0]
    # classes without a constructor of their own and functions that only help are factories less often
    found.sort(key=lambda node: isinstance(node, ast.ClassDef))
    names = [f"{place}:{node.name}{_arguments(node)}" for node in found[:8]]
    return f"It defines {', '.join(names)}. " if names else "It defines no factory. "


def _arguments(node: ast.FunctionDef | ast.ClassDef) -> str:
    """``(num_classes)`` for a factory that cannot be called without; "" for one that can."""
    import ast

    if isinstance(node, ast.ClassDef):
        made = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
        if not made:
            return ""
        arguments, own = made[0].args, 1
    else:
        arguments, own = node.args, 0
    needed = [a.arg for a in [*arguments.posonlyargs, *arguments.args]][own:]
    needed = needed[: max(0, len(needed) - len(arguments.defaults))]
    needed += [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    return f"({', '.join(needed)})" if needed else ""
