"""Operand kinds are found by evidence, whatever the spelling."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from costmodel.deploy.profile import profile
from costmodel.graph.domain import classify_literal
from costmodel.trace.domains import classify
from tests.trace import idioms


def conv_layer(model: torch.nn.Module):
    ledger = profile(model, torch.randn(idioms.INPUT)).deployed
    return ledger, next(layer for layer in ledger.layers if layer.module == "conv" and layer.op == "conv")


@pytest.mark.parametrize("name", idioms.ACTIVATIONS)
def test_every_spelling_of_a_sign_costs_one_comparison_and_xnor(name: str) -> None:
    ledger, layer = conv_layer(idioms.Layer(idioms.ACTIVATIONS[name]))
    assert (layer.a.kind, layer.b.kind) == ("binary", "binary")
    assert ledger.by_module_and_kind()["conv", "xnor"] == idioms.MACS
    binarize = {kind: n for (kind, tag), n in ledger.by_kind_and_tag().items() if tag == "binarize"}
    assert binarize == {"compare": 800}
    body = [c for c in ledger.charges if c.tag not in ("stem_conv", "bias")]
    assert {c.kind for c in body} == {"compare", "xnor", "popcount"}


@pytest.mark.parametrize("name", idioms.ZERO_ONE)
def test_zero_one_activations_cost_and_with_popcount(name: str) -> None:
    ledger, layer = conv_layer(idioms.Layer(idioms.ZERO_ONE[name]))
    assert layer.a.kind == "binary01"
    assert ledger.total("and") == ledger.total("popcount") == idioms.MACS
    assert ledger.total("xnor") == 0


@pytest.mark.parametrize("name", idioms.WEIGHTS)
def test_weights_are_what_their_values_show(name: str) -> None:
    quantise, (kind, scale, _) = idioms.WEIGHTS[name]
    ledger, layer = conv_layer(idioms.Layer(torch.sign, quantise))
    assert layer.b.kind == kind
    rescaled = [c for c in ledger.charges if "weight_scale" in c.tag]
    expected = {"real": ["mul"], "pow2": ["shift_channel"], "one": [], None: []}[scale]
    assert [c.kind for c in rescaled] == expected
    assert all(c.count == 1600 for c in rescaled)


def test_real_activations_on_binary_weights_are_signed_additions() -> None:
    ledger, _ = conv_layer(idioms.Layer(torch.nn.Identity()))
    assert ledger.total("signflip") == idioms.MACS
    assert ledger.total("xnor") == 0


@given(st.integers(-20, 20), st.booleans())
def test_literal_powers_of_two_are_shifts(exponent: int, negative: bool) -> None:
    domain = classify_literal((-1.0 if negative else 1.0) * 2.0**exponent)
    assert domain.kind == "pow2"
    assert domain.scale == ("one" if exponent == 0 else "pow2")


@given(st.floats(0.01, 100.0), st.integers(0, 2**31))
def test_two_values_of_equal_magnitude_are_binary_at_any_scale(magnitude: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (16, 8, 3, 3), generator=generator) * 2.0 - 1
    domain = classify(signs * magnitude, 0)
    assert (domain.kind, domain.bits) == ("binary", 1)


@given(st.integers(2, 8), st.integers(0, 2**31))
def test_uniform_grids_have_the_bits_of_their_levels(bits: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 2**bits, (4096,), generator=generator)
    levels[:2] = torch.tensor([0, 2**bits - 1])
    domain = classify(levels * (2.0 / (2**bits - 1)) - 1.0)  # half-step offset, as DoReFa weights have
    if bits == 1:
        assert domain.kind == "binary"
    else:
        assert (domain.kind, domain.bits) == ("int", bits)


@given(st.integers(0, 2**31))
def test_real_numbers_are_float(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(16, 8, 3, 3, generator=generator)
    assert classify(values, 0).is_float
    assert classify(torch.relu(values), 1).is_float


@pytest.mark.parametrize("levels", [(-2, -1, 0, 1), (-1.0, -0.5, 0, 0.5)])
def test_two_bits_are_not_powers_of_two(levels: tuple[float, ...]) -> None:
    values = torch.tensor([float(level) for level in levels]).repeat(32)
    assert (classify(values).kind, classify(values).bits) == ("int", 2)
    assert classify(torch.tensor((-4.0, -1, 0, 2, 8)).repeat(32)).kind == "pow2"


@pytest.mark.parametrize(
    ("low", "high", "bits"), [(-128, 127, 8), (-127, 127, 8), (-2, 1, 2), (0, 255, 8), (0, 3, 2), (-1, 1, 2)]
)
def test_integers_have_the_bits_of_their_twos_complement(low: int, high: int, bits: int) -> None:
    assert classify(torch.tensor([low, 0, high] * 8, dtype=torch.int32)).bits == bits
