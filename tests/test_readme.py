"""The README is true: its Python runs, its commands parse, its numbers are the program's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from costmodel import api
from costmodel.cli.main import VERBS, load, verb_parser
from costmodel.ledger.conventions import CONVENTIONS, convention
from tools import headline, readme

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CONVENTIONS_PAGE = (Path(__file__).parent.parent / "docs/conventions.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"(?:^\$ |^|`)(costmodel [a-z][^`\n#]*)", README, re.MULTILINE)))


@pytest.mark.parametrize("code", PYTHON)
def test_python_runs(code: str) -> None:
    exec(code, {})


@pytest.mark.parametrize("command", [c for c in COMMANDS if not re.search(r"\.\.\.|\bNAME\b|\[", c)])
def test_commands_parse(command: str) -> None:
    verb, *arguments = shlex.split(command)[1:]
    assert verb in VERBS
    if verb == "compare" and arguments:
        assert arguments[0]
    if arguments or verb in ("models", "targets", "cache"):
        verb_parser(verb, load(verb)).parse_args(arguments)


def test_every_command_is_listed() -> None:
    (section,) = re.findall(r"## Commands\n(.*?)\n## ", README, re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(VERBS)


def test_the_table_of_conventions_is_what_they_count() -> None:
    networks = ("abbnn-reactnet18", "bn-reactnet18", "bn-reactneta", "resnet18")
    for chosen in CONVENTIONS:
        assert f"`{chosen.name}`" in README
        (row,) = re.findall(rf"^\| `{chosen.name}` \|[^|]*\|(.*)\|$", CONVENTIONS_PAGE, re.MULTILINE)
        for cell, network in zip(row.split("|"), networks, strict=True):
            assert int(cell.replace(",", "")) == chosen.count(api.profile(network)).number
    (row,) = re.findall(r"^\| \| … of which one bit \|(.*)\|$", CONVENTIONS_PAGE, re.MULTILINE)
    for cell, network in zip(row.split("|"), networks, strict=True):
        terms = convention("larq").count(api.profile(network)).by_term()
        assert int(cell.replace(",", "")) == terms.get("1-bit MACs", 0)


def test_examples_are_what_the_program_prints() -> None:
    assert len(readme.EXAMPLE.findall(README)) >= 2
    assert readme.made(README) == README, "make them again: python -m tools.readme"


def test_the_headline_is_what_the_program_answers() -> None:
    assert headline.made(README) == README, "make it again: python -m tools.headline"
