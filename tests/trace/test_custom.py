"""Operations of a user's own cost what was registered for them, and the answer says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import costmodel
from costmodel import Row
from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor, per_image
from costmodel.deploy.profile import profile
from costmodel.deploy.study import prepare, verify
from costmodel.deploy.tally import Tally
from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.graph.domain import BINARY
from costmodel.trace.custom import CUSTOM, Call


@torch.library.custom_op("costmodel_tests::correlate", mutates_args=())
def correlate(x: Tensor, weight: Tensor, scale: float = 1.0) -> Tensor:
    return scale * torch.einsum("nc,oc->no", x, weight)


@torch.library.custom_op("costmodel_tests::halves", mutates_args=())
def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, : x.shape[1] // 2].clone(), x[:, x.shape[1] // 2 :].clone()


class Net(nn.Module):
    def __init__(self, binary: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6))
        self.binary = binary

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = correlate(x.sign() if self.binary else x, self.weight, scale=0.5)
        return result


@pytest.fixture(autouse=True)
def none_registered() -> Iterator[None]:
    CUSTOM.clear()
    yield
    CUSTOM.clear()


def correlation(call: Call) -> list[Row]:
    terms = call["x"].shape[1]
    kind: Any = "signflip" if call["x"].domain.is_one_bit else "mul"
    products = call.result.numel * terms
    rows = [Row(kind, "other", products, 32, call["weight"].domain.bits)]
    rows.append(Row("add", "other", products - call.result.numel, 32, 32, 32))
    return rows + [Row("mul", "other", call.result.numel, 32, 32)] * (call["scale"] != 1.0)


def test_without_a_registration_it_is_unknown_work() -> None:
    made = profile(Net(), torch.randn(1, 6))
    assert made.deployed.by_kind() == {"unknown": 4}


@pytest.mark.parametrize(("binary", "kind"), [(False, "mul"), (True, "signflip")])
def test_it_costs_what_its_shapes_and_kinds_say(binary: bool, kind: str) -> None:
    costmodel.register_op("costmodel_tests::correlate", correlation)
    made = profile(Net(binary), torch.randn(2, 6))
    counts = made.as_written.by_kind()
    counts["mul"] -= 8  # by the scale
    assert (counts[kind], counts["add"]) == (2 * 4 * 6, 2 * 4 * 5)
    said = [c.message for c in made.caveats if c.kind == "registered"]
    assert len(said) == 1 and "costmodel_tests::correlate" in said[0] and "test_custom.py" in said[0]
    assert not made.as_written.unknown()


def test_a_call_tells_operands_options_and_what_is_known_before_the_input() -> None:
    seen: list[Call] = []

    @costmodel.register_op("costmodel_tests::correlate")
    def rows(call: Call) -> list[Row]:
        seen.append(call)
        return []

    profile(Net(binary=True), torch.randn(1, 6))
    call = seen[0]
    assert call["x"].shape == (1, 6) and call["x"].domain.kind == BINARY.kind and not call["x"].constant
    assert call["weight"].shape == (4, 6) and call["weight"].constant and call["weight"].domain.is_float
    assert call["scale"] == 0.5 and call.result.shape == (1, 4) and call.result.numel == 4
    with pytest.raises(UnknownNameError, match="weight"):
        call["weights"]


def test_several_results_are_charged_once() -> None:
    costmodel.register_op("costmodel_tests::halves", lambda call: [("add", "other", call["x"].numel, 32, 32, 32)])

    class Both(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            a, b = halves(x)
            return torch.cat([b, a], 1)

    class Second(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return halves(x)[1]

    for net in (Both(), Second()):
        assert profile(net, torch.randn(1, 6)).as_written.by_kind() == {"add": 6}


def test_what_says_how_it_runs_is_run_and_counted() -> None:
    costmodel.register_op("costmodel_tests::correlate", correlation, run=lambda x, weight, scale: scale * x @ weight.T)
    made = prepare(Net(), torch.randn(1, 6))
    images = np.random.default_rng(0).normal(size=(5, 6))
    assert verify(made, images).exact
    tally: Tally = Tally()
    Executor(assemble(made.graph)).run(images, tally=tally)
    kinds = {key[-1]: number for key, number in per_image(tally, 5).items()}
    assert kinds == made.profile.deployed.by_kind()


def test_what_does_not_is_refused_by_name() -> None:
    costmodel.register_op("costmodel_tests::correlate", correlation)
    with pytest.raises(CostmodelError, match="costmodel_tests::correlate"):
        assemble(prepare(Net(), torch.randn(1, 6)).graph)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("multiply", "other", 1, 32, 32)], "mul"),
        ([("mul", "oter", 1, 32, 32)], "other"),
        ([("mul", "other", 1.5, 32, 32)], "integers"),
        ([("mul", "other", -1, 32, 32)], "integers"),
        ([("mul", "other")], "raised TypeError"),
        (None, "raised TypeError"),
    ],
)
def test_rows_that_are_none_are_said(rows: Any, message: str) -> None:
    costmodel.register_op("costmodel_tests::correlate", lambda call: rows)
    with pytest.raises(CostmodelError, match=message):
        profile(Net(), torch.randn(1, 6))


def test_names_that_are_none_and_operations_with_a_rule_are_refused() -> None:
    with pytest.raises(CostmodelError, match="mylib::op"):
        costmodel.register_op("costmodel_tests.correlate", correlation)
    costmodel.register_op("aten::tanh", lambda call: [])
    with pytest.raises(CostmodelError, match="has a rule already"):
        profile(nn.Tanh(), torch.randn(1, 6))


FILE = """
import torch
from torch import nn
import costmodel

@torch.library.custom_op("costmodel_tests::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

{registration}

class Net(nn.Module):
    def forward(self, x):
        return twice(x)
"""
REGISTRATION = 'costmodel.register_op("costmodel_tests::twice", lambda call: [("add", "other", {n}, 32, 32, 32)])'


def asked(folder: Path, before: str = "") -> dict[str, int]:
    """What a new process answers for the file, with something registered before it is asked."""
    code = (
        f"import costmodel, json\n{before}\n"
        "ask = lambda: costmodel.profile('net.py:Net', '1x6').as_written.by_kind()\n"
        "first = ask()\nassert ask() == first\nprint(json.dumps(first))"
    )
    environment = os.environ | {"COSTMODEL_CACHE": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


def test_the_store_never_answers_for_another_registration(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(FILE.format(registration=""))
    assert asked(tmp_path) == {"unknown": 6}
    assert asked(tmp_path, REGISTRATION.format(n=3)) == {"add": 3}
    assert asked(tmp_path) == {"unknown": 6}
    for number in (5, 7):
        file.write_text(FILE.format(registration=REGISTRATION.format(n=number)))
        assert asked(tmp_path) == {"add": number}


def test_the_example_of_the_page_runs_as_printed(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "own_operations.md").read_text()
    code, printed = re.search(r"^```python\n(.*?)^```\n\n```\n(.*?)^```", text, flags=re.M | re.S).groups()  # type: ignore[union-attr]
    (tmp_path / "net.py").write_text(code)
    environment = os.environ | {"COSTMODEL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "net.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == printed, done.stderr
