"""A network as abstract operations, and as the Python that does them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.generated import spellings
from tests.generated.expected import product_rows

#: What stands in front of every network.
HEADER = """import torch
import torch.nn.functional as F
from torch import nn


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)
"""


@dataclass(frozen=True)
class Node:
    """``op`` is one of input, sum, product, affine, quantise, prelu, cut, max_pool, mean, add, concat, move, output.

    ``kind`` is that of the result: real, binary, binary01, ternary, int (of ``bits`` bits). ``attrs`` are the numbers
    that the rules of :mod:`tests.generated.expected` need.
    """

    id: int
    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    kind: str = "real"
    bits: int = 32
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numel(self) -> int:
        return numel(self.shape)


def numel(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


class Sketch:
    """Grows by one operation at a time. ``structure`` decides what is done, ``spelling`` how it is written.

    ``last``: most scales, biases and norms of maps are written with channels last, and the dimensions exchanged for it.
    """

    def __init__(
        self, shape: tuple[int, ...], structure: Random, spelling: Random, name: str = "v", last: bool = False
    ) -> None:
        self.structure, self.spelling, self.name, self.last = structure, spelling, name, last
        self.nodes = [Node(0, "input", (), shape)]
        self.setup: list[str] = []
        self.code: list[str] = []
        self.written: Counter[str] = Counter()
        self.macs = 0
        #: Features of the spelling, by name; those of the graph are found in it.
        self.features: set[str] = set()

    # -- text --------------------------------------------------------------------------------------------------------

    def var(self, node: Node) -> str:
        return f"{self.name}{node.id}"

    def add(self, op: str, inputs: tuple[Node, ...], shape: tuple[int, ...], text: str, kind: str = "real",
            bits: int = 32, written: Mapping[str, int] | None = None, **attrs: Any) -> Node:  # fmt: skip
        """Append one operation; ``text`` is its right hand side, ``written`` what it costs as written."""
        node = Node(len(self.nodes), op, tuple(n.id for n in inputs), shape, kind, bits, attrs)
        self.nodes.append(node)
        self.code.append(f"{self.var(node)} = {text}")
        self.written.update(written or {})
        return node

    def member(self, what: str) -> str:
        """A new attribute of the network, set to ``what``."""
        name = f"self.{self.name}m{len(self.setup)}"
        self.setup.append(f"{name} = {what}")
        return name

    def parameter(self, *shape: int, positive: bool = False) -> str:
        made = "torch.rand({}) + 0.5" if positive else "torch.randn({})"
        return self.member(f"nn.Parameter({made.format(', '.join(map(str, shape)))})")

    def along(self, x: Node) -> tuple[int, ...]:
        """The shape of a vector of channels against ``x``."""
        return (x.shape[1], 1, 1) if len(x.shape) == 4 else (x.shape[-1],)

    def turned(self, x: Node) -> bool:
        """Whether what acts on ``x`` next is written with channels last."""
        return self.last and len(x.shape) == 4 and self.spelling.random() < 0.7

    # -- operations --------------------------------------------------------------------------------------------------

    def quantise(self, x: Node, kind: str, bits: int = 1) -> Node:
        """Few levels of ``x``: binary, binary01, ternary, or ``2^bits`` integers from 0 (``int``)."""
        text, each, feature = spellings.quantiser(self.spelling, kind, bits, self.var(x))
        self.features.update(feature)
        levels = {"binary": 2, "binary01": 2, "ternary": 3}.get(kind, 1 << bits)
        written = {k: n * x.numel for k, n in each.items()}
        return self.add("quantise", (x,), x.shape, text, kind, 2 if kind == "ternary" else bits, written, levels=levels)

    def affine(self, x: Node, scale: str = "one", per_channel: bool = False, bias: bool = False,
               number: float = 0.7) -> Node:  # fmt: skip
        """``x * scale + bias``; ``scale`` is one, pow2 or real; a real one per channel is positive."""
        turned = self.turned(x)
        var = f"{self.var(x)}.permute(0, 2, 3, 1)" if turned else self.var(x)
        along = (x.shape[1],) if turned else self.along(x)
        text = var
        written: Counter[str] = Counter()
        vector = ", ".join(map(str, along))
        if scale == "real":
            factor = self.parameter(*along, positive=True) if per_channel else f"{number}"
            text = spellings.scaled(self.spelling, var, factor)
            written["mul"] += x.numel
        elif scale == "pow2":
            exponents = f"2.0 ** -torch.arange({x.shape[1]}).remainder(3).view({vector})"
            text = f"{var} * ({exponents}).to({var}.dtype)" if per_channel else f"{var} * {2.0**-2}"
            written["shift_channel" if per_channel else "shift_const"] += x.numel
        if bias:
            text = spellings.shifted(self.spelling, text, self.parameter(*along))
            written["add"] += x.numel
        text = f"({text}).permute(0, 3, 1, 2)" if turned else text
        few = x.kind != "real" and not bias and not per_channel  # the same levels, at another size
        return self.add("affine", (x,), x.shape, text, x.kind if few else "real", x.bits if few else 32, written,
                        scale=scale, per_channel=per_channel, bias=bias,
                        positive=scale != "real" or not per_channel)  # fmt: skip

    def batch_norm(self, x: Node) -> Node:
        text, each = spellings.batch_norm(self, x, self.turned(x))
        written = {k: n * x.numel for k, n in each.items()}
        return self.add("affine", (x,), x.shape, text, written=written, scale="real", per_channel=True, bias=True,
                        positive=False)  # fmt: skip

    def sum(self, x: Node, out: int, weights: str, *, kernel: int = 1, stride: int = 1, padding: int = 0,
            groups: int = 1, dilation: int = 1, scale: str = "one", per_channel: bool = False, bias: bool = False,
            turned: bool = False) -> Node:  # fmt: skip
        """A convolution or a matrix; ``weights`` is real, binary, ternary, int4 or pow2, ``scale`` theirs.

        The scale of the weights is a node of its own, behind the sum, where it is multiplied by.
        """
        maps = len(x.shape) == 4
        inner = x.shape[1] if maps else x.shape[-1]
        if turned:
            shape = (1, out, *((s - 1) * stride - 2 * padding + kernel for s in x.shape[2:]))
            macs, sizes = x.numel * (out // groups) * kernel**2, (inner, out // groups, kernel, kernel)
        elif maps:
            reach = dilation * (kernel - 1)
            shape = (1, out, *((s + 2 * padding - reach - 1) // stride + 1 for s in x.shape[2:]))
            sizes = (out, inner // groups, kernel, kernel)
            macs = numel(shape) * numel(sizes[1:])
        else:
            shape, sizes = (*x.shape[:-1], out), (out, inner)
            macs = numel(shape) * inner
        weight = self.parameter(*sizes)
        few = spellings.weights(self.spelling, weights, scale, per_channel, weight, len(sizes), 1 if turned else 0)
        text = spellings.sum_call(self, x, weight, few, stride=stride, padding=padding, groups=groups,
                                  dilation=dilation, turned=turned,
                                  bias=out if bias and scale == "one" else 0)  # fmt: skip
        kind, bits = {"real": ("real", 32), "binary": ("binary", 1), "ternary": ("ternary", 2),
                      "int4": ("int", 4), "pow2": ("pow2", 7)}[weights]  # fmt: skip
        rows = product_rows((x.kind, x.bits), (kind, bits), macs, numel(shape))
        own = bias and scale == "one"
        if own:
            rows["add"] += numel(shape)
        self.macs += macs
        node = self.add("sum", (x,), shape, text, written=rows, weights=(kind, bits), macs=macs, bias=own,
                        padding=padding, turned=turned)  # fmt: skip
        if scale != "one":
            step = {"real": "mul", "pow2": "shift_channel" if per_channel else "shift_const"}[scale]
            node = self.add("affine", (node,), shape, self.var(node), written={step: numel(shape)}, scale=scale,
                            per_channel=per_channel, bias=False)  # fmt: skip
            if bias:
                node = self.affine(node, bias=True)
        return node

    def prelu(self, x: Node, scale: str, per_channel: bool = True) -> Node:
        """``x`` where it is positive, else a multiple of it; the slope is real or a power of two."""
        text, each, feature = spellings.prelu(self, x, scale, per_channel)
        self.features.update(feature)
        return self.add("prelu", (x,), x.shape, text, written={k: n * x.numel for k, n in each.items()}, scale=scale,
                        per_channel=per_channel)  # fmt: skip

    def cut(self, x: Node, sides: int) -> Node:
        """ReLU (one side) or hardtanh (two)."""
        text = spellings.cut(self.spelling, sides, self.var(x))
        return self.add("cut", (x,), x.shape, text, written={"compare": sides * x.numel}, sides=sides)

    def max_pool(self, x: Node, kernel: int = 2) -> Node:
        shape = (*x.shape[:2], *(s // kernel for s in x.shape[2:]))
        text = self.spelling.choice(
            [f"F.max_pool2d({self.var(x)}, {kernel})", f"nn.MaxPool2d({kernel})({self.var(x)})"]
        )
        compares = numel(shape) * (kernel**2 - 1)
        return self.add("max_pool", (x,), shape, text, x.kind, x.bits, {"compare": compares}, compares=compares)

    def avg_pool(self, x: Node, kernel: int = 2) -> Node:
        shape = (*x.shape[:2], *(s // kernel for s in x.shape[2:]))
        text = f"F.avg_pool2d({self.var(x)}, {kernel})"
        return self._mean(x, shape, text, kernel**2)

    def global_mean(self, x: Node) -> Node:
        v = self.var(x)
        text = self.spelling.choice(
            [f"{v}.mean((2, 3))", f"F.adaptive_avg_pool2d({v}, 1).flatten(1)", f"torch.mean({v}, dim=[-1, -2])"]
        )
        if "flatten" in text:
            self.features.add("means that are flattened")
        return self._mean(x, x.shape[:2], text, numel(x.shape[2:]))

    def _mean(self, x: Node, shape: tuple[int, ...], text: str, count: int) -> Node:
        adds = numel(shape) * (count - 1)
        scale = "one" if count == 1 else "real" if count & (count - 1) else "pow2"
        step = {"one": {}, "real": {"mul": numel(shape)}, "pow2": {"shift_const": numel(shape)}}[scale]
        return self.add("mean", (x,), shape, text, written={"add": adds, **step}, adds=adds, scale=scale)

    def plus(self, x: Node, y: Node) -> Node:
        a, b = self.var(x), self.var(y)
        text = self.spelling.choice([f"{a} + {b}", f"torch.add({b}, {a})", f"torch.add({a}, {b}, alpha=1)"])
        return self.add("add", (x, y), x.shape, text, written={"add": x.numel})

    def concat(self, parts: tuple[Node, ...]) -> Node:
        shape = (1, sum(p.shape[1] for p in parts), *parts[0].shape[2:])
        text = f"torch.cat([{', '.join(map(self.var, parts))}], 1)"
        return self.add("concat", parts, shape, text, parts[0].kind, parts[0].bits)

    def move(self, x: Node, text: str, shape: tuple[int, ...] | None = None, **attrs: Any) -> Node:
        """Elements in another order, or some of them: ``text`` holds ``{x}``."""
        made = text.format(x=self.var(x))
        return self.add("move", (x,), shape or x.shape, made, x.kind, x.bits, **attrs)

    def product(self, x: Node, y: Node) -> Node:
        """``[1, n, d]`` by ``[1, m, d]``: all inner products."""
        shape = (1, x.shape[1], y.shape[1])
        macs = numel(shape) * x.shape[2]
        text = self.spelling.choice(
            [f"{self.var(x)} @ {self.var(y)}.mT", f"torch.einsum('bnd,bmd->bnm', {self.var(x)}, {self.var(y)})",
             f"torch.bmm({self.var(x)}, {self.var(y)}.transpose(1, 2))"]
        )  # fmt: skip
        self.macs += macs
        rows = product_rows((x.kind, x.bits), (y.kind, y.bits), macs, numel(shape))
        return self.add("product", (x, y), shape, text, written=rows, macs=macs)

    def source(self, *outputs: Node) -> str:
        """The whole network as Python; class ``Net``."""
        body = "\n        ".join(self.code)
        setup = "\n        ".join(["super().__init__()", *self.setup])
        result = ", ".join(map(self.var, outputs))
        return (f"{HEADER}\n\nclass Net(nn.Module):\n    def __init__(self):\n        {setup}\n\n"
                f"    def forward(self, {self.name}0):\n        {body}\n        return {result}\n")  # fmt: skip
