"""Why a value is of its kind, in words: which operation makes it so, or which tensor was looked at."""

from __future__ import annotations

from costmodel.trace.elements import SAME
from costmodel.trace.possible import Possible
from costmodel.trace.ranges import Range
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Value


def maker(simplified: Simplified, value: Value) -> Value:
    """The value that operations which only move elements come from."""
    seen = 0
    while seen < 64 and value.inputs and (value.operator.identity or value.fn in SAME):
        value, seen = simplified.value(value.inputs[0]), seen + 1
    return value


def made_by(simplified: Simplified, value: Value) -> str:
    """A value by the operation that makes it, as a reader of the program finds it."""
    made = maker(simplified, value)
    if made.leaf == "param":
        return made.path
    if made.leaf:
        return "the input" if made.leaf == "input" else "a tensor of the program"
    return f"{made.fn} in {made.module}" if made.module else made.fn


def of_values(simplified: Simplified, value: Value, values: Possible) -> str:
    """That a rule gives these values alone."""
    return f"{made_by(simplified, value)} gives {' or '.join(f'{v:g}' for v in sorted(values))}"


def of_range(simplified: Simplified, value: Value, found: Range) -> str:
    """That a rule gives levels between bounds."""
    what = "sums of products" if found.sums else made_by(simplified, value)
    times = "" if found.scale == "one" else " times a parameter"
    plus = " plus a parameter" if found.offset else ""
    return f"{what} gives {found.levels:,} levels from {found.low:g} to {found.high:g}{times}{plus}"


def real_by_rule(simplified: Simplified, value: Value) -> str:
    """That no rule bounds a value to levels."""
    return f"{made_by(simplified, value)} gives real numbers"


def levels_by_rule(simplified: Simplified, value: Value) -> str:
    """That the operation itself gives levels."""
    return f"{made_by(simplified, value)} gives them"


def observed(simplified: Simplified, value: Value) -> str:
    """That the values were looked at, because no rule says what they are."""
    return f"observed: values of {made_by(simplified, value)}"
