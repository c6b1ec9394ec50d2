"""Finding what ``--model`` names, without running it and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from costmodel.errors import CostmodelError
from costmodel.load.reference import factories, module_file, resolve


def test_a_name_of_the_zoo_and_its_short_name_are_one_network() -> None:
    assert resolve("abbnn").name == resolve("abbnn-reactnet18").name == "abbnn-reactnet18"


def test_a_file_and_its_factory(user_net: Path) -> None:
    reference = resolve(f"{user_net}:build", {"width": 8})
    assert (reference.kind, reference.factory, reference.title) == ("file", "build", "user_net:build")
    assert reference.path == user_net.resolve()


def test_a_module_is_found_without_importing_it_or_its_parents(tmp_path: Path) -> None:
    package = tmp_path / "outer_package" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "outer_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "net.py").write_text("def build(): ...")
    code = (
        "import sys; from costmodel.load.reference import resolve\n"
        "r = resolve('outer_package.inner.net:build')\n"
        "print(r.path.name, 'outer_package' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["net.py", "False", "False"]


def test_a_module_in_site_packages_is_found() -> None:
    path = module_file("msgspec.json")
    assert path is not None and path.name == "json.py"


def test_top_level_names_are_read_by_parsing(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from a import b as c, d\nimport e.f\nx = 1\nif True:\n    def g():\n        h = 1\n"
        "try:\n    class K: ...\nexcept ImportError:\n    K = None\n"
    )
    assert factories(path) == ["c", "d", "e", "x", "g", "K", "K"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no network given"),
        ("abnn", "Did you mean abbnn"),
        ("no/such/file.py:build", "there is no file"),
        ("no_such_package.net:build", "can be imported"),
        ("net.py", "names no factory"),
        ("net.py:not an identifier", "not the name of a factory"),
        (":build", "not the name of a factory"),
        ("json:dumpss", "Did you mean"),
    ],
)
def test_what_cannot_be_found_is_said_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(CostmodelError, match=said):
        resolve(text)


def test_a_missing_factory_is_answered_with_those_that_exist(user_net: Path) -> None:
    with pytest.raises(CostmodelError, match=r"unknown factory .*'biuld'.*Did you mean build"):
        resolve(f"{user_net}:biuld")
    with pytest.raises(CostmodelError, match=r"names no factory. It defines .*:build"):
        resolve(str(user_net))


def test_names_that_only_running_shows_are_left_to_running(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.py"
    path.write_text("from torchvision.models import *\n")
    assert resolve(f"{path}:resnet18").factory == "resnet18"


def test_a_file_that_does_not_parse_says_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("x = 1\ndef build(:\n")
    with pytest.raises(CostmodelError, match="line 2"):
        resolve(f"{path}:build")
