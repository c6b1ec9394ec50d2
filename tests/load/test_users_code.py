"""Python as people write it: however a file imports, prints, reads its command line or asks for CUDA, it is counted."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.load import running
from costmodel.load.network import build
from costmodel.load.reference import resolve

LAYER = "from torch import nn\ndef layer(width=8): return nn.Conv2d(3, width, 3, bias=False)\n"
PRODUCTS = 36 * 8 * 27


def write(root: Path, **files: str) -> Path:
    """Files by path, ``__`` for a slash; returns the first one."""
    paths = [root / (name.replace("__", "/") + ".py") for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return paths[0]


def products(model: str, **options: object) -> int:
    return costmodel.profile(model, "1x3x8x8", use_cache=False, **options).deployed.total("mul")  # type: ignore[arg-type]


# -- imports ----------------------------------------------------------------------------------------------------------

TREES = {
    "beside it": {"nets__net": "from .parts import layer as build", "nets__parts": LAYER},
    "in a folder that is no identifier": {"CIFAR-10__1w1a__net": "from .parts import layer as build",
                                          "CIFAR-10__1w1a__parts": LAYER},
    "two levels up": {"repo__a__b__net": "from ...parts import layer as build", "repo__parts": LAYER},
    "inside of a function": {"nets__net": "def build():\n    from .parts import layer\n    return layer()\n",
                             "nets__parts": LAYER},
    "through a neighbour": {"top__nets__net": "from .middle import build", "top__parts": LAYER,
                            "top__nets__middle": "from ..parts import layer as build"},
    "in the root": {"repo__models__net": "from parts.layers import layer as build", "repo__parts__layers": LAYER},
    "in a folder above, by the name of a module of torch's": {
        "repo__nets__net": "from utils.layers import layer as build", "repo__utils__layers": LAYER},
    "put on the path relatively": {
        "repo__nets__net": "import sys\nsys.path.append('./more')\nfrom parts import layer as build",
        "repo__nets__more__parts": LAYER},
}  # fmt: skip


@pytest.mark.parametrize("where", TREES)
def test_what_a_file_imports_is_found(where: str, tmp_path: Path) -> None:
    path = write(tmp_path, **TREES[where])
    assert products(f"{path}:build") == PRODUCTS


def test_modules_of_one_name_in_two_repositories_are_two(tmp_path: Path) -> None:
    for name, width in (("one", 2), ("two", 5)):
        write(
            tmp_path / name,
            models__net="from utils import layer\ndef build(): return layer()\n",
            utils=LAYER.replace("width=8", f"width={width}"),
        )
        (tmp_path / name / ".git").mkdir()
    made = [products(f"{tmp_path / name / 'models' / 'net.py'}:build") for name in ("one", "two", "one")]
    assert made == [36 * 27 * width for width in (2, 5, 2)]


def test_a_package_that_is_missing_is_named_with_the_places_searched(tmp_path: Path) -> None:
    path = write(tmp_path, net="import no_such_package.parts\ndef build(): ...")
    with pytest.raises(CostmodelError, match=rf"no_such_package was looked for on .* in {tmp_path}.*pip install"):
        build(resolve(f"{path}:build"))


def test_the_root_that_was_chosen_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, **TREES["in the root"])
    made = costmodel.profile(f"{path}:build", "1x3x8x8", use_cache=False)
    assert any(f"imported from {tmp_path / 'repo'}" in c.message for c in made.caveats)


# -- the command line of its own --------------------------------------------------------------------------------------

READS = """\
import argparse, sys
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, {more})
at_import = parser.parse_args()
def build():
    depth = parser.parse_args().depth
    return nn.Sequential(*(nn.Conv2d(3, 3, 1, bias=False) for _ in range(depth)))
