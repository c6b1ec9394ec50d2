"""The tutorials are notebooks, kept without outputs: here they are run, shown as pages of the site, and stripped.

    python -m tools.notebooks [--run]

strips what Jupyter leaves behind, so that a diff shows what changed; ``--run`` runs each from top to bottom as well. A
cell that begins with ``%%sh`` holds commands, and the notebook fails where one of them does.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/tutorials"
SHELL = "%%sh\n"
#: Seconds that one cell may take.
PATIENCE = 600
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LINK = re.compile(r"(\]\([\w./-]+)\.ipynb(\)|#)")


def notebooks() -> list[Path]:
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def stripped(notebook: dict[str, Any], name: str) -> str:
    """The text of a notebook without outputs, numbers of runs and what an editor noted; cells are named by place."""
    cells = []
    for place, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"]).rstrip("\n").splitlines(keepends=True)
        made = {"cell_type": cell["cell_type"], "id": f"{name.replace('_', '-')}-{place}", "metadata": {}}
        more = {"execution_count": None, "outputs": []} if cell["cell_type"] == "code" else {}
        cells.append(dict(sorted({**made, **more, "source": source}.items())))
    whole = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def source(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown, without outputs."""
    return "\n\n".join(_cell(cell) for cell in notebook["cells"]) + "\n"


def run(path: Path, folder: Path | None = None) -> dict[str, Any]:
    """The notebook with its outputs, run from top to bottom in ``folder``, by this Python.

    Raises nbclient's ``CellExecutionError`` at the first cell that fails.
    """
    import nbformat
    from nbclient import NotebookClient

    surroundings = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONWARNINGS": "ignore",
        "COLUMNS": "100",
    }
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        where = {"metadata": {"path": str(folder or scratch)}}
        quiet = ["--IPKernelApp.log_level=ERROR"]  # it says of every kernel that its port is not encrypted
        client = NotebookClient(
            notebook, timeout=PATIENCE, kernel_name="python3", resources=where, extra_arguments=quiet
        )
        made: dict[str, Any] = client.execute(env=surroundings)
    return made


@functools.cache
def page(path: Path) -> tuple[str, dict[str, str]]:
    """A tutorial as Markdown with what its cells print, and its pictures (SVG) by the names that the page uses."""
    parts, pictures = [], {}
    for place, cell in enumerate(run(path)["cells"]):
        parts.append(_cell(cell))
        for number, output in enumerate(outputs(cell)):
            if drawn := (output.get("data") or {}).get("image/svg+xml"):
                name = f"{path.stem}-{place}-{number}.svg"
                pictures[name] = "".join(drawn)
                parts.append(f"![What the code above draws]({name})")
            else:
                parts += printed(output)
    parts.insert(1, f'<a href="{path.name}" download>This page as a notebook</a>')
    return "\n\n".join(parts) + "\n", pictures


def linked(markdown: str) -> str:
    """The links to notebooks of a page, so that they lead to pages of the site."""
    return _LINK.sub(r"\1.md\2", markdown)


def _cell(cell: dict[str, Any]) -> str:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return text
    if text.startswith(SHELL):
        lines = "\n".join(f"$ {line}" for line in text.removeprefix(SHELL).splitlines())
        return f"```console\n{lines}\n```"
    return f"```python\n{text}\n```"


def outputs(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell, what it printed in one piece: with the notes of commands, without warnings of Python."""
    made: list[dict[str, Any]] = []
    shell = "".join(cell["source"]).startswith(SHELL)
    for output in cell.get("outputs", ()):
        if output["output_type"] != "stream":
            made.append(dict(output))
        elif output["name"] == "stderr" and not shell:
            continue
        elif made and made[-1]["output_type"] == "stream":
            made[-1]["text"] += "".join(output["text"])
        else:
            made.append({"output_type": "stream", "text": "".join(output["text"])})
    return made


def printed(output: dict[str, Any]) -> Iterator[str]:
    data = output.get("data") or {}
    if html := "".join(data.get("text/html", "")):
        without = re.sub(r"<style.*?</style>|\n\s*(?=\n)", "", html, flags=re.DOTALL)
        yield f'<div class="output">{without.strip()}</div>'
    elif text := "".join(output.get("text", "") or data.get("text/plain", "")).strip("\n"):
        yield f"```text\n{_COLOUR.sub('', text)}\n```"


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--run", action="store_true", help="run each from top to bottom as well")
    args = parser.parse_args(given)
    for path in notebooks():
        text = stripped(read(path), path.stem)
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"stripped {path.name}")
        if args.run:
            run(path)
            print(f"ran {path.name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
