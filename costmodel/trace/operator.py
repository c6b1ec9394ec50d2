"""Operators as torch declares them, and the arguments of a call in one canonical form.

However a call is written (by position, by keyword, with defaults left out), its arguments are one mapping from the
names of the declaration to values, in the order of the declaration and complete. Names that mean one thing have one
spelling: the first operand is ``x``, the second factor of a product ``mat2``, what is written somewhere ``src``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

#: Names of one thing in different declarations.
_ONE_NAME = {"self": "x", "input": "x", "vec": "mat2", "tensor": "mat2", "batch1": "mat1", "batch2": "mat2",
             "source": "src"}  # fmt: skip
#: Operations whose result is their first argument.
_IDENTITIES = frozenset({"detach", "clone", "alias", "lift_fresh", "lift_fresh_copy", "contiguous", "positive", "lift"})
#: Operations whose result depends on the shape of their argument alone.
_SHAPE_ONLY = frozenset({"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full",
                         "new_empty", "new_empty_strided"})  # fmt: skip
#: Operations that leave nothing of what their first argument held.
_OVERWRITES = frozenset({"copy", "fill", "zero"})
#: Operations of which how many results there are, or what Python goes on with, depends on values.
_DATA_DEPENDENT = frozenset({"_local_scalar_dense", "index", "nonzero", "masked_select", "_unique2", "unique_dim",
                             "unique_consecutive"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operator:
    """One overload of an operation.

    ``name`` is that of the overload (``aten.add.Tensor``), ``packet`` without it (``aten.add``) and ``fn`` alone
    (``add``), all without the underscore of work in place: where a result is written does not matter to what it is.
    ``names`` are those of all declared arguments, ``kept`` those that say what is computed; ``defaults`` belong to
    them.
    """

    name: str
    packet: str
    fn: str
    names: tuple[str, ...] = ("x",)
    kept: tuple[str, ...] = ("x",)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    mutates: bool = False
    identity: bool = False
    composite: bool = False
    shape_only: bool = False
    data_dependent: bool = False
    overwrites: bool = False
    random: bool = False

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call, all of them, by name and in the declared order; where a result goes is left out."""
        given = dict(zip(self.names, args, strict=False))
        given.update((_ONE_NAME.get(name, name), value) for name, value in kwargs.items())
        return {name: given[name] if name in given else self.defaults[name] for name in self.kept}


#: What the recorder adds of its own: another name for known memory, and a write through another view of it.
ALIAS = Operator("costmodel.alias", "costmodel.alias", "alias", identity=True)
ALIAS_WRITE = Operator("costmodel.alias_write", "costmodel.alias_write", "alias_write", ("x", "src"), ("x", "src"))


@functools.cache
def operator(func: Any) -> Operator:
    """The operator of a ``torch._ops.OpOverload``."""
    namespace, written, overload = str(func).split(".", 2)
    fn = written.rstrip("_") if written.endswith("_") and not written.startswith("_") else written
    declared = func._schema.arguments
    names = tuple(_ONE_NAME.get(a.name, a.name) for a in declared)
    defaults = {_ONE_NAME.get(a.name, a.name): _frozen(a.default_value) for a in declared if a.has_default_value()}
    aten = namespace == "aten"
    return Operator(
        f"{namespace}.{fn}.{overload}", f"{namespace}.{fn}", fn, names,
        tuple(name for name, a in zip(names, declared, strict=True) if not a.is_out), defaults,
        mutates=bool(func._schema.is_mutable), identity=aten and fn in _IDENTITIES,
        composite=torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), torch._C.DispatchKey.CompositeImplicitAutograd
        ),
        shape_only=aten and fn in _SHAPE_ONLY, data_dependent=aten and fn in _DATA_DEPENDENT,
        overwrites=aten and fn in _OVERWRITES,
        # attention would be, had it dropout
        random=torch.Tag.nondeterministic_seeded in func.tags and "dropout_p" not in names,
    )  # fmt: skip


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value
