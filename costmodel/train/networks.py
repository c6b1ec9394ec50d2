"""The networks of the zoo as a run needs them: one build a phase, and teachers read from checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from costmodel.errors import CostmodelError
from costmodel.train import checkpoints
from costmodel.train.job import Job
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
    """The recipe that a network is trained with unless another is asked for."""
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


def builder(job: Job, classes: int) -> Builder:
    """How to make the network of each phase of a job."""

    def build(phase: Phase) -> nn.Module:
        return build_network(job, phase.weights == "binary", classes)

    return build


def build_network(job: Job, binary_weights: bool, classes: int) -> nn.Module:
    """The network of a job with binary or with real weights; their parameters have the same names and shapes."""
    options: dict[str, Any] = {**job.recipe.network, **job.options, "num_classes": classes}
    if job.width != 1.0:
        options["width"] = job.width
    if registry.entry(job.network).family == "binary":
        options["binary_weights"] = binary_weights
    network = registry.build(job.network, **options)
    if isinstance(job.recipe.dropout, float):
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = job.recipe.dropout
    return network


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
    model = build_network(job, binary, header.classes or registry.entry(job.network).classes)
    checkpoints.load_weights(model, tensors, str(path))
    return model.eval().requires_grad_(False), job


def load_teacher(path: Path, job_data: str) -> nn.Module:
    """A trained network that a run learns from. Raises :class:`CostmodelError` when it knows another data set."""
    model, job = load_trained(path)
    if job.data.split(":")[0] != job_data.split(":")[0]:
        raise CostmodelError(f"the teacher {path} was trained on {job.data}, this run is on {job_data}.")
    return model
