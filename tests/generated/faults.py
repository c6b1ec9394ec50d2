"""Rules that the tool does not follow yet: networks whose account depends on one of them are counted otherwise.

Each has a test in test_rules.py that must fail as long as it stands here: strike it out when that test passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.generated.networks import Network, draw

#: Rules of exact rewriting, and kinds that are known by structure alone.
COUNTED: dict[str, str] = {}
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
