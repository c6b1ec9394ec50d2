"""Exact counts of operations and of bits moved."""

from costmodel.ledger.ledger import (
    KINDS,
    TAGS,
    Caveat,
    Charge,
    Kind,
    Layer,
    Ledger,
    Level,
    Profile,
    Rewrite,
    Role,
    Traffic,
    Window,
)  # fmt: skip

__all__ = [
    "KINDS", "TAGS", "Caveat", "Charge", "Kind", "Layer", "Ledger", "Level", "Profile", "Rewrite", "Role", "Traffic",
    "Window",
]  # fmt: skip
