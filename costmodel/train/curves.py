"""The curves of a run: loss and accuracy over the epochs of both steps, drawn from its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.train.job import Epoch


@dataclass(frozen=True)
class Curves:
    """What is drawn: epochs counted through all steps, where steps begin, and the values (none: not measured)."""

    epochs: list[int]
    steps: list[int]
    train_loss: list[float]
    test_loss: list[float | None]
    train_accuracy: list[float]
    test_accuracy: list[float | None]


def read_log(folder: Path) -> list[Epoch]:
    """The log of a run; empty before its first checkpoint. Raises :class:`CostmodelError` for a damaged one."""
    path = folder / "log.json"
    if not path.exists():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Epoch])
    except msgspec.DecodeError as error:
        raise CostmodelError(f"{path} is damaged: {error}. It is written again after the next epoch.") from error


def curves(history: Sequence[Epoch]) -> Curves:
    """Turn a log into curves. Accuracies in percent."""
    percent = [None if e.test_accuracy is None else 100 * e.test_accuracy for e in history]
    return Curves(
        epochs=list(range(1, len(history) + 1)),
        steps=[number for number, e in enumerate(history, 1) if e.epoch == 1 and e.phase > 1],
        train_loss=[e.train_loss for e in history],
        test_loss=[e.test_loss for e in history],
        train_accuracy=[100 * e.train_accuracy for e in history],
        test_accuracy=percent,
    )


def draw(folder: Path) -> Path | None:
    """Draw ``curves.svg`` into the folder of a run, if it has a log. Needs matplotlib (extra ``reports``)."""
    history = read_log(folder)
    if not history:
        return None
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("--curves", "matplotlib", "reports") from error
    data, path = curves(history), folder / "curves.svg"
    figure, (losses, accuracies) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axes, train, test, label in (
        (losses, data.train_loss, data.test_loss, "loss"),
        (accuracies, data.train_accuracy, data.test_accuracy, "accuracy, %"),
    ):
        axes.plot(data.epochs, train, label="training", color="#8a8f98", linewidth=1.2)
        points = [(e, t) for e, t in zip(data.epochs, test, strict=True) if t is not None]
        axes.plot(*zip(*points, strict=True), label="held out", color="#0b6e99", linewidth=1.6)
        for step in data.steps:
            axes.axvline(step - 0.5, color="#c0c4cc", linestyle=":", linewidth=1)
        axes.set_xlabel("epoch (dotted: binary weights from here)")
        axes.set_ylabel(label)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(folder.name, fontsize=10)
    figure.savefig(path)
    pyplot.close(figure)
    return path
