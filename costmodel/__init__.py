"""costmodel: what a binary neural network costs, in operations, in bits moved, and on hardware.

>>> import costmodel
>>> profile = costmodel.profile("abbnn")                     # or any nn.Module and its inputs
>>> profile.deployed.total("mul")
120206848
>>> profile.estimate("fpga").totals()

Every name below is imported when it is first used, so that ``import costmodel`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.api import build_model, list_models, profile
    from costmodel.errors import CostmodelError
    from costmodel.graph.vocabulary import Row
    from costmodel.ledger.ledger import Ledger, Profile
    from costmodel.targets import estimate, list_targets, load_target  # type: ignore[no-redef]
    from costmodel.targets.estimate import Estimate
    from costmodel.trace.custom import register_op

    __version__: str

#: public name -> module that defines it
_HOME = {
    "profile": "costmodel.api",
    "list_models": "costmodel.api",
    "build_model": "costmodel.api",
    "estimate": "costmodel.targets",
    "load_target": "costmodel.targets",
    "list_targets": "costmodel.targets",
    "CostmodelError": "costmodel.errors",
    "Ledger": "costmodel.ledger.ledger",
    "Profile": "costmodel.ledger.ledger",
    "Row": "costmodel.graph.vocabulary",
    "register_op": "costmodel.trace.custom",
    "Estimate": "costmodel.targets.estimate",
}

__all__ = [
    "CostmodelError",
    "Estimate",
    "Ledger",
    "Profile",
    "Row",
    "__version__",
    "build_model",
    "estimate",
    "list_models",
    "list_targets",
    "load_target",
    "profile",
    "register_op",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module 'costmodel' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "__version__"})


def _version() -> str:
    """Version of the installed package."""
    from importlib import metadata

    try:
        return metadata.version("costmodel")
    except metadata.PackageNotFoundError:  # imported from a source tree that was never installed
        return "0+unknown"
