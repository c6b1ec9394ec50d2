"""costmodel: what a binary neural network costs, in operations, in bits moved, and on hardware.

>>> import costmodel
>>> profile = costmodel.profile("abbnn")                     # or any nn.Module and its inputs
>>> profile.deployed.total("mul")
120206848
>>> profile.estimate("fpga").to_frame()                       # metric, unit, value, low, high
>>> costmodel.compare("abbnn", "reactnet18", targets="arm")   # and explore, fold, deploy, validate, report

Every name below is imported when it is first used, so that ``import costmodel`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.api import build_model, compare, list_models, profile
    from costmodel.errors import CostmodelError
    from costmodel.explore.front import Front
    from costmodel.explore.verbs import explore, fold
    from costmodel.graph.vocabulary import Row
    from costmodel.ledger.ledger import Ledger, Profile
    from costmodel.reports.verb import report
    from costmodel.targets import estimate, list_targets, load_target, totals  # type: ignore[no-redef]
    from costmodel.targets.comparison import Comparison
    from costmodel.targets.estimate import Estimate
    from costmodel.trace.custom import register_op
    from costmodel.trial import deploy
    from costmodel.validate.run import validate

    __version__: str

#: public name -> module that defines it; a package of the same name is the verb itself (:mod:`costmodel.verb`)
_HOME = {
    "profile": "costmodel.api",
    "compare": "costmodel.api",
    "estimate": "costmodel.targets",
    "totals": "costmodel.targets",
    "explore": "costmodel.explore",
    "fold": "costmodel.explore.verbs",
    "deploy": "costmodel.deploy",
    "validate": "costmodel.validate",
    "report": "costmodel.reports.verb",
    "list_models": "costmodel.api",
    "build_model": "costmodel.api",
    "list_targets": "costmodel.targets",
    "load_target": "costmodel.targets",
    "register_op": "costmodel.trace.custom",
    "CostmodelError": "costmodel.errors",
    "Comparison": "costmodel.targets.comparison",
    "Estimate": "costmodel.targets.estimate",
    "Front": "costmodel.explore.front",
    "Ledger": "costmodel.ledger.ledger",
    "Profile": "costmodel.ledger.ledger",
    "Row": "costmodel.graph.vocabulary",
}

__all__ = [
    "Comparison",
    "CostmodelError",
    "Estimate",
    "Front",
    "Ledger",
    "Profile",
    "Row",
    "__version__",
    "build_model",
    "compare",
    "deploy",
    "estimate",
    "explore",
    "fold",
    "list_models",
    "list_targets",
    "load_target",
    "profile",
    "register_op",
    "report",
    "totals",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module 'costmodel' has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    value = home if home.__name__ == f"costmodel.{name}" else getattr(home, name)
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
