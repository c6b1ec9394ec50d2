"""Importing a user's file as its author's own scripts would: relative imports, and modules next to it or above it.

Published repositories are no packages. A file imports its neighbours relatively though no folder has an
``__init__.py``, or by names that lie in the repository's root, which the author's script put on the path by where it
stood. Both are found from the file itself: the level of its relative imports says how far to climb, and a module that
is missing is looked for in the folders above.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from costmodel.errors import CostmodelError
from costmodel.load.failures import describe
from costmodel.load.notes import note
from costmodel.load.packages import install
from costmodel.load.running import user_code

#: Folders above a file in which a missing module is looked for.
_ABOVE = 5
#: What the last load put first on the path, and the modules that came from there.
_roots: list[str] = []
_imported: set[str] = set()
#: Their files as they were then, by size and time of change.
_were: dict[str, tuple[int, int]] = {}


def import_file(path: Path, text: str, argv: tuple[str, ...]) -> ModuleType:
    """Import the file at ``path``; ``text`` is how the user named it.

    Raises :class:`CostmodelError` with what was tried.
    """
    _forget_changed()
    level = _level(path)
    roots = _enter(path, level)
    tried: set[str] = set()
    while True:
        before = set(sys.modules)
        try:
            with user_code(f"network {text!r}: importing {path} failed", argv):
                return _import(path, level)
        except CostmodelError as failed:
            _forget(set(sys.modules) - before)
            cause = failed.__cause__
            if isinstance(cause, ImportError) and "beyond top-level package" in str(cause) and level < _ABOVE:
                level += 1
                roots = _enter(path, level)
                continue
            name = cause.name if isinstance(cause, ImportError) else None
            if not name or name in tried:
                raise
            tried.add(name)
            root = _holding(name, path)
            if root is None or (str(root) == sys.path[0] and not isinstance(cause, ModuleNotFoundError)):
                raise CostmodelError(_missing(text, path, name, cause)) from cause
            _forget({module for module in sys.modules if module.split(".")[0] == name.split(".")[0]})
            roots = [str(root), *roots]
            _prefer(roots)
            top = root / name.split(".")[0]
            if top.is_dir() and not (top / "__init__.py").is_file() and not top.with_name(f"{top.name}.py").is_file():
                _as_package(top.name, top)  # else an installed module of the name would win
            note(f"modules such as {name} are imported from {root}")
        finally:
            fresh = {n for n in set(sys.modules) - before if _is_users(n)}
            _imported.update(fresh)
            _were.update({n: stamp for n in fresh if (stamp := _stamp(n)) is not None})


def _import(path: Path, level: int) -> ModuleType:
    parts = _package(path, level)
    if not parts:
        return _import_alone(path)
    names: list[str] = []
    folder = path.parents[len(parts) - 1].parent
    for part in parts:
        folder = folder / part
        names.append(part.replace(".", "_"))
        name = ".".join(names)
        there = sys.modules.get(name)
        if there is not None and str(folder) in map(str, getattr(there, "__path__", ())):
            continue
        if (folder / "__init__.py").is_file():
            _forget({n for n in sys.modules if n == name or n.startswith(f"{name}.")})
            importlib.import_module(name)
        else:  # a folder that is a package only because its files import each other as of one
            _as_package(name, folder)
    return importlib.import_module(".".join([*names, path.stem]))


def _as_package(name: str, folder: Path) -> None:
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def _package(path: Path, level: int) -> list[str]:
    """Names of the folders, from the top, that are the packages of a file."""
    parts: list[str] = []
    folder = path.parent
    while folder.name and (len(parts) < level or (folder / "__init__.py").is_file()):
        parts.insert(0, folder.name)
        folder = folder.parent
    return parts


def _level(path: Path) -> int:
    """How many folders up the relative imports of a file reach, wherever in it they stand."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return 0
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def _import_alone(path: Path) -> ModuleType:
    """A file outside any package. Its name may be that of another module, so it is looked up by its path."""
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    unique = name if loaded is None and _is_free(name, path) else f"{name}@{path}"
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _is_free(name: str, path: Path) -> bool:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is None or found.origin == str(path)


def _enter(path: Path, level: int) -> list[str]:
    """Put the folders of a file first on the path, and forget the modules of another repository."""
    top = path.parents[len(_package(path, level))]
    roots = list(dict.fromkeys([str(top), str(path.parent)]))
    if _roots and not any(Path(root).is_relative_to(top) or top.is_relative_to(root) for root in _roots):
        _forget(set(_imported))
        _imported.clear()
        sys.path[:] = [entry for entry in sys.path if entry not in _roots]
        _roots.clear()
    _prefer(roots)
    return roots


def _prefer(roots: list[str]) -> None:
    sys.path[:] = [*roots, *(entry for entry in sys.path if entry not in roots)]
    _roots[:] = dict.fromkeys([*roots, *_roots])
    importlib.invalidate_caches()


def _forget_changed() -> None:
    """Let all of the user's modules be imported anew where the file of one has changed: others took from it."""
    if any(name in sys.modules and _stamp(name) != was for name, was in _were.items()):
        _forget(set(_imported))
        _imported.clear()
        _were.clear()


def _stamp(name: str) -> tuple[int, int] | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    try:
        found = Path(file).stat() if file else None
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if found else None


def _forget(names: set[str]) -> None:
    """Let modules of the user be imported anew; those that are installed stay."""
    for name in names:
        if _is_users(name):
            sys.modules.pop(name, None)


def _is_users(name: str) -> bool:
    module = sys.modules.get(name)
    places = [getattr(module, "__file__", None), *map(str, getattr(module, "__path__", ()) or ())]
    own = str(Path(__file__).parents[1])
    return any(
        isinstance(place, str)
        and "site-packages" not in place
        and not place.startswith((own, sys.base_prefix, sys.prefix, "<"))
        for place in places
    )


def _holding(name: str, path: Path) -> Path | None:
    """The nearest folder, from that of the file upwards, in which a module lies; ends at a repository's root.

    Folders that the code itself put on the path by a relative name are looked for from each of these.
    """
    relative = [entry for entry in sys.path if entry and not Path(entry).is_absolute()]
    for folder in _folders(path):
        for place in (folder, *(folder / entry for entry in relative)):
            if _lies_in(name, place):
                return place.resolve()
    return None


def _lies_in(name: str, folder: Path) -> bool:
    place = folder.joinpath(*name.split("."))
    with contextlib.suppress(OSError):
        return place.with_name(place.name + ".py").is_file() or (place.is_dir() and any(place.glob("*.py")))
    return False


def _folders(path: Path) -> Iterator[Path]:
    for folder in path.parents[: _ABOVE + 1]:
        if folder == Path.home() or folder == folder.parent:
            return
        yield folder
        if (folder / ".git").exists():
            return


def _missing(text: str, path: Path, name: str, cause: BaseException | None) -> str:
    looked = ", ".join(str(folder) for folder in _folders(path))
    advice = f"{install(name)}."
    if not isinstance(cause, ModuleNotFoundError):
        advice = "Set PYTHONPATH to the folder of the module that is meant."
    what = f"{describe(cause)}. " if cause is not None else ""
    return f"network {text!r}: {what}{name} was looked for on the path and in {looked}. {advice}"
