"""Kinds of constants whose values were not computed, or that have no memory: by rule alone, from what makes them.

A sign is ±1 whatever it is the sign of; times a number it is ±s, times a number per channel ±s_c; two to a whole power
is a power of two; a rounded and bounded value lies on its grid. Without memory, what no rule decides is real. Elsewhere
it has to be computed and looked at, and so has what is scaled by numbers whose values say more of them than a rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from costmodel.graph.domain import BINARY, FLOAT, POW2_BITS, TERNARY, Domain, Scale
from costmodel.trace.moves import MOVES
from costmodel.trace.possible import Possible, domain_of_values, possible_values
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value, filled_with
from costmodel.trace.weights import along

_POW2 = Domain("pow2", POW2_BITS, "pow2", evidence="rule")
#: The kind of an argument by rule; None where its values say more.
Kind = Callable[[Any], Domain | None]
_KEPT = ("clone", "detach", "alias", "lift_fresh", "contiguous")


def unseen(simplified: Simplified) -> Mapping[int, Domain]:
    """The kind of every constant that was not seen and is no real number."""
    values = simplified.recording.values
    possible: dict[int, Possible] = {}
    found: dict[int, Domain] = {}

    def known(argument: Any) -> Possible | None:
        if isinstance(argument, (int, float)):
            return frozenset((float(argument),))
        if not isinstance(argument, Ref):
            return None
        number = simplified.canonical[argument.id]
        filled = filled_with(values[number]) if number not in possible else None
        return possible.get(number) if filled is None else frozenset((filled,))

    def many(argument: Any) -> bool:
        return isinstance(argument, Ref) and math.prod(values[argument.id].shape) > 1

    def kind(argument: Any) -> Domain | None:
        if not isinstance(argument, Ref):
            return _POW2 if _is_power(argument) else FLOAT
        number = simplified.canonical[argument.id]
        value = values[number]
        if number in found or not value.seen or value.sample is None:
            return found.get(number, FLOAT)
        return None if _is_special(value.sample) else FLOAT

    def whole(argument: Any) -> bool:
        made = values[simplified.canonical[argument.id]] if isinstance(argument, Ref) else None
        return made is not None and made.fn in ("round", "floor", "ceil", "trunc")

    def by_channel(argument: Any, of: tuple[int, ...]) -> bool:
        shape = values[argument.id].shape if isinstance(argument, Ref) else ()
        return math.prod(shape) <= 1 or along(shape, of, 0)

    for value in values:
        number = value.id
        if (
            value.leaf
            or simplified.online[number]
            or (value.seen and value.sample is not None)
            or simplified.canonical[number] != number
        ):
            continue
        filled = filled_with(value)
        few = frozenset((filled,)) if filled is not None else possible_values(value, known)
        if few is not None:
            possible[number] = few
        domain = domain_of_values(few) if few is not None else None
        domain = domain or _by_rule(value, kind, many, whole, lambda given, of=value.shape: by_channel(given, of))
        if domain is not None and not domain.is_float:
            found[number] = domain
    return found


def _by_rule(value: Value, kind: Kind, many: Any, whole: Any, by_channel: Any) -> Domain | None:
    args = value.args
    if not value.operator.packet.startswith("aten."):
        return None
    if value.operator.packet in MOVES or value.fn in _KEPT:
        return kind(args.get("x"))
    if value.fn in ("mul", "div"):
        return _product(value, kind(args["x"]), kind(args["other"]), many, by_channel)
    if value.fn == "exp2":
        return _POW2 if whole(args["x"]) else None
    size = kind(args["x"]) if value.fn in ("copysign", "abs") else None
    if size is not None and value.fn == "copysign" and isinstance(args["x"], Ref) and by_channel(args["x"]):
        scale: Scale = "pow2" if size.kind == "pow2" else "real"
        return replace(BINARY, scale=scale, per_channel=many(args["x"]), evidence="rule")
    return size if size is not None and size.kind == "pow2" else None


def _product(value: Value, x: Domain | None, other: Domain | None, many: Any, by_channel: Any) -> Domain | None:
    """The kind of ``x * other`` or ``x / other``."""
    if x is None or other is None:
        return None
    levels = ("binary", "binary01", "ternary", "int")
    for few, factor, name in ((x, other, "other"), (other, x, "x")):
        if few.kind in levels and (name == "other" or value.fn == "mul"):
            placed = factor.kind in levels or by_channel(value.args[name])
            return _times(few, factor, many(value.args[name])) if placed else None
    return _POW2 if x.kind == other.kind == "pow2" else None


def _times(domain: Domain, factor: Domain, many: bool) -> Domain | None:
    """A value of few levels times a constant, which scales it; times another of one bit, which turns it or masks it."""
    if factor.is_one_bit:
        return _turned(domain, factor)
    if factor.kind in ("ternary", "int"):
        return None
    if domain.scale != "one":
        return replace(domain, scale="real", per_channel=domain.per_channel or many, evidence="rule")
    return replace(domain, scale="pow2" if factor.kind == "pow2" else "real", per_channel=many, evidence="rule")


def _turned(domain: Domain, factor: Domain) -> Domain | None:
    if domain.kind == "int" and factor.kind == "binary":  # levels above zero alone are none below
        return None
    masked = {domain.kind, factor.kind} == {"binary", "binary01"}
    made = replace(TERNARY, scale=domain.scale, per_channel=domain.per_channel) if masked else domain
    scale: Scale = made.scale if factor.scale == "one" else factor.scale if made.scale == "one" else "real"
    return replace(made, scale=scale, per_channel=made.per_channel or factor.per_channel, evidence="rule")


def _is_power(number: Any) -> bool:
    return isinstance(number, (int, float)) and number != 0 and math.frexp(abs(number))[0] == 0.5


def _is_special(sample: Tensor) -> bool:
    """Whether numbers are more than real ones: integers, powers of two, or one number throughout."""
    size = sample.abs().flatten().double()
    size = size[size != 0]
    if not size.numel() or bool((size == size.round()).all()):
        return True
    mantissa, _ = torch.frexp(size)
    return bool((mantissa == 0.5).all()) or (size.numel() > 1 and bool((size == size[0]).all()))
