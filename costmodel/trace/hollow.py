"""Results that have a shape, strides and a type, and memory that nobody writes to.

What depends on the input is needed for its kind alone, and so are weights that are made of parameters; where a rule
decides that, computing them is time lost. Such a result is a tensor of torch like any other to the program, apart from
its numbers: reading them ends the run.

Torch's own kernels for tensors without memory are no help here: they are written in Python, take longer than a small
convolution, and the first one imports the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor


class UnseenError(BaseException):
    """A result was not computed, and its numbers are asked for.

    No :class:`Exception`, so that the model's own code does not catch it.
    """


class Layout(NamedTuple):
    """The shape and the type of a tensor that is contiguous."""

    shape: tuple[int, ...]
    dtype: torch.dtype


#: In place of a layout: the result is the first argument.
FIRST = Layout((-1,), torch.float32)
Arguments = Mapping[str, Any]


def layouts(func: Any, packet: str, bound: Arguments) -> tuple[Layout, ...] | None:
    """The layouts of the results of a call by its arguments, None where no rule gives them.

    A rule gives no layout where operands do not fit: torch says that best.
    """
    if torch.Tag.nondeterministic_seeded in func.tags:
        return None
    rule = _RULES.get(packet)
    if rule is None:
        if torch.Tag.pointwise not in func.tags or not packet.startswith("aten."):
            return None
        rule = _pointwise
    operands = list(_tensors(bound.values()))
    ordered = rule is _product or all(x.is_contiguous() for x in operands)
    return rule(func, bound) if ordered and all(map(_plain, operands)) else None


def made(layout: Layout) -> Tensor:
    """A tensor of this layout, and of no numbers."""
    return torch.empty(layout.shape, dtype=layout.dtype)


def _tensors(arguments: Any) -> Iterator[Tensor]:
    for argument in arguments:
        if isinstance(argument, Tensor):
            yield argument
        elif isinstance(argument, (list, tuple)):
            yield from _tensors(argument)


def _plain(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"


#: Types of results by operator and by the types of its operands.
_types: dict[Any, torch.dtype] = {}


def _pointwise(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """An element from an element of each operand: ``(N, C, H, W)`` from such and from ``(1, C, 1, 1)``."""
    operands = list(_tensors(bound.values()))
    declared = func._schema.arguments
    if not any(x.is_floating_point() for x in operands) or len(func._schema.returns) != 1 or declared[-1].is_out:
        return None
    shape = _broadcast(x.shape for x in operands)
    if shape is None:
        return None
    if func._schema.is_mutable:
        first = operands[0]
        fits = first is next(iter(bound.values())) and first.shape == shape
        return (FIRST,) if fits and all(x.dtype == first.dtype for x in operands) else None
    if not any(x.shape == shape for x in operands):  # several dimensions are swept: their order is torch's to choose
        return None
    return (Layout(shape, _type(func, bound)),)


def _broadcast(shapes: Iterable[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape that all of these are swept to; None where they do not fit."""
    found: tuple[int, ...] = ()
    for shape in shapes:
        a, b = ((1,) * (len(shape) - len(found)) + found, (1,) * (len(found) - len(shape)) + tuple(shape))
        if any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
            return None
        found = tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))
    return found


def _type(func: Any, bound: Arguments) -> torch.dtype:
    """The type of a result, as one element of each operand gives it."""
    key = (func, *map(_code, bound.values()))
    if key not in _types:
        if len(_types) >= 4096:
            _types.clear()
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, map(_element, bound.values()), strict=True))
        _types[key] = func(**given).dtype
    return _types[key]


def _code(argument: Any) -> Any:
    return (argument.dtype, argument.dim() > 0) if isinstance(argument, Tensor) else (type(argument), argument)


