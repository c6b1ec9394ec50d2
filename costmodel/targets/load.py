"""Finding, reading and merging the files of ``arch_specs/``.

A file whose name begins with an underscore is a part that targets inherit from, and not itself a target.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.targets.folder import specs_folder
from costmodel.targets.quantity import Quantity
from costmodel.targets.schema import ConstantSpec, ParameterSpec, SpecFile, TableSpec
from costmodel.targets.spec import Parameter, Rows, Target, citation_keys, make_constants, make_parameters

KINDS = ("asic", "fpga", "arm", "cpu")
_SECTIONS: dict[str, type] = {"constants": ConstantSpec, "tables": TableSpec, "parameters": ParameterSpec}


def list_targets(kind: str | None = None) -> dict[str, str]:
    """Names of the packaged targets and their kinds, in order of kind and name."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind of target", kind, KINDS, f"Choose from {', '.join(KINDS)}.")
    found = {}
    for each in KINDS if kind is None else (kind,):
        for path in sorted((specs_folder() / each).glob("*.yaml")):
            if not path.name.startswith("_"):
                found[path.stem] = each
    return found


def load_target(name: str | os.PathLike[str] | Target) -> Target:
    """The target of that name, alias (``arm``, ``fpga``, ``asic``: the default of the kind) or file.

    Raises :class:`CostmodelError` when there is no such target or file, naming the nearest, and when the file breaks
    the schema, naming file and field.
    """
    if isinstance(name, Target):
        return name
    text = os.fspath(name)
    path = None if text.startswith("_") else _find(text)
    if path is None and not _is_path(text):
        path = _find(aliases().get(text, ""))
    if path is None:
        if _is_path(text):
            raise CostmodelError(
                f"no target file {text}: give the path of a YAML file or a name of `costmodel targets`"
            )
        raise UnknownNameError(
            "target", text, [*list_targets(), *aliases()], "List them with `costmodel targets`, or give a YAML file."
        )
    return _load(str(path), path.stat().st_mtime_ns)


def aliases() -> dict[str, str]:
    """Short names and the targets that they stand for."""
    table = read_yaml(specs_folder() / "aliases.yaml")
    return {str(k): str(v) for k, v in table.items()}


def known_sources() -> frozenset[str]:
    """Citation keys of ``sources.bib``."""
    return frozenset(references())


