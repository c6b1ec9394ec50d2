"""What a network is fed: ``1x3x224x224``, ``1x128:int64``, ``tokens=1x128:int64``. Read without torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.errors import CostmodelError, UnknownNameError

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
EXPECTED = "Write sizes joined by x and, if it is not float32, a type: 1x3x224x224 or 1x128:int64."
_SPEC = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:[x×,]\d+)*)(?::(?P<dtype>\w+))?")
_LIMIT = 2**31


@dataclass(frozen=True)
class InputSpec:
    """One input tensor. ``name`` is the keyword that ``forward`` takes it under; empty: by position."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str = ""

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.shape))
        return f"{self.name + '=' if self.name else ''}{sizes}{'' if self.dtype == 'float32' else ':' + self.dtype}"


def parse_input(text: str) -> InputSpec:
    """``[NAME=]SIZE[xSIZE...][:DTYPE]``. Raises :class:`CostmodelError` for anything else."""
    match = _SPEC.fullmatch(text.strip())
    if not match:
        raise CostmodelError(f"input {text!r} cannot be read. {EXPECTED}")
    shape = tuple(int(size) for size in re.split("[x×,]", match["shape"]))
    dtype = {"float": "float32", "long": "int64", "int": "int32", "half": "float16"}.get(
        match["dtype"] or "float32", match["dtype"] or "float32"
    )
    if dtype not in DTYPES:
        raise UnknownNameError(f"type of input {text!r}:", dtype, DTYPES, f"Choose from {', '.join(DTYPES)}.")
    elements = 1
    for size in shape:
        elements *= size
    if not 0 < elements < _LIMIT:
        raise CostmodelError(
            f"input {text!r} has {elements:,} elements; sizes are at least 1, and it must fit in memory"
        )
    return InputSpec(shape, dtype, match["name"] or "")


def parse_inputs(texts: Sequence[str]) -> tuple[InputSpec, ...]:
    """All inputs of a network: those by position first, then those by keyword."""
    specs = tuple(sorted((parse_input(text) for text in texts), key=lambda spec: bool(spec.name)))
    names = [spec.name for spec in specs if spec.name]
    if len(set(names)) < len(names):
        raise CostmodelError(f"inputs {', '.join(texts)}: two have the same name")
    return specs


def make_inputs(specs: Sequence[InputSpec], seed: int = 0) -> Any:
    """Random tensors of these shapes, the same for the same ``seed``.

    Real numbers are standard normal. Integers are 0 or 1, which every embedding table can look up. A tuple for inputs
    by position, a dictionary for inputs by keyword, a :class:`~costmodel.trace.inputs.Arguments` for both.
    """
    import torch

    from costmodel.trace.inputs import Arguments

    generator = torch.Generator().manual_seed(seed)

    def make(spec: InputSpec) -> torch.Tensor:
        dtype: torch.dtype = getattr(torch, spec.dtype)
        if dtype.is_floating_point:
            return torch.randn(spec.shape, generator=generator).to(dtype)
        return torch.randint(0, 2, spec.shape, generator=generator).to(dtype)

    made = [(spec.name, make(spec)) for spec in specs]
    args = tuple(tensor for name, tensor in made if not name)
    kwargs = {name: tensor for name, tensor in made if name}
    if args and kwargs:
        return Arguments(args, kwargs)
    return kwargs or args
