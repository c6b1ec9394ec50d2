"""Record what a model executes: every tensor operation below autograd, as a list of values in execution order.

The model runs for real, once, on a private copy. Seeing real values is what lets operand kinds be read from evidence
(an operand with exactly two values is binary, however it was computed); running below autograd is what lets custom
``autograd.Function``s, parametrizations and hand-written straight-through estimators be seen through.

What depends on the input is not computed where rules decide its kind (:mod:`costmodel.trace.hollow`): a run for kinds
takes what the offline work on parameters takes. Where a rule is missing, the run is made again with values. Then a
convolution is computed on a crop of its input and tiled to full size: the values are genuine, only their places are
not, and nothing but their kind is ever used. Of every value only a small strided sample is kept; weights that a sample
takes for quantised are looked at in full.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from costmodel.graph.vocabulary import Caveat
from costmodel.trace.batch import batch_of_its_own
from costmodel.trace.calls import calls
from costmodel.trace.late import LateNumber, value_of
from costmodel.trace.recorder import LateNumberError, Look, Recorder
from costmodel.trace.surroundings import backends, escapes, scopes
from costmodel.trace.values import Recording, Value


def record(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    keep_values: bool = False,
    look: Look = "crops",
    late: bool = False,
) -> Recording:
    """Run ``model(*args, **kwargs)`` once and record it. The model may be changed by its own code; pass a copy.

    With ``late`` a number that Python takes counts as read where it looks at it: see :mod:`costmodel.trace.late`.
    """
    modules = list(model.named_modules())
    module_paths: dict[int, str] = {}
    for path, module in modules:
        module_paths.setdefault(id(module), path)
    stored = [*model.named_parameters(), *model.named_buffers()]
    tensor_paths = {id(t): path for path, t in stored}
    shapes_alone = any(t.device.type == "meta" for _, t in stored)
    recorder = Recorder(tensor_paths, keep_values, look, shapes_alone, late)
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(backends(model))
        # Parameters are leaves from the start, so that ``.data`` swaps can be told from unknown tensors.
        for _, tensor in stored:
            recorder.add_leaf(tensor, "param", tensor_paths[id(tensor)])
        for index, leaf in enumerate(tensors_in((args, dict(kwargs)))):
            recorder.add_leaf(leaf, "input", f"input{index}")
        called = stack.enter_context(scopes(recorder, module_paths))
        stack.enter_context(escapes(recorder))
        stack.enter_context(calls(recorder))
        stack.enter_context(recorder)
        stack.enter_context(torch._C._EnableTorchFunction())
        result = _result(recorder, model, args, kwargs)
    if recorder.ended is not None:  # the model's own code has caught it
        raise recorder.ended
    returned = [recorder.lookup(t) for t in tensors_in(result)]
    if not returned and not recorder.escaped:
        returned = _unread(recorder)
    # What Python read, to branch on it or to compute with it, is needed as much as what is returned.
    outputs = (*returned, *(i for i in dict.fromkeys(recorder.escaped) if i not in returned))
    recorder.require_unseen(outputs)
    recorder.over = True
    several = batch_of_its_own(recorder.values, recorder.online, returned)
    if several is not None:
        recorder.caveats.insert(0, several)
    recorder.caveats.extend(_idle_modules(modules, called, recorder.values))
    recurrent = (module_paths[id(m)] for _, m in modules if isinstance(m, (nn.RNNBase, nn.RNNCellBase)))
    if shapes_alone:
        message = "counted from shapes alone: weights that no rule makes binary or puts on a grid are real numbers"
        recorder.caveats.append(Caveat("note", "", message))
    return Recording(recorder.values, outputs, recorder.caveats, recorder.kept, shapes_alone, frozenset(recurrent))


def _result(recorder: Recorder, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    try:
        return model(*args, **kwargs)
    except Exception as error:
        if recorder.took_late:  # what is no number may be what failed
            raise LateNumberError from error
        raise


def tensors_in(structure: Any) -> Iterator[Tensor]:
    """Every tensor in nested containers, mappings, dataclasses and plain objects, in order."""
    return _walk(structure, set())


def _walk(item: Any, seen: set[int]) -> Iterator[Tensor]:
    for leaf in tree_flatten(item)[0]:
        if isinstance(leaf, Tensor):
            yield leaf
            continue
        if type(leaf) is LateNumber:  # a number that is returned is read
            value_of(leaf)
            continue
        if id(leaf) in seen or leaf is None or isinstance(leaf, (str, bytes, int, float, type, nn.Module)):
            continue
        seen.add(id(leaf))
        if isinstance(leaf, Mapping):
            parts = list(leaf.values())
        elif isinstance(leaf, (list, tuple, set, frozenset)):  # subclasses that pytree does not know
            parts = list(leaf)
        elif dataclasses.is_dataclass(leaf):
            parts = [getattr(leaf, field.name, None) for field in dataclasses.fields(leaf)]
        else:
            parts = list(getattr(leaf, "__dict__", {}).values())
        if parts:
            yield from _walk(parts, seen)


def _unread(recorder: Recorder) -> list[int]:
    """The results that no operation reads: what a model that returns no tensor was run for."""
    read = {i for value in recorder.values for i in value.inputs}
    ends = [v.id for v in recorder.values if not v.leaf and recorder.online[v.id] and v.id not in read]
    if ends:
        message = "the network returns no tensor; every result that no operation reads is taken for an output"
        recorder.caveats.append(Caveat("note", "", message))
    return ends


def _idle_modules(modules: list[tuple[str, nn.Module]], called: set[str], values: list[Value]) -> list[Caveat]:
    """Modules that hold parameters of which none was read: layers that the network does not use."""
    read = {values[i].path for value in values for i in value.inputs}
    idle = []
    for path, module in modules:
        own = [f"{path}.{name}".lstrip(".") for name, tensor in module._parameters.items() if tensor is not None]
        if own and path not in called and not read.intersection(own):
            idle.append(Caveat("uncalled", path, f"{path} holds parameters that this input does not use"))
    return idle
