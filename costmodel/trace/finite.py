"""Parameters that are no numbers are refused before anything is counted: they make real numbers of signs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from costmodel.errors import CostmodelError

#: Statistics of a norm, which no infinity can be among; other buffers may hold one, as masks of attention do.
_READ = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_STATISTICS = (nn.modules.batchnorm._NormBase,)


def require_numbers(model: nn.Module) -> None:
    """Raise :class:`CostmodelError` that names the first parameter with NaN or infinity, or buffer with NaN."""
    for path, module in model.named_modules():
        own = [(name, tensor, True) for name, tensor in module.named_parameters(recurse=False)]
        strict = isinstance(module, _STATISTICS)
        own += [(name, tensor, strict) for name, tensor in module.named_buffers(recurse=False)]
        for name, tensor, bounded in own:
            wrong = _wrong(tensor, bounded)
            if wrong:
                where = f"{path}.{name}" if path else name
                raise CostmodelError(
                    f"{where} holds {wrong} among its {tensor.numel():,} elements: kinds and counts would follow from "
                    "that. Initialise it, or load a checkpoint of numbers."
                )


def _wrong(tensor: Tensor, bounded: bool) -> str:
    """What is wrong with the elements of a tensor, in words; empty if nothing is."""
    if tensor.is_meta or tensor.layout != torch.strided or tensor.dtype not in _READ:
        return ""
    if isinstance(tensor, (nn.UninitializedParameter, nn.UninitializedBuffer)):
        return ""
    with torch.no_grad():
        values = tensor.detach()
        if bool(torch.isfinite(values.sum())):  # NaN and infinity pass on to the sum, which is read once
            return ""
        if bool(torch.isnan(values).any()):
            return "NaN"
        return "infinity" if bounded and bool(torch.isinf(values).any()) else ""
