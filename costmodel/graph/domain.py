"""Operand kinds: what values a tensor can hold, and how that is known.

A :class:`Domain` is evidence, not annotation. It is read from the values of the executed network, from a rule about
an operation, or from a literal in the program. The number of bits is what the value needs on hardware that exploits
the kind; a real scale is stored once per tensor or per channel and is not part of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

DomainKind = Literal["binary", "binary01", "ternary", "pow2", "int", "float"]
Scale = Literal["one", "pow2", "real"]
Evidence = Literal["literal", "rule", "observed"]

#: Width of a real number on the residual stream and of a real weight, where nothing else is known.
FLOAT_BITS = 32
#: A power of two is stored as its sign and a 6-bit exponent: 2^-32 ... 2^31 covers every published slope.
POW2_BITS = 7


@dataclass(frozen=True, slots=True)
class Domain:
    """The set of values of a tensor.

    ``kind``
        ``binary`` is two values of equal magnitude and opposite sign, ``binary01`` zero and one other value,
        ``ternary`` the three of both, ``pow2`` signed powers of two, ``int`` a uniform grid of ``bits`` bits,
        ``float`` anything else.
    ``bits``
        Bits of one element, without its scale.
    ``scale``
        Magnitude of the step: exactly one, a power of two, or a real number.
    ``per_channel``
        Whether that magnitude differs between channels.
    ``signed``
        Whether a value can be negative.
    ``asymmetric``
        Whether the levels lie around no zero, so that they take a second constant next to the size of the step: two
        values ``a, b`` (binary), ``-p, 0, n`` (ternary), integers with an offset that is no level.
    ``evidence``
        ``literal`` (written in the program), ``rule`` (follows from the operation), ``observed`` (read from values).
    ``why``
        Which operation or tensor says so, in words; domains that differ in it alone are equal.
    """

    kind: DomainKind
    bits: int
    scale: Scale = "one"
    per_channel: bool = False
    evidence: Evidence = "rule"
    signed: bool = True
    asymmetric: bool = False
    why: str = field(default="", compare=False)

    @property
    def largest(self) -> int:
        """The largest magnitude, in steps."""
        if self.kind in ("binary", "binary01", "ternary"):
            return 1
        return (1 << self.bits - 1) if self.signed else (1 << self.bits) - 1

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_one_bit(self) -> bool:
        """Whether one bit is all there is to a value, but for the size of a step."""
        return self.kind in ("binary", "binary01") and not self.asymmetric

    @property
    def codes(self) -> Domain:
        """The levels without the constants that say where they lie."""
        return replace(self, asymmetric=False) if self.asymmetric else self

    def with_scale(self, scale: Scale, per_channel: bool = False) -> Domain:
        if scale == self.scale and per_channel == self.per_channel:
            return self
        return replace(self, scale=scale, per_channel=per_channel)

    def __str__(self) -> str:
        suffix = "" if self.scale == "one" else f"*{self.scale}{'/channel' if self.per_channel else ''}"
        width = f"{self.bits}" if self.kind in ("int", "float") else ""
        offset = "+offset" if self.asymmetric else ""
        return f"{self.kind}{width}{suffix}{offset}"


FLOAT = Domain("float", FLOAT_BITS)
BINARY = Domain("binary", 1)
BINARY01 = Domain("binary01", 1, signed=False)
TERNARY = Domain("ternary", 2)


def integer(bits: int, scale: Scale = "one", *, signed: bool = True) -> Domain:
    """A uniform grid of ``bits`` bits, such as the accumulator of a binary convolution."""
    return Domain("int", bits, scale, signed=signed)


def real(bits: int) -> Domain:
    """A real number of this width."""
    return FLOAT if bits == FLOAT_BITS else Domain("float", bits)


def accumulator(terms: int, a: Domain = BINARY, b: Domain = BINARY) -> Domain:
    """The narrowest integer that holds any sum of ``terms`` products of an ``a`` by a ``b``.

    Two ±1 operands give ±terms: ``bit_length(terms) + 1`` bits. Operands of several bits are two's complement if they
    are signed; a sum of products of unsigned operands needs no sign.
    """
    signed = a.signed or b.signed
    bits = (terms * a.largest * b.largest).bit_length() + signed
    return integer(max(1, bits), signed=signed)


def accumulator_bits(terms: int, bits_a: int = 1, bits_b: int = 1) -> int:
    """The bits of :func:`accumulator` where only the widths of the operands are known: ±1, else two's complement."""
    a, b = (BINARY if bits == 1 else integer(bits) for bits in (bits_a, bits_b))
    return accumulator(terms, a, b).bits


def classify_literal(number: float) -> Domain:
    """The domain of a number written in the program: exact, so powers of two are what they say."""
    magnitude = abs(number)
    if magnitude == 0 or not math.isfinite(magnitude):
        return Domain("float", 32, evidence="literal")
    mantissa, _ = math.frexp(magnitude)
    if magnitude == 1.0:
        return Domain("pow2", POW2_BITS, "one", evidence="literal")
    if mantissa == 0.5:
        return Domain("pow2", POW2_BITS, "pow2", evidence="literal")
    return Domain("float", 32, "real", evidence="literal")
