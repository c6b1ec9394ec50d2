"""Profiles, estimates and figures on disk, found again without importing torch or numpy and never served stale.

An entry is found by a key over everything known beforehand that can change the answer: what the user asked for, the
sources of the tracer, of the zoo and of the hardware models, the versions of Python and torch. The files that were seen
to be read meanwhile (the user's modules, weights, target files) are known only after the first run; their hashes are
stored in the entry and checked on every hit. A file that is missing, truncated or made by another version is a miss,
never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.ledger.ledger import Level
from costmodel.load.inputs import InputSpec
from costmodel.load.reference import Reference

#: The store never grows beyond this; what was not used for longest goes first.
LIMIT_BYTES = 256 * 2**20
SUFFIX = ".json"
#: Files that are part of a source tree.
SOURCES = (".py", ".yaml", ".yml", ".bib", ".csv", ".json")

PACKAGE = Path(__file__).parent.parent
#: The sources that decide what a profile says, and what an estimate says of a profile.
TRACING = ("graph", "trace", "deploy", "ledger", "load", "api.py")
PRICING = ("targets", "graph", "ledger")

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """All that decides a profile, before anything is run."""

    reference: Reference
    inputs: tuple[InputSpec, ...]
    checkpoint: Path | None = None
    trained: bool = False
    seed: int = 0
    meta: bool = False
    threshold_bits: int = THRESHOLD_BITS

    def key(self) -> str:
        """sha256 over everything known beforehand that can change the profile."""
        reference = self.reference
        return _hash(
            {
                "model": [reference.kind, reference.name, reference.factory, str(reference.path or "")],
                "source": _digest(reference.path) if reference.path else _zoo_digest(),
                "arguments": reference.arguments,
                "argv": reference.argv,
                "inputs": [str(spec) for spec in self.inputs],
                "checkpoint": _digest(self.checkpoint) if self.checkpoint else "",
                "trained": self.trained,
                "seed": self.seed,
                "meta": self.meta,
                "threshold_bits": self.threshold_bits,
                "costmodel": _own_digest(),
                "torch": _torch_version(),
                "python": sys.version,
            }
        )


@dataclass(frozen=True)
class Pricing:
    """All that decides an estimate: the profile, the target by name or path, and the choices."""

    request: Request
    target: str
    level: Level = "deployed"
    options: Mapping[str, Any] = field(default_factory=dict)

    def key(self) -> str:
        """sha256 over everything known beforehand that can change the estimate."""
        path = Path(self.target)
        return _hash(
            {
                "profile": self.request.key(),
                "target": str(path.resolve()) if path.suffix in (".yaml", ".yml") else self.target,
                "level": self.level,
                "options": self.options,
                "folder": str(Path.cwd()) if self.options else "",  # an option may be a relative path
                "costmodel": _pricing_digest(),
            }
        )


@dataclass(frozen=True)
class Validation:
    """All that decides the scores of one kind of cases: the sources of all that is between a network and its bill."""

    kind: str

    def key(self) -> str:
        """sha256 over the sources and the measured figures."""
        scores = _digests(PACKAGE / "validate")
        parts = [_own_digest(), _zoo_digest(), _pricing_digest(), scores, _torch_version(), sys.version]
        return _hash({"validation": self.kind, "costmodel": parts})


@dataclass(frozen=True)
class Drawing:
    """All that decides how a figure looks: its data as text, the sources that draw it, and a file of the library that
    says its version."""

    name: str
    data: str
    sources: tuple[Path, ...]
    version: Path

    def key(self) -> str:
        """sha256 over the data and all that draws it."""
        version = _digest(self.version) if self.version.is_file() else ""
        return _hash({"drawing": self.name, "data": self.data, "by": [_digests(*self.sources), version]})


Question: TypeAlias = Request | Pricing | Validation | Drawing


class Entry(msgspec.Struct):
    """What a file of the store holds."""

    name: str
    files: dict[str, str]  # path -> sha256, of what was seen to be read
    value: msgspec.Raw


@dataclass(frozen=True)
class Stored:
    """One file of the store, for listing."""

    path: Path
    name: str
    size: int
    used: float = field(default=0.0)


def folder() -> Path:
    """Where profiles are stored: ``$COSTMODEL_CACHE``, ``$XDG_CACHE_HOME/costmodel``, or the platform's place."""
    if os.environ.get("COSTMODEL_CACHE"):
        return Path(os.environ["COSTMODEL_CACHE"]).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "costmodel"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "costmodel"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "costmodel" / "cache"
    return Path.home() / ".cache" / "costmodel"


