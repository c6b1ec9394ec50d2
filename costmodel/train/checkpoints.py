"""Checkpoints: tensors in a safetensors file whose header holds the rest as JSON. Written atomically."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from costmodel.errors import CostmodelError
from costmodel.files import atomic_write

HEADER = "costmodel"


def write(path: Path, tensors: Mapping[str, Tensor], header: Any) -> str:
    """Write a checkpoint and return its SHA-256. ``header`` is anything that msgspec can encode.

    Raises :class:`CostmodelError` when it cannot be written; a checkpoint already at ``path`` is then intact.
    """
    flat = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    data = save(flat, metadata={HEADER: msgspec.json.encode(header).decode()})
    atomic_write(path, data)
    return hashlib.sha256(data).hexdigest()


def read(path: Path) -> tuple[dict[str, Tensor], bytes]:
    """Tensors and header (JSON) of a checkpoint. Raises :class:`CostmodelError` for a file that is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError) as error:
        raise CostmodelError(
            f"{path} is not a readable checkpoint: {error}. Give a file written by `costmodel train`."
        ) from error
    if header is None:
        raise CostmodelError(f"{path} was not written by `costmodel train`: its header has no {HEADER!r} entry.")
    return tensors, header.encode()


def read_header(path: Path) -> bytes:
    """Header (JSON) of a checkpoint, without its tensors."""
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
    except (OSError, SafetensorError) as error:
        raise CostmodelError(f"{path} is not a readable checkpoint: {error}.") from error
    if header is None:
        raise CostmodelError(f"{path} was not written by `costmodel train`: its header has no {HEADER!r} entry.")
    return str(header).encode()


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under names that begin with ``prefix/``."""
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix/``, without it."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + "/")}


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a network. Raises :class:`CostmodelError` unless names and shapes agree exactly."""
    own = model.state_dict()
    missing = sorted(set(own) - set(tensors))
    extra = sorted(set(tensors) - set(own))
    wrong = sorted(n for n in set(own) & set(tensors) if own[n].shape != tensors[n].shape)
    if missing or extra or wrong:
        say = [
            f"{len(names)} {what} (first {names[0]})"
            for what, names in (("missing", missing), ("unknown", extra), ("of another shape", wrong))
            if names
        ]
        raise CostmodelError(
            f"{where} does not fit the network: {', '.join(say)}. Give the network, width and data set it was "
            f"trained with."
        )
    model.load_state_dict(dict(tensors))


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimiser as tensors ``number of the parameter / name``."""
    state = optimiser.state_dict()["state"]
    return {
        f"{number}/{name}": value
        for number, entries in state.items()
        for name, value in entries.items()
        if isinstance(value, Tensor)
    }


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimiser_tensors` took. Rates and decays stay those of the optimiser.

    A fused optimiser walks a parameter and its moments through memory side by side: they get the parameter's layout.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split("/")
        like = parameters[int(number)]
        if value.shape == like.shape:
            value = torch.empty_like(like, dtype=value.dtype).copy_(value)
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
