"""Arguments reach the rules by name, complete and in one form; what a rule leaves out of account is never silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from costmodel.deploy.profile import profile
from costmodel.trace import (
    lower,  # noqa: F401  registers the rules
    trace,
)
from costmodel.trace.operator import operator
from costmodel.trace.rules import RULES, STORAGE

ATEN = torch.ops.aten


class Calls(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def written(function: Callable[..., Tensor], *shape: int) -> dict[str, int]:
    return profile(Calls(function), torch.randn(shape)).as_written.by_kind()


def overloads(packet: str) -> list[Any]:
    """The overloads of an operator that take tensors and say where no result goes."""
    found = getattr(ATEN, packet.removeprefix("aten."), None)
    functions = []
    for name in found.overloads() if found is not None else ():
        try:
            function = getattr(found, name)
            operator(function)
        except RuntimeError:  # of numbers, for scripts alone
            continue
        declared = function._schema.arguments
        if any("Tensor" in str(a.type) for a in declared) and not any(a.is_out for a in declared):
            functions.append(function)
    return functions


@pytest.mark.parametrize("packet", sorted(RULES))
def test_every_argument_that_a_rule_names_is_declared(packet: str) -> None:
    functions = overloads(packet)
    assert functions
    declared = {name for function in functions for name in operator(function).kept}
    assert RULES[packet].reads - declared <= SHARED.get(packet, set())
    assert any(RULES[packet].needs <= set(operator(function).kept) for function in functions)


#: What a rule of several operators names for others of them.
SHARED = {
    "aten._fused_rms_norm": {"bias"}, "aten._native_batch_norm_legit_no_training": {"training"},
    "aten._batch_norm_no_update": {"training"}, "aten.celu": {"scale", "input_scale"}, "aten.logical_not": {"other"},
    "aten.bitwise_not": {"other"}, "aten.scatter_add": {"alpha"}, "aten.true_divide": {"rounding_mode"},
    "aten.floor": {"decimals"}, "aten.ceil": {"decimals"}, "aten.trunc": {"decimals"}, "aten.frac": {"decimals"},
    "aten.fake_quantize_per_tensor_affine_cachemask": {"axis", "fake_quant_enabled"},
    "aten.fake_quantize_per_channel_affine_cachemask": {"fake_quant_enabled"},
    "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams": {"axis"},
    "aten.upsample_linear1d": {"scales_d", "scales_h", "scales_w"}, "aten.upsample_trilinear3d": {"scales"},
    "aten.upsample_bilinear2d": {"scales", "scales_d"}, "aten._upsample_bilinear2d_aa": {"scales", "scales_d"},
    "aten.upsample_bicubic2d": {"scales", "scales_d"}, "aten._upsample_bicubic2d_aa": {"scales", "scales_d"},
}  # fmt: skip


def test_storage_decides_nothing_that_is_computed() -> None:
    assert not any(STORAGE & rule.reads for rule in RULES.values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: ATEN.add.Tensor(x, x.abs(), alpha=0.5), lambda x: x + 0.5 * x.abs()),
        (lambda x: ATEN.sub.Tensor(x, x.abs(), alpha=3.0), lambda x: x - 3.0 * x.abs()),
        (lambda x: ATEN.rsub.Tensor(x.abs(), x, alpha=2.0), lambda x: x - 2.0 * x.abs()),
        (lambda x: torch.clamp(x, max=2.0, min=-1.0), lambda x: x.clamp(-1.0, 2.0)),
        (lambda x: torch.sum(input=x, dim=1), lambda x: x.sum(1)),
        (lambda x: torch.round(x, decimals=2), lambda x: torch.round(x * 100.0) / 100.0),
    ],
    ids=["add", "sub", "rsub", "clamp", "sum", "round"],
)
def test_a_call_costs_the_same_however_it_is_written(one: Any, other: Any) -> None:
    assert written(one, 2, 6) == written(other, 2, 6)


def test_arguments_of_a_convolution_may_be_named() -> None:
    weight = torch.randn(4, 3, 3, 3)

    def named(x: Tensor) -> Tensor:
        result: Tensor = ATEN.convolution.default(
            groups=1, output_padding=[0, 0], transposed=False, dilation=[1, 1], padding=[1, 1], stride=[2, 2],
            bias=None, weight=weight, input=x,
        )  # fmt: skip
        return result

    assert written(named, 1, 3, 8, 8) == {"mul": 4 * 16 * 27, "add": 4 * 16 * 26}


def test_values_of_a_sign_follow_alpha() -> None:
    """1 + 2 sign(x) is -1 or 3: no one-bit operand, and sign(x) - 2 sign(x) is no zero."""
    weight = torch.sign(torch.randn(6, 4))
    three = trace(Calls(lambda x: ATEN.rsub.Scalar(torch.sign(x), 1.0, alpha=-2.0) @ weight), torch.randn(2, 6))
    assert all(not node.domain.is_one_bit for node in three.nodes if node.op == "affine")

    def twice(x: Tensor) -> Tensor:
        signs = torch.sign(x)
        result: Tensor = ATEN.rsub.Tensor(signs, signs, alpha=2.0)
        return result

    assert written(twice, 2, 6)["compare"] == 12


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.zeros(6).scatter_reduce(0, torch.arange(6), x[0], "amax"),
        lambda x: ATEN.scatter.reduce(torch.zeros(6), 0, torch.arange(6), x[0], reduce="multiply"),
        lambda x: ATEN.linalg_vector_norm(x, 3),
    ],
    ids=["scattered maximum", "scattered product", "cubic norm"],
)
def test_a_form_that_a_rule_does_not_cover_is_unknown_and_said(function: Any) -> None:
    made = profile(Calls(function), torch.randn(2, 6))
    assert made.as_written.by_kind()["unknown"] > 0
    assert any(c.kind == "unknown_op" and "its rule does not cover" in c.message for c in made.caveats)


def test_a_tensor_that_belongs_to_no_module_means_the_same_in_every_run() -> None:
    table = torch.sign(torch.randn(6, 4))
    first = written(lambda x: torch.sign(torch.relu(x) - 1.0) @ table, 2, 6)
    assert all(written(lambda x: torch.sign(torch.relu(x) - 1.0) @ table, 2, 6) == first for _ in range(2))


def test_what_is_overwritten_is_not_read() -> None:
    def filled(x: Tensor) -> Tensor:
        scratch = torch.exp(x)
        scratch.fill_(2.0)
        return x * scratch

    assert written(filled, 2, 6) == {"shift_const": 12}
