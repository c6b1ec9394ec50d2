"""Operations that people use, each with its count by hand: transforms, order, sampling, control flow, integers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._higher_order_ops import scan, while_loop
from torch.nn.attention.flex_attention import flex_attention

from costmodel import profile
from costmodel.errors import CostmodelError
from costmodel.ledger.conventions import convention
from costmodel.trace.spectral import stages


class Run(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def counts(function: Callable[..., Any], *inputs: Tensor) -> dict[str, int]:
    return {kind: n for kind, n in profile(Run(function), inputs).as_written.by_kind().items() if n}


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_stages_of_a_transform() -> None:
    assert stages(8) == (3 * 4, 3 * 8)  # three stages of four butterflies: one product and two sums each
    assert stages(6) == (6 // 2 + 6 * 2, 6 + 6 * 2)
    assert stages(7) == (7 * 6, 7 * 6) and stages(1) == (0, 0)
    for n in range(2, 200):  # never more than the sum itself
        products, sums = stages(n)
        assert 0 < products <= n * (n - 1) and 0 < sums <= n * (n - 1)


C, K = torch.view_as_complex, torch.view_as_real
#: name -> function, input, operations: a complex product is 4 mul and 2 add, a complex sum 2 add
CASES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], dict[str, int]]] = {
    "transforms of 8": (lambda x: K(torch.fft.fft(C(x))), (randn(3, 8, 2),), {"mul": 3 * 12 * 4, "add": 3 * (24 + 48)}),
    "of real numbers: half": (lambda x: K(torch.fft.rfft(x)), (randn(3, 8),), {"mul": 3 * 6 * 4, "add": 3 * (12 + 24)}),
    "back to 8 real ones": (lambda x: torch.fft.irfft(C(x)), (randn(3, 5, 2),), {"mul": 72 + 24, "add": 108}),
    "complex times complex": (lambda x: K(C(x) * C(x)), (randn(6, 2),), {"mul": 24, "add": 12}),
    "complex times real": (lambda x: K(C(x) * x[:, 0]), (randn(6, 2),), {"mul": 12}),
    "complex matrices": (lambda x: K(C(x) @ C(x)), (randn(3, 3, 2),), {"mul": 4 * 27, "add": 4 * 27 - 18}),
    "magnitude": (lambda x: C(x).abs(), (randn(6, 2),), {"mul": 12, "add": 6, "special": 6}),
    "sort": (lambda x: torch.sort(x), (randn(2, 10),), {"compare": 2 * 10 * 4}),
    "places in order": (lambda x: torch.argsort(x), (randn(2, 10),), {"compare": 2 * 10 * 4}),
    "the three largest": (lambda x: torch.topk(x, 3), (randn(2, 10),), {"compare": 2 * 10 * 2}),
    "the largest": (lambda x: torch.topk(x, 1).indices, (randn(2, 10),), {"compare": 2 * 9}),
    "distances": (lambda x: torch.cdist(x, x), (randn(1, 5, 4),), {"mul": 100, "add": 175, "special": 25}),
    "many": (lambda x: torch.cdist(x, x), (randn(1, 50, 4),), {"mul": 10_000, "add": 17_500, "special": 2_500}),
    # 9 places: 2 coordinates each (mul, add, below, how far, the other side), 4 weights, 4 terms of 2 channels
    "bilinear samples": (lambda x, g: F.grid_sample(x, g, align_corners=False), (randn(1, 2, 4, 4), randn(1, 3, 3, 2)),
                         {"mul": 18 + 36 + 72, "add": 18 + 36 + 18 + 54, "compare": 36}),
    "nearest samples": (lambda x, g: F.grid_sample(x, g, mode="nearest", align_corners=False),
                        (randn(1, 2, 4, 4), randn(1, 3, 3, 2)), {"mul": 18, "add": 36, "compare": 36}),
    "a sign on magnitudes": (lambda x: torch.copysign(x, x + 1.5), (randn(2, 8),), {"add": 16, "signflip": 16}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_counts_by_hand(name: str) -> None:
    function, inputs, expected = CASES[name]
    assert counts(function, *inputs) == expected


def test_a_sign_on_a_number_is_binary() -> None:
    signs = torch.sign(randn(3, 8))
    made = profile(Run(lambda x: F.linear(torch.copysign(torch.ones_like(x), x), signs)), randn(2, 8))
    assert dict(made.deployed.by_kind()) == {"compare": 16, "xnor": 48, "popcount": 48}


# -- functions as arguments -------------------------------------------------------------------------------------------


class Branch(nn.Module):
    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound, self.yes, self.no = bound, nn.Linear(4, 4, bias=False), nn.Linear(4, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > self.bound, lambda x: self.yes(x), lambda x: self.no(x)[:, :4], (x,))


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, self.fc(x)), (torch.tensor(0), x))[1]


class Scan(Loop):
    def forward(self, x: Tensor) -> Tensor:
        return scan(lambda c, x: (self.fc(x) + c, c * 2.5), torch.ones(4), x, dim=0)[0]


def test_control_flow_is_followed() -> None:
    for bound, products in ((-1e9, 32), (1e9, 64)):
        made = profile(Branch(bound), torch.randn(2, 4))
        assert made.as_written.total("mul") == products
        assert any(caveat.kind == "branch" for caveat in made.caveats)
    assert profile(Loop(), torch.randn(2, 4)).as_written.total("mul") == 3 * 32
    assert convention("macs").count(profile(Scan(), torch.randn(5, 4))).number == 5 * 16


def test_flexible_attention_is_attention() -> None:
    q = torch.randn(1, 2, 128, 16)
    for score in (None, lambda s, b, h, i, j: s + (i - j)):
        made = profile(Run(lambda q, score=score: flex_attention(q, q, q, score_mod=score)), q)
        assert convention("macs").count(made).number == 2 * 2 * 128 * 128 * 16
        assert made.as_written.total("unknown") == 0


def test_an_operator_of_functions_without_a_rule_is_one_unknown_operation() -> None:
    from torch._higher_order_ops.strict_mode import strict_mode

    made = profile(Run(lambda x: strict_mode(lambda x: (x * 2.5,), (x,))[0] + 1.5), torch.randn(3, 4))
    kinds = dict(made.as_written.by_kind())
    assert kinds in ({"unknown": 12, "add": 12}, {"mul": 12, "add": 12})


# -- integers ---------------------------------------------------------------------------------------------------------


def small() -> nn.Module:
    ao = torch.ao.quantization
    torch.manual_seed(0)
    return nn.Sequential(
        ao.QuantStub(), nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5), ao.DeQuantStub()
    ).eval()


def test_packed_integers_are_products_of_integers() -> None:
    ao = torch.ao.quantization
    engines = torch.backends.quantized.supported_engines
    torch.backends.quantized.engine = "fbgemm" if "fbgemm" in engines else "qnnpack"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = small()
        model.qconfig = ao.get_default_qconfig("fbgemm")
        prepared = ao.prepare(model)
        prepared(torch.randn(4, 3, 8, 8))
        packed = ao.convert(prepared)
        dynamic = ao.quantize_dynamic(nn.Sequential(nn.Linear(16, 8)), {nn.Linear}, dtype=torch.qint8)
    x = torch.randn(1, 3, 8, 8)
    before = packed(x)
    made = profile(packed, x)
    assert made.as_written.total("unknown") == 0 and torch.equal(packed(x), before)
    assert convention("macs").count(made).number == 36 * 4 * 27 + 144 * 5
    made = profile(dynamic, torch.randn(1, 16))
    assert made.as_written.total("unknown") == 0 and convention("macs").count(made).number == 128


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_are_refused_in_words(layout: torch.layout) -> None:
    def nest(x: Tensor) -> Tensor:
        return torch.nested.as_nested_tensor([x, x[:1]], layout=layout) * 2

    with warnings.catch_warnings(), pytest.raises(CostmodelError, match="nested tensors"):
        warnings.simplefilter("ignore")
        profile(Run(nest), torch.randn(3, 4))
