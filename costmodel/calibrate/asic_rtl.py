"""The units that are characterised, as Verilog of a fixed structure, so that their cost follows a law of their width.

Adders, comparators and shifters are written bit by bit (ripple carry, ripple comparison, one row of multiplexers a
stage); popcount trees are built of the library's own adder cells; multipliers are left to synthesis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WIDTHS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
TREES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)
SLOPES = (8, 12, 16, 20, 24, 32)
PRODUCTS = (4, 6, 8, 10, 12, 16, 20, 24, 32)


@dataclass(frozen=True, slots=True)
class Adders:
    """Cells of a library: full and half adder as Verilog instances of ``(name, a, b, c, sum, carry)``, and XNOR."""

    full: Callable[[str, str, str, str, str, str], str]
    half: Callable[[str, str, str, str, str], str]
    xnor: Callable[[str, str, str, str], str]


@dataclass(frozen=True, slots=True)
class Unit:
    """``flow``: ``map`` keeps the structure, ``synthesise`` lets the tool find one, ``cells`` is mapped already."""

    name: str
    width: int
    verilog: str
    flow: str

    @property
    def module(self) -> str:
        return f"{self.name}{self.width}"


def units(adders: Adders) -> Iterator[Unit]:
    """Every unit at every width."""
    for n in WIDTHS:
        yield Unit("add", n, add(n), "map")
        yield Unit("compare", n, compare(n), "map")
        yield Unit("shift", n, shift(n), "map")
        yield Unit("qprelu_var", n, shift(n, of_negative=True), "map")
        top = n - 1
        body = f"input signed [{top}:0] a, output [{top}:0] y); assign y = a[{top}] ? (a >>> 3) : a; endmodule"
        yield Unit("qprelu_const", n, f"module qprelu_const{n}({body}", "map")
        body = f"input [{top}:0] a, b, input s, output [{top}:0] y); assign y = s ? a : b; endmodule"
        yield Unit("mux", n, f"module mux{n}({body}", "map")
        body = f"input [{top}:0] a, b, output [{top}:0] y); assign y = ~(a ^ b); endmodule"
        yield Unit("xnor", n, f"module xnor{n}({body}", "map")
    for n in TREES:
        yield Unit("popcount", n, popcount(n, adders), "cells")
        yield Unit("xnor_popcount", n, popcount(n, adders, of_xnor=True), "cells")
    for n in PRODUCTS:
        body = f"input signed [{n - 1}:0] a, b, output signed [{2 * n - 1}:0] y); assign y = a * b; endmodule"
        yield Unit("mul", n, f"module mul{n}({body}", "synthesise")
    for n in SLOPES:
        yield Unit("prelu", n, prelu(n), "synthesise")


def add(n: int) -> str:
    """Ripple-carry adder with carry out."""
    lines = [f"module add{n}(input [{n - 1}:0] a, b, output [{n}:0] y); wire [{n}:0] c; assign c[0] = 1'b0;"]
    for i in range(n):
        lines.append(f"assign y[{i}] = a[{i}] ^ b[{i}] ^ c[{i}];")
        lines.append(f"assign c[{i + 1}] = (a[{i}] & b[{i}]) | (c[{i}] & (a[{i}] ^ b[{i}]));")
    return "\n".join([*lines, f"assign y[{n}] = c[{n}]; endmodule"])


def compare(n: int) -> str:
    """Signed ``a >= b``, from the lowest bit upwards."""
    lines = [f"module compare{n}(input [{n - 1}:0] a, b, output y); wire [{n}:0] g; assign g[0] = 1'b1;"]
    for i in range(n):
        x, z = (f"a[{i}]", f"b[{i}]") if i < n - 1 else (f"b[{i}]", f"a[{i}]")  # the sign weighs negatively
        lines.append(f"assign g[{i + 1}] = ({x} & ~{z}) | (({x} | ~{z}) & g[{i}]);")
    return "\n".join([*lines, f"assign y = g[{n}]; endmodule"])


def shift(n: int, of_negative: bool = False) -> str:
    """Arithmetic right shift by a variable; ``of_negative`` shifts negative numbers only, as a quantised PReLU does."""
    stages = (n - 1).bit_length()
    name = f"qprelu_var{n}" if of_negative else f"shift{n}"
    amount = f"t & {{{stages}{{a[{n - 1}]}}}}" if of_negative else "t"
    lines = [
        f"module {name}(input [{n - 1}:0] a, input [{stages - 1}:0] t, output [{n - 1}:0] y);",
        f"wire [{n - 1}:0] w0 = a; wire [{stages - 1}:0] s = {amount};",
    ]
    for j in range(stages):
        lines.append(f"wire [{n - 1}:0] w{j + 1};")
        lines += [
            f"assign w{j + 1}[{i}] = s[{j}] ? w{j}[{min(i + 2**j, n - 1)}] : w{j}[{i}];" for i in range(n)
        ]  # fmt: skip
    return "\n".join([*lines, f"assign y = w{stages}; endmodule"])


def prelu(n: int) -> str:
    """``a`` where it is not negative, else ``a`` times a slope below one of half its width."""
    half = n // 2
    return (
        f"module prelu{n}(input signed [{n - 1}:0] a, input [{half - 1}:0] t, output signed [{n - 1}:0] y); "
        f"wire signed [{n + half}:0] p = a * $signed({{1'b0, t}}); "
        f"assign y = a[{n - 1}] ? p[{n + half - 1}:{half}] : a; endmodule"
    )


def popcount(n: int, adders: Adders, of_xnor: bool = False) -> str:
    """A tree that sums ``n`` bits (or XNORs of two words) column by column, carries joining at the end of the queue."""
    name = f"xnor_popcount{n}" if of_xnor else f"popcount{n}"
    lines = []
    bits: deque[str] = deque()
    for i in range(n):
        if of_xnor:
            lines += [f"wire x{i};", adders.xnor(f"g{i}", f"a[{i}]", f"b[{i}]", f"x{i}")]
        bits.append(f"x{i}" if of_xnor else f"a[{i}]")
    result: list[str] = []
    number = 0
    while bits:
        carries: deque[str] = deque()
        while len(bits) > 1:
            number += 1
            total, carry = f"s{number}", f"c{number}"
            lines.append(f"wire {total}, {carry};")
            if len(bits) > 2:
                a, b, c = bits.popleft(), bits.popleft(), bits.popleft()
                lines.append(adders.full(f"u{number}", a, b, c, total, carry))
            else:
                a, b = bits.popleft(), bits.popleft()
                lines.append(adders.half(f"u{number}", a, b, total, carry))
            bits.append(total)
            carries.append(carry)
        result.append(bits.popleft())
        bits = carries
    ports = "a, b" if of_xnor else "a"
    head = f"module {name}(input [{n - 1}:0] {ports}, output [{len(result) - 1}:0] y);"
    return "\n".join([head, *lines, *(f"assign y[{i}] = {bit};" for i, bit in enumerate(result)), "endmodule"])
