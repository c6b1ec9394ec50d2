"""Hardware: from a ledger to energy, latency, area or resources, with intervals and sources."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Bound before the function of the same name below: the first import of a submodule sets the package's attribute.
import costmodel.targets.estimate  # noqa: F401

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from costmodel.ledger.ledger import Ledger, Level, Profile
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.load import list_targets, load_target
    from costmodel.targets.spec import Parameter, Target

__all__ = ["estimate", "list_targets", "load_target", "options_of", "totals"]


def estimate(
    profile: Profile | Ledger,
    target: str | os.PathLike[str] | Target,
    *,
    level: Level = "deployed",
    scale: str = "exact",
    **options: Any,
) -> Estimate:
    """Price a network on a target.

    ``options`` are choices of the target (``clock``, ``threads``, ...) and of its model (``fps``, ``folding``, ...);
    ``load_target(name).parameters`` and ``OPTIONS`` of the model's module list them; ``bits`` asks every target for the
    widths of its numbers in the same words (:mod:`costmodel.targets.bits`). A :class:`Ledger` is priced as it
    is; of a :class:`Profile` the ledger of ``level``. ``scale`` says what multiplies by the scale of binary weights
    (:mod:`costmodel.ledger.scales`).

    Raises :class:`CostmodelError` for an unknown target or option, and for a value that may not be chosen.
    """
    from costmodel.collector import without_collector
    from costmodel.errors import CostmodelError
    from costmodel.ledger.scales import with_scale
    from costmodel.targets.bits import BITS, change, expand
    from costmodel.targets.load import load_target

    spec = load_target(target)
    model = import_module(f"costmodel.targets.{spec.kind}.price")
    known = {"bits": BITS, **model.OPTIONS}
    settings = spec.settings(expand(options, spec.kind), known)
    ledger = _ledger(profile, level)
    if scale != "exact":
        ledger = with_scale(ledger, scale)
    try:
        with without_collector():
            result: Estimate = model.price(ledger, spec, settings)
            if options.get("bits"):  # what the numbers change is said next to what they cost
                rest = {name: value for name, value in options.items() if name != "bits"}
                usual: Estimate = model.price(ledger, spec, spec.settings(rest, known))
                said = change(options["bits"], *(_values(each) for each in (result, usual)))
                result = replace(result, notes=(said, *result.notes))
    except (ArithmeticError, TypeError, ValueError) as error:
        if not _is_users(spec):
            raise
        what = f"{type(error).__name__}: {error}"
        raise CostmodelError(
            f"target {spec.file}: a value in it has no price ({what}). Check its parameters"
        ) from error
    except KeyError as error:
        if not _is_users(spec):
            raise
        raise CostmodelError(
            f"target {spec.file}: it has no {error.args[0]!r}, which targets of kind {spec.kind} need. Add it, "
            "or name a base that has it"
        ) from error
    count = ledger.total("unknown")
    lacking = dict(result.left_out)
    if count:  # whatever is priced of it, there is more
        why = f"NOT PRICED: {count:,} operations without a rule"
        lacking = {name: (*lacking.get(name, ()), why) for name in result.totals()}
    return replace(result, ledger=ledger, left_out=lacking)


def _values(priced: Estimate) -> dict[str, float]:
    return {name: total.value for name, total in priced.totals().items()}


def _is_users(spec: Target) -> bool:
    """Whether a target is from a file outside of this package."""
    from costmodel.targets.folder import specs_folder

    return bool(spec.file) and not os.path.realpath(spec.file).startswith(os.path.realpath(specs_folder()) + os.sep)


def options_of(target: Target) -> dict[str, Parameter]:
    """What a user may choose with ``--set`` or as an option of :func:`estimate`: of the model, and of the target."""
    return {**import_module(f"costmodel.targets.{target.kind}.price").OPTIONS, **target.parameters}


def totals(
    profile: Profile | Ledger,
    target: str | os.PathLike[str] | Target,
    *,
    level: Level = "deployed",
    **options: Any,
) -> dict[str, NDArray[np.float64]]:
    """The nominal totals of many configurations of an ``asic`` or ``arm`` target, by metric, without a loop over them.

    Each of ``options`` is one value or a sequence of as many as there are configurations. Entry ``i`` equals, to the
    last bit, ``estimate(profile, target, **i-th options).total(metric).value``.

    Raises :class:`CostmodelError` as :func:`estimate` does, for sequences that differ in length, and for an FPGA: its
    configurations are foldings, which :mod:`costmodel.explore.dataflow` holds as arrays.
    """
    import numpy as np

    from costmodel.collector import without_collector
    from costmodel.errors import CostmodelError
    from costmodel.targets import arrays
    from costmodel.targets.bits import expand
    from costmodel.targets.load import load_target

    spec = load_target(target)
    model = import_module(f"costmodel.targets.{spec.kind}.price")
    if not hasattr(model, "totals"):
        raise CostmodelError(
            f"target {spec.name!r} is of kind {spec.kind}: its configurations are foldings. "
            "Use estimate() for one of them, or costmodel explore for all."
        )
    settings, count = arrays.settings_of(spec, expand(options, spec.kind), model.OPTIONS)
    ledger = _ledger(profile, level)
    found: dict[str, NDArray[np.float64]] = {}
    with without_collector():
        for numbers, chosen in arrays.groups(settings, model.ARRAYS, count):
            for metric, values in model.totals(ledger, spec, chosen).items():
                found.setdefault(metric, np.zeros(count))[numbers] = values
    return found


def _ledger(profile: Profile | Ledger, level: str) -> Ledger:
    from costmodel.ledger.ledger import Ledger, level_of

    level = level_of(level)
    return profile if isinstance(profile, Ledger) else profile.ledger(level)


def __getattr__(name: str) -> Any:
    # An estimate from the store needs the noun alone, and none of the schema.
    if name in ("list_targets", "load_target"):
        return getattr(import_module("costmodel.targets.load"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
