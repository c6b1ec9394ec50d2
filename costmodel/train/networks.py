"""The networks of the zoo as a run needs them: one build a phase, and teachers read from checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from costmodel.errors import CostmodelError
from costmodel.train import checkpoints
from costmodel.train.job import Job, OwnNetwork
from costmodel.train.recipes import Phase
from costmodel.train.run import Builder, Header
from costmodel.zoo import registry


def network_name(model: str, data: str) -> str:
    """Name of the network of the zoo for a model and a data set: ``abbnn`` and ``digits`` give the digits network.

    Raises :class:`CostmodelError` when the model has no form for that data set.
    """
    dataset = "imagenet" if data.startswith("imagenet:") else "mnist" if data == "fashion-mnist" else data
    return registry.for_dataset(model, dataset).name


def default_recipe(network: str, data: str) -> str:
    """The recipe that a network of the zoo is trained with unless another is asked for."""
    entry = registry.entry(network)
    if entry.family == "finn":
        return entry.topology
    if entry.family != "binary":
        return "teacher"
    if data == "digits":
        return "digits-bn" if entry.normaliser == "batch norm" else "digits"
    if data.startswith("imagenet:"):
        return "bn-imagenet" if entry.normaliser == "batch norm" else "abbnn-imagenet"
    return "bn" if entry.normaliser == "batch norm" else "abbnn"


def check(job: Job) -> None:
    """Raise :class:`CostmodelError` when the recipe of a job is not for its network."""
    if isinstance(job.own, OwnNetwork):
        if job.recipe.network or job.options or job.width != 1.0:
            raise CostmodelError(
                f"--width, --option and the recipe's `network` are axes of the zoo; {job.network} is your own. Give "
                f"arguments of its factory with --model-args."
            )
        return
    family = registry.entry(job.network).family
    kinds = {phase.weights for phase in job.recipe.phases}
    if family == "finn" and "real" in kinds:
        raise CostmodelError(
            f"{job.network} is trained with binary weights from the first step, and the recipe {job.recipe_name} has a "
            f"phase with real weights. Use --recipe {default_recipe(job.network, job.data)}."
        )
    if family not in ("binary", "finn") and "binary" in kinds:
        raise CostmodelError(
            f"{job.network} is not trained in two steps, and the recipe {job.recipe_name} has a phase with binary "
            f"weights. Use --recipe teacher."
        )


def builder(job: Job, classes: int, shape: tuple[int, ...] = ()) -> Builder:
    """How to make the network of each phase of a job, for images of ``shape`` ``[channels, height, width]``."""

    def build(phase: Phase) -> nn.Module:
        return build_network(job, phase.weights == "binary", classes, shape)

    return build


def build_network(job: Job, binary_weights: bool, classes: int, shape: tuple[int, ...] = ()) -> nn.Module:
    """The network of a job with binary or with real weights; their parameters have the same names and shapes."""
    network = (
        _own(job, binary_weights, classes, shape)
        if isinstance(job.own, OwnNetwork)
        else _zoo(job, binary_weights, classes)
    )
    if isinstance(job.recipe.dropout, float):
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = job.recipe.dropout
    return network


def _own(job: Job, binary_weights: bool, classes: int, shape: tuple[int, ...]) -> nn.Module:
    from costmodel.train import own

    assert isinstance(job.own, OwnNetwork)
    kinds = {phase.weights for phase in job.recipe.phases}
    return own.build(job.own, binary_weights, len(kinds) == 2, classes, shape)


def _zoo(job: Job, binary_weights: bool, classes: int) -> nn.Module:
    options: dict[str, Any] = {**job.recipe.network, **job.options, "num_classes": classes}
    if job.width != 1.0:
        options["width"] = job.width
    if registry.entry(job.network).family == "binary":
        options["binary_weights"] = binary_weights
    return registry.build(job.network, **options)


def load_trained(path: Path) -> tuple[nn.Module, Job]:
    """The network of a result that ``costmodel train`` wrote (``final.safetensors``), in evaluation mode.

    Raises :class:`CostmodelError` for anything else.
    """
    tensors, raw = checkpoints.read(path)
    try:
        header = msgspec.json.decode(raw, type=Header)
    except msgspec.DecodeError as error:
        raise CostmodelError(f"{path} does not say which network it holds: {error}.") from error
    if header.kind == "run":
        raise CostmodelError(f"{path} is a run under way. Give the final.safetensors of a finished run.")
    job = header.job
    binary = header.kind == "result" and job.recipe.phases[-1].weights == "binary"
    classes = header.classes or (registry.entry(job.network).classes if job.own is msgspec.UNSET else 0)
    model = build_network(job, binary, classes)
    checkpoints.load_weights(model, tensors, str(path))
    return model.eval().requires_grad_(False), job


def load_teacher(path: Path, job_data: str) -> nn.Module:
    """A trained network that a run learns from. Raises :class:`CostmodelError` when it knows another data set."""
    model, job = load_trained(path)
    if job.data.split(":")[0] != job_data.split(":")[0]:
        raise CostmodelError(f"the teacher {path} was trained on {job.data}, this run is on {job_data}.")
    return model
