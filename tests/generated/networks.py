"""Draw a network: a first layer, a few blocks, a classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import torch
from torch import nn

from tests.generated.expected import deployed
from tests.generated.sketch import Node, Sketch


@dataclass(frozen=True)
class Network:
    """A network as Python, and what it costs; ``blocks`` are the seeds of its blocks, by which it can be cut down."""

    seed: int
    source: str
    shape: tuple[int, ...]
    written: Counter[str]
    deployed: Counter[str]
    macs: int
    features: frozenset[str]
    blocks: tuple[int, ...] = field(repr=False)

    def build(self, seed: int = 0) -> nn.Module:
        """The module, with parameters as training leaves them; ``seed`` is another draw of them."""
        space: dict[str, type[nn.Module]] = {}
        exec(compile(self.source, f"<network {self.seed}>", "exec"), space)
        torch.manual_seed(self.seed + 1000 * seed)
        net = space["Net"]().eval()
        with torch.no_grad():
            for parameter in net.parameters():  # torch.randn gives a zero now and then, of which the sign is 0
                parameter[parameter == 0] = 0.1
            for module in net.modules():
                if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    module.running_mean.normal_(0, 0.5)
                    module.running_var.uniform_(0.5, 2)
                    module.weight.normal_(0, 1)
                    module.bias.normal_(0, 0.5)
        net.requires_grad_(False)  # F.batch_norm takes no statistics that are trained
        return net

    def inputs(self, seed: int = 0) -> torch.Tensor:
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(~(self.seed + 1000 * seed) % (1 << 40)))


# -- pieces of blocks -------------------------------------------------------------------------------------------------


def levels(s: Sketch, x: Node, *, ties: bool = True) -> Node:
    """Few levels of ``x``, with a scale or not."""
    rng = s.structure
    kind = rng.choice(["binary"] * 6 + ["binary01", "binary01", "ternary", "int", "int"])
    bits = rng.choice([2, 2, 3, 4]) if kind == "int" else 1
    y = s.quantise(x, kind, bits)
    if kind == "int" and rng.random() < 0.7:
        return s.affine(y, "real", number=1 / ((1 << bits) - 1))
    match rng.randrange(8):
        case 0:
            return s.affine(y, "real", number=0.7)
        case 1:
            return s.affine(y, "pow2")
        case _:
            return y


def before_sign(s: Sketch, x: Node) -> Node:
    match s.structure.randrange(6):
        case 0:
            return s.affine(x, bias=True)
        case 1:
            return s.affine(x, "real", True, True)
        case 2:
            return s.cut(s.batch_norm(x), 2)
        case _:
            return s.batch_norm(x)


def behind_sum(s: Sketch, x: Node) -> Node:
    """What stands behind a sum: nothing, a scale, a norm, or both."""
    rng = s.structure
    match rng.randrange(5):
        case 0:
            x = s.affine(x, "real", rng.random() < 0.7, rng.random() < 0.5)
        case 1:
            x = s.affine(x, "pow2", rng.random() < 0.5, rng.random() < 0.5)
        case 2 | 3:
            x = s.batch_norm(x)
    return x


def few_weights(s: Sketch) -> dict[str, object]:
    rng = s.structure
    kind = rng.choice(["binary"] * 8 + ["ternary", "int4"])
    scale = "real" if kind == "int4" else rng.choice(["one", "real", "real", "pow2"])
    per_channel = rng.random() < 0.7 and kind != "int4"
    return {"weights": kind, "scale": scale, "per_channel": per_channel and scale != "one", "bias": rng.random() < 0.2}


def activation(s: Sketch, x: Node) -> Node:
    rng = s.structure
    match rng.randrange(7):
        case 0 | 1:
            return s.prelu(x, "real", True)
        case 2:
            return s.prelu(x, "pow2", rng.random() < 0.5)
        case 3:
            return s.cut(x, 1)
        case 4:
            return s.cut(x, 2)
        case _:
            return x


def binary_sum(s: Sketch, x: Node, out: int | None = None, stride: int = 1) -> Node:
    rng = s.structure
    kernel = rng.choice([1, 3, 3]) if len(x.shape) == 4 else 1
    channels = x.shape[1]
    groups = rng.choice([1, 1, 1, 2, channels]) if kernel == 3 and out in (None, channels) else 1
    dilation = 2 if kernel == 3 and rng.random() < 0.15 else 1
    return s.sum(
        x, out or channels, kernel=kernel, padding=dilation * (kernel // 2), stride=stride, groups=groups,
        dilation=dilation, **few_weights(s),
    )  # fmt: skip


# -- blocks -----------------------------------------------------------------------------------------------------------


def residual(s: Sketch, x: Node) -> Node:
    """Bi-Real Net's block: a binary convolution with a way around it."""
    y = behind_sum(s, binary_sum(s, levels(s, before_sign(s, x))))
    return activation(s, s.plus(y, x))


