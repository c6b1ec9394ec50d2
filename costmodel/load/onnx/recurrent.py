"""Recurrent operators as PyTorch's own layers, with their gates in PyTorch's order."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from costmodel.load.onnx.table import Call, op

#: Where ONNX has the gates that PyTorch wants in its order: iofc -> ifgo, zrh -> rzn.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


@op("LSTM", "GRU", "RNN", keep=(1, 2, 3, 4, 5, 6, 7))
def _recurrent(
    call: Call, x: Tensor, w: Any = None, r: Any = None, b: Any = None, lengths: Any = None,
    h: Tensor | None = None, c: Tensor | None = None, peepholes: Any = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    direction = call.get("direction", "forward")
    usual = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[call.op]
    given = [a.decode() if isinstance(a, bytes) else a for a in call.get("activations") or []]
    odd = given and given != usual * (len(given) // len(usual))
    if odd or peepholes is not None or call.get("clip") or call.get("input_forget", 0) or direction == "reverse":
        call.refuse("other activations, peepholes, clipping or the reverse direction alone are not covered")
    if call.op == "GRU" and not call.get("linear_before_reset", 0):
        call.refuse("a reset before the product (linear_before_reset=0) is not PyTorch's and not covered")
    first = bool(call.get("layout", 0))
    layer: Any = getattr(call.scope, _name(call))
    directions, hidden = 1 + layer.bidirectional, layer.hidden_size
    if first:
        h, c = (v if v is None else v.transpose(0, 1).contiguous() for v in (h, c))
    # A first state of zeros is the layer's own, which inference does not compute with.
    h, c = (None if v is None or not bool(v.any()) else v for v in (h, c))
    state: Any = None
    if h is not None or c is not None:
        zero = torch.zeros(directions, x.shape[0 if first else 1], hidden, dtype=x.dtype)
        h, c = (zero if h is None else h), (zero if c is None else c)
        state = (h, c) if call.op == "LSTM" else h
    y, last = layer(x, state) if state is not None else layer(x)
    y = y.reshape(*y.shape[:2], directions, hidden)
    y = y if first else y.transpose(1, 2)
    finals = list(last) if call.op == "LSTM" else [last]
    return (y, *((v.transpose(0, 1) for v in finals) if first else finals))


def prepare(call: Call, w: Tensor, r: Tensor, b: Tensor | None) -> None:
    """Make the layer of a node and put it into its scope."""
    kind = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}[call.op]
    layer = kind(
        w.shape[2], r.shape[2], bias=b is not None, batch_first=bool(call.get("layout", 0)),
        bidirectional=w.shape[0] == 2, dtype=w.dtype,
    )  # fmt: skip
    order = list(_GATES[call.op])
    with torch.no_grad():
        for direction in range(w.shape[0]):
            suffix = f"l0{'_reverse' if direction else ''}"
            for part, given in (("weight_ih", w), ("weight_hh", r)):
                gates = given[direction].reshape(len(order), -1, given.shape[-1])[order]
                getattr(layer, f"{part}_{suffix}").copy_(gates.reshape(-1, given.shape[-1]))
            if b is not None:
                for part, given in zip(("bias_ih", "bias_hh"), b[direction].chunk(2), strict=True):
                    getattr(layer, f"{part}_{suffix}").copy_(given.reshape(len(order), -1)[order].reshape(-1))
    call.scope.add_module(_name(call), layer)


def _name(call: Call) -> str:
    return "layer_" + re.sub(r"\W", "_", call.name)
