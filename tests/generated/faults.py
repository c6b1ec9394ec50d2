"""Rules that the tool does not follow yet: networks whose account depends on one of them are counted otherwise.

Each has a test in test_rules.py that must fail as long as it stands here: strike it out when that test passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.generated.networks import Network, draw

#: Rules of exact rewriting, and kinds that are known by structure alone.
COUNTED: dict[str, str] = {
    "signs of sums that are zero": "behind a clamp or tanh the zeros of a sum are taken for a third value",
    "threshold behind move": "a scale or bias stops at a view in front of a threshold",
    "threshold behind prelu": "a slope that is a power of two by its structure is not taken for a rising function",
    "threshold behind concatenation": "a scale or bias stops at a concatenation in front of a threshold",
    "real weights in front of a mean": "a scale behind a mean does not go back into the real weights in front of it",
    "several readers that each take it": "a chain that a threshold and real weights read is made for both",
    "a scale through a sum of signed numbers": "a scale per tensor stops in front of binary weights",
    "means that are flattened": "a scale or bias stops at the view of a map of one place",
}
#: Networks that cannot be executed, or give another result than PyTorch.
EXECUTED: tuple[str, ...] = ()


def sound(count: int, faults: tuple[str, ...] | dict[str, str] = COUNTED, first: int = 0) -> Iterator[Network]:
    """``count`` networks, from number ``first`` on, that depend on none of the faults."""
    seed = first
    while count:
        net = draw(seed)
        if not net.features & set(faults):
            count -= 1
            yield net
        seed += 1
