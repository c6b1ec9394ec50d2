"""Functions of PyTorch that the dispatcher takes apart, kept by name for conventions that count them as one.

A global mean is a mean whether the program pooled or averaged, and an einsum is a product of matrices; counters that
look at the program's own calls tell them apart. While a network runs, the outermost of the calls below is written down
with what it makes. Names that were imported out of their module before are not seen; nothing else depends on them.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from costmodel.graph.vocabulary import Called
from costmodel.trace.recorder import Recorder

_OF_TORCH = ("einsum", "baddbmm")
_OF_FUNCTIONAL = ("adaptive_avg_pool2d", "instance_norm", "rms_norm", "scaled_dot_product_attention", "grid_sample")
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@contextlib.contextmanager
def calls(recorder: Recorder) -> Iterator[None]:
    """Tell the recorder which of these functions is running."""
    wrapped: list[tuple[Any, str, Any]] = []

    def wrap(owner: Any, name: str, describe: Callable[..., Called | None]) -> None:
        original = getattr(owner, name, None)
        if original is None:  # an older PyTorch
            return

        @functools.wraps(original)
        def calling(*args: Any, **kwargs: Any) -> Any:
            if recorder.called is not None:
                return original(*args, **kwargs)
            recorder.called = describe(*args, **kwargs)
            try:
                return original(*args, **kwargs)
            finally:
                recorder.called = None

        setattr(owner, name, calling)
        wrapped.append((owner, name, original))

    def plain(name: str) -> Callable[..., Called]:
        return lambda *args, **kwargs: Called(name, len(recorder.values))

    def einsum(*args: Any, **kwargs: Any) -> Called:
        return Called("einsum", len(recorder.values), _contracted(*args))

    def interpolate(x: Tensor, *args: Any, **kwargs: Any) -> Called | None:
        mode = kwargs.get("mode", args[2] if len(args) > 2 else "nearest")
        flat = x.dim() == 4 and mode in ("nearest", "bilinear") and not kwargs.get("antialias")
        return Called(f"interpolate {mode}", len(recorder.values)) if flat else None

    try:
        for name in _OF_TORCH:
            wrap(torch, name, einsum if name == "einsum" else plain(name))
        for name in _OF_FUNCTIONAL:
            wrap(functional, name, plain(name))
        for name in _RECURRENT:
            wrap(torch._VF, name, plain("recurrent"))
        wrap(functional, "interpolate", interpolate)
        yield
    finally:
        for owner, name, original in reversed(wrapped):
            setattr(owner, name, original)


def _contracted(equation: Any, *operands: Any) -> int | None:
    """Half the operations of the best order of contraction, as numpy prints it to four digits; None where it fails."""
    import numpy as np

    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    if not isinstance(equation, str) or not all(isinstance(t, Tensor) for t in tensors):
        return None
    equation = equation.replace(" ", "")
    letters = {letter: chr(97 + k) for k, letter in enumerate(dict.fromkeys(filter(str.isalpha, equation)))}
    shapes: list[tuple[int, ...]] = [tuple(t.shape) for t in tensors]
    exact = {"abc,abd->acd": 2, "abc,adc->adb": 1}  # the dimension of the second operand that the first has not
    place = exact.get("".join(letters.get(c, c) for c in equation))
    if place is not None:
        return math.prod(shapes[0]) * int(shapes[1][place])
    try:
        report = np.einsum_path(equation, *(np.broadcast_to(np.zeros(1), s) for s in shapes), optimize="optimal")[1]
    except (ValueError, TypeError):
        return None
    (line,) = (line for line in report.split("\n") if "optimized flop" in line.lower())
    return int(float(line.split(":")[-1]) / 2)
