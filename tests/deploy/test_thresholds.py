"""What becomes a threshold and what does not; and what a threshold stands for where others read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from costmodel.deploy.study import Deployment, prepare, verify
from tests.deploy.networks import images, scramble


class Net(nn.Module):
    """A convolution, a decision, a convolution with signs for weights; ``end`` makes the outputs of both."""

    def __init__(self, decide: Callable[[nn.Module, Tensor], Tensor], end: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.first, self.bn, self.second = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)
        self.bias = nn.Parameter(torch.tensor([0.5, -0.25, 0.125, -0.5]).reshape(1, 4, 1, 1))
        self.places = nn.Parameter(torch.linspace(-1, 1, 100).reshape(1, 1, 10, 10))
        self.decide, self.end = decide, end

    def forward(self, x: Tensor) -> object:
        u = self.decide(self, self.first(x))
        return self.end(self.second(u), u)


def made(decide: Callable[..., Tensor], end: Callable[[Tensor, Tensor], object] = lambda y, u: y) -> Deployment:
    torch.manual_seed(3)
    return prepare(scramble(Net(decide, end)), torch.randn(1, 2, 12, 12))


def count(deployed: Deployment, op: str) -> int:
    return sum(node.op == op for node in deployed.graph.nodes)


def sign(x: Tensor) -> Tensor:
    return torch.where(x >= 0, 1.0, -1.0)


ONE = {
    "batch norm": lambda net, x: sign(net.bn(x)),
    "a bias of each channel": lambda net, x: sign(x + net.bias),
    "a falling scale": lambda net, x: sign(-3.0 * x + net.bias),
    "a clamp in front": lambda net, x: sign(torch.clamp(x, -1.0, 1.0) + 0.25),
    # Two decisions about one value, of which the first is the only one that counts: at another point in each channel.
    "the weaker of two": lambda net, x: ((net.bn(x) > 0) | (net.bn(x) > 1)).to(x.dtype) * 2 - 1,
    "the weaker of two at every place": lambda net, x: (
        ((x + net.places > 0) | (x + net.places > 1)).to(x.dtype) * 2 - 1
    ),
    "sums of comparisons": lambda net, x: (sign(x + net.bias) + sign(x + net.bias)) / 2,
}
#: These change twice as the value grows, so no threshold says them; the decisions in them are comparisons.
TWICE = {
    "a band": lambda net, x: ((x > -0.5) & (x < 0.5)).to(x.dtype) * 2 - 1,
    "a band of each channel": lambda net, x: ((net.bn(x) > -0.5) & (net.bn(x) < 0.5)).to(x.dtype) * 2 - 1,
    "a magnitude": lambda net, x: sign(x.abs() - 0.4),
}


@pytest.mark.parametrize("name", ONE)
def test_a_function_that_changes_once_is_one_threshold(name: str) -> None:
    deployed = made(ONE[name])
    assert count(deployed, "threshold") == 1
    assert count(deployed, "compare") == count(deployed, "affine") == 0
    assert verify(deployed, images(deployed, 4)).exact


@pytest.mark.parametrize(
    ("name", "channels"), [("batch norm", 4), ("a bias of each channel", 4), ("a clamp in front", 1)]
)
def test_a_threshold_is_stored_for_each_channel_that_has_its_own(name: str, channels: int) -> None:
    (node,) = (node for node in made(ONE[name]).graph.nodes if node.op == "threshold")
    assert node.attrs.channels == channels


MEAN = {
    "a mean of magnitudes": lambda net, x: x / (x.abs().mean((1, 2, 3), keepdim=True) + 1e-5),
    "a largest magnitude of each channel": lambda net, x: x / x.abs().amax((2, 3), keepdim=True),
    "a mean of rectified values": lambda net, x: x * (torch.relu(x).mean((2, 3), keepdim=True) + 0.5),
    "at least a number": lambda net, x: x * net.bn(x).mean((2, 3), keepdim=True).clamp(min=0.1),
}


@pytest.mark.parametrize("name", MEAN)
def test_a_factor_that_is_positive_by_what_it_is_made_of_leaves_nothing(name: str) -> None:
    deployed = made(lambda net, x: sign(MEAN[name](net, x)))
    assert [node.op for node in deployed.graph.nodes] == ["conv", "threshold", "conv"]
    assert verify(deployed, images(deployed, 4)).exact


def test_a_factor_that_may_be_zero_stays() -> None:
    for factor in (lambda x: torch.relu(x).mean((2, 3), keepdim=True), lambda x: x.mean((2, 3), keepdim=True) + 0.5):
        assert count(made(lambda net, x, f=factor: sign(x * f(x))), "mul") == 1


def test_what_stands_before_an_upsampling_is_in_the_thresholds_behind_it() -> None:
    deployed = made(lambda net, x: sign(nn.functional.interpolate(net.bn(x), scale_factor=2)))
    assert count(deployed, "affine") == 0
    assert verify(deployed, images(deployed, 4)).exact


def test_a_function_that_is_left_as_written_does_not_hide_those_before_it() -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(2, 2, 3) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            x = self.convs[0](sign(x * 2.0 + 0.25))
            x = self.convs[1](((x > -0.5) & (x < 0.5)).to(x.dtype) * 2 - 1)
            return self.convs[2](sign(x + 0.5))

    torch.manual_seed(2)
    deployed = prepare(Three(), torch.randn(1, 2, 12, 12))
    assert count(deployed, "threshold") == 4  # both sides of the band are comparisons of their own
    assert count(deployed, "affine") == 0
    assert verify(deployed, images(deployed, 4)).exact


def test_the_rewrite_says_what_it_removed() -> None:
    deployed = made(ONE["batch norm"])
    rows = {row.name: dict(row.removed) for row in deployed.graph.rewrites}
    # Scale and bias of the norm; and the choice between the two values, which a comparison is already.
    assert rows["batch norm into threshold"] == {"mul": 400, "add": 400, "lut": 400}


def test_the_limit_of_an_integer_sum_is_an_integer_and_that_of_a_real_one_is_real() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.weight = nn.Conv2d(2, 4, 3), nn.Parameter(torch.randn(4, 4, 3, 3))
            self.last = nn.Conv2d(4, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            u = sign(self.first(x))
            return self.last(sign(nn.functional.conv2d(u, sign(self.weight)) - 1.0))

    torch.manual_seed(1)
    deployed = prepare(Two(), torch.randn(1, 2, 12, 12))
    real, integer = (node.attrs for node in deployed.graph.nodes if node.op == "threshold")
    assert (real.domain.kind, integer.domain.kind) == ("float", "int")
    assert integer.bits_in == integer.domain.bits < real.domain.bits == real.bits_in
    assert verify(deployed, images(deployed, 4)).exact


@pytest.mark.parametrize("name", TWICE)
def test_a_function_that_changes_twice_is_not(name: str) -> None:
    deployed = made(TWICE[name])
    last = next(node for node in deployed.graph.nodes if node.op == "conv" and node.module == "second")
    (source,) = (node for node in deployed.graph.nodes if node.id == last.inputs[0])
    assert sum(node.row.decides for node in source.inner) <= 1
    assert not any(node.op == "abs" for node in source.inner)
    assert verify(deployed, images(deployed, 4)).exact


@pytest.mark.parametrize("size", [0.5, 0.75, 0.3])
@pytest.mark.parametrize(
    ("end", "scales"),
    [
        (lambda y, u: y, 0),  # the sum of products takes the size after it
        (lambda y, u: y + u, 1),  # the addition needs it before
        (lambda y, u: (y, u), 1),  # and so does whoever reads the output
        (lambda y, u: (y + u, u), 1),  # both from one scale
        (lambda y, u: nn.functional.max_pool2d(u, 2), 1),  # a maximum of signs is a sign, and is what is read
    ],
)
def test_a_threshold_that_stands_for_another_size_gets_it_where_it_is_needed(
    size: float, end: Callable[[Tensor, Tensor], object], scales: int
) -> None:
    deployed = made(lambda net, x: size * sign(net.bn(x)), end)
    assert count(deployed, "threshold") == 1
    tags = [step.tag for node in deployed.graph.nodes if node.op == "affine" for step in node.attrs.steps]
    assert tags.count("act_scale") == scales
    verdict = verify(deployed, images(deployed, 4))
    assert verdict.exact or verdict.deviation <= 1e-5 * verdict.scale


class Flat(nn.Module):
    """The same of vectors, where each feature has been seen once."""

    def __init__(self, decide: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.decide = nn.Linear(8, 64), nn.Linear(64, 3), decide
        self.bias = nn.Parameter(torch.linspace(-0.4, 0.4, 64))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.decide(self, self.first(x)))


@pytest.mark.parametrize(
    ("decide", "thresholds"),
    [
        (lambda net, x: sign(x + net.bias), 1),
        (lambda net, x: ((x > 0) | (x > 1)).to(x.dtype) * 2 - 1, 1),
        (lambda net, x: ((x + net.bias > 0) | (x + net.bias > 1)).to(x.dtype) * 2 - 1, 1),
        (lambda net, x: sign(-2.0 * x + 0.125), 1),
    ],
)
def test_vectors_are_decided_like_maps(decide: Callable[..., Tensor], thresholds: int) -> None:
    torch.manual_seed(5)
    deployed = prepare(Flat(decide), torch.randn(1, 8))
    assert count(deployed, "threshold") == thresholds
    assert verify(deployed, torch.randn(16, 8).double().numpy()).exact


def test_a_band_of_a_vector_is_no_threshold() -> None:
    torch.manual_seed(5)
    deployed = prepare(Flat(lambda net, x: sign(x.abs() - 0.3)), torch.randn(1, 8))
    last = next(node for node in deployed.graph.nodes if node.op == "linear" and node.module == "second")
    (source,) = (node for node in deployed.graph.nodes if node.id == last.inputs[0])
    assert not any(node.op == "abs" for node in source.inner)
    assert verify(deployed, torch.randn(16, 8).double().numpy()).exact
