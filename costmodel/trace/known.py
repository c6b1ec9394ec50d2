"""What is known of each value by rule: the few values that it can take, or the range and the grid that it lies on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from costmodel.graph.domain import FLOAT, Domain
from costmodel.trace.grids import with_levels
from costmodel.trace.kinds import domain_of_range
from costmodel.trace.possible import Possible, domain_of_values, possible_values
from costmodel.trace.ranges import EMPTY, REAL, VAGUE, Operands, Range, range_of
from costmodel.trace.reasons import levels_by_rule, observed, of_range, of_values, real_by_rule
from costmodel.trace.relations import Relations
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value, filled_with, signs_of
from costmodel.trace.weights import is_affine, scales_lie_along


class Known:
    """``possible`` and ``ranges`` are what rules say of the values so far, by number.

    What depends on the input is told in the order of the program (:meth:`learn`); what does not is looked at where it
    is asked for. ``unseen`` are the kinds of constants that have a shape and no values.
    """

    def __init__(self, simplified: Simplified, unseen: Mapping[int, Domain]) -> None:
        self.simplified = simplified
        self.possible: dict[int, Possible] = {}
        self.ranges: dict[int, Range] = {}
        self._unseen = unseen
        self._constants: dict[tuple[int, bool], Possible | None] = {}
        self._looked = 0
        self._offline = False  # whether constants are being looked at
        to = Relations(simplified, self.range)
        self._operands = Operands(
            self.range, self._bounds, self._many, self.shape, to.cut, to.share, to.gap, to.is_magnitude, to.chosen
        )

    def shape(self, argument: Any) -> tuple[int, ...]:
        return self.simplified.value(argument.id).shape if isinstance(argument, Ref) else ()

    def learn(self, value: Value) -> None:
        """Put down what the rule of an operation says of its result."""
        values = possible_values(value, self.values)
        if values is not None:
            self.possible[value.id] = values
        self.ranges[value.id] = self._range_of(value)

    def by_rule(self, number: int) -> Domain | None:
        """The kind of a value, where rules decide it."""
        value, values = self.simplified.recording.values[number], self.possible.get(number)
        found = domain_of_values(values) if values is not None else None
        if found is not None and values is not None:
            return replace(found, why=of_values(self.simplified, value, values))
        levels = self.ranges.get(number, REAL)
        found = domain_of_range(levels, weights=not self.simplified.online[number])
        return None if found is None else replace(found, why=of_range(self.simplified, value, levels))

    def weight_kind(self, argument: Ref, axis: int | None) -> Domain:
        """The kind of a constant: by the rule of its quantiser, with the scale that its values have; else observed."""
        number = self.simplified.canonical[argument.id]
        value = self.simplified.recording.values[number]
        if self._is_ruled(number, axis):
            self._look_offline(number)
            rule = self.by_rule(number)
            return replace(self._unseen[number], why=rule.why if rule else levels_by_rule(self.simplified, value))
        if not value.seen and axis is not None and is_affine(self.simplified, value, axis):
            return replace(FLOAT, why=real_by_rule(self.simplified, value))
        seen = self.simplified.domain(argument.id, axis)
        if axis is None:
            return seen
        self._look_offline(number)
        rule = self.by_rule(number)
        if rule is not None and (
            rule.scale == "one" or (value.sample is None and self.simplified.recording.shapes_alone)
        ):
            return rule
        if rule is not None and replace(seen, scale="one", evidence=rule.evidence) == rule:
            return replace(seen, why=rule.why)
        if rule is not None and value.whole is not None and _same_levels(rule, value.whole):
            return replace(value.whole, evidence=rule.evidence, why=rule.why)  # a sample may miss channels
        fitted = with_levels(rule, value.sample, axis) if rule is not None and value.sample is not None else None
        return fitted or replace(seen, why=observed(self.simplified, value))

    def _is_ruled(self, number: int, axis: int | None) -> bool:
        """Whether a constant that was not computed has a kind, and one scale for each of these channels if several."""
        domain, simplified = self._unseen.get(number), self.simplified
        if domain is None or not domain.per_channel or simplified.recording.shapes_alone:
            return domain is not None
        return scales_lie_along(simplified, simplified.recording.values[number], axis)

    def _range_of(self, value: Value) -> Range:
        """What a value can be by rule."""
        found = range_of(value, self._operands)
        return VAGUE if found == REAL and not value.tensor_dtype.is_floating_point else found

    def _many(self, argument: Any) -> bool:
        return isinstance(argument, Ref) and math.prod(self.shape(argument)) > 1

    def range(self, argument: Any) -> Range | None:
        """The range of an argument: of a number itself, of a value by rule; None for a parameter."""
        known = self.values(argument)
        if known is not None and not known:
            return EMPTY
        if known is not None and len(known) == 1:
            (number,) = known
            return Range(number, number)
        if not isinstance(argument, Ref):
            return None
        if known is not None and len(known) == 2:
            low, high = sorted(known)
            return Range(low, high, high - low)
        number = self.simplified.canonical[argument.id]
        found = self.ranges.get(number, REAL)
        return found if self.simplified.online[number] or found.empty or self._serves(found) else None

    def _bounds(self, argument: Any) -> Range | None:
        """The range of an argument, of constants that are computed by the program as well."""
        found = self.range(argument)
        if found is None and isinstance(argument, Ref):
            return self.ranges.get(self.simplified.canonical[argument.id])
        return found

    def _serves(self, constant: Range) -> bool:
        """Whether the rule of a constant says something of what is made of it: masks and signs, and all of weights."""
        return bool(constant.step) and (self._offline or (constant.plain and constant.levels > 0))

    def values(self, argument: Any) -> Possible | None:
        """The few values that an argument can take, if that is known."""
        if isinstance(argument, (int, float)):
            return frozenset((float(argument),))
        if not isinstance(argument, Ref):
            return None
        number = self.simplified.canonical[argument.id]
        if self.simplified.online[number]:
            return self.possible.get(number)
        self._look_offline(number)
        key = (number, self._offline)
        if key not in self._constants:
            self._constants[key] = self._of_constant(number)
        return self._constants[key]

    def _of_constant(self, number: int) -> Possible | None:
        found, value = self.possible.get(number), self.simplified.recording.values[number]
        if not value.seen:  # made of parameters: what became of them is no rule
            return found
        sample = value.sample
        if sample is None and (filled := filled_with(value)) is not None:
            return frozenset((filled,))
        if sample is None or sample.numel() == 0 or (found is not None and not found):
            return found
        if self._offline and not value.leaf and sample.numel() > 1:  # what happened to become of weights is no rule
            return found
        first = float(sample[(0,) * sample.dim()])
        if float(sample[(-1,) * sample.dim()]) == first and bool((sample == first).all()):
            return frozenset((first,))
        return signs_of(value, sample) if found is None and value.leaf else found

    def _look_offline(self, number: int) -> None:
        """What rules say of the values up to this one that do not depend on the input."""
        simplified = self.simplified
        if self._offline:
            return
        self._offline = True
        for i in range(self._looked, number + 1):
            value = simplified.recording.values[i]
            self._looked = i + 1
            if simplified.online[i] or value.leaf or simplified.canonical[i] != i:
                continue
            self.learn(value)
        self._offline = False


def _same_levels(a: Domain, b: Domain) -> bool:
    """Whether two kinds differ in the size of a step alone."""
    return (a.kind, a.bits, a.signed, a.asymmetric) == (b.kind, b.bits, b.signed, b.asymmetric)
