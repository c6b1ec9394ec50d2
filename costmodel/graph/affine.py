"""Per-channel scale and bias chains: what they are made of and what multiplying by them takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from costmodel.graph.domain import classify_literal
from costmodel.graph.operands import Constant, Window

#: What a multiplication by a scale takes: nothing, a change of sign, a shift, or a real multiplication.
ScaleClass = Literal["one", "sign", "pow2", "real"]
#: From what costs nothing to what costs most.
SCALE_CLASSES: tuple[ScaleClass, ...] = ("one", "sign", "pow2", "real")


@dataclass(frozen=True, slots=True)
class Laid:
    """A move of elements by the ATen function ``fn``, as :class:`~costmodel.graph.attrs.Move` has it.

    ``shape`` is that of its result, ``places`` the elements that are taken where it takes some.
    """

    fn: str
    arguments: tuple[Any, ...]
    output: int
    shape: tuple[int, ...]
    places: Constant | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A chain, and the shape of what it acts on."""

    steps: tuple[Step, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a chain, applied to ``x`` element by element.

    Those that are made of chains, the ``parts``: ``laid`` is a chain for each operand of a move, behind that move
    (:class:`Laid`) instead of in front of it; ``scale_of`` is the scale of a chain, ``bias_of`` its bias.

    Else ``fn`` is ``mul`` (x * c), ``div`` (x / c), ``add`` (x + c), ``sub`` (x - c), ``rsub`` (c - x) or
    ``batch_norm`` ((x - mean) / sqrt(var + eps) * weight + bias, constants in the order weight, bias, mean, var, None
    where absent).
    """

    fn: Literal["mul", "div", "add", "sub", "rsub", "batch_norm", "laid", "scale_of", "bias_of"]
    constants: tuple[Constant | None, ...]
    tag: str
    eps: float = 0.0
    parts: tuple[Part, ...] = ()
    laid: Laid | None = None

    @property
    def scale_class(self) -> ScaleClass:
        match self.fn:
            case "laid" | "scale_of":
                return chain_class(self._inner)
            case "mul" | "div":
                return constant_class(self.constants[0])
            case "rsub":
                return "sign"
            case "batch_norm":
                return "real"
            case _:
                return "one"

    @property
    def _inner(self) -> tuple[Step, ...]:
        return tuple(step for part in self.parts for step in part.steps)

    @property
    def per_channel(self) -> bool:
        if self.parts:
            return len(self.parts) > 1 or any(step.per_channel for step in self._inner)
        return any(c is not None and c.numel > 1 for c in self.constants)

    @property
    def has_bias(self) -> bool:
        if self.fn == "laid":
            return any(step.has_bias for step in self._inner)
        return self.fn in ("add", "sub", "rsub", "batch_norm", "bias_of")

    @property
    def scale_constants(self) -> tuple[Constant | None, ...]:
        """Those that the scale is made of: the gain and the variance of a batch norm."""
        if self.fn in ("laid", "scale_of"):
            return tuple(c for step in self._inner for c in step.scale_constants)
        if self.fn == "batch_norm":
            weight, _, _, var = self.constants
            return weight, var
        return self.constants if self.fn in ("mul", "div") else ()

    @property
    def bias_constants(self) -> tuple[Constant | None, ...]:
        """Those that the bias is made of: the bias and the mean of a batch norm."""
        if self.fn in ("laid", "bias_of"):
            return tuple(c for step in self._inner for c in step.bias_constants)
        if self.fn == "batch_norm":
            _, bias, mean, _ = self.constants
            return bias, mean
        return self.constants if self.has_bias else ()

    @property
    def scale_tag(self) -> str:
        if self.parts:
            return scale_tags(self._inner)
        return "bn_scale" if self.fn == "batch_norm" else self.tag

    @property
    def bias_tag(self) -> str:
        if self.parts:
            return bias_tags(self._inner)
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
    return max((step.scale_class for step in steps), key=SCALE_CLASSES.index, default="one")


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
