"""Where answers go: to the terminal, page by page where they are long, or atomically to a file."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from costmodel.views import FORMATS
from costmodel.views.table import Table
from costmodel.views.text import use_color

#: What stands for characters that an encoding does not have.
PLAIN = str.maketrans(
    {
        "×": "x", "─": "-", "│": "|", "├": "|", "└": "`", "µ": "u", "μ": "u", "±": "+-", "–": "-", "−": "-", "…": "...",
        "²": "2", "·": "*", "→": "->", "≤": "<=", "≥": ">=", "“": '"', "”": '"', "’": "'", "‘": "'", "\u00a0": " ",
        **{sign: f"^{i}" for i, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    }
)  # fmt: skip


def render(tables: Sequence[Table], format: str, document: Callable[[], Any] | None = None, color: bool = False) -> str:
    """All tables in one of ``FORMATS``. ``document`` makes what JSON says instead of the tables' records.

    CSV has room for one table: the first.
    """
    if format == "json":
        return to_json(document() if document is not None else {t.key: t.records() for t in tables})
    module, _, name = FORMATS[format].partition(":")
    write = getattr(importlib.import_module(f"costmodel.views.{module}"), name)
    one: Callable[[Table], str] = partial(write, color=color) if format == "table" else write
    return "\n".join(map(one, tables[:1] if format == "csv" else tables))


def emit(
    tables: Sequence[Table],
    format: str,
    output: str | None = None,
    document: Callable[[], Any] | None = None,
    preface: str = "",
) -> None:
    """Print the tables in one of ``FORMATS``, or write them to the file ``output``.

    ``document`` makes what JSON says; it is called for JSON alone. ``preface`` stands above tables for people.
    """
    color = output is None and format == "table" and use_color()
    text = render(tables, format, document, color)
    if preface and format == "table":
        text = f"{preface}\n{text}"
    if output is None:
        show(text, format)
        return
    from costmodel.files import atomic_write

    atomic_write(Path(output), text)
    print(f"wrote {output}", file=sys.stderr)


def show(text: str, format: str = "table") -> None:
    """Write to standard output in its encoding; through a pager where it is a terminal that the text does not fit."""
    text = _encodable(text, format)
    if not (sys.stdout.isatty() and text.count("\n") >= _height() and _page(text)):
        sys.stdout.write(text)


def _height() -> int:
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stdout.fileno()).lines or 24
    return 24


def to_json(value: Any) -> str:
    """JSON that every parser reads: a number that is not finite is null."""
    import json

    try:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _encodable(text: str, format: str) -> str:
    """The text as the encoding of standard output has it: ASCII for what it does not have, escapes in JSON."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    with contextlib.suppress(UnicodeEncodeError, LookupError):
        text.encode(encoding)
        return text
    if format == "json":
        import json
        import re

        return re.sub("[^\x00-\x7f]", lambda sign: json.dumps(sign[0])[1:-1], text)
    return text.translate(PLAIN).encode("ascii", "replace").decode("ascii")


def _page(text: str) -> bool:
    """Show the text with $PAGER or less; False where there is none, or it is switched off (PAGER=cat)."""
    import shlex
    import shutil
    import subprocess

    command = shlex.split(os.environ.get("PAGER", "less -FRX"))
    if not command or command[0] == "cat" or shutil.which(command[0]) is None:
        return False
    with contextlib.suppress(OSError, KeyboardInterrupt):
        subprocess.run(command, input=text.encode(sys.stdout.encoding or "utf-8", "replace"), check=False)
        return True
    return False
