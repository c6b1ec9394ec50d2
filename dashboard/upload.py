"""A target file from the browser: small, plain, and read as any other, without a way to the files of this machine."""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from costmodel.dashboard.catalogue import Catalogue
from costmodel.errors import CostmodelError

MAX_BYTES = 256 * 1024
#: Uploaded targets that are kept at a time.
MAX_TARGETS = 8
PREFIX = "uploaded-"
#: The largest shipped target has some thousand events of YAML, six levels deep.
MAX_EVENTS, MAX_DEPTH = 6000, 16
#: CPU seconds in which a file of that size is read many times over.
MAX_SECONDS = 1.0


def take(catalogue: Catalogue, contents: Any) -> str:
    """Check an uploaded file and make its target known; returns its name. Raises :class:`CostmodelError`."""
    from costmodel.targets import load_target

    text = _text(contents)
    _check(text)
    name = f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    with tempfile.TemporaryDirectory(prefix="costmodel-") as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            target = load_target(str(path))
        except CostmodelError as error:
            raise CostmodelError(str(error).replace(str(path), "the file").replace(folder, "")) from None
    while len(sent := [n for n in catalogue.uploaded if n.startswith(PREFIX)]) >= MAX_TARGETS:
        catalogue.forget(sent[0])
    catalogue.uploaded[name], catalogue.files[name] = target, text
    return name


def _text(contents: Any) -> str:
    if not isinstance(contents, str) or "," not in contents:
        raise CostmodelError("nothing was uploaded")
    payload = contents.partition(",")[2]
    if len(payload) > MAX_BYTES * 4 // 3 + 4:
        raise CostmodelError(f"the file is larger than {MAX_BYTES // 1024} KiB")
    try:
        return base64.b64decode(payload, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise CostmodelError("the file is no text in UTF-8; a target is a YAML file") from None


def _bound(events: Iterable[Any]) -> None:
    """Read the events one by one, and no further than a target file goes in number, depth and time."""
    import yaml

    begun, depth = time.thread_time(), 0
    for number, event in enumerate(events):
        if isinstance(event, yaml.AliasEvent):
            raise CostmodelError("a target file from the browser may not use YAML aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise CostmodelError(f"the file is nested more than {MAX_DEPTH} levels deep, which no target file is")
        if number > MAX_EVENTS:
            raise CostmodelError(f"the file has more than {MAX_EVENTS:,} entries, which no target file has")
        if time.thread_time() - begun > MAX_SECONDS:
            raise CostmodelError(f"the file takes more than {MAX_SECONDS:g} s to read, which no target file does")


def _check(text: str) -> None:
    """No aliases (a few lines of them expand to gigabytes), and no base but the names of packaged files."""
    import yaml

    from costmodel.targets.folder import specs_folder
    from costmodel.targets.load import KINDS

    try:
        _bound(yaml.parse(text, Loader=yaml.SafeLoader))
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CostmodelError(f"the file is no valid YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(data, dict):
        raise CostmodelError("a target file is a mapping with kind, base, constants, ...")
    bases = data.get("base") or []
    names = {p.stem for kind in KINDS for p in (specs_folder() / kind).glob("*.yaml")}
    for base in [bases] if isinstance(bases, str) else bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str) or base not in names:
            raise CostmodelError(f"base {str(base)[:60]!r}: only packaged targets may be inherited from")
