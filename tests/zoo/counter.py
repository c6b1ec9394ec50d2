"""A counter that knows nothing of the tracer: what convolutions and matrix products multiply, seen in the values.

Weights are re-drawn at random first, so that what is binary is so by construction and not by initialisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates by their operands: (input, weight)."""

    binary_binary: int
    real_binary: int
    real_real: int

    @property
    def real_by_larq(self) -> int:
        """Larq's rule: the precision of a multiply-accumulate is the wider of its operands'."""
        return self.real_binary + self.real_real


def binary_weight(values: Tensor) -> bool:
    """Two values of equal magnitude and opposite sign in each output channel (the first dimension)."""
    magnitude = values.flatten(1).abs()
    low, high = magnitude.amin(1), magnitude.amax(1)
    return bool((low > 0).all() and ((high - low) <= 1e-6 * high).all())


def binary_input(values: Tensor) -> bool:
    """Two values of equal magnitude and opposite sign; an odd exact zero is ``torch.sign``'s answer to zero."""
    magnitude = values.abs()
    present = magnitude[magnitude > 0]
    if magnitude.numel() - present.numel() > magnitude.numel() / 1000:
        return False
    low, high = present.min(), present.max()
    return bool((values < 0).any() and (values > 0).any() and high - low <= 1e-6 * high)


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found = {(True, True): 0, (False, True): 0, (False, False): 0}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            x, weight = args[0], args[1]
            self._add(x, weight, out.numel() * weight[0].numel())
        elif func is aten.mm.default:
            self._add(args[0], args[1].t(), out.numel() * args[0].shape[1])
        elif func is aten.addmm.default:
            self._add(args[1], args[2].t(), out.numel() * args[1].shape[1])
        return out

    def _add(self, x: Tensor, weight: Tensor, macs: int) -> None:
        # Nothing in the zoo multiplies binary activations by real weights.
        two_valued = binary_weight(weight)
        self.found[two_valued and binary_input(x), two_valued] += macs


def randomise(net: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter and running statistic anew."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            # A multiple of 2^-24, moved off zero: torch.sign(0) would be a third value.
            parameter.uniform_(-1, 1, generator=generator).add_(2.0**-26)
        for name, buffer in net.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0, generator=generator)
            elif name.endswith("running_mean"):
                buffer.normal_(generator=generator)
    return net


def count_macs(net: nn.Module, shape: tuple[int, ...], *, seed: int = 0) -> Macs:
    """Run the network once in inference mode and count."""
    randomise(net, seed).eval()
    with torch.no_grad(), _Counter() as counter:
        net(torch.rand(shape, generator=torch.Generator().manual_seed(seed)))
    found = counter.found
    return Macs(found[True, True], found[False, True], found[False, False])


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def parameters_with_statistics(net: nn.Module) -> int:
    """Parameters and running means and variances, as Keras counts them."""
    return parameters(net) + sum(b.numel() for b in net.buffers() if b.is_floating_point())
