"""Pairs of networks that must cost the same once deployed: a table of the rewrites, seen from outside."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from costmodel.deploy.profile import profile
from tests.trace import idioms

torch.set_num_threads(1)


class Body(nn.Module):
    """Stem, one middle part that the pair writes in two ways, a binary convolution, pooling, classifier."""

    def __init__(self, middle, tail=None) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = middle
        self.conv = idioms.Conv(idioms.plain)
        self.tail = tail or nn.Identity()
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.tail(self.conv(self.middle(self.stem(x))))
        return self.head(x.mean((2, 3)))


class Fn(nn.Module):
    """A function with parameters p0, p1, ... of shape (8, 1, 1)."""

    def __init__(self, fn, count: int = 0, channels: int = 8) -> None:
        super().__init__()
        self.fn = fn
        self.p = nn.ParameterList(torch.randn(channels, 1, 1) for _ in range(count))

    def forward(self, x):
        return self.fn(x, *self.p)


def binary_norm(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), Fn(lambda x: torch.sign(x)))


THRESHOLD = Fn(lambda x, t: torch.where(x >= t, 1.0, -1.0), 1)
#: name -> two ways to make a ±1 map from the stem's output, one threshold per channel
THRESHOLDS = {
    "norm then sign": binary_norm(8),
    "norm of a norm": nn.Sequential(nn.BatchNorm2d(8), binary_norm(8)),
    "mask layer": Fn(lambda x, b: torch.sign(0.9428 * (x + b / 0.9428)), 1),
    "bias then sign": Fn(lambda x, b: torch.sign(x + b), 1),
    "scale, bias, sign": Fn(lambda x, a, b: torch.sign(x * a.abs() + b), 2),
    "compare with a threshold": THRESHOLD,
    "clamp first": Fn(lambda x, b: torch.sign(torch.clamp(x + b, -1, 1)), 1),
    "straight through": Fn(lambda x, b: idioms.sign_polynomial(x + b), 1),
}
#: functions of one sign with no channel's own threshold
PLAIN_SIGNS = {
    "scaled by beta": Fn(lambda x: torch.sign(0.37 * x)),
    "scaled by a power of two": Fn(lambda x: torch.sign(4 * x)),
    "multiplied by one": Fn(lambda x: torch.sign(1.0 * x + 0.0)),
    "divided": Fn(lambda x: torch.sign(x / 3)),
    "twice": Fn(lambda x: torch.sign(torch.sign(x))),
}


def deployed(model: nn.Module) -> dict[tuple[str, str], int]:
    return profile(model, torch.randn(idioms.INPUT)).deployed.by_kind_and_tag()


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_norm_or_a_bias_before_a_sign_is_a_threshold(name: str) -> None:
    assert deployed(Body(THRESHOLDS[name])) == deployed(Body(THRESHOLD))


@pytest.mark.parametrize("name", PLAIN_SIGNS)
def test_a_positive_scale_before_a_sign_is_nothing(name: str) -> None:
    assert deployed(Body(PLAIN_SIGNS[name])) == deployed(Body(Fn(torch.sign)))


@given(st.floats(1e-3, 1e3), st.sampled_from(sorted(idioms.ACTIVATIONS)))
@settings(max_examples=20, deadline=None)
def test_sign_of_a_scaled_value_is_the_sign_in_every_spelling(beta: float, spelling: str) -> None:
    binarise = idioms.ACTIVATIONS[spelling]
    assert deployed(Body(Fn(lambda x: binarise(beta * x)))) == deployed(Body(Fn(torch.sign)))


@pytest.mark.parametrize("alpha", [0.25, 0.5, 2.0])
def test_a_power_of_two_after_a_scaled_convolution_is_absorbed(alpha: float) -> None:
    class Scaled(nn.Module):
        def __init__(self, factor) -> None:
            super().__init__()
            self.stem, self.conv, self.factor = nn.Conv2d(3, 16, 3, padding=1), idioms.Conv(idioms.xnor), factor
            self.conv.latent = nn.Parameter(torch.randn(16, 16, 3, 3))

        def forward(self, x):
            r = self.stem(x)
            y = self.conv(torch.sign(r))
            return (y if self.factor is None else y * self.factor) + r

    plain, scaled = deployed(Scaled(None)), deployed(Scaled(alpha))
    merged = {("mul", "weight_scale") if tag == "weight_scale+const_mul" else (kind, tag): n
              for (kind, tag), n in scaled.items()}  # fmt: skip
    assert merged == plain


def test_a_norm_behind_a_real_convolution_is_in_its_weights() -> None:
    with_norm = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    without = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    a, b = deployed(with_norm), deployed(without)
    assert {k: n for k, n in a.items() if k[0] == "mul"} == {k: n for k, n in b.items() if k[0] == "mul"}
    assert sum(n for (kind, _), n in a.items() if kind == "add") == sum(
        n for (kind, _), n in b.items() if kind == "add"
    )


def test_the_divisor_of_a_global_mean_is_in_the_classifier() -> None:
    class Pooled(nn.Module):
        def __init__(self, pool) -> None:
            super().__init__()
            self.conv, self.pool, self.head = nn.Conv2d(3, 8, 3), pool, nn.Linear(8, 4)

        def forward(self, x):
            return self.head(self.pool(F.relu(self.conv(x))).flatten(1))

    ways = (nn.AdaptiveAvgPool2d(1), Fn(lambda x: x.mean((2, 3))), nn.AvgPool2d(8), Fn(lambda x: x.mean(3).mean(2)))
    first, *others = (deployed(Pooled(way)) for way in ways)
    assert first["mul", "fp_linear"] == 32
    assert sum(n for (kind, _), n in first.items() if kind == "mul") == 32 + 8 * 3 * 9 * 64
    for other in others[:2]:
        assert {k[0]: n for k, n in other.items() if k[1] not in ("gap", "avgpool")} == {
            k[0]: n for k, n in first.items() if k[1] not in ("gap", "avgpool")
        }


@pytest.mark.parametrize("scale", [0.3, 0.25])
def test_a_scale_on_binary_activations_moves_behind_the_sum(scale: float) -> None:
    class Scaled(nn.Module):
        def __init__(self, quantise) -> None:
            super().__init__()
            self.stem, self.conv = nn.Conv2d(3, 8, 3, padding=1), idioms.Conv(quantise)

        def forward(self, x):
            return self.conv(scale * torch.sign(self.stem(x)))

    ledger = profile(Scaled(idioms.xnor), torch.randn(idioms.INPUT)).deployed
    tags = ledger.by_kind_and_tag()
    assert tags["xnor", "binary_conv"] == idioms.MACS
    assert tags["mul", "act_scale+weight_scale"] == 1600  # one multiplication for both
    assert tags["compare", "binarize"] == 800


def test_folding_alpha_into_the_stored_weights_changes_nothing() -> None:
    folded = Body(Fn(torch.sign))
    folded.conv = idioms.Conv(lambda w: 0.25 * idioms.xnor(w))
    apart = Body(Fn(torch.sign), tail=Fn(lambda x: 0.25 * x))
    apart.conv = idioms.Conv(idioms.xnor)
    strip = {("mul", "weight_scale+const_mul"): ("mul", "weight_scale")}
    a, b = ({strip.get(k, k): n for k, n in deployed(m).items()} for m in (folded, apart))
    assert a == b


def test_a_chain_that_feeds_two_consumers_is_computed_once() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
            self.conv = idioms.Conv(idioms.plain)
            self.conv.latent = nn.Parameter(torch.randn(8, 8, 3, 3))

        def forward(self, x):
            r = self.norm(self.stem(x))
            return self.conv(torch.sign(r)) + r  # the residual needs the norm: it stays, folded into the stem

    tags = deployed(Fork())
    assert tags["add", "bias+bn_bias"] == 800
    assert sum(n for (kind, _), n in tags.items() if kind == "mul") == idioms.STEM_MACS


def test_the_deployed_level_never_multiplies_more_than_the_written_one() -> None:
    for make in (*THRESHOLDS.values(), *PLAIN_SIGNS.values()):
        result = profile(Body(make), torch.randn(idioms.INPUT))
        assert result.deployed.total("mul") <= result.as_written.total("mul")
        removed = result.rewrites_by_name()
        difference = {
            kind: result.as_written.total(kind) - result.deployed.total(kind)
            for kind in result.as_written.by_kind() | result.deployed.by_kind()
        }
        total: dict[str, int] = {}
        for row in removed.values():
            for kind, count in row.items():
                total[kind] = total.get(kind, 0) + count
        assert {k: n for k, n in total.items() if n} == {k: n for k, n in difference.items() if n}
