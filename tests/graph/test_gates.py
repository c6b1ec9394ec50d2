"""What a product of two activations and a softmax take, for every kind of value and at the smallest sizes."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from costmodel.deploy.profile import profile
from costmodel.graph.charge import gate_kind
from costmodel.graph.domain import Domain

KINDS = ("binary", "binary01", "ternary", "pow2", "int", "float")
#: (one factor, the other) -> what their product takes; what is not listed takes a multiplication.
TAKES = {
    **{frozenset(("binary01", kind)): "and" for kind in KINDS},
    frozenset(("binary",)): "xnor",
    **{frozenset((kind, other)): "signflip" for kind in ("binary", "ternary") for other in ("pow2", "int", "float")},
    frozenset(("binary", "ternary")): "signflip",
    frozenset(("ternary",)): "signflip",
    **{frozenset(("pow2", kind)): "shift_var" for kind in ("pow2", "int", "float")},
}


@pytest.mark.parametrize(("a", "b"), itertools.product(KINDS, KINDS))
def test_a_product_of_two_activations_takes_what_its_factors_allow(a: str, b: str) -> None:
    bits = {"binary": 1, "binary01": 1, "ternary": 2, "pow2": 7, "int": 8, "float": 32}
    found = gate_kind(Domain(a, bits[a]), Domain(b, bits[b]))  # type: ignore[arg-type]
    assert found == TAKES.get(frozenset((a, b)), "mul")


@pytest.mark.parametrize(("rows", "length"), [(3, 1), (1, 1), (1, 5), (4, 2)])
@pytest.mark.parametrize("log", [False, True])
def test_a_softmax_counts_its_groups_at_every_size(rows: int, length: int, log: bool) -> None:
    layer = nn.LogSoftmax(-1) if log else nn.Softmax(-1)
    found = profile(layer, torch.randn(rows, length)).as_written.by_kind()
    n, g = rows * length, rows
    expected = {"compare": n - g, "special": n + g, "add": 3 * n - g if log else 2 * n - g, "mul": 0 if log else n}
    assert found == {kind: count for kind, count in expected.items() if count}
