"""Functions of which every result is an element of an operand, by their ATen names: what kind it is of follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Functions whose results are elements of their first operand (next to padding, which is no value of its own).
SAME = frozenset(
    {"_to_copy", "clone", "contiguous", "view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "permute",
     "transpose", "t", "expand", "slice", "select", "max_pool2d_with_indices", "max_pool2d", "detach", "flatten",
     "split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "chunk", "unbind",
     "_reshape_alias", "repeat",
     "unfold", "flip", "roll", "alias", "lift_fresh", "view_as", "resize", "unflatten", "movedim", "swapaxes",
     "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "narrow", "as_strided",
     "diagonal", "expand_as", "broadcast_to", "repeat_interleave", "upsample_nearest1d", "upsample_nearest2d",
     "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
     "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d", "replication_pad2d",
     "replication_pad3d", "index", "index_select", "gather", "take", "amax", "amin", "im2col",
     "adaptive_max_pool2d", "adaptive_max_pool3d", "max_pool3d_with_indices", "mkldnn_max_pool2d", "masked_select"}
)  # fmt: skip
#: Of these, those that have several results, all of them elements.
PARTS = frozenset({"split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "chunk",
                   "unbind"})  # fmt: skip
#: Memory that nothing was written into: it holds no value.
UNWRITTEN = frozenset({"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"})
#: Functions whose results are elements of several operands, by the names of these.
JOINS: dict[str, tuple[str, ...]] = {
    "where": ("x", "other"), "masked_fill": ("x", "value"), "maximum": ("x", "other"), "minimum": ("x", "other"),
    "cat": ("tensors",), "concat": ("tensors",), "stack": ("tensors",), "alias_write": ("x", "src"),
    "slice_scatter": ("x", "src"), "select_scatter": ("x", "src"), "diagonal_scatter": ("x", "src"),
    "as_strided_scatter": ("x", "src"), "masked_scatter": ("x", "src"), "index_copy": ("x", "src"),
}  # fmt: skip


def parts_of(name: str, args: Mapping[str, Any]) -> Sequence[Any]:
    """The operands that the elements of a join come from."""
    parts = [args[part] for part in JOINS[name] if part in args]
    return [each for part in parts for each in (part if isinstance(part, (tuple, list)) else (part,))]
