"""The words of an account: kinds of operations, why one is there, what was rewritten, what could not be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal[
    "mul", "add", "compare", "xnor", "and", "popcount", "shift_const", "shift_channel", "shift_var",
    "signflip", "lut", "special", "unknown",
]  # fmt: skip

KINDS: tuple[Kind, ...] = (
    "mul", "add", "compare", "xnor", "and", "popcount", "shift_const", "shift_channel", "shift_var",
    "signflip", "lut", "special", "unknown",
)  # fmt: skip

#: Why an operation is there. A chain that was merged keeps all its tags, joined by "+".
TAGS: tuple[str, ...] = (
    "stem_conv", "fp_conv", "fp_linear", "matmul", "binary_conv", "binary_linear", "weight_scale", "act_scale",
    "bn_scale", "bn_bias", "const_mul", "prelu", "relu", "clamp", "avgpool", "gap", "maxpool", "residual", "bias",
    "binarize", "quantize", "gate", "activation", "normalize", "resample", "other",
)  # fmt: skip

#: Quantisers of up to this many bits become comparisons where a network is deployed; and the most that can be asked.
THRESHOLD_BITS, MOST_THRESHOLD_BITS = 4, 8

#: Heads of columns, short enough for all kinds of one network to stand side by side.
HEADS: Mapping[str, str] = {
    "compare": "cmp", "popcount": "popc", "shift_const": "shift", "shift_channel": "shift/ch",
    "shift_var": "shift/var", "signflip": "±add", "unknown": "UNKNOWN",
}  # fmt: skip


class Row(NamedTuple):
    """``number`` operations of one kind that a node costs: ``bits_a`` by ``bits_b``, accumulated in ``bits_acc``."""

    kind: Kind
    tag: str
    number: int
    bits_a: int
    bits_b: int
    bits_acc: int = 0


@dataclass(frozen=True, slots=True)
class Called:
    """The function of PyTorch, called by the program, that an operation is a part of, and ``number`` of that call.

    ``products`` is what numpy counts for an einsum. Only functions that some convention counts as a whole are named.
    """

    function: str
    number: int
    products: int | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One exact transformation at one place: the operations it removed (positive) or added (negative), and why."""

    name: str
    module: str
    removed: tuple[tuple[Kind, int], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something that the tracer could not see through; never silent."""

    kind: Literal[
        "unknown_op", "registered", "foreign", "branch", "alias_write", "uncalled", "data_swap", "nondeterministic",
        "batch", "note",
    ]  # fmt: skip
    module: str
    message: str
