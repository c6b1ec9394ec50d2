"""The examples of CONTRIBUTING.md, carried out as printed on a copy of the package: each touches what it says."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOPS = ("arch_specs", "dashboard", "reports")
#: The first line of an example says which file it makes, in which table (or list of imports) of a file it is a row, or
#: to which it is added.
HEAD = re.compile(r"^# (?P<file>[\w./-]+)(, (in|imported from) (?P<table>[\w.]+)|, (?P<end>at the end))?$")


@dataclass(frozen=True)
class Example:
    file: str
    table: str
    end: bool
    text: str


@cache
def examples() -> dict[str, list[Example]]:
    """The examples of each section, by its title."""
    found: dict[str, list[Example]] = {}
    for section in re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        for block in re.findall(r"^```\w+\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL):
            first, _, text = block.partition("\n")
            head = HEAD.match(first)
            assert head, f"{title}: the example says not where it goes"
            found.setdefault(title, []).append(Example(head["file"], head["table"] or "", bool(head["end"]), text))
    return found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what is installed, as it is installed."""
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.gz", "*.parquet", *TOPS)
    shutil.copytree(ROOT / "costmodel", tmp_path / "costmodel", ignore=ignore)
    for top in TOPS:
        shutil.copytree(ROOT / top, tmp_path / "costmodel" / top, ignore=shutil.ignore_patterns("__pycache__", "*.gz"))
    return tmp_path


def carry_out(title: str, package: Path) -> list[str]:
    """Follow the examples of a section; returns the files that this touches."""
    for example in examples()[title]:
        top = example.file.split("/")[0]
        path = package / "costmodel" / example.file if top in TOPS else package / example.file
        if example.end:
            path.write_text(path.read_text() + example.text)
            continue
        if not example.table:
            assert not path.exists(), f"{example.file} is there already"
            path.write_text(example.text)
            continue
        lines = path.read_text().splitlines(keepends=True)
        module = "." in example.table
        opens = re.compile(rf"from {example.table} import \($" if module else rf"\s*{example.table}\b.* = [\[({{]$")
        (start,) = (i for i, line in enumerate(lines) if opens.match(line.rstrip()))
        path.write_text("".join([*lines[: start + 1], example.text, *lines[start + 1 :]]))
    return list(dict.fromkeys(example.file for example in examples()[title]))


def run(package: Path, *words: str, code: str = "") -> str:
    environment = os.environ | {"PYTHONPATH": str(package), "COSTMODEL_CACHE": str(package / "cache")}
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "costmodel.cli.main", *words]
    done = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("title", "target", "metric"),
    [
        ("A board", "zybo-z7-20", "lut"),
        ("A core", "cortex-a57", "latency_s"),
        ("A technology", "asic-65nm-example", "energy_J"),
    ],
)
def test_hardware_is_one_file(package: Path, title: str, target: str, metric: str) -> None:
    touched = carry_out(title, package)
    assert len(touched) == 1 and touched[0].endswith(f"/{target}.yaml")
    code = (
        "import costmodel, sys\n"
        "from costmodel.validate.asic_networks import single\n"
        f"bill = costmodel.estimate(single(64, 10, 3), {target!r})\n"
        f"assert {target!r} in costmodel.list_targets()\n"
        f"total = bill.total({metric!r})\n"
        "assert 0 < total.low <= total.value <= total.high\n"
        "assert all(q.source for q in bill.sources().values())\n"
        "print(costmodel.__file__)"
    )
    assert run(package, code=code).startswith(str(package))
    assert target in run(package, "targets")


def test_a_network_is_one_row(package: Path) -> None:
    assert carry_out("A network", package) == ["costmodel/zoo/topology.py"]
    listed = run(package, "models", "*reactnet10*")
    names = [f"{variant}-reactnet10-cifar10" for variant in ("abbnn", "bnfree", "bn")]
    assert all(name in listed for name in names)
    code = (
        "import costmodel\n"
        f"profile = costmodel.profile({names[0]!r})\n"
        "binary = [layer for layer in profile.deployed.layers if layer.macs and layer.a.is_one_bit]\n"
        # What the shortcuts of the transitions read is averaged, and so of more than one bit.
        "print(len(binary))"
    )
    assert run(package, code=code).split() == ["8"]