"""


def test_code_sees_its_own_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, net=READS.format(more="default=2"))
    for more, depth in (((), 2), (("--depth", "1"), 2), (("--model-argv", "--depth 3"), 3)):
        assert main(["profile", f"{path}:build", "--input", "1x3x8x8", "--no-cache", "--format", "json", *more]) == 0
        assert json.loads(capsys.readouterr().out)["totals"]["deployed"]["mul"] == depth * 9 * 64
    assert sys.argv[1:] != ["--depth", "3"]


def test_a_command_line_that_is_needed_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, net=READS.format(more="required=True"))
    assert main(["profile", f"{path}:build", "--input", "1x3x8x8"]) == 2
    said = capfd.readouterr().err.strip()
    assert "required: --depth" in said and "--model-argv" in said and "line 5" in said
    assert "usage" not in said and len(said.splitlines()) == 1


# -- CUDA -------------------------------------------------------------------------------------------------------------

ASKS = {
    "tensor.cuda": "x * torch.tensor(2.0).cuda()",
    "tensor.to": "x * torch.tensor(2.0).to('cuda')",
    "tensor.to by keyword": "x * torch.tensor(2.0).to(device='cuda:0', dtype=torch.float32)",
    "device of a factory": "x * torch.full((1,), 2.0, device='cuda')",
    "a device": "x * torch.full((1,), 2.0, device=torch.device('cuda', 0))",
    "a device as a context": "(lambda: x * scale())()",
    "a tensor type": "x * torch.cuda.FloatTensor([2.0])",
    "a set device": "(torch.cuda.set_device(0), x.cuda() * 2.0)[1]",
}


@pytest.mark.parametrize("how", ASKS)
def test_what_asks_for_cuda_stays_on_the_cpu(how: str, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        net="import torch\nfrom torch import nn\n"
        "def scale():\n    with torch.device('cuda'):\n        return torch.full((1,), 2.0)\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.conv = nn.Conv2d(3, 8, 3, bias=False, device='cuda').to('cuda').cuda()\n"
        f"    def forward(self, x):\n        x = self.conv(x.cuda())\n        return {ASKS[how]}\n"
        "def build(): return Net().cuda()\n",
    )
    made = costmodel.profile(f"{path}:build", "1x3x8x8", use_cache=False)
    plain = costmodel.profile(nn.Sequential(nn.Conv2d(3, 8, 3, bias=False)), torch.randn(1, 3, 8, 8))
    assert made.deployed.total("mul") == plain.deployed.total("mul")
    assert made.as_written.total("shift_const") == 288
    assert sum("stays on the CPU" in c.message for c in made.caveats) == 1


# -- factories --------------------------------------------------------------------------------------------------------

CONFIGURED = (
    LAYER
    + """\
class Config:
    def __init__(self, width=8): self.width = width
def make(cfg): return layer(cfg.width)
def nested(cfg): return layer(cfg["net"].stages[0].width)
def pair(): return {"loss": None, "net": layer()}
class Zoo:
    @staticmethod
    def small(): return layer()
