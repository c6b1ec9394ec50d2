"""Where answers go: to the terminal, or atomically to a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from costmodel.views.table import Table, render, use_color


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
        sys.stdout.write(text)
        return
    from costmodel.files import atomic_write

    atomic_write(Path(output), text)
    print(f"wrote {output}", file=sys.stderr)
