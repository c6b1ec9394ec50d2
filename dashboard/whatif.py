"""The choices of a design as controls, and what the controls say as settings.

The settings of the design that is shown are one value, a list of ``name=value``: all that is priced, pinned, reported
and written into the link reads that value, never the controls. A control says by its id which target it is of (where
it is made for the layers of a network, which network too), so that a control of the design shown before, still on the
page, is not taken for this one's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import html

from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.state import written
from costmodel.errors import CostmodelError
from costmodel.targets.spec import Parameter

#: Units in which a choice is typed: base unit -> (shown unit, factor from base to shown).
SHOWN = {"Hz": ("MHz", 1e-6), "B": ("KiB", 1 / 1024), "B/s": ("GB/s", 1e-9)}
#: Choices in the order in which one asks for them; what no group names is in the last one.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Rate", ("clock", "fps", "threads")),
    ("Scale of binary weights", ("scale",)),
    ("Parallelism", ("folding", "mode", "impl", "outputs", "terms", "pixels", "window", "mac_lanes", "vector_lanes")),
    ("Order of the work", ("dataflow", "mapping", "batch")),
    (
        "Number format",
        ("real_bits", "weight_bits", "input_bits", "kind_bits", "real_format", "accumulator_bits", "precision"),
    ),
    ("Technology", ("node", "voltage", "leakage", "sram_scales")),
    ("Memory", ("activation_sram", "weight_sram", "sram_banks", "sram_table", "dram", "dram_bandwidth")),
    ("More", ()),
)
OPEN = 2
#: Choices that are made for the layers of one network.
OF_NETWORK = ("folding", "mapping")
#: What the name alone does not say.
NAMES = {
    "fps": "target FPS",
    "real_bits": "fixed point of real values",
    "weight_bits": "fixed point of real weights",
    "input_bits": "fixed point of inputs",
    "kind_bits": "fixed point by kind of layer, of real weights and of values taken in",
    "outputs": "PE: outputs at once",
    "terms": "SIMD: terms of a sum at once",
    "pixels": "positions at once",
    "folding": "folding, PE × SIMD",
    "activation_sram": "activation SRAM",
    "weight_sram": "weight SRAM",
    "scale": "scale option",
}
WORDS = {
    "real_bits": "bits before and behind the point together; costmodel deploy --fraction-bits all says what fewer do "
    "to the output",
    "scale": "a multiplication (exact), shifts (pow2, csd2, csd3), one shift if trained so (tied), a table (lut)",
}


def panel(catalogue: Catalogue, network: str, target: str, settings: Mapping[str, Any]) -> list[Any]:
    """A control for each choice, in groups; what ``settings`` says is set, else the default."""
    parameters = catalogue.parameters(target)
    named = {name for _, names in GROUPS for name in names}
    found: list[Any] = []
    for title, names in GROUPS:
        here = [n for n in names if n in parameters] if names else [n for n in parameters if n not in named]
        controls = []
        for name in here:
            value = settings.get(name, parameters[name].default)
            if name == "folding":
                controls += _folding(catalogue, network, target, str(value))
            else:
                of = _both(network, target) if name in OF_NETWORK else target
                controls.append(_control({"of": of}, name, parameters[name], value))
        if controls:
            changed = any(settings.get(n, parameters[n].default) != parameters[n].default for n in here)
            opened = len(found) < OPEN or changed
            found.append(html.Details([html.Summary(title), *controls], open=opened, className="choices"))
    return found


def known(catalogue: Catalogue, target: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of what a link says, the choices that may be made."""
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        try:
            chosen |= catalogue.settings(target, {name: value})
        except CostmodelError:
            continue
    return chosen


def belong(network: str, target: str, ids: Sequence[Mapping[str, str]]) -> tuple[bool, bool]:
    """Whether the controls on the page are those of this target, and whether they are those of this network."""
    of = {id["of"] for id in ids}
    return target in of, all(name in (target, _both(network, target)) for name in of)


def given(
    catalogue: Catalogue, network: str, target: str, ids: Sequence[Mapping[str, str]], values: Sequence[Any]
) -> dict[str, Any]:
    """Settings that the controls of this design make.

    Raises :class:`CostmodelError` for a value that may not be chosen.
    """
    parameters = catalogue.parameters(target)
    found: dict[str, Any] = {}
    for id, value in zip(ids, values, strict=True):
        name = id["name"]
        if id["of"] in (target, _both(network, target)) and name in parameters and value is not None and value != "":
            found[name] = _base(name, parameters[name], value)
    return catalogue.settings(target, found)


