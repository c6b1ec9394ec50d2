"""The choices of a target as controls, and what the controls say as settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from costmodel.dashboard.catalogue import Catalogue

from costmodel.errors import CostmodelError
from costmodel.targets.spec import Parameter

#: Units in which a choice is typed: base unit -> (shown unit, factor from base to shown).
SHOWN = {"Hz": ("MHz", 1e-6), "B": ("KiB", 1 / 1024), "B/s": ("GB/s", 1e-9)}


def panel(catalogue: Catalogue, target: str, given: Mapping[str, str]) -> list[Any]:
    """A control for each choice of a target; what is ``given`` and may be chosen is set, else the default."""
    try:
        chosen = catalogue.settings(target, given)
    except CostmodelError:
        chosen = {}
        for name, value in given.items():
            try:
                chosen |= catalogue.settings(target, {name: value})
            except CostmodelError:
                continue
    parameters = catalogue.parameters(target)
    first = ("clock", "fps", "voltage", "node", "threads")
    names = sorted(parameters, key=lambda n: (first.index(n) if n in first else len(first), list(parameters).index(n)))
    return [_control(target, name, parameters[name], chosen.get(name, parameters[name].default)) for name in names]


def given(catalogue: Catalogue, target: str, ids: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
    """Settings that the controls make. Controls of another target, which may still be on the page, are left out.

    Raises :class:`CostmodelError` for a value that may not be chosen.
    """
    parameters = catalogue.parameters(target)
    found: dict[str, Any] = {}
    for id, value in zip(ids or (), values or (), strict=False):
        if not isinstance(id, dict) or id.get("of") != target:
            continue  # of the target that was shown before: its clock is not this one's
        name = id.get("name")
        if name in parameters and value is not None and value != "":
            found[name] = _base(parameters[name], value)
    return catalogue.settings(target, found)


def _base(parameter: Parameter, value: Any) -> Any:
    """What was typed, in base units and of the parameter's type."""
    if parameter.choices is not None:
        return next((c for c in parameter.choices if str(c) == str(value)), value)
    if isinstance(parameter.default, bool):
        return value in (True, "true", "True")
    if isinstance(parameter.default, (int, float)):
        if not isinstance(value, (int, float)):
            raise CostmodelError(f"“{str(value)[:40]}” is no number")
        shown = value / SHOWN.get(parameter.unit, ("", 1.0))[1]
        nearest = round(shown)
        return nearest if abs(shown - nearest) < 1e-6 * max(1.0, abs(shown)) else shown
    return str(value)


def _control(target: str, name: str, parameter: Parameter, value: Any) -> Any:
    id = {"type": "whatif", "of": target, "name": name}
    unit, factor = SHOWN.get(parameter.unit, ("" if parameter.unit == "1" else parameter.unit, 1.0))
    title = name.replace("_", " ") + (f" [{unit}]" if unit else "")
    common: dict[str, Any] = {"id": id, "label": title, "description": parameter.description, "size": "xs"}
    if parameter.choices is not None:
        data = [{"value": str(c), "label": str(c)} for c in parameter.choices]
        return dmc.Select(**common, data=data, value=str(value), allowDeselect=False)
    if isinstance(parameter.default, bool):
        data = [{"value": "true", "label": "yes"}, {"value": "false", "label": "no"}]
        return dmc.Select(**common, data=data, value=str(bool(value)).lower(), allowDeselect=False)
    if isinstance(parameter.default, (int, float)):
        bounds = {k: v * factor for k, v in (("min", parameter.min), ("max", parameter.max)) if v is not None}
        return dmc.NumberInput(
            **common, value=_tidy(value * factor), debounce=300, step=_step(value * factor), **bounds
        )
    return dmc.TextInput(**common, value=str(value), debounce=500, readOnly=True)


def _tidy(value: float) -> float | int:
    return int(value) if value == int(value) else float(f"{value:.6g}")


def _step(value: float) -> float:
    if value >= 100:
        return 10
    return 1 if value >= 10 or value == int(value) else 0.05
