"""What can take the place of the multiplications by constants that the exact rewrites leave.

The options are those of :mod:`costmodel.deploy.multipliers`, which carries them out on values; what they cost follows
from the ledger alone, so that a network is priced under each without being traced again. ``tied`` costs what ``pow2``
does, one shift: it is priced as the network would be if it were trained so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal, get_args

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.graph.domain import FLOAT_BITS
from costmodel.graph.multipliers import replacement
from costmodel.ledger.ledger import TABLE, Ledger, Scale, Traffic

ScaleOption = Literal["exact", "pow2", "csd2", "csd3", "tied", "lut"]
SCALE_OPTIONS: tuple[ScaleOption, ...] = get_args(ScaleOption)
#: Bits behind the point of a residual stream in fixed point, where none are asked for.
FRACTION_BITS = 16


def parse(text: str) -> tuple[tuple[str, ScaleOption], ...]:
    """An option for all layers, or for some: ``csd2``, or ``conv1=csd2,layer*=lut`` with names as shell patterns.

    Raises :class:`UnknownNameError` for an option that does not exist, :class:`CostmodelError` for other text.
    """
    if "=" not in text:
        return (("*", _option(text)),)
    parts = [part.strip().rpartition("=") for part in text.split(",") if part.strip()]
    for pattern, _, option in parts:
        if not pattern.strip():
            raise CostmodelError(f"scale {text!r}: expected LAYER=OPTION, such as conv1=csd2, for each that is listed")
        _option(option.strip())
    return tuple((pattern.strip(), _option(option.strip())) for pattern, _, option in parts)


def _option(text: str) -> ScaleOption:
    if text not in SCALE_OPTIONS:
        raise UnknownNameError("way to multiply by a scale", text, SCALE_OPTIONS)
    return text


def with_scale(ledger: Ledger, option: str) -> Ledger:
    """The deployed ledger with its multiplications by constants replaced; what an option cannot serve stays as it is.

    ``option`` is for all layers, or for those that it names, of which the last that matches counts (:func:`parse`).
    Raises :class:`UnknownNameError` for an option or a layer that does not exist, :class:`CostmodelError` for a ledger
    that is not the deployed one.
    """
    wanted = parse(str(option))
    if all(each == "exact" for _, each in wanted) and "=" not in option:
        return ledger
    if ledger.level != "deployed":
        raise CostmodelError(f"scale={option} replaces what the deployed network multiplies; the level is as written")
    chosen = of_layers({layer.index: layer.name for layer in ledger.layers}, wanted)
    places = {place.layer: place for place in ledger.scales if chosen.get(place.layer, "exact") != "exact"}
    charges = []
    for charge in ledger.charges:
        place = places.get(charge.layer)
        if place is None or charge.kind != "mul" or (chosen[place.layer] == "lut" and not place.table_bits):
            charges.append(charge)
            continue
        rows = replacement(chosen[place.layer], place.per_channel, charge.tag, charge.count, place.table_bits)
        charges += [
            replace(charge, kind=kind, tag=tag, count=count, bits_a=a, bits_b=b, bits_acc=acc)
            for kind, tag, count, a, b, acc in rows
            if count
        ]
    tables = {layer: place for layer, place in places.items() if chosen[layer] == "lut"}
    traffic = tuple(_with_tables(ledger, tables)) if tables else ledger.traffic
    return replace(ledger, charges=tuple(charges), traffic=traffic)


def of_layers(names: Mapping[int, str], wanted: Iterable[tuple[str, ScaleOption]]) -> dict[int, ScaleOption]:
    """The option of each layer of ``names`` (number -> name) that is named.

    Raises :class:`UnknownNameError` for a name or pattern that no layer has.
    """
    found: dict[int, ScaleOption] = {}
    for pattern, option in wanted:
        matching = [number for number, name in names.items() if fnmatchcase(name, pattern)]
        if not matching and pattern != "*":
            raise UnknownNameError("layer", pattern, [*dict.fromkeys(names.values())])
        found.update(dict.fromkeys(matching, option))
    return found


def _with_tables(ledger: Ledger, places: Mapping[int, Scale]) -> Iterable[Traffic]:
    """The ledger's traffic with tables in the place of the scales that they hold the multiples of."""
    made: set[int] = set()
    for row in ledger.traffic:
        place = places.get(row.layer)
        if place is None or not place.table_bits or row.role == "input":
            yield row
            continue
        if row.layer not in made:
            made.add(row.layer)
            scale = next((r for r in ledger.traffic if r.layer == row.layer and r.tensor == place.stored), row)
            yield Traffic(
                row.layer, row.module, TABLE, "parameter", place.table_entries, FLOAT_BITS, scale.stored, scale.part
            )
        if row.role != "parameter" or row.tensor != place.stored:
            yield row