def texts(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the list of ``name=value`` that the page holds; :func:`costmodel.dashboard.state.pairs` reads it."""
    return [f"{name}={written(value)}" for name, value in settings.items()]


# -- folding ----------------------------------------------------------------------------------------------------------


def folding_of(catalogue: Catalogue, network: str, target: str, settings: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(PE, SIMD) of each matrix unit, in order: the one that is set, else the one that a pipeline gets by itself."""
    line = str(settings.get("folding", "auto"))
    if line == "auto":
        pipeline = catalogue.estimate(network, target, {**settings, "mode": "dataflow"})
        units = pipeline.facts["finn_folding"]
        return [(unit["PE"], unit["SIMD"]) for name, unit in units.items() if name.startswith(("MVAU", "VVAU"))]
    pe_simd = [unit.partition(":")[0].split("x") for unit in line.split(",")]
    return [(int(pe), int(simd)) for pe, simd in pe_simd]


@dataclass(frozen=True)
class Fold:
    """PE and SIMD of one matrix unit, and what they may be."""

    pe: int
    simd: int
    pes: tuple[int, ...]
    simds: tuple[int, ...]


def fold_of(catalogue: Catalogue, network: str, target: str, settings: Mapping[str, Any], unit: Any) -> Fold | None:
    """The fold of the unit of that number, as text; None where there is none."""
    from costmodel.targets.fpga.price import units

    found = units(catalogue.ledger(network, "deployed"))
    if not str(unit).isdigit() or int(str(unit)) >= len(found):
        return None
    pe, simd = folding_of(catalogue, network, target, settings)[int(str(unit))]
    return Fold(pe, simd, found[int(str(unit))].pe, found[int(str(unit))].simd)


def refolded(
    catalogue: Catalogue, network: str, target: str, settings: Mapping[str, Any], unit: int, pe: int, simd: int
) -> str | None:
    """The line of the whole folding with one unit folded otherwise; None where that is how it is folded."""
    folds = folding_of(catalogue, network, target, settings)
    if folds[unit] == (pe, simd):
        return None
    line = str(settings.get("folding", "auto"))
    units = [f"{a}x{b}" for a, b in folds] if line == "auto" else line.split(",")
    _, colon, memories = units[unit].partition(":")
    units[unit] = f"{pe}x{simd}{colon}{memories}"
    return ",".join(units)


def _folding(catalogue: Catalogue, network: str, target: str, value: str) -> list[Any]:
    """The line of the whole folding, and next to it PE and SIMD of one unit at a time."""
    from costmodel.targets.fpga.price import units

    of = _both(network, target)
    names = [u.name for u in units(catalogue.ledger(network, "deployed"))]

    def choice(name: str, label: str, **more: Any) -> Any:
        return dmc.Select(
            id={"type": "fold", "of": of, "name": name},
            label=label,
            size="xs",
            allowDeselect=False,
            checkIconPosition="right",
            **{"data": [], "value": None, **more},
        )

    parameter = Parameter("auto", "auto, or PE × SIMD of each matrix unit in order: 16x3,32x32,...")
    return [
        _control({"of": of}, "folding", parameter, value),
        html.Div(
            [
                choice(
                    "unit",
                    "of unit",
                    data=[{"value": str(i), "label": n} for i, n in enumerate(names)],
                    placeholder="choose",
                ),
                choice("pe", "PE", disabled=True),
                choice("simd", "SIMD", disabled=True),
            ],
            className="fold",
        ),
    ]


def _both(network: str, target: str) -> str:
    return f"{network}@{target}"


# -- single controls --------------------------------------------------------------------------------------------------


def _base(name: str, parameter: Parameter, value: Any) -> Any:
    """What was typed, in base units and of the parameter's type. Raises :class:`CostmodelError` in the unit of the box
    for what is no number or beyond the bounds."""
    if parameter.choices is not None:
        return next((c for c in parameter.choices if str(c) == str(value)), value)
    if isinstance(parameter.default, bool):
        return value in (True, "true", "True")
    if isinstance(parameter.default, (int, float)):
        unit, factor = _unit(parameter)
        typed = _number(name, value, unit)
        for limit, beyond, words in ((parameter.min, -1, "at least"), (parameter.max, 1, "at most")):
            if limit is not None and beyond * (typed - limit * factor) > 1e-9 * abs(limit * factor):
                raise CostmodelError(
                    f"{_title(name, '')}: {typed:g} {unit}".rstrip()
                    + f": choose {words} {limit * factor:g} {unit}".rstrip()
                )
        shown = typed / factor
        nearest = round(shown)
        return nearest if abs(shown - nearest) < 1e-6 * max(1.0, abs(shown)) else shown
    return str(value)


def _unit(parameter: Parameter) -> tuple[str, float]:
    """The unit in which a choice is typed, and the factor from the base unit to it."""
    return SHOWN.get(parameter.unit, ("" if parameter.unit == "1" else parameter.unit, 1.0))


def _title(name: str, unit: str) -> str:
    return NAMES.get(name, name.replace("_", " ")) + (f" [{unit}]" if unit else "")


def _number(name: str, value: Any, unit: str) -> float:
    """What was typed as a number of the box's unit: 200, 2e2, 1_000, 200 MHz."""
    text = str(value).strip().removesuffix(unit or "\0").strip().replace("_", "").replace(",", "")
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        said = f"a number of {unit}" if unit else "a number"
        raise CostmodelError(f"{_title(name, '')}: “{str(value)[:40]}” is not {said}")
    return found


def _control(of: Mapping[str, str], name: str, parameter: Parameter, value: Any) -> Any:
    unit, factor = _unit(parameter)
    title = _title(name, unit)
    common: dict[str, Any] = {
        "id": {"type": "whatif", **of, "name": name},
        "label": title,
        "description": WORDS.get(name, parameter.description),
        "size": "xs",
    }
    if parameter.choices is not None:
        data = [{"value": str(c), "label": str(c)} for c in parameter.choices]
        return dmc.Select(**common, data=data, value=str(value), allowDeselect=False, checkIconPosition="right")
    if isinstance(parameter.default, bool):
        data = [{"value": "true", "label": "yes"}, {"value": "false", "label": "no"}]
        return dmc.Select(
            **common, data=data, value=str(bool(value)).lower(), allowDeselect=False, checkIconPosition="right"
        )
    if isinstance(parameter.default, (int, float)):
        # text, and not an input of numbers, which would make 19 of 1e9
        return dmc.TextInput(
            **common, value=str(_tidy(value * factor)), debounce=500, inputProps={"inputMode": "decimal"}
        )
    return dmc.TextInput(**common, value=str(value), debounce=500, inputProps={"spellCheck": "false"})


def _tidy(value: float) -> float | int:
    return int(value) if value == int(value) else float(f"{value:.12g}")
