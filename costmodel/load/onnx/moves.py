"""Operators that make, rename, reorder or copy elements, and control flow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from costmodel.load.onnx.table import TYPES, Call, axes_of, integers, number, op, tensor


@op("Reshape")
def _reshape(call: Call, x: Any, shape: Any = None) -> Any:
    x, sizes = tensor(x), integers(call.get("shape") if shape is None else shape)
    if not call.get("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return x.reshape(sizes)


@op("Flatten")
def _flatten(call: Call, x: Tensor) -> Tensor:
    axis = call.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    rows = 1
    for size in x.shape[:axis]:
        rows *= size
    return x.reshape(rows, -1)


@op("Transpose", keep=(0,))
def _transpose(call: Call, x: Tensor) -> Tensor:
    return x.permute(call.get("perm") or list(range(x.dim()))[::-1])


@op("Squeeze")
def _squeeze(call: Call, x: Any, axes: Any = None) -> Any:
    found = axes_of(call, axes, 13)
    return tensor(x).squeeze() if found is None else tensor(x).squeeze(tuple(found))


@op("Unsqueeze")
def _unsqueeze(call: Call, x: Any, axes: Any = None) -> Any:
    x = tensor(x)
    found = axes_of(call, axes, 13) or []
    total = x.dim() + len(found)
    for axis in sorted(a % total for a in found):
        x = x.unsqueeze(axis)
    return x


@op("Concat", keep=tuple(range(256)))
def _concat(call: Call, *inputs: Any) -> Tensor:
    return torch.cat([tensor(x) for x in inputs], call.get("axis", 1))


@op("Split")
def _split(call: Call, x: Tensor, sizes: Any = None) -> tuple[Tensor, ...]:
    axis = call.get("axis", 0)
    given = call.get("split") if sizes is None else sizes
    if given is not None:
        return torch.split(x, integers(given), axis)
    each = -(-x.shape[axis] // call.results)
    return torch.split(x, each, axis)


@op("Slice")
def _slice(call: Call, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    x = tensor(x)
    first = integers(call.get("starts") if starts is None else starts)
    last = integers(call.get("ends") if ends is None else ends)
    given = call.get("axes") if axes is None else axes
    along = list(range(len(first))) if given is None else integers(given)
    stride = [1] * len(first) if steps is None else integers(steps)
    for axis, a, b, step in zip(along, first, last, stride, strict=True):
        if step < 0:
            places = list(range(x.shape[axis]))[slice(a, b if b >= -x.shape[axis] else None, step)]
            x = x.index_select(axis, torch.tensor(places, dtype=torch.long))
        else:
            size = x.shape[axis]
            a, b = (min(max(v + size if v < 0 else v, 0), size) for v in (a, b))
            x = x[(slice(None),) * (axis % x.dim()) + (slice(a, max(a, b), step),)]
    return x


@op("Gather", keep=(0, 1))
def _gather(call: Call, x: Any, indices: Any) -> Any:
    x, indices = tensor(x), tensor(indices)
    axis = call.get("axis", 0) % max(1, x.dim())
    if axis == 0 and x.dim() == 2 and x.is_floating_point() and not indices.is_floating_point():
        return F.embedding(indices % x.shape[0] if bool((indices < 0).any()) else indices, x)
    flat = indices.reshape(-1).long()
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    made = x.index_select(axis, flat)
    return made.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@op("GatherElements", keep=(0, 1))
def _gather_elements(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    return torch.gather(x, call.get("axis", 0), indices)


@op("GatherND", keep=(0, 1))
def _gather_nd(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    if call.get("batch_dims", 0):
        call.refuse("batch_dims is not covered")
    return x[tuple(indices.long().unbind(-1))]


@op("ScatterElements", "Scatter", keep=(0, 1, 2))
def _scatter(call: Call, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    reduction = call.get("reduction", "none")
    if reduction != "none":
        names = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
        return x.scatter_reduce(call.get("axis", 0), indices, updates, names[reduction])
    return x.scatter(call.get("axis", 0), indices, updates)


@op("ScatterND", keep=(0, 1, 2))
def _scatter_nd(call: Call, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    reduction = call.get("reduction", "none")
    if reduction not in ("none", "add"):
        call.refuse(f"reduction {reduction} is not covered")
    return torch.index_put(x, tuple(indices.long().unbind(-1)), updates, accumulate=reduction == "add")


@op("Expand", keep=(0,))
def _expand(call: Call, x: Any, shape: Any) -> Any:
    x = tensor(x)
    return x.expand(torch.broadcast_shapes(x.shape, tuple(integers(shape))))  # type: ignore[no-untyped-call]


@op("Tile", keep=(0,))
def _tile(call: Call, x: Tensor, repeats: Any) -> Tensor:
    return x.repeat(integers(repeats))


@op("Pad")
def _pad(call: Call, x: Tensor, pads: Any = None, value: Any = None, axes: Any = None) -> Tensor:
    sizes = integers(call.get("pads") if pads is None else pads)
    fill = call.get("value", 0.0) if value is None else number(value)
    half = len(sizes) // 2
    begin, end = [0] * x.dim(), [0] * x.dim()
    for place, axis in enumerate(range(x.dim()) if axes is None else integers(axes)):
        begin[axis], end[axis] = sizes[place], sizes[place + half]
    order = [v for axis in reversed(range(x.dim())) for v in (begin[axis], end[axis])]
    while len(order) > 2 and order[-2:] == [0, 0]:
        order = order[:-2]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[
        call.get("mode", "constant")
    ]
    return F.pad(x, order, value=fill) if mode == "constant" else F.pad(x, order, mode=mode)


@op("DepthToSpace")
def _depth_to_space(call: Call, x: Tensor) -> Tensor:
    block = call.get("blocksize")
    if call.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    n, c, h, w = x.shape
    parts = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // block**2, h * block, w * block)


@op("SpaceToDepth")
def _space_to_depth(call: Call, x: Tensor) -> Tensor:
    block = call.get("blocksize")
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * block**2, h // block, w // block)


@op("Shape")
def _shape(call: Call, x: Any) -> Tensor:
    return torch.tensor(list(tensor(x).shape)[call.get("start", 0) : call.get("end")], dtype=torch.int64)


@op("Size")
def _size(call: Call, x: Any) -> int:
    return tensor(x).numel()


@op("ConstantOfShape")
def _constant_of_shape(call: Call, shape: Any) -> Tensor:
    value = call.get("value")
    fill = torch.zeros(1) if value is None else value
    return torch.full(integers(shape), fill.reshape(-1)[0].item(), dtype=fill.dtype)


@op("Range")
def _range(call: Call, start: Any, limit: Any, delta: Any) -> Tensor:
    ends = [v.item() if isinstance(v, Tensor) else v for v in (start, limit, delta)]
    return torch.arange(*ends)


@op("EyeLike")
def _eye_like(call: Call, x: Tensor) -> Tensor:
    if call.get("k", 0):
        call.refuse("another diagonal is not covered")
    return torch.eye(*x.shape, dtype=TYPES.get(call.get("dtype", 0), x.dtype))


@op("Trilu")
def _trilu(call: Call, x: Tensor, k: Any = 0) -> Any:
    return (torch.triu if call.get("upper", 1) else torch.tril)(x, integers(k)[0])


@op("OneHot")
def _one_hot(call: Call, indices: Tensor, depth: Any, values: Any) -> Tensor:
    off, on = tensor(values).reshape(-1).tolist()
    made = F.one_hot(tensor(indices).long(), integers(depth)[0]).to(tensor(values).dtype)
    made = made if (off, on) == (0, 1) else made * (on - off) + off
    return made.movedim(-1, call.get("axis", -1))


@op("NonZero")
def _nonzero(call: Call, x: Tensor) -> Tensor:
    return torch.nonzero(x).t()


@op("If")
def _if(call: Call, condition: Any) -> Any:
    assert call.graph is not None
    return call.graph(call.attributes["then_branch" if bool(condition) else "else_branch"])


@op("Loop")
def _loop(call: Call, count: Any, condition: Any, *carried: Any) -> Any:
    """The passes that the condition and the count give; results that are gathered over them are stacked."""
    assert call.graph is not None
    most = integers(count)[0] if count is not None else 1 << 20
    gathered: list[list[Any]] = []
    state, step = list(carried), 0
    while step < most and (condition is None or bool(condition)):
        condition, *made = call.graph(call.attributes["body"], torch.tensor(step), condition, *state)
        state = made[: len(carried)]
        gathered.append(made[len(carried) :])
        step += 1
    return (*state, *(torch.stack([tensor(v) for v in column]) for column in zip(*gathered, strict=True)))
