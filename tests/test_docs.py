"""The documentation is true: its commands parse, its links lead somewhere, and what it shows runs as it is printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from costmodel.cli.main import VERBS, load, verb_parser
from tools import notebooks

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
#: Pages whose code and commands are run from top to bottom in one folder, as the notebooks are.
RUN = ["index.md", "concepts.md"]
NOTEBOOKS = notebooks.notebooks()
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
#: Words that stand for something of the reader's.
PLACEHOLDER = re.compile(r"\.\.\.|\b[A-Z]{3,}\b|\[|s3://|<|path/to|\bnet\.py|package\.module|mine\.|my[/_]net")
#: What a command may need that is not here: data to be fetched, files of the reader, hours.
NEEDS = re.compile(
    r"--data (?!digits)|--plan|--checkpoint \S*(?:/|weights|best|abbnn\.)|--sweep|--resume|dashboard|train |results|"
    r"\./|net\.onnx|timm|cache --clear|--target all|cifar|"
    r"folding\.json|cnv\.json|old\.json|\.deployed|tokens=|report|calibrate|SPACE|space\.yaml|imagenet"
)


#: Commands that run on files of the reader's, which :func:`reader` has.
READER = re.compile(
    r"^costmodel (report (?!--kind val)|fold .*(json|folding)|targets \./|"
    r"explore (space|SPACE)\.yaml (--count|-o results)|"
    r"profile .*(--folding|my_chip|this-machine|(my/|path/to/|my_)net\.py)|calibrate (cpu --network|fit)|"
    r"validate here .*--network|models .*(mine\.csv|cifar10)|compare quicknet my/net)"
)
#: Clusters, and 10^7 points.
AWAY = re.compile(r"dask|keep-points|--within")


def text_of(page: Path) -> str:
    """A page as Markdown."""
    return notebooks.source(notebooks.read(page)) if page.suffix == ".ipynb" else page.read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """The lines of code that are commands of this program, without what is said behind them."""
    fenced = "\n".join(body for kind, body in CODE.findall(text) if kind in ("", "console", "sh"))
    indented = "\n".join(line[4:] for line in CODE.sub("", text).splitlines() if line.startswith("    "))
    whole = re.sub(r"\\\n\s*", "", f"{fenced}\n{indented}")
    lines = re.findall(r"^(?:\$ )?(costmodel [a-z].*)", whole, re.MULTILINE)
    return [re.split(r"\s{2,}[(#]|\s#\s|\s{3,}", line)[0].strip() for line in lines]


def examples() -> list[str]:
    """The commands in the help of every verb."""
    text = "\n".join(getattr(load(verb), "EXAMPLES", "") for verb in VERBS)
    lines = [line.strip() for line in text.splitlines() if line.startswith("  costmodel ")]
    return [re.split(r"\s{2,}", line)[0] for line in lines]


PAGES = (README, *DOCS, *NOTEBOOKS)
SHOWN = sorted({c for page in PAGES for c in commands(text_of(page))} | set(examples()))


@pytest.mark.parametrize("command", [c for c in SHOWN if not re.search(r"\.\.\.|\[", c)])
def test_every_command_of_docs_and_help_parses(command: str) -> None:
    verb, *arguments = shlex.split(command)[1:]
    assert verb in VERBS
    if arguments or verb in ("models", "targets", "cache", "validate"):
        verb_parser(verb, load(verb)).parse_intermixed_args(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    made = ("reference/", "gallery/")
    for target in LINK.findall(CODE.sub("", text_of(page))):
        path = os.path.relpath(page.parent / target, ROOT / "docs")
        assert path.startswith(made) or (page.parent / target).exists(), target


def test_every_page_is_in_the_site() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (*DOCS, *NOTEBOOKS):
        assert page.relative_to(ROOT / "docs").with_suffix(".md").as_posix() in listed


def test_the_reference_names_every_command_option_verb_metric_and_kind() -> None:
    from costmodel.graph.vocabulary import KINDS
    from costmodel.metrics import METRICS
    from tools import site

    made = site.pages()
    for verb in VERBS:
        assert f"\n## {verb}\n" in made["reference/cli.md"]
        for option in verb_parser(verb, load(verb))._option_string_actions:
            assert option in ("-h", "--help", "--device", "--option") or option in made["reference/cli.md"]
    import costmodel

    for name in costmodel.__all__:
        assert name == "__version__" or f"\n### {name}\n" in made["reference/python.md"]
    assert all(f"`{name}`" in made["reference/names.md"] for name in (*METRICS, *KINDS))
    assert "`sources`" in made["reference/target.md"]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_as_it_is_printed(page: str, tmp_path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    python = ""
    for kind, body in CODE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if kind == "python" and body.startswith("# file: "):
            name, _, text = body.removeprefix("# file: ").partition("\n")
            (tmp_path / name).write_text(text)
        elif kind == "python":
            python += body
            words = [sys.executable, "-c", python]
            done = subprocess.run(words, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
            assert done.returncode == 0, f"{body}\n{done.stderr}"
        else:
            for command in commands(f"```\n{body}```"):
                words = [sys.executable, "-m", *shlex.split(command)]
                done = subprocess.run(words, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
                assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_tutorial_is_kept_without_outputs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == notebooks.stripped(json.loads(text), path.stem), "strip it: python -m tools.notebooks"


def test_a_page_shows_what_a_cell_prints_in_one_piece_and_without_colours() -> None:
    pieces = [("stdout", "\x1b[1mone\x1b[0m"), ("stderr", " noted"), ("stdout", " two\n")]
    outputs = [{"output_type": "stream", "name": name, "text": text} for name, text in pieces]
    for source, shown in (("%%sh\nls", "one noted two"), ("print(1)", "one two")):
        cell = {"cell_type": "code", "source": source, "outputs": outputs}
        assert [p for o in notebooks.outputs(cell) for p in notebooks.printed(o)] == [f"```text\n{shown}\n```"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_tutorial_runs(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel", reason="pip install '.[docs]'")
    pytest.importorskip("nbclient", reason="pip install '.[docs]'")
    made = notebooks.run(path, tmp_path)
    assert any(cell.get("outputs") for cell in made["cells"])


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in SHOWN if not PLACEHOLDER.search(c) and not NEEDS.search(c)])
def test_every_command_that_needs_nothing_of_the_readers_runs(command: str, tmp_path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    words = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(words, cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr


NET = """
import torch
from torch import nn


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.where(x >= 0, 1.0, -1.0)


