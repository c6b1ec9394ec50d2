"""From a :class:`~costmodel.load.reference.Reference` to a network that can run: the user's code, or a file."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.load.reference import LAYER_BITS, Reference
from costmodel.load.running import user_code

if TYPE_CHECKING:
    from torch import nn

#: Names of arguments that say how many images a network is built for, next to those that speak of a batch.
_BATCH = ("bs", "bsz", "n", "N", "B", "num_images", "n_images")


def factory(reference: Reference) -> Any:
    """What a file or module holds under the name of the factory: something to call, or a network ready made.

    Raises :class:`CostmodelError` when its code fails or holds something else.
    """
    module = _import(reference)
    if reference.called:
        raise CostmodelError(
            f"network {reference.text!r} is a call; name the factory alone, and give its arguments with --model-args"
        )
    found: Any = module
    for name in reference.factory.split("."):
        found = getattr(found, name, None)
    if found is None:
        raise CostmodelError(f"network {reference.text!r}: {reference.path} defines no {reference.factory!r}")
    if not callable(found):  # a network can be called as well
        raise CostmodelError(
            f"network {reference.text!r}: {reference.factory} is a {type(found).__name__}; expected a function or "
            "class that returns a torch.nn.Module"
        )
    return found


def build(reference: Reference) -> nn.Module:
    """Make the network. Raises :class:`CostmodelError` when its code fails or makes something else."""
    from torch import nn

    if reference.kind in ("onnx", "export", "torchscript"):
        from costmodel.load.files import network

        read: nn.Module = network(reference)
        return read
    own = {**reference.arguments} if takes_bits(reference) else _without_bits(reference.arguments)
    given = {name: _open(value) for name, value in own.items()}
    if reference.kind == "zoo":
        from costmodel.zoo import registry

        with user_code(f"network {reference.text!r} with {_call(given) or 'no arguments'}"):
            return registry.build(reference.name, **given)
    if reference.called:
        names = {**vars(_import(reference)), "Namespace": SimpleNamespace}
        with user_code(f"network {reference.text!r} failed", reference.command):
            model = eval(reference.factory, names)
    else:
        model = factory(reference)
        if not isinstance(model, nn.Module):
            make = model
            with user_code(
                f"network {reference.text!r}: {reference.factory}({_call(given)}) failed", reference.command
            ):
                model = make(**given)
    if not isinstance(model, nn.Module):
        raise CostmodelError(
            f"network {reference.text!r}: {reference.factory} returned {_what(model)}; expected a torch.nn.Module"
        )
    return model


def finish(reference: Reference, model: nn.Module) -> nn.Module:
    """The network that is asked for, once it has its weights: its layers in the bits of ``layer_bits``, an argument of
    every network that does not take it itself, of calls and of ONNX files as well."""
    import copy

    from costmodel.load.quantised import quantise

    text = "" if takes_bits(reference) else reference.arguments.get(LAYER_BITS, "")
    if not isinstance(text, str):
        raise CostmodelError(f"{LAYER_BITS}={text!r}: expected text such as conv1=w8a8,layer*.conv=w4")
    if not text:
        return model
    made = copy.deepcopy(model)  # one that stands in a module ready made is that of every request
    quantise(made, text)
    return made


def _without_bits(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name != LAYER_BITS}


def takes_bits(reference: Reference) -> bool:
    """Whether the factory has an argument of this name, which then is its own affair."""
    if LAYER_BITS not in reference.arguments or reference.kind not in ("file", "module") or reference.called:
        return False
    return LAYER_BITS in inspect.signature(factory(reference)).parameters


def batch_argument(reference: Reference, said: str) -> str:
    """Advice where something is ``said`` of a number of images that an argument of the factory fixes; else "".

    The argument is one whose name speaks of a batch, or whose default is a number that is said.
    """
    if reference.kind not in ("file", "module") or reference.called:
        return ""
    with contextlib.suppress(CostmodelError, TypeError, ValueError):
        numbers = {int(number) for number in re.findall(r"(?<!\d)\d+(?!\d)", said.replace(",", "")) if len(number) < 9}
        for name, parameter in inspect.signature(factory(reference)).parameters.items():
            value = reference.arguments.get(name, parameter.default)
            if type(value) is int and value > 1 and value in numbers and ("batch" in name.lower() or name in _BATCH):
                return f": --model-args {name}=1"
    return ""


class Settings(dict[str, Any]):
    """Nested values of ``--model-args``: a dictionary whose entries are attributes as well, as configurations are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name!r} in {{{', '.join(self)}}}: give it in --model-args") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def _open(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Settings({name: _open(entry) for name, entry in value.items()})
    return [_open(entry) for entry in value] if isinstance(value, list) else value


def _what(made: Any) -> str:
    """What was returned, and how to get at a network in it."""
    from torch import nn

    what = f"an object of type {type(made).__name__}"
    parts = dict(enumerate(made)) if isinstance(made, (tuple, list)) else made
    items = parts if isinstance(parts, dict) else getattr(made, "__dict__", {})
    found = [name for name, item in dict(items).items() if isinstance(item, nn.Module)]
    if not found:
        return what
    place = f"[{found[0]!r}]" if isinstance(made, (tuple, list, dict)) else f".{found[0]}"
    return f"{what} with a network in it (name that: file.py:factory(...){place})"


def _import(reference: Reference) -> ModuleType:
    """The module of a reference. What it draws while it is imported does not move the weights that are drawn after."""
    import torch

    with torch.random.fork_rng(devices=[]):
        if reference.kind == "module":
            with user_code(f"network {reference.text!r}: importing {reference.name} failed", reference.command):
                return importlib.import_module(reference.name)
        from costmodel.load.imports import import_file

        assert reference.path is not None
        return import_file(reference.path, reference.text, reference.command)


def _call(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())
