"""Ledgers written by hand: a few layers with their charges, as the charging rules would give them."""

from __future__ import annotations

import math
from typing import Any

from costmodel.graph.domain import BINARY, BINARY01, FLOAT, Domain, integer
from costmodel.graph.operands import Window
from costmodel.ledger.ledger import Charge, Layer, Ledger, Traffic

__all__ = ["BINARY", "BINARY01", "FLOAT", "Net", "integer"]

Shape = tuple[int, ...]


class Net:
    """Grows a network layer by layer; every method returns the index of the layer that it added."""

    def __init__(self, *shape: int) -> None:
        self.layers: list[Layer] = []
        self.charges: list[Charge] = []
        self.traffic: list[Traffic] = []
        self.input = shape

    def ledger(self) -> Ledger:
        return Ledger("by hand", "deployed", tuple(self.layers), tuple(self.charges), tuple(self.traffic))

    def shape(self, index: int) -> Shape:
        return self.input if index < 0 else self.layers[index].shape_out

    def domain(self, index: int) -> Domain:
        return FLOAT if index < 0 else self.layers[index].out

    def add(
        self, op: str, inputs: tuple[int, ...], shape: Shape, out: Domain, charges: Any = (), parameters: int = 0,
        **fields: Any,
    ) -> int:  # fmt: skip
        index = len(self.layers)
        layer = Layer(
            index, f"m{index}", 0, op, inputs, self.shape(inputs[0]), shape, self.domain(inputs[0]), out, **fields
        )
        self.layers.append(layer)
        for kind, tag, count, a, b in charges:
            self.charges.append(Charge(index, layer.module, 0, op, kind, tag, count, a, b))
        if parameters:
            self.traffic.append(Traffic(index, layer.module, "constant", "parameter", parameters, 32))
        return index

    def conv(
        self, source: int, channels: int, kernel: int = 3, stride: int = 1, padding: int | None = None,
        weight: Domain = FLOAT, groups: int = 1,
    ) -> int:  # fmt: skip
        n, c, h, w = self.shape(source)
        pad = kernel // 2 if padding is None else padding
        height, width = ((size + 2 * pad - kernel) // stride + 1 for size in (h, w))
        terms = c // groups * kernel * kernel
        out = (n, channels, height, width)
        macs = math.prod(out) * terms
        binary = self.domain(source).is_one_bit and weight.is_one_bit
        charges = (
            [("xnor", "binary_conv", macs, 1, 1), ("popcount", "binary_conv", macs, 1, 1)]
            if binary
            else [("mul", "fp_conv", macs, 32, weight.bits)]
        )
        index = self.add(
            "conv", (source,), out, integer(16) if binary else FLOAT, charges, b=weight,
            shape_b=(channels, c // groups, kernel, kernel), n_terms=terms, macs=macs,
            window=Window((kernel, kernel), (stride, stride), (pad, pad), (1, 1), groups),
        )  # fmt: skip
        self.traffic.append(Traffic(index, f"m{index}", "w", "weight", channels * terms, weight.bits))
        return index

    def linear(self, source: int, features: int, weight: Domain = FLOAT) -> int:
        n, d = self.shape(source)[0], math.prod(self.shape(source)[1:])
        binary = self.domain(source).is_one_bit and weight.is_one_bit
        kind = "xnor" if binary else "mul"
        index = self.add(
            "linear", (source,), (n, features), FLOAT, [(kind, "fp_linear", n * d * features, 32, weight.bits)],
            b=weight, shape_b=(features, d), n_terms=d, macs=n * d * features,
        )  # fmt: skip
        self.traffic.append(Traffic(index, f"m{index}", "w", "weight", d * features, weight.bits))
        return index

    def affine(self, source: int, scale: bool = True, bias: bool = True) -> int:
        shape = self.shape(source)
        n = math.prod(shape)
        charges = [("mul", "bn_scale", n, 32, 32)] * scale + [("add", "bn_bias", n, 32, 32)] * bias
        return self.add("affine", (source,), shape, FLOAT, charges, parameters=shape[1])

    def elementwise(self, op: str, *sources: int, out: Domain = FLOAT, parameters: int = 0) -> int:
        return self.add(op, sources, self.shape(sources[0]), out, parameters=parameters)

    def concat(self, *sources: int) -> int:
        n, _, h, w = self.shape(sources[0])
        return self.add("concat", sources, (n, sum(self.shape(s)[1] for s in sources), h, w), FLOAT)

    def pool(self, source: int, size: int = 2, op: str = "max_pool") -> int:
        n, c, h, w = self.shape(source)
        window = Window((size, size), (size, size), (0, 0), (1, 1))
        return self.add(op, (source,), (n, c, h // size, w // size), self.domain(source), window=window)


def block(net: Net, source: int, channels: int) -> int:
    """sign, binary convolution, batch norm, shortcut."""
    bits = net.elementwise("threshold", source, out=BINARY)
    scaled = net.affine(net.conv(bits, channels, weight=BINARY))
    return net.elementwise("add", scaled, source)


def small_net(blocks: int = 2, channels: int = 64, size: int = 28) -> Ledger:
    """A stem, residual binary blocks, a classifier."""
    net = Net(1, 3, 4 * size, 4 * size)
    x = net.pool(net.elementwise("relu", net.affine(net.conv(-1, channels, 7, 2))))
    for _ in range(blocks):
        x = block(net, x, channels)
    net.linear(net.pool(x, 2 * (size // 2), "gap"), 10)
    return net.ledger()
