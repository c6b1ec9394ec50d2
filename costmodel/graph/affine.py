"""Per-channel scale and bias chains: what they are made of and what multiplying by them takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from costmodel.graph.domain import classify_literal
from costmodel.graph.operands import Constant, Window

#: What a multiplication by a scale takes: nothing, a change of sign, a shift, or a real multiplication.
ScaleClass = Literal["one", "sign", "pow2", "real"]
_ORDER: tuple[ScaleClass, ...] = ("one", "sign", "pow2", "real")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a chain, applied to ``x`` element by element.

    ``fn`` is ``mul`` (x * c), ``div`` (x / c), ``add`` (x + c), ``sub`` (x - c), ``rsub`` (c - x) or ``batch_norm``
    ((x - mean) / sqrt(var + eps) * weight + bias, constants in the order weight, bias, mean, var, None where absent).
    """

    fn: Literal["mul", "div", "add", "sub", "rsub", "batch_norm"]
    constants: tuple[Constant | None, ...]
    tag: str
    eps: float = 0.0

    @property
    def scale_class(self) -> ScaleClass:
        match self.fn:
            case "mul" | "div":
                return constant_class(self.constants[0])
            case "rsub":
                return "sign"
            case "batch_norm":
                return "real"
            case _:
                return "one"

    @property
    def per_channel(self) -> bool:
        return any(c is not None and c.numel > 1 for c in self.constants)

    @property
    def has_bias(self) -> bool:
        return self.fn in ("add", "sub", "rsub", "batch_norm")

    @property
    def scale_constants(self) -> tuple[Constant | None, ...]:
        """Those that the scale is made of: the gain and the variance of a batch norm."""
        if self.fn == "batch_norm":
            weight, _, _, var = self.constants
            return weight, var
        return self.constants if self.fn in ("mul", "div") else ()

    @property
    def bias_constants(self) -> tuple[Constant | None, ...]:
        """Those that the bias is made of: the bias and the mean of a batch norm."""
        if self.fn == "batch_norm":
            _, bias, mean, _ = self.constants
            return bias, mean
        return self.constants if self.has_bias else ()

    @property
    def scale_tag(self) -> str:
        return "bn_scale" if self.fn == "batch_norm" else self.tag

    @property
    def bias_tag(self) -> str:
        return "bn_bias" if self.fn == "batch_norm" else self.tag


def along_channels(constant: Constant, geometry: Window | None) -> Constant:
    """A vector of output channels as it lies against the result of a sum: before the dimensions of a map, else last."""
    if geometry is None or not constant.shape:
        return constant
    return replace(constant, shape=(*constant.shape, *(1 for _ in geometry.kernel)))


def constant_class(constant: Constant | None) -> ScaleClass:
    """What multiplying by this constant takes."""
    if constant is None:
        return "one"
    if constant.literal is not None and abs(constant.literal) == 1.0:
        return "one" if constant.literal > 0 else "sign"
    domain = constant.domain
    if domain.kind == "pow2":
        return "one" if domain.scale == "one" and constant.literal is None and domain.evidence == "rule" else "pow2"
    if domain.kind == "binary01" and domain.scale == "one":  # a choice that is known offline
        return "one"
    if domain.kind in ("binary", "ternary") and domain.scale == "one":
        return "sign"
    if domain.kind in ("binary", "binary01", "ternary") and domain.scale == "pow2":
        return "pow2"
    return "real"


def chain_class(steps: Iterable[Step]) -> ScaleClass:
    """What one multiplication by the product of all scales takes."""
    return max((step.scale_class for step in steps), key=_ORDER.index, default="one")


def chain_per_channel(steps: Iterable[Step]) -> bool:
    return any(step.per_channel and step.scale_class != "one" for step in steps)


def scale_tags(steps: Iterable[Step]) -> str:
    return "+".join(dict.fromkeys(s.scale_tag for s in steps if s.scale_class != "one")) or "other"


def bias_tags(steps: Iterable[Step]) -> str:
    return "+".join(dict.fromkeys(s.bias_tag for s in steps if s.has_bias)) or "bias"


def scale_only(steps: Iterable[Step]) -> bool:
    return not any(step.has_bias for step in steps)


def stored_constants(steps: Sequence[Step]) -> Iterable[tuple[str, Constant]]:
    """What is stored for a chain: one scale and one bias, however many constants they come from."""
    scales = [c for s in steps if s.scale_class != "one" for c in s.scale_constants if c and c.literal is None]
    biases = [c for s in steps for c in s.bias_constants if c and c.literal is None]
    if scales:
        yield "scale", max(scales, key=lambda c: c.numel)
    if biases:
        yield "bias", max(biases, key=lambda c: c.numel)


def literal_constant(number: float) -> Constant:
    """A number that stands in the program, or that a rewrite brings."""
    return Constant(-1, (), classify_literal(float(number)), float(number))


def literal_step(number: float, tag: str = "const_mul") -> Step:
    """A multiplication by a number that a rewrite brings."""
    return Step("mul", (literal_constant(number),), tag)
