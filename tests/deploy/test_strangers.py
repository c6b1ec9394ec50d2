"""Networks in nobody's style run as PyTorch runs them, in double precision and fixed point, and count their ledger."""

from collections import Counter

import numpy as np
import pytest
import torch

from costmodel.deploy import packed
from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor, per_image
from costmodel.deploy.multipliers import replace_multipliers
from costmodel.deploy.study import effect, prepare, verify
from costmodel.ledger.rules import charge
from tests.deploy.networks import rows, scramble
from tests.deploy.strangers import STRANGERS


@pytest.fixture(scope="module", params=STRANGERS, ids=lambda kind: kind.__name__)
def stranger(request):
    torch.manual_seed(0)
    net = scramble(request.param())
    traced = tuple(torch.randn(shape) for shape in net.shapes)
    generator = np.random.default_rng(0)
    images = tuple(generator.standard_normal((3, *shape[1:])) for shape in net.shapes)
    return prepare(net, traced if len(traced) > 1 else traced[0]), images


def test_they_run_exactly(stranger):
    made, images = stranger
    verdict = verify(made, images)
    assert verdict.exact, verdict


def test_fixed_point_comes_as_close_as_its_bits(stranger):
    made, images = stranger
    found = effect(made, "exact", 30, images)
    assert found.flipped == 0 and found.error < 1e-6


@pytest.mark.parametrize("option", ["exact", "csd2", "tied", "lut"])
def test_they_count_their_ledger(stranger, option):
    made, images = stranger
    graph = replace_multipliers(made.graph, option)
    for bits in (None, 12):
        tally: Counter = Counter()
        Executor(assemble(graph, bits, option)).run(*images, tally=tally)
        assert Counter(per_image(tally, 3)) == rows(charge(graph, "deployed"))


def test_their_files_give_back_the_program(stranger, tmp_path):
    made, images = stranger
    program = assemble(made.graph, 16)
    again = packed.load(packed.save(program, tmp_path / "net.safetensors"))
    for a, b in zip(Executor(program).run(*images), Executor(again).run(*images), strict=True):
        assert np.array_equal(a, b)
