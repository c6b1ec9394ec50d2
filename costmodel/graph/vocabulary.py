"""The words of an account: kinds of operations, and why an operation is there."""

from __future__ import annotations

from typing import Literal

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
