"""From a :class:`~costmodel.load.reference.Reference` to a network that can run: the user's code, and the checkpoint.

Whatever the user's code raises becomes one :class:`CostmodelError` with the line that raised it; no traceback of ours.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pickle
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.load.reference import Reference

if TYPE_CHECKING:
    from torch import nn

#: Keys under which training scripts put the weights inside a checkpoint.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
#: Header entry of a packed checkpoint (:mod:`costmodel.load.pack`): one bit per binary weight.
PACKED = "costmodel-packed"
#: Prefixes that wrappers of a network put before the names of its weights.
PREFIXES = ("module.", "_orig_mod.", "model.")


def factory(reference: Reference) -> Any:
    """What a file or module holds under the name of the factory: something to call, or a network ready made.

    Raises :class:`CostmodelError` when its code fails or holds something else.
    """
    found = getattr(_import(reference), reference.factory, None)
    if found is None:
        raise CostmodelError(f"model {reference.text!r}: {reference.path} defines no {reference.factory!r}")
    if not callable(found):  # a network can be called as well
        raise CostmodelError(
            f"model {reference.text!r}: {reference.factory} is a {type(found).__name__}; expected a function or "
            "class that returns a torch.nn.Module"
        )
    return found


def build(reference: Reference) -> nn.Module:
    """Make the network. Raises :class:`CostmodelError` when its code fails or makes something else."""
    from torch import nn

    if reference.kind == "zoo":
        from costmodel.zoo import registry

        with user_code(f"model {reference.text!r} with {_call(reference.arguments) or 'no arguments'}"):
            return registry.build(reference.name, **reference.arguments)
    make = factory(reference)
    if isinstance(make, nn.Module):
        return make
    with user_code(f"model {reference.text!r}: {reference.factory}({_call(reference.arguments)}) failed"):
        model = make(**reference.arguments)
    if not isinstance(model, nn.Module):
        raise CostmodelError(
            f"model {reference.text!r}: {reference.factory} returned an object of type {type(model).__name__}; "
            "expected a torch.nn.Module"
        )
    return model


@contextlib.contextmanager
def user_code(what: str) -> Iterator[None]:
    """Turn what the user's code raises into a :class:`CostmodelError` that names the line it came from.

    What our own code raises is a bug and stays what it is. Meanwhile the command line is empty, because code that reads
    it would take the options of this program for its own, and what is printed goes to standard error, where it does not
    mix with an answer.
    """
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (CostmodelError, KeyboardInterrupt, MemoryError, GeneratorExit):
        raise
    except BaseException as error:
        if _is_ours(error):
            raise
        raise CostmodelError(f"{what}: {describe(error)}") from error
    finally:
        sys.argv = arguments


def _is_ours(error: BaseException) -> bool:
    """Whether the innermost line is of this package and not one that calls the user's code, nor of the zoo."""
    own = Path(__file__).parents[1]
    callers = (Path(__file__), own / "trace" / "record.py")
    frames = traceback.extract_tb(error.__traceback__)
    place = Path(frames[-1].filename) if frames else Path()
    return place.is_relative_to(own) and not place.is_relative_to(own / "zoo") and place not in callers


def describe(error: BaseException) -> str:
    """Type, message and the innermost line outside of installed packages, on one line."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    own = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not frame.filename.startswith(("<frozen", own, sys.base_prefix))
    ]
    if frames:
        text += f" (at {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line or '?'})"
    return text


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


def _import(reference: Reference) -> ModuleType:
    if reference.kind == "module":
        with user_code(f"model {reference.text!r}: importing {reference.name} failed"):
            return importlib.import_module(reference.name)
    assert reference.path is not None
    root, dotted = reference.path.parent, reference.path.stem
    while (root / "__init__.py").is_file():  # a file of a package: relative imports in it must work
        root, dotted = root.parent, f"{root.name}.{dotted}"
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    with user_code(f"model {reference.text!r}: importing {reference.path} failed"):
        if "." in dotted:
            return importlib.import_module(dotted)
        return _import_file(reference.path, dotted)


def _import_file(path: Path, name: str) -> ModuleType:
    """A file outside any package. Its name may be that of another module, so it is looked up by its path."""
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    unique = name if loaded is None and importlib.util.find_spec(name) is None else f"{name}@{path}"
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


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


def _call(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())
