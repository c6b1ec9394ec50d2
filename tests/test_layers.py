"""No circle of files: ``make lint`` sees packages and their parts; a package's own ``__init__`` is seen here."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOPS = ("arch_specs", "dashboard", "reports")

#: Strongly connected files are found by networkx, which comes with torch.
CODE = """
import grimp, networkx, sys
graph = grimp.build_graph(sys.argv[1], cache_dir=None)
edges = [(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)]
assert sys.argv[1] in graph.modules
for circle in networkx.strongly_connected_components(networkx.DiGraph(edges)):
    if len(circle) > 1:
        print(*sorted(circle))
"""


def circles(folder: Path, package: str) -> list[str]:
    """Sets of files below ``folder`` that import each other, function-level imports included."""
    done = subprocess.run([sys.executable, "-c", CODE, package], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_no_files_import_each_other(tmp_path: Path) -> None:
    package = tmp_path / "costmodel"
    package.mkdir()
    for part in (ROOT / "costmodel").iterdir():
        if part.name not in TOPS:
            (package / part.name).symlink_to(part)
    for top in TOPS:
        (package / top).symlink_to(ROOT / top)
    assert circles(tmp_path, "costmodel") == []


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a": "import planted.b", "b": "def f():\n    from planted import a"}, ["planted.a planted.b"]),
        ({"__init__": "from planted.a import x", "a": "import planted"}, ["planted planted.a"]),
        ({"a": "import planted.b", "b": "import json"}, []),
    ],
)
def test_a_planted_circle_is_found(tmp_path: Path, files: dict[str, str], found: list[str]) -> None:
    (tmp_path / "planted").mkdir()
    for name, text in {"__init__": "", **files}.items():
        (tmp_path / "planted" / f"{name}.py").write_text(text + "\n")
    assert circles(tmp_path, "planted") == found


def test_every_part_of_the_package_has_its_place_in_the_layers_and_in_the_architecture() -> None:
    parts = {
        path.stem for path in (ROOT / "costmodel").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    parts = {part for part in parts | set(TOPS) if not part.startswith("_")} - {"arch_specs"}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert {part.strip() for layer in layers for part in layer.split("|")} == parts
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert [part for part in sorted(parts) if not re.search(rf"\b{part}(/|\.py)", text)] == []
