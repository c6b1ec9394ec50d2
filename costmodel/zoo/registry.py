"""The list of networks, without importing PyTorch: what each one is, where it is described, and how to build it.

>>> list_models("abbnn-*-cifar10")
['abbnn-bireal18-cifar10', ...]
>>> entry("abbnn").name
'abbnn-reactnet18'
>>> net = build("abbnn-reactnet18-cifar10", width=0.25)      # this imports torch
"""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Iterable
from functools import cache
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.zoo import catalog
from costmodel.zoo.entries import DATASETS, Dataset, Entry, Published

if TYPE_CHECKING:
    from torch import nn

__all__ = ["DATASETS", "Dataset", "Entry", "Published", "build", "entry", "for_dataset", "list_models", "matching"]


@cache
def _entries() -> dict[str, Entry]:
    table: dict[str, Entry] = {}
    for item in catalog.entries():
        if item.name in table:
            raise AssertionError(f"two networks are called {item.name}")
        table[item.name] = item
    return table


@cache
def _aliases() -> dict[str, str]:
    table: dict[str, str] = {}
    for item in _entries().values():
        for alias in item.aliases:
            if alias in table or alias in _entries():
                raise AssertionError(f"the alias {alias} is ambiguous")
            table[alias] = item.name
    return table


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern, in the order of the catalogue. An alias matches as the name it stands for."""
    names = [name for name in _entries() if fnmatch.fnmatchcase(name, pattern)]
    if not names and pattern in _aliases():
        return [_aliases()[pattern]]
    return names


def matching(patterns: Iterable[str]) -> list[str]:
    """Names that any of the names, aliases and shell patterns stands for, each once.

    Raises :class:`~costmodel.errors.CostmodelError` for one that stands for none.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        names = list_models(pattern) if any(sign in pattern for sign in "*?[") else [entry(pattern).name]
        if not names:
            raise CostmodelError(f"no network matches {pattern!r}. List all with: costmodel models")
        found.update(dict.fromkeys(names))
    return list(found)


def entry(name: str) -> Entry:
    """The network of this name or alias.

    Raises :class:`~costmodel.errors.UnknownNameError` with the closest names.
    """
    resolved = _aliases().get(name, name)
    if resolved not in _entries():
        raise UnknownNameError("network", name, [*_entries(), *_aliases()], "See all with: costmodel models")
    return _entries()[resolved]


def for_dataset(name: str, dataset: str) -> Entry:
    """The relative of a network that is made for ``dataset``: ``abbnn`` and ``cifar10`` give abbnn-reactnet18-cifar10.

    Raises :class:`~costmodel.errors.CostmodelError` when there is none.
    """
    start = entry(name)
    if start.dataset == dataset:
        return start
    relatives = [e for e in _entries().values() if e.family == start.family and e.dataset == dataset]
    same = [e for e in relatives if e.topology == start.topology and e.normaliser == start.normaliser]
    # The digits networks are one small topology that stands for all of a variant.
    small = [e for e in relatives if e.normaliser == start.normaliser] if dataset == "digits" else []
    for found in (*same, *small):
        return found
    made_for = sorted({e.dataset for e in _entries().values() if e.topology == start.topology})
    raise CostmodelError(
        f"{start.name} has no form for {dataset!r}; its topology is made for {', '.join(made_for)}. "
        f"See the networks for a data set with: costmodel models '*-{dataset}'"
    )


def build(name: str, **kwargs: Any) -> nn.Module:
    """Build a network with fresh random weights, in training mode. Imports torch.

    Keywords that every network takes: ``num_classes``, ``in_channels``. Those of the binary families as well:
    ``width`` (a factor on all channels), ``binary_weights`` (``False``: real weights, the first step of two-step
    training; ``stage=1`` and ``stage=2`` say the same), ``scale`` (``real``, ``pow2``, ``tied``), ``slope`` (``pow2``,
    ``fixed``, ``real``). Raises :class:`~costmodel.errors.CostmodelError` for a keyword or a value that the network
    does not know.
    """
    item = entry(name)
    module, function = item.builder.split(":")
    builder = getattr(importlib.import_module(module), function)
    options = dict(item.options)
    accepted = [p.name for p in signature(builder).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
    if "stage" in kwargs and "binary_weights" in accepted:
        stage = kwargs.pop("stage")
        if stage not in (1, 2):
            raise CostmodelError(f"stage={stage!r}: expected 1 (real weights) or 2 (binary weights)")
        kwargs.setdefault("binary_weights", stage == 2)
    for given in kwargs:
        if given not in accepted:
            import difflib

            close = difflib.get_close_matches(given, accepted, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise CostmodelError(f"{item.name} has no option {given!r}; it takes {', '.join(accepted)}.{hint}")
    for given in ("num_classes", "in_channels"):
        if given in kwargs and not (type(kwargs[given]) is int and 1 <= kwargs[given] < 2**31):
            raise CostmodelError(f"{item.name}: {given}={kwargs[given]!r}: expected a whole number, at least 1")
    net: nn.Module = builder(**{**options, **kwargs})
    return net