class BinaryConv(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(Sign.apply(x), Sign.apply(self.weight), self.bias)


def build(width=1):
    channels = max(int(16 * width), 1)
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, bias=False), nn.BatchNorm2d(channels), BinaryConv(channels, 32, 3, bias=False),
        nn.BatchNorm2d(32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )
"""
SPACE = """
networks: [tfc-w1a1]
targets: [{target: pynq-z2}]
objectives: [seconds_per_image, lut]
"""


def ran(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    words = [sys.executable, "-m", *shlex.split(command)]
    return subprocess.run(words, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of the documentation take for the reader's: networks, targets, results."""
    folder = tmp_path_factory.mktemp("reader")
    (target,) = re.findall(
        r"```yaml\n# arch_specs/fpga/.*?\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    files = {
        **dict.fromkeys(("net.py", "my/net.py", "my_net.py", "path/to/net.py"), NET),
        **dict.fromkeys(("my_chip.yaml", "my-device.yaml"), target), "space.yaml": SPACE, "SPACE.yaml": SPACE,
        "mine.csv": "network,options,data,accuracy\ncnv-w1a1,,cifar10,84.1\nnet.py:build,width=16,cifar10,80\n",
        "measurements.csv": "network,metric,value,unit,options,id\nquicknet,latency,31.5,ms,,run1\n",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    networks = "--network tfc-w1a1 --network sfc-w1a1 --network lfc-w1a1"
    for command in (
        "costmodel fold cnv-w1a1 --target pynq-z2 --json folding.json",
        "costmodel explore space.yaml -o results --engine serial",
        f"costmodel calibrate cpu {networks} --rounds 1 -o this-machine.yaml",
    ):
        done = ran(command, folder)
        assert done.returncode == 0, done.stderr
    for name in ("cnv.json", "old.json"):
        shutil.copy(folder / "folding.json", folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in SHOWN if READER.search(c) and not AWAY.search(c) and "..." not in c])
def test_every_command_on_files_of_the_readers_runs(command: str, reader: Path, tmp_path: Path) -> None:
    here = shutil.copytree(reader, tmp_path / "here")
    if re.search(r"explore .* -o results$", command):
        shutil.rmtree(here / "results")
    done = ran(command, here)
    assert done.returncode == 0, done.stderr
