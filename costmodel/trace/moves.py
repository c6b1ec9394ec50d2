"""Operators that only rename, reorder or copy elements, by the operation that they become."""

from __future__ import annotations

from typing import Any

from costmodel.graph.attrs import Compare, Move, Round
from costmodel.graph.operands import Constant, In
from costmodel.trace.arguments import operands_of, plain
from costmodel.trace.lowering import Lowering
from costmodel.trace.values import Ref, Value

_BY_OP: dict[str, tuple[str, ...]] = {
    "view": ("view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "flatten", "view_as", "view_as_real",
             "view_as_complex", "_reshape_alias", "resize", "unflatten"),
    "permute": ("permute", "transpose", "t", "movedim", "flip", "roll", "pixel_shuffle", "pixel_unshuffle",
                "channel_shuffle", "native_channel_shuffle", "swapaxes"),
    "slice": ("slice", "select", "split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes",
              "unsafe_chunk", "chunk", "narrow", "unbind", "unfold", "im2col", "as_strided", "diagonal", "tril", "triu",
              "slice_scatter", "select_scatter", "diagonal_scatter", "as_strided_scatter"),
    "expand": ("expand", "expand_as", "repeat", "broadcast_to", "repeat_interleave", "upsample_nearest1d",
               "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
               "_upsample_nearest_exact3d"),
    "concat": ("cat", "concat"),
    "stack": ("stack",),
    "pad": ("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
            "replication_pad2d", "replication_pad3d"),
    "cast": ("_to_copy", "copy", "clone", "contiguous", "detach", "lift_fresh"),
}  # fmt: skip

#: Operator -> operation.
MOVES: dict[str, str] = {f"aten.{name}": op for op, names in _BY_OP.items() for name in names}
MOVES |= {"costmodel.alias_write": "alias_write", "costmodel.alias": "view"}


def move(state: Lowering, value: Value, op: str) -> None:
    """Emit ``value`` as an operation that only renames, reorders or copies elements."""
    if op == "cast" and _to_integers(state, value):
        return
    inputs: list[int] = []
    consts: dict[str, Constant] = {}
    for index, number in enumerate(value.inputs):
        operand = state.operand(Ref(number))
        if isinstance(operand, int):
            inputs.append(operand)
        elif isinstance(operand, Constant):
            consts[f"const{index}"] = operand
    # Zeros around a ±1 map are skipped by the sum that reads it, as a convolution's own padding is.
    padded = (op == "pad" or value.fn == "im2col") and inputs and state.domain_of(inputs[0]).kind == "binary"
    operands: tuple[Any, ...] = ()
    if consts and op in ("concat", "stack"):
        operands = operands_of(state, value)
        inputs = list(dict.fromkeys(inputs))
    fill = float(value.args["value"]) if value.fn == "constant_pad_nd" else None
    attrs = Move(value.fn, plain(tuple(value.args.values())), value.output, operands, fill)
    state.emit(value, op, tuple(inputs), consts=consts, attrs=attrs,
               domain=state.domain_of(inputs[0]) if padded else None)  # fmt: skip


def _to_integers(state: Lowering, value: Value) -> bool:
    """A real number that becomes an integer or a truth value is rounded or compared."""
    if not value.inputs or value.tensor_dtype.is_floating_point or value.tensor_dtype.is_complex:
        return False
    source = state.operand(Ref(value.inputs[-1]))
    if not isinstance(source, int) or not state.domain_of(source).is_float:
        return False
    if str(value.tensor_dtype) == "torch.bool":
        attrs = Compare("ne", (In(0), 0.0), bound=0.0)
        state.emit(value, "compare", (source,), attrs=attrs, tags=("binarize",))
    else:
        state.emit(value, "round", (source,), attrs=Round("trunc"), tags=("quantize",))
    return True
