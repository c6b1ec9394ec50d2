"""Rules of normalisation: by statistics that are known offline, or by those of the input itself."""

from __future__ import annotations

from typing import Any

from costmodel.graph.affine import Step
from costmodel.graph.attrs import Norm, Softmax
from costmodel.graph.domain import FLOAT
from costmodel.trace.arguments import node_of, numel
from costmodel.trace.lowering import Lowering
from costmodel.trace.rules import UncoveredError, counts
from costmodel.trace.values import Ref, Value


@counts("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit",
        "_batch_norm_no_update")  # fmt: skip
def batch_norm(
    state: Lowering, value: Value, x: Any, weight: Any, bias: Any, eps: float, running_mean: Any = None,
    running_var: Any = None, training: bool = False,
) -> None:  # fmt: skip
    # y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]
    if value.output:  # the saved statistics
        raise UncoveredError("statistics of a batch norm are used at inference")
    if training or running_mean is None or state.is_online(running_mean) or not state.is_online(x):
        groups = value.shape[1] if len(value.shape) > 1 else 1
        _norm(state, value, x, weight, bias, eps, groups, running_mean, running_var)
        return
    constants = tuple(state.constant(c, look=False) for c in (weight, bias, running_mean, running_var))
    source = node_of(state, x)
    state.affine(value, source, Step("batch_norm", constants, "bn_scale", eps), domain=FLOAT)


@counts("native_layer_norm", "_fused_rms_norm")
def layer_norm(
    state: Lowering, value: Value, x: Any, normalized_shape: tuple[int, ...], weight: Any, eps: float | None,
    bias: Any = None,
) -> None:  # fmt: skip
    groups = numel(value.shape[: len(value.shape) - len(normalized_shape)])
    _norm(state, value, x, weight, bias, eps or 0.0, groups)


@counts("native_group_norm")
def group_norm(
    state: Lowering, value: Value, x: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> None:
    _norm(state, value, x, weight, bias, eps, N * group)


def _norm(
    state: Lowering, value: Value, x: Any, gain: Any, shift: Any, eps: float, groups: int, mean: Any = None,
    var: Any = None,
) -> None:  # fmt: skip
    """By statistics of the input, of which there are ``groups``."""
    if value.output:
        raise UncoveredError("statistics of a normalisation are used at inference")
    named = {"gain": gain, "shift": shift, "mean": mean, "var": var}
    constants = {name: c for name, a in named.items() if isinstance(a, Ref) and (c := state.constant(a))}
    attrs = Norm(value.fn, groups, eps, gain is not None, shift is not None)
    state.emit(value, "norm", (node_of(state, x),), consts=constants, attrs=attrs, tags=("normalize",))


@counts("_softmax", "_safe_softmax", "_log_softmax")
def softmax(state: Lowering, value: Value, x: Any, dim: int) -> None:
    attrs = Softmax(dim, log=value.fn == "_log_softmax")
    state.emit(value, "softmax", (node_of(state, x),), attrs=attrs, tags=("activation",))
