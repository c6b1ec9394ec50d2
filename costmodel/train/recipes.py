"""Training recipes: small data files, one per recipe, in ``costmodel/train/recipes/``; a user's own file works as well.

A recipe says everything about a run but the network, the data set and the seed. Unknown keys and values out of range
are errors, so that a misspelt option never trains with a default in silence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from costmodel.errors import CostmodelError, UnknownNameError

RECIPES = Path(__file__).parent / "recipes"

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Augmentation, in pixels. ``cutmix`` is the share of batches that it mixes; ``jitter`` the relative spread of
    brightness, contrast and saturation."""

    pad: Count = 0
    pad_mode: Literal["reflect", "constant"] = "reflect"
    flip: bool = False
    cutout: Count = 0
    cutmix: Fraction = 0.0
    jitter: Fraction = 0.0


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``(1 - teacher) * cross entropy + teacher * T^2 * KL(teacher || student)``, both at ``temperature`` T.

    With T = 1 and ``teacher: 1`` its gradient is that of ReActNet's distributional loss.
    """

    label_smoothing: Fraction = 0.0
    teacher: Fraction = 0.0
    temperature: Positive = 1.0


class Clip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Adaptive gradient clipping: a unit's gradient is at most ``factor`` times its weight, in Euclidean norm."""

    factor: Positive
    eps: Positive = 1e-3
    exclude: tuple[str, ...] = ("fc",)


class Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training step of the paper's two: ``weights`` are kept real, or made binary. ``decay`` names the parameters
    that weight decay applies to: ``conv`` is the published rule (four dimensions, or ``conv`` in the name, exponents
    excepted), ``matrices`` is everything of two dimensions or more."""

    weights: Literal["real", "binary"]
    epochs: Annotated[int, msgspec.Meta(ge=1)]
    lr: Positive
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: Fraction = 0.9
    schedule: Literal["linear-by-epoch", "linear", "cosine", "constant"] = "linear"
    warmup: Fraction = 0.0
    cycles: Annotated[int, msgspec.Meta(ge=1)] = 1
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    decay: Literal["conv", "matrices"] = "conv"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe file. ``ema`` is the decay of an average of the weights, a batch; 0 means none.

    ``pixels: unit`` gives the network pixels in 0 … 1 instead of standardised ones. ``bound`` keeps every weight of two
    dimensions or more within ±bound after each step, as BinaryNet does with its latent weights: outside ±1 the
    straight-through gradient is zero, and a weight there would stay for ever. ``dropout``
    replaces the probability of the network's own dropout layers.
    ``source`` says where the recipe comes from; what differs from there is in ``about``. ``network`` holds axes of the
    network that belong to the recipe, such as ``scale: tied``.
    """

    about: str
    source: str
    batch: Annotated[int, msgspec.Meta(ge=1)]
    phases: tuple[Phase, ...]
    drop_last: bool = True
    augment: Augment = Augment()
    loss: Loss = Loss()
    clip: Clip | None = None
    ema: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = True
    compile: bool = False
    network: dict[str, str | int | float | bool] = {}
    # Left unset these are no part of a job's key, which is older than they are.
    pixels: Literal["unit"] | msgspec.UnsetType = msgspec.UNSET
    bound: Positive | msgspec.UnsetType = msgspec.UNSET
    dropout: Fraction | msgspec.UnsetType = msgspec.UNSET

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """The recipe of that name, or in the file of that name when it ends in ``.yaml``.

    Raises :class:`UnknownNameError` for another name, :class:`CostmodelError` for a file that is no recipe.
    """
    import yaml

    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if path.parent == RECIPES and not path.exists():
        raise UnknownNameError("recipe", name, names(), f"Known: {', '.join(names())}; or give a file NAME.yaml.")
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CostmodelError(f"cannot read the recipe {path}: {error.strerror or error}.") from error
    except yaml.YAMLError as error:
        raise CostmodelError(f"{path} is not YAML: {error}.") from error
    return as_recipe(content, str(path))


def as_recipe(content: Any, where: str) -> Recipe:
    """Check plain data against the schema of a recipe. Raises :class:`CostmodelError` that names the wrong key."""
    try:
        recipe = msgspec.convert(content, Recipe)
    except msgspec.ValidationError as error:
        raise CostmodelError(f"{where} is not a recipe: {error}. Compare with {RECIPES / 'abbnn.yaml'}.") from error
    if not recipe.phases:
        raise CostmodelError(f"{where} is not a recipe: it has no phases. Give at least one.")
    return recipe


def with_epochs(recipe: Recipe, epochs: tuple[int, ...]) -> Recipe:
    """The same recipe with other numbers of epochs: one number for every phase, or a number a phase."""
    wanted = epochs * len(recipe.phases) if len(epochs) == 1 else epochs
    if len(wanted) != len(recipe.phases) or min(wanted) < 1:
        raise CostmodelError(
            f"--epochs gives {','.join(map(str, epochs))}, the recipe has {len(recipe.phases)} phases: "
            f"give one number of at least 1, or one per phase."
        )
    phases = tuple(msgspec.structs.replace(p, epochs=n) for p, n in zip(recipe.phases, wanted, strict=True))
    return msgspec.structs.replace(recipe, phases=phases)