def _element(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return torch.zeros((1,) if argument.dim() else (), dtype=argument.dtype)
    return argument


def _same(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """A copy, in another type or not."""
    others = (bound.get(name) for name in ("layout", "device", "pin_memory", "memory_format"))
    if any(value not in (None, torch.preserve_format, torch.contiguous_format) for value in others):
        return None
    return (Layout(tuple(bound["x"].shape), bound.get("dtype") or bound["x"].dtype),)


def _reduction(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """Along some dimensions, or all."""
    x, dim = bound["x"], bound.get("dim")
    if not x.is_floating_point() or bound.get("dtype") not in (None, x.dtype):
        return None
    axes = (dim,) if isinstance(dim, int) else dim or range(x.dim())
    if not all(-x.dim() <= axis < x.dim() for axis in axes):
        return None
    swept = {axis % x.dim() for axis in axes}
    sizes = [1 if i in swept else n for i, n in enumerate(x.shape) if i not in swept or bound.get("keepdim")]
    return (Layout(tuple(sizes), x.dtype),)


def _convolution(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """``(N, I, ...)`` and weights ``(O, I / groups, ...)`` to ``(N, O, ...)``."""
    x, weight, bias, groups = (bound[name] for name in ("x", "weight", "bias", "groups"))
    if bound["transposed"] or x.dim() < 3 or weight.dim() != x.dim() or x.shape[1] != weight.shape[1] * groups:
        return None
    if x.dtype != weight.dtype or (bias is not None and tuple(bias.shape) != (weight.shape[0],)):
        return None
    sizes = _slid(x, weight.shape[2:], *(bound[name] for name in ("stride", "padding", "dilation")))
    if sizes is None or weight.shape[0] % groups:
        return None
    return (Layout((x.shape[0], weight.shape[0], *sizes), x.dtype),)


def _slid(x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any) -> list[int] | None:
    """The sizes of what a window gives that slides over the last dimensions of ``x``."""
    spatial = len(kernel)
    steps, edges, gaps = (list(v) * (spatial if len(v) == 1 else 1) for v in (stride, padding, dilation))
    inside = zip(x.shape[x.dim() - spatial :], kernel, steps, edges, gaps, strict=True)
    sizes = [(size + 2 * edge - gap * (reach - 1) - 1) // step + 1 for size, reach, step, edge, gap in inside]
    return sizes if min(sizes) > 0 else None


def _pooling(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """``(..., H, W)``; with the places of the largest ones where these are asked for."""
    x, kernel, padding = bound["x"], bound["kernel_size"] * (2 // len(bound["kernel_size"])), bound["padding"]
    if bound["ceil_mode"] or x.dim() not in (3, 4) or any(2 * edge > reach for edge in padding for reach in kernel):
        return None
    sizes = _slid(x, kernel, bound["stride"] or kernel, padding, bound.get("dilation", (1,)))
    if sizes is None:
        return None
    shape = (*x.shape[:-2], *sizes)
    places = (Layout(shape, torch.int64),) if "dilation" in bound else ()
    return Layout(shape, x.dtype), *places


def _batch_norm(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """``(N, C, ...)`` by running statistics; torch keeps nothing for a backward pass then."""
    x, training, *given = (bound[name] for name in ("x", "training", "running_mean", "running_var", "weight", "bias"))
    if training or given[0] is None or given[1] is None:
        return None
    if any(v is not None and (v.shape != x.shape[1:2] or v.dtype != x.dtype) for v in given):
        return None
    return Layout(tuple(x.shape), x.dtype), Layout((0,), x.dtype), Layout((0,), x.dtype)


def _layer_norm(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    x, normalized, *given = (bound[name] for name in ("x", "normalized_shape", "weight", "bias"))
    kept = x.dim() - len(normalized)
    if kept < 0 or tuple(x.shape[kept:]) != tuple(normalized):
        return None
    if any(v is not None and (v.shape != x.shape[kept:] or v.dtype != x.dtype) for v in given):
        return None
    statistics = Layout((*x.shape[:kept], *(1,) * len(normalized)), x.dtype)
    return Layout(tuple(x.shape), x.dtype), statistics, statistics


def _softmax(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    x = bound["x"]
    fits = not bound["half_to_float"] and -x.dim() <= bound["dim"] < x.dim()
    return (Layout(tuple(x.shape), x.dtype),) if fits else None


def _product(func: Any, bound: Arguments) -> tuple[Layout, ...] | None:
    """``(..., M, K)`` by ``(..., K, N)``, with what is added to it in front or not."""
    a, b, added = bound.get("mat1", bound["x"]), bound["mat2"], bound["x"] if "mat1" in bound else None
    if a.dtype != b.dtype or a.shape[:-2] != b.shape[:-2] or a.dim() < 2 or a.shape[-1] != b.shape[-2]:
        return None
    shape = (*a.shape[:-1], b.shape[-1])
    if added is not None and (added.dtype != a.dtype or _broadcast((added.shape, shape)) != shape):
        return None
    return (Layout(shape, a.dtype),)


_RULES: dict[str, Callable[[Any, Arguments], tuple[Layout, ...] | None]] = {
    "aten.convolution": _convolution, "aten.native_batch_norm": _batch_norm, "aten.native_layer_norm": _layer_norm,
    "aten._softmax": _softmax, "aten.mm": _product, "aten.bmm": _product, "aten.addmm": _product,
    "aten.baddbmm": _product, "aten.mean": _reduction, "aten.sum": _reduction, "aten.amax": _reduction,
    "aten.max_pool2d_with_indices": _pooling, "aten.avg_pool2d": _pooling, "aten._prelu_kernel": _pointwise,
    "aten.amin": _reduction, "aten.linalg_vector_norm": _reduction, "aten.clone": _same, "aten._to_copy": _same,
}  # fmt: skip
