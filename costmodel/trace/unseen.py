"""Kinds of constants that have no values, because the model has no memory: by rule alone, from what makes them.

A sign is ±1 whatever it is the sign of; times a number it is ±s, times a number per channel ±s_c; two to a whole power
is a power of two; a rounded and bounded value lies on its grid. What no rule decides is real.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from costmodel.graph.domain import BINARY, FLOAT, POW2_BITS, Domain, Scale
from costmodel.trace.moves import MOVES
from costmodel.trace.possible import Possible, domain_of_values, possible_values
from costmodel.trace.simplify import Simplified
from costmodel.trace.values import Ref, Value, filled_with

_POW2 = Domain("pow2", POW2_BITS, "pow2", evidence="rule")
_KEPT = ("clone", "detach", "alias", "lift_fresh", "contiguous")


def unseen(simplified: Simplified) -> Mapping[int, Domain]:
    """The kind of every constant that was not seen and is no real number."""
    values = simplified.recording.values
    possible: dict[int, Possible] = {}
    found: dict[int, Domain] = {}

    def known(argument: Any) -> Possible | None:
        if isinstance(argument, (int, float)):
            return frozenset((float(argument),))
        return possible.get(simplified.canonical[argument.id]) if isinstance(argument, Ref) else None

    def many(argument: Any) -> bool:
        return isinstance(argument, Ref) and math.prod(values[argument.id].shape) > 1

    def kind(argument: Any) -> Domain:
        if isinstance(argument, Ref):
            return found.get(simplified.canonical[argument.id], FLOAT)
        return _POW2 if _is_power(argument) else FLOAT

    def whole(argument: Any) -> bool:
        made = values[simplified.canonical[argument.id]] if isinstance(argument, Ref) else None
        return made is not None and made.fn in ("round", "floor", "ceil", "trunc")

    for value in values:
        number = value.id
        if (
            value.leaf
            or simplified.online[number]
            or value.sample is not None
            or simplified.canonical[number] != number
        ):
            continue
        filled = filled_with(value)
        few = frozenset((filled,)) if filled is not None else possible_values(value, known)
        if few is not None:
            possible[number] = few
        domain = domain_of_values(few) if few is not None else None
        domain = domain or _by_rule(value, kind, many, whole)
        if domain is not None and not domain.is_float:
            found[number] = domain
    return found


def _by_rule(value: Value, kind: Any, many: Any, whole: Any) -> Domain | None:
    args = value.args
    if not value.operator.packet.startswith("aten."):
        return None
    if value.operator.packet in MOVES or value.fn in _KEPT:
        return kind(args.get("x"))  # type: ignore[no-any-return]
    if value.fn in ("mul", "div"):
        for a, b in ((args["x"], args["other"]), (args["other"], args["x"])):
            domain = kind(a)
            if domain.is_one_bit or domain.kind in ("ternary", "int"):
                return _times(domain, kind(b), many(b))
            if value.fn == "div":
                break
        both = [kind(args[name]) for name in ("x", "other")]
        return _POW2 if all(d.kind == "pow2" for d in both) else None
    if value.fn == "exp2":
        return _POW2 if whole(args["x"]) else None
    if value.fn == "copysign" and isinstance(args["x"], Ref):
        scale: Scale = "pow2" if kind(args["x"]).kind == "pow2" else "real"
        return replace(BINARY, scale=scale, per_channel=many(args["x"]), evidence="rule")
    if value.fn == "abs" and kind(args["x"]).kind == "pow2":
        return kind(args["x"])  # type: ignore[no-any-return]
    return None


def _times(domain: Domain, factor: Domain, many: bool) -> Domain | None:
    """A value of few levels times a constant, which scales it; times another such value it is one by its bits."""
    if factor.is_one_bit and factor.scale == "one":
        return domain
    if domain.scale != "one":
        return replace(domain, scale="real", per_channel=domain.per_channel or many, evidence="rule")
    return replace(domain, scale="pow2" if factor.kind == "pow2" else "real", per_channel=many, evidence="rule")


def _is_power(number: Any) -> bool:
    return isinstance(number, (int, float)) and number != 0 and math.frexp(abs(number))[0] == 0.5
