"""How a value relates to others that it is computed from: what a choice cuts off, what a difference is bounded by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from costmodel.trace.elements import SAME
from costmodel.trace.ranges import Range, bounds_of, known_number, narrowed
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value

_COMPARED = ("gt", "ge", "lt", "le")


@dataclass(frozen=True, slots=True)
class Relations:
    """``range`` tells the range of an argument by rule."""

    simplified: Simplified
    range: Callable[[Any], Range | None]

    def _number(self, argument: Any) -> float | None:
        return known_number(argument, self.range)

    def _comparison(self, value: Value) -> Value | None:
        """The comparison that a choice is made by, None for any other."""
        condition = value.args["condition"]
        made = self.simplified.value(condition.id) if isinstance(condition, Ref) else None
        return made if made is not None and made.fn in _COMPARED and "other" in value.args else None

    def cut(self, value: Value) -> str:
        """``maximum`` or ``minimum`` for a choice between x and c by whether x is above or below c."""
        made = self._comparison(value)
        if made is None:
            return "where"

        def code(argument: Any) -> Any:
            number = self._number(argument)
            return ("value", self.simplified.numbers[argument.id]) if number is None else ("number", number)

        sides = [code(made.args["x"]), code(made.args["other"])]
        chosen = [code(value.args["x"]), code(value.args["other"])]
        if sorted(sides) != sorted(chosen):
            return "where"
        larger = (chosen == sides) == made.fn.startswith("g")
        return "maximum" if larger else "minimum"

    def chosen(self, value: Value, argument: Any) -> Range | None:
        """The range of what a choice takes where it takes it: where x is above a number, or below it, and what is taken
        is x between bounds."""
        found, made = self.range(argument), self._comparison(value)
        if found is None or made is None or found.vague or not found.plain or not isinstance(made.args["x"], Ref):
            return found
        number = self._number(made.args["other"])
        if number is None or (end := self._bounded(argument, made.args["x"], number)) is None:
            return found
        above = made.fn.startswith("g") == (argument == value.args["x"])
        return narrowed(found, end, math.inf) if above else narrowed(found, -math.inf, end)

    def _bounded(self, argument: Any, x: Ref, number: float) -> float | None:
        """What a value is where ``x`` is a number, if it is ``x`` between bounds; None for any other."""
        if not isinstance(argument, Ref):
            return None
        if self.simplified.numbers[argument.id] == self.simplified.numbers[x.id]:
            return number
        value = self.simplified.value(argument.id)
        if value.output or value.operator.packet != f"aten.{value.fn}":
            return None
        cut = self.cut(value) if value.fn == "where" else value.fn
        if cut in ("minimum", "maximum"):
            first, second = value.args["x"], value.args["other"]
            for moving, fixed in ((first, second), (second, first)):
                inner, bound = self._bounded(moving, x, number), self._number(fixed)
                if inner is not None and bound is not None:
                    return min(inner, bound) if cut == "minimum" else max(inner, bound)
            return None
        if value.fn not in ("relu", "relu6", "clamp", "clamp_min", "clamp_max", "hardtanh"):
            return None
        inner = self._bounded(value.args["x"], x, number)
        given = bounds_of(value.fn, value.args)
        low, high = (self._number(bound) for bound in given)
        if inner is None or (low is None) != (given[0] is None) or (high is None) != (given[1] is None):
            return None
        return min(max(inner, -math.inf if low is None else low), math.inf if high is None else high)

    def gap(self, x: Any, other: Any) -> tuple[str, float | None] | None:
        """The function that two magnitudes, or two rectified values, are of one operand that was moved, and by what."""
        if not isinstance(x, Ref) or not isinstance(other, Ref):
            return None
        first, second = (self.simplified.value(each.id) for each in (x, other))
        if first.fn != second.fn or first.fn not in ("abs", "relu") or first.output or second.output:
            return None
        (u, ahead), (v, behind) = (self._unmoved(each.args["x"]) for each in (first, second))
        if u != v:
            return None
        return first.fn, None if ahead is None or behind is None else ahead - behind

    def is_magnitude(self, x: Any, other: Any) -> bool:
        """Whether one of two values is the magnitude of the other."""
        if not isinstance(x, Ref) or not isinstance(other, Ref):
            return False
        numbers = self.simplified.numbers
        sizes = ((self.simplified.value(a.id), b) for a, b in ((x, other), (other, x)))
        return any(size.fn == "abs" and numbers[size.args["x"].id] == numbers[of.id] for size, of in sizes)

    def _unmoved(self, argument: Ref) -> tuple[int, float | None]:
        """The number of a value before anything was added to it, and what was: None where that is a parameter."""
        total: float | None = 0.0
        while True:
            value = self.simplified.value(argument.id)
            x, other = value.args.get("x"), value.args.get("other")
            if value.fn == "add" and isinstance(other, Ref) and self._online(other) and not self._online(x):
                x, other = other, x
            moved = value.fn in ("add", "sub") and value.args.get("alpha", 1) == 1 and not self._online(other)
            if not moved or not isinstance(x, Ref) or not self._online(x):
                return self.simplified.numbers[argument.id], total
            by = self._number(other)
            total = None if by is None or total is None else total + (by if value.fn == "add" else -by)
            argument = x

    def _online(self, argument: Any) -> bool:
        return isinstance(argument, Ref) and self.simplified.online[self.simplified.canonical[argument.id]]

    def share(self, x: Any, other: Any) -> float:
        """At least what share ``other`` is of the largest magnitude of ``x``, as quantisers divide by; 0 if of none."""
        if not isinstance(x, Ref) or not isinstance(other, Ref):
            return 0.0
        share, value = 1.0, self.simplified.value(other.id)
        for _ in range(16):
            args = value.args
            if value.fn in ("max", "amax") and not value.output:
                size = self.simplified.value(args["x"].id)
                same = size.fn == "abs" and self.simplified.numbers[size.args["x"].id] == self.simplified.numbers[x.id]
                return share if same else 0.0
            by = args.get("other")
            number = float(by) if isinstance(by, (int, float)) else 0.0
            larger = value.fn == "clamp_min" or (value.fn == "add" and number > 0)
            scaled = value.fn in ("mul", "div") and number > 0
            if not (larger or scaled or value.fn in SAME):
                return 0.0
            if scaled:
                share *= number ** (1 if value.fn == "mul" else -1)
            value = self.simplified.value(args["x"].id)
        return 0.0
