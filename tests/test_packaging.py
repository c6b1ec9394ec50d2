"""What is installed: everything that the three faces and the targets need, under one name."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOPS = {"costmodel": "costmodel", "arch_specs": "costmodel/arch_specs", "dashboard": "costmodel/dashboard",
        "reports": "costmodel/reports"}  # fmt: skip
JUNK = (".pyc", ".tmp")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of what is in the checkout (building writes next to the sources)."""
    import shutil

    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for top in TOPS:
        shutil.copytree(ROOT / top, source / top, ignore=shutil.ignore_patterns("__pycache__", "*.tmp*"))
    code = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(out)], cwd=source, capture_output=True, text=True)
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("setuptools is not installed")
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    wanted = {
        f"{inside}/{path.relative_to(ROOT / top).as_posix()}"
        for top, inside in TOPS.items()
        for path in (ROOT / top).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.name.endswith(JUNK)
        and ".tmp" not in path.name
    }
    assert wanted - held == set()
    assert any(name.endswith(".yaml") for name in held)


def test_the_description_has_no_link_that_leads_nowhere_and_the_classifiers_name_the_pythons(
    wheel: zipfile.ZipFile,
) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    metadata = wheel.read(name).decode()
    assert "Description-Content-Type: text/markdown" in metadata and "What it answers" in metadata
    assert re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", metadata) == []
    assert "![" not in metadata or "](http" in metadata
    for minor in (11, 12, 13):
        assert f"Classifier: Programming Language :: Python :: 3.{minor}\n" in metadata


def test_the_source_distribution_holds_tests_and_documentation(tmp_path: Path) -> None:
    import shutil
    import tarfile

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a checkout")
    for path in tracked.stdout.splitlines():
        if (ROOT / path).is_file():
            (tmp_path / "source" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / "source" / path)
    code = "import setuptools.build_meta as b, sys; print(b.build_sdist(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path / "source", capture_output=True,
                          text=True)  # fmt: skip
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("setuptools is not installed")
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    missing = {path for path in tracked.stdout.splitlines() if path not in held}
    assert {path for path in missing if not path.startswith((".ci/", ".git"))} == set()


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"costmodel"}


@pytest.mark.parametrize("name", ["arch_specs", "dashboard", "reports", "cli.main", "ledger", "targets", "zoo"])
def test_every_part_is_imported_under_one_name(name: str) -> None:
    assert importlib.import_module(f"costmodel.{name}").__file__


def test_the_package_itself_imports_nothing_heavy_and_names_what_it_offers() -> None:
    code = (
        "import sys, costmodel\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'numpy', 'pandas', 'msgspec', 'yaml'}))\n"
        "assert set(costmodel.__all__) <= set(dir(costmodel))\n"
        "for name in costmodel.__all__: getattr(costmodel, name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    import costmodel

    with pytest.raises(AttributeError, match="no attribute 'profil'"):
        _ = costmodel.profil


def test_the_two_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("profile", "test"):
        assert f"\n{command}:" in makefile
        assert f"make {command}" in readme


def test_the_citation_and_the_changelog_are_of_this_version() -> None:
    import tomllib

    import yaml

    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert f"\n## {project['version']}\n" in (ROOT / "CHANGELOG.md").read_text()
