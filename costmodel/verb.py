"""Packages that are verbs as well: ``costmodel.explore(space)`` explores, and ``costmodel.explore.space`` is a module.

An attribute of ``costmodel`` is set by whoever first imports the package of that name. So that the verb is there in
either case, the package itself can be called.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


class Verb(ModuleType):
    """A package that does what its function ``_verb``, written ``module:function``, does; that is imported when it is
    first called."""

    _verb: str

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The verb of this package; its signature and its help are those of the function."""
        return self._function()(*args, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function())

    def _function(self) -> Callable[..., Any]:
        module, _, name = self._verb.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function


def callable_package(package: str, verb: str) -> None:
    """Let ``package``, which is being imported, be called as ``verb``."""
    module = sys.modules[package]
    module.__class__ = Verb
    module._verb = verb  # type: ignore[attr-defined]
