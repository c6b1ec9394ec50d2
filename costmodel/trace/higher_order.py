"""Operators that take functions: control flow and flexible attention run in parts that are recorded one by one.

PyTorch hands such an operator to a dispatch mode whole, and refuses where the mode has no rule for it. Those below are
followed as the program runs them; any other is run as it is, and is one operation without a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from costmodel.trace.recorder import Recorder

_FOLLOWED: dict[str, Callable[..., Any]] = {}


def _follows(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _FOLLOWED.update(dict.fromkeys(names, function))
        return function

    return register


def follow_higher_order() -> None:
    """Give the recorder a rule for every operator of this kind that PyTorch has loaded."""
    for name, operator in list(getattr(torch._ops, "_higher_order_ops", {}).items()):
        table = getattr(operator, "python_key_table", None)
        if table is None or Recorder in table:
            continue
        followed = _FOLLOWED.get(name)
        operator.py_impl(Recorder)(_recorded(followed) if followed is not None else _whole(operator))


def _recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(mode: Recorder, *args: Any, **kwargs: Any) -> Any:
        with mode:
            return function(*args, **kwargs)

    return run


def _whole(operator: Any) -> Callable[..., Any]:
    def run(mode: Recorder, *args: Any, **kwargs: Any) -> Any:
        made = operator(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        mode.add_whole(str(operator), tensors, [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)])
        return made

    return run


@_follows("cond")
def _cond(predicate: Any, yes: Callable[..., Any], no: Callable[..., Any], operands: Any = ()) -> Any:
    return (yes if bool(predicate) else no)(*operands)


@_follows("while_loop")
def _while(condition: Callable[..., Any], body: Callable[..., Any], carried: Any, more: Any = ()) -> Any:
    while bool(condition(*carried, *more)):
        made = body(*carried, *more)
        carried = tuple(made) if isinstance(made, (tuple, list)) else (made,)
    return carried


@_follows("scan")
def _scan(combine: Callable[..., Any], first: Any, inputs: Any, more: Any = ()) -> Any:
    """``combine(*carried, *one of each input, *more)`` returns what is carried and what is gathered, in one list."""
    carried, gathered = list(first), []
    for step in range(inputs[0].shape[0]):
        made = combine(*carried, *(x[step] for x in inputs), *more)
        carried, rest = list(made[: len(carried)]), made[len(carried) :]
        gathered.append(rest)
    return [*carried, *(torch.stack(column) for column in zip(*gathered, strict=True))]


@_follows("associative_scan")
def _associative_scan(combine: Callable[..., Any], inputs: Any, more: Any = ()) -> Any:
    results = [[x[0] for x in inputs]]
    for step in range(1, inputs[0].shape[0]):
        results.append(list(combine(*results[-1], *(x[step] for x in inputs), *more)))
    return [torch.stack(column) for column in zip(*results, strict=True)]


@_follows("map_impl")
def _map(function: Callable[..., Any], inputs: Any, more: Any = ()) -> Any:
    results = [function(*(x[step] for x in inputs), *more) for step in range(inputs[0].shape[0])]
    return [torch.stack(column) for column in zip(*results, strict=True)]


@_follows("flex_attention")
def _flex_attention(*args: Any, **kwargs: Any) -> Any:
    from torch._higher_order_ops.flex_attention import sdpa_dense

    return sdpa_dense(*args, **kwargs)


@_follows("wrap", "tag_activation_checkpoint", "wrap_activation_checkpoint")
def _wrap(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args)
