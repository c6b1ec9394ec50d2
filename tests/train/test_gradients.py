"""The layers that training leans on, against their formulas, by hand and by finite differences."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from costmodel.train.feed import Batch
from costmodel.train.kernels import FastBinaryActivation, FastQuantizedPReLU, leaky, use_fast_layers
from costmodel.train.recipes import Loss
from costmodel.train.step import training_loss
from costmodel.zoo import registry
from costmodel.zoo.layers import BinaryActivation, BinaryConv2d, QuantizedPReLU, StandardizedConv2d, standardize
from tests.near import near

POINTS = torch.tensor([-2.0, -1.0, -0.3, 0.0, 0.2, 1.0, 1.7], dtype=torch.float64)


def gradient(layer: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    layer(x).backward(torch.ones_like(x))
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("layer", [BinaryActivation, FastBinaryActivation])
def test_sign_is_plus_one_at_zero_and_its_gradient_that_of_two_sigmoids(layer: type[BinaryActivation]) -> None:
    made = layer("sigmoid")
    assert made(POINTS).tolist() == [-1, -1, -1, 1, 1, 1, 1]
    expected = [1.5 / math.cosh(1.5 * x) ** 2 for x in POINTS.tolist()]
    assert gradient(made, POINTS).tolist() == near(expected, rel=1e-12)


def test_the_sigmoid_gradient_is_a_derivative() -> None:
    """Of 2 sigmoid(3x) - 1, whose total rise is that of the sign."""
    x = POINTS.clone().requires_grad_()
    (2 * torch.sigmoid(3 * x) - 1).sum().backward()
    torch.testing.assert_close(gradient(BinaryActivation("sigmoid"), POINTS), x.grad)


@pytest.mark.parametrize("layer", [BinaryActivation, FastBinaryActivation])
def test_the_quadratic_gradient_is_a_triangle(layer: type[BinaryActivation]) -> None:
    expected = [0, 0, 1.4, 2, 1.6, 0, 0]
    assert gradient(layer("quadratic"), POINTS).tolist() == near(expected)


@pytest.mark.parametrize("layer", [QuantizedPReLU, FastQuantizedPReLU])
def test_quantised_prelu_shifts_negative_inputs_and_learns_its_exponent(layer: type[QuantizedPReLU]) -> None:
    made = layer(2).double()
    with torch.no_grad():
        made.exponent.copy_(torch.tensor([-2.4, 0.6]))  # rounded: -2 and 1
    x = torch.tensor([[-3.0, -3.0], [5.0, -1.0]], dtype=torch.float64).view(2, 2, 1, 1)
    assert made(x).flatten().tolist() == [-0.75, -6.0, 5.0, -2.0]
    incoming = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64).view(2, 2, 1, 1)
    made(x).backward(incoming)
    # ln 2 * 2^e * sum of min(x, 0) * incoming
    expected = [math.log(2) * 0.25 * (-3 * 1), math.log(2) * 2 * (-3 * 2 - 1 * 4)]
    assert made.exponent.grad is not None
    assert made.exponent.grad.tolist() == near(expected)


def test_leaky_is_prelu_with_the_right_derivatives() -> None:
    torch.manual_seed(1)
    x = (torch.randn(3, 2, 4, 4, dtype=torch.float64) + 0.01).requires_grad_()
    slope = torch.tensor([0.25, -1.5], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(leaky(x, slope), torch.nn.functional.prelu(x, slope))
    assert torch.autograd.gradcheck(leaky, (x, slope))


def test_standardised_weights_have_mean_zero_and_variance_one_over_fan_in() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64).view(1, 4, 1, 1)
    # mean 3, standard deviation sqrt(14 / 4), fan-in 4
    expected = [(w - 3) / (math.sqrt(3.5) + 1e-5) / 2 for w in (1, 2, 3, 6)]
    assert standardize(weight).flatten().tolist() == near(expected)
    torch.manual_seed(2)
    assert torch.autograd.gradcheck(standardize, torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True))


def test_a_standardised_convolution_has_the_right_derivatives() -> None:
    torch.manual_seed(3)
    layer = StandardizedConv2d(2, 3, 3, padding=1).double()

    def run(x: Tensor, weight: Tensor, gain: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "gain": gain}, x)

    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    inputs = (x, layer.weight.detach().requires_grad_(), torch.rand(3, 1, 1, 1).double().requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)


def test_a_binary_weight_takes_the_gain_times_the_incoming_gradient_within_one() -> None:
    layer = BinaryConv2d(2, 1, 1, standardized=True).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -3.0]).view(1, 2, 1, 1))
        layer.gain.fill_(2.0)  # type: ignore[union-attr]
    # Standardised: mean -1, deviation 2, fan-in 2: +-1/sqrt(2); so the weights are +-2/sqrt(2).
    magnitude = 2 / (2 + 1e-5) / math.sqrt(2)
    assert layer.binary_weight().flatten().tolist() == near([2 * magnitude, -2 * magnitude])
    standard = standardize(layer.weight)
    standard.retain_grad()
    incoming = torch.tensor([0.5, 0.25], dtype=torch.float64).view(1, 2, 1, 1)
    layer.binary_weight().backward(incoming)
    assert layer.gain is not None and layer.gain.grad is not None
    assert layer.gain.grad.item() == near(magnitude * (0.5 - 0.25))
    # Through the standardisation: the chain rule on 2 * incoming.
    (weight_gradient,) = torch.autograd.grad(standard, layer.weight, 2 * incoming)
    torch.testing.assert_close(layer.weight.grad, weight_gradient)


@pytest.mark.parametrize(
    "name", ["abbnn-reactnet18-cifar10", "bn-reactnet18-cifar10", "bn-bireal18-cifar10", "abbnn-xnor18-cifar10"]
)
def test_fast_layers_change_no_value_and_no_gradient(name: str) -> None:
    torch.manual_seed(4)
    plain = registry.build(name, width=0.125)
    fast = copy.deepcopy(plain)
    use_fast_layers(fast)
    assert [n for n, _ in plain.named_parameters()] == [n for n, _ in fast.named_parameters()]
    x = torch.randn(4, 3, 32, 32)
    expected, found = plain(x), fast(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    expected.square().sum().backward()
    found.square().sum().backward()
    for (label, p), q in zip(plain.named_parameters(), fast.parameters(), strict=True):
        assert p.grad is not None and q.grad is not None
        assert (p.grad - q.grad).abs().max() <= 1e-5 * p.grad.abs().max() + 1e-9, label


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("name", ["tfc", "abbnn-tfc", "cnv", "abbnn-cnv"])
def test_fast_layers_of_signs_change_no_value_and_no_gradient(name: str, bounded: bool) -> None:
    """Also where the latent weights are said to be bounded, which they are: drawn from [-1, 1]."""
    torch.manual_seed(4)
    plain = registry.build(name)
    for module in plain.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    fast = copy.deepcopy(plain)
    use_fast_layers(fast, bounded)
    x = torch.rand(8, *registry.entry(name).input_shape[1:])
    expected, found = plain(x), fast(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    expected.square().sum().backward()
    found.square().sum().backward()
    for (label, p), q in zip(plain.named_parameters(), fast.named_parameters(), strict=True):
        assert p.grad is not None and q[1].grad is not None
        assert (p.grad - q[1].grad).abs().max() <= 1e-5 * p.grad.abs().max() + 1e-9, label


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="no bf16 instructions")
@pytest.mark.parametrize("fan_in", [9 * 256, 1024])
def test_products_of_signs_are_exact_in_bf16_up_to_the_rounding_of_their_sum(fan_in: int) -> None:
    """They are gathered in fp32; the sum is rounded once, to eight bits: exact up to 256."""
    torch.manual_seed(0)
    x, w = (torch.randn(n, fan_in).sign() for n in (64, 32))
    exact = x @ w.t()
    found = (x.bfloat16() @ w.bfloat16().t()).float()
    assert torch.equal(found, exact.bfloat16().float())
    small = exact.abs() <= 256
    assert small.any() and torch.equal(found[small], exact[small])


def test_the_loss_of_a_teacher_has_the_gradient_of_the_distributional_loss() -> None:
    torch.manual_seed(5)
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    taught = torch.randn(6, 4, dtype=torch.float64)
    labels = torch.randint(4, (6,))
    batch = Batch(torch.empty(6, 1), labels, labels, torch.ones((), dtype=torch.float64))
    training_loss(logits, batch, Loss(teacher=1.0), taught).backward()
    torch.testing.assert_close(logits.grad, (logits.softmax(1) - taught.softmax(1)).detach() / 6)


def test_mixed_labels_share_the_loss_by_area() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    labels, other = torch.tensor([0, 1]), torch.tensor([1, 0])
    keep = torch.tensor(0.75)
    loss = training_loss(logits, Batch(torch.empty(2, 1), labels, other, keep), Loss(), None)
    own, mixed = (torch.nn.functional.cross_entropy(logits, y) for y in (labels, other))
    torch.testing.assert_close(loss, 0.75 * own + 0.25 * mixed)