def chain(s: Sketch, x: Node) -> Node:
    """Sign, binary sum, norm, sign, binary sum: nothing but thresholds between."""
    y = binary_sum(s, levels(s, before_sign(s, x)))
    if s.structure.random() < 0.3 and min(y.shape[2:], default=0) >= 4:
        y = s.max_pool(y)
    y = before_sign(s, y)
    return behind_sum(s, binary_sum(s, levels(s, y)))


def downsample(s: Sketch, x: Node) -> Node:
    """Half the size, twice the channels, and a projection of the mean on the way around."""
    out = 2 * x.shape[1]
    y = behind_sum(s, binary_sum(s, levels(s, before_sign(s, x)), out, stride=2))
    r = s.avg_pool(x) if s.structure.random() < 0.8 else s.max_pool(x)
    kind = s.structure.choice(["real", "binary"])
    r = s.sum(r, out, kind, scale="real" if kind == "binary" else "one", per_channel=kind == "binary")
    if s.structure.random() < 0.7:
        r = s.batch_norm(r)
    return activation(s, s.plus(y, r))


def real_block(s: Sketch, x: Node) -> Node:
    """A real convolution with a norm and an activation."""
    rng = s.structure
    kernel = rng.choice([1, 3])
    groups = rng.choice([1, 1, x.shape[1]])
    kind = "pow2" if rng.random() < 0.15 else "real"
    y = s.sum(x, x.shape[1], kind, kernel=kernel, padding=kernel // 2, groups=groups, bias=rng.random() < 0.4)
    return activation(s, behind_sum(s, y))


def dense(s: Sketch, x: Node) -> Node:
    y = behind_sum(s, binary_sum(s, levels(s, before_sign(s, x)), 8))
    return s.concat((x, y))


def up(s: Sketch, x: Node) -> Node:
    """A transposed convolution of signs and a pooling back."""
    u = s.quantise(before_sign(s, x), "binary")
    y = s.sum(u, x.shape[1], "binary", kernel=2, stride=2, turned=True, scale="real", per_channel=True)
    return s.plus(s.avg_pool(y), x)


def shuffled(s: Sketch, x: Node) -> Node:
    """Channels in another order; the two halves on different ways."""
    c = x.shape[1]
    x = s.move(x, s.spelling.choice([f"{{x}}[:, torch.arange({c}).flip(0)]", "{x}.flip(1)"]))
    half = (1, c // 2, *x.shape[2:])
    a = s.move(
        x, s.spelling.choice([f"{{x}}[:, :{c // 2}]", f"{{x}}.narrow(1, 0, {c // 2})", "{x}.chunk(2, 1)[0]"]), half
    )
    b = s.move(x, s.spelling.choice([f"{{x}}[:, {c // 2}:]", f"{{x}}.split({c // 2}, 1)[1]"]), half)
    b = behind_sum(s, binary_sum(s, levels(s, before_sign(s, b))))
    return s.concat((a, b))


def two_readers(s: Sketch, x: Node) -> Node:
    """Two binary convolutions of the same signs (ReActNet's widening)."""
    u = s.quantise(before_sign(s, x), "binary")
    a, b = (behind_sum(s, binary_sum(s, u)) for _ in range(2))
    return s.concat((s.plus(a, x), s.plus(b, x)))


BLOCKS: tuple[Callable[[Sketch, Node], Node], ...] = (
    residual, residual, residual, chain, chain, downsample, real_block, dense, up, shuffled, two_readers,
)  # fmt: skip


def classes(s: Sketch) -> int:
    return s.structure.choice([3, 10, 10, 20])


def classifier(s: Sketch, x: Node) -> Node:
    rng = s.structure
    match rng.randrange(5):
        case 0:  # through the pooling into the classifier
            y = s.global_mean(x)
        case 1:
            y = s.affine(s.global_mean(x), bias=True) if rng.random() < 0.5 else s.batch_norm(s.global_mean(x))
        case 2:
            y = s.cut(s.batch_norm(s.global_mean(x)), 1)
        case 3:  # a binary classifier
            u = s.quantise(before_sign(s, s.global_mean(x)), "binary")
            return behind_sum(s, s.sum(u, classes(s), **few_weights(s)))
        case _:
            shape = (1, x.numel)
            y = s.move(x, s.spelling.choice(["{x}.reshape({x}.shape[0], -1)", "{x}.flatten(1)"]), shape)
            u = levels(s, before_sign(s, y))
            y = before_sign(s, s.sum(u, 24, **few_weights(s)))
            return behind_sum(s, s.sum(s.quantise(y, "binary"), classes(s), **few_weights(s)))
    return s.sum(y, classes(s), "real", bias=True)


def matrices(s: Sketch) -> Node:
    """A perceptron of binary matrices."""
    x = s.sum(s.nodes[0], 32, "real", bias=s.structure.random() < 0.5)
    for _ in range(s.structure.randrange(1, 4)):
        y = s.sum(levels(s, before_sign(s, x)), 32, **few_weights(s))
        x = behind_sum(s, y) if s.structure.random() < 0.6 else activation(s, s.plus(behind_sum(s, y), x))
    return behind_sum(s, s.sum(levels(s, before_sign(s, x)), classes(s), **few_weights(s)))


def attention(s: Sketch) -> Node:
    """Inner products of the signs of two projections (BiBERT, without its softmax)."""
    x = s.nodes[0]
    u = s.quantise(s.affine(x, bias=True), "binary")
    d = x.shape[2]
    q, k = (s.quantise(s.affine(s.sum(u, d, "binary"), bias=True), "binary") for _ in range(2))
    p = s.product(q, k)
    if s.structure.random() < 0.5:
        p = s.affine(p, "real", number=d**-0.5)
    return p


def draw(
    seed: int, spelling: int = 0, name: str = "v", blocks: Sequence[int] | None = None, last: bool = False
) -> Network:
    """Network number ``seed``, in its spelling number ``spelling``, its variables named by ``name``.

    ``last``: with norms, scales and biases of the last dimension, as other frameworks have the channels.
    """
    structure = Random(seed)
    form = structure.choice(["maps"] * 8 + ["matrices", "matrices", "attention"])
    seeds = tuple(structure.randrange(1 << 30) for _ in range(structure.randrange(1, 4)))
    blocks = seeds if blocks is None else tuple(blocks)
    shape = {"maps": (1, 3, 8, 8), "matrices": (1, 24), "attention": (1, 5, 16)}[form]
    s = Sketch(shape, Random(seed), Random(f"{seed} {spelling}"), name, last)
    if form == "attention":
        x = attention(s)
    elif form == "matrices":
        x = matrices(s)
    else:
        x = s.sum(s.nodes[0], 8, "real", kernel=3, padding=1, bias=structure.random() < 0.3)
        if structure.random() < 0.6:
            x = s.batch_norm(x)
        for number in blocks:
            s.structure = Random(number)
            x = s.structure.choice(BLOCKS)(s, x) if x.shape[2] >= 4 else residual(s, x)
        s.structure = Random(seed + 1)
        x = classifier(s, x)
    return finish(s, x, seed, blocks)


def finish(s: Sketch, x: Node, seed: int, blocks: Sequence[int] = ()) -> Network:
    """The network that gives ``x``."""
    rows, features = deployed(s.nodes, (x.id,))
    return Network(seed, s.source(x), s.nodes[0].shape, +s.written, rows, s.macs, frozenset(features | s.features),
                   tuple(blocks))  # fmt: skip
