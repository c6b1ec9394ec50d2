"""Where PyTorch's rounding decides the sign of a binary sum, the sum is exactly zero: shown in rational arithmetic."""

from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F

from costmodel.deploy.reference import ExactSums
from costmodel.deploy.study import verify
from tests.deploy.networks import images, zoo


def layer(seed):
    generator = torch.Generator().manual_seed(seed)
    u = torch.where(torch.randn((1, 4, 5, 5), generator=generator) >= 0, 0.3, -0.3).double()
    w = torch.randn((6, 4, 3, 3), generator=generator).double()
    w = torch.where(w >= 0, 1.0, -1.0) * w.abs().mean((1, 2, 3), keepdim=True)
    return u, w


def rational(u, w):
    """The same sums of the same double-precision numbers, each without rounding."""
    maps = F.unfold(u, 3, padding=1)[0].T.tolist()
    return [[sum(Fraction(a) * Fraction(b) for a, b in zip(window, row, strict=True)) for window in maps]
            for row in w.flatten(1).tolist()]  # fmt: skip


def test_exact_sums_have_the_sign_of_rational_ones():
    noise = 0
    for seed in range(4):
        u, w = layer(seed)
        rounded = F.conv2d(u, w, padding=1).flatten(1).reshape(6, -1)
        with ExactSums(sign_of_zero=True):
            exact = F.conv2d(u, w, padding=1).reshape(6, -1)
        for c, row in enumerate(rational(u, w)):
            for p, value in enumerate(row):
                assert (exact[c, p] > 0) == (value > 0) and (exact[c, p] < 0) == (value < 0)
                assert abs(float(value) - float(exact[c, p])) <= 4e-16 * max(1.0, abs(float(value)))
                noise += bool(value == 0 and rounded[c, p] != 0)
    assert noise > 0  # PyTorch's own sums of these are not zero


def test_sums_of_real_weights_stay_as_they_are():
    x, w, b = (torch.randn(s, dtype=torch.float64) for s in ((2, 4), (3, 4), (3,)))
    with ExactSums(sign_of_zero=True):
        assert torch.equal(F.linear(x, w, b), torch.addmm(b, x, w.T))
    assert np.allclose(F.linear(x, w, b), x @ w.T + b)


def test_ties_are_all_that_parts_the_deployed_network_from_pytorch():
    made = zoo("bnfree-bnn18-cifar10", width=0.125)
    verdict = verify(made, images(made, 2))
    assert verdict.deviation > 1e-3 and verdict.by_rounding and verdict.exact
    assert verdict.settled < 1e-12 and 0 < verdict.ties < verdict.decisions


def test_a_network_without_ties_is_compared_with_pytorch_alone():
    made = zoo("abbnn-digits")
    verdict = verify(made, images(made, 2))
    assert verdict.exact and verdict.settled is None and not verdict.by_rounding


def test_a_wrong_network_is_not_excused_by_its_ties():
    made = zoo("bnfree-bnn18-cifar10", width=0.125)
    with torch.no_grad():
        next(p for p in made.model.parameters() if p.dim() == 2).mul_(1.01)
    verdict = verify(made, images(made, 1))
    assert verdict.ties and verdict.settled is not None and not verdict.exact
