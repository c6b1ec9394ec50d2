"""Straight-through gradients and quantised layers against their formulas."""

import math

import pytest
import torch
from torch import Tensor

from costmodel.zoo.layers import BinaryConv2d, LearnableBias, Mask, QuantizedPReLU, StandardizedConv2d, standardize
from costmodel.zoo.ste import round_ste, scaled_sign, sign
from tests.near import near

POINTS = torch.tensor([-2.0, -1.0, -0.5, -0.0, 0.0, 0.25, 1.0, 3.0], dtype=torch.float64)


def gradient_of_sum(function, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    x = x.clone().requires_grad_()
    function(x).sum().backward()
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("gradient", ["sigmoid", "quadratic", "clip"])
def test_sign_of_zero_is_plus_one(gradient: str) -> None:
    expected = torch.tensor([-1.0, -1, -1, 1, 1, 1, 1, 1], dtype=torch.float64)
    assert torch.equal(sign(POINTS, gradient), expected)  # type: ignore[arg-type]


def test_sigmoid_gradient_is_1_5_sech_squared() -> None:
    found = gradient_of_sum(lambda x: sign(x, "sigmoid"), POINTS)
    expected = 1.5 / torch.cosh(1.5 * POINTS) ** 2
    torch.testing.assert_close(found, expected)
    assert found[4] == 1.5


def test_sigmoid_gradient_has_the_area_of_the_step() -> None:
    x = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    assert torch.trapezoid(gradient_of_sum(lambda t: sign(t, "sigmoid"), x), x).item() == near(2, abs=1e-9)


def test_quadratic_gradient() -> None:
    found = gradient_of_sum(lambda x: sign(x, "quadratic"), POINTS)
    assert found.tolist() == [0, 0, 1, 2, 2, 1.5, 0, 0]


def test_clip_gradient() -> None:
    assert gradient_of_sum(lambda x: sign(x, "clip"), POINTS).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert gradient_of_sum(lambda x: sign(x, "clip", 0.3), POINTS).tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


def test_round_is_half_to_even_with_identity_gradient() -> None:
    x = torch.tensor([-2.5, -0.5, 0.5, 1.5, 2.4])
    assert round_ste(x).tolist() == [-2, 0, 0, 2, 2]
    assert gradient_of_sum(round_ste, x).tolist() == [1] * 5


def test_quantised_prelu_forward_and_exponent_gradient() -> None:
    layer = QuantizedPReLU(3).double()
    with torch.no_grad():
        layer.exponent.copy_(torch.tensor([-3.0, -1.5, 0.4]))
    x = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    slope = torch.tensor([2.0**-3, 2.0**-2, 1.0], dtype=torch.float64)[:, None, None]
    y = layer(x)
    assert torch.equal(y, torch.where(x > 0, x, slope * x))
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    expected = math.log(2) * slope.flatten() * (x.clamp(max=0) * weight).sum((0, 2, 3))
    torch.testing.assert_close(layer.exponent.grad, expected)


def test_mask_changes_no_sign() -> None:
    x = torch.randn(200_000)
    for beta in (0.9701, 0.9428, 0.7698):
        bias = LearnableBias(1, beta)
        with torch.no_grad():
            bias.bias.fill_(0.37)
            masked = sign(Mask(beta)(bias(x[None, None, None])), "sigmoid")
            assert torch.equal(masked, sign(bias(x[None, None, None]), "sigmoid"))


def test_scaled_sign_gradients() -> None:
    w = torch.tensor([[0.5, -2.0, 0.1]], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([[3.0]], dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([[7.0]], dtype=torch.float64)
    out = scaled_sign(w, scale, slope)
    assert out.tolist() == [[3, -3, 3]]
    out.backward(torch.tensor([[1.0, 10.0, 100.0]], dtype=torch.float64))
    assert w.grad is not None
    assert scale.grad is not None
    assert w.grad.tolist() == [[7, 0, 700]]
    assert scale.grad.tolist() == [[1 - 10 + 100]]


def test_standardised_filters_have_mean_zero_and_variance_one_over_fan_in() -> None:
    w = standardize(torch.randn(8, 16, 3, 3, dtype=torch.float64) * 5 + 1)
    assert w.mean((1, 2, 3)).abs().max() < 1e-12
    torch.testing.assert_close(
        w.var((1, 2, 3), unbiased=False), torch.full((8,), 1 / 144.0).double(), rtol=1e-4, atol=0
    )


def test_standardisation_is_differentiable() -> None:
    w = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(standardize, (w,))


def test_standardised_convolution_gradient() -> None:
    layer = StandardizedConv2d(2, 3, 3).double()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_binary_convolution_matches_the_detach_spelling() -> None:
    """Values and gradients are those of gain * (scale sign(w) - clip(w)).detach() + gain * clip(w)."""
    torch.manual_seed(0)
    layer = BinaryConv2d(4, 6, 3, padding=1, standardized=True).double()
    assert layer.gain is not None
    with torch.no_grad():
        layer.gain.normal_()
    weight, gain = (p.detach().clone().requires_grad_() for p in (layer.weight, layer.gain))
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    w = standardize(weight)
    soft = w.clamp(-1, 1)
    scale = w.abs().mean((1, 2, 3), keepdim=True).detach()
    spelled = gain * ((scale * torch.sign(w)).detach() - soft.detach() + soft)
    reference = torch.nn.functional.conv2d(x, spelled, padding=1)
    out = layer(x)
    torch.testing.assert_close(out, reference)
    probe = torch.randn_like(out)
    (out * probe).sum().backward()
    (reference * probe).sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(layer.gain.grad, gain.grad)