def test_an_operation_that_is_counted_is_one_function(package: Path) -> None:
    assert carry_out("An operation that is counted", package) == ["costmodel/trace/reductions.py"]
    code = (
        "import torch\n"
        "from torch import nn\n"
        "from costmodel.deploy.profile import profile\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.trace(x) + x\n"
        "made = profile(Net(), torch.randn(7, 5)).as_written\n"
        "print(made.total('unknown'), made.by_kind_and_tag()[('add', 'other')])"
    )
    assert run(package, code=code).split() == ["0", "4"]


def test_an_operation_that_runs_is_five_files_and_no_set_of_names(package: Path) -> None:
    touched = set(carry_out("An operation that is run", package))
    assert touched == {
        "costmodel/graph/attrs.py", "costmodel/graph/ops.py", "costmodel/graph/charge.py",
        "costmodel/trace/reductions.py", "costmodel/deploy/windows.py",
    }  # fmt: skip
    code = (
        "import numpy as np, torch\n"
        "from collections import Counter\n"
        "from torch import nn\n"
        "from costmodel.deploy.assemble import assemble\n"
        "from costmodel.deploy.executor import Executor\n"
        "from costmodel.deploy.study import prepare\n"
        "import costmodel\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(5, 7)\n"
        "    def forward(self, x):\n"
        "        return torch.logcumsumexp(self.fc(x), 1)\n"
        "made = prepare(Net().eval(), torch.randn(1, 5))\n"
        "assert made.profile.deployed.total('unknown') == 0 and made.profile.deployed.total('special') == 18\n"
        "x = np.random.default_rng(0).normal(size=(4, 5))\n"
        "tally = Counter()\n"
        "(y,) = Executor(assemble(made.graph)).run(x, tally=tally)\n"
        "want = made.model.double()(torch.as_tensor(x)).detach().numpy()\n"
        "assert np.allclose(y, want, rtol=1e-12)\n"
        "assert sum(n for key, n in tally.items() if key[3] == 'special') == 4 * 18\n"
        "for target in ('asic', 'fpga', 'arm'):\n"
        "    assert costmodel.estimate(made.profile, target).totals()\n"
    )
    run(package, code=code)


def test_a_block_is_a_class_and_its_name(package: Path) -> None:
    assert carry_out("A block", package) == [
        "costmodel/zoo/blocks.py", "costmodel/zoo/topology.py", "costmodel/zoo/catalog.py",
    ]  # fmt: skip
    code = (
        "import costmodel\n"
        "for variant in ('abbnn', 'bnfree', 'bn'):\n"
        "    made = costmodel.profile(f'{variant}-clamped18-cifar10')\n"
        "    plain = costmodel.profile(f'{variant}-bireal18-cifar10')\n"
        "    assert variant != 'bn' or made.parameters == plain.parameters\n"
        "    assert made.as_written.total('compare') > plain.as_written.total('compare')\n"
    )
    run(package, code=code)


def test_an_output_format_is_a_function_and_a_row(package: Path) -> None:
    assert carry_out("An output format", package) == ["costmodel/views/tabs.py", "costmodel/views/__init__.py"]
    rows = run(package, "profile", "abbnn-reactnet6-digits", "--by", "kind", "--format", "tabs").splitlines()
    plain = run(package, "profile", "abbnn-reactnet6-digits", "--by", "kind", "--format", "csv").splitlines()
    assert [row.split("\t") for row in rows[: len(plain)]] == list(csv.reader(plain))


def test_a_metric_is_one_row_and_where_it_is_computed(package: Path) -> None:
    assert carry_out("A metric", package) == ["costmodel/metrics.py", "costmodel/targets/asic/price.py"]
    code = (
        "import costmodel\n"
        "from costmodel.validate.asic_networks import single\n"
        "bill = costmodel.estimate(single(64, 10, 3), 'asic')\n"
        "energy, images = bill.total('energy_J'), bill.total('images per joule')\n"
        "assert abs(images.value * energy.value - 1) < 1e-12 and images.low < images.value < images.high"
    )
    run(package, code=code)
    assert "images per joule" in run(package, "profile", "abbnn-digits", "--target", "asic")


@pytest.mark.parametrize(
    "title",
    [
        "A board",
        "A core",
        "A technology",
        "A network",
        "A block",
        "An operation that is counted",
        "An operation that is run",
        "A metric",
        "An output format",
    ],
)
def test_every_promised_example_is_there(title: str) -> None:
    assert examples()[title]
