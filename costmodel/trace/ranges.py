"""Which numbers a value can be, by the operation that makes it: the interval it lies in, and the grid it lies on.

Rounding puts a value on the integers, a clamp bounds it, and what is multiplied or moved by numbers of the program
takes its interval and its grid along: ``round(clamp(x, 0, 1) * 3) / 3`` is one of 0, 1/3, 2/3, 1 for every input,
however few of them one input shows. A factor that is a parameter scales the grid by a real number, a parameter that is
added moves it; the levels stay. Sums of levels are levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from costmodel.graph.domain import Scale
from costmodel.trace.elements import JOINS, PARTS, SAME, UNWRITTEN, parts_of
from costmodel.trace.values import Ref, Value

#: More levels than a byte holds are not a kind of their own.
MOST_BITS = 8
_ROUNDED: dict[str, Callable[[float], float]] = {
    "round": lambda x: float(round(x)), "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc,
}  # fmt: skip
#: Functions that never fall, of which only the ends matter.
_BOUNDED: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "erf": (-1.0, 1.0), "sin": (-1.0, 1.0), "cos": (-1.0, 1.0),
    "hardsigmoid": (0.0, 1.0), "_softmax": (0.0, 1.0), "exp": (0.0, math.inf), "softplus": (0.0, math.inf),
    "sqrt": (0.0, math.inf),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Range:
    """``low`` to ``high``, and on a grid of this ``step`` from either finite end, 0 for the real numbers.

    ``scale`` says by what the numbers are multiplied besides, ``offset`` whether a number is added besides, that only
    the parameters know. ``vague``: there are bounds, but only the parameters know them. ``sums``: integers that are
    sums of products, or made of such.
    """

    low: float = -math.inf
    high: float = math.inf
    step: float = 0.0
    scale: Scale = "one"
    per_channel: bool = False
    vague: bool = False
    offset: bool = False
    sums: bool = False

    @property
    def levels(self) -> int:
        """How many numbers these are, 0 for no end of them."""
        if not self.step or not math.isfinite(self.high - self.low):
            return 0
        return round((self.high - self.low) / self.step) + 1

    @property
    def plain(self) -> bool:
        """Whether the numbers are known themselves, and not only how they lie to each other."""
        return self.scale == "one" and not self.offset

    @property
    def empty(self) -> bool:
        return self.low > self.high


REAL = Range()
VAGUE = Range(vague=True)
#: Of memory that was not written.
EMPTY = Range(math.inf, -math.inf)


class Operands(NamedTuple):
    """What is known of arguments.

    ``given`` is the range of one, None for parameters, and ``bounds`` that of parameters as well; ``many`` says whether
    a parameter differs by channel; ``shape`` is that of a tensor, and ``cut`` the operand that a choice cuts off,
    ``maximum`` or ``minimum``, if it does. ``share`` is what the second is, at least, of the largest magnitude of the
    first, 0 where it is not made of that. ``gap``: the function that both are results of, and what its operands are
    apart: a number, or None for what parameters know; None where they are not of one function and operand.
    ``magnitude`` says whether one of two is the magnitude of the other. ``chosen`` is the range of what a choice takes,
    where it takes it.
    """

    given: Callable[[Any], Range | None]
    bounds: Callable[[Any], Range | None]
    many: Callable[[Any], bool]
    shape: Callable[[Any], tuple[int, ...]]
    cut: Callable[[Value], str]
    share: Callable[[Any, Any], float]
    gap: Callable[[Any, Any], tuple[str, float | None] | None]
    magnitude: Callable[[Any, Any], bool]
    chosen: Callable[[Value, Any], Range | None]


def range_of(value: Value, operands: Operands) -> Range:
    """The range of ``value``."""
    name, args, given = value.fn, value.args, operands.given
    aten = value.operator.packet == f"aten.{name}" or name in ("alias", "alias_write")
    if (value.output and name not in PARTS) or value.leaf or not aten:
        return REAL
    if name in UNWRITTEN:
        return EMPTY
    if name in _BOUNDED:
        return Range(*_BOUNDED[name])
    if name in JOINS:
        if name == "where":
            return _joined(operands.cut(value), parts_of(name, args), lambda a: operands.chosen(value, a))
        return _joined(name, parts_of(name, args), given)
    if name in ("bucketize", "searchsorted"):
        edges = operands.shape(args.get("boundaries", args.get("sorted_sequence")))
        return Range(0.0, float(edges[-1]) if edges else 1.0, 1.0)
    if "x" not in args:
        return REAL
    x = operands.bounds(args["src"] if name == "copy" else args["x"]) or REAL
    if name in ("copy", "constant_pad_nd"):
        return _joined("cat", (args["x"], args["value"]), given) if args.get("value") else x
    if name in SAME:
        return x
    if name in _ROUNDED and not args.get("decimals"):
        return _rounded(name, x)
    if name in ("relu", "clamp", "clamp_min", "clamp_max", "hardtanh", "relu6"):
        return _clamped(x, bounds_of(name, args), given)
    if name == "neg":
        return replace(x, low=-x.high, high=-x.low)
    if name == "abs":
        return _magnitude(x)
    if name == "sub" and args.get("alpha", 1) == 1 and (gap := operands.gap(args["x"], args["other"])) is not None:
        return _difference(*gap)
    if name == "add" and args.get("alpha", 1) == 1 and operands.magnitude(args["x"], args["other"]):
        return Range(0.0, 2.0 * x.high) if x.plain and not x.vague else VAGUE  # twice the rectified x
    if name in ("mul", "div", "add", "sub", "rsub"):
        mode, found = args.get("rounding_mode"), _combined(name, args, operands)
        return _rounded(mode, found) if mode else found
    if "fake_quantize_per" in name:
        return _quantised(args, operands)
    if name == "copysign":  # the magnitude of x, with the sign of the other
        size = known_number(args["x"], given)
        return Range(-abs(size), abs(size), 2 * abs(size)) if size else _signs(args["x"], operands)
    if name in ("sum", "mean", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"):
        return _summed(value, x, operands)
    return REAL


def _rounded(name: str, x: Range) -> Range:
    if x.step and x.plain and float(x.step).is_integer() and _ends(x, float.is_integer):
        return x
    if not x.plain or x.vague:
        return Range(step=1.0, vague=x.vague)
    low, high = (float(_ROUNDED[name](end)) if math.isfinite(end) else end for end in (x.low, x.high))
    return Range(low, high, 1.0)


def bounds_of(name: str, args: Mapping[str, Any]) -> tuple[Any, Any]:
    if name == "relu":
        return 0.0, None
    if name == "relu6":
        return 0.0, 6.0
    if name == "hardtanh":
        return args["min_val"], args["max_val"]
    return args.get("min"), args.get("max")


def _ends(x: Range, test: Callable[[float], bool]) -> bool:
    return all(test(end) for end in (x.low, x.high) if math.isfinite(end))


def _magnitude(x: Range) -> Range:
    if x.offset:
        return VAGUE
    return replace(x, low=0.0, high=max(-x.low, x.high)) if x.low < 0 else x


def _clamped(x: Range, bounds: tuple[Any, Any], given: Callable[[Any], Range | None]) -> Range:
    numbers = [known_number(bound, given) for bound in bounds]
    if x.vague or any(n is None and b is not None for n, b in zip(numbers, bounds, strict=True)):
        return VAGUE
    if not x.plain:
        rectified = numbers == [0.0, None] and not x.offset and x.low <= 0.0 <= x.high
        return replace(x, low=max(x.low, 0.0)) if rectified else VAGUE
    low = max(x.low, -math.inf if numbers[0] is None else numbers[0])
    high = min(x.high, math.inf if numbers[1] is None else numbers[1])
    if low > high:  # everything is cut off
        low = high = numbers[0] if numbers[0] is not None and x.high < numbers[0] else high
    known = x.low if math.isfinite(x.low) else x.high if math.isfinite(x.high) else 0.0
    step = x.step
    if step and any(math.isfinite(end) and not is_on(end, known, step) for end in (low, high)):
        step = 0.0  # a bound between two levels
    return Range(low, high, step, sums=x.sums)


def narrowed(x: Range, low: float, high: float) -> Range:
    """Those of the numbers ``x`` that lie between two others; levels stay levels."""
    if x.step:
        origin = x.low if math.isfinite(x.low) else x.high if math.isfinite(x.high) else 0.0
        low, high = (
            origin + function((end - origin) / x.step - slack) * x.step if math.isfinite(end) else end
            for end, function, slack in ((low, math.ceil, 1e-6), (high, math.floor, -1e-6))
        )
    return replace(x, low=max(x.low, low), high=min(x.high, high))


def is_on(number: float, origin: float, step: float) -> bool:
    places = (number - origin) / step
    return math.isfinite(places) and abs(places - round(places)) < 1e-6


def known_number(argument: Any, given: Callable[[Any], Range | None]) -> float | None:
    if isinstance(argument, (int, float)):
        return float(argument)
    known = given(argument) if isinstance(argument, Ref) else None
    return known.low if known is not None and known.low == known.high and known.plain else None


def _combined(name: str, args: Mapping[str, Any], operands: Operands) -> Range:
    given, many = operands.given, operands.many
    x, y = given(args["x"]), given(args["other"])
    if any(r is not None and r.vague for r in (x, y)):
        return VAGUE
    a, b = known_number(args["x"], given), known_number(args["other"], given)
    x = operands.bounds(args["x"]) if b is not None else x
    y = operands.bounds(args["other"]) if a is not None else y
    if name == "div" and (share := operands.share(args["x"], args["other"])):
        return Range(-1.0 / share, 1.0 / share)
    if name in ("mul", "div"):
        if b:
            return _times(x or REAL, b if name == "mul" else 1.0 / b)
        if a and name == "mul":
            return _times(y or REAL, a)
        if x is not None and y is None and x.step:  # by a parameter
            return scaled(x, many(args["other"]))
        if y is not None and x is None and y.step and name == "mul":
            return scaled(y, many(args["x"]))
        return _product(x, y) if x is not None and y is not None and name == "mul" else REAL
    if x is None or y is None:
        moved, by = (x, args["other"]) if x is not None else (y, args["x"])
        if moved is None or not moved.levels or moved.sums:  # a sum of many and a parameter is a real number
            return REAL
        moved = _times(moved, -1.0) if (moved is y) != (name == "rsub") and name != "add" else moved
        return replace(moved, offset=True, per_channel=moved.per_channel or many(by))
    alpha = args.get("alpha", 1)
    signs = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[name]
    x, y = _times(x, signs[0]), _times(y, signs[1])
    if not x.plain or not y.plain:
        return REAL
    if a is not None or b is not None:
        shifted, by = (x, y.low) if b is not None else (y, x.low)
        return replace(shifted, low=shifted.low + by, high=shifted.high + by)
    step = x.step if x.step == y.step else 0.0  # sums of levels a step apart are a step apart
    return Range(x.low + y.low, x.high + y.high, step, sums=x.sums or y.sums)


def _difference(fn: str, gap: float | None) -> Range:
    """``f(u) - f(u - gap)`` for a magnitude or a rectifier, neither of which changes by more than its operand does."""
    if gap is None:
        return VAGUE
    low, high = sorted((0.0 if fn == "relu" else -gap, gap))
    return Range(low, high)


def _quantised(args: Mapping[str, Any], operands: Operands) -> Range:
    """Of a quantiser whose number of levels stands in the call."""
    zero, size = known_number(args["zero_point"], operands.given), known_number(args["scale"], operands.given)
    if zero is None:
        return VAGUE
    levels = Range(float(args["quant_min"]) - zero, float(args["quant_max"]) - zero, 1.0)
    return _times(levels, size) if size else scaled(levels, operands.many(args["scale"]))


def _signs(size: Any, operands: Operands) -> Range:
    """Signs of a size that is a parameter; of any other, real numbers."""
    return REAL if operands.given(size) is not None else scaled(Range(-1.0, 1.0, 2.0), operands.many(size))


def _times(x: Range, factor: float) -> Range:
    if not factor:
        return Range(0.0, 0.0)
    ends = sorted((x.low * factor, x.high * factor))
    return replace(x, low=ends[0], high=ends[1], step=x.step * abs(factor))


def scaled(x: Range, per_channel: bool, scale: Scale = "real") -> Range:
    """``x`` multiplied by a parameter: its levels as integers, the size of a step a real number."""
    per_channel = per_channel or x.per_channel
    if x.sums:
        return REAL
    if not x.levels:  # integers without bounds
        return Range(step=1.0, scale=scale, per_channel=per_channel) if x.step == 1.0 and x.plain else REAL
    origin = round(x.low / x.step) if is_on(x.low, 0.0, x.step) else x.low / x.step
    return Range(origin, origin + x.levels - 1, 1.0, scale, per_channel, offset=x.offset)


def _product(x: Range, y: Range) -> Range:
    """Of two values that are not known: levels by levels are levels."""
    ends = [a * b for a in (x.low, x.high) for b in (y.low, y.high) if math.isfinite(a) and math.isfinite(b)]
    if len(ends) < 4 or not x.plain or not y.plain:
        return REAL
    return Range(min(ends), max(ends), _unit(x) * _unit(y))


def _unit(x: Range) -> float:
    """The largest number that all levels are multiples of, if it is the step or half of it."""
    if not x.levels:
        return 0.0
    return next((unit for unit in (x.step, x.step / 2) if is_on(x.low, 0.0, unit)), 0.0)


def sum_of(x: Range, count: int) -> Range:
    """Of ``count`` elements."""
    return replace(x, low=x.low * count, high=x.high * count)


def _summed(value: Value, x: Range, operands: Operands) -> Range:
    if not x.levels or x.per_channel:
        return REAL
    shape, args = operands.shape(value.args["x"]), value.args
    if value.fn in ("sum", "mean"):
        count = math.prod(shape) // max(1, math.prod(value.shape))
        return sum_of(x, count) if value.fn == "sum" else _times(sum_of(x, count), 1.0 / max(1, count))
    rank = len(value.shape) - (2 if value.fn.endswith("2d") else 3)
    if value.fn.startswith("_adaptive"):
        if any(i % o for i, o in zip(shape[rank:], value.shape[rank:], strict=True)):
            return REAL
        count = math.prod(shape[rank:]) // math.prod(value.shape[rank:])
        return _times(sum_of(x, count), 1.0 / count)
    padded = any(args["padding"]) if isinstance(args["padding"], tuple) else bool(args["padding"])
    kernel = args["kernel_size"]
    kernel = kernel * (len(shape) - rank) if len(kernel) == 1 else kernel
    count = args["divisor_override"] or math.prod(kernel)
    if args["ceil_mode"] or (padded and not (args["count_include_pad"] and x.plain and is_on(0.0, x.low, x.step))):
        return REAL
    x = replace(x, low=min(x.low, 0.0), high=max(x.high, 0.0)) if padded else x
    return _times(sum_of(x, math.prod(kernel)), 1.0 / count)


def _joined(name: str, operands: Sequence[Any], given: Callable[[Any], Range | None]) -> Range:
    """What one of several values is."""
    ranges = [given(a) for a in operands]
    if not ranges or any(r is None for r in ranges):
        return VAGUE if name not in ("cat", "concat", "stack", "alias_write") else REAL
    parts = [r for r in ranges if r is not None and not r.empty]
    if not parts:
        return EMPTY
    if all(r == parts[0] for r in parts):
        return parts[0]
    if any(r.vague for r in parts):
        return VAGUE
    if any(not r.plain for r in parts):
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
    on_grid = [end for r in parts if r.step for end in (r.low, r.high)]
    origin = next(filter(math.isfinite, on_grid), 0.0 if on_grid else low)
    ends = [end for r in parts for end in (r.low, r.high) if math.isfinite(end)]
    if step and not all(is_on(end, origin, step) for end in ends):
        step = 0.0
    return Range(low, high, step)
