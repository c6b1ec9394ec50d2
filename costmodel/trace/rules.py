"""Which rule counts which operator, and whether a rule covers a call.

A rule is a function of the state, the recorded value and those arguments of the operator that decide what is computed,
by the names of :mod:`costmodel.trace.operator`. What a rule does not name must have its default, or say nothing of
what is computed; else the call is not covered, and its results are counted as unknown work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from costmodel.trace.values import Value

#: Arguments that say where and in which type a result is stored, or by which kernel it is made.
STORAGE = frozenset(
    {"dtype", "out_dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking", "keepdim",
     "half_to_float", "benchmark", "deterministic", "cudnn_enabled", "allow_tf32", "momentum", "unsafe", "sparse",
     "sparse_grad", "scale_grad_by_freq", "padding_idx", "compute_mode"}
)  # fmt: skip

Handler = Callable[..., None]


class UncoveredError(Exception):
    """A form of an operation that its rule does not cover; the message says which."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``function`` is called with the arguments that it ``reads``, by name; those in ``needs`` have no default."""

    function: Handler
    reads: frozenset[str]
    needs: frozenset[str]
    reads_all: bool

    def arguments(self, value: Value) -> dict[str, Any]:
        """The arguments of a call. Raises :class:`UncoveredError` for one that the rule would leave out of account."""
        if self.reads_all:
            return dict(value.args)
        for name, given in value.args.items():
            if name not in self.reads and name not in STORAGE and given != value.operator.defaults.get(name, _MISSING):
                raise UncoveredError(f"its rule does not cover {_named(name)}")
        missing = self.needs.difference(value.args)
        if missing:
            raise UncoveredError(f"its rule needs {', '.join(map(_named, sorted(missing)))}")
        return {name: value.args[name] for name in value.args if name in self.reads}


_MISSING = object()
RULES: dict[str, Rule] = {}


def rule_of(function: Handler) -> Rule:
    """The rule that a function is: what it reads are its parameters behind the state and the value."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    named = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    needs = frozenset(p.name for p in named if p.default is p.empty)
    return Rule(function, frozenset(p.name for p in named), needs, len(named) < len(parameters))


def counts(*names: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the rule of these ATen functions."""

    def register(function: Handler) -> Handler:
        rule = rule_of(function)
        for name in names:
            assert f"aten.{name}" not in RULES, name
            RULES[f"aten.{name}"] = rule
        return function

    return register


def _named(name: str) -> str:
    return "the form of its first operand" if name == "x" else name
