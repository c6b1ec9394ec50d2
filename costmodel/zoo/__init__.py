"""The networks: one family of binary networks with axes, FINN's, the Larq zoo's, and real-valued references.

Only :mod:`~costmodel.zoo.registry` is imported here; the builders, and with them torch, when a network is built.
"""

from costmodel.zoo.registry import Entry, Published, build, entry, for_dataset, list_models

__all__ = ["Entry", "Published", "build", "entry", "for_dataset", "list_models"]
