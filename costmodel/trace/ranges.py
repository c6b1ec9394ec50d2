"""Which numbers a value can be, by the operation that makes it: the interval it lies in, and the grid it lies on.

Rounding puts a value on the integers, a clamp bounds it, and what is multiplied or moved by numbers of the program
takes its interval and its grid along: ``round(clamp(x, 0, 1) * 3) / 3`` is one of 0, 1/3, 2/3, 1 for every input,
however few of them one input shows. A factor that is a parameter scales the grid by a real number; its levels stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.graph.domain import BINARY, BINARY01, TERNARY, Domain, Scale
from costmodel.trace.values import Ref, Value

#: More levels than a byte holds are not a kind of their own.
MOST_BITS = 8
_ROUNDED: dict[str, Callable[[float], float]] = {
    "round": lambda x: float(round(x)), "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc,
}  # fmt: skip
_SAME = frozenset(
    {"_to_copy", "clone", "contiguous", "view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "permute",
     "transpose", "t", "expand", "slice", "select", "max_pool2d_with_indices", "max_pool2d", "detach", "flatten",
     "split", "chunk", "unbind", "copy", "_reshape_alias", "repeat", "unfold", "flip", "roll"}
)  # fmt: skip
#: Functions that never fall, of which only the ends matter.
_BOUNDED: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "erf": (-1.0, 1.0), "sin": (-1.0, 1.0), "cos": (-1.0, 1.0),
    "hardsigmoid": (0.0, 1.0), "_softmax": (0.0, 1.0), "exp": (0.0, math.inf), "softplus": (0.0, math.inf),
    "sqrt": (0.0, math.inf),
}  # fmt: skip


_JOINS = frozenset({"where", "masked_fill", "maximum", "minimum", "cat"})


@dataclass(frozen=True, slots=True)
class Range:
    """``low`` to ``high``, and on a grid of this ``step`` from either finite end, 0 for the real numbers.

    ``scale`` says by what the numbers are multiplied besides: nothing, or a real number that only the parameters know.
    ``vague``: there are bounds, but only the parameters know them.
    """

    low: float = -math.inf
    high: float = math.inf
    step: float = 0.0
    scale: Scale = "one"
    per_channel: bool = False
    vague: bool = False

    @property
    def levels(self) -> int:
        """How many numbers these are, 0 for no end of them."""
        if not self.step or not math.isfinite(self.high - self.low):
            return 0
        return round((self.high - self.low) / self.step) + 1


REAL = Range()
VAGUE = Range(vague=True)


def range_of(value: Value, given: Callable[[Any], Range | None], many: Callable[[Any], bool]) -> Range:
    """The range of ``value``.

    ``given`` is the range of an argument, None for a parameter; ``many`` says whether a parameter differs by channel.
    """
    name, args = value.fn, value.args
    if value.output or value.leaf or value.operator.packet != f"aten.{name}":
        return REAL
    if name in _BOUNDED:
        return Range(*_BOUNDED[name])
    if name in _JOINS:
        return _joined(name, _parts(name, args), given)
    if "x" not in args:
        return REAL
    x = given(args["x"]) or REAL
    if name in _SAME:
        return x
    if name in _ROUNDED and not args.get("decimals"):
        return _rounded(name, x)
    if name in ("relu", "clamp", "clamp_min", "clamp_max", "hardtanh", "relu6"):
        return _clamped(x, _bounds(name, args), given)
    if name == "neg":
        return replace(x, low=-x.high, high=-x.low)
    if name == "abs":
        return replace(x, low=0.0, high=max(-x.low, x.high)) if x.low < 0 else x
    if name in ("mul", "div", "add", "sub", "rsub") and not args.get("rounding_mode"):
        return _combined(name, args, given, many)
    return REAL


def _rounded(name: str, x: Range) -> Range:
    if x.step and x.scale == "one" and float(x.step).is_integer() and _ends(x, float.is_integer):
        return x
    if x.scale != "one" or x.vague:
        return Range(step=1.0, vague=x.vague)
    low, high = (float(_ROUNDED[name](end)) if math.isfinite(end) else end for end in (x.low, x.high))
    return Range(low, high, 1.0)


def _parts(name: str, args: Mapping[str, Any]) -> Sequence[Any]:
    if name == "cat":
        return tuple(args.get("tensors", ()))
    return (args["x"], args["value" if name == "masked_fill" else "other"])


def _bounds(name: str, args: Mapping[str, Any]) -> tuple[Any, Any]:
    if name == "relu":
        return 0.0, None
    if name == "relu6":
        return 0.0, 6.0
    if name == "hardtanh":
        return args["min_val"], args["max_val"]
    return args.get("min"), args.get("max")


def _ends(x: Range, test: Callable[[float], bool]) -> bool:
    return all(test(end) for end in (x.low, x.high) if math.isfinite(end))


def _clamped(x: Range, bounds: tuple[Any, Any], given: Callable[[Any], Range | None]) -> Range:
    numbers = [_number(bound, given) for bound in bounds]
    if x.vague or any(n is None and b is not None for n, b in zip(numbers, bounds, strict=True)):
        return VAGUE
    if x.scale != "one":
        return replace(x, low=max(x.low, 0.0)) if numbers == [0.0, None] and x.low <= 0.0 <= x.high else VAGUE
    low = max(x.low, -math.inf if numbers[0] is None else numbers[0])
    high = min(x.high, math.inf if numbers[1] is None else numbers[1])
    if low > high:  # everything is cut off
        low = high = numbers[0] if numbers[0] is not None and x.high < numbers[0] else high
    known = x.low if math.isfinite(x.low) else x.high if math.isfinite(x.high) else 0.0
    step = x.step
    if step and any(math.isfinite(end) and not _on(end, known, step) for end in (low, high)):
        step = 0.0  # a bound between two levels
    return Range(low, high, step)


def _on(number: float, origin: float, step: float) -> bool:
    places = (number - origin) / step
    return math.isfinite(places) and abs(places - round(places)) < 1e-6


def _number(argument: Any, given: Callable[[Any], Range | None]) -> float | None:
    if isinstance(argument, (int, float)):
        return float(argument)
    known = given(argument) if isinstance(argument, Ref) else None
    return known.low if known is not None and known.low == known.high and known.scale == "one" else None


def _combined(
    name: str, args: Mapping[str, Any], given: Callable[[Any], Range | None], many: Callable[[Any], bool]
) -> Range:
    x, y = given(args["x"]), given(args["other"])
    if any(r is not None and r.vague for r in (x, y)):
        return VAGUE
    a, b = _number(args["x"], given), _number(args["other"], given)
    if name in ("mul", "div"):
        if b:
            return _times(x or REAL, b if name == "mul" else 1.0 / b)
        if a and name == "mul":
            return _times(y or REAL, a)
        if x is not None and y is None and x.levels:  # by a parameter
            return scaled(x, many(args["other"]))
        if y is not None and x is None and y.levels and name == "mul":
            return scaled(y, many(args["x"]))
        return REAL
    if x is None or y is None:
        return REAL
    alpha = args.get("alpha", 1)
    signs = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[name]
    x, y = _times(x, signs[0]), _times(y, signs[1])
    if x.scale != "one" or y.scale != "one":
        return REAL
    if a is not None or b is not None:
        shifted, by = (x, y.low) if b is not None else (y, x.low)
        return replace(shifted, low=shifted.low + by, high=shifted.high + by)
    step = x.step if x.step == y.step else 0.0  # sums of levels a step apart are a step apart
    return Range(x.low + y.low, x.high + y.high, step)


def _times(x: Range, factor: float) -> Range:
    ends = sorted((x.low * factor, x.high * factor))
    return replace(x, low=ends[0], high=ends[1], step=x.step * abs(factor))


def scaled(x: Range, per_channel: bool, scale: Scale = "real") -> Range:
    """``x`` multiplied by a parameter: its levels as integers, the size of a step a real number."""
    if not x.levels:
        return REAL
    origin = round(x.low / x.step) if _on(x.low, 0.0, x.step) else x.low / x.step
    return Range(origin, origin + x.levels - 1, 1.0, scale, per_channel or x.per_channel)


def _joined(name: str, operands: Sequence[Any], given: Callable[[Any], Range | None]) -> Range:
    """What one of several values is."""
    ranges = [given(a) for a in operands]
    if not ranges or any(r is None for r in ranges):
        return VAGUE if name != "cat" else REAL
    parts = [r for r in ranges if r is not None]
    if any(r.scale != parts[0].scale or r.scale != "one" for r in parts):
        return REAL
    low, high = min(r.low for r in parts), max(r.high for r in parts)
    if name == "maximum":
        low = max(r.low for r in parts)
    if name == "minimum":
        high = min(r.high for r in parts)
    steps = {r.step for r in parts if r.low != r.high}
    step = steps.pop() if len(steps) == 1 else 0.0
    if not steps and not step and all(r.low == r.high for r in parts):
        step = high - low
    origin = next((end for r in parts if r.step for end in (r.low, r.high) if math.isfinite(end)), low)
    ends = [end for r in parts for end in (r.low, r.high) if math.isfinite(end)]
    if step and not all(_on(end, origin, step) for end in ends):
        step = 0.0
    return Range(low, high, step)


def domain_of_range(x: Range) -> Domain | None:
    """The kind of a value that takes exactly the levels of a range; None where these are not a few."""
    count = x.levels
    if count < 2 or count > 1 << MOST_BITS:
        return None
    size = max(abs(x.low), abs(x.high))
    step = x.step
    mantissa, _ = math.frexp(step)
    scale: Scale = x.scale if x.scale != "one" else "one" if step == 1.0 else "pow2" if mantissa == 0.5 else "real"
    if count == 2 and abs(x.low + x.high) <= 1e-6 * size:
        kind, scale = BINARY, _scale(size, x.scale)
    elif count == 2 and min(abs(x.low), abs(x.high)) == 0.0:
        kind, scale = BINARY01, _scale(size, x.scale)
    elif count == 3 and abs(x.low + x.high) <= 1e-6 * size:
        kind = TERNARY
    else:
        kind = Domain("int", max(1, math.ceil(math.log2(count))), signed=x.low < 0)
    return replace(kind, scale=scale, per_channel=x.per_channel and scale != "one", evidence="rule")


def _scale(size: float, scale: Scale) -> Scale:
    if scale != "one":
        return scale
    mantissa, _ = math.frexp(size)
    return "one" if size == 1.0 else "pow2" if mantissa == 0.5 else "real"
