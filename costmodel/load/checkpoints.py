"""Weights from a file into a network, read without running any code that the file may hold.

Files of repositories hold more than weights: the arguments of the run, its best accuracy, the time, whole modules. What
is no tensor, number or text comes back as an inert value that has a name and does nothing; the weights are found in it.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.load.layout import Weights, fitting, tensors_of
from costmodel.load.notes import note

if TYPE_CHECKING:
    from torch import nn

#: Header entry of a packed checkpoint (:mod:`costmodel.load.pack`): one bit per binary weight.
PACKED = "costmodel-packed"
#: Last parts of names that counters and averages leave in a state; none of them is a weight.
ADDED = ("total_ops", "total_params", "n_averaged", "num_batches_tracked")
#: Classes of one file that are read as inert values, at most.
_MOST_CLASSES = 500


def load_checkpoint(model: nn.Module, path: Path) -> None:
    """Load weights into ``model``: safetensors, or a PyTorch file read without running any code in it.

    The weights may lie anywhere in the file, under names that begin otherwise than those of the network. Raises
    :class:`CostmodelError` when the file cannot be read or does not fit the network; the network is then unchanged.
    """
    if not path.is_file():
        raise CostmodelError(f"no checkpoint {path}: give the path of a .safetensors or .pt/.pth file")
    own = model.state_dict()
    if path.suffix == ".safetensors":
        found = [Weights("", _safetensors(path))]
    else:
        loaded = _torch_file(path)
        found = list(tensors_of(loaded))
        if not found:
            raise _without_weights(path, loaded)
    chosen, others = fitting(found, own)
    state = dict(chosen.state)
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    added = [key for key in unexpected if key.rpartition(".")[2] in ADDED]
    uncounted = [key for key in missing if key.endswith("num_batches_tracked")]
    shapes = [
        f"{key} is {_sizes(value)} in the file and {_sizes(own[key])} in the network"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ]
    missing = [key for key in missing if key not in uncounted]
    unexpected = [key for key in unexpected if key not in added]
    problems = [
        f"{len(keys)} {what}: {', '.join(keys[:4])}{', ...' if len(keys) > 4 else ''}"
        for what, keys in (("missing", missing), ("not in the network", unexpected), ("of another shape", shapes))
        if keys
    ]
    if problems:
        raise CostmodelError(
            f"checkpoint {path} does not fit the network: {'; '.join(problems)}. Check --model and --model-args."
        )
    for key in added:
        del state[key]
    for key in uncounted:
        state[key] = own[key]
    model.load_state_dict(state, assign=any(value.is_meta for value in own.values()))
    _say(path, chosen, others, added, uncounted)


def _say(path: Path, chosen: Weights, others: list[Weights], added: list[str], uncounted: list[str]) -> None:
    if others:
        named = ", ".join(other.said for other in others[:3])
        note(f"{path.name}: the weights under {chosen.said} are loaded; those under {named} fit as well")
    if added:
        note(f"{path.name}: {len(added)} values that are no weights are left out, such as {added[0]}")
    if uncounted:
        note(f"{path.name}: counts of batches are not in it, which inference does not need")


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


class Inert:
    """In the place of a class of the file: a dictionary with what was put into it, and as attributes the state."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return OrderedDict()


def _torch_file(path: Path) -> Any:
    """What a file of ``torch.save`` holds, with inert values for everything that is not data."""
    classes: list[Any] = list(_numbers_of_numpy())
    for _ in range(_MOST_CLASSES):
        try:
            return _read(path, classes)
        except pickle.UnpicklingError as error:
            name = _named(str(error))
            if name is None or (Inert, name) in classes:
                raise _refused(path, error) from error
            classes.append((Inert, name))
            if "." not in name:  # as a file has it, torch names it without its module
                classes += [(Inert, f"builtins.{name}"), (Inert, f"__builtin__.{name}")]
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
    raise CostmodelError(
        f"checkpoint {path} holds objects of more than {_MOST_CLASSES} classes: save the weights alone"
    )


def _read(path: Path, classes: list[Any]) -> Any:
    import warnings

    import torch

    with torch.serialization.safe_globals(classes), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle protocols
        return torch.load(path, map_location="cpu", weights_only=True)


def _named(message: str) -> str | None:
    """The class that a refusal of torch names."""
    found = re.search(r"GLOBAL (\S+) was not an allowed global", message) or re.search(
        r"Unsupported (?:global|class|operand).*?(?:GLOBAL |class )(\S+)", message
    )
    return found[1].rstrip(".,") if found else None


def _numbers_of_numpy() -> Iterator[Any]:
    """What numpy's numbers and arrays are pickled as: constructors of data. Files of numpy 1 use other names."""
    import numpy as np

    core: Any = getattr(np, "_core", None) or np.core
    multiarray = core.multiarray
    for name in ("scalar", "_reconstruct"):
        function = getattr(multiarray, name)
        yield function
        for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            yield (function, f"{module}.{name}")
    yield from (np.ndarray, np.dtype)
    kinds = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
    yield from dict.fromkeys(type(np.dtype(kind)) for kind in kinds)


def _refused(path: Path, error: BaseException) -> CostmodelError:
    if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
        return CostmodelError(
            f"checkpoint {path} holds Python objects and not only tensors. Loading it would run code from the file, "
            "so it is refused. Save the weights alone: torch.save(model.state_dict(), FILE)"
        )
    return CostmodelError(f"checkpoint {path} is not a PyTorch file: {error}")


def _without_weights(path: Path, loaded: Any) -> CostmodelError:
    if isinstance(loaded, Mapping):
        keys = ", ".join(map(repr, list(loaded)[:8]))
        return CostmodelError(f"checkpoint {path} holds no weights; it has {keys}")
    return CostmodelError(
        f"checkpoint {path} holds a {type(loaded).__name__}; expected the dictionary of model.state_dict()"
    )


def _sizes(tensor: Any) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"
