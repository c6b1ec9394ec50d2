"""Plans: lists of runs as data files in ``costmodel/train/plans/``, trained by one command in slices of time."""

from __future__ import annotations

from pathlib import Path

import msgspec

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.train.job import OwnNetwork

PLANS = Path(__file__).parent / "plans"


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of a plan. ``own`` says which network of the user's ``model`` is short for. ``teacher`` is a checkpoint,
    or the name of a run of the same plan that comes before."""

    model: str
    data: str
    recipe: str | None = None
    seed: int = 0
    width: float = 1.0
    epochs: tuple[int, ...] = ()
    options: dict[str, str | int | float | bool] = {}
    validation: bool = False
    teacher: str | None = None
    own: OwnNetwork | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan file. ``common`` holds keys of every run; a run with ``seeds`` stands for one run per seed."""

    about: str
    runs: tuple[dict[str, object], ...]
    common: dict[str, object] = {}


def names() -> list[str]:
    """The plans that come with the package."""
    return sorted(path.stem for path in PLANS.glob("*.yaml"))


def load_plan(name: str) -> list[Cell]:
    """The runs of a plan, by name or from a file that ends in ``.yaml``, in their order.

    Raises :class:`UnknownNameError` for another name, :class:`CostmodelError` for a file that is no plan.
    """
    import yaml

    path = Path(name) if name.endswith((".yaml", ".yml")) else PLANS / f"{name}.yaml"
    if path.parent == PLANS and not path.exists():
        raise UnknownNameError("plan", name, names(), f"Known: {', '.join(names())}; or give a file NAME.yaml.")
    try:
        plan = msgspec.convert(yaml.safe_load(path.read_text()), Plan)
        rows = [{**plan.common, **row} for row in plan.runs]
        return [cell for row in rows for cell in _seeded(row)]
    except OSError as error:
        raise CostmodelError(f"cannot read the plan {path}: {error.strerror or error}.") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise CostmodelError(f"{path} is not a plan: {error}.") from error


def _seeded(row: dict[str, object]) -> list[Cell]:
    seeds = msgspec.convert(row.pop("seeds", (row.get("seed", 0),)), tuple[int, ...])
    return [msgspec.convert({**row, "seed": seed}, Cell) for seed in seeds]
