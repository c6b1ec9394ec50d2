"""Weights from a file into a network, read without running any code that the file may hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError

if TYPE_CHECKING:
    from torch import nn

#: Keys under which training scripts put the weights inside a checkpoint.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
#: Header entry of a packed checkpoint (:mod:`costmodel.load.pack`): one bit per binary weight.
PACKED = "costmodel-packed"
#: Prefixes that wrappers of a network put before the names of its weights.
PREFIXES = ("module.", "_orig_mod.", "model.")


def load_checkpoint(model: nn.Module, path: Path) -> None:
    """Load weights into ``model``: safetensors, or a PyTorch file read without running any code in it.

    Raises :class:`CostmodelError` when the file cannot be read, holds code, or does not fit the network; the network
    is then unchanged.
    """
    if not path.is_file():
        raise CostmodelError(f"no checkpoint {path}: give the path of a .safetensors or .pt/.pth file")
    state = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    own = model.state_dict()
    state = _strip(state, own.keys())
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} is {_sizes(value)} in the file and {_sizes(own[key])} in the network"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ]
    problems = [
        f"{len(keys)} {what}: {', '.join(keys[:4])}{', ...' if len(keys) > 4 else ''}"
        for what, keys in (("missing", missing), ("not in the network", unexpected), ("of another shape", shapes))
        if keys
    ]
    if problems:
        raise CostmodelError(
            f"checkpoint {path} does not fit the network: {'; '.join(problems)}. Check --model and --model-args."
        )
    model.load_state_dict(state)


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="pt") as file:
            packed = (file.metadata() or {}).get(PACKED)
        state = dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise CostmodelError(f"checkpoint {path} is not a safetensors file: {error}") from error
    if packed is None:
        return state
    from costmodel.load.pack import unpack

    return unpack(state, packed)


def _torch_file(path: Path) -> dict[str, Any]:
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            raise CostmodelError(
                f"checkpoint {path} holds Python objects and not only tensors. Loading it would run code from the "
                "file, so it is refused. Save the weights alone: torch.save(model.state_dict(), FILE)"
            ) from error
        raise CostmodelError(f"checkpoint {path} is not a PyTorch file: {error}") from error
    except (
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    ) as error:  # the text says nothing, such as "101"
        raise CostmodelError(f"checkpoint {path} is not a PyTorch file; make one with torch.save") from error
    except (RuntimeError, OSError) as error:
        raise CostmodelError(f"checkpoint {path} cannot be read: {' '.join(str(error).split())[:300]}") from error
    state = loaded
    while isinstance(state, Mapping) and not _is_state(state):
        inner = next((state[key] for key in WRAPPERS if isinstance(state.get(key), Mapping)), None)
        if inner is None:
            keys = ", ".join(map(repr, list(state)[:8]))
            raise CostmodelError(
                f"checkpoint {path} holds no weights under any of {', '.join(WRAPPERS)}; it has {keys}"
            )
        state = inner
    if not isinstance(state, Mapping):
        raise CostmodelError(
            f"checkpoint {path} holds a {type(loaded).__name__}; expected the dictionary of model.state_dict()"
        )
    return dict(state)


def _is_state(state: Mapping[Any, Any]) -> bool:
    import torch

    return bool(state) and all(isinstance(v, torch.Tensor) for v in state.values())


def _strip(state: dict[str, Any], own: Any) -> dict[str, Any]:
    for prefix in PREFIXES:
        if state and all(key.startswith(prefix) for key in state) and not any(key.startswith(prefix) for key in own):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _sizes(tensor: Any) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"