@lru_cache(maxsize=1)
def references() -> dict[str, str]:
    """Entries of ``sources.bib`` by citation key, each as its raw text."""
    text = (specs_folder() / "sources.bib").read_text(encoding="utf-8")
    entries = re.split(r"^(?=@\w+\{)", text, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for entry in entries:
        match = re.match(r"@\w+\{([^,\s]+),", entry)
        if match:
            if match[1] in found:
                raise CostmodelError(f"sources.bib: two entries have the key {match[1]!r}")
            found[match[1]] = entry.strip()
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping, read safely; a key given twice is an error, and 1e-12 is a number."""
    import yaml

    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CostmodelError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        raise CostmodelError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise CostmodelError(f"{path}: expected a mapping with kind, constants, ...; got {type(data).__name__}")
    return data


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    number = re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789."))
    return Loader


def _is_path(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or os.sep in text


def _find(name: str, near: Path | None = None) -> Path | None:
    if not name:
        return None
    if _is_path(name):
        path = Path(name) if near is None else near / name
        return path.resolve() if path.is_file() else None
    folders = [specs_folder() / kind for kind in KINDS]
    for folder in [near, *folders] if near else folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    return None


def _specs() -> list[str]:
    """Names of all packaged files, parts included."""
    return sorted(path.stem for kind in KINDS for path in (specs_folder() / kind).glob("*.yaml"))


@lru_cache(maxsize=64)
def _load(path: str, _changed: int) -> Target:
    file = Path(path)
    chain = _chain(file, ())
    spec = chain[-1][1].spec
    constants: dict[str, Quantity] = {}
    tables: dict[str, Rows] = {}
    parameters: dict[str, Parameter] = {}
    structure: dict[str, Any] = {}
    sources: dict[str, str] = {}
    title = description = ""
    for where, part in chain:
        each = part.spec
        if each.kind != spec.kind:
            raise CostmodelError(f"{path}: kind {spec.kind!r} cannot inherit from {where}, which is {each.kind!r}")
        for name, quantity in part.constants.items():
            if name in constants:
                _check_replaced(f"{where}: constant {name!r}", constants[name], quantity)
            constants[name] = quantity
        for name, rows in part.tables.items():
            under = tables.get(name)
            tables[name] = {**under, **{r: {**under.get(r, {}), **rows[r]} for r in rows}} if under else rows
        parameters.update(part.parameters)
        structure = _merge(structure, each.structure)
        sources.update(each.sources)
        title, description = each.title or title, each.description or description
    known = known_sources() | sources.keys()
    found: set[str] = set()
    for name, quantity in constants.items():
        if quantity.source in found:
            continue
        found.add(quantity.source)
        keys = citation_keys(quantity.source)
        if not keys:
            raise CostmodelError(f"{path}: constant {name!r}: source {quantity.source!r} names no citation key")
        for key in keys:
            if key not in known:
                raise CostmodelError(
                    f"{path}: constant {name!r}: source {key!r} is not in sources.bib nor under 'sources' of the file"
                )
    title = title or file.stem
    return Target(file.stem, spec.kind, title, description, constants, parameters, structure, sources, path, tables)


_SIZED = re.compile(r"(LUT|CARRY)[46]")


def _check_replaced(where: str, base: Quantity, own: Quantity) -> None:
    """A constant that replaces one of a base stands in the same formulas.

    So it has its unit (LUTs and carries of any size), and is negative only where that may be.
    """
    if _SIZED.sub(r"\1", own.unit) != _SIZED.sub(r"\1", base.unit):
        raise CostmodelError(
            f"{where}: unit {own.unit}, but the constant of the base that it replaces is in {base.unit}"
        )
    if own.low < 0 <= base.low:
        raise CostmodelError(f"{where}: the lower bound {own.low:g} is negative; that of the base is {base.low:g}")


@dataclass(frozen=True)
class _Part:
    """One file, with its constants in base units; ``tables`` are the cells among them."""

    spec: SpecFile
    constants: dict[str, Quantity]
    tables: dict[str, Rows]
    parameters: dict[str, Parameter]


def _chain(path: Path, above: tuple[Path, ...]) -> list[tuple[str, _Part]]:
    """The file after all that it inherits from, each once."""
    if path in above:
        raise CostmodelError(f"{path}: inherits from itself through {' -> '.join(p.name for p in above)}")
    part = _read(path, path.stat().st_mtime_ns)
    links: list[tuple[str, _Part]] = []
    for base in [part.spec.base] if isinstance(part.spec.base, str) else part.spec.base:
        found = _find(base, path.parent)
        if found is None:
            raise UnknownNameError(
                f"base in {path}:", base, _specs(), "A base is a packaged spec or a file next to this one."
            )
        links += [link for link in _chain(found, (*above, path)) if link[0] not in {known for known, _ in links}]
    return [*links, (str(path), part)]


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> _Part:
    """One file. Targets share most of what they inherit, so a file is read once while it does not change."""
    data = read_yaml(path)
    try:
        spec = msgspec.convert(data, SpecFile)
    except msgspec.ValidationError as error:
        raise CostmodelError(f"{path}: {_locate(data, error)}") from error
    constants, tables = make_constants(str(path), spec)
    return _Part(spec, constants, tables, make_parameters(str(path), spec))


def _locate(data: dict[str, Any], error: msgspec.ValidationError) -> str:
    """The message with the name of the entry that is wrong, where the validator only says ``[...]``."""
    for section, kind in _SECTIONS.items():
        entries = data.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            try:
                msgspec.convert(entry, kind)
            except msgspec.ValidationError as inner:
                return f"{section}.{name}: {inner}"
    return str(error)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
