"""The ways in which people write one operation, and what each of them costs per element as it is written."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.generated.sketch import Node, Sketch

#: ±1 of {x}
SIGNS: dict[str, dict[str, int]] = {
    "torch.sign({x})": {"compare": 1},
    "{x}.sign()": {"compare": 1},
    "torch.sign({x}).detach() - {x}.detach() + {x}": {"compare": 1},
    "(torch.sign({x}) - F.hardtanh({x})).detach() + F.hardtanh({x})": {"compare": 1},
    "torch.sign(torch.clamp({x}, -1, 1))": {"compare": 3},
    "torch.sign(torch.tanh({x}))": {"special": 1, "compare": 1},
    "Sign.apply({x})": {"compare": 1, "lut": 1},
    "torch.where({x} >= 0, 1.0, -1.0).to({x}.dtype)": {"compare": 1, "lut": 1},
    "torch.where({x} < 0, -torch.ones_like({x}), torch.ones_like({x}))": {"compare": 1, "lut": 1},
    "({x} >= 0).to({x}.dtype) * 2 - 1": {"compare": 1, "shift_const": 1, "add": 1},
    "1 - 2 * ({x} < 0).to({x}.dtype)": {"compare": 1, "shift_const": 1, "add": 1},
    "torch.heaviside({x}, torch.ones(1, dtype={x}.dtype)) * 2 - 1": {"compare": 1, "shift_const": 1, "add": 1},
    "torch.sign(torch.sign({x}) + 0.1)": {"compare": 2, "add": 1},
    "torch.sign(0.37 * {x})": {"mul": 1, "compare": 1},
    "torch.ones_like({x}).masked_fill({x} < 0, -1.0)": {"compare": 1, "lut": 1},
    "(({x} > 0).to({x}.dtype) - 0.5).sign()": {"compare": 2, "add": 1},
}  # fmt: skip
ZERO_ONE: dict[str, dict[str, int]] = {
    "({x} >= 0).to({x}.dtype)": {"compare": 1},
    "torch.heaviside({x}, torch.zeros(1, dtype={x}.dtype))": {"compare": 1},
    "0.5 * torch.sign({x}) + 0.5": {"compare": 1, "shift_const": 1, "add": 1},
    "torch.sign({x}).clamp(min=0)": {"compare": 2},
    "torch.where({x} > 0, 1.0, 0.0).to({x}.dtype)": {"compare": 1, "lut": 1},
}
TERNARY: dict[str, dict[str, int]] = {
    "torch.round(torch.clamp({x}, -1, 1))": {"compare": 2, "add": 1},
    "Round.apply(F.hardtanh({x}))": {"compare": 2, "add": 1},
    "torch.sign({x}) * ({x}.abs() > 0.5).to({x}.dtype)": {"compare": 2, "signflip": 1, "and": 1},
    "({x} > 0.5).to({x}.dtype) - ({x} < -0.5).to({x}.dtype)": {"compare": 2, "add": 1},
}
#: {n} levels above zero
LEVELS: dict[str, dict[str, int]] = {
    "torch.round(torch.clamp({x}, 0, 1) * {n})": {"compare": 2, "mul": 1, "add": 1},
    "Round.apply({x}.clamp(0, 1) * {n})": {"compare": 2, "mul": 1, "add": 1},
    "torch.clamp(torch.round({x} * {n}), 0, {n})": {"compare": 2, "mul": 1, "add": 1},
    "(({x}.clamp(0, 1) * {n}).round() - {x}).detach() + {x}": {"compare": 2, "mul": 1, "add": 1},
}


def quantiser(rng: Random, kind: str, bits: int, x: str) -> tuple[str, dict[str, int], set[str]]:
    """The right hand side, its cost per element, and the names of what is special about it."""
    table = {"binary": SIGNS, "binary01": ZERO_ONE, "ternary": TERNARY, "int": LEVELS}[kind]
    text = rng.choice(list(table))
    feature = {"ternary from two comparisons"} if kind == "ternary" and "round" not in text.lower() else set()
    return text.format(x=x, n=(1 << bits) - 1), table[text], feature


def scaled(rng: Random, x: str, factor: str) -> str:
    return rng.choice([f"{x} * {factor}", f"{factor} * {x}", f"torch.mul({x}, {factor})", f"{x} / {factor}"])


def shifted(rng: Random, x: str, offset: str) -> str:
    return rng.choice([f"{x} + {offset}", f"{x} - {offset}", f"torch.add({x}, {offset})"])


def batch_norm(sketch: Sketch, x: Node, turned: bool = False) -> tuple[str, dict[str, int]]:
    """As a module, as a function, and by hand, also with channels last."""
    v, channels, rank = sketch.var(x), x.shape[1], 2 if len(x.shape) == 4 else 1
    once = {"mul": 1, "add": 1}
    if turned:
        gain, bias, mean = (sketch.parameter(channels) for _ in range(3))
        var = sketch.parameter(channels, positive=True)
        text = f"({v}.permute(0, 2, 3, 1) - {mean}) / torch.sqrt({var}.abs() + 1e-5) * {gain} + {bias}"
        return f"({text}).permute(0, 3, 1, 2)", {"mul": 2, "add": 2}
    match sketch.spelling.randrange(4):
        case 0:
            gain, bias = sketch.parameter(channels), sketch.parameter(channels)
            mean = sketch.parameter(channels)
            var = sketch.parameter(channels, positive=True)
            return f"F.batch_norm({v}, {mean}, {var}.abs(), {gain}, {bias})", once
        case 1:
            gain, bias, mean = (sketch.parameter(*sketch.along(x)) for _ in range(3))
            var = sketch.parameter(*sketch.along(x), positive=True)
            return f"({v} - {mean}) / torch.sqrt({var}.abs() + 1e-5) * {gain} + {bias}", {"mul": 2, "add": 2}
        case _:
            return f"{sketch.member(f'nn.BatchNorm{rank}d({channels})')}({v})", once


def weights(rng: Random, kind: str, scale: str, per_channel: bool, w: str, rank: int, axis: int) -> str:
    """Weights of few values made from a parameter; their scale included."""
    rest = ", ".join(str(k) for k in range(rank) if k != axis)
    size = f"{w}.abs().mean(({rest},), keepdim=True)" if per_channel else f"{w}.abs().mean()"
    if scale == "pow2":
        shape = ", ".join("-1" if k == axis else "1" for k in range(rank))
        size = (
            f"(2.0 ** -torch.arange({w}.shape[{axis}]).remainder(3).view({shape})).to({w}.dtype)"
            if per_channel
            else "0.25"
        )
    match kind:
        case "real":
            return w
        case "binary":
            few = rng.choice([f"torch.sign({w})", f"Sign.apply({w})", f"(torch.sign({w}) - {w}).detach() + {w}",
                              f"torch.where({w} >= 0, 1.0, -1.0).to({w}.dtype)",
                              f"(({w} > 0).to({w}.dtype) * 2 - 1)"])  # fmt: skip
        case "ternary":
            few = f"torch.sign({w}) * ({w}.abs() > 0.7 * {w}.abs().mean()).to({w}.dtype)"
        case "int4":
            top = f"{w}.abs().amax(({rest},), keepdim=True)" if per_channel else f"{w}.abs().max()"
            return f"torch.round({w} / {top} * 7) * ({top} / 7)"
        case _:
            return f"torch.sign({w}) * 2.0 ** torch.round(torch.log2({w}.abs() + 1e-3)).clamp(-6, 1)"
    if scale == "one":
        return few
    return rng.choice(
        [
            f"{size} * ({few})",
            f"({few}) * {size}",
            f"{size}.detach() * ({few})" if scale == "real" else f"({few}) * {size}",
        ]
    )


def sum_call(sketch: Sketch, x: Node, w: str, few: str, *, stride: int, padding: int, groups: int, dilation: int,
             turned: bool, bias: int) -> str:  # fmt: skip
    v = sketch.var(x)
    b = sketch.parameter(bias) if bias else "None"
    if len(x.shape) != 4:
        if bias:
            return sketch.spelling.choice([f"F.linear({v}, {few}, {b})", f"torch.addmm({b}, {v}, ({few}).t())"
                                           if len(x.shape) == 2 else f"F.linear({v}, {few}, {b})"])  # fmt: skip
        return sketch.spelling.choice([f"F.linear({v}, {few})", f"{v} @ ({few}).t()"])
    if turned:
        return f"F.conv_transpose2d({v}, {few}, {b}, {stride}, {padding}, 0, {groups})"
    if padding and sketch.spelling.random() < 0.2:
        v, padding = f"F.pad({v}, ({padding},) * 4)", 0
    return f"F.conv2d({v}, {few}, {b}, {stride}, {padding}, {dilation}, {groups})"


def prelu(sketch: Sketch, x: Node, scale: str, per_channel: bool) -> tuple[str, dict[str, int], set[str]]:
    v, n = sketch.var(x), x.shape[1]
    shape = sketch.along(x) if per_channel else (1,)
    slope = sketch.parameter(*shape) if scale == "real" else "0.25"
    step = "mul" if scale == "real" else "shift_const"
    if scale == "pow2" and per_channel:  # learned exponents
        exponents = sketch.member(
            f"nn.Parameter(-torch.arange({n}).remainder(3).view({', '.join(map(str, shape))}) - 1.2)"
        )
        slope, step = f"2.0 ** torch.round({exponents})", "shift_channel"
    ways = [
        (f"F.prelu({v}, ({slope}).flatten())" if slope != "0.25" else f"F.leaky_relu({v}, 0.25)", {step: 1}, set()),
        (f"torch.where({v} >= 0, {v}, ({slope}) * {v})", {"compare": 1, step: 1, "lut": 1}, set()),
        (f"F.relu({v}) - ({slope}) * F.relu(-{v})", {"compare": 2, "signflip": 1, step: 1, "add": 1}, set()),
        (f"{v}.clamp(min=0) + ({slope}) * {v}.clamp(max=0)", {"compare": 2, step: 1, "add": 1}, set()),
    ]
    if slope == "0.25":
        ways.append((f"torch.maximum({v}, 0.25 * {v})", {"compare": 1, step: 1}, {"prelu as a maximum"}))
    return sketch.spelling.choice(ways)


def cut(rng: Random, sides: int, x: str) -> str:
    if sides == 1:
        return rng.choice([f"F.relu({x})", f"{x}.clamp(min=0)", f"torch.maximum({x}, torch.zeros_like({x}))"])
    return rng.choice([f"F.hardtanh({x})", f"{x}.clamp(-1, 1)"])