def load(question: Question, type: type[T]) -> T | None:
    """The stored answer, or ``None`` where there is none that still holds."""
    path = _path(question)
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=Entry)
        if any(_digest(Path(file)) != digest for file, digest in entry.files.items()):
            return None
        value = msgspec.json.decode(entry.value, type=type)
    except (OSError, msgspec.MsgspecError, CostmodelError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # last use, which decides what is dropped when the store is full
    return value


def store(question: Question, name: str, value: object, files: Iterable[Path] = ()) -> bool:
    """Keep an answer under a name for listing; ``files`` are those that were read for it. Returns whether it was kept.

    A store that cannot be written (read-only home, full disk) is not an error: the next run computes again.
    """
    try:
        entry = Entry(name, {str(f): _digest(f) for f in files}, msgspec.Raw(msgspec.json.encode(value)))
        folder().mkdir(parents=True, exist_ok=True)
        atomic_write(_path(question), msgspec.json.encode(entry))
        _drop_oldest()
    except (CostmodelError, OSError):
        return False
    return True


def stored() -> list[Stored]:
    """What the store holds, the most recently used first. Files that cannot be read are listed without a name."""
    found = []
    for path in _files():
        try:
            stat, content = path.stat(), path.read_bytes()
        except OSError:  # deleted meanwhile
            continue
        try:
            name = msgspec.json.decode(content, type=Entry).name
        except msgspec.MsgspecError:
            name = ""
        found.append(Stored(path, name, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda item: -item.used)


def clear() -> int:
    """Delete every stored answer; returns how many there were."""
    count = 0
    for path in list(_files()):
        try:
            path.unlink()
            count += 1
        except OSError as error:
            raise CostmodelError(f"cannot delete {path}: {error.strerror or error}") from error
    return count


def _path(question: Question) -> Path:
    return folder() / (question.key() + SUFFIX)


def _files() -> Iterator[Path]:
    return folder().glob(f"*{SUFFIX}")


def _drop_oldest() -> None:
    sizes = []
    for path in _files():
        try:
            stat = path.stat()
        except OSError:  # another process was quicker
            continue
        sizes.append((stat.st_mtime, stat.st_size, path))
    excess = sum(size for _, size, _ in sizes) - LIMIT_BYTES
    for _, size, path in sorted(sizes):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error


@lru_cache(maxsize=1)
def _own_digest() -> str:
    return _digests(*(PACKAGE / name for name in TRACING))


@lru_cache(maxsize=1)
def _pricing_digest() -> str:
    from costmodel.targets.folder import specs_folder

    return _digests(*(PACKAGE / name for name in PRICING), specs_folder())


@lru_cache(maxsize=1)
def _zoo_digest() -> str:
    return _digests(PACKAGE / "zoo")


def _digests(*roots: Path) -> str:
    return " ".join(_tree_digest(str(root), root.is_dir()) for root in roots)


@lru_cache(maxsize=32)
def _tree_digest(root: str, folder: bool) -> str:
    """sha256 of the names and contents of all sources in a folder, or of a file; a folder is read once in a process."""
    total = hashlib.sha256()
    for path in _sources(root) if folder else [root]:
        with open(path, "rb", buffering=0) as file:
            total.update(path[len(root) :].encode() + b"\0" + file.read() + b"\0")
    return total.hexdigest()


def _sources(root: str) -> Iterator[str]:
    """Paths of the sources below a folder, in order; by ``scandir``, because ``rglob`` takes ten times as long."""
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(SOURCES):
                yield entry.path
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _sources(entry.path)


@lru_cache(maxsize=1)
def _torch_version() -> str:
    """Hash of the file that holds torch's version and build, which is found without importing it.

    ``importlib.metadata`` would say the version as well; importing it takes a fifth of a cached answer's time.
    """
    from importlib.util import find_spec

    spec = find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    return _digest(file) if file and file.is_file() else ""


def _hash(parts: Mapping[str, object]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, enc_hook=repr, order="sorted")).hexdigest()
