"""What determines a training result, and what a run has measured so far. Plain data, without torch."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from costmodel.train.recipes import Recipe


class OwnNetwork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's own network: ``reference`` (``/path/net.py:build`` or ``package.module:build``), the arguments of its
    factory, the SHA-256 of the file that holds it, and the shape of its input where one was given."""

    reference: str
    arguments: dict[str, Any]
    code: str
    shape: tuple[int, ...] | None = None


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that determines the result of a run on one kind of machine.

    ``network`` is a name of the zoo, or a short one of a user's ``own``; ``options`` are axes given next to it.
    ``validation`` says that the accuracy was measured on images held out of the training set. ``teacher`` names the
    checkpoint of the teacher, as given.
    """

    network: str
    data: str
    recipe_name: str
    recipe: Recipe
    seed: int = 0
    width: float = 1.0
    validation: bool = False
    teacher: str | None = None
    options: dict[str, str | int | float | bool] = {}
    own: OwnNetwork | msgspec.UnsetType = msgspec.UNSET

    @property
    def key(self) -> str:
        """SHA-256 of the job but for the words of its recipe. Equal keys give equal results on the same machine."""
        wordless = msgspec.structs.replace(self.recipe, about="", source="")
        bare = msgspec.structs.replace(self, recipe=wordless)
        return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()

    @property
    def slug(self) -> str:
        """Name of the run's folder. Different jobs can share it; the key tells them apart."""
        parts = [self.network.replace("/", "-").replace(":", "-")]
        parts += [f"{name}-{value}" for name, value in sorted(self.options.items())]
        parts += [f"w{self.width:g}"] if self.width != 1.0 else []
        parts += [self.recipe_name, f"s{self.seed}"]
        parts += ["validation"] if self.validation else []
        return "-".join(parts)


class Epoch(msgspec.Struct, frozen=True):
    """One line of the log. Losses are means a training or test image; accuracies are shares of 1."""

    phase: int
    epoch: int
    rate: float
    train_loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    seconds: float

    def csv(self) -> str:
        """The line as comma-separated values, in the order of the fields."""
        return ",".join("" if v is None else f"{v:.6g}" for v in msgspec.structs.astuple(self))


class Position(msgspec.Struct):
    """Where a run stands: ``batch`` batches of ``epoch`` of ``phase`` are done. ``seconds`` is training time so far,
    ``epoch_seconds`` that of the epoch under way."""

    phase: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    history: list[Epoch] = []
    environment: dict[str, Any] = {}


class Result(msgspec.Struct, frozen=True):
    """What a finished run measured. ``accuracy`` is that of the last epoch; ``best_accuracy`` is the best epoch's,
    which is picked on the very images that it is measured on and therefore too high."""

    accuracy: float
    best_accuracy: float
    step_accuracies: list[float]
    held_out: str
    epochs: list[int]
    seconds: float
    checkpoint_sha256: str
    parameters: int
    environment: dict[str, Any] = {}