"""
)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("make", {"cfg": {"width": 8}}),
        ("nested", {"cfg": {"net": {"stages": [{"width": 8}]}}}),
        ("make(Config(8))", {}),
        ("make(cfg=Namespace(width=8))", {}),
        ("pair()['net']", {}),
        ("Zoo.small", {}),
        ("Zoo.small()", {}),
        ("make(Config(*[9, 8][1:]))", {}),
    ],
)
def test_factories_that_need_a_configuration(name: str, arguments: dict[str, object], tmp_path: Path) -> None:
    path = write(tmp_path, net=CONFIGURED)
    assert products(f"{path}:{name}", arguments=arguments) == PRODUCTS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("make", r"--model-args cfg=\.\.\., or name the call itself"),
        ("pair", r"with a network in it \(name that: file.py:factory\(...\)\['net'\]\)"),
        ("mkae(8)", "Did you mean make"),
        ("make(", "nor a call of one"),
        ("1 + 1", "nor a call of one"),
        ("make(Config(width=1)).width", "no attribute 'width'"),
    ],
)
def test_each_failure_says_which_spelling_works(name: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, net=CONFIGURED)
    with pytest.raises(CostmodelError, match=said):
        build(resolve(f"{path}:{name}"))


BATCHES = {  # what the argument is called, and where it goes -> what is said
    "broadcast": ("batch_size", "self.conv(x) + self.rows", "makes 16 images of .* for a batch of 1"),
    "broadcast by another name": ("bs", "self.conv(x) + self.rows", "makes 16 images of .* for a batch of 1"),
    "a view": ("batch_size", "nn.functional.linear(self.conv(x).view(len(self.rows), -1), torch.ones(4, 288))",
               "16x18 and 288x4.*Build it for a batch of 1"),
}  # fmt: skip


@pytest.mark.parametrize("how", BATCHES)
def test_a_batch_that_a_factory_fixes_is_said_with_the_spelling_for_one_image(how: str, tmp_path: Path) -> None:
    name, does, said = BATCHES[how]
    path = write(
        tmp_path,
        net="import torch\nfrom torch import nn\nclass Net(nn.Module):\n"
        "    def __init__(self, rows):\n        super().__init__()\n"
        "        self.conv, self.rows = nn.Conv2d(3, 8, 3, bias=False), torch.ones(rows, 8, 6, 6)\n"
        f"    def forward(self, x):\n        return {does}\n"
        f"def build({name}=16): return Net({name})\n",
    )
    try:
        text = " ".join(c.message for c in costmodel.profile(f"{path}:build", "1x3x8x8", use_cache=False).caveats)
    except CostmodelError as error:
        text = str(error)
    assert re.search(f"{said}: --model-args {name}=1", text), text
    made = costmodel.profile(f"{path}:build", "1x3x8x8", arguments={name: 1}, use_cache=False)
    assert made.deployed.total("mul") >= PRODUCTS and not made.caveats


# -- inputs -----------------------------------------------------------------------------------------------------------


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4, bias=False)

    def forward(self, x: torch.Tensor, /, *, mask: torch.Tensor, flag: bool = False) -> torch.Tensor:
        return self.fc(x) * mask if flag else self.fc(x)


class Listed(nn.Module):
    def forward(self, x: list[torch.Tensor]) -> torch.Tensor:
        return x[0] @ x[1]


class TupleAndDictionary(nn.Module):
    def forward(self, pair: tuple[torch.Tensor, torch.Tensor], more: dict[str, torch.Tensor]) -> torch.Tensor:
        return pair[0] @ pair[1] + more["bias"]


def test_inputs_by_position_and_by_keyword_and_as_a_list() -> None:
    x, mask = torch.randn(1, 8), torch.randn(1, 4)
    assert costmodel.profile(Mixed(), ((x,), {"mask": mask, "flag": True})).as_written.total("mul") == 36
    assert costmodel.profile(Mixed(), ["1x8", "mask=1x4"]).as_written.total("mul") == 32
    a, b = torch.randn(2, 3), torch.randn(3, 4)
    for inputs in ([a, b], (a, b), ([a, b],)):
        assert costmodel.profile(Listed(), inputs).as_written.total("mul") == 24
    both = ((a, b), {"bias": torch.randn(2, 4)})
    assert costmodel.profile(TupleAndDictionary(), both).as_written.by_kind() == {"mul": 24, "add": 16 + 8}


# -- whatever else it does --------------------------------------------------------------------------------------------

#: what stands in the factory -> status, and what is said where it fails
HABITS = {
    "print": ("print('hello'); sys.stdout.flush()", 0, ""),
    "print to the first stdout": ("sys.__stdout__.write('hello\\n'); sys.__stdout__.flush()", 0, ""),
    "write to descriptor 1": ("os.write(1, b'hello')", 0, ""),
    "a child that prints": ("os.system('echo hello')", 0, ""),
    "raise": ("raise ValueError('nothing\\nat all')", 2, "ValueError: nothing at all"),
    "raise what is no Exception": ("raise BaseException('base')", 2, "BaseException: base"),
    "exit": ("sys.exit(3)", 2, "SystemExit: 3"),
    "exit with success": ("sys.exit(0)", 2, "SystemExit: 0"),
    "read what was not given": ("sys.argv[1]", 2, "IndexError"),
    "read from a terminal": ("input('name? ')", 2, "EOFError"),
    "fork": ("os.fork()", 0, ""),
    "fork and raise in the child": ("if os.fork() == 0: raise ValueError", 0, ""),
    "hang": ("time.sleep(60)", 2, "no end after 1 seconds"),
    "hang and catch": ("while True:\n        try: time.sleep(60)\n        except Exception: pass", 2, "no end after 1"),
    "recurse": ("build()", 2, "RecursionError"),
    "end the process": ("os._exit(0)", 2, "SystemExit: 0"),
    "raise what is told to generators": ("raise GeneratorExit", 2, "GeneratorExit"),
    "raise what cannot be said": (
        "raise type('Mute', (Exception,), {'__str__': lambda s: 1 / 0})()",
        2,
        "failed: Mute (at",
    ),
    "raise a novel": ("raise ValueError('x' * 10**6)", 2, "xxx... (at"),
    "raise colours": ("raise ValueError('\\x1b[31mred')", 2, "ValueError: ?[31mred"),
    "read a file from elsewhere": ("open('settings.yaml')", 2, "That is looked for in"),
    "import what is missing": ("import yaml_of_nobody", 2, "pip install yaml_of_nobody"),
    "lose standard error": ("sys.stderr = None", 0, ""),
    "cuda": ("torch.zeros(1).cuda()", 0, ""),
    "warn": ("import warnings; warnings.warn('deprecated')", 0, ""),
    "another thread": (
        "import threading; t = threading.Thread(target=print, args=('hello',)); t.start(); t.join()",
        0,
        "",
    ),
    "another folder": ("os.chdir('/')", 0, ""),
    "another command line": ("sys.argv[:] = ['x', '--format', 'yaml']", 0, ""),
    "close standard output": ("sys.stdout.close()", 0, ""),
    "no gradients": ("torch.set_grad_enabled(False)", 0, ""),
}


@pytest.mark.parametrize("habit", HABITS)
def test_a_factory_ends_in_an_answer_or_in_one_line(
    habit: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    does, status, said = HABITS[habit]
    path = write(
        tmp_path,
        net="import os, sys, time, torch\nfrom torch import nn\n"
        f"def build():\n    {does}\n    return nn.Conv2d(3, 8, 3, bias=False)\n",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    command = ["profile", f"{path}:build", "--input", "1x3x8x8", "--format", "json", "--no-cache", "--timeout", "1"]
    assert main(command) == status
    assert torch.is_grad_enabled()
    out, err = capfd.readouterr()
    if status == 0:
        assert json.loads(out)["totals"]["deployed"]["mul"] == PRODUCTS
    else:
        (line,) = [line for line in err.splitlines() if line.startswith("costmodel: error: ")]
        assert out == "" and said in line


LEFT = {
    "a thread that does not end": "threading.Thread(target=time.sleep, args=(1e6,)).start()",
    "a hook that does not end": "atexit.register(time.sleep, 1e6)",
    "a hook that prints": "atexit.register(print, 'goodbye')",
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_factory_leaves_for_the_end_changes_nothing(what: str, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        net="import atexit, threading, time\nfrom torch import nn\n"
        f"def build():\n    {LEFT[what]}\n    return nn.Conv2d(3, 8, 3, bias=False)\n",
    )
    options = ["--input", "1x3x8x8", "--format", "json", "--no-cache"]
    command = [sys.executable, "-m", "costmodel", "profile", f"{path}:build", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert json.loads(done.stdout)["totals"]["deployed"]["mul"] == PRODUCTS


HANGS = {
    "while it is imported": "while True: pass\ndef build(): ...",
    "while it is built": "def build():\n    while True: pass",
    "while it runs": "class Net(nn.Module):\n    def forward(self, x):\n        while True: pass\nbuild = Net",
}


@pytest.mark.parametrize("when", HANGS)
def test_code_that_does_not_end_is_ended_from_python_too(when: str, tmp_path: Path) -> None:
    path = write(tmp_path, net=f"from torch import nn\n{HANGS[when]}\n")
    with pytest.raises(CostmodelError, match=r"no end after 0\.5 seconds"):
        costmodel.profile(f"{path}:build", "1x3x8x8", use_cache=False, timeout=0.5)


def test_the_limit_holds_for_one_profile_alone_and_where_it_can(tmp_path: Path) -> None:
    class Slow(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            time.sleep(0.3)
            return super().forward(x)

    with pytest.raises(CostmodelError, match=r"no end after 0\.1 seconds"):
        costmodel.profile(Slow(3, 8, 3, bias=False), "1x3x8x8", timeout=0.1)
    assert costmodel.profile(Slow(3, 8, 3, bias=False), "1x3x8x8").deployed.total("mul") == PRODUCTS
    for wrong in (0, -1, "soon", True):
        with pytest.raises(CostmodelError, match="expected a number of seconds above 0"):
            costmodel.profile(nn.ReLU(), "1x3x8x8", timeout=wrong)  # type: ignore[arg-type]
    said: list[str] = []

    def elsewhere() -> None:
        try:
            costmodel.profile(nn.ReLU(), "1x3x8x8", timeout=1)
        except CostmodelError as error:
            said.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "works in the main thread" in said[0]


def test_a_limit_of_the_command_line_ends_with_the_command(tmp_path: Path) -> None:
    path = write(tmp_path, net=LAYER)
    assert main(["profile", f"{path}:layer", "--input", "1x3x8x8", "--no-cache", "--timeout", "60"]) == 0
    assert running._limit is None


RESULTS = {
    "a dictionary": "{'logits': y, 'more': [y]}", "nested": "(y, [{'a': y}])", "an object": "type('O', (), {})()",
    "nothing": "None", "a number": "float(y.sum())", "numpy": "y.detach().numpy()", "a generator": "(t for t in [y])",
    "text": "'done'", "the input": "x", "a sparse tensor": "y.to_sparse()", "an empty list": "[]",
}  # fmt: skip


@pytest.mark.parametrize("result", RESULTS)
def test_odd_results_are_counted_or_said(result: str, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        net="import torch\nfrom torch import nn\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(3, 8, 3, bias=False)\n"
        f"    def forward(self, x):\n        y = self.conv(x)\n        return {RESULTS[result]}\n"
        "def build(): return Net()\n",
    )
    made = costmodel.profile(f"{path}:build", "1x3x8x8", use_cache=False)
    if made.deployed.total("mul") != PRODUCTS:
        assert made.caveats or result == "the input"


def test_a_file_that_changed_is_imported_anew(tmp_path: Path) -> None:
    helper, net = tmp_path / "sizes.py", tmp_path / "net.py"
    helper.write_text("OUT = 4\n")
    net.write_text("from torch import nn\nfrom sizes import OUT\ndef build():\n    return nn.Linear(8, OUT)\n")
    for size in (4, 5, 6):
        helper.write_text(f"OUT = {size}\n")
        assert costmodel.profile(f"{net}:build", "1x8").deployed.total("mul") == 8 * size
