"""The ledgers of a space's networks, and how they travel to workers."""

from __future__ import annotations

from functools import lru_cache

from costmodel.explore.networks import Network
from costmodel.ledger.ledger import Ledger
from costmodel.ledger.scales import with_scale


def ledger_of(network: Network, level: str) -> Ledger:
    """The ledger of a network, from the store of profiles where it is there."""
    from costmodel import api

    found = api.answer(network.request).ledger(level)
    return found if network.scale == "exact" else with_scale(found, network.scale)


def encoded(ledger: Ledger) -> bytes:
    """A ledger as it is sent to whoever prices it, and as its digest is taken."""
    import zlib

    import msgspec

    return zlib.compress(msgspec.json.encode(ledger), 1)


@lru_cache(maxsize=16)
def decoded(data: bytes) -> Ledger:
    import zlib

    import msgspec

    return msgspec.json.decode(zlib.decompress(data), type=Ledger)
