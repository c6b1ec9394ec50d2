"""A user's own network in a run: how a job names it, and what is checked before an hour is spent on it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from costmodel.errors import CostmodelError
from costmodel.load import network as loading
from costmodel.load.inputs import parse_inputs
from costmodel.load.reference import LAYER_BITS, Reference, resolve
from costmodel.load.running import user_code
from costmodel.train import checkpoints
from costmodel.train.job import OwnNetwork

#: The keyword of a factory that switches its binary weights: ``False`` asks for real ones under the same names.
SWITCH = "binary_weights"


def own_network(text: str, arguments: Mapping[str, Any], inputs: Sequence[str]) -> tuple[str, OwnNetwork]:
    """A short name, and what a job says about the network that ``text`` (``net.py:build``) names.

    Raises :class:`CostmodelError` when there is no such file or factory, or when the network has not one input.
    """
    reference = resolve(text, arguments)
    if reference.kind == "zoo":
        raise CostmodelError(
            f"--model {text} is a network of the zoo: give it without --model, as in: costmodel train {text}"
        )
    specs = parse_inputs(inputs)
    if len(specs) > 1 or any(spec.dtype != "float32" or spec.name for spec in specs):
        raise CostmodelError("--input: a network in training takes one image tensor, such as 1x3x32x32.")
    place = str(reference.path) if reference.kind == "file" else reference.name
    code = checkpoints.sha256(reference.path) if reference.path and reference.path.is_file() else ""
    shape = specs[0].shape if specs else None
    return reference.title, OwnNetwork(f"{place}:{reference.factory}", dict(arguments), code, shape)


def build(own: OwnNetwork, binary_weights: bool, two_steps: bool, classes: int, shape: tuple[int, ...]) -> nn.Module:
    """The network with fresh parameters, tried on two images of ``shape`` ``[channels, height, width]`` if given.

    In two-step training the factory is called with ``binary_weights``. Raises :class:`CostmodelError` for a factory
    that does not take it, and for a network that fails, has nothing to train, or does not answer ``[images, classes]``.
    """
    reference = resolve(own.reference, own.arguments)
    if two_steps:
        reference = _switched(reference, binary_weights)
    if shape and own.shape is not None and own.shape[1:] != shape:
        raise CostmodelError(
            f"--input {'x'.join(map(str, own.shape))}: the images of this data set are {'x'.join(map(str, shape))}. "
            f"Give --input 1x{'x'.join(map(str, shape))}, or leave it out."
        )
    # A network that stands in the module ready made is one object: every run takes a copy of it.
    if LAYER_BITS in reference.arguments and not loading.takes_bits(reference):
        raise CostmodelError(
            f"{LAYER_BITS} prices layers in other bits; its quantisers have no gradients to be trained with. "
            "Train a network whose own code quantises"
        )
    model = copy.deepcopy(loading.build(reference))
    if not any(p.requires_grad for p in model.parameters()):
        raise CostmodelError(f"{reference.title} has no parameters to train.")
    if shape:
        _try(model, reference.title, classes, shape)
    return model


def _try(model: nn.Module, title: str, classes: int, shape: tuple[int, ...]) -> None:
    images = torch.rand(2, *shape)
    with user_code(f"{title} does not run on an image of {'x'.join(map(str, shape))}"):
        scores = copy.deepcopy(model).train()(images)
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != (2, classes):
        what = "x".join(map(str, scores.shape)) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise CostmodelError(
            f"{title} answers {what} for two images; expected scores of {classes} classes, 2x{classes}."
        )


def _switched(reference: Reference, binary_weights: bool) -> Reference:
    """The reference with its switch set, if its factory has one (looked up without calling it)."""
    factory = loading.factory(reference)
    ready = isinstance(factory, nn.Module)
    known: Mapping[str, Any] = {} if ready else inspect.signature(factory).parameters
    if SWITCH not in known:
        raise CostmodelError(
            f"the recipe trains in two steps, and {reference.title} has no switch between real and binary weights: "
            f"give its factory a keyword {SWITCH}, or use a recipe of one step (--recipe one-step)."
        )
    arguments = {**reference.arguments, SWITCH: binary_weights}
    return Reference(reference.text, reference.kind, reference.name, reference.factory, reference.path, arguments)
