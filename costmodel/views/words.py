"""Names of the account in words."""

from __future__ import annotations

from costmodel.ledger.ledger import LEVELS, Level, Profile

#: Why a multiplication is there, in words.
TAG_WORDS = {
    "stem_conv": "stem convolution", "fp_conv": "real convolutions", "fp_linear": "classifier",
    "matmul": "matrix product",
    "weight_scale": "scale of binary weights", "act_scale": "scale of activations", "bn_scale": "batch norm",
    "const_mul": "scale by a constant", "prelu": "PReLU", "avgpool": "average pooling", "gap": "global average pooling",
    "gate": "gate", "normalize": "normalisation", "activation": "activation function",
}  # fmt: skip


def words(tag: str) -> str:
    """A tag in words; a merged chain says all that went into it."""
    parts = [TAG_WORDS.get(part, part) for part in tag.split("+")]
    return parts[0] if len(parts) == 1 else " and ".join(parts) + ", one multiplication"


def title(profile: Profile, level: Level) -> str:
    shapes = ", ".join("×".join(map(str, s)) for s in profile.input_shapes)
    return f"{profile.network}   input {shapes}   {profile.parameters:,} parameters   {LEVELS[level]}"
