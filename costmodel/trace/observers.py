"""Rules of what training code binarises and quantises with: ``copysign`` and the fused quantisers of ``torch.ao``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.graph.attrs import Choose, Compare
from costmodel.graph.domain import BINARY, BINARY01, FLOAT_BITS
from costmodel.graph.operands import In
from costmodel.graph.vocabulary import Row
from costmodel.trace.arguments import numel
from costmodel.trace.elementwise import fake_quantize
from costmodel.trace.lowering import Lowering
from costmodel.trace.reductions import stated
from costmodel.trace.rules import UncoveredError, counts
from costmodel.trace.values import Value


@counts("_fused_moving_avg_obs_fq_helper")
def observed_quantize(
    state: Lowering, value: Value, x: Any, observer_on: Any, fake_quant_on: Any, scale: Any, zero_point: Any,
    quant_min: int, quant_max: int, ch_axis: int, **ranges: Any,
) -> None:  # fmt: skip
    """What ``torch.ao`` trains with; the ranges that it follows in training are no work of inference."""
    if _is_on(state, observer_on):
        raise UncoveredError("it still observes its ranges: switch observers off for inference")
    if not _is_on(state, fake_quant_on):
        raise UncoveredError("its quantisation is switched off")
    fake_quantize(state, value, x, scale, zero_point, quant_min, quant_max, ch_axis)


def _is_on(state: Lowering, argument: Any) -> bool:
    known = state.known.values(argument)
    return known is None or bool(max(known))


@counts("copysign")
def copysign(state: Lowering, value: Value, x: Any, other: Any) -> None:
    # the sign of the second operand on the magnitude of the first; of one number alone it is a choice of two
    magnitude, sign = state.known.values(x), state.operand(other)
    if isinstance(sign, int) and magnitude is not None and len(magnitude) == 1:
        size = abs(next(iter(magnitude)))
        above = state.emit(
            value, "compare", (sign,), attrs=Compare("ge", (In(0), 0.0), bound=0.0), domain=BINARY01,
            tags=("binarize",),
        )  # fmt: skip
        domain = replace(BINARY, scale="one" if size == 1 else "real", evidence="rule")
        state.emit(
            value, "where", (above,), attrs=Choose("where", (In(0), size, -size)), domain=domain, tags=("other",)
        )
    else:
        stated(state, value, Row("signflip", "other", numel(value.shape), FLOAT_BITS, 1))
