"""From an unmodified ``nn.Module`` to its graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import nn

    from costmodel.graph.node import Graph

__all__ = ["trace"]


def trace(
    model: nn.Module, inputs: Any, *, name: str = "", trained: bool = False, seed: int = 0, values: bool = False
) -> Graph:
    """The graph of ``model`` run in eval mode on ``inputs``.

    ``inputs`` is a tensor, a tuple of positional arguments, a dictionary of keyword arguments, or a tuple of these two.
    The model is copied and stays as it is. Parameters of the copy are perturbed away from degenerate initial values,
    unless ``trained`` says that they mean what they hold. With ``values`` the graph keeps the constants' tensors,
    unperturbed and computed in full.

    Raises :class:`CostmodelError` for parameters that are no numbers, and whatever the model's own code raises.
    """
    import torch

    while type(model).__name__ in ("DataParallel", "DistributedDataParallel"):
        model = cast("nn.Module", model.module)
    # What watches the calls of torch watches those of the model, which are recorded with the watching switched on.
    with torch._C.DisableTorchFunction():
        return _traced(model, inputs, name or type(model).__name__, trained, seed, values)


def _traced(model: nn.Module, inputs: Any, network: str, trained: bool, seed: int, values: bool) -> Graph:
    from costmodel.errors import CostmodelError
    from costmodel.trace.finite import require_numbers
    from costmodel.trace.hollow import UnseenError
    from costmodel.trace.lower import lower
    from costmodel.trace.path import recorded
    from costmodel.trace.simplify import simplify

    require_numbers(model)
    try:
        recording, parameters = recorded(model, inputs, trained=trained, seed=seed, look="kinds")
        graph = lower(simplify(recording), network, parameters)
    except UnseenError:  # a kind that no rule decides
        recording, parameters = recorded(model, inputs, trained=trained, seed=seed)
        graph = lower(simplify(recording), network, parameters)
    if values and recording.shapes_alone:
        raise CostmodelError("a network on the meta device has no weights to deploy: build it on the CPU")
    if values:
        exact, _ = recorded(model, inputs, trained=True, seed=seed, keep_values=True)
        _same_program(recording, exact)
        graph = replace(graph, values={**exact.kept, **graph.values})
    return graph


def _same_program(a: Any, b: Any) -> None:
    from costmodel.errors import CostmodelError

    if a.program != b.program:
        raise CostmodelError(
            "the network runs different operations for different parameter values, so its constants cannot be matched "
            "to its graph. Pass trained=True (--trained) to trace it with its own values."
        )
