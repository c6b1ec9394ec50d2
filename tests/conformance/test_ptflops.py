"""ptflops' own cases: it adds one operation per output for a bias to the multiply-accumulates.

Source: sovrasov/flops-counter.pytorch@d612c75, tests/common_test.py. Run live where ptflops is installed.
"""

from __future__ import annotations

import importlib.util
import math

import pytest
from torch import nn

from costmodel.ledger.ledger import Profile
from tests.conformance.networks import counted, macs


def with_bias(made: Profile) -> int:
    """Multiply-accumulates and the additions of biases."""
    return macs(made) + sum(c.count for c in made.as_written.charges if c.kind == "add" and c.tag == "bias")


#: name -> module, shape of its input without the batch, ptflops' count
CASES: dict[str, tuple[nn.Module, tuple[int, ...], int]] = {
    "convolution with bias": (nn.Conv2d(3, 2, 3), (3, 224, 224), 2_759_904),
    "transposed with bias": (nn.ConvTranspose2d(3, 2, 3, stride=2), (3, 224, 224), 3_112_706),
    "linear with bias": (nn.Linear(3, 2), (3,), 8),
    "linear of many dimensions": (nn.Linear(3, 2, bias=False), (4, 5, 3), 120),
}


@pytest.mark.parametrize("case", CASES)
def test_multiply_accumulates_and_biases_are_what_ptflops_says(case: str) -> None:
    module, shape, expected = CASES[case]
    made = counted(module, (1, *shape))
    assert with_bias(made) == expected
    if "transposed" not in case:
        outputs = math.prod(made.as_written.layers[0].shape_out)
        assert macs(made) == expected - (outputs if "bias" in case else 0)


@pytest.mark.skipif(importlib.util.find_spec("ptflops") is None, reason="ptflops is not installed")
@pytest.mark.parametrize("case", CASES)
def test_ptflops_itself_says_the_same(case: str) -> None:
    from ptflops import get_model_complexity_info

    module, shape, expected = CASES[case]
    for backend in ("pytorch", "aten"):
        found, parameters = get_model_complexity_info(
            nn.Sequential(module), shape, as_strings=False, print_per_layer_stat=False, backend=backend
        )
        assert found == expected
        assert parameters == counted(module, (1, *shape)).parameters
